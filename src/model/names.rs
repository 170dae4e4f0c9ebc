//! Names and numbers that AWS and IBM MQ have rules for: each can only be made by a checking constructor.

use super::arn::{Arn, is_account};
use mqaws_contract::{Partition, QueueManagerName, partitions};

/// A text that is checked when it is read, and the rule that it obeys.
pub(in crate::model) trait Checked {
    /// The rule as a regular expression.
    const PATTERN: &'static str;
    /// The rule in words.
    const RULE: &'static str;
}

impl Checked for QueueManagerName {
    const PATTERN: &'static str = Self::PATTERN;
    const RULE: &'static str = Self::RULE;
}

/// Says in a JSON Schema what a checked text must be.
macro_rules! schema {
    ($of:ty, $name:expr, $pattern:expr, $rule:expr, $example:expr) => {
        impl schemars::JsonSchema for $of {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                $name.into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string", "pattern": $pattern, "description": $rule, "examples": [$example] })
            }
        }
    };
}

/// Declares a checked text, as [`mqaws_contract::checked`] does, that has a JSON Schema.
macro_rules! checked {
    ($(#[$doc:meta])* $name:ident, $what:literal, $rule:literal, $example:literal, $pattern:expr, $check:expr) => {
        mqaws_contract::checked!($(#[$doc])* $name, $what, $rule, $example, $pattern, $check);
        $crate::model::names::schema!($name, stringify!($name), $pattern, $rule, $example);

        impl $crate::model::names::Checked for $name {
            const PATTERN: &'static str = $pattern;
            const RULE: &'static str = $rule;
        }
    };
}

pub(in crate::model) use {checked, schema};

/// The JSON Schema of a [`QueueManagerName`], whose crate knows of none.
pub(in crate::model) struct QueueManagerNameSchema;

schema!(
    QueueManagerNameSchema,
    "QueueManagerName",
    QueueManagerName::PATTERN,
    QueueManagerName::RULE,
    QueueManagerName::EXAMPLE
);

pub(in crate::model) fn between(text: &str, min: usize, max: usize) -> bool {
    (min..=max).contains(&text.chars().count())
}

fn is_label(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        && !text.starts_with('-')
        && !text.ends_with('-')
}

fn is_region(text: &str) -> bool {
    Partition::of(text).is_some()
}

/// AWS writes its own ids with 8 or 17 hexadecimal digits.
fn is_id(text: &str, prefix: &str) -> bool {
    text.strip_prefix(prefix).is_some_and(|rest| {
        matches!(rest.len(), 8 | 17)
            && rest
                .bytes()
                .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
    })
}

/// What AWS may add to its own ids stays readable, as in an instance's.
fn is_told_id(text: &str, prefix: &str) -> bool {
    text.strip_prefix(prefix).is_some_and(|rest| {
        between(rest, 1, 62) && rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    })
}

/// Whether it is the ARN of something that lies in a region.
fn is_regional(text: &str, service: &str, kind: &str) -> bool {
    Arn::read(text).is_some_and(|arn| arn.regional(service, kind).is_some())
}

/// Whether it is the ARN of something of IAM, which belongs to an account or, if `aws` may have some, to AWS.
fn is_of_iam(text: &str, kind: &str, aws: bool) -> bool {
    let arn = Arn::read(text).filter(|arn| aws || is_account(arn.account));
    arn.is_some_and(|arn| arn.global("iam", kind).is_some())
}

/// AWS names what a secret may be called, and adds the last seven characters.
fn is_secret_arn(text: &str) -> bool {
    let arn = Arn::read(text);
    arn.and_then(|arn| arn.regional("secretsmanager", "secret:"))
        .is_some_and(|name| {
            name.bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"/_+=.@-".contains(&byte))
                && name.rsplit_once('-').is_some_and(|(own, added)| {
                    !own.is_empty() && added.len() == 6 && added.bytes().all(|byte| byte.is_ascii_alphanumeric())
                })
        })
}

fn is_key_arn(text: &str) -> bool {
    let arn = Arn::read(text);
    arn.and_then(|arn| arn.regional("kms", "key/"))
        .is_some_and(|id| id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'))
}

fn is_kms_key(text: &str) -> bool {
    let is_hexadecimal = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_uuid = || {
        let lengths = text.split('-').map(str::len);
        lengths.eq([8, 4, 4, 4, 12]) && text.split('-').all(is_hexadecimal)
    };
    let is_multi_region = || {
        let id = text.strip_prefix("mrk-");
        id.is_some_and(|id| id.len() == 32 && is_hexadecimal(id))
    };
    let is_alias = |text: &str| {
        let name = text.strip_prefix("alias/");
        name.is_some_and(|name| {
            between(name, 1, 250)
                && name
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"/_-".contains(&byte))
        })
    };
    let is_alias_arn = || Arn::read(text).is_some_and(|arn| arn.regional("kms", "").is_some_and(is_alias));
    is_uuid() || is_multi_region() || is_alias(text) || is_key_arn(text) || is_alias_arn()
}

/// IAM and EFS know many letters but no comma, instance metadata knows few; every tag must suit all of them. To IAM keys are the
/// same whose letters differ in case alone, so what is taken is taken in any case.
fn is_tag_key(text: &str) -> bool {
    let begins = |prefix: &str| {
        let start = text.get(..prefix.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(prefix))
    };
    between(text, 1, 128)
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"+-=._:@".contains(&byte))
        && !matches!(text, "." | ".." | "_index")
        && !text.eq_ignore_ascii_case("Name")
        && !begins("aws:")
        && !begins("mqaws:")
}

checked!(
    /// Name of a CloudFormation stack.
    StackName,
    "stack name",
    "a letter followed by up to 127 letters, digits and hyphens",
    "mqaws-qm1",
    "^[A-Za-z][A-Za-z0-9-]{0,127}$",
    |text| between(text, 1, 128)
        && text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
);

checked!(
    /// An AWS region, such as `eu-west-1`.
    Region,
    "AWS region",
    "the code of an AWS region",
    "eu-west-1",
    concat!("^", partitions!(region), "$"),
    is_region
);

checked!(
    /// An availability zone of a region, such as `eu-west-1a`.
    ZoneName,
    "Availability Zone",
    "the code of an AWS region followed by a letter",
    "eu-west-1a",
    concat!("^", partitions!(region), "[a-z]$"),
    |text| text.chars().last().is_some_and(|last| last.is_ascii_lowercase()) && is_region(&text[..text.len() - 1])
);

checked!(
    /// Id of a VPC.
    VpcId,
    "VPC ID",
    "`vpc-` followed by 8 or 17 hexadecimal characters",
    "vpc-0123456789abcdef0",
    "^vpc-([0-9a-f]{8}|[0-9a-f]{17})$",
    |text| is_id(text, "vpc-")
);

checked!(
    /// Id of a subnet.
    SubnetId,
    "subnet ID",
    "`subnet-` followed by 8 or 17 hexadecimal characters",
    "subnet-0123456789abcdef0",
    "^subnet-([0-9a-f]{8}|[0-9a-f]{17})$",
    |text| is_id(text, "subnet-")
);

checked!(
    /// Id of an Amazon machine image.
    AmiId,
    "AMI ID",
    "`ami-` followed by 8 or 17 hexadecimal characters",
    "ami-0123456789abcdef0",
    "^ami-([0-9a-f]{8}|[0-9a-f]{17})$",
    |text| is_id(text, "ami-")
);

checked!(
    /// Id of an EBS snapshot, as AWS tells it: what is deleted with an image.
    SnapshotId,
    "snapshot ID",
    "`snap-` followed by 1 to 62 letters, digits and hyphens",
    "snap-0123456789abcdef0",
    "^snap-[A-Za-z0-9-]{1,62}$",
    |text| is_told_id(text, "snap-")
);

checked!(
    /// Id of an EFS file system, as AWS tells it: what is deleted with all that is in it.
    FileSystemId,
    "file system ID",
    "`fs-` followed by 1 to 62 letters, digits and hyphens",
    "fs-0123456789abcdef0",
    "^fs-[A-Za-z0-9-]{1,62}$",
    |text| is_told_id(text, "fs-")
);

checked!(
    /// A stack's own id, its ARN: this stack, and no other that has its name later.
    StackId,
    "stack ID",
    "arn:PARTITION:cloudformation:REGION:ACCOUNT:stack/NAME/ID",
    "arn:aws:cloudformation:eu-west-1:123456789012:stack/mqaws-qm1/1a2b3c4d",
    "^arn:aws[a-z-]*:cloudformation:[^:]+:[0-9]{12}:stack/[A-Za-z][A-Za-z0-9-]{0,127}/.+$",
    |text| is_regional(text, "cloudformation", "stack/")
        && text.split_once(":stack/").and_then(|(_, path)| path.split_once('/')).is_some_and(|(name, id)| {
            StackName::new(name).is_ok() && !id.is_empty()
        })
);

checked!(
    /// A KMS key: its id, its alias or the ARN of either.
    KmsKey,
    "KMS key",
    "a key ID, alias/NAME, or the ARN of either",
    "alias/mqaws",
    concat!(
        "^(",
        partitions!(arn "kms"),
        ":[0-9]{12}:(key/[A-Za-z0-9-]+|alias/[A-Za-z0-9/_-]{1,250})|alias/[A-Za-z0-9/_-]{1,250}",
        "|mrk-[0-9A-Fa-f]{32}|[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12})$"
    ),
    is_kms_key
);

checked!(
    /// An EC2 instance type, such as `m6i.large`.
    InstanceType,
    "instance type",
    "a family, a dot and a size",
    "m6i.large",
    "^[a-z][a-z0-9-]*\\.[a-z0-9-]+$",
    |text| text.split_once('.').is_some_and(|(family, size)| {
        is_label(family) && family.starts_with(|first: char| first.is_ascii_lowercase()) && is_label(size)
    })
);

checked!(
    /// Name of an EC2 key pair.
    KeyPairName,
    "key pair name",
    "1 to 255 ASCII characters without leading or trailing spaces",
    "my-key",
    "^[!-~]([ -~]{0,253}[!-~])?$",
    |text| between(text, 1, 255)
        && text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic())
        && text.trim() == text
);

