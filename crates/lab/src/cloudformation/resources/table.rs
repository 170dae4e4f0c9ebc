//! From a type to its handler, and what holds for all types.

use super::{autoscaling, ec2, efs, elbv2, iam, launch_template, network, others, security_group};
use crate::cloudformation::context::{Attributes, Context, Failure};
use crate::cloudformation::schema;
use crate::cloudformation::state::Record;
use serde_json::Value;

/// Creates a resource and waits until it is ready.
///
/// # Errors
/// The reason in CloudFormation's words.
pub async fn create(context: &Context, properties: &Value) -> Result<Attributes, Failure> {
    match context.kind.as_str() {
        "AWS::AutoScaling::AutoScalingGroup" => autoscaling::create(context, properties).await,
        "AWS::CloudWatch::Alarm" => others::create_alarm(context, properties).await,
        "AWS::EC2::InternetGateway" => ec2::create_gateway(context, properties).await,
        "AWS::EC2::LaunchTemplate" => launch_template::create(context, properties).await,
        "AWS::EC2::Route" => network::create_route(context, properties).await,
        "AWS::EC2::RouteTable" => network::create_route_table(context, properties).await,
        "AWS::EC2::SecurityGroup" => security_group::create(context, properties).await,
        "AWS::EC2::SecurityGroupEgress" | "AWS::EC2::SecurityGroupIngress" => {
            security_group::create_rule(context, properties).await
        }
        "AWS::EC2::Subnet" => ec2::create_subnet(context, properties).await,
        "AWS::EC2::SubnetRouteTableAssociation" => network::create_association(context, properties).await,
        "AWS::EC2::VPC" => ec2::create_vpc(context, properties).await,
        "AWS::EC2::VPCEndpoint" => network::create_endpoint(context, properties).await,
        "AWS::EC2::VPCGatewayAttachment" => ec2::create_attachment(context, properties).await,
        "AWS::EFS::FileSystem" => efs::create(context, properties).await,
        "AWS::EFS::MountTarget" => efs::create_mount_target(context, properties).await,
        "AWS::ElasticLoadBalancingV2::Listener" => elbv2::create_listener(context, properties).await,
        "AWS::ElasticLoadBalancingV2::LoadBalancer" => elbv2::create_balancer(context, properties).await,
        "AWS::ElasticLoadBalancingV2::TargetGroup" => elbv2::create_target_group(context, properties).await,
        "AWS::IAM::InstanceProfile" => iam::create_profile(context, properties).await,
        "AWS::IAM::Policy" => iam::create_policy(context, properties).await,
        "AWS::IAM::Role" => iam::create_role(context, properties).await,
        "AWS::SSM::Parameter" => others::create_parameter(context, properties).await,
        "AWS::SecretsManager::Secret" => others::create_secret(context, properties).await,
        other => Err(Failure::new(format!("Unrecognized resource type: {other}"))),
    }
}

/// Updates a resource in place from its record to `properties`; the answered attributes replace those of the same name.
///
/// # Errors
/// The reason in CloudFormation's words.
pub async fn update(
    context: &Context,
    physical: &str,
    old: &Record,
    properties: &Value,
) -> Result<Attributes, Failure> {
    match context.kind.as_str() {
        "AWS::AutoScaling::AutoScalingGroup" => {
            autoscaling::update(context, physical, &old.properties, properties).await
        }
        "AWS::CloudWatch::Alarm" => others::put_alarm(context, physical, properties).await,
        "AWS::EC2::LaunchTemplate" => launch_template::update(context, physical, &old.properties, properties).await,
        "AWS::EC2::Route" => network::update_route(context, properties).await,
        "AWS::EC2::SecurityGroup" => security_group::update(context, physical, old, properties).await,
        "AWS::EC2::Subnet" => ec2::update_subnet(context, physical, old, properties).await,
        "AWS::EC2::VPC" => ec2::update_vpc(context, physical, old, properties).await,
        "AWS::EC2::VPCEndpoint" => network::update_endpoint(context, physical, old, properties).await,
        "AWS::EC2::InternetGateway" | "AWS::EC2::RouteTable" => {
            ec2::update_tags(context, physical, old, properties).await
        }
        "AWS::EC2::VPCGatewayAttachment" => ec2::update_attachment(context, &old.properties, properties).await,
        "AWS::EFS::FileSystem" => efs::update(context, physical, old, properties).await,
        "AWS::EFS::MountTarget" => efs::update_mount_target(context, physical, properties).await,
        "AWS::ElasticLoadBalancingV2::Listener" => elbv2::update_listener(context, physical, properties).await,
        "AWS::ElasticLoadBalancingV2::LoadBalancer" => elbv2::update_balancer(context, physical, old, properties).await,
        "AWS::ElasticLoadBalancingV2::TargetGroup" => {
            elbv2::update_target_group(context, physical, old, properties).await
        }
        "AWS::IAM::InstanceProfile" => iam::update_profile(context, physical, &old.properties, properties).await,
        "AWS::IAM::Policy" => iam::update_policy(context, &old.properties, properties).await,
        "AWS::IAM::Role" => iam::update_role(context, physical, old, properties).await,
        "AWS::SSM::Parameter" => others::update_parameter(context, properties).await,
        "AWS::SecretsManager::Secret" => others::update_secret(context, physical, old, properties).await,
        other => Err(Failure::new(format!("Resource type {other} does not support updates"))),
    }
}

