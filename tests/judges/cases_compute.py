"""EC2, Elastic Load Balancing, Auto Scaling, Systems Manager: every action."""

import json

ALL = "0.0.0.0/0"


def run(lab, stack):
    network(lab)
    groups(lab, stack)
    balancers(lab, stack)
    commands(lab, stack)
    instances(lab, stack)
    members(lab, stack)
    scaling(lab, stack)


def only(lab, operation, key, **params):
    """Reads a list of one."""
    found = lab.read("ec2", operation, **params)[key]
    assert len(found) == 1, found
    return found[0]


def network(lab):
    service = "ec2"
    for action in ("DescribeAvailabilityZones", "DescribeRegions", "DescribeInstanceTypes", "DescribeInstanceTypeOfferings",
                   "DescribeKeyPairs", "DescribeTags", "DescribeNetworkInterfaces"):  # fmt: skip
        lab.read(service, action)
    vpc = {"VpcId": lab.call(service, "CreateVpc", CidrBlock="10.77.0.0/16")["Vpc"]["VpcId"]}
    lab.call(service, "ModifyVpcAttribute", EnableDnsHostnames={"Value": True}, **vpc)
    lab.read(service, "DescribeVpcAttribute", Attribute="enableDnsHostnames", **vpc)
    only(lab, "DescribeVpcs", "Vpcs", VpcIds=[vpc["VpcId"]])
    subnet = lab.call(service, "CreateSubnet", CidrBlock="10.77.1.0/24", **vpc)["Subnet"]
    subnet = {"SubnetId": subnet["SubnetId"]}
    lab.call(service, "ModifySubnetAttribute", MapPublicIpOnLaunch={"Value": True}, **subnet)
    lab.call(service, "CreateTags", Resources=[subnet["SubnetId"]], Tags=[{"Key": "a", "Value": "b"}])
    only(lab, "DescribeSubnets", "Subnets", SubnetIds=[subnet["SubnetId"]])
    lab.call(service, "DeleteTags", Resources=[subnet["SubnetId"]], Tags=[{"Key": "a"}])
    gateway = lab.call(service, "CreateInternetGateway")["InternetGateway"]
    gateway = {"InternetGatewayId": gateway["InternetGatewayId"]}
    lab.call(service, "AttachInternetGateway", **gateway, **vpc)
    only(lab, "DescribeInternetGateways", "InternetGateways", InternetGatewayIds=[gateway["InternetGatewayId"]])
    table = lab.call(service, "CreateRouteTable", **vpc)["RouteTable"]
    table = {"RouteTableId": table["RouteTableId"]}
    lab.call(service, "CreateRoute", DestinationCidrBlock=ALL, GatewayId=gateway["InternetGatewayId"], **table)
    association = lab.call(service, "AssociateRouteTable", **table, **subnet)["AssociationId"]
    only(lab, "DescribeRouteTables", "RouteTables", RouteTableIds=[table["RouteTableId"]])
    endpoint = lab.call(service, "CreateVpcEndpoint", ServiceName=f"com.amazonaws.{lab.lab['region']}.ssm",
                        VpcEndpointType="Interface", SubnetIds=[subnet["SubnetId"]], **vpc)  # fmt: skip
    endpoint = endpoint["VpcEndpoint"]["VpcEndpointId"]
    only(lab, "DescribeVpcEndpoints", "VpcEndpoints", VpcEndpointIds=[endpoint])
    lab.refused("DependencyViolation", service, "DeleteVpc", **vpc)
    lab.call(service, "DeleteVpcEndpoints", VpcEndpointIds=[endpoint])
    lab.call(service, "DisassociateRouteTable", AssociationId=association)
    lab.call(service, "DeleteRoute", DestinationCidrBlock=ALL, **table)
    lab.call(service, "DeleteRouteTable", **table)
    lab.call(service, "DetachInternetGateway", **gateway, **vpc)
    lab.call(service, "DeleteInternetGateway", **gateway)
    lab.call(service, "DeleteSubnet", **subnet)
    lab.call(service, "DeleteVpc", **vpc)
    lab.refused("InvalidVpcID.NotFound", service, "DescribeVpcs", VpcIds=[vpc["VpcId"]])