checked!(
    /// ARN of an IAM role.
    RoleArn,
    "role ARN",
    "arn:PARTITION:iam::ACCOUNT:role/NAME",
    "arn:aws:iam::123456789012:role/mqaws",
    concat!("^", partitions!(global "iam"), ":[0-9]{12}:role/[!-~]+$"),
    |text| is_of_iam(text, "role/", false)
);

checked!(
    /// ARN of an IAM policy.
    PolicyArn,
    "policy ARN",
    "arn:PARTITION:iam::ACCOUNT:policy/NAME",
    "arn:aws:iam::123456789012:policy/mqaws",
    concat!("^", partitions!(global "iam"), ":([0-9]{12}|aws):policy/[!-~]+$"),
    |text| is_of_iam(text, "policy/", true)
);

checked!(
    /// ARN of an SNS topic.
    TopicArn,
    "topic ARN",
    "arn:PARTITION:sns:REGION:ACCOUNT:NAME",
    "arn:aws:sns:eu-west-1:123456789012:mqaws",
    concat!("^", partitions!(arn "sns"), ":[0-9]{12}:[!-~]+$"),
    |text| is_regional(text, "sns", "")
);

checked!(
    /// ARN of a secret in Secrets Manager; AWS ends it with a hyphen and six characters of its own.
    SecretArn,
    "secret ARN",
    "arn:PARTITION:secretsmanager:REGION:ACCOUNT:secret:NAME-SUFFIX",
    "arn:aws:secretsmanager:eu-west-1:123456789012:secret:mqaws-AbCdEf",
    concat!(
        "^",
        partitions!(arn "secretsmanager"),
        ":[0-9]{12}:secret:[A-Za-z0-9/_+=.@-]+-[A-Za-z0-9]{6}$"
    ),
    is_secret_arn
);

