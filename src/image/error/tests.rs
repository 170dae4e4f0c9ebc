//! What people read of a build that did not end well.

use super::super::ports::Left;
use super::super::stages::Stage;
use super::*;

fn failed(said: &[&str], left: Left) -> ImageError {
    ImageError::Failed {
        stage: Some(Failure {
            stage: Stage::Script("30-engine".into()),
            took: Duration::from_secs(12),
            said: said.iter().map(|s| (*s).to_owned()).collect(),
        }),
        reason: Some("Script exited with non-zero exit status: 1".into()),
        late: false,
        log: "b.log".into(),
        remains: Leftovers::Known(left),
        region: "eu-west-1".into(),
    }
}

#[test]
fn a_failed_build_names_stage_words_log_and_what_is_left() {
    let error = failed(
        &[
            "mqaws: 30-engine: installing",
            "error: no space",
            "hint: a larger volume",
        ],
        Left::default(),
    );
    assert_eq!(
        error.to_string(),
        "the image was not built: `30-engine` failed after 12 s"
    );
    assert_eq!(error.left().as_deref(), Some("nothing"));
    assert_eq!(
        error.hint().as_deref(),
        Some("a larger volume"),
        "the script knows best"
    );
    let labels: Vec<String> = error.details().into_iter().map(|(label, _)| label).collect();
    assert_eq!(labels, ["cause", "said", "log"]);
}

#[test]
fn a_reason_of_many_lines_is_told_once() {
    let mut error = failed(&["    Values: [\"none\"]", "  }"], Left::default());
    if let ImageError::Failed { reason, .. } = &mut error {
        *reason = Some("No AMI was found: {\n      Values: [\"none\"]\n}".into());
    }
    let labels: Vec<String> = error.details().into_iter().map(|(label, _)| label).collect();
    assert_eq!(labels, ["cause", "log"]);
}

#[test]
fn what_is_left_comes_with_the_commands_that_remove_it() {
    let left = Left {
        instances: vec!["i-1".into()],
        key_pairs: vec!["packer_1".into()],
        ..Left::default()
    };
    let error = failed(&[], left);
    assert_eq!(error.left().as_deref(), Some("instance i-1, key pair packer_1"));
    let hint = error.hint().unwrap_or_default();
    assert!(
        hint.contains("aws ec2 terminate-instances --region eu-west-1 --instance-ids i-1"),
        "{hint}"
    );
    assert!(
        hint.contains("aws ec2 delete-key-pair --region eu-west-1 --key-name packer_1"),
        "{hint}"
    );
}

#[test]
fn what_was_not_asked_is_not_called_nothing() {
    let unknown = Leftovers::Told {
        left: Left::default(),
        why: "ec2:DescribeInstances: no answer in time".into(),
    };
    assert!(unknown.words().starts_with("unknown: "));
}

#[test]
fn a_build_whose_time_is_up_can_be_given_more() {
    let mut error = failed(&["hint: a larger volume"], Left::default());
    if let ImageError::Failed { late, .. } = &mut error {
        *late = true;
    }
    assert_eq!(error.hint().as_deref(), Some("to wait longer, use a longer --timeout"));
}
