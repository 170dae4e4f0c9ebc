//! From a type to its handlers, one row a type, and what holds for all types.

use super::{
    autoscaling, ec2, efs, elbv2, iam, launch_template, network, network_interface, others, security_group, ssm, volume,
};
use crate::cloudformation::context::{Attributes, Context, Failure};
use crate::cloudformation::schema;
use crate::cloudformation::state::Record;
use serde_json::Value;
use std::pin::Pin;

type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, Failure>> + Send + 'a>>;

/// What is done with resources of one type.
struct Handler {
    kind: &'static str,
    create: for<'a> fn(&'a Context, &'a Value) -> Answer<'a, Attributes>,
    update: for<'a> fn(&'a Context, &'a str, &'a Record, &'a Value) -> Answer<'a, Attributes>,
    delete: for<'a> fn(&'a Context, &'a str, &'a Value) -> Answer<'a, ()>,
}

/// The handlers, a row a type: what creates, updates and deletes. `delete` takes an action and the parameter that names the resource,
/// where that is all there is to it.
macro_rules! handlers {
    ($($kind:literal: $create:path, $update:path, $delete:path $(: $action:literal by $parameter:literal)?;)+) => {
        &[$(Handler {
            kind: $kind,
            create: |context, properties| Box::pin($create(context, properties)),
            update: |context, physical, old, properties| Box::pin($update(context, physical, old, properties)),
            delete: |context, physical, properties| {
                Box::pin($delete(context, $($action, $parameter,)? physical, properties))
            },
        }),+]
    };
}

const HANDLERS: &[Handler] = handlers! {
    "AWS::AutoScaling::AutoScalingGroup": autoscaling::create, autoscaling::update, autoscaling::delete;
    "AWS::CloudWatch::Alarm": others::create_alarm, others::update_alarm, others::delete_alarm;
    "AWS::EC2::InternetGateway":
        ec2::create_gateway, ec2::update_tags, ec2::delete: "DeleteInternetGateway" by "InternetGatewayId";
    "AWS::EC2::LaunchTemplate":
        launch_template::create, launch_template::update, ec2::delete: "DeleteLaunchTemplate" by "LaunchTemplateId";
    "AWS::EC2::NetworkInterface": network_interface::create, network_interface::update, network_interface::delete;
    "AWS::EC2::Route": network::create_route, network::update_route, network::delete_route;
    "AWS::EC2::RouteTable":
        network::create_route_table, ec2::update_tags, ec2::delete: "DeleteRouteTable" by "RouteTableId";
    "AWS::EC2::SecurityGroup":
        security_group::create, security_group::update, ec2::delete: "DeleteSecurityGroup" by "GroupId";
    "AWS::EC2::SecurityGroupEgress": security_group::create_rule, no_update, security_group::delete_rule;
    "AWS::EC2::SecurityGroupIngress": security_group::create_rule, no_update, security_group::delete_rule;
    "AWS::EC2::Subnet": ec2::create_subnet, ec2::update_subnet, ec2::delete: "DeleteSubnet" by "SubnetId";
    "AWS::EC2::SubnetRouteTableAssociation":
        network::create_association, no_update, ec2::delete: "DisassociateRouteTable" by "AssociationId";
    "AWS::EC2::VPC": ec2::create_vpc, ec2::update_vpc, ec2::delete: "DeleteVpc" by "VpcId";
    "AWS::EC2::VPCEndpoint": network::create_endpoint, network::update_endpoint, network::delete_endpoint;
    "AWS::EC2::VPCGatewayAttachment": ec2::create_attachment, ec2::update_attachment, ec2::delete_attachment;
    "AWS::EC2::Volume": volume::create, volume::update, volume::delete;
    "AWS::EFS::FileSystem": efs::create, efs::update, efs::delete;
    "AWS::EFS::MountTarget": efs::create_mount_target, efs::update_mount_target, efs::delete_mount_target;
    "AWS::ElasticLoadBalancingV2::Listener":
        elbv2::create_listener, elbv2::update_listener, elbv2::delete: "DeleteListener" by "ListenerArn";
    "AWS::ElasticLoadBalancingV2::LoadBalancer": elbv2::create_balancer, elbv2::update_balancer, elbv2::delete_balancer;
    "AWS::ElasticLoadBalancingV2::TargetGroup":
        elbv2::create_target_group, elbv2::update_target_group, elbv2::delete: "DeleteTargetGroup" by "TargetGroupArn";
    "AWS::IAM::InstanceProfile": iam::create_profile, iam::update_profile, iam::delete_profile;
    "AWS::IAM::Policy": iam::create_policy, iam::update_policy, iam::delete_policy;
    "AWS::IAM::Role": iam::create_role, iam::update_role, iam::delete_role;
    "AWS::SSM::Document": ssm::create_document, ssm::update_document, ssm::delete_document;
    "AWS::SSM::Parameter": ssm::create_parameter, ssm::update_parameter, ssm::delete_parameter;
    "AWS::SecretsManager::Secret": others::create_secret, others::update_secret, others::delete_secret;
};