checked!(
    /// ARN of a KMS key itself: policies know no alias.
    KeyArn,
    "KMS key ARN",
    "arn:PARTITION:kms:REGION:ACCOUNT:key/ID",
    "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab",
    concat!("^", partitions!(arn "kms"), ":[0-9]{12}:key/[A-Za-z0-9-]+$"),
    is_key_arn
);

checked!(
    /// A name that a certificate is made out to: a DNS name, or an IP address.
    ServerName,
    "server name",
    "a DNS name or an IP address",
    "mq.example.com",
    "^[A-Za-z0-9]([A-Za-z0-9.:-]{0,251}[A-Za-z0-9])?$",
    |text| text.parse::<std::net::IpAddr>().is_ok()
        || between(text, 1, 253)
            && text.split('.').all(|label| (1..=63).contains(&label.len()) && is_label(&label.to_ascii_lowercase()))
);

checked!(
    /// Key of a tag that AWS accepts on every resource and in instance metadata.
    TagKey,
    "tag key",
    "1 to 128 characters of A-Z a-z 0-9 + - = . _ : @, and not Name or a key that starts with aws: or mqaws: in any case",
    "cost-center",
    "^(?!([Mm][Qq])?[Aa][Ww][Ss]:|([Nn][Aa][Mm][Ee]|\\.{1,2}|_index)$)[A-Za-z0-9+=._:@-]{1,128}$",
    is_tag_key
);

