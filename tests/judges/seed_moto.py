"""Makes one of each thing in moto by direct calls, and prints what it made: what the client half must then read."""

import json
import sys

import boto3

endpoint, region = sys.argv[1:]


def client(service):
    return boto3.client(
        service, endpoint_url=endpoint, region_name=region, aws_access_key_id="test", aws_secret_access_key="test"
    )


ec2, efs, elb, groups = client("ec2"), client("efs"), client("elbv2"), client("autoscaling")
vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
subnets = {}
for index, letter in enumerate("ab"):
    made = ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.9.{index}.0/24", AvailabilityZone=region + letter)["Subnet"]
    subnets[made["AvailabilityZone"]] = made["SubnetId"]
image = ec2.describe_images(Owners=["amazon"])["Images"][0]
file_system = efs.create_file_system(CreationToken="judge", Encrypted=True, ThroughputMode="elastic")["FileSystemId"]
for subnet in subnets.values():
    efs.create_mount_target(FileSystemId=file_system, SubnetId=subnet)
balancer = elb.create_load_balancer(Name="judge", Type="network", Scheme="internal", Subnets=list(subnets.values()))
balancer = balancer["LoadBalancers"][0]
target_group = elb.create_target_group(Name="judge", Protocol="TCP", Port=1414, VpcId=vpc)["TargetGroups"][0]["TargetGroupArn"]
forward = [{"Type": "forward", "TargetGroupArn": target_group}]
elb.create_listener(LoadBalancerArn=balancer["LoadBalancerArn"], Protocol="TCP", Port=1414, DefaultActions=forward)
ec2.create_launch_template(
    LaunchTemplateName="judge", LaunchTemplateData={"ImageId": image["ImageId"], "InstanceType": "m6i.large"}
)
groups.create_auto_scaling_group(
    AutoScalingGroupName="judge",
    MinSize=0,
    MaxSize=1,
    DesiredCapacity=1,
    LaunchTemplate={"LaunchTemplateName": "judge", "Version": "$Latest"},
    VPCZoneIdentifier=",".join(subnets.values()),
    TargetGroupARNs=[target_group],
)
group = groups.describe_auto_scaling_groups(AutoScalingGroupNames=["judge"])["AutoScalingGroups"][0]
print(
    json.dumps(
        {
            "vpc": vpc,
            "subnets": subnets,
            "image": image["ImageId"],
            "root_device": image["RootDeviceName"],
            "file_system": file_system,
            "balancer": balancer["LoadBalancerArn"],
            "dns_name": balancer["DNSName"],
            "target_group": target_group,
            "group": "judge",
            "instance": group["Instances"][0]["InstanceId"],
            "zone": group["Instances"][0]["AvailabilityZone"],
        }
    )
)
