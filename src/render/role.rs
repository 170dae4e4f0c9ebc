//! What an instance may do: statements that every topology needs, and the role that carries them.

use super::alarm::metrics_namespace;
use super::credentials::CREDENTIALS;
use super::parameters::{CERTIFICATE, only_if};
use super::tags::tags;
use crate::stack::STACK_TAG;
use crate::template::{Resource, Template, Value, list, object, reference, sub};

/// Allows actions on a resource.
pub(crate) fn statement(sid: &str, actions: &[&str], resource: Value, condition: Option<Value>) -> Value {
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
pub(crate) fn of_this_stack() -> Option<Value> {
    let key = format!("aws:ResourceTag/{}", STACK_TAG);
    Some(object! { "StringEquals" => object! { key => reference("AWS::StackName") } })
}

/// An ARN of the stack's partition.
pub(crate) fn arn(rest: &str) -> Value {
    sub(format!("arn:${{AWS::Partition}}:{rest}"))
}

/// Lets the agent read the application's user.
pub(crate) fn read_credentials() -> Value {
    statement(
        "ReadCredentials",
        &["secretsmanager:GetSecretValue"],
        reference(CREDENTIALS),
        None,
    )
}

/// Lets the agent put its metrics, and nobody else's: CloudWatch knows no resource, so each stack has a namespace of its own.
pub(crate) fn put_metrics() -> Value {
    statement(
        "PutMetrics",
        &["cloudwatch:PutMetricData"],
        "*".into(),
        Some(object! { "StringEquals" => object! { "cloudwatch:namespace" => metrics_namespace() } }),
    )
}

/// Allows to decrypt one secret with a key of the user's, through Secrets Manager alone.
fn decrypt(sid: &str, key: &str, secret: &str) -> Value {
    statement(
        sid,
        &["kms:Decrypt"],
        reference(key),
        Some(object! { "StringEquals" => object! {
            "kms:ViaService" => sub("secretsmanager.${AWS::Region}.${AWS::URLSuffix}"),
            "kms:EncryptionContext:SecretARN" => reference(secret),
        } }),
    )
}

/// Adds the role `Role` with what the agent needs, certificate and sessions beside it, and the profile `InstanceProfile`.
pub(crate) fn add(template: &mut Template, agent: Value) {
    // Policies of their own, since a condition makes them come and go.
    let certificate = list![statement(
        "ReadCertificate",
        &["secretsmanager:GetSecretValue"],
        reference(CERTIFICATE),
        None
    )];
    let credentials_key = list![decrypt("DecryptCredentials", "CredentialsKey", CREDENTIALS)];
    let certificate_key = list![decrypt("DecryptCertificate", "CertificateKey", CERTIFICATE)];
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
            only_if("HasCredentialsKey", policy("credentials-key", credentials_key)),
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
