//! The `MQAWS_*` variables of the environment, read once and by the same rules as flags and the configuration file.

use super::CliError;
use super::local::SOFTWARE;
use crate::model::config;
use crate::model::keys::{self, Kind};
use clap::builder::Resettable;
use std::ffi::OsString;

/// Variables that are no keys of the file, and what their values are: those of the global flags, and those between the parts of mqaws.
const OTHERS: &[(&str, Option<Kind>)] = &[
    ("MQAWS_CONFIG", None),
    ("MQAWS_ENDPOINT_URL", None),
    ("MQAWS_LOCAL", Some(Kind::Boolean)),
    ("MQAWS_OUTPUT", Some(Kind::Word(|| vec!["text", "json"]))),
    ("MQAWS_COLOR", Some(Kind::Word(|| vec!["auto", "always", "never"]))),
    ("MQAWS_NO_PROGRESS", Some(Kind::Boolean)),
    ("MQAWS_YES", Some(Kind::Boolean)),
    ("MQAWS_VERBOSE", Some(Kind::Integer { min: 0, max: 255 })),
    ("MQAWS_QUIET", Some(Kind::Boolean)),
    (LOG, None),
    ("MQAWS_LAB_DIR", None),
    (SOFTWARE, None),
    ("MQAWS_LAB", None),
    ("MQAWS_LAB_ROOT", None),
    (EXE, None),
];

/// The program that a lab runs its instances with.
const EXE: &str = "MQAWS_EXE";

/// The variable with a log filter.
const LOG: &str = "MQAWS_LOG";

/// Those of [`OTHERS`] that a user sets; a lab sets the rest for what it starts.
#[cfg(test)]
pub(super) fn for_users() -> impl Iterator<Item = &'static str> {
    let names = OTHERS.iter().map(|(name, _)| *name);
    names.filter(|name| !["MQAWS_LAB", "MQAWS_LAB_ROOT", EXE].contains(name))
}

/// The `MQAWS_*` variables that have a value; one that is empty counts as absent.
#[derive(Debug, Clone, Default)]
pub(super) struct Environment(Vec<(String, String)>);

impl Environment {
    /// That of this process.
    ///
    /// # Errors
    /// [`CliError::Usage`] for a variable that is not UTF-8, or whose value breaks the rule of its flag.
    pub(super) fn read() -> Result<Self, CliError> {
        Self::of(std::env::vars_os())
    }

    fn of(variables: impl Iterator<Item = (OsString, OsString)>) -> Result<Self, CliError> {
        let ours =
            variables.filter(|(name, value)| name.as_encoded_bytes().starts_with(b"MQAWS_") && !value.is_empty());
        let texts = ours.map(|(name, value)| match (name.to_str(), value.to_str()) {
            (Some(name), Some(value)) => Ok((name.to_owned(), value.to_owned())),
            _ => Err(CliError::Usage {
                message: format!("the variable {} is not valid UTF-8", name.to_string_lossy()),
                hint: Some("set it to UTF-8 text, or unset it".to_owned()),
            }),
        });
        let environment = Self(texts.collect::<Result<_, _>>()?);
        for (name, value) in &environment.0 {
            let kind = OTHERS
                .iter()
                .find(|(known, _)| known == name)
                .and_then(|(_, kind)| *kind);
            if let Some(wrong) = kind.and_then(|kind| config::wrong_variable(kind, name, value)) {
                return Err(CliError::Usage {
                    message: wrong.message,
                    hint: wrong.hint,
                });
            }
        }
        Ok(environment)
    }

    /// Names and values, for the keys of the file.
    pub(super) fn variables(&self) -> &[(String, String)] {
        &self.0
    }

    /// The filter of the log, when there is one.
    ///
    /// # Errors
    /// [`CliError::Usage`] for a text that is none.
    pub(super) fn log_filter(&self) -> Result<Option<tracing_subscriber::EnvFilter>, CliError> {
        let Some((_, filter)) = self.0.iter().find(|(name, _)| name == LOG) else {
            return Ok(None);
        };
        let filter = tracing_subscriber::EnvFilter::try_new(filter).map_err(|_| CliError::Usage {
            message: format!("invalid log filter `{filter}` in `{LOG}`"),
            hint: Some("example: `debug`, or `mqaws=debug,hyper=warn`".to_owned()),
        })?;
        Ok(Some(filter))
    }

