//! Where the image comes from and where its package is: each written as one text.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::names::{ImageOwner, ImagePattern, ParameterName};
use crate::model::names::Checked;
use crate::model::{AmiId, InvalidName};

/// Declares how a type is written as one text: in the file, in JSON, and in the JSON Schema by a pattern.
macro_rules! written {
    ($name:ident, $what:literal, $rule:literal, $example:literal, $pattern:literal) => {
        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }

        impl Checked for $name {
            const PATTERN: &'static str = $pattern;
            const RULE: &'static str = $rule;
        }

        impl JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string", "pattern": $pattern, "description": $rule, "examples": [$example] })
            }
        }

        impl $name {
            fn refuse(text: &str) -> InvalidName {
                InvalidName { value: text.to_owned(), what: $what, requirement: $rule, example: $example.into() }
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
    "an AMI ID, ssm:/NAME of a parameter, or filter:OWNER/NAME with * and ? in the name",
    "filter:309956199498/RHEL-9*",
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

/// Where the engine's package is.
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
    "the path of a file or s3://BUCKET/KEY",
    "s3://my-bucket/mq.tar.gz",
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
}
