#!/usr/bin/env python3
"""Writes what the local cloud knows about CloudFormation's resource types, from the schemas that cfn-lint bundles.

Usage: resource-types.py [FILE]    default: crates/lab/src/cloudformation/schemas/resource-types.json
       resource-types.py --check   compares instead of writing; exit 1 when they differ

Needs cfn-lint 1.51.0. One line per type. Kept: properties with type, enumeration, required and number limits; create-only
and read-only properties; attributes of Fn::GetAtt. Left out: descriptions, patterns, formats.
"""

import json
import pathlib
import sys

from cfnlint.schema.manager import ProviderSchemaManager

REGION = "eu-west-1"
TYPES = """
AWS::AutoScaling::AutoScalingGroup AWS::CloudWatch::Alarm
AWS::EC2::InternetGateway AWS::EC2::LaunchTemplate AWS::EC2::NetworkInterface AWS::EC2::Route AWS::EC2::RouteTable AWS::EC2::SecurityGroup
AWS::EC2::SecurityGroupEgress AWS::EC2::SecurityGroupIngress AWS::EC2::Subnet AWS::EC2::SubnetRouteTableAssociation
AWS::EC2::VPC AWS::EC2::VPCEndpoint AWS::EC2::VPCGatewayAttachment AWS::EC2::Volume
AWS::EFS::FileSystem AWS::EFS::MountTarget
AWS::ElasticLoadBalancingV2::Listener AWS::ElasticLoadBalancingV2::LoadBalancer AWS::ElasticLoadBalancingV2::TargetGroup
AWS::IAM::InstanceProfile AWS::IAM::Policy AWS::IAM::Role
AWS::SSM::Document AWS::SSM::Parameter AWS::SecretsManager::Secret
""".split()
KEPT = {
    "type": "type", "enum": "enum", "required": "required", "minimum": "min", "maximum": "max",
    "minItems": "minItems", "maxItems": "maxItems", "minLength": "minLength", "maxLength": "maxLength",
}


def node(schema):
    """One property, reduced to what is checked."""
    out = {}
    if "$ref" in schema:
        out["ref"] = schema["$ref"].rsplit("/", 1)[-1]
    for key, name in KEPT.items():
        if key in schema:
            out[name] = schema[key]
    if "properties" in schema:
        out["properties"] = {k: node(v) for k, v in sorted(schema["properties"].items())}
        if schema.get("additionalProperties", False) is not False:
            out["open"] = True
    if "items" in schema:
        out["items"] = node(schema["items"])
    return out


def references(tree, into):
    """Names of the definitions that a reduced schema uses."""
    if isinstance(tree, dict):
        if isinstance(tree.get("ref"), str):
            into.add(tree["ref"])
        for value in tree.values():
            references(value, into)
    return into


def names(schema, key):
    """Property names of a list of JSON pointers, top level only."""
    pointers = (p.removeprefix("/properties/") for p in schema.get(key) or [])
    return sorted(p for p in pointers if "/" not in p)


def describe(manager, name):
    """Everything kept about one type."""
    loaded = manager.get_resource_schema(REGION, name)
    schema = loaded.schema
    body = node(schema)
    definitions = {}
    pending = references(body, set())
    while pending:
        wanted = pending.pop()
        if wanted not in definitions:
            definitions[wanted] = node(schema["definitions"][wanted])
            pending |= references(definitions[wanted], set())
    attributes = sorted(a for a in loaded.get_atts if "/" not in a and "*" not in a)
    return {
        "properties": body.get("properties", {}),
        "required": sorted(schema.get("required", [])),
        "definitions": dict(sorted(definitions.items())),
        "createOnly": names(schema, "createOnlyProperties"),
        "conditionalCreateOnly": names(schema, "conditionalCreateOnlyProperties"),
        "readOnly": names(schema, "readOnlyProperties"),
        "attributes": attributes,
        "identifier": names(schema, "primaryIdentifier"),
    }


def main(arguments):
    """Writes or compares."""
    check = "--check" in arguments
    rest = [a for a in arguments if a != "--check"]
    root = pathlib.Path(__file__).resolve().parent.parent
    target = pathlib.Path(rest[0]) if rest else root / "crates/lab/src/cloudformation/schemas/resource-types.json"
    manager = ProviderSchemaManager()
    lines = [f"{json.dumps(t)}:{json.dumps(describe(manager, t), separators=(',', ':'))}" for t in sorted(TYPES)]
    text = "{\n" + ",\n".join(lines) + "\n}\n"
    if check:
        if target.read_text(encoding="utf-8") != text:
            print(f"{target} differs from cfn-lint's schemas: run scripts/resource-types.py", file=sys.stderr)
            return 1
        return 0
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