/// Deletes a resource and waits until it is gone.
///
/// # Errors
/// The reason in CloudFormation's words; a resource that does not exist any more is a failure of code `NotFound`, which the
/// caller takes for success.
pub async fn delete(context: &Context, physical: &str, properties: &Value) -> Result<(), Failure> {
    match context.kind.as_str() {
        "AWS::AutoScaling::AutoScalingGroup" => autoscaling::delete(context, physical).await,
        "AWS::CloudWatch::Alarm" => others::delete_alarm(context, physical).await,
        "AWS::EC2::InternetGateway" => {
            ec2::delete(context, "DeleteInternetGateway", "InternetGatewayId", physical).await
        }
        "AWS::EC2::LaunchTemplate" => ec2::delete(context, "DeleteLaunchTemplate", "LaunchTemplateId", physical).await,
        "AWS::EC2::Route" => network::delete_route(context, properties).await,
        "AWS::EC2::RouteTable" => ec2::delete(context, "DeleteRouteTable", "RouteTableId", physical).await,
        "AWS::EC2::SecurityGroup" => ec2::delete(context, "DeleteSecurityGroup", "GroupId", physical).await,
        "AWS::EC2::SecurityGroupEgress" | "AWS::EC2::SecurityGroupIngress" => {
            security_group::delete_rule(context, properties).await
        }
        "AWS::EC2::Subnet" => ec2::delete(context, "DeleteSubnet", "SubnetId", physical).await,
        "AWS::EC2::SubnetRouteTableAssociation" => {
            ec2::delete(context, "DisassociateRouteTable", "AssociationId", physical).await
        }
        "AWS::EC2::VPC" => ec2::delete(context, "DeleteVpc", "VpcId", physical).await,
        "AWS::EC2::VPCEndpoint" => network::delete_endpoint(context, physical).await,
        "AWS::EC2::VPCGatewayAttachment" => ec2::delete_attachment(context, properties).await,
        "AWS::EFS::FileSystem" => efs::delete(context, physical).await,
        "AWS::EFS::MountTarget" => efs::delete_mount_target(context, physical).await,
        "AWS::ElasticLoadBalancingV2::Listener" => {
            elbv2::delete(context, "DeleteListener", "ListenerArn", physical).await
        }
        "AWS::ElasticLoadBalancingV2::LoadBalancer" => elbv2::delete_balancer(context, physical).await,
        "AWS::ElasticLoadBalancingV2::TargetGroup" => {
            elbv2::delete(context, "DeleteTargetGroup", "TargetGroupArn", physical).await
        }
        "AWS::IAM::InstanceProfile" => iam::delete_profile(context, physical, properties).await,
        "AWS::IAM::Policy" => iam::delete_policy(context, properties).await,
        "AWS::IAM::Role" => iam::delete_role(context, physical, properties).await,
        "AWS::SSM::Parameter" => others::delete_parameter(context, physical).await,
        "AWS::SecretsManager::Secret" => others::delete_secret(context, physical).await,
        other => Err(Failure::new(format!("Unrecognized resource type: {other}"))),
    }
}

/// Whether a type carries tags, and with them the stack's.
pub fn takes_tags(kind: &str) -> bool {
    kind == "AWS::EC2::LaunchTemplate"
        || schema::find(kind)
            .is_some_and(|s| s.properties.contains_key("Tags") || s.properties.contains_key("FileSystemTags"))
            && kind != "AWS::CloudWatch::Alarm"
}

/// Whether the step from `old` to `new` properties needs a new resource.
pub fn replaces(kind: &str, old: &Value, new: &Value) -> bool {
    let Some(schema) = schema::find(kind) else {
        return false;
    };
    if schema.create_only.iter().any(|name| old.get(name) != new.get(name)) {
        return true;
    }
    match kind {
        // A tenancy can only be relaxed in place.
        "AWS::EC2::VPC" => {
            old.get("InstanceTenancy") != new.get("InstanceTenancy") && new["InstanceTenancy"] != "default"
        }
        _ => false,
    }
}

/// The custom name that two versions of a replaced resource would share.
pub fn custom_name(kind: &str, old: &Value, new: &Value) -> Option<String> {
    const NAMES: &[&str] = &[
        "RoleName",
        "InstanceProfileName",
        "AutoScalingGroupName",
        "LaunchTemplateName",
        "GroupName",
        "AlarmName",
        "Name",
    ];
    let schema = schema::find(kind)?;
    NAMES
        .iter()
        .filter(|name| schema.create_only.contains(**name))
        .find_map(|name| match (old.get(name), new.get(name)) {
            (Some(Value::String(a)), Some(Value::String(b))) if a == b => Some(a.clone()),
            _ => None,
        })
}

/// The members of `properties` with these names.
pub(super) fn chosen(properties: &Value, names: &[&str]) -> serde_json::Map<String, Value> {
    names
        .iter()
        .filter_map(|name| properties.get(name).map(|v| ((*name).to_owned(), v.clone())))
        .collect()
}

/// A policy document as text: templates hold it as a structure or as text.
pub(super) fn document(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The text at a path of an answer.
///
/// # Errors
/// A failure that names the path: the service broke its contract.
pub(super) fn answer(value: &Value, pointer: &str) -> Result<String, Failure> {
    match value.pointer(pointer) {
        Some(Value::String(text)) => Ok(text.clone()),
        Some(Value::Number(number)) => Ok(number.to_string()),
        _ => Err(Failure::new(format!(
            "Internal Failure: the service answered without {pointer}"
        ))),
    }
}
