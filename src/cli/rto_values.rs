//! A user's own measured values for the model of an outage.

use super::CliError;
use crate::failover::report::Model;
use crate::topology::bound::{Measured, Parameter, replace};
use mqaws_files::read_text;
use std::collections::BTreeMap;
use std::path::Path;

/// Most bytes of a file of values.
const LARGEST: u64 = 1 << 16;

/// A file of measured values.
#[derive(Debug)]
pub(super) struct RtoValues {
    name: String,
    values: BTreeMap<String, Measured>,
}

impl RtoValues {
    /// Reads the file.
    ///
    /// # Errors
    /// A file that cannot be read, or does not list seconds by name.
    pub(super) fn read(path: &Path) -> Result<Self, CliError> {
        let text = read_text(path, LARGEST).map_err(|source| CliError::Text {
            path: path.to_owned(),
            source,
        })?;
        let name = path.display().to_string();
        match serde_saphyr::from_str(&text) {
            Ok(values) => Ok(Self { name, values }),
            Err(error) => Err(refused(&name, &error.to_string())),
        }
    }

    /// The model of these parameters, with the values of the file if there is one.
    ///
    /// # Errors
    /// A value of a parameter that does not exist, and one that is no time.
    pub(super) fn model(file: Option<&Self>, mut parameters: Vec<Parameter>) -> Result<Model, CliError> {
        if let Some(Self { name, values }) = file {
            replace(&mut parameters, values, name).map_err(|error| refused(name, &error.to_string()))?;
        }
        Ok(Model {
            parameters,
            values: file.map(|file| file.name.clone()),
        })
    }
}

fn refused(name: &str, why: &str) -> CliError {
    CliError::Precondition {
        message: format!("cannot use `{name}`: {why}"),
        hint: Some(
            "name parameters with their seconds, such as `ec2.launch: 41.5` or `ec2.launch: [31, 44]`".to_owned(),
        ),
    }
}
