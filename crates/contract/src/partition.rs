//! The partitions of AWS: which regions each has, and the domain of its endpoints.

/// A partition, a part of AWS with accounts, regions and names of its own.
#[derive(Debug, PartialEq, Eq)]
pub struct Partition {
    /// Name, as in an ARN: `aws-cn`.
    pub name: &'static str,
    /// What its regions begin with, up to the compass point, separated by `|`.
    pub regions: &'static str,
    /// Domain of its endpoints.
    pub dns_suffix: &'static str,
}

/// Writes the table of partitions as a regular expression: `region`, and `arn` and `global` of a service, the latter without
/// a region.
///
/// The table is what AWS publishes in `partitions.json`, which is part of every SDK: `id`, `regionRegex` and
/// `outputs.dnsSuffix`, here of botocore 1.43.106. `tests/pure/partitions.rs` compares it with the file.
#[macro_export]
macro_rules! partitions {
    (@table; $($name:literal $regions:literal $suffix:literal,)+) => {
        &[$($crate::Partition { name: $name, regions: $regions, dns_suffix: $suffix }),+]
    };
    (@region; $first:literal $of_first:literal $_s:literal, $($name:literal $regions:literal $suffix:literal,)*) => {
        concat!("(", $of_first, $("|", $regions,)* ")-[a-z]+-[0-9]{1,2}")
    };
    (@arn $service:literal; $first:literal $of_first:literal $_s:literal, $($name:literal $regions:literal $suffix:literal,)*) => {
        concat!(
            "arn:(", $first, ":", $service, ":(", $of_first, ")",
            $("|", $name, ":", $service, ":", $regions,)*
            ")-[a-z]+-[0-9]{1,2}"
        )
    };
    (@global $service:literal; $first:literal $of_first:literal $_s:literal, $($name:literal $regions:literal $suffix:literal,)*) => {
        concat!("arn:(", $first, $("|", $name,)* "):", $service, ":")
    };
    ($what:ident $($service:literal)?) => {
        $crate::partitions! { @$what $($service)?;
            "aws" "us|eu|ap|sa|ca|me|af|il|mx" "amazonaws.com",
            "aws-cn" "cn" "amazonaws.com.cn",
            "aws-eusc" "eusc-de" "amazonaws.eu",
            "aws-iso" "us-iso" "c2s.ic.gov",
            "aws-iso-b" "us-isob" "sc2s.sgov.gov",
            "aws-iso-e" "eu-isoe" "cloud.adc-e.uk",
            "aws-iso-f" "us-isof" "csp.hci.ic.gov",
            "aws-us-gov" "us-gov" "amazonaws.com",
        }
    };
}

impl Partition {
    /// All partitions.
    pub const ALL: &'static [Self] = crate::partitions!(table);

    /// The partition of this name.
    pub fn named(name: &str) -> Option<&'static Self> {
        Self::ALL.iter().find(|partition| partition.name == name)
    }

    /// The partition that has a region, if the text is the name of one.
    pub fn of(region: &str) -> Option<&'static Self> {
        Self::ALL.iter().find(|partition| partition.has(region))
    }

    /// Whether a text is the name of a region of this partition.
    pub fn has(&self, region: &str) -> bool {
        let Some((rest, number)) = region.rsplit_once('-') else {
            return false;
        };
        let Some((head, point)) = rest.rsplit_once('-') else {
            return false;
        };
        self.regions.split('|').any(|known| known == head)
            && !point.is_empty()
            && point.bytes().all(|byte| byte.is_ascii_lowercase())
            && matches!(number.len(), 1 | 2)
            && number.bytes().all(|byte| byte.is_ascii_digit())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_is_of_one_partition() {
        for (region, partition) in [
            ("eu-west-1", Some("aws")),
            ("ap-southeast-7", Some("aws")),
            ("cn-northwest-1", Some("aws-cn")),
            ("eusc-de-east-1", Some("aws-eusc")),
            ("us-gov-west-1", Some("aws-us-gov")),
            ("us-isof-south-1", Some("aws-iso-f")),
            ("zz-foo-99", None),
            ("eusc-east-1", None),
            ("eu-west", None),
            ("eu-west-1a", None),
            ("eu--1", None),
            ("aws-global", None),
            ("", None),
        ] {
            assert_eq!(Partition::of(region).map(|found| found.name), partition, "{region}");
            let all = Partition::ALL.iter().filter(|one| one.has(region));
            assert_eq!(all.count(), usize::from(partition.is_some()), "{region}");
        }
    }
}
