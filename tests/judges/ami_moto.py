"""What moto knows of images and of builds, for tests/lab/ami.rs.

    ami_moto.py ENDPOINT REGION show            everything of this account that a build makes or leaves, as JSON
    ami_moto.py ENDPOINT REGION images          makes images to prune and things that use them; prints them as JSON
"""
import json
import sys

import boto3

ENDPOINT, REGION, WHAT = sys.argv[1:4]


def client(service):
    return boto3.client(service, endpoint_url=ENDPOINT, region_name=REGION)


EC2, SSM, AUTOSCALING = client("ec2"), client("ssm"), client("autoscaling")


def tags(thing):
    return {t["Key"]: t["Value"] for t in thing.get("Tags", [])}


def show():
    reservations = EC2.describe_instances()["Reservations"]
    instances = [i for r in reservations for i in r["Instances"] if i["State"]["Name"] not in ("terminated", "shutting-down")]
    images = EC2.describe_images(Owners=["self"])["Images"]
    snapshots = EC2.describe_snapshots(OwnerIds=["self"])["Snapshots"]
    names = ["/mqaws/ami/ibm-mq", "/mqaws/ami/rabbitmq"]
    parameters = SSM.get_parameters(Names=names)["Parameters"]
    return {
        "images": {i["ImageId"]: {"name": i["Name"], "state": i["State"], "tags": tags(i)} for i in images},
        # moto has snapshots of its own
        "snapshots": [s["SnapshotId"] for s in snapshots],
        "tagged_snapshots": {s["SnapshotId"]: tags(s) for s in snapshots if "mqaws:build" in tags(s)},
        "instances": {i["InstanceId"]: tags(i) for i in instances},
        "volumes": [v["VolumeId"] for v in EC2.describe_volumes()["Volumes"]],
        "key_pairs": [k["KeyName"] for k in EC2.describe_key_pairs()["KeyPairs"]],
        "security_groups": [g["GroupName"] for g in EC2.describe_security_groups()["SecurityGroups"] if g["GroupName"] != "default"],
        "parameters": {p["Name"]: {"value": p["Value"], "type": p["Type"], "data_type": p.get("DataType")} for p in parameters},
    }


def snapshot(image):
    mappings = EC2.describe_images(ImageIds=[image])["Images"][0]["BlockDeviceMappings"]
    return next(m["Ebs"]["SnapshotId"] for m in mappings if "Ebs" in m)


def images():
    source = EC2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
    builder = EC2.run_instances(ImageId=source, MinCount=1, MaxCount=1)["Instances"][0]["InstanceId"]

    def image(name, engine):
        made = EC2.create_image(InstanceId=builder, Name=name)["ImageId"]
        if engine:
            values = {"mqaws:image": engine, "mqaws:engine-version": "1", "mqaws:agent-version": "0.1.0"}
            resources = [made]
            # as Packer tags them; the snapshot in "theirs" is somebody else's
            if name != "old-theirs":
                resources.append(snapshot(made))
            EC2.create_tags(Resources=resources, Tags=[{"Key": k, "Value": v} for k, v in values.items()])
        return made

    # moto gives every image the time of its making, in whole seconds; names tell them apart here
    words = ["instance", "stopped", "template", "configuration", "parameter", "shared", "idle", "theirs"]
    made = {word: image(f"old-{word}", "ibm-mq") for word in words}
    made["foreign"] = image("mqaws-ibm-mq-foreign", None)
    made["rabbitmq"] = image("rabbitmq-newest", "rabbitmq")
    EC2.terminate_instances(InstanceIds=[builder])
    run = lambda ami: EC2.run_instances(ImageId=ami, MinCount=1, MaxCount=1)["Instances"][0]["InstanceId"]
    run(made["instance"])
    EC2.stop_instances(InstanceIds=[run(made["stopped"])])
    # a terminated instance uses nothing
    EC2.terminate_instances(InstanceIds=[run(made["idle"])])
    EC2.create_launch_template(LaunchTemplateName="old", LaunchTemplateData={"ImageId": made["template"]})
    # only the first version names it
    EC2.create_launch_template_version(LaunchTemplateName="old", LaunchTemplateData={"ImageId": source})
    AUTOSCALING.create_launch_configuration(LaunchConfigurationName="c", ImageId=made["configuration"], InstanceType="t3.small")
    SSM.put_parameter(Name="/mqaws/ami/ibm-mq", Type="String", DataType="aws:ec2:image", Value=made["parameter"])
    made["their_snapshot"] = snapshot(made["theirs"])
    EC2.modify_image_attribute(ImageId=made["shared"], LaunchPermission={"Add": [{"UserId": "111122223333"}]})
    return made


print(json.dumps({"show": show, "images": images}[WHAT]()))
