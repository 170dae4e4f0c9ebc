//! The image that instances start from: the section `image` of `mqaws.yaml`, which `mqaws ami` reads and `deploy` does not.
//!
//! That IBM's licence is accepted is no key of the file: only a flag of the build says so.

mod names;

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::Serialize;

use super::cidr::Cidr;
use super::deployment::{Deployment, Mount};
use super::names::{AmiId, InstanceType, InvalidName, KmsKey, SubnetId, VpcId};
pub use names::{
    DeviceName, EngineVersion, ImageOwner, ImagePattern, InstanceProfile, LoginName, ParameterName, Sha256,
};

/// How the image is made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Image {
    /// The engine that it holds.
    #[schemars(default)]
    pub engine: Engine,
    /// Image that it is made from; default: the newest RHEL 9 for IBM MQ, the newest Amazon Linux 2023 for RabbitMQ.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<SourceImage>,
    /// VPC of the machine that builds it; needs `subnet`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vpc: Option<VpcId>,
    /// Subnet of the machine that builds it; default: one of the account's default VPC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subnet: Option<SubnetId>,
    /// EC2 type of the machine that builds it; default `t3.medium`.
    #[schemars(default = "default_instance_type")]
    pub instance_type: InstanceType,
    /// How Packer reaches that machine.
    #[schemars(default)]
    pub connect: Connect,
    /// Range from which ssh may reach that machine while it builds; default: from anywhere, as Packer has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ssh_from: Option<Cidr>,
    /// Account that ssh logs in to; default `ec2-user`.
    #[schemars(default = "default_login")]
    pub ssh_username: LoginName,
    /// Instance profile of that machine, for Session Manager and for a package in S3.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance_profile: Option<InstanceProfile>,
    /// IBM MQ's package, a tarball: a local file, beside this one when its path is relative, or `s3://BUCKET/KEY`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub package: Option<Package>,
    /// SHA-256 of that package.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub package_sha256: Option<Sha256>,
    /// Version of the engine, for the image's name and tags; default for RabbitMQ: `distribution`, whatever that has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub engine_version: Option<EngineVersion>,
    /// What instances mount the file system with; default: as `storage.mount` says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mount: Option<Mount>,
    /// Package of efs-utils, a local file, where the distribution has none: only Amazon Linux has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub efs_utils_package: Option<String>,
    /// SHA-256 of that package.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub efs_utils_sha256: Option<Sha256>,
    /// Key that encrypts the image; default: the account's own key for EBS, with which no other account can start it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kms_key: Option<KmsKey>,
    /// Root device of the source image; default `/dev/sda1` for IBM MQ on RHEL, `/dev/xvda` for RabbitMQ on Amazon Linux.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub root_device: Option<DeviceName>,
}

fn default_instance_type() -> InstanceType {
    Image::default().instance_type
}

fn default_login() -> LoginName {
    Image::default().ssh_username
}

impl Default for Image {
    fn default() -> Self {
        Self {
            engine: Engine::default(),
            source: None,
            vpc: None,
            subnet: None,
            instance_type: InstanceType::new("t3.medium").expect("the default type obeys the rule"),
            connect: Connect::default(),
            ssh_from: None,
            ssh_username: LoginName::new("ec2-user").expect("the default login obeys the rule"),
            instance_profile: None,
            package: None,
            package_sha256: None,
            engine_version: None,
            mount: None,
            efs_utils_package: None,
            efs_utils_sha256: None,
            kms_key: None,
            root_device: None,
        }
    }
}

impl Image {
    /// The source image, named or the engine's own.
    pub fn source(&self) -> SourceImage {
        self.source.clone().unwrap_or_else(|| self.engine.source())
    }

    /// The root device of the source image, named or that of the engine's own.
    pub fn root_device(&self) -> DeviceName {
        self.root_device.clone().unwrap_or_else(|| self.engine.root_device())
    }

    /// The version of the engine as far as it is known before the build.
    pub fn engine_version(&self) -> Option<EngineVersion> {
        let distribution = || EngineVersion::new("distribution").expect("the word obeys the rule");
        let known = self.engine_version.clone();
        known.or_else(|| (self.engine == Engine::RabbitMq).then(distribution))
    }

    /// Whether the source image is known to have no efs-utils in its own repositories; of most images nothing is known.
    fn lacks_efs_utils(&self) -> bool {
        self.source() == Engine::IbmMq.source()
    }

