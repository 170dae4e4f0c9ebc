//! IPv4 address ranges.

use std::fmt;
use std::str::FromStr;

use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};

use mqaws_contract::InvalidName;

use super::names::Checked;

/// An IPv4 range such as `10.0.0.0/8`, without host bits set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Cidr(Ipv4Net);

impl Cidr {
    /// The rule as a regular expression.
    pub const PATTERN: &'static str = r"^([0-9]{1,3}\.){3}[0-9]{1,3}/([0-9]|[12][0-9]|3[0-2])$";
    const WHAT: &'static str = "address range";
    const EXAMPLE: &'static str = "10.0.0.0/8";
    const RULE: &'static str = "an IPv4 network address and a prefix length";

    /// Checks a text.
    ///
    /// # Errors
    /// [`InvalidName`] when it is no range or has host bits set.
    pub fn new(text: &str) -> Result<Self, InvalidName> {
        let wrong = |requirement, example| InvalidName {
            value: text.to_owned(),
            what: Self::WHAT,
            requirement,
            example,
        };
        let parsed = text.split_once('/').and_then(|(address, prefix)| {
            // Not ipnet's own parser: it takes addresses with leading zeros, which others read as octal.
            let digits = prefix.len() <= 2 && prefix.bytes().all(|byte| byte.is_ascii_digit());
            let prefix = prefix.parse().ok().filter(|_| digits)?;
            Ipv4Net::new(address.parse().ok()?, prefix).ok()
        });
        let range = parsed.ok_or_else(|| wrong(Self::RULE, Self::EXAMPLE.into()))?;
        if range != range.trunc() {
            let network = range.trunc().to_string();
            return Err(wrong("a network address without host bits set", network.into()));
        }
        Ok(Self(range))
    }

    /// Length of the prefix, 0 to 32.
    pub const fn prefix(self) -> u8 {
        self.0.prefix_len()
    }

    /// Whether this is every address there is.
    pub const fn is_everything(self) -> bool {
        self.prefix() == 0
    }

    /// The `index`-th part of the range when it is cut into parts of `prefix`; none when there is no such part.
    pub fn part(self, prefix: u8, index: u32) -> Option<Self> {
        let mut parts = self.0.subnets(prefix).ok()?;
        parts.nth(usize::try_from(index).ok()?).map(Self)
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl From<Cidr> for String {
    fn from(cidr: Cidr) -> Self {
        cidr.to_string()
    }
}

impl TryFrom<String> for Cidr {
    type Error = InvalidName;

    fn try_from(text: String) -> Result<Self, InvalidName> {
        Self::new(&text)
    }
}

impl FromStr for Cidr {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        Self::new(text)
    }
}

impl Checked for Cidr {
    const PATTERN: &'static str = Self::PATTERN;
    const RULE: &'static str = Self::RULE;
}

impl schemars::JsonSchema for Cidr {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Cidr".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "pattern": Self::PATTERN, "description": Self::RULE, "examples": [Self::EXAMPLE] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_checked_and_cut() {
        for (text, valid) in [
            ("10.0.0.0/8", true),
            ("0.0.0.0/0", true),
            ("10.1.2.3/32", true),
            ("10.0.0.1/8", false),
            ("10.0.0.0", false),
            ("10.0.0.0/33", false),
            ("10.0.0.0/+8", false),
            ("10.0.0/8", false),
            ("::/0", false),
        ] {
            assert_eq!(Cidr::new(text).is_ok(), valid, "{text}");
        }
        let refused = Cidr::new("10.0.0.1/8").unwrap_err();
        assert_eq!(
            refused.to_string(),
            "invalid address range `10.0.0.1/8`: must be a network address without host bits set"
        );
        assert_eq!(refused.example, "10.0.0.0/8");
        let vpc = Cidr::new("10.20.0.0/16").unwrap();
        assert_eq!(vpc.part(20, 1).unwrap().to_string(), "10.20.16.0/20");
        assert_eq!(vpc.part(20, 15).unwrap().to_string(), "10.20.240.0/20");
        assert_eq!(vpc.part(20, 16), None);
        assert_eq!(vpc.part(8, 0), None);
        assert_eq!(
            Cidr::new("0.0.0.0/0").unwrap().part(1, 1).unwrap().to_string(),
            "128.0.0.0/1"
        );
    }
}
