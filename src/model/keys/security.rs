//! Keys of `credentials`, `tls`, `security` and `alarms`.

use super::key::{Flag, Key, Parameter, Pattern};
use super::kind::{Kind, Rule};
use crate::model::{KeyArn, PolicyArn, RoleArn, SecretArn, ServerName, TopicArn, UserName};

pub(super) const KEYS: &[Key] = &[
    Key::new(
        "credentials.username",
        Kind::Text(Rule::of::<UserName>()),
        "Name of the user; default `{default}`.",
    )
    .default("mqapp")
    .comment("")
    .page(
        "The application's user, an account on the instance: up to 12 lowercase letters, digits, `_`, and `-`. Its \
         password is generated and stored in Secrets Manager.",
    )
    .parameter(
        // Without look-ahead, which not every checker of templates knows.
        Parameter::new("UserName", "Name of the application's user")
            .pattern(Pattern::Own("^[a-z][a-z0-9_-]{0,11}$")),
    ),
    Key::new(
        "credentials.kms_key",
        Kind::Text(Rule::of::<KeyArn>()),
        "Your KMS key that encrypts the user's secret; default: the account's own key for Secrets Manager.",
    )
    .otherwise("none: the account's own key")
    .comment("Your KMS key that encrypts the user's secret")
    .example("arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab")
    .page(
        "ARN of your KMS key that encrypts the user's secret; the instance's role is allowed to decrypt the secret with it, and \
         users who run `failover-test` must be allowed to. The key policy must enable IAM policies.",
    )
    .parameter(
        Parameter::new(
            "CredentialsKey",
            "ARN of your own KMS key that encrypts the user's secret; empty for the account's own",
        )
        .pattern(Pattern::OfRule),
    ),
    Key::new(
        "tls.certificate",
        Kind::Text(Rule::of::<SecretArn>()),
        "Your own secret with the certificate and its key; default: none, and connections are not encrypted.",
    )
    .otherwise("none: connections are not encrypted")
    .comment("Secret with the certificate and its key; docs/hosts.md shows how to create it")
    .example("arn:aws:secretsmanager:eu-west-1:123456789012:secret:mq-certificate-AbCdEf")
    .page(
        "ARN of your own secret in Secrets Manager with the certificate that is presented to clients, in the deployment's region. \
         [hosts](hosts.md#tls) shows how to create it.",
    )
    .parameter(
        Parameter::new(
            "Certificate",
            "ARN of the secret with the certificate for clients; empty for unencrypted connections",
        )
        .pattern(Pattern::OfRule),
    ),
    Key::new(
        "tls.kms_key",
        Kind::Text(Rule::of::<KeyArn>()),
        "Your KMS key that encrypts the certificate's secret; default: the account's own key for Secrets Manager, which requires no \
         additional permissions.",
    )
    .otherwise("none: the account's own key")
    .comment("Your KMS key that encrypts the certificate's secret")
    .example("arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab")
    .page(
        "ARN of your KMS key that encrypts the certificate's secret; the instance's role is allowed to decrypt the secret with it. The \
         key policy must enable IAM policies.",
    )
    .parameter(
        Parameter::new(
            "CertificateKey",
            "ARN of your own KMS key that encrypts the certificate's secret; empty for the account's own",
        )
        .pattern(Pattern::OfRule),
    ),
    Key::new(
        "tls.server_name",
        Kind::Text(Rule::of::<ServerName>()),
        "Name in the certificate, for the clients of the failover test; default: the endpoint's own.",
    )
    .otherwise("the endpoint's host")
    .comment("Name in the certificate, for the failover test's clients")
    .example("mq.example.com")
    .page("Name in the certificate, for the clients of `mqaws failover-test`."),
    Key::new(
        "security.permissions_boundary",
        Kind::Text(Rule::of::<PolicyArn>()),
        "Permissions boundary of the instance's role.",
    )
    .comment("Permissions boundary of the instance's role")
    .example("arn:aws:iam::123456789012:policy/boundary")
    .page(
        "ARN of the permissions boundary of the instance's role. It must allow the role's actions, \
         including `elasticfilesystem:Client*`.",
    )
    .parameter(Parameter::new(
        "PermissionsBoundary",
        "ARN of the permissions boundary of the instance's role; empty for none",
    )),
    Key::new(
        "security.cloudformation_role",
        Kind::Text(Rule::of::<RoleArn>()),
        "Role that CloudFormation assumes; default: the caller's own permissions.",
    )
    .otherwise("your own permissions")
    .comment("Role that CloudFormation assumes")
    .example("arn:aws:iam::123456789012:role/cloudformation")
    .page("ARN of the role that CloudFormation assumes."),
    Key::new(
        "security.allow_faults",
        Kind::Boolean,
        "Whether failover tests may inject faults into this deployment.",
    )
    .default("false")
    .comment("Whether `mqaws failover-test` may inject faults")
    .page("Allows `mqaws failover-test` to inject faults, by the tag `mqaws:allow-faults`.")
    .flag(Flag::new("allow-faults", "", "Allow failover tests to inject faults"))
    .parameter(Parameter::new("AllowFaults", "Whether failover tests may inject faults")),
    Key::new(
        "alarms.topic",
        Kind::Text(Rule::of::<TopicArn>()),
        "SNS topic for alarms; default: none, alarms are only displayed.",
    )
    .comment("SNS topic for alarms")
    .example("arn:aws:sns:eu-west-1:123456789012:operations")
    .page("ARN of the SNS topic for alarms. Without it, alarms are only displayed.")
    .parameter(Parameter::new(
        "AlarmTopic",
        "ARN of the SNS topic for alarms; empty for none",
    )),
];