    /// Keys that a build needs and nobody gave, each with what to do about it; `storage` is what instances mount with.
    pub fn missing(&self, storage: Mount) -> Vec<(&'static str, &'static str)> {
        let mut missing = Vec::new();
        if self.engine == Engine::IbmMq {
            if self.package.is_none() {
                missing.push((
                    "image.package",
                    "name IBM MQ's package, a local tarball or s3://BUCKET/KEY",
                ));
            }
            if self.package_sha256.is_none() {
                missing.push((
                    "image.package_sha256",
                    "give the package's SHA-256, as `sha256sum` prints it",
                ));
            }
            if self.engine_version.is_none() {
                missing.push(("image.engine_version", "give the package's version, such as 9.4.0.0"));
            }
        }
        if self.mount.unwrap_or(storage) == Mount::EfsUtils
            && self.efs_utils_package.is_none()
            && self.lacks_efs_utils()
        {
            missing.push((
                "image.efs_utils_package",
                "RHEL has no efs-utils: name its package, or set `storage.mount: nfs`",
            ));
        }
        missing
    }
}

impl Deployment {
    /// What the image must be able to mount the file system with.
    pub fn image_mount(&self) -> Mount {
        self.image.mount.unwrap_or(self.storage.mount)
    }
}

/// The engine that an image holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Engine {
    /// IBM MQ, from a package that the user has.
    #[default]
    IbmMq,
    /// RabbitMQ, from the distribution.
    #[serde(rename = "rabbitmq")]
    RabbitMq,
}

impl Engine {
    /// Every engine.
    pub const ALL: [Self; 2] = [Self::IbmMq, Self::RabbitMq];

    /// The word that the file, the tags and the scripts use.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::IbmMq => "ibm-mq",
            Self::RabbitMq => "rabbitmq",
        }
    }

    /// The image that it is built on when none is named.
    ///
    /// Owner and name of Red Hat's images are from documents and were never looked up in an account; so is the form of
    /// Amazon's names, which leaves out the minimal and the container images.
    pub fn source(self) -> SourceImage {
        let (owner, name) = match self {
            Self::IbmMq => ("309956199498", "RHEL-9*_HVM-*-x86_64-*"),
            Self::RabbitMq => ("amazon", "al2023-ami-2023.*-x86_64"),
        };
        SourceImage::Filter {
            owner: ImageOwner::new(owner).expect("the owner obeys the rule"),
            name: ImagePattern::new(name).expect("the name obeys the rule"),
        }
    }

    fn root_device(self) -> DeviceName {
        let name = match self {
            Self::IbmMq => "/dev/sda1",
            Self::RabbitMq => "/dev/xvda",
        };
        DeviceName::new(name).expect("the device obeys the rule")
    }
}

/// How Packer reaches the machine that builds the image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Connect {
    /// By ssh to its address, with a key pair of this build.
    #[default]
    Ssh,
    /// By ssh through Session Manager, which needs its plugin on this machine and an instance profile.
    SessionManager,
}

impl Connect {
    /// Every way.
    pub const ALL: [Self; 2] = [Self::Ssh, Self::SessionManager];

    /// The word that the file uses.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ssh => "ssh",
            Self::SessionManager => "session-manager",
        }
    }
}

/// Declares how a type is written as one text: in the file, in JSON, and in the JSON Schema by a pattern.
macro_rules! written {
    ($name:ident, $what:literal, $rule:literal, $pattern:literal) => {
        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string", "pattern": $pattern, "description": $rule })
            }
        }

        impl $name {
            fn refuse(text: &str) -> InvalidName {
                InvalidName { value: text.to_owned(), what: $what, rule: $rule }
            }
        }
    };
}

/// The image that an image is made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceImage {
    /// This one.
    Ami(AmiId),
    /// The one that a parameter of Systems Manager names.
    Parameter(ParameterName),
    /// The newest one of an owner with such a name.
    Filter {
        /// Who owns it.
        owner: ImageOwner,
        /// What it is called.
        name: ImagePattern,
    },
}

