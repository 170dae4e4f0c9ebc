//! The agent as shipped: the program of another package, while cargo names to a test only the programs of its own.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Where the agent is, built as `mqaws` of this test is and from the same sources.
pub(crate) fn shipped_agent() -> &'static str {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let built = BUILT.get_or_init(|| {
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
            .args([
                "build",
                "--quiet",
                "--offline",
                "--workspace",
                "--bin",
                "mqaws-agent",
                "--profile",
                profile,
            ])
            .arg("--target-dir")
            .arg(programs.parent().expect("a target directory"))
            .output()
            .expect("cargo runs");
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        programs.join("mqaws-agent")
    });
    built.to_str().expect("a path in UTF-8")
}
