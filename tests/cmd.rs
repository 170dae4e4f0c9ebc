//! Transcripts of the command line: what is printed, and the exit code.
//!
//! Nothing here has a network or a local cloud. `TRYCMD=overwrite cargo test --test cmd` writes what is printed now into
//! the transcripts, for review.

/// What the machine that runs the tests has set must not be seen.
fn cases(credentials: &str) -> trycmd::TestCases {
    let nowhere = std::env::temp_dir().join(format!("mqaws-cmd-{}", std::process::id()));
    let nowhere = nowhere.display().to_string();
    let cases = trycmd::TestCases::new();
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
