//! `lab env`: what the AWS CLI and the SDKs need of the local cloud, for a shell.

use super::running;
use crate::cli::suggestions::quoted;
use crate::cli::{Context, Outcome};
use crate::remedy::ExitKind;
use mqaws_lab::home::LabRecord;
use serde_json::{Map, Value, json};

/// Variables that would outweigh the others, or choose another account.
const UNSET: [&str; 3] = ["AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN"];

/// The keys are those of the local cloud, made when it started and good for nothing else.
fn variables(record: &LabRecord) -> [(&'static str, &str); 5] {
    [
        ("AWS_ENDPOINT_URL", &record.endpoint),
        ("AWS_REGION", &record.region),
        ("AWS_DEFAULT_REGION", &record.region),
        ("AWS_ACCESS_KEY_ID", &record.access_key_id),
        ("AWS_SECRET_ACCESS_KEY", &record.secret_access_key),
    ]
}

/// Lines for `eval`, in every shell of POSIX.
fn lines(variables: &[(&str, &str)]) -> String {
    let export = |(name, value): &(&str, &str)| format!("export {name}={}\n", quoted(value));
    let set: String = variables.iter().map(export).collect();
    format!("{set}unset {}\n", UNSET.join(" "))
}

/// Prints the lines.
pub(super) fn run(context: &Context) -> Outcome {
    let record = running()?;
    let variables = variables(&record);
    let output = context.output();
    if output.is_json() {
        let set: Map<String, Value> = variables
            .map(|(name, value)| (name.to_owned(), value.into()))
            .into_iter()
            .collect();
        output.document(&json!({ "schema": "mqaws.lab-env/1", "set": set, "unset": UNSET }));
    } else {
        output.raw(&lines(&variables));
    }
    Ok(ExitKind::Success)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_one_word_for_a_shell() {
        let lines = lines(&[("A", "http://127.0.0.1:4566"), ("B", "a'b $(c)")]);
        let words: Vec<Vec<String>> = lines.lines().map(|line| shlex::split(line).unwrap()).collect();
        assert_eq!(words[0], ["export", "A=http://127.0.0.1:4566"]);
        assert_eq!(words[1], ["export", "B=a'b $(c)"]);
        assert_eq!(words[2][0], "unset");
    }
}
