//! What `dspmqver` prints.

/// Product and version of an installation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// `Name`, such as `IBM MQ`.
    pub(crate) product: String,
    /// `Version`, four numbers.
    pub(crate) version: String,
    /// Every line in order.
    pub(crate) fields: Vec<(String, String)>,
}

/// What the stand-in's product name contains, so that no report takes it for IBM MQ.
pub const STAND_IN: &str = "stand-in";

impl Version {
    /// Reads a whole output; absent when it names no product or version.
    pub fn parse(text: &str) -> Option<Self> {
        let fields: Vec<(String, String)> = text
            .lines()
            .filter_map(|line| line.split_once(':'))
            .map(|(key, value)| (key.trim().to_owned(), value.trim().to_owned()))
            .collect();
        let get = |key: &str| {
            fields
                .iter()
                .find(|(k, _)| k.eq_ignore_ascii_case(key))
                .map(|(_, v)| v.clone())
        };
        Some(Self {
            product: get("Name").filter(|p| !p.is_empty())?,
            version: get("Version").filter(|v| !v.is_empty())?,
            fields,
        })
    }

    /// The first value under that label, in any case.
    pub fn get(&self, label: &str) -> Option<&str> {
        self.fields
            .iter()
            .find(|(k, _)| k.eq_ignore_ascii_case(label))
            .map(|(_, v)| v.as_str())
    }

    /// The version as numbers, such as `[9, 4, 0, 11]`; what is not a number ends it.
    pub fn numbers(&self) -> Vec<u32> {
        self.version.split('.').map_while(|part| part.parse().ok()).collect()
    }

    /// Whether this is the lab's test double.
    pub fn is_stand_in(&self) -> bool {
        self.product.contains(STAND_IN)
    }
}

/// Whether an engine is of an older level than the one that wrote the data last, both as [`Version`] is displayed.
///
/// A level is version, release and modification. A queue manager is taken to a newer level when it starts there, and not
/// back; fix packs, the fourth number, can be taken off again. What names no level is not compared.
pub(crate) fn is_older(engine: &str, last_writer: &str) -> bool {
    match (level(engine), level(last_writer)) {
        (Some(engine), Some(writer)) => engine < writer,
        _ => false,
    }
}

/// Version, release and modification at the end of a displayed version.
fn level(displayed: &str) -> Option<[u32; 3]> {
    let mut numbers = displayed.split_whitespace().next_back()?.split('.').map(str::parse);
    let mut next = || numbers.next()?.ok();
    Some([next()?, next()?, next()?])
}

/// `IBM MQ 9.4.0.11`.
impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.product, self.version)
    }
}

#[cfg(test)]
mod tests {
    use super::is_older;

    #[test]
    fn levels_are_compared_by_number_up_to_the_modification() {
        let cases = [
            ("IBM MQ 9.4.0.0", "IBM MQ 9.4.0.0", false),
            ("IBM MQ 9.3.5.1", "IBM MQ 9.4.0.0", true),
            ("IBM MQ 9.4.0.0", "IBM MQ 9.3.5.1", false),
            ("IBM MQ 9.9.0.0", "IBM MQ 9.10.0.0", true),
            ("IBM MQ 9.4.0.5", "IBM MQ 9.4.0.11", false),
            ("IBM MQ 9.4.1.0", "IBM MQ 9.4.2.0", true),
            (
                "mqaws stand-in for IBM MQ 9.3.0.0",
                "mqaws stand-in for IBM MQ 9.4.0.0",
                true,
            ),
            ("IBM MQ 8.0.0.16", "IBM MQ 9.4.0.0", true),
            ("sleeper 1", "sleeper 2", false),
            ("", "IBM MQ 9.4.0.0", false),
            ("IBM MQ 9.4.0.0", "IBM MQ", false),
        ];
        for (engine, writer, expected) in cases {
            assert_eq!(is_older(engine, writer), expected, "{engine} after {writer}");
        }
    }
}
