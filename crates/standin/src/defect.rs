//! The negative controls: ways to be wrong on purpose, which a failover test must catch.

/// One way to be wrong, chosen by the variable `MQAWS_STANDIN_DEFECT`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Defect {
    /// Acknowledges while the record is in memory only, and writes it up to 200 ms later: a kill loses it.
    AckEarly,
    /// Acknowledges one message in 97 and forgets it.
    Lose,
    /// Puts one message in 97 twice.
    Duplicate,
    /// Lets 16 messages overtake one in 50.
    Reorder,
}

/// The variable that names the defect.
pub(crate) const DEFECT_VARIABLE: &str = "MQAWS_STANDIN_DEFECT";

impl Defect {
    /// Reads a name: `ack-early`, `lose`, `duplicate` or `reorder`.
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "ack-early" => Self::AckEarly,
            "lose" => Self::Lose,
            "duplicate" => Self::Duplicate,
            "reorder" => Self::Reorder,
            _ => return None,
        })
    }

    /// The defect that the environment asks for.
    ///
    /// # Errors
    /// The name, when there is no such defect: a misspelt negative control must not pass for a sound queue manager.
    pub(crate) fn from_environment() -> Result<Option<Self>, String> {
        match std::env::var(DEFECT_VARIABLE) {
            Ok(name) if name.is_empty() => Ok(None),
            Ok(name) => Self::parse(&name).map(Some).ok_or(name),
            Err(_) => Ok(None),
        }
    }
}