/// The update of a type whose every property is one that replaces the resource.
async fn no_update(context: &Context, _: &str, _: &Record, _: &Value) -> Result<Attributes, Failure> {
    Err(Failure::new(format!(
        "Resource type {} does not support updates",
        context.kind
    )))
}

fn handler(context: &Context) -> Result<&'static Handler, Failure> {
    let kind = context.kind.as_str();
    let found = HANDLERS.iter().find(|handler| handler.kind == kind);
    found.ok_or_else(|| Failure::new(format!("Unrecognized resource type: {kind}")))
}

/// Creates a resource and waits until it is ready.
///
/// # Errors
/// The reason in CloudFormation's words.
pub(crate) async fn create(context: &Context, properties: &Value) -> Result<Attributes, Failure> {
    (handler(context)?.create)(context, properties).await
}

/// Updates a resource in place from its record to `properties`; the answered attributes replace those of the same name.
///
/// # Errors
/// The reason in CloudFormation's words.
pub(crate) async fn update(
    context: &Context,
    physical: &str,
    old: &Record,
    properties: &Value,
) -> Result<Attributes, Failure> {
    (handler(context)?.update)(context, physical, old, properties).await
}

/// Deletes a resource and waits until it is gone.
///
/// # Errors
/// The reason in CloudFormation's words; a resource that does not exist any more is a failure of code `NotFound`, which the
/// caller takes for success.
pub(crate) async fn delete(context: &Context, physical: &str, properties: &Value) -> Result<(), Failure> {
    (handler(context)?.delete)(context, physical, properties).await
}

/// Whether a type can be imported.
pub(crate) fn is_importable(kind: &str) -> bool {
    ["AWS::EC2::NetworkInterface", "AWS::EC2::Volume", "AWS::EFS::FileSystem"].contains(&kind)
}

/// Reads a resource that exists, for its import.
///
/// # Errors
/// The reason in CloudFormation's words; also when it does not exist, or is of a type that cannot be imported.
pub(crate) async fn read(context: &Context, physical: &str) -> Result<Attributes, Failure> {
    match context.kind.as_str() {
        "AWS::EC2::NetworkInterface" => network_interface::read(context, physical).await,
        "AWS::EC2::Volume" => volume::read(context, physical).await,
        "AWS::EFS::FileSystem" => efs::read(context, physical).await,
        kind => Err(Failure::new(format!("Resource type {kind} cannot be imported"))),
    }
}

/// Whether a type carries tags, and with them the stack's.
pub(crate) fn takes_tags(kind: &str) -> bool {
    kind == "AWS::EC2::LaunchTemplate"
        || schema::find(kind)
            .is_some_and(|s| s.properties.contains_key("Tags") || s.properties.contains_key("FileSystemTags"))
            && kind != "AWS::CloudWatch::Alarm"
}

/// Whether the step from `old` to `new` properties needs a new resource.
pub(crate) fn replaces(kind: &str, old: &Value, new: &Value) -> bool {
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
        "AWS::SSM::Document" if new["UpdateMethod"] != "NewVersion" => schema
            .conditional_create_only
            .iter()
            .any(|name| old.get(name) != new.get(name)),
        _ => false,
    }
}

/// The custom name that two versions of a replaced resource would share.
pub(crate) fn custom_name(kind: &str, old: &Value, new: &Value) -> Option<String> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_that_templates_may_name_has_one_row() {
        let rows: Vec<&str> = HANDLERS.iter().map(|handler| handler.kind).collect();
        let known: Vec<&str> = schema::kinds().collect();
        assert_eq!(rows, known);
    }
}