    /// What is said of each variable that mqaws does not have: a warning and a hint.
    pub(super) fn unknown(&self) -> Vec<(String, String)> {
        let others: Vec<&str> = OTHERS.iter().map(|(name, _)| *name).collect();
        let known = |name: &str| others.contains(&name) || keys::keys().any(|key| keys::variable(key.path) == name);
        let unknown = self.0.iter().map(|(name, _)| name).filter(|name| !known(name));
        unknown
            .map(|name| {
                let hint = match keys::meant_variable(name, &others) {
                    Some(meant) => format!("did you mean {meant}?"),
                    None => "docs/configuration.md lists the variables; unset this one".to_owned(),
                };
                (format!("unknown environment variable {name}; it is ignored"), hint)
            })
            .collect()
    }
}

/// The same argument, without its variable when that is empty.
pub(super) fn without_empty(arg: clap::Arg) -> clap::Arg {
    let empty = arg
        .get_env()
        .and_then(std::env::var_os)
        .is_some_and(|value| value.is_empty());
    if empty { arg.env(Resettable::Reset) } else { arg }
}

/// A boolean of a flag's variable, as those of the configuration.
pub(super) fn boolean(text: &str) -> Result<bool, String> {
    config::boolean(text).ok_or_else(|| "use true or false".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::ffi::OsStringExt;

    fn of(variables: &[(&str, &str)]) -> Result<Environment, CliError> {
        Environment::of(variables.iter().map(|(name, value)| (name.into(), value.into())))
    }

    #[test]
    fn a_value_that_breaks_its_rule_is_refused_by_the_name_of_the_variable() {
        for (name, value) in [
            ("MQAWS_YES", "maybe"),
            ("MQAWS_LOCAL", "disabled"),
            ("MQAWS_QUIET", "tru"),
            ("MQAWS_NO_PROGRESS", "1"),
            ("MQAWS_OUTPUT", "xml"),
            ("MQAWS_COLOR", "blue"),
            ("MQAWS_VERBOSE", "many"),
        ] {
            let error = of(&[(name, value)]).expect_err(name).to_string();
            assert!(error.contains(name) && error.contains(value), "{error}");
        }
        for value in ["true", "TRUE", "false", "False", ""] {
            assert!(of(&[("MQAWS_YES", value)]).is_ok(), "{value}");
        }
    }

    #[test]
    fn only_our_own_variables_must_be_utf8() {
        let odd = || OsString::from_vec(vec![0xff]);
        let theirs = [(OsString::from("FOO"), odd()), (odd(), "x".into())];
        assert!(Environment::of(theirs.into_iter()).is_ok_and(|read| read.variables().is_empty()));
        let ours = [(OsString::from("MQAWS_STACK"), odd())];
        let error = Environment::of(ours.into_iter()).expect_err("refused").to_string();
        assert!(error.contains("MQAWS_STACK"), "{error}");
    }

    #[test]
    fn no_unknown_variable_is_silent_and_an_empty_one_is_absent() {
        let read = of(&[
            ("MQAWS_HOME", "1"),
            ("MQAWS_REGOIN", "x"),
            ("MQAWS_REGION", "x"),
            ("MQAWS_EMPTY", ""),
            ("MQAWS_EXE", "/bin/true"),
        ]);
        let hints: Vec<String> = read
            .expect("read")
            .unknown()
            .into_iter()
            .map(|(_, hint)| hint)
            .collect();
        assert_eq!(hints.len(), 2, "{hints:?}");
        assert!(hints[1].contains("MQAWS_REGION"), "{hints:?}");
    }

    #[test]
    fn a_log_filter_that_is_none_is_refused() {
        let filter = |text| of(&[(LOG, text)]).and_then(|read| read.log_filter());
        assert!(filter("foo=bar=baz").is_err());
        assert!(filter("mqaws=debug,info").is_ok_and(|filter| filter.is_some()));
        assert!(filter("").is_ok_and(|filter| filter.is_none()));
    }
}
