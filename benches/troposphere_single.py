"""The template of topology `single`, built with troposphere: the other side of `scripts/bench-render`."""

import sys

from troposphere import Base64, Equals, GetAtt, If, Join, NoValue, Not, Output, Parameter, Ref, Split
from troposphere import StackName, Sub, Tags, Template
from troposphere import autoscaling, cloudwatch, ec2, efs, elasticloadbalancingv2, iam, policies, secretsmanager, ssm

# The regions of each partition that AWS publishes.
REGIONS = {
    "aws": "(us|eu|ap|sa|ca|me|af|il|mx)",
    "aws-cn": "cn",
    "aws-eusc": "eusc-de",
    "aws-iso": "us-iso",
    "aws-iso-b": "us-isob",
    "aws-iso-e": "eu-isoe",
    "aws-iso-f": "us-isof",
    "aws-us-gov": "us-gov",
}


def arns(service, resource):
    """Empty, or the ARN of a resource in a region of its partition."""
    places = "|".join(f"{partition}:{service}:{region}" for partition, region in REGIONS.items())
    return f"^$|^arn:({places})-[a-z]+-[0-9]{{1,2}}:[0-9]{{12}}:{resource}$"


template = Template()
template.set_version("2010-09-09")
template.set_description("mqaws single: one queue manager on EFS, in either of two zones, behind an NLB")
template.add_parameter(Parameter("VPC", Type="AWS::EC2::VPC::Id", Description="VPC of the queue manager"))
template.add_parameter(Parameter("Subnet1", Type="AWS::EC2::Subnet::Id", Description="Subnet in the first zone"))
template.add_parameter(Parameter("Subnet2", Type="AWS::EC2::Subnet::Id", Description="Subnet in the second zone"))
template.add_parameter(
    Parameter("AvailabilityZone1", Type="AWS::EC2::AvailabilityZone::Name", Description="The first zone")
)
template.add_parameter(
    Parameter(
        "AvailabilityZone2",
        Type="AWS::EC2::AvailabilityZone::Name",
        Description="The second zone, different from the first",
    )
)
template.add_parameter(
    Parameter(
        "QueueManagerName",
        Type="String",
        Description="Name of the queue manager",
        Default="QM1",
        AllowedPattern="^[A-Za-z0-9./_%]{1,48}$",
        ConstraintDescription="1 to 48 characters of A-Z a-z 0-9 . / _ %",
    )
)
template.add_parameter(
    Parameter("AMI", Type="AWS::EC2::Image::Id", Description="Image with the queue manager's software and the agent")
)
template.add_parameter(
    Parameter("KeyName", Type="String", Description="EC2 key pair for SSH; empty for none", Default="")
)
template.add_parameter(Parameter("InstanceType", Type="String", Description="EC2 instance type", Default="m6i.large"))
template.add_parameter(
    Parameter(
        "RootVolumeSize",
        Type="Number",
        Description="Size of the root volume in GiB",
        Default=20,
        MinValue=10,
        MaxValue=1024,
    )
)
template.add_parameter(
    Parameter(
        "RootDeviceName", Type="String", Description="Device name of the image's root volume", Default="/dev/xvda"
    )
)
template.add_parameter(
    Parameter(
        "ClientCidr",
        Type="String",
        Description="Range from which clients may connect",
        Default="10.0.0.0/8",
        AllowedPattern="^([0-9]{1,3}\\.){3}[0-9]{1,3}/([0-9]|[12][0-9]|3[0-2])$",
        ConstraintDescription="an address range such as 10.0.0.0/8",
    )
)
template.add_parameter(
    Parameter(
        "ClientCidr2",
        Type="String",
        Description="Range from which clients may connect",
        Default="172.16.0.0/12",
        AllowedPattern="^([0-9]{1,3}\\.){3}[0-9]{1,3}/([0-9]|[12][0-9]|3[0-2])$",
        ConstraintDescription="an address range such as 10.0.0.0/8",
    )
)
template.add_parameter(
    Parameter(
        "ClientCidr3",
        Type="String",
        Description="Range from which clients may connect",
        Default="192.168.0.0/16",
        AllowedPattern="^([0-9]{1,3}\\.){3}[0-9]{1,3}/([0-9]|[12][0-9]|3[0-2])$",
        ConstraintDescription="an address range such as 10.0.0.0/8",
    )
)
template.add_parameter(
    Parameter(
        "Scheme",
        Type="String",
        Description="Whether the load balancer is reachable from the internet",
        Default="internal",
        AllowedValues=["internal", "internet-facing"],
    )
)
template.add_parameter(
    Parameter(
        "Amqp",
        Type="String",
        Description="Whether AMQP 1.0 is served on port 5672",
        Default="true",
        AllowedValues=["true", "false"],
    )
)
template.add_parameter(
    Parameter(
        "IdleTimeout",
        Type="Number",
        Description="Seconds after which idle connections are dropped",
        Default=6000,
        MinValue=60,
        MaxValue=6000,
    )
)
template.add_parameter(
    Parameter(
        "ThroughputMode",
        Type="String",
        Description="EFS throughput mode",
        Default="elastic",
        AllowedValues=["elastic", "bursting", "provisioned"],
    )
)
template.add_parameter(
    Parameter(
        "ProvisionedThroughput",
        Type="Number",
        Description="MiB/s for ThroughputMode provisioned",
        Default=1,
        MinValue=1,
        MaxValue=3414,
    )
)
template.add_parameter(
    Parameter(
        "PerformanceMode",
        Type="String",
        Description="EFS performance mode; a change REPLACES the file system",
        Default="generalPurpose",
        AllowedValues=["generalPurpose", "maxIO"],
    )
)
template.add_parameter(
    Parameter(
        "Backup",
        Type="String",
        Description="Whether AWS Backup backs up the file system daily",
        Default="ENABLED",
        AllowedValues=["ENABLED", "DISABLED"],
    )
)
template.add_parameter(
    Parameter(
        "KmsKey",
        Type="String",
        Description="Key that encrypts the file system; empty for the account's own; a change REPLACES it",
        Default="",
    )
)
template.add_parameter(
    Parameter(
        "UserName",
        Type="String",
        Description="Name of the application's user",
        Default="mqapp",
        AllowedPattern="^[a-z][a-z0-9_-]{0,11}$",
        ConstraintDescription="a lower-case letter followed by up to 11 lower-case letters, digits, _ and -, and neither mqm nor root",
    )
)
template.add_parameter(
    Parameter(
        "CredentialsKey",
        Type="String",
        Description="ARN of your own KMS key that encrypts the user's secret; empty for the account's own",
        Default="",
        AllowedPattern=arns("kms", "key/[A-Za-z0-9-]+"),
        ConstraintDescription="arn:PARTITION:kms:REGION:ACCOUNT:key/ID",
    )
)
template.add_parameter(
    Parameter(
        "Certificate",
        Type="String",
        Description="ARN of the secret with the certificate for clients; empty for unencrypted connections",
        Default="",
        AllowedPattern=arns("secretsmanager", "secret:[A-Za-z0-9/_+=.@-]+-[A-Za-z0-9]{6}"),
        ConstraintDescription="arn:PARTITION:secretsmanager:REGION:ACCOUNT:secret:NAME-SUFFIX",
    )
)
template.add_parameter(
    Parameter(
        "CertificateKey",
        Type="String",
        Description="ARN of your own KMS key that encrypts the certificate's secret; empty for the account's own",
        Default="",
        AllowedPattern=arns("kms", "key/[A-Za-z0-9-]+"),
        ConstraintDescription="arn:PARTITION:kms:REGION:ACCOUNT:key/ID",
    )
)
template.add_parameter(
    Parameter(
        "PermissionsBoundary",
        Type="String",
        Description="ARN of the permissions boundary of the instance's role; empty for none",
        Default="",
    )
)
template.add_parameter(
    Parameter(
        "AlarmTopic", Type="String", Description="ARN of the SNS topic for alarms; empty for none", Default=""
    )
)
template.add_parameter(
    Parameter(
        "AllowFaults",
        Type="String",
        Description="Whether failover tests may inject faults",
        Default="false",
        AllowedValues=["false", "true"],
    )
)
template.add_rule(
    "ZonesDiffer",
    {
        "Assertions": [
            {
                "Assert": {"Fn::Not": [{"Fn::Equals": [{"Ref": "AvailabilityZone1"}, {"Ref": "AvailabilityZone2"}]}]},
                "AssertDescription": "AvailabilityZone1 and AvailabilityZone2 must be two different zones",
            }
        ]
    },
)
template.add_rule(
    "SubnetsFit",
    {
        "Assertions": [
            {
                "Assert": {
                    "Fn::EachMemberIn": [
                        [{"Ref": "AvailabilityZone1"}, {"Ref": "AvailabilityZone2"}],
                        {"Fn::ValueOfAll": ["AWS::EC2::Subnet::Id", "AvailabilityZone"]},
                    ]
                },
                "AssertDescription": "Subnet1 and Subnet2 must be in AvailabilityZone1 and AvailabilityZone2",
            },
            {
                "Assert": {
                    "Fn::EachMemberEquals": [{"Fn::ValueOfAll": ["AWS::EC2::Subnet::Id", "VpcId"]}, {"Ref": "VPC"}]
                },
                "AssertDescription": "Subnet1 and Subnet2 must be in VPC",
            },
        ]
    },
)
template.add_rule(
    "ModesFit",
    {
        "RuleCondition": {"Fn::Equals": [{"Ref": "ThroughputMode"}, "elastic"]},
        "Assertions": [
            {
                "Assert": {"Fn::Not": [{"Fn::Equals": [{"Ref": "PerformanceMode"}, "maxIO"]}]},
                "AssertDescription": "PerformanceMode maxIO cannot be combined with ThroughputMode elastic",
            }
        ],
    },
)
template.add_condition("HasKeyName", Not(Equals(Ref("KeyName"), "")))
template.add_condition("HasKmsKey", Not(Equals(Ref("KmsKey"), "")))
template.add_condition("HasCredentialsKey", Not(Equals(Ref("CredentialsKey"), "")))
template.add_condition("HasCertificate", Not(Equals(Ref("Certificate"), "")))
template.add_condition("HasCertificateKey", Not(Equals(Ref("CertificateKey"), "")))
template.add_condition("HasPermissionsBoundary", Not(Equals(Ref("PermissionsBoundary"), "")))
template.add_condition("HasAlarmTopic", Not(Equals(Ref("AlarmTopic"), "")))
template.add_condition("HasProvisionedThroughput", Equals(Ref("ThroughputMode"), "provisioned"))
template.add_condition("HasAmqp", Equals(Ref("Amqp"), "true"))
template.add_condition("HasFaultsAllowed", Equals(Ref("AllowFaults"), "true"))
template.add_resource(
    ec2.SecurityGroup(
        "LoadBalancerSecurityGroup",
        GroupDescription="Load balancer: admits clients",
        VpcId=Ref("VPC"),
        SecurityGroupIngress=[
            {
                "Description": "MQ clients",
                "IpProtocol": "tcp",
                "FromPort": 1414,
                "ToPort": 1414,
                "CidrIp": Ref("ClientCidr"),
            },
            If(
                "HasAmqp",
                {
                    "Description": "AMQP clients",
                    "IpProtocol": "tcp",
                    "FromPort": 5672,
                    "ToPort": 5672,
                    "CidrIp": Ref("ClientCidr"),
                },
                NoValue,
            ),
            {
                "Description": "MQ clients",
                "IpProtocol": "tcp",
                "FromPort": 1414,
                "ToPort": 1414,
                "CidrIp": Ref("ClientCidr2"),
            },
            If(
                "HasAmqp",
                {
                    "Description": "AMQP clients",
                    "IpProtocol": "tcp",
                    "FromPort": 5672,
                    "ToPort": 5672,
                    "CidrIp": Ref("ClientCidr2"),
                },
                NoValue,
            ),
            {
                "Description": "MQ clients",
                "IpProtocol": "tcp",
                "FromPort": 1414,
                "ToPort": 1414,
                "CidrIp": Ref("ClientCidr3"),
            },
            If(
                "HasAmqp",
                {
                    "Description": "AMQP clients",
                    "IpProtocol": "tcp",
                    "FromPort": 5672,
                    "ToPort": 5672,
                    "CidrIp": Ref("ClientCidr3"),
                },
                NoValue,
            ),
        ],
        SecurityGroupEgress=[
            {
                "Description": "Targets, MQ",
                "IpProtocol": "tcp",
                "FromPort": 1414,
                "ToPort": 1414,
                "CidrIp": "0.0.0.0/0",
            },
            If(
                "HasAmqp",
                {
                    "Description": "Targets, AMQP",
                    "IpProtocol": "tcp",
                    "FromPort": 5672,
                    "ToPort": 5672,
                    "CidrIp": "0.0.0.0/0",
                },
                NoValue,
            ),
        ],
        Tags=[{"Key": "Name", "Value": StackName}, {"Key": "mqaws:stack", "Value": StackName}],
    )
)
template.add_resource(
    ec2.SecurityGroup(
        "InstanceSecurityGroup",
        GroupDescription="Instance: admits the load balancer",
        VpcId=Ref("VPC"),
        SecurityGroupIngress=[
            {
                "Description": "Load balancer, MQ",
                "IpProtocol": "tcp",
                "FromPort": 1414,
                "ToPort": 1414,
                "SourceSecurityGroupId": GetAtt("LoadBalancerSecurityGroup", "GroupId"),
            },
            If(
                "HasAmqp",
                {
                    "Description": "Load balancer, AMQP",
                    "IpProtocol": "tcp",
                    "FromPort": 5672,
                    "ToPort": 5672,
                    "SourceSecurityGroupId": GetAtt("LoadBalancerSecurityGroup", "GroupId"),
                },
                NoValue,
            ),
        ],
        Tags=[{"Key": "Name", "Value": StackName}, {"Key": "mqaws:stack", "Value": StackName}],
    )
)
template.add_resource(
    ec2.SecurityGroup(
        "FileSystemSecurityGroup",
        GroupDescription="File system: admits the instance",
        VpcId=Ref("VPC"),
        SecurityGroupIngress=[
            {
                "Description": "Instance, NFS",
                "IpProtocol": "tcp",
                "FromPort": 2049,
                "ToPort": 2049,
                "SourceSecurityGroupId": GetAtt("InstanceSecurityGroup", "GroupId"),
            }
        ],
        SecurityGroupEgress=[{"Description": "None", "IpProtocol": "-1", "CidrIp": "127.0.0.1/32"}],
        Tags=[{"Key": "Name", "Value": StackName}, {"Key": "mqaws:stack", "Value": StackName}],
    )
)
template.add_resource(
    efs.FileSystem(
        "FileSystem",
        Encrypted=True,
        KmsKeyId=If("HasKmsKey", Ref("KmsKey"), NoValue),
        PerformanceMode=Ref("PerformanceMode"),
        ThroughputMode=Ref("ThroughputMode"),
        ProvisionedThroughputInMibps=If("HasProvisionedThroughput", Ref("ProvisionedThroughput"), NoValue),
        BackupPolicy=efs.BackupPolicy(Status=Ref("Backup")),
        FileSystemPolicy={
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Sid": "InstanceThroughMountTarget",
                    "Effect": "Allow",
                    "Principal": {"AWS": GetAtt("Role", "Arn")},
                    "Action": [
                        "elasticfilesystem:ClientMount",
                        "elasticfilesystem:ClientWrite",
                        "elasticfilesystem:ClientRootAccess",
                    ],
                    "Condition": {"Bool": {"elasticfilesystem:AccessedViaMountTarget": "true"}},
                },
                {
                    "Sid": "TlsOnly",
                    "Effect": "Deny",
                    "Principal": {"AWS": "*"},
                    "Action": "*",
                    "Condition": {"Bool": {"aws:SecureTransport": "false"}},
                },
            ],
        },
        FileSystemTags=Tags({"Name": StackName, "mqaws:stack": StackName})
        + Tags({"mqaws:queue-manager": Join(":", Split("%", Ref("QueueManagerName")))})
        + Tags({"mqaws:create": Join(":", Split("%", Ref("QueueManagerName")))}),
        DeletionPolicy="RetainExceptOnCreate",
        UpdateReplacePolicy="Retain",
    )
)
template.add_resource(
    efs.MountTarget(
        "MountTarget1",
        FileSystemId=Ref("FileSystem"),
        SubnetId=Ref("Subnet1"),
        SecurityGroups=[GetAtt("FileSystemSecurityGroup", "GroupId")],
    )
)
template.add_resource(
    efs.MountTarget(
        "MountTarget2",
        FileSystemId=Ref("FileSystem"),
        SubnetId=Ref("Subnet2"),
        SecurityGroups=[GetAtt("FileSystemSecurityGroup", "GroupId")],
    )
)
template.add_resource(
    secretsmanager.Secret(
        "Credentials",
        Description=Sub("Application user of queue manager ${QueueManagerName}"),
        GenerateSecretString=secretsmanager.GenerateSecretString(
            SecretStringTemplate=Sub('{"username":"${UserName}"}'),
            GenerateStringKey="password",
            PasswordLength=32,
            ExcludePunctuation=True,
        ),
        KmsKeyId=If("HasCredentialsKey", Ref("CredentialsKey"), NoValue),
        Tags=[{"Key": "Name", "Value": StackName}, {"Key": "mqaws:stack", "Value": StackName}],
        DeletionPolicy="Delete",
        UpdateReplacePolicy="Delete",
    )
)
template.add_resource(
    iam.Role(
        "Role",
        Description=Sub("Instance of queue manager ${QueueManagerName} in stack ${AWS::StackName}"),
        AssumeRolePolicyDocument={
            "Version": "2012-10-17",
            "Statement": [
                {"Effect": "Allow", "Principal": {"Service": Sub("ec2.${AWS::URLSuffix}")}, "Action": "sts:AssumeRole"}
            ],
        },
        PermissionsBoundary=If("HasPermissionsBoundary", Ref("PermissionsBoundary"), NoValue),
        Policies=[
            iam.Policy(
                PolicyName="agent",
                PolicyDocument={
                    "Version": "2012-10-17",
                    "Statement": [
                        {
                            "Sid": "Look",
                            "Effect": "Allow",
                            "Action": [
                                "autoscaling:DescribeAutoScalingInstances",
                                "ec2:DescribeInstances",
                            ],
                            "Resource": "*",
                        },
                        {
                            "Sid": "CondemnAndDrain",
                            "Effect": "Allow",
                            "Action": [
                                "autoscaling:CompleteLifecycleAction",
                                "autoscaling:SetInstanceHealth",
                            ],
                            "Resource": Sub(
                                "arn:${AWS::Partition}:autoscaling:${AWS::Region}:${AWS::AccountId}:autoScalingGroup:*:autoScalingGroupName/*"
                            ),
                            "Condition": {"StringEquals": {"aws:ResourceTag/mqaws:stack": StackName}},
                        },
                        {
                            "Sid": "EndPreviousOwner",
                            "Effect": "Allow",
                            "Action": ["ec2:TerminateInstances"],
                            "Resource": Sub("arn:${AWS::Partition}:ec2:${AWS::Region}:${AWS::AccountId}:instance/*"),
                            "Condition": {"StringEquals": {"aws:ResourceTag/mqaws:stack": StackName}},
                        },
                        {
                            "Sid": "Signal",
                            "Effect": "Allow",
                            "Action": ["cloudformation:SignalResource"],
                            "Resource": Sub(
                                "arn:${AWS::Partition}:cloudformation:${AWS::Region}:${AWS::AccountId}:stack/${AWS::StackName}/*"
                            ),
                        },
                        {
                            "Sid": "UseFileSystem",
                            "Effect": "Allow",
                            "Action": [
                                "elasticfilesystem:DescribeMountTargets",
                                "elasticfilesystem:ListTagsForResource",
                                "elasticfilesystem:TagResource",
                            ],
                            "Resource": Sub(
                                "arn:${AWS::Partition}:elasticfilesystem:${AWS::Region}:${AWS::AccountId}:file-system/*"
                            ),
                            "Condition": {
                                "StringEquals": {"aws:ResourceTag/mqaws:stack": StackName},
                                "ForAllValues:StringEquals": {"aws:TagKeys": ["mqaws:created"]},
                            },
                        },
                        {
                            "Sid": "ReadCredentials",
                            "Effect": "Allow",
                            "Action": ["secretsmanager:GetSecretValue"],
                            "Resource": Ref("Credentials"),
                        },
                        {
                            "Sid": "PutMetrics",
                            "Effect": "Allow",
                            "Action": ["cloudwatch:PutMetricData"],
                            "Resource": "*",
                            "Condition": {"StringEquals": {"cloudwatch:namespace": Sub("mqaws/${AWS::StackName}")}},
                        },
                    ],
                },
            ),
            iam.Policy(
                PolicyName="session",
                PolicyDocument={
                    "Version": "2012-10-17",
                    "Statement": [
                        {
                            "Sid": "SessionManagerAndRunCommand",
                            "Effect": "Allow",
                            "Action": [
                                "ec2messages:AcknowledgeMessage",
                                "ec2messages:DeleteMessage",
                                "ec2messages:FailMessage",
                                "ec2messages:GetEndpoint",
                                "ec2messages:GetMessages",
                                "ec2messages:SendReply",
                                "ssm:UpdateInstanceInformation",
                                "ssmmessages:CreateControlChannel",
                                "ssmmessages:CreateDataChannel",
                                "ssmmessages:OpenControlChannel",
                                "ssmmessages:OpenDataChannel",
                            ],
                            "Resource": "*",
                        }
                    ],
                },
            ),
            If(
                "HasCredentialsKey",
                iam.Policy(
                    PolicyName="credentials-key",
                    PolicyDocument={
                        "Version": "2012-10-17",
                        "Statement": [
                            {
                                "Sid": "DecryptCredentials",
                                "Effect": "Allow",
                                "Action": ["kms:Decrypt"],
                                "Resource": Ref("CredentialsKey"),
                                "Condition": {
                                    "StringEquals": {
                                        "kms:ViaService": Sub("secretsmanager.${AWS::Region}.${AWS::URLSuffix}"),
                                        "kms:EncryptionContext:SecretARN": Ref("Credentials"),
                                    }
                                },
                            }
                        ],
                    },
                ),
                NoValue,
            ),
            If(
                "HasCertificate",
                iam.Policy(
                    PolicyName="certificate",
                    PolicyDocument={
                        "Version": "2012-10-17",
                        "Statement": [
                            {
                                "Sid": "ReadCertificate",
                                "Effect": "Allow",
                                "Action": ["secretsmanager:GetSecretValue"],
                                "Resource": Ref("Certificate"),
                            }
                        ],
                    },
                ),
                NoValue,
            ),
            If(
                "HasCertificateKey",
                iam.Policy(
                    PolicyName="certificate-key",
                    PolicyDocument={
                        "Version": "2012-10-17",
                        "Statement": [
                            {
                                "Sid": "DecryptCertificate",
                                "Effect": "Allow",
                                "Action": ["kms:Decrypt"],
                                "Resource": Ref("CertificateKey"),
                                "Condition": {
                                    "StringEquals": {
                                        "kms:ViaService": Sub("secretsmanager.${AWS::Region}.${AWS::URLSuffix}"),
                                        "kms:EncryptionContext:SecretARN": Ref("Certificate"),
                                    }
                                },
                            }
                        ],
                    },
                ),
                NoValue,
            ),
        ],
        Tags=[{"Key": "Name", "Value": StackName}, {"Key": "mqaws:stack", "Value": StackName}],
    )
)
template.add_resource(iam.InstanceProfile("InstanceProfile", Roles=[Ref("Role")]))
template.add_resource(
    elasticloadbalancingv2.LoadBalancer(
        "LoadBalancer",
        Type="network",
        Scheme=Ref("Scheme"),
        Subnets=[Ref("Subnet1"), Ref("Subnet2")],
        SecurityGroups=[GetAtt("LoadBalancerSecurityGroup", "GroupId")],
        LoadBalancerAttributes=[
            elasticloadbalancingv2.LoadBalancerAttributes(Key="load_balancing.cross_zone.enabled", Value="true")
        ],
        Tags=[{"Key": "Name", "Value": StackName}, {"Key": "mqaws:stack", "Value": StackName}],
    )
)
template.add_resource(
    elasticloadbalancingv2.TargetGroup(
        "TargetGroup",
        Protocol="TCP",
        Port=1414,
        TargetType="instance",
        VpcId=Ref("VPC"),
        HealthCheckProtocol="TCP",
        HealthCheckPort="traffic-port",
        HealthCheckIntervalSeconds=5,
        HealthCheckTimeoutSeconds=2,
        HealthyThresholdCount=2,
        UnhealthyThresholdCount=2,
        TargetGroupAttributes=[
            elasticloadbalancingv2.TargetGroupAttribute(Key="deregistration_delay.timeout_seconds", Value="5"),
            elasticloadbalancingv2.TargetGroupAttribute(
                Key="deregistration_delay.connection_termination.enabled", Value="true"
            ),
            elasticloadbalancingv2.TargetGroupAttribute(
                Key="target_health_state.unhealthy.connection_termination.enabled", Value="true"
            ),
            elasticloadbalancingv2.TargetGroupAttribute(Key="preserve_client_ip.enabled", Value="true"),
        ],
        Tags=[{"Key": "Name", "Value": StackName}, {"Key": "mqaws:stack", "Value": StackName}],
    )
)
template.add_resource(
    elasticloadbalancingv2.Listener(
        "Listener",
        LoadBalancerArn=Ref("LoadBalancer"),
        Protocol="TCP",
        Port=1414,
        DefaultActions=[elasticloadbalancingv2.Action(Type="forward", TargetGroupArn=Ref("TargetGroup"))],
        ListenerAttributes=[
            elasticloadbalancingv2.ListenerAttribute(Key="tcp.idle_timeout.seconds", Value=Ref("IdleTimeout"))
        ],
    )
)
template.add_resource(
    elasticloadbalancingv2.TargetGroup(
        "AmqpTargetGroup",
        Protocol="TCP",
        Port=5672,
        TargetType="instance",
        VpcId=Ref("VPC"),
        HealthCheckProtocol="TCP",
        HealthCheckPort="traffic-port",
        HealthCheckIntervalSeconds=5,
        HealthCheckTimeoutSeconds=2,
        HealthyThresholdCount=2,
        UnhealthyThresholdCount=2,
        TargetGroupAttributes=[
            elasticloadbalancingv2.TargetGroupAttribute(Key="deregistration_delay.timeout_seconds", Value="5"),
            elasticloadbalancingv2.TargetGroupAttribute(
                Key="deregistration_delay.connection_termination.enabled", Value="true"
            ),
            elasticloadbalancingv2.TargetGroupAttribute(
                Key="target_health_state.unhealthy.connection_termination.enabled", Value="true"
            ),
            elasticloadbalancingv2.TargetGroupAttribute(Key="preserve_client_ip.enabled", Value="true"),
        ],
        Tags=[{"Key": "Name", "Value": StackName}, {"Key": "mqaws:stack", "Value": StackName}],
        Condition="HasAmqp",
    )
)
template.add_resource(
    elasticloadbalancingv2.Listener(
        "AmqpListener",
        LoadBalancerArn=Ref("LoadBalancer"),
        Protocol="TCP",
        Port=5672,
        DefaultActions=[elasticloadbalancingv2.Action(Type="forward", TargetGroupArn=Ref("AmqpTargetGroup"))],
        ListenerAttributes=[
            elasticloadbalancingv2.ListenerAttribute(Key="tcp.idle_timeout.seconds", Value=Ref("IdleTimeout"))
        ],
        Condition="HasAmqp",
    )
)
template.add_resource(
    ec2.LaunchTemplate(
        "LaunchTemplate",
        TagSpecifications=[
            ec2.TagSpecifications(
                ResourceType="launch-template",
                Tags=[{"Key": "Name", "Value": StackName}, {"Key": "mqaws:stack", "Value": StackName}],
            )
        ],
        LaunchTemplateData=ec2.LaunchTemplateData(
            ImageId=Ref("AMI"),
            InstanceType=Ref("InstanceType"),
            KeyName=If("HasKeyName", Ref("KeyName"), NoValue),
            IamInstanceProfile=ec2.IamInstanceProfile(Arn=GetAtt("InstanceProfile", "Arn")),
            SecurityGroupIds=[GetAtt("InstanceSecurityGroup", "GroupId")],
            MetadataOptions=ec2.MetadataOptions(
                HttpEndpoint="enabled", HttpTokens="required", HttpPutResponseHopLimit=1, InstanceMetadataTags="enabled"
            ),
            BlockDeviceMappings=[
                ec2.LaunchTemplateBlockDeviceMapping(
                    DeviceName=Ref("RootDeviceName"),
                    Ebs=ec2.EBSBlockDevice(
                        Encrypted=True, VolumeType="gp3", VolumeSize=Ref("RootVolumeSize"), DeleteOnTermination=True
                    ),
                )
            ],
            TagSpecifications=[
                ec2.TagSpecifications(
                    ResourceType="volume",
                    Tags=[{"Key": "Name", "Value": StackName}, {"Key": "mqaws:stack", "Value": StackName}],
                )
            ],
            UserData=Base64(
                Sub(
                    '#cloud-config\nwrite_files:\n  - path: /etc/mqaws/agent.json\n    owner: root:root\n    permissions: "0600"\n    content: |\n      {\n        "schema": "mqaws.agent/1",\n        "stack": "${AWS::StackName}",\n        "region": "${AWS::Region}",\n        "group": "Group",\n        "hook": "mqaws-terminating",\n        "queue_manager": "${QueueManagerName}",\n        "topology": "single",\n        "engine": {\n          "kind": "ibm-mq",\n          "bin_dir": "/opt/mqm/bin"\n        },\n        "storage": {\n          "file_system": "${FileSystem}",\n          "mount": "/mnt/mqaws"\n        },\n        "credentials": "${Credentials}",\n        "user": "${UserName}",\n        "certificate": "${Certificate}",\n        "mq_port": 1414,\n        "metrics_namespace": "mqaws/${AWS::StackName}",\n        "amqp_port": ${AmqpPort}\n      }\nruncmd:\n  - [systemctl, enable, --now, mqaws-agent.service]\n',
                    {"AmqpPort": If("HasAmqp", "5672", "null")},
                )
            ),
        ),
    )
)
template.add_resource(
    autoscaling.AutoScalingGroup(
        "Group",
        MinSize="0",
        MaxSize="1",
        DesiredCapacity="1",
        VPCZoneIdentifier=[Ref("Subnet1"), Ref("Subnet2")],
        LaunchTemplate=autoscaling.LaunchTemplateSpecification(
            LaunchTemplateId=Ref("LaunchTemplate"), Version=GetAtt("LaunchTemplate", "LatestVersionNumber")
        ),
        TargetGroupARNs=[Ref("TargetGroup"), If("HasAmqp", Ref("AmqpTargetGroup"), NoValue)],
        HealthCheckType="EC2",
        HealthCheckGracePeriod=0,
        DefaultInstanceWarmup=0,
        InstanceMaintenancePolicy=autoscaling.InstanceMaintenancePolicy(
            MinHealthyPercentage=0, MaxHealthyPercentage=100
        ),
        LifecycleHookSpecificationList=[
            autoscaling.LifecycleHookSpecification(
                LifecycleHookName="mqaws-terminating",
                LifecycleTransition="autoscaling:EC2_INSTANCE_TERMINATING",
                HeartbeatTimeout=60,
                DefaultResult="CONTINUE",
            )
        ],
        MetricsCollection=[autoscaling.MetricsCollection(Granularity="1Minute")],
        Tags=[
            {"Key": "Name", "Value": StackName, "PropagateAtLaunch": True},
            {"Key": "mqaws:stack", "Value": StackName, "PropagateAtLaunch": True},
            If("HasFaultsAllowed", {"Key": "mqaws:allow-faults", "Value": "true", "PropagateAtLaunch": True}, NoValue),
        ],
        CreationPolicy=policies.CreationPolicy(ResourceSignal=policies.ResourceSignal(Count=1, Timeout="PT15M")),
        DependsOn=["MountTarget1", "MountTarget2", "Listener"],
        UpdatePolicy=policies.UpdatePolicy(
            AutoScalingRollingUpdate=policies.AutoScalingRollingUpdate(
                MaxBatchSize=1,
                MinInstancesInService=0,
                WaitOnResourceSignals=True,
                PauseTime="PT15M",
                SuspendProcesses=[
                    "HealthCheck",
                    "ReplaceUnhealthy",
                    "AZRebalance",
                    "AlarmNotification",
                    "ScheduledActions",
                ],
            )
        ),
    )
)
template.add_resource(
    cloudwatch.Alarm(
        "OutageAlarm",
        AlarmDescription="The load balancer has no healthy targets: clients cannot connect",
        Namespace="AWS/NetworkELB",
        MetricName="HealthyHostCount",
        Dimensions=[
            cloudwatch.MetricDimension(Name="LoadBalancer", Value=GetAtt("LoadBalancer", "LoadBalancerFullName")),
            cloudwatch.MetricDimension(Name="TargetGroup", Value=GetAtt("TargetGroup", "TargetGroupFullName")),
        ],
        Statistic="Maximum",
        Period=60,
        EvaluationPeriods=3,
        ComparisonOperator="LessThanThreshold",
        Threshold=1,
        TreatMissingData="breaching",
        AlarmActions=If("HasAlarmTopic", [Ref("AlarmTopic")], NoValue),
        OKActions=If("HasAlarmTopic", [Ref("AlarmTopic")], NoValue),
    )
)
template.add_resource(
    cloudwatch.Alarm(
        "OverlapAlarm",
        AlarmDescription="The group has had more than one instance for 10 minutes: an old one does not terminate",
        Namespace="AWS/AutoScaling",
        MetricName="GroupTotalInstances",
        Dimensions=[cloudwatch.MetricDimension(Name="AutoScalingGroupName", Value=Ref("Group"))],
        Statistic="Maximum",
        Period=60,
        EvaluationPeriods=10,
        ComparisonOperator="GreaterThanThreshold",
        Threshold=1,
        TreatMissingData="notBreaching",
        AlarmActions=If("HasAlarmTopic", [Ref("AlarmTopic")], NoValue),
        OKActions=If("HasAlarmTopic", [Ref("AlarmTopic")], NoValue),
    )
)
template.add_resource(
    cloudwatch.Alarm(
        "TwoEnginesAlarm",
        AlarmDescription="More than one instance reports a running queue manager",
        Namespace=Sub("mqaws/${AWS::StackName}"),
        MetricName="EngineRunning",
        Dimensions=[cloudwatch.MetricDimension(Name="Stack", Value=StackName)],
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=3,
        ComparisonOperator="GreaterThanThreshold",
        Threshold=1,
        TreatMissingData="notBreaching",
        AlarmActions=If("HasAlarmTopic", [Ref("AlarmTopic")], NoValue),
        OKActions=If("HasAlarmTopic", [Ref("AlarmTopic")], NoValue),
    )
)
template.add_resource(
    cloudwatch.Alarm(
        "FenceAlarm",
        AlarmDescription="An instance does not start the queue manager: it waits for EC2, an operator, or a newer image",
        Namespace=Sub("mqaws/${AWS::StackName}"),
        MetricName="FenceAlarm",
        Dimensions=[cloudwatch.MetricDimension(Name="Stack", Value=StackName)],
        Statistic="Maximum",
        Period=60,
        EvaluationPeriods=1,
        ComparisonOperator="GreaterThanThreshold",
        Threshold=0,
        TreatMissingData="notBreaching",
        AlarmActions=If("HasAlarmTopic", [Ref("AlarmTopic")], NoValue),
        OKActions=If("HasAlarmTopic", [Ref("AlarmTopic")], NoValue),
    )
)
template.add_resource(
    cloudwatch.Alarm(
        "CertificateAlarm",
        Condition="HasCertificate",
        AlarmDescription="The certificate expires in less than 14 days: store a new one in its secret",
        Namespace=Sub("mqaws/${AWS::StackName}"),
        MetricName="CertificateDays",
        Dimensions=[cloudwatch.MetricDimension(Name="Stack", Value=StackName)],
        Statistic="Minimum",
        Period=60,
        EvaluationPeriods=3,
        ComparisonOperator="LessThanThreshold",
        Threshold=14,
        TreatMissingData="notBreaching",
        AlarmActions=If("HasAlarmTopic", [Ref("AlarmTopic")], NoValue),
        OKActions=If("HasAlarmTopic", [Ref("AlarmTopic")], NoValue),
    )
)
WORD, NUMBER = "^[A-Za-z0-9._:-]{1,64}$", "^[0-9]{1,19}$"
PAGE = "printf '%s\\n' \"$answer\" | tail -n +'{{ FromLine }}' | tail -c +'{{ FromByte }}' | head -c 20000"


