//! Versions of RabbitMQ: what is data about them.

use std::fmt;

/// A version: `3.10.8`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Version {
    /// `3`.
    pub(super) major: u16,
    /// `10`.
    pub(super) minor: u16,
    /// `8`.
    pub(super) patch: u16,
}

/// What is known of the versions that share their first two numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Series {
    of: (u16, u16),
    /// Whether mqaws was tried with it.
    pub(super) tested: bool,
    /// Whether it has mirrored queues, by policies such as `ha-mode`.
    pub(super) mirrored: bool,
}

const fn series(of: (u16, u16), tested: bool) -> Series {
    Series {
        of,
        tested,
        mirrored: of.0 < 4,
    }
}

/// The versions that are supported.
const SERIES: [Series; 8] = [
    series((3, 10), true),
    series((3, 11), false),
    series((3, 12), false),
    series((3, 13), false),
    series((4, 0), true),
    series((4, 1), false),
    series((4, 2), false),
    series((4, 3), true),
];

impl Version {
    /// Reads a version; what follows the third number is left out: `3.10.8-1+deb12u1`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut numbers = text.splitn(3, '.');
        let patch = |text: &str| {
            let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
            text[..end].parse().ok()
        };
        Some(Self {
            major: numbers.next()?.parse().ok()?,
            minor: numbers.next()?.parse().ok()?,
            patch: patch(numbers.next()?)?,
        })
    }

    /// What is known of its like; absent when it is not supported.
    pub(super) fn series(self) -> Option<&'static Series> {
        SERIES.iter().find(|series| series.of == (self.major, self.minor))
    }

    /// The first two numbers of what is supported, for people.
    pub(super) fn supported() -> String {
        let each = SERIES.map(|series| format!("{}.{}", series.of.0, series.of.1));
        each.join(", ")
    }

    /// It, and whether it was never tried.
    pub(super) fn told(self) -> String {
        match self.series() {
            Some(series) if !series.tested => format!("RabbitMQ {self} (untested with mqaws)"),
            _ => format!("RabbitMQ {self}"),
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mqaws_contract::engine::RABBITMQ;

    #[test]
    fn versions_are_read() {
        for (text, expected) in [
            ("3.10.8", Some("3.10.8")),
            ("3.10.8-1+deb12u1", Some("3.10.8")),
            ("4.3.6", Some("4.3.6")),
            ("4.3", None),
            ("x.y.z", None),
            ("", None),
        ] {
            let read = Version::parse(text).map(|version| version.to_string());
            assert_eq!(read.as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn what_differs_between_versions_is_data() {
        let facts = |text: &str| Version::parse(text).and_then(Version::series).copied();
        for (text, tested, mirrored) in [
            ("3.10.8", true, true),
            ("3.12.1", false, true),
            ("4.0.5", true, false),
            ("4.2.0", false, false),
            ("4.3.6", true, false),
        ] {
            let found = facts(text).expect(text);
            assert_eq!((found.tested, found.mirrored), (tested, mirrored), "{text}");
        }
        assert_eq!((facts("3.9.1"), facts("5.0.0")), (None, None));
        let told = |text: &str| Version::parse(text).map(Version::told);
        assert_eq!(told("3.10.8").as_deref(), Some("RabbitMQ 3.10.8"));
        assert_eq!(told("4.2.1").as_deref(), Some("RabbitMQ 4.2.1 (untested with mqaws)"));
    }

    /// A series without an entry in the contract would take all data.
    #[test]
    fn every_supported_series_refuses_the_data_of_one_long_before_it() {
        for series in SERIES {
            let version = format!("RabbitMQ {}.{}.0", series.of.0, series.of.1);
            assert!(
                RABBITMQ.order.refuses(&version, "RabbitMQ 3.0.0").is_some(),
                "{version}"
            );
        }
    }
}
