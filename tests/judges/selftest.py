"""The judge must catch planted mistakes: a judge that accepts everything proves nothing."""

import botocore.session

import wire

MODELS = {}


def judge(service, protocol, operation, body):
    model = MODELS.setdefault(service, botocore.session.get_session().get_service_model(service))
    return wire.check_body(model.operation_model(operation), protocol, 200, body.encode())


META = "<ResponseMetadata><RequestId>r</RequestId></ResponseMetadata>"


def health(inner):
    result = f"<DescribeTargetHealthResult>{inner}</DescribeTargetHealthResult>"
    return f"<DescribeTargetHealthResponse>{result}{META}</DescribeTargetHealthResponse>"


def target(inner):
    return health(f"<TargetHealthDescriptions><member>{inner}</member></TargetHealthDescriptions>")


def vpc(inner):
    return f"<DescribeVpcsResponse><requestId>r</requestId>{inner}</DescribeVpcsResponse>"


def mount_target(**change):
    made = {"MountTargetId": "fsmt-1", "FileSystemId": "fs-1", "SubnetId": "subnet-1", "LifeCycleState": "available"}
    made.update(change)
    return str({k: v for k, v in made.items() if v is not None}).replace("'", '"').replace("True", "true")


CASES = [
    ("elbv2", "query", "DescribeTargetHealth", health("<TargetHealthDescriptions/>"), 0),
    ("elbv2", "query", "DescribeTargetHealth", target("<Target><Id>i</Id><Port>1</Port></Target>"), 0),
    ("elbv2", "query", "DescribeTargetHealth", target("<Target><Port>1</Port></Target>"), 1),
    ("elbv2", "query", "DescribeTargetHealth", target("<Target><Id>i</Id><Port>x</Port></Target>"), 1),
    ("elbv2", "query", "DescribeTargetHealth", target("<Target><Id>i</Id></Target><Surprise/>"), 1),
    ("elbv2", "query", "DescribeTargetHealth", target("<TargetHealth><State>fine</State></TargetHealth>"), 1),
    ("elbv2", "query", "DescribeTargetHealth", health("<TargetHealthDescriptions><item/></TargetHealthDescriptions>"), 1),
    ("elbv2", "query", "DescribeTargetHealth", f"<Wrong>{META}</Wrong>", 2),
    ("elbv2", "query", "DescribeTargetHealth", "not xml", 1),
    ("elbv2", "query", "DescribeTargetHealth", "<DescribeTargetHealthResponse/>", 2),
    ("ec2", "ec2", "DescribeVpcs", vpc("<vpcSet><item><isDefault>true</isDefault></item></vpcSet>"), 0),
    ("ec2", "ec2", "DescribeVpcs", vpc("<vpcSet><item><isDefault>1</isDefault></item></vpcSet>"), 1),
    ("ec2", "ec2", "DescribeVpcs", vpc("<vpcSet><item><state>up</state></item></vpcSet>"), 1),
    ("ec2", "ec2", "DescribeVpcs", vpc("<vpcSet><member/></vpcSet>"), 1),
    ("ec2", "ec2", "DescribeVpcs", vpc("<vpcs/>"), 1),
    ("efs", "rest-json", "CreateMountTarget", mount_target(), 0),
    ("efs", "rest-json", "CreateMountTarget", mount_target(SubnetId=None), 1),
    ("efs", "rest-json", "CreateMountTarget", mount_target(LifeCycleState="ready"), 1),
    ("efs", "rest-json", "CreateMountTarget", mount_target(Surprise="x"), 1),
    ("efs", "rest-json", "CreateMountTarget", mount_target(VpcId=7), 1),
    ("efs", "rest-json", "DeleteMountTarget", '{"x": 1}', 1),
    ("efs", "rest-json", "DeleteMountTarget", "", 0),
]

for service, protocol, operation, body, expected in CASES:
    found = judge(service, protocol, operation, body)
    assert len(found) == expected, f"{operation} {body}: expected {expected}, found {found}"
print(f"{len(CASES)} planted cases judged")
