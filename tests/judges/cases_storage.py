"""EFS, Secrets Manager, CloudWatch, IAM, STS: every action."""

import json

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
ALLOW = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "ec2:Describe*", "Resource": "*"}]}


def run(lab, stack):
    efs(lab, stack)
    adopted(lab)
    secrets(lab, stack)
    metrics(lab)
    iam(lab, stack)


def efs(lab, stack):
    service, mine = "efs", {"FileSystemId": stack["FileSystemId"]}
    for action in ("DescribeFileSystems", "DescribeMountTargets", "DescribeFileSystemPolicy", "DescribeBackupPolicy",
                   "DescribeLifecycleConfiguration"):  # fmt: skip
        lab.read(service, action, **mine)
    made = lab.call(service, "CreateFileSystem", CreationToken="judge", Encrypted=True, Tags=[{"Key": "Name", "Value": "judge"}])
    lab.refused("FileSystemAlreadyExists", service, "CreateFileSystem", CreationToken="judge")
    own = {"FileSystemId": made["FileSystemId"]}

    def state(wanted):
        found = lab.call(service, "DescribeFileSystems", **own)["FileSystems"][0]
        return found if found["LifeCycleState"] == wanted else None

    lab.wait("file system", lambda: state("available"))
    lab.call(service, "UpdateFileSystem", ThroughputMode="elastic", **own)
    policy = lab.read(service, "DescribeFileSystemPolicy", **mine)["Policy"]
    lab.call(service, "PutFileSystemPolicy", Policy=policy, **own)
    lab.call(service, "DeleteFileSystemPolicy", **own)
    lab.refused("PolicyNotFound", service, "DescribeFileSystemPolicy", **own)
    lab.call(service, "PutBackupPolicy", BackupPolicy={"Status": "ENABLED"}, **own)
    lab.call(service, "PutLifecycleConfiguration", LifecyclePolicies=[{"TransitionToIA": "AFTER_30_DAYS"}], **own)
    lab.call(service, "UpdateFileSystemProtection", ReplicationOverwriteProtection="DISABLED", **own)
    target = lab.call(service, "CreateMountTarget", SubnetId=stack["subnets"][0], **own)
    target = {"MountTargetId": target["MountTargetId"]}
    lab.refused("MountTargetConflict", service, "CreateMountTarget", SubnetId=stack["subnets"][0], **own)
    lab.refused("FileSystemInUse", service, "DeleteFileSystem", **own)

    def mount_target():
        return lab.read(service, "DescribeMountTargets", **target)["MountTargets"][0]["LifeCycleState"] == "available"

    lab.wait("mount target", mount_target)
    groups = lab.read(service, "DescribeMountTargetSecurityGroups", **target)["SecurityGroups"]
    lab.call(service, "ModifyMountTargetSecurityGroups", SecurityGroups=groups, **target)
    lab.call(service, "TagResource", ResourceId=own["FileSystemId"], Tags=[{"Key": "a", "Value": "b"}])
    lab.read(service, "ListTagsForResource", ResourceId=own["FileSystemId"])
    lab.call(service, "UntagResource", ResourceId=own["FileSystemId"], TagKeys=["a"])
    lab.call(service, "CreateTags", Tags=[{"Key": "c", "Value": "d"}], **own)
    lab.read(service, "DescribeTags", **own)
    lab.call(service, "DeleteTags", TagKeys=["c"], **own)
    lab.call(service, "DeleteMountTarget", **target)
    lab.wait("no mount target", lambda: not lab.call(service, "DescribeMountTargets", **own)["MountTargets"])
    lab.call(service, "DeleteFileSystem", **own)
    lab.refused("FileSystemNotFound", service, "DescribeFileSystems", FileSystemId="fs-0123456789abcdef0")


ALONE = """
Resources:
  FileSystem:
    Type: AWS::EFS::FileSystem
    DeletionPolicy: Retain
    Properties: {Encrypted: true}
"""


def adopted(lab):
    """A new stack imports a file system that exists, and leaves it when it goes."""
    made = lab.call("efs", "CreateFileSystem", CreationToken="judge-import", Encrypted=True)
    own = {"FileSystemId": made["FileSystemId"]}

    def system():
        return lab.call("efs", "DescribeFileSystems", **own)["FileSystems"][0]

    lab.wait("file system", lambda: system()["LifeCycleState"] == "available")
    one = {"ResourceType": "AWS::EFS::FileSystem", "LogicalResourceId": "FileSystem", "ResourceIdentifier": own}
    params = {"StackName": "judge-import", "ChangeSetName": "import", "ChangeSetType": "IMPORT", "TemplateBody": ALONE}
    lab.refused("ValidationError", "cloudformation", "CreateChangeSet", **params)
    lab.call("cloudformation", "CreateChangeSet", ResourcesToImport=[one], **params)
    change = lab.read("cloudformation", "DescribeChangeSet", StackName="judge-import", ChangeSetName="import")["Changes"][0]
    assert change["ResourceChange"]["Action"] == "Import", change
    assert change["ResourceChange"]["PhysicalResourceId"] == own["FileSystemId"], change
    lab.call("cloudformation", "ExecuteChangeSet", StackName="judge-import", ChangeSetName="import")

    def status():
        return lab.call("cloudformation", "DescribeStacks", StackName="judge-import")["Stacks"][0]["StackStatus"]

    lab.wait("imported stack", lambda: status() == "IMPORT_COMPLETE")
    found = lab.call("cloudformation", "DescribeStackResources", PhysicalResourceId=own["FileSystemId"])["StackResources"]
    assert found[0]["StackName"] == "judge-import", found
    lab.call("cloudformation", "DeleteStack", StackName="judge-import")

    def gone():
        stacks = lab.call("cloudformation", "ListStacks")["StackSummaries"]
        return any(s["StackName"] == "judge-import" and s["StackStatus"] == "DELETE_COMPLETE" for s in stacks)

    lab.wait("no imported stack", gone)
    assert system()["LifeCycleState"] == "available"
    lab.call("efs", "DeleteFileSystem", **own)


