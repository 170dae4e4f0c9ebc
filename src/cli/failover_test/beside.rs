//! How to test what hosts that are processes cannot have, in a local cloud beside the one that runs.
//!
//! A test does not start that one itself: a report is of one place and of the stack that its user deployed there, with its data.

use crate::cli::words::row;
use crate::cli::{Context, Output};
use crate::failover::report::NotRun;

/// Says which commands inject the faults that need hosts with a network of their own; nothing where none was left out.
pub(super) fn say(context: &Context, not_run: &[NotRun], timing: Option<&str>) {
    let output = context.output();
    if let Some([what, command]) = lines(output, not_run, timing) {
        output.data(format!("{}\n{}", row("beside", what), row("", command)));
    }
}

fn lines(output: &Output, not_run: &[NotRun], timing: Option<&str>) -> Option<[String; 2]> {
    let faults = not_run.iter().map(|one| one.fault);
    let faults: Vec<&str> = faults
        .filter(|fault| fault.facts().own_network)
        .map(|fault| fault.name())
        .collect();
    if faults.is_empty() {
        return None;
    }
    let complete = |command: &str| output.suggestions().command(command);
    let timing = timing.filter(|timing| *timing != "fast");
    let timing = timing.map_or_else(String::new, |timing| format!(" --timing {timing}"));
    let deploy = complete(&format!("mqaws deploy --local --hosts namespace{timing}"));
    let wanted: Vec<String> = faults.iter().map(|fault| format!("--fault {fault}")).collect();
    let test = complete(&format!("mqaws failover-test --local {}", wanted.join(" ")));
    Some([
        format!(
            "to inject {} in a local cloud beside this one, as root or where user namespaces are allowed:",
            faults.join(", ")
        ),
        in_a_lab_of_its_own(&deploy, &test),
    ])
}

/// Ends with the exit code of the test, and leaves nothing.
fn in_a_lab_of_its_own(deploy: &str, test: &str) -> String {
    format!(
        "(export MQAWS_LAB_DIR=$(mktemp -d); {deploy} && {test}; code=$?; mqaws lab down; rm -rf \"$MQAWS_LAB_DIR\"; exit $code)"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn the_command_ends_with_the_code_of_the_test_and_leaves_no_folder() {
        let folder = tempfile::tempdir().unwrap();
        for (deploy, test, code) in [("true", "(exit 10)", 10), ("(exit 3)", "true", 3), ("true", "true", 0)] {
            let command = format!("mqaws() {{ :; }}; {}", in_a_lab_of_its_own(deploy, test));
            let status = Command::new("sh")
                .args(["-c", &command])
                .env("TMPDIR", folder.path())
                .status()
                .unwrap();
            assert_eq!(status.code(), Some(code), "{command}");
            assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "{command}");
        }
    }
}