def groups(lab, stack):
    service = "ec2"
    made = lab.call(service, "CreateSecurityGroup", GroupName="judge", Description="judge", VpcId=stack["vpc"])
    own = {"GroupId": made["GroupId"]}
    rule = [{"IpProtocol": "tcp", "FromPort": 1, "ToPort": 2, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}]
    for way in ("Ingress", "Egress"):
        lab.call(service, f"AuthorizeSecurityGroup{way}", IpPermissions=rule, **own)
        only(lab, "DescribeSecurityGroups", "SecurityGroups", GroupIds=[own["GroupId"]])
        lab.call(service, f"RevokeSecurityGroup{way}", IpPermissions=rule, **own)
    lab.call(service, "DeleteSecurityGroup", **own)


def balancers(lab, stack):
    service = "elbv2"
    mine, group = {"LoadBalancerArn": stack["LoadBalancerArn"]}, {"TargetGroupArn": stack["TargetGroupArn"]}
    lab.read(service, "DescribeLoadBalancers")
    lab.read(service, "DescribeLoadBalancerAttributes", **mine)
    lab.read(service, "DescribeTargetGroups", **mine)
    lab.read(service, "DescribeTargetGroupAttributes", **group)
    lab.wait("healthy target", lambda: [t for t in lab.read(service, "DescribeTargetHealth", **group)["TargetHealthDescriptions"]
                                        if t["TargetHealth"]["State"] == "healthy"])  # fmt: skip
    listener = lab.read(service, "DescribeListeners", **mine)["Listeners"][0]["ListenerArn"]
    lab.read(service, "DescribeListenerAttributes", ListenerArn=listener)

    security = lab.call("ec2", "CreateSecurityGroup", GroupName="elb", Description="elb", VpcId=stack["vpc"])["GroupId"]
    made = lab.call(service, "CreateLoadBalancer", Name="judge", Type="network", Scheme="internal",
                    Subnets=stack["subnets"][:1], SecurityGroups=[security])["LoadBalancers"][0]  # fmt: skip
    own = {"LoadBalancerArn": made["LoadBalancerArn"]}
    cross_zone = [{"Key": "load_balancing.cross_zone.enabled", "Value": "true"}]
    lab.call(service, "ModifyLoadBalancerAttributes", Attributes=cross_zone, **own)
    lab.call(service, "SetSubnets", Subnets=stack["subnets"], **own)
    lab.call(service, "SetSecurityGroups", SecurityGroups=[security], **own)
    targets = lab.call(service, "CreateTargetGroup", Name="judge", Protocol="TCP", Port=1414, VpcId=stack["vpc"])
    targets = {"TargetGroupArn": targets["TargetGroups"][0]["TargetGroupArn"]}
    lab.call(service, "ModifyTargetGroup", HealthyThresholdCount=2, **targets)
    delay = [{"Key": "deregistration_delay.timeout_seconds", "Value": "0"}]
    lab.call(service, "ModifyTargetGroupAttributes", Attributes=delay, **targets)
    forward = [{"Type": "forward", **targets}]
    made = lab.call(service, "CreateListener", Protocol="TCP", Port=11414, DefaultActions=forward, **own)
    listener = {"ListenerArn": made["Listeners"][0]["ListenerArn"]}
    lab.call(service, "ModifyListener", Port=11415, **listener)
    idle = [{"Key": "tcp.idle_timeout.seconds", "Value": "60"}]
    lab.call(service, "ModifyListenerAttributes", Attributes=idle, **listener)
    instance = lab.call(service, "DescribeTargetHealth", **group)["TargetHealthDescriptions"][0]["Target"]["Id"]
    lab.call(service, "RegisterTargets", Targets=[{"Id": instance}], **targets)
    lab.read(service, "DescribeTargetHealth", **targets)
    lab.call(service, "DeregisterTargets", Targets=[{"Id": instance}], **targets)
    lab.call(service, "AddTags", ResourceArns=[own["LoadBalancerArn"]], Tags=[{"Key": "a", "Value": "b"}])
    lab.read(service, "DescribeTags", ResourceArns=[own["LoadBalancerArn"]])
    lab.call(service, "RemoveTags", ResourceArns=[own["LoadBalancerArn"]], TagKeys=["a"])
    lab.refused("ResourceInUse", service, "DeleteTargetGroup", **targets)
    lab.call(service, "DeleteListener", **listener)
    lab.call(service, "DeleteTargetGroup", **targets)
    lab.call(service, "DeleteLoadBalancer", **own)
    lab.refused("LoadBalancerNotFound", service, "DescribeLoadBalancers", Names=["none"])


def in_group(lab, name):
    found = lab.read("autoscaling", "DescribeAutoScalingGroups", AutoScalingGroupNames=[name])["AutoScalingGroups"]
    return found[0]["Instances"] if found else []


