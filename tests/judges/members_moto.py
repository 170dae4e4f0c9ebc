"""The same calls about volumes and network interfaces, to the lab or to moto: members_moto.py LAB_JSON|moto prints what came of each.

Only what moto decides too is asked: it has no states between two others, no zones that must fit, and no interface that a second instance cannot have,
and it says of a volume that nothing has attached what AWS says of one that another instance has.
"""

import contextlib
import json
import sys
import time

import boto3
from botocore.exceptions import ClientError

ABSENT = {"volume": "vol-0123456789abcdef0", "instance": "i-0123456789abcdef0", "interface": "eni-0123456789abcdef0"}


class Asked:
    """Calls with what came of them: an error code, or what of the answer is looked at."""

    def __init__(self, client):
        self.client, self.said = client, []

    def ask(self, operation, *look, **params):
        try:
            answer = getattr(self.client, operation)(**params)
        except ClientError as error:
            self.said.append([operation, error.response["Error"]["Code"]])
            return None
        self.said.append([operation, *(answer.get(name) for name in look)])
        return answer

    def until(self, volume, state):
        """Waits for a state, which moto reaches at once."""
        end = time.monotonic() + 60
        while True:
            found = self.client.describe_volumes(VolumeIds=[volume])["Volumes"][0]
            states = [found["State"], *(a["State"] for a in found["Attachments"])]
            if state in states:
                self.said.append(["until", state])
                return
            assert time.monotonic() < end, found
            time.sleep(0.05)


def run(client, image):
    asked = Asked(client)
    ask = asked.ask
    subnet = client.describe_subnets()["Subnets"][0]
    zone = subnet["AvailabilityZone"]
    gp3 = {"AvailabilityZone": zone, "VolumeType": "gp3"}
    look = ("Size", "VolumeType", "Encrypted", "AvailabilityZone", "Tags")
    tags = [{"ResourceType": "volume", "Tags": [{"Key": "Name", "Value": "one"}]}]
    volume = ask("create_volume", *look, Size=8, Encrypted=True, TagSpecifications=tags, **gp3)["VolumeId"]
    asked.until(volume, "available")
    ask("create_volume", Size=8, KmsKeyId="alias/own", **gp3)
    ask("create_volume", Size=8, SnapshotId="snap-0123456789abcdef0", **gp3)
    ask("describe_volumes", VolumeIds=[ABSENT["volume"]])
    ask("delete_volume", VolumeId=ABSENT["volume"])

    interface = ask("create_network_interface", SubnetId=subnet["SubnetId"], Description="one")["NetworkInterface"]
    asked.said.append([interface[name] for name in ("Status", "Description", "SourceDestCheck", "RequesterManaged")])
    ask("describe_network_interfaces", NetworkInterfaceIds=[ABSENT["interface"]])
    ask("delete_network_interface", NetworkInterfaceId=ABSENT["interface"])
    run_one = {"ImageId": image, "InstanceType": "t3.small", "MinCount": 1, "MaxCount": 1, "SubnetId": subnet["SubnetId"]}
    instance = client.run_instances(**run_one)["Instances"][0]["InstanceId"]
    client.get_waiter("instance_running").wait(InstanceIds=[instance], WaiterConfig={"Delay": 1, "MaxAttempts": 60})
    attach = {"Device": "/dev/sdf", "VolumeId": volume}
    ask("attach_volume", InstanceId=ABSENT["instance"], **attach)
    ask("attach_volume", "Device", InstanceId=instance, **attach)
    asked.until(volume, "attached")
    ask("delete_volume", VolumeId=volume)
    ask("detach_volume", InstanceId=ABSENT["instance"], VolumeId=volume)
    ask("detach_volume", "Device", VolumeId=volume, InstanceId=instance)
    asked.until(volume, "available")
    ask("delete_volume", VolumeId=volume)
    ask("delete_network_interface", NetworkInterfaceId=interface["NetworkInterfaceId"])
    client.terminate_instances(InstanceIds=[instance])
    return asked.said


def main(where):
    if where == "moto":
        from moto import mock_aws

        with mock_aws(), contextlib.redirect_stdout(sys.stderr):
            client = boto3.client("ec2", region_name="eu-west-1", aws_access_key_id="x", aws_secret_access_key="x")
            said = run(client, client.describe_images(Owners=["amazon"])["Images"][0]["ImageId"])
    else:
        with open(where, encoding="utf-8") as file:
            lab = json.load(file)
        client = boto3.client("ec2", region_name=lab["region"], endpoint_url=lab["endpoint"],
                              aws_access_key_id=lab["access_key_id"], aws_secret_access_key=lab["secret_access_key"])  # fmt: skip
        said = run(client, client.describe_images(Owners=["self"])["Images"][0]["ImageId"])
    print("\n".join(json.dumps(one) for one in said))


if __name__ == "__main__":
    main(*sys.argv[1:])
