"""CloudFormation: the command of the EFS proof of concept, then every other action."""


STACK = "mqdev-efs"

SMALL = """
AWSTemplateFormatVersion: "2010-09-09"
Parameters:
  Text: {Type: String, Default: one}
Resources:
  Secret:
    Type: AWS::SecretsManager::Secret
    Properties: {Description: !Ref Text}
Outputs:
  Arn: {Value: !Ref Secret, Export: {Name: judged}}
"""


def outputs(stack):
    return {o["OutputKey"]: o["OutputValue"] for o in stack.get("Outputs", [])}


def settled(lab, name):
    """Waits for the end of an operation and returns the stack."""

    def ready():
        found = lab.call("cloudformation", "DescribeStacks", StackName=name)["Stacks"][0]
        return found if not found["StackStatus"].endswith("_IN_PROGRESS") else None

    return lab.wait(f"stack {name}", ready)


def create(lab):
    vpc = lab.read("ec2", "DescribeVpcs", Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"][0]["VpcId"]
    subnets = lab.read("ec2", "DescribeSubnets", Filters=[{"Name": "vpc-id", "Values": [vpc]}])["Subnets"]
    subnets = sorted(subnets, key=lambda s: s["AvailabilityZone"])[:2]
    image = lab.read("ec2", "DescribeImages")["Images"][0]["ImageId"]
    parameters = {
        "KeyName": "",
        "VPC": vpc,
        "Subnet1": subnets[0]["SubnetId"],
        "Subnet2": subnets[1]["SubnetId"],
        "QueueManagerName": "mqdev",
        "AMI": image,
        "AvailabilityZone1": subnets[0]["AvailabilityZone"],
        "AvailabilityZone2": subnets[1]["AvailabilityZone"],
    }
    lab.process(
        "cloudformation", "create-stack", "--stack-name", STACK, "--template-body", f"file://{lab.template}",
        "--capabilities", "CAPABILITY_IAM", "--region", lab.lab["region"],
        "--parameters", *(f"ParameterKey={k},ParameterValue={v}" for k, v in parameters.items()),
    )  # fmt: skip
    stack = settled(lab, STACK)
    if stack["StackStatus"] != "CREATE_COMPLETE":
        events = lab.call("cloudformation", "DescribeStackEvents", StackName=STACK)["StackEvents"]
        failed = [(e["LogicalResourceId"], e.get("ResourceStatusReason")) for e in events if "FAILED" in e["ResourceStatus"]]
        raise SystemExit(f"{STACK}: {stack['StackStatus']}: {failed}")
    found = outputs(stack)
    found.update(vpc=vpc, subnets=[s["SubnetId"] for s in subnets], image=image)
    resources = lab.read("cloudformation", "DescribeStackResources", StackName=STACK)["StackResources"]
    found["resources"] = {r["LogicalResourceId"]: r["PhysicalResourceId"] for r in resources}
    return found


def run(lab, stack):
    service = "cloudformation"
    for action, params in [
        ("DescribeStacks", {}),
        ("ListStacks", {"StackStatusFilter": ["CREATE_COMPLETE"]}),
        ("DescribeStackEvents", {"StackName": STACK}),
        ("DescribeEvents", {"StackName": STACK}),
        ("DescribeStackResource", {"StackName": STACK, "LogicalResourceId": "Group"}),
        ("ListStackResources", {"StackName": STACK}),
        ("GetTemplate", {"StackName": STACK}),
        ("GetTemplateSummary", {"StackName": STACK}),
        ("ListChangeSets", {"StackName": STACK}),
        ("ValidateTemplate", {"TemplateBody": SMALL}),
        ("ListExports", {}),
    ]:
        lab.read(service, action, **params)
    lab.refused("ValidationError", service, "DescribeStacks", StackName="none")
    lab.refused("ValidationError", service, "ContinueUpdateRollback", StackName=STACK)
    lab.refused("ValidationError", service, "CancelUpdateStack", StackName=STACK)
    lab.refused("ValidationError", service, "SignalResource", StackName=STACK, LogicalResourceId="Role",
                UniqueId="i-0", Status="SUCCESS")  # fmt: skip

    # a change set that makes a stack, one that changes it, one that is thrown away, a plain update
    made = lab.call(service, "CreateChangeSet", StackName="small", ChangeSetName="first", ChangeSetType="CREATE", TemplateBody=SMALL)
    change_set(lab, made["Id"])
    lab.call(service, "ExecuteChangeSet", ChangeSetName=made["Id"])
    assert settled(lab, "small")["StackStatus"] == "CREATE_COMPLETE"
    other = [{"ParameterKey": "Text", "ParameterValue": "two"}]
    made = lab.call(service, "CreateChangeSet", StackName="small", ChangeSetName="second", Parameters=other, UsePreviousTemplate=True)
    changes = change_set(lab, made["Id"])["Changes"]
    assert changes[0]["ResourceChange"]["Action"] == "Modify", changes
    lab.call(service, "DeleteChangeSet", ChangeSetName=made["Id"])
    lab.call(service, "UpdateStack", StackName="small", Parameters=other, UsePreviousTemplate=True)
    assert settled(lab, "small")["StackStatus"] == "UPDATE_COMPLETE"
    lab.refused("ValidationError", service, "UpdateStack", StackName="small", Parameters=other, UsePreviousTemplate=True)
    for on in (True, False):
        lab.call(service, "UpdateTerminationProtection", StackName="small", EnableTerminationProtection=on)
        if on:
            lab.refused("ValidationError", service, "DeleteStack", StackName="small")

    # an update that cannot end well, since its instance cannot be launched, and is cancelled before it fails
    given = lab.call(service, "DescribeStacks", StackName=STACK)["Stacks"][0]["Parameters"]
    keep = [{"ParameterKey": p["ParameterKey"], "UsePreviousValue": True} for p in given if p["ParameterKey"] != "KeyName"]
    keep.append({"ParameterKey": "KeyName", "ParameterValue": "nosuch"})
    lab.call(service, "UpdateStack", StackName=STACK, Parameters=keep, UsePreviousTemplate=True, Capabilities=["CAPABILITY_IAM"])
    lab.call(service, "CancelUpdateStack", StackName=STACK)
    assert settled(lab, STACK)["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"

    lab.call(service, "CreateStack", StackName="tiny", TemplateBody=SMALL.replace("judged", "tiny"))
    assert settled(lab, "tiny")["StackStatus"] == "CREATE_COMPLETE"
    lab.refused("AlreadyExistsException", service, "CreateStack", StackName="tiny", TemplateBody=SMALL)
    for name in ("small", "tiny", STACK):
        stack_id = lab.call(service, "DescribeStacks", StackName=name)["Stacks"][0]["StackId"]
        lab.call(service, "DeleteStack", StackName=name)
        status = settled(lab, stack_id)["StackStatus"]
        assert status == "DELETE_COMPLETE", f"{name}: {status}"
    # the data outlives the stack
    lab.call("efs", "DescribeFileSystems", FileSystemId=stack["FileSystemId"])


def change_set(lab, made):
    def ready():
        found = lab.read("cloudformation", "DescribeChangeSet", ChangeSetName=made)
        return found if found["Status"] in ("CREATE_COMPLETE", "FAILED") else None

    found = lab.wait("change set", ready)
    assert found["Status"] == "CREATE_COMPLETE", found
    return found