def commands(lab, stack):
    service = "ssm"
    instance = lab.wait("an instance", lambda: in_group(lab, stack["GroupName"]))[0]["InstanceId"]
    lab.read(service, "DescribeInstanceInformation")
    line = {"commands": ["mqaws-agent status --json"]}
    sent = lab.call(service, "SendCommand", InstanceIds=[instance], DocumentName="AWS-RunShellScript", Parameters=line)
    sent = {"CommandId": sent["Command"]["CommandId"]}

    def done():
        found = lab.read(service, "GetCommandInvocation", InstanceId=instance, **sent)
        return found if found["Status"] not in ("Pending", "InProgress") else None

    found = lab.wait("command", done)
    assert found["Status"] == "Success" and '"queue_manager"' in found["StandardOutputContent"], found
    lab.read(service, "ListCommands", **sent)
    lab.read(service, "ListCommandInvocations", Details=True, **sent)
    lab.call(service, "PutParameter", Name="/judge", Value="x", Type="String")
    lab.read(service, "GetParameter", Name="/judge")
    lab.read(service, "GetParameters", Names=["/judge", "/none"])
    lab.call(service, "DeleteParameter", Name="/judge")
    lab.refused("ParameterNotFound", service, "GetParameter", Name="/none")
    documents(lab, service)


def documents(lab, service):
    def content(line):
        step = {"action": "aws:runShellScript", "name": "run", "inputs": {"runCommand": [line]}}
        return json.dumps({"schemaVersion": "2.2", "description": "judge", "mainSteps": [step]})

    own = {"Name": "judge-document"}
    lab.call(service, "CreateDocument", Content=content("true"), DocumentType="Command", **own)
    lab.read(service, "DescribeDocument", **own)
    lab.read(service, "GetDocument", **own)
    updated = lab.call(service, "UpdateDocument", Content=content("false"), DocumentVersion="$LATEST", **own)
    version = updated["DocumentDescription"]["DocumentVersion"]
    lab.call(service, "UpdateDocumentDefaultVersion", DocumentVersion=version, **own)
    tagged = {"ResourceType": "Document", "ResourceId": own["Name"]}
    lab.call(service, "AddTagsToResource", Tags=[{"Key": "a", "Value": "b"}], **tagged)
    assert lab.read(service, "ListTagsForResource", **tagged)["TagList"] == [{"Key": "a", "Value": "b"}]
    lab.call(service, "RemoveTagsFromResource", TagKeys=["a"], **tagged)
    lab.call(service, "DeleteDocument", **own)
    lab.refused("InvalidDocument", service, "GetDocument", **own)


def state(lab, instance):
    found = lab.read("ec2", "DescribeInstances", InstanceIds=[instance])
    return found["Reservations"][0]["Instances"][0]["State"]["Name"]


def instances(lab, stack):
    service = "ec2"
    lab.read(service, "DescribeInstances")
    lab.read(service, "DescribeLaunchTemplates")
    data = {"ImageId": stack["image"], "InstanceType": "m6i.large"}
    made = lab.call(service, "CreateLaunchTemplate", LaunchTemplateName="judge", LaunchTemplateData=data)
    own = {"LaunchTemplateId": made["LaunchTemplate"]["LaunchTemplateId"]}
    lab.call(service, "CreateLaunchTemplateVersion", LaunchTemplateData={**data, "InstanceType": "m6i.xlarge"}, **own)
    lab.call(service, "ModifyLaunchTemplate", DefaultVersion="2", **own)
    lab.read(service, "DescribeLaunchTemplateVersions", **own)
    made = lab.call(service, "RunInstances", MinCount=1, MaxCount=1, LaunchTemplate=own, SubnetId=stack["subnets"][0])
    instance = made["Instances"][0]["InstanceId"]
    lab.wait("running", lambda: state(lab, instance) == "running")
    lab.read(service, "DescribeInstanceStatus", InstanceIds=[instance])
    lab.call(service, "GetConsoleOutput", InstanceId=instance)
    lab.call(service, "StopInstances", InstanceIds=[instance])
    lab.wait("stopped", lambda: state(lab, instance) == "stopped")
    lab.call(service, "TerminateInstances", InstanceIds=[instance])
    lab.wait("terminated", lambda: state(lab, instance) == "terminated")
    lab.refused("InvalidInstanceID.NotFound", service, "DescribeInstances", InstanceIds=["i-0123456789abcdef0"])


