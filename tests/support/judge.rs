//! Judges from elsewhere: Python tools of the environment that `MQAWS_TEST_VENV` names, checkov of the one
//! that `MQAWS_TEST_CHECKOV` names, and programs of the system. A test
//! that has not got them says that it was skipped and why, or fails where somebody wants them.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The variable that makes a missing tool a failure.
pub(crate) const TOOLS: &str = "MQAWS_REQUIRE_TOOLS";
/// The variable that makes a machine that cannot run hosts a failure.
pub(crate) const HOSTS: &str = "MQAWS_REQUIRE_HOSTS";

/// The project's folder, seen from any of its packages.
pub(crate) fn root() -> &'static Path {
    let mut above = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    above
        .find(|folder| folder.join("tests/judges").is_dir())
        .expect("the judges")
}

/// A script of the judges.
pub(crate) fn script(name: &str) -> PathBuf {
    root().join("tests/judges").join(name)
}

/// Says that a test is skipped and why, or fails it where this variable is `1`.
#[track_caller]
pub(crate) fn skip(required: &str, test: &str, why: &str) {
    let wanted = std::env::var_os(required).is_some_and(|value| value == "1");
    assert!(!wanted, "{required}=1, and {test} cannot run: {why}");
    left_out(test, why);
}

/// Says that a test is skipped for a reason that no tool would change.
pub(crate) fn left_out(test: &str, why: &str) {
    // Past the capture of a test's output, so that it is seen.
    writeln!(std::io::stderr(), "SKIPPED {test}: {why}").expect("standard error");
}

/// The environment of most judges.
const VENV: &str = "MQAWS_TEST_VENV";

fn environment(variable: &str) -> Result<PathBuf, String> {
    match std::env::var_os(variable) {
        Some(venv) if !venv.is_empty() => Ok(venv.into()),
        _ => Err(format!("{variable} is not set; scripts/test makes the environment")),
    }
}

fn program(variable: &str, name: &str) -> Result<PathBuf, String> {
    let path = environment(variable)?.join("bin").join(name);
    if path.exists() {
        return Ok(path);
    }
    Err(format!("{} does not exist", path.display()))
}

/// The Python environment; `None` after a visible line when there is none.
#[track_caller]
pub(crate) fn venv(test: &str) -> Option<PathBuf> {
    environment(VENV).map_err(|why| skip(TOOLS, test, &why)).ok()
}

/// A program of the Python environment, or checkov of its own; `None` after a visible line when there is none.
#[track_caller]
pub(crate) fn tool(name: &str) -> Option<PathBuf> {
    let variable = match name {
        "checkov" => "MQAWS_TEST_CHECKOV",
        _ => VENV,
    };
    program(variable, name).map_err(|why| skip(TOOLS, name, &why)).ok()
}

/// A command with nothing of the user's AWS configuration.
pub(crate) fn clean(program: impl AsRef<std::ffi::OsStr>, home: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", home)
        .env("TMPDIR", home)
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .env("AWS_CONFIG_FILE", "/dev/null")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_PAGER", "")
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .current_dir(home)
        .stdin(Stdio::null());
    command
}