checked!(
    /// Value of a tag.
    TagValue,
    "tag value",
    "up to 256 letters, digits, spaces, and + - = . _ : / @",
    "messaging",
    "^[\\p{L}\\p{N}\\p{Z}+=._:/@-]{0,256}$",
    |text| between(text, 0, 256)
        && text.chars().all(|letter| letter.is_alphanumeric() || letter == ' ' || "+-=._:/@".contains(letter))
);

checked!(
    /// Name of the application's user: an account of the operating system on the instance.
    UserName,
    "user name",
    "a lower-case letter followed by up to 11 lower-case letters, digits, _ and -, and neither mqm nor root",
    "mqapp",
    "^(?!(mqm|root)$)[a-z][a-z0-9_-]{0,11}$",
    // IBM MQ knows at most 12 characters of a user identifier.
    |text| between(text, 1, 12)
        && text.starts_with(|first: char| first.is_ascii_lowercase())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-".contains(&byte))
        && !matches!(text, "mqm" | "root")
);

checked!(
    /// Name of a profile in the user's AWS configuration.
    ProfileName,
    "profile name",
    "1 to 128 characters without brackets or line breaks",
    "production",
    "^[^\\[\\]\\r\\n]{1,128}$",
    |text| between(text, 1, 128) && !text.contains(['[', ']', '\r', '\n'])
);

impl StackName {
    /// The stack's name when none is given: `mqaws-` and the queue manager's in lower case, other characters as hyphens.
    pub fn default_of(queue_manager: &QueueManagerName) -> Self {
        let name = queue_manager.as_str().chars().map(|letter| match letter {
            letter if letter.is_ascii_alphanumeric() => letter.to_ascii_lowercase(),
            _ => '-',
        });
        Self(format!("mqaws-{}", name.collect::<String>()))
    }
}

impl ZoneName {
    /// The region that the zone belongs to.
    pub fn region(&self) -> Region {
        Region(self.0[..self.0.len() - 1].to_owned())
    }
}

#[cfg(test)]
mod tests;