def secrets(lab, stack):
    service, mine = "secretsmanager", {"SecretId": stack["CredentialsSecret"]}
    value = json.loads(lab.read(service, "GetSecretValue", **mine)["SecretString"])
    assert sorted(value) == ["password", "username"], sorted(value)
    lab.read(service, "DescribeSecret", **mine)
    lab.read(service, "ListSecrets")
    lab.read(service, "GetRandomPassword", PasswordLength=20)
    made = lab.call(service, "CreateSecret", Name="judge", SecretString="x", Tags=[{"Key": "a", "Value": "b"}])
    lab.refused("ResourceExistsException", service, "CreateSecret", Name="judge", SecretString="x")
    own = {"SecretId": made["ARN"]}
    lab.call(service, "PutSecretValue", SecretString="y", **own)
    lab.call(service, "UpdateSecret", Description="judged", **own)
    lab.call(service, "TagResource", Tags=[{"Key": "c", "Value": "d"}], **own)
    lab.call(service, "UntagResource", TagKeys=["c"], **own)
    lab.call(service, "DeleteSecret", RecoveryWindowInDays=7, **own)
    lab.call(service, "RestoreSecret", **own)
    lab.call(service, "DeleteSecret", ForceDeleteWithoutRecovery=True, **own)
    lab.refused("ResourceNotFoundException", service, "GetSecretValue", SecretId="none")