def parameter(pattern, **more):
    return {"type": "String", **more, "allowedPattern": pattern}


def argument(default="none", pattern=WORD):
    return parameter(pattern, default=default)


DOCUMENTS = {
    "read": (
        "Reads status, phase marks, depth of the test queues, connections, and fence; read-only",
        {
            "status": "answer=$(mqaws-agent status --json)",
            "marks": "answer=$(mqaws-agent marks --since '{{ Since }}')",
            "depth": "answer=$(mqaws-agent probe depth)",
            "connections": "answer=$(mqaws-agent connections)",
            "fence": "answer=$(mqaws-agent fence --json)",
        },
        {
            "Since": argument("0", NUMBER),
            "FromLine": parameter(NUMBER, default="1"),
            "FromByte": parameter(NUMBER, default="1"),
        },
        ["esac || exit", PAGE],
    ),
    "test": (
        "Injects faults; defines and deletes the queues of a failover test",
        {
            "fault": "mqaws-agent fault '{{ Fault }}'",
            "define": "mqaws-agent probe define",
            "delete": "mqaws-agent probe delete",
        },
        {"Fault": argument()},
        ["esac"],
    ),
    "operate": (
        "Pauses and resumes the queue manager, and moves it to the standby",
        {
            "pause": "mqaws-agent pause",
            "resume": "mqaws-agent resume",
            "failover": "mqaws-agent failover",
            "failover-unready": "mqaws-agent failover --unready",
        },
        {},
        ["esac"],
    ),
    "fence": (
        "Decides that a previous owner is gone, or that a copied or empty file system may be used",
        {
            "operator": "mqaws-agent fence operator '{{ PreviousOwner }}'",
            "copy": "mqaws-agent fence copy '{{ FileSystem }}'",
            "create": "mqaws-agent fence create '{{ FileSystem }}'",
        },
        {"PreviousOwner": argument(), "FileSystem": argument()},
        ["esac"],
    ),
}
for name, (words, verbs, arguments, end) in DOCUMENTS.items():
    command = parameter(WORD, allowedValues=list(verbs))
    content = {
        "schemaVersion": "2.2",
        "description": words,
        "parameters": {"Command": command, **arguments},
        "mainSteps": [
            {
                "action": "aws:runShellScript",
                "name": name,
                "precondition": {"StringEquals": ["platformType", "Linux"]},
                "inputs": {
                    "timeoutSeconds": "60",
                    "runCommand": [
                        "case '{{ Command }}' in",
                        *(f"{verb}) {line} ;;" for verb, line in verbs.items()),
                        "*) exit 2 ;;",
                        *end,
                    ],
                },
            }
        ],
    }
    document = ssm.Document(
        f"{name.title()}Document",
        DocumentType="Command",
        TargetType="/AWS::EC2::Instance",
        UpdateMethod="NewVersion",
        Content=content,
        Tags=Tags(**{"Name": StackName, "mqaws:stack": StackName}),
    )
    if name == "test":
        document.Condition = "HasFaultsAllowed"
    template.add_resource(document)