written!(
    SourceImage,
    "source image",
    "an AMI id, ssm:/NAME of a parameter, or filter:OWNER/NAME with * and ? in the name",
    "^(ami-([0-9a-f]{8}|[0-9a-f]{17})|ssm:/[A-Za-z0-9._/-]+|filter:([0-9]{12}|self|amazon|aws-marketplace)/[A-Za-z0-9 ()./'@_*?-]{1,128})$"
);

impl FromStr for SourceImage {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        if let Some(name) = text.strip_prefix("ssm:") {
            return Ok(Self::Parameter(name.parse()?));
        }
        match text.strip_prefix("filter:").map(|rest| rest.split_once('/')) {
            Some(Some((owner, name))) => Ok(Self::Filter {
                owner: owner.parse()?,
                name: name.parse()?,
            }),
            Some(None) => Err(Self::refuse(text)),
            None => text.parse().map(Self::Ami).map_err(|_| Self::refuse(text)),
        }
    }
}

impl fmt::Display for SourceImage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ami(id) => write!(f, "{id}"),
            Self::Parameter(name) => write!(f, "ssm:{name}"),
            Self::Filter { owner, name } => write!(f, "filter:{owner}/{name}"),
        }
    }
}

/// Where IBM MQ's package is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Package {
    /// A file of this machine, which Packer uploads.
    File(String),
    /// An object in S3, as `s3://BUCKET/KEY`, which the building machine fetches with the role of its instance profile.
    S3(String),
}

written!(
    Package,
    "package",
    "the path of a file, or s3://BUCKET/KEY",
    "^(s3://[a-z0-9.-]{3,63}/.+|(?!s3:).+)$"
);

impl FromStr for Package {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        // Packer takes double braces for a template of its own.
        let plain = !text.trim().is_empty() && !text.contains(char::is_control) && !text.contains("{{");
        match text.strip_prefix("s3:") {
            None if plain => Ok(Self::File(text.to_owned())),
            Some(rest) if plain => {
                let (bucket, key) = rest
                    .strip_prefix("//")
                    .and_then(|rest| rest.split_once('/'))
                    .ok_or_else(|| Self::refuse(text))?;
                let named = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-".contains(&byte);
                let good = (3..=63).contains(&bucket.len()) && bucket.bytes().all(named) && !key.is_empty();
                good.then(|| Self::S3(text.to_owned()))
                    .ok_or_else(|| Self::refuse(text))
            }
            _ => Err(Self::refuse(text)),
        }
    }
}

impl fmt::Display for Package {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(text) | Self::S3(text) => f.write_str(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_and_packages_are_read_as_they_are_written() {
        for text in [
            "ami-0123456789abcdef0",
            "ssm:/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64",
            "filter:309956199498/RHEL-9*_HVM-*-x86_64-*",
            "filter:amazon/ubuntu/images/*",
        ] {
            assert_eq!(text.parse::<SourceImage>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "ami-1",
            "ssm:name",
            "filter:RHEL-9*",
            "filter:me/RHEL",
            "filter:self/${x}",
            "RHEL-9",
        ] {
            assert!(text.parse::<SourceImage>().is_err(), "{text}");
        }
        for text in ["mq.tar.gz", "/packages/my mq.tar.gz", "s3://bucket/a/mq.tar.gz"] {
            assert_eq!(text.parse::<Package>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "s3:",
            "s3://b/key",
            "s3://bucket",
            "s3://bucket/",
            "s3:/bucket/key",
            "a\nb",
            "{{x}}",
        ] {
            assert!(text.parse::<Package>().is_err(), "{text}");
        }
    }

    #[test]
    fn only_a_build_of_ibm_mq_lacks_what_nobody_but_the_user_has() {
        let keys = |image: &Image, mount| -> Vec<_> { image.missing(mount).into_iter().map(|(key, _)| key).collect() };
        let ibm = Image::default();
        let three = ["image.package", "image.package_sha256", "image.engine_version"];
        assert_eq!(keys(&ibm, Mount::Nfs), three);
        assert_eq!(keys(&ibm, Mount::EfsUtils)[3..], ["image.efs_utils_package"]);
        let rabbit = Image {
            engine: Engine::RabbitMq,
            ..Image::default()
        };
        assert!(keys(&rabbit, Mount::EfsUtils).is_empty());
        let on_red_hat = Image {
            source: Some(Engine::IbmMq.source()),
            ..rabbit
        };
        assert_eq!(keys(&on_red_hat, Mount::EfsUtils), ["image.efs_utils_package"]);
    }
}
