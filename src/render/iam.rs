//! What the instance may do: its role, with one statement for each need, and the profile that carries it.

use super::entry::{names, tags};
use super::parameters::only_if;
use crate::stack::STACK_TAG;
use crate::template::{Resource, Template, Value, list, object, reference, sub};

fn statement(sid: &str, actions: &[&str], resource: Value, condition: Option<Value>) -> Value {
    let mut entries = indexmap::IndexMap::from([
        ("Sid".to_owned(), sid.into()),
        ("Effect".to_owned(), "Allow".into()),
        ("Action".to_owned(), Value::from(actions.to_vec())),
        ("Resource".to_owned(), resource),
    ]);
    if let Some(condition) = condition {
        entries.insert("Condition".to_owned(), condition);
    }
    Value::Map(entries)
}

/// Only what carries this stack's own tag: names are not known before the resources exist.
fn of_this_stack() -> Option<Value> {
    let key = format!("aws:ResourceTag/{}", STACK_TAG);
    Some(object! { "StringEquals" => object! { key => reference("AWS::StackName") } })
}

fn arn(rest: &str) -> Value {
    sub(format!("arn:${{AWS::Partition}}:{rest}"))
}

/// Adds the role and the instance profile.
pub(super) fn add(template: &mut Template) {
    let agent = list![
        // These actions know no resources.
        statement(
            "Look",
            &["autoscaling:DescribeAutoScalingInstances", "ec2:DescribeInstances"],
            "*".into(),
            None,
        ),
        statement(
            "CondemnAndDrain",
            &["autoscaling:CompleteLifecycleAction", "autoscaling:SetInstanceHealth",],
            arn("autoscaling:${AWS::Region}:${AWS::AccountId}:autoScalingGroup:*:autoScalingGroupName/*"),
            of_this_stack(),
        ),
        statement(
            "EndPreviousOwner",
            &["ec2:TerminateInstances"],
            arn("ec2:${AWS::Region}:${AWS::AccountId}:instance/*"),
            of_this_stack(),
        ),
        statement(
            "Signal",
            &["cloudformation:SignalResource"],
            // Not `AWS::StackId`: a policy that changes with the stack's id could not be compared between stacks.
            arn("cloudformation:${AWS::Region}:${AWS::AccountId}:stack/${AWS::StackName}/*"),
            None,
        ),
        // Mounting itself is allowed by the file system's own policy, to this role alone.
        statement(
            "FindMountTargets",
            &["elasticfilesystem:DescribeMountTargets"],
            arn("elasticfilesystem:${AWS::Region}:${AWS::AccountId}:file-system/*"),
            of_this_stack(),
        ),
        statement(
            "ReadCredentials",
            &["secretsmanager:GetSecretValue"],
            reference(names::CREDENTIALS),
            None
        ),
        statement(
            "PutMetrics",
            &["cloudwatch:PutMetricData"],
            "*".into(),
            Some(object! { "StringEquals" => object! { "cloudwatch:namespace" => "mqaws" } }),
        ),
    ];
    // Policies of their own, since a condition makes them come and go.
    let certificate = list![statement(
        "ReadCertificate",
        &["secretsmanager:GetSecretValue"],
        reference(names::CERTIFICATE),
        None
    )];
    let certificate_key = list![statement(
        "DecryptCertificate",
        &["kms:Decrypt"],
        reference("CertificateKey"),
        Some(object! { "StringEquals" => object! {
            "kms:ViaService" => sub("secretsmanager.${AWS::Region}.${AWS::URLSuffix}"),
            "kms:EncryptionContext:SecretARN" => reference(names::CERTIFICATE),
        } }),
    )];
    // Session Manager and Run Command, without the managed policy, which reads every SSM parameter.
    let session = list![statement(
        "SessionManagerAndRunCommand",
        &[
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
        "*".into(),
        None,
    )];
    let policy = |name: &str, statements: Value| {
        object! {
            "PolicyName" => name,
            "PolicyDocument" => object! { "Version" => "2012-10-17", "Statement" => statements },
        }
    };
    let role = object! {
        "Description" => sub("Instance of queue manager ${QueueManagerName} in stack ${AWS::StackName}"),
        "AssumeRolePolicyDocument" => object! {
            "Version" => "2012-10-17",
            "Statement" => list![object! {
                "Effect" => "Allow",
                "Principal" => object! { "Service" => sub("ec2.${AWS::URLSuffix}") },
                "Action" => "sts:AssumeRole",
            }],
        },
        "PermissionsBoundary" => only_if("HasPermissionsBoundary", reference("PermissionsBoundary")),
        "Policies" => list![
            policy("agent", agent),
            policy("session", session),
            only_if("HasCertificate", policy("certificate", certificate)),
            only_if("HasCertificateKey", policy("certificate-key", certificate_key)),
        ],
        "Tags" => tags(),
    };
    template
        .resources
        .insert("Role".to_owned(), Resource::new("AWS::IAM::Role", role));
    let profile = object! { "Roles" => list![reference("Role")] };
    template.resources.insert(
        "InstanceProfile".to_owned(),
        Resource::new("AWS::IAM::InstanceProfile", profile),
    );
}