template.add_output(
    Output("Endpoint", Description="DNS name of the load balancer", Value=GetAtt("LoadBalancer", "DNSName"))
)
template.add_output(
    Output("MqEndpoint", Description="CONNAME of MQ clients", Value=Sub("${LoadBalancer.DNSName}(1414)"))
)
template.add_output(
    Output(
        "AmqpEndpoint",
        Description="Address of AMQP clients",
        Condition="HasAmqp",
        Value=Sub("${LoadBalancer.DNSName}:5672"),
    )
)
template.add_output(Output("FileSystemId", Description="File system with the data", Value=Ref("FileSystem")))
template.add_output(Output("GroupName", Description="Auto Scaling group", Value=Ref("Group")))
template.add_output(Output("LoadBalancerArn", Description="Load balancer", Value=Ref("LoadBalancer")))
template.add_output(Output("TargetGroupArn", Description="Targets of port 1414", Value=Ref("TargetGroup")))
template.add_output(
    Output("AmqpTargetGroupArn", Description="Targets of port 5672", Condition="HasAmqp", Value=Ref("AmqpTargetGroup"))
)
template.add_output(
    Output("CredentialsSecret", Description="Secret with the application's user", Value=Ref("Credentials"))
)
template.add_output(
    Output(
        "CertificateSecret",
        Description="Secret with the certificate",
        Condition="HasCertificate",
        Value=Ref("Certificate"),
    )
)
template.add_output(Output("QueueManagerName", Description="Queue manager", Value=Ref("QueueManagerName")))
for name in DOCUMENTS:
    title = f"{name.title()}Document"
    output = Output(title, Description=f"Document of Systems Manager: {name}", Value=Ref(title))
    if name == "test":
        output.Condition = "HasFaultsAllowed"
    template.add_output(output)
print(template.to_json() if "--json" in sys.argv else template.to_yaml())
