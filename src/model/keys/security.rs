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
        "The application's user, an account on the instance: up to 12 lower-case letters, digits, `_` and `-`. Its \
         password is generated and stays in Secrets Manager.",
    )
    .parameter(
        // Without look-ahead, which not every checker of templates knows.
        Parameter::new("UserName", "Name of the application's user")
            .pattern(Pattern::Own("^[a-z][a-z0-9_-]{0,11}$")),
    ),
    Key::new(
        "credentials.kms_key",
        Kind::Text(Rule::of::<KeyArn>()),
        "KMS key of yours that encrypts the user's secret; default: the account's own key for Secrets Manager.",
    )
    .otherwise("none: the account's own key")
    .comment("KMS key of yours that encrypts the user's secret")
    .example("arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab")
    .page(
        "ARN of your KMS key that encrypts the user's secret; the instance's role may then decrypt that secret with it, and \
         whoever runs `failover-test` must be allowed to. The key's own policy must let IAM policies count.",
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
        "Your own secret with the certificate and its key; default: none, and connections are plain.",
    )
    .otherwise("none: connections are plain")
    .comment("Secret with the certificate and its key: docs/hosts.md has the commands that make it")
    .example("arn:aws:secretsmanager:eu-west-1:123456789012:secret:mq-certificate-AbCdEf")
    .page(
        "ARN of your own secret in Secrets Manager with the certificate that clients see, in the deployment's region. \
         [hosts](hosts.md#tls) has the commands that make it.",
    )
    .parameter(
        Parameter::new(
            "Certificate",
            "ARN of the secret with the certificate that clients see; empty for plain connections",
        )
        .pattern(Pattern::OfRule),
    ),
    Key::new(
        "tls.kms_key",
        Kind::Text(Rule::of::<KeyArn>()),
        "KMS key of yours that encrypts that secret; default: the account's own key for Secrets Manager, which needs no \
         leave.",
    )
    .otherwise("none: the account's own key")
    .comment("KMS key of yours that encrypts that secret")
    .example("arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab")
    .page(
        "ARN of your KMS key that encrypts that secret; the instance's role may then decrypt that secret with it. The \
         key's own policy must let IAM policies count.",
    )
    .parameter(
        Parameter::new(
            "CertificateKey",
            "ARN of your own KMS key that encrypts that secret; empty for the account's own",
        )
        .pattern(Pattern::OfRule),
    ),
    Key::new(
        "tls.server_name",
        Kind::Text(Rule::of::<ServerName>()),
        "The name that the certificate is made out to, for the clients of the failover test; default: the endpoint's own.",
    )
    .otherwise("the endpoint's host")
    .comment("Name in the certificate, for the failover test's clients")
    .example("mq.example.com")
    .page("The name in the certificate, for the clients of `mqaws failover-test`."),
    Key::new(
        "security.permissions_boundary",
        Kind::Text(Rule::of::<PolicyArn>()),
        "Policy that bounds what the instance's role may ever do.",
    )
    .comment("Policy that bounds the instance's role")
    .example("arn:aws:iam::123456789012:policy/boundary")
    .page(
        "ARN of the policy that bounds the instance's role. It must allow what the role needs, \
         `elasticfilesystem:Client*` included.",
    )
    .parameter(Parameter::new(
        "PermissionsBoundary",
        "ARN of the policy that bounds the instance's role; empty for none",
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
    .page("Lets `mqaws failover-test` inject faults, by the tag `mqaws:allow-faults`.")
    .flag(Flag::new("allow-faults", "", "Let failover tests inject faults"))
    .parameter(Parameter::new("AllowFaults", "Whether failover tests may inject faults")),
    Key::new(
        "alarms.topic",
        Kind::Text(Rule::of::<TopicArn>()),
        "SNS topic that alarms go to; default: none, alarms are only shown.",
    )
    .comment("SNS topic that alarms go to")
    .example("arn:aws:sns:eu-west-1:123456789012:operations")
    .page("ARN of the SNS topic that alarms go to. Without it they are only shown.")
    .parameter(Parameter::new(
        "AlarmTopic",
        "ARN of the SNS topic that alarms go to; empty for none",
    )),
];
