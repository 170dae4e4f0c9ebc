//! Measured values of a user's own instead of parameters' defaults.

use super::parameters::Parameter;
use super::range::range;
use std::collections::BTreeMap;

/// A value that cannot replace a parameter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidValue {
    /// There is no such parameter.
    #[error("unknown parameter `{name}`; valid parameters: {}", .valid.join(", "))]
    Unknown {
        /// The name.
        name: String,
        /// Those that there are.
        valid: Vec<String>,
    },
    /// It is no time.
    #[error("invalid value for `{0}`: must be seconds from 0 to 86400, or two of them, the least and the most")]
    Seconds(String),
}

/// A measured value: seconds, or the least and the most.
#[derive(Debug, Clone, Copy, PartialEq, serde::Deserialize)]
#[serde(untagged)]
pub enum Measured {
    /// So long.
    Seconds(f64),
    /// From the least to the most.
    Range(f64, f64),
}

/// Replaces parameters by measured values, which are from `source`.
///
/// # Errors
/// [`InvalidValue`].
pub fn replace(
    parameters: &mut [Parameter],
    values: &BTreeMap<String, Measured>,
    source: &str,
) -> Result<(), InvalidValue> {
    for (name, value) in values {
        let Some(index) = parameters.iter().position(|parameter| parameter.name == *name) else {
            return Err(InvalidValue::Unknown {
                name: name.clone(),
                valid: parameters.iter().map(|parameter| parameter.name.clone()).collect(),
            });
        };
        let (least_s, most_s) = match *value {
            Measured::Seconds(seconds) => (seconds, seconds),
            Measured::Range(least, most) => (least, most),
        };
        if !(0.0..=86_400.0).contains(&least_s) || !(least_s..=86_400.0).contains(&most_s) {
            return Err(InvalidValue::Seconds(name.clone()));
        }
        let parameter = &mut parameters[index];
        parameter.range = range(least_s, most_s);
        parameter.source = format!("from {source}: measured");
        parameter.is_assumed = false;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::parameters::parameters;
    use super::*;
    use crate::model::Deployment;

    #[test]
    fn a_measured_value_is_no_assumption_and_says_what_file_it_is_from() {
        let mut all = parameters(&Deployment::default());
        let values = |name: &str, value| BTreeMap::from([(name.to_owned(), value)]);
        replace(
            &mut all,
            &values("ec2.launch", Measured::Range(31.0, 44.0)),
            "measured.yaml",
        )
        .unwrap();
        let launch = all.iter().find(|parameter| parameter.name == "ec2.launch").unwrap();
        assert_eq!((launch.range, launch.is_assumed), (range(31.0, 44.0), false));
        assert_eq!(launch.source, "from measured.yaml: measured");
        for (name, value) in [
            ("ec2.lunch", Measured::Seconds(1.0)),
            ("ec2.launch", Measured::Seconds(-1.0)),
            ("ec2.launch", Measured::Seconds(f64::NAN)),
            ("ec2.launch", Measured::Range(2.0, 1.0)),
        ] {
            assert!(
                replace(&mut all, &values(name, value), "file").is_err(),
                "{name} {value:?}"
            );
        }
    }
}