def volume(lab, own):
    """A volume as an instance's: every state, with its attachment."""
    return only(lab, "DescribeVolumes", "Volumes", VolumeIds=[own["VolumeId"]])


def members(lab, stack):
    """What members with data of their own are made of: a volume, and an interface that their launch template names."""
    service = "ec2"
    subnet = only(lab, "DescribeSubnets", "Subnets", SubnetIds=[stack["subnets"][0]])
    zone = subnet["AvailabilityZone"]
    tags = [{"Key": "Name", "Value": "judge"}]
    made = lab.call(service, "CreateVolume", AvailabilityZone=zone, Size=1, VolumeType="gp3", Encrypted=True, ClientToken="judge",
                    TagSpecifications=[{"ResourceType": "volume", "Tags": tags}])  # fmt: skip
    own = {"VolumeId": made["VolumeId"]}
    assert made["Tags"] == tags and made["Iops"] == 3000 and made["Throughput"] == 125, made
    lab.wait("volume", lambda: volume(lab, own)["State"] == "available")
    lab.call(service, "ModifyVolume", Size=8, Iops=4000, Throughput=500, **own)
    lab.refused("InvalidParameterValue", service, "ModifyVolume", Size=1, **own)

    made = lab.call(service, "CreateNetworkInterface", SubnetId=subnet["SubnetId"], Description="judge",
                    TagSpecifications=[{"ResourceType": "network-interface", "Tags": tags}])["NetworkInterface"]  # fmt: skip
    interface = {"NetworkInterfaceId": made["NetworkInterfaceId"]}
    assert made["TagSet"] == tags and made["Status"] == "available", made
    lab.call(service, "ModifyNetworkInterfaceAttribute", Description={"Value": "still"}, **interface)
    data = {"ImageId": stack["image"], "InstanceType": "m6i.large", "NetworkInterfaces": [{"DeviceIndex": 0, **interface}]}
    template = {"LaunchTemplateName": "judge-member"}
    lab.call(service, "CreateLaunchTemplate", LaunchTemplateData=data, **template)
    lab.read(service, "DescribeLaunchTemplateVersions", **template)

    group = {"AutoScalingGroupName": "judge-member"}
    lab.call("autoscaling", "CreateAutoScalingGroup", MinSize=0, MaxSize=1, DesiredCapacity=1, AvailabilityZones=[zone],
             LaunchTemplate={"Version": "1", **template}, **group)  # fmt: skip
    serving = lambda: [m for m in in_group(lab, "judge-member") if m["LifecycleState"] == "InService"]  # noqa: E731
    instance = lab.wait("member in service", serving)[0]["InstanceId"]
    found = only(lab, "DescribeNetworkInterfaces", "NetworkInterfaces", NetworkInterfaceIds=[made["NetworkInterfaceId"]])
    assert found["Attachment"]["InstanceId"] == instance and not found["Attachment"]["DeleteOnTermination"], found
    shown = lab.read(service, "DescribeInstances", InstanceIds=[instance])["Reservations"][0]["Instances"][0]
    assert shown["PrivateIpAddress"] == made["PrivateIpAddress"], shown
    lab.refused("InvalidNetworkInterface.InUse", service, "RunInstances", MinCount=1, MaxCount=1, LaunchTemplate=template)
    lab.refused("InvalidParameterValue", service, "DeleteNetworkInterface", **interface)

    attach = {"Device": "/dev/sdf", "InstanceId": instance, **own}
    lab.call(service, "AttachVolume", **attach)
    lab.refused("VolumeInUse", service, "AttachVolume", **attach)
    lab.wait("attached", lambda: volume(lab, own)["Attachments"][0]["State"] == "attached")
    lab.refused("UnsupportedOperation", service, "DetachVolume", Force=True, **own)
    lab.refused("VolumeInUse", service, "DeleteVolume", **own)
    lab.call(service, "DetachVolume", InstanceId=instance, **own)
    lab.wait("detached", lambda: volume(lab, own)["State"] == "available")
    lab.call(service, "AttachVolume", **attach)
    lab.call("autoscaling", "SetDesiredCapacity", DesiredCapacity=0, **group)
    lab.wait("group empty", lambda: not in_group(lab, "judge-member"))
    lab.wait("volume free", lambda: volume(lab, own)["State"] == "available")
    lab.call("autoscaling", "DeleteAutoScalingGroup", **group)

    targets = lab.call("elbv2", "CreateTargetGroup", Name="judge-ip", Protocol="TCP", Port=1414, VpcId=stack["vpc"], TargetType="ip")
    targets = {"TargetGroupArn": targets["TargetGroups"][0]["TargetGroupArn"]}
    lab.call("elbv2", "RegisterTargets", Targets=[{"Id": made["PrivateIpAddress"]}], **targets)
    lab.read("elbv2", "DescribeTargetHealth", **targets)
    lab.call("elbv2", "DeleteTargetGroup", **targets)

    lab.call(service, "DeleteLaunchTemplate", **template)
    lab.call(service, "DeleteNetworkInterface", **interface)
    lab.refused("InvalidNetworkInterfaceID.NotFound", service, "DescribeNetworkInterfaces", NetworkInterfaceIds=[made["NetworkInterfaceId"]])
    lab.call(service, "DeleteVolume", **own)
    lab.refused("InvalidVolume.NotFound", service, "DetachVolume", VolumeId="vol-0123456789abcdef0")


