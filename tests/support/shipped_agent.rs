//! The agent as shipped: the program of another package, while cargo names to a test only the programs of its own.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Where the agent is, built as `mqaws` of this test is and from the same sources.
pub(crate) fn shipped_agent() -> &'static str {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let built = BUILT.get_or_init(|| built(["--bin", "mqaws-agent"]));
    built.to_str().expect("a path in UTF-8")
}

/// Builds one target of the workspace in the profile of these tests, and says where it is.
pub(crate) fn built(target: [&str; 2]) -> PathBuf {
    let programs = Path::new(env!("CARGO_BIN_EXE_mqaws"))
        .parent()
        .expect("a folder of programs");
    let folder = programs
        .file_name()
        .and_then(|f| f.to_str())
        .expect("a profile's folder");
    let profile = if folder == "debug" { "dev" } else { folder };
    // The whole workspace: the features of its dependencies are then those of the tests, and nothing is built twice.
    let built = Command::new(env!("CARGO"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["build", "--quiet", "--offline", "--workspace"])
        .args(target)
        .args(["--profile", profile, "--message-format", "json"])
        .arg("--target-dir")
        .arg(programs.parent().expect("a target directory"))
        .output()
        .expect("cargo runs");
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let told = String::from_utf8_lossy(&built.stdout);
    let mut named = told.lines().filter_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        let is_it = message["target"]["name"] == target[1];
        is_it.then(|| message["executable"].as_str().map(PathBuf::from))?
    });
    named.next_back().expect("cargo names the program")
}
