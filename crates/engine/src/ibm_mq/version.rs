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

/// `IBM MQ 9.4.0.11`.
impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.product, self.version)
    }
}