def scaling(lab, stack):
    service, own = "autoscaling", {"AutoScalingGroupName": "judge"}
    lab.read(service, "DescribeAutoScalingGroups")
    lab.read(service, "DescribeAutoScalingInstances")
    lab.read(service, "DescribeScalingActivities", AutoScalingGroupName=stack["GroupName"])
    lab.read(service, "DescribeTags")
    lab.call(service, "CreateAutoScalingGroup", MinSize=0, MaxSize=1, DesiredCapacity=0,
             LaunchTemplate={"LaunchTemplateName": "judge", "Version": "1"}, VPCZoneIdentifier=",".join(stack["subnets"]), **own)  # fmt: skip
    lab.refused("AlreadyExists", service, "CreateAutoScalingGroup", MinSize=0, MaxSize=1,
                LaunchTemplate={"LaunchTemplateName": "judge"}, VPCZoneIdentifier=stack["subnets"][0], **own)  # fmt: skip
    hook = {"LifecycleHookName": "end", **own}
    lab.call(service, "PutLifecycleHook", LifecycleTransition="autoscaling:EC2_INSTANCE_TERMINATING", HeartbeatTimeout=3600, **hook)
    lab.read(service, "DescribeLifecycleHooks", **own)
    lab.call(service, "EnableMetricsCollection", Granularity="1Minute", **own)
    lab.call(service, "DisableMetricsCollection", **own)
    lab.call(service, "SuspendProcesses", ScalingProcesses=["AZRebalance"], **own)
    lab.call(service, "ResumeProcesses", **own)
    tag = {"ResourceId": "judge", "ResourceType": "auto-scaling-group", "Key": "a", "Value": "b", "PropagateAtLaunch": True}
    lab.call(service, "CreateOrUpdateTags", Tags=[tag])
    lab.call(service, "DeleteTags", Tags=[tag])
    group = {"TargetGroupARNs": [stack["TargetGroupArn"]], **own}
    lab.call(service, "AttachLoadBalancerTargetGroups", **group)
    lab.read(service, "DescribeLoadBalancerTargetGroups", **own)
    lab.call(service, "DetachLoadBalancerTargetGroups", **group)
    lab.call(service, "UpdateAutoScalingGroup", HealthCheckGracePeriod=0, **own)
    lab.call(service, "SetDesiredCapacity", DesiredCapacity=1, **own)

    def in_state(wanted):
        return [m for m in in_group(lab, "judge") if m["LifecycleState"] == wanted]

    first = lab.wait("in service", lambda: in_state("InService"))[0]["InstanceId"]
    lab.call(service, "SetInstanceHealth", InstanceId=first, HealthStatus="Unhealthy", ShouldRespectGracePeriod=False)
    ending = {"InstanceId": first, **hook}
    lab.wait("hook", lambda: in_state("Terminating:Wait"))
    lab.call(service, "RecordLifecycleActionHeartbeat", **ending)
    lab.call(service, "CompleteLifecycleAction", LifecycleActionResult="CONTINUE", **ending)
    lab.wait("first gone", lambda: first not in [m["InstanceId"] for m in in_group(lab, "judge")])
    lab.call(service, "DeleteLifecycleHook", **hook)
    second = lab.wait("replacement", lambda: in_state("InService"))[0]["InstanceId"]
    lab.call(service, "TerminateInstanceInAutoScalingGroup", InstanceId=second, ShouldDecrementDesiredCapacity=True)
    lab.wait("empty", lambda: not in_group(lab, "judge"))
    lab.call(service, "DeleteAutoScalingGroup", ForceDelete=True, **own)
    lab.call("ec2", "DeleteLaunchTemplate", LaunchTemplateName="judge")