def metrics(lab):
    service = "cloudwatch"
    dimensions = [{"Name": "Stack", "Value": "judge"}]
    datum = {"MetricName": "QmgrUp", "Dimensions": dimensions, "Value": 1.0, "Unit": "Count"}
    lab.call(service, "PutMetricData", Namespace="judge", MetricData=[datum])
    lab.read(service, "ListMetrics", Namespace="judge")
    window = {"StartTime": "2020-01-01T00:00:00Z", "EndTime": "2100-01-01T00:00:00Z"}
    metric = {"Namespace": "judge", "MetricName": "QmgrUp", "Dimensions": dimensions}
    lab.read(service, "GetMetricStatistics", Period=60, Statistics=["Maximum"], **metric, **window)
    query = {"Id": "m1", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Maximum"}}
    lab.read(service, "GetMetricData", MetricDataQueries=[query], **window)
    lab.call(service, "PutMetricAlarm", AlarmName="judge", ComparisonOperator="LessThanThreshold", EvaluationPeriods=1,
             Period=60, Statistic="Maximum", Threshold=1, **metric)  # fmt: skip
    lab.read(service, "DescribeAlarms", AlarmNames=["judge"])
    lab.read(service, "DescribeAlarms")
    lab.read(service, "DescribeAlarmsForMetric", MetricName="QmgrUp", Namespace="judge", Dimensions=dimensions)
    lab.call(service, "DeleteAlarms", AlarmNames=["judge"])


def iam(lab, stack):
    service, mine = "iam", {"RoleName": stack["resources"]["Role"]}
    profile = {"InstanceProfileName": stack["resources"]["InstanceProfile"]}
    lab.read(service, "GetRole", **mine)
    lab.read(service, "ListRoles")
    policies = lab.read(service, "ListRolePolicies", **mine)["PolicyNames"]
    lab.read(service, "GetRolePolicy", PolicyName=policies[0], **mine)
    lab.read(service, "ListAttachedRolePolicies", **mine)
    lab.read(service, "ListRoleTags", **mine)
    lab.read(service, "GetInstanceProfile", **profile)
    lab.read(service, "ListInstanceProfiles")
    lab.read(service, "ListInstanceProfilesForRole", **mine)

    own = {"RoleName": "judge"}
    lab.call(service, "CreateRole", AssumeRolePolicyDocument=json.dumps(TRUST), **own)
    lab.refused("EntityAlreadyExists", service, "CreateRole", AssumeRolePolicyDocument=json.dumps(TRUST), **own)
    lab.call(service, "PutRolePolicy", PolicyName="p", PolicyDocument=json.dumps(ALLOW), **own)
    managed = {"PolicyArn": "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore"}
    lab.call(service, "AttachRolePolicy", **managed, **own)
    lab.call(service, "DetachRolePolicy", **managed, **own)
    lab.call(service, "UpdateAssumeRolePolicy", PolicyDocument=json.dumps(TRUST), **own)
    lab.call(service, "UpdateRole", Description="judged", **own)
    lab.call(service, "TagRole", Tags=[{"Key": "a", "Value": "b"}], **own)
    lab.call(service, "UntagRole", TagKeys=["a"], **own)
    lab.call(service, "PutRolePermissionsBoundary", PermissionsBoundary=managed["PolicyArn"], **own)
    lab.call(service, "DeleteRolePermissionsBoundary", **own)
    profile = {"InstanceProfileName": "judge"}
    lab.call(service, "CreateInstanceProfile", **profile)
    lab.call(service, "AddRoleToInstanceProfile", **profile, **own)
    lab.refused("DeleteConflict", service, "DeleteRole", **own)
    lab.call(service, "RemoveRoleFromInstanceProfile", **profile, **own)
    lab.call(service, "DeleteInstanceProfile", **profile)
    account = lab.read("sts", "GetCallerIdentity")["Account"]
    role = f"arn:aws:iam::{account}:role/judge"
    anyone = json.loads(json.dumps(TRUST))
    anyone["Statement"][0]["Principal"] = {"AWS": f"arn:aws:iam::{account}:root"}
    lab.call(service, "UpdateAssumeRolePolicy", PolicyDocument=json.dumps(anyone), **own)
    session = lab.call("sts", "AssumeRole", RoleArn=role, RoleSessionName="judge")["Credentials"]
    boundary = lab.call(service, "CreatePolicy", PolicyName="judge", PolicyDocument=json.dumps(ALLOW))["Policy"]["Arn"]
    lab.read(service, "GetPolicy", PolicyArn=boundary)
    lab.read(service, "GetPolicyVersion", PolicyArn=boundary, VersionId="v1")
    lab.call(service, "PutRolePermissionsBoundary", PermissionsBoundary=boundary, **own)
    lab.refused("DeleteConflict", service, "DeletePolicy", PolicyArn=boundary)
    lab.call(service, "DeleteRolePermissionsBoundary", **own)
    lab.call(service, "DeletePolicy", PolicyArn=boundary)
    wrong = json.loads(json.dumps(ALLOW).replace('"Resource"', '"Condition": {"IpAddress": {"aws:SourceIp": "::1"}}, "Resource"'))
    lab.refused("MalformedPolicyDocument", service, "PutRolePolicy", PolicyName="q", PolicyDocument=json.dumps(wrong), **own)
    lab.call(service, "DeleteRolePolicy", PolicyName="p", **own)
    denied(lab, session)
    lab.call(service, "DeleteRole", **own)
    lab.refused("NoSuchEntity", service, "GetRole", **own)


def denied(lab, session):
    """What a role without policies is refused, in each protocol, as boto3 reads it."""
    keys = {"aws_access_key_id": session["AccessKeyId"], "aws_secret_access_key": session["SecretAccessKey"],
            "aws_session_token": session["SessionToken"]}  # fmt: skip
    config = Config(retries={"max_attempts": 1, "mode": "standard"})
    for service, operation, params, code, status in [
        ("ec2", "terminate_instances", {"InstanceIds": ["i-0123456789abcdef0"]}, "UnauthorizedOperation", 403),
        ("autoscaling", "describe_auto_scaling_groups", {}, "AccessDenied", 403),
        ("cloudformation", "signal_resource",
         {"StackName": "s", "LogicalResourceId": "r", "UniqueId": "u", "Status": "SUCCESS"}, "AccessDenied", 403),
        ("cloudwatch", "put_metric_data", {"Namespace": "n", "MetricData": []}, "AccessDenied", 403),
        ("efs", "describe_mount_targets", {"FileSystemId": "fs-01234567"}, "AccessDeniedException", 403),
        ("secretsmanager", "get_secret_value", {"SecretId": "s"}, "AccessDeniedException", 400),
        ("ssm", "get_parameter", {"Name": "/p"}, "AccessDeniedException", 400),
        ("iam", "list_roles", {}, "AccessDenied", 403),
    ]:  # fmt: skip
        client = boto3.client(service, config=config, **keys)
        try:
            getattr(client, operation)(**params)
            lab.judge.wrong.append(f"{service}: {operation} of a role without policies was not refused")
        except ClientError as error:
            found = error.response["Error"]
            told = error.response["ResponseMetadata"]["HTTPStatusCode"]
            if (found["Code"], told) != (code, status) or "is not authorized to perform: " not in found["Message"]:
                lab.judge.wrong.append(f"{service}: {operation} was refused with {found}, {told}")
    client = boto3.client("sts", config=config, **keys)
    assert client.get_caller_identity()["Arn"].endswith("assumed-role/judge/judge")
