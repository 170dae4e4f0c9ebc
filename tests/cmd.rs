//! Transcripts of the command line: what is printed, and the exit code.
//!
//! Nothing here has a network or a local cloud. `TRYCMD=overwrite cargo test --test cmd` writes what is printed now into
//! the transcripts, for review.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::process::Command;

/// What the machine that runs the tests has set must not be seen.
fn cases(credentials: &str) -> trycmd::TestCases {
    let nowhere = std::env::temp_dir().join(format!("mqaws-cmd-{}", std::process::id()));
    let nowhere = nowhere.display().to_string();
    let cases = trycmd::TestCases::new();
    for (variable, _) in std::env::vars_os() {
        if let Some(variable) = variable.to_str().filter(|name| name.starts_with("MQAWS_")) {
            cases.env(variable, "");
        }
    }
    for variable in ["MQAWS_LAB_DIR", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"] {
        cases.env(variable, &nowhere);
    }
    for variable in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"] {
        cases.env(variable, credentials);
    }
    for variable in [
        "AWS_SESSION_TOKEN",
        "AWS_PROFILE",
        "AWS_REGION",
        "AWS_DEFAULT_REGION",
        "AWS_ENDPOINT_URL",
    ] {
        cases.env(variable, "");
    }
    cases.env("AWS_EC2_METADATA_DISABLED", "true").env("NO_COLOR", "1");
    cases
}

#[test]
fn without_credentials() {
    cases("").case("tests/cmd/*.md");
}

#[test]
fn with_credentials() {
    cases("test").case("tests/cmd/credentials/*.md");
}

/// `mqaws` with one variable beside the search path.
fn with_variable(name: &str, value: &OsStr, args: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_mqaws"))
        .args(args)
        .env_clear()
        .env(name, value)
        .current_dir(std::env::temp_dir())
        .output()
        .expect("it starts");
    (
        output.status.code(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    )
}

#[test]
fn variables_are_as_strict_as_flags() {
    let validate = ["validate", "--region", "eu-west-1"];
    let odd = OsStr::from_bytes(b"\xff");
    for (name, value, code, says) in [
        ("FOO", odd, 0, ""),
        ("MQAWS_STACK", odd, 2, "MQAWS_STACK is not valid UTF-8"),
        (
            "MQAWS_YES",
            OsStr::new("maybe"),
            2,
            "`MQAWS_YES` must be true or false, found `maybe`",
        ),
        ("MQAWS_LOCAL", OsStr::new("disabled"), 2, "found `disabled`"),
        ("MQAWS_OUTPUT", OsStr::new("xml"), 2, "MQAWS_OUTPUT"),
        ("MQAWS_QUIET", OsStr::new("False"), 0, ""),
        ("MQAWS_STORAGE_BACKUP", OsStr::new("True"), 0, ""),
        ("MQAWS_CONFIG", OsStr::new(""), 0, ""),
        ("MQAWS_HOME", OsStr::new("1"), 0, "no variable MQAWS_HOME"),
        ("MQAWS_LOG", OsStr::new("foo=bar=baz"), 2, "not a log filter"),
    ] {
        let (exit, said) = with_variable(name, value, &validate);
        assert_eq!(exit, Some(code), "{name}: {said}");
        assert!(said.contains(says) && !said.contains("panicked"), "{name}: {said}");
    }
    let (exit, said) = with_variable("MQAWS_YES", OsStr::new("maybe"), &["--help"]);
    assert_eq!(exit, Some(0), "{said}");
}
