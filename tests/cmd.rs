//! Transcripts of the command line: what is printed, and the exit code.
//!
//! Nothing here has a network or a local cloud. `TRYCMD=overwrite cargo test --test cmd` writes what is printed now into
//! the transcripts, for review.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
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

/// How a command ended, and what it said on standard error.
fn told(command: &mut Command) -> (Option<i32>, String) {
    let output = command.output().expect("it starts");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code(), said)
}

/// `mqaws` with one variable beside the search path.
fn with_variable(name: &str, value: &OsStr, args: &[&str]) -> (Option<i32>, String) {
    told(
        Command::new(env!("CARGO_BIN_EXE_mqaws"))
            .args(args)
            .env_clear()
            .env(name, value)
            .current_dir(std::env::temp_dir()),
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
        (
            "MQAWS_HOME",
            OsStr::new("1"),
            0,
            "unknown environment variable MQAWS_HOME",
        ),
        ("MQAWS_LOG", OsStr::new("foo=bar=baz"), 2, "invalid log filter"),
    ] {
        let (exit, said) = with_variable(name, value, &validate);
        assert_eq!(exit, Some(code), "{name}: {said}");
        assert!(said.contains(says) && !said.contains("panicked"), "{name}: {said}");
    }
    let (exit, said) = with_variable("MQAWS_YES", OsStr::new("maybe"), &["--help"]);
    assert_eq!(exit, Some(0), "{said}");
}

/// Runs `mqaws` where no file can grow beyond a few kilobytes.
fn on_a_full_disk(folder: &Path, args: &str) -> (Option<i32>, String) {
    let line = format!("trap '' XFSZ; ulimit -f 4; exec \"$0\" {args}");
    told(
        Command::new("sh")
            .args(["-c", &line, env!("CARGO_BIN_EXE_mqaws")])
            .env_clear()
            .current_dir(folder),
    )
}

#[test]
fn a_file_appears_whole_or_not_at_all() {
    let dir = tempfile::tempdir().expect("tempdir");
    let own = "# mine\n".repeat(2000);
    std::fs::write(dir.path().join("own.yaml"), &own).expect("written");
    for args in [
        "init --offline new.yaml",
        "init --offline --force own.yaml",
        "ami manifest --write packer",
        "man --write pages",
    ] {
        let (code, said) = on_a_full_disk(dir.path(), args);
        assert_eq!(code, Some(3), "{args}: {said}");
        assert!(said.contains("nothing was changed"), "{args}: {said}");
    }
    let names: Vec<_> = std::fs::read_dir(dir.path())
        .expect("folder")
        .map(|entry| entry.expect("entry").file_name())
        .collect();
    assert_eq!(names, ["own.yaml"]);
    assert_eq!(std::fs::read_to_string(dir.path().join("own.yaml")).expect("file"), own);
}

#[test]
fn help_that_was_lost_is_an_error() {
    for args in [
        &["--help"][..],
        &["--version"],
        &["help", "deploy"],
        &["lab", "up", "--help"],
    ] {
        let full = std::fs::File::options()
            .write(true)
            .open("/dev/full")
            .expect("/dev/full");
        let output = Command::new(env!("CARGO_BIN_EXE_mqaws"))
            .args(args)
            .stdout(full)
            .output()
            .expect("it starts");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(3), "{args:?}: {said}");
        assert!(said.contains("cannot write to standard output"), "{args:?}: {said}");
    }
}

/// Validates a configuration whose definitions are a file of this name.
fn validate(folder: &Path, definitions: &str) -> (Option<i32>, String) {
    let text = format!("region: eu-west-1\nqueue_manager:\n  definitions: {definitions}\n");
    std::fs::write(folder.join("mqaws.yaml"), text).expect("written");
    run(folder, &["validate"])
}

fn run(folder: &Path, args: &[&str]) -> (Option<i32>, String) {
    told(
        Command::new(env!("CARGO_BIN_EXE_mqaws"))
            .args(args)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .current_dir(folder),
    )
}

#[test]
fn only_regular_bounded_files_of_the_configurations_folder_are_read() {
    let dir = tempfile::tempdir().expect("tempdir");
    let folder = dir.path().join("own");
    std::fs::create_dir(&folder).expect("folder");
    let pipe = Command::new("mkfifo")
        .arg(folder.join("pipe"))
        .status()
        .expect("mkfifo");
    assert!(pipe.success());
    for (name, bytes) in [
        ("own/good.mqsc", &b"\xef\xbb\xbfDEFINE QLOCAL(A)\n"[..]),
        ("secret.mqsc", b"DEFINE QLOCAL(A)\n"),
        ("own/utf16.mqsc", b"\xff\xfeD\0"),
        ("own/latin.mqsc", b"* one\n* z\xfcrich\n"),
        ("own/long.mqsc", &b"*".repeat(9000)),
        (
            "own/bad.mqsc",
            b"DEFINE QLOCAL(A)\n  FROBNICATE QLOCAL(B)\nEND\nDIS QMGR\n",
        ),
        ("own/large.yaml", &b"#\n".repeat(600_000)),
        ("own/utf16.yaml", b"\xff\xfer\0"),
    ] {
        std::fs::write(dir.path().join(name), bytes).expect("written");
    }
    std::os::unix::fs::symlink("../secret.mqsc", folder.join("link.mqsc")).expect("link");
    for (definitions, code, says) in [
        ("good.mqsc", 0, ""),
        ("/dev/zero", 3, "outside the folder"),
        ("/etc/passwd", 3, "outside the folder"),
        ("../secret.mqsc", 3, "outside the folder"),
        ("link.mqsc", 3, "outside the folder"),
        ("pipe", 3, "not a regular file"),
        ("utf16.mqsc", 3, "UTF-16"),
        ("latin.mqsc", 3, "line 2 is not UTF-8"),
        ("long.mqsc", 3, "more than 8192 bytes"),
        ("bad.mqsc", 3, "bad.mqsc:2:3"),
        ("bad.mqsc", 3, "bad.mqsc:3:1"),
    ] {
        let (exit, said) = validate(&folder, definitions);
        assert_eq!(exit, Some(code), "{definitions}: {said}");
        assert!(said.contains(says), "{definitions}: {said}");
    }
    // Who names it on the command line may read it.
    let named = run(
        &folder,
        &["validate", "--set", "queue_manager.definitions=../secret.mqsc"],
    );
    assert_eq!(named.0, Some(0), "{}", named.1);
    let device = run(&folder, &["validate", "--set", "queue_manager.definitions=/dev/zero"]);
    assert!(device.1.contains("not a regular file"), "{}", device.1);
    for (file, says) in [
        ("/dev/zero", "not a regular file"),
        ("pipe", "not a regular file"),
        ("large.yaml", "more than 1048576 bytes"),
        ("utf16.yaml", "UTF-16"),
    ] {
        let (exit, said) = run(&folder, &["validate", "--config", file]);
        assert_eq!(exit, Some(3), "{file}: {said}");
        assert!(said.contains(says), "{file}: {said}");
    }
}

#[test]
fn a_key_that_two_flags_give_is_refused() {
    let dir = tempfile::tempdir().expect("tempdir");
    for args in [
        &["validate", "--stack", "a", "--set", "stack=b"][..],
        &[
            "validate",
            "--set",
            "storage.backup=true",
            "--set",
            "storage.backup=false",
        ],
        &["validate", "--region", "eu-west-1", "--set", "region=us-east-1"],
    ] {
        let (code, said) = run(dir.path(), args);
        assert_eq!(code, Some(3), "{said}");
        assert!(said.contains("is specified twice"), "{said}");
    }
}

#[test]
fn a_profile_is_looked_for_before_anything_else_and_its_session_is_named() {
    let dir = tempfile::tempdir().expect("tempdir");
    let files = "[profile dev]\nregion = eu-west-1\n[profile old]\nsso_start_url = https://x.awsapps.com/start\n\
                 sso_region = eu-west-1\nsso_account_id = 123456789012\nsso_role_name = Admin\n";
    std::fs::write(dir.path().join("config"), files).expect("written");
    let status = |args: &[&str], variables: &[(&str, &str)]| {
        told(
            Command::new(env!("CARGO_BIN_EXE_mqaws"))
                .arg("status")
                .args(args)
                .env_clear()
                .env("HOME", dir.path())
                .env("AWS_CONFIG_FILE", dir.path().join("config"))
                .env("AWS_EC2_METADATA_DISABLED", "true")
                .envs(variables.iter().copied())
                .current_dir(dir.path()),
        )
    };
    let keys = [("AWS_ACCESS_KEY_ID", "a"), ("AWS_SECRET_ACCESS_KEY", "b")];
    let named = [("AWS_PROFILE", "nosuch")];
    for (args, variables) in [
        (&["--profile", "nosuch"][..], &[][..]),
        (&["--profile", "nosuch", "--region", "eu-west-1"], &keys),
        (&[], &named),
    ] {
        let (exit, said) = status(args, variables);
        assert_eq!(exit, Some(3), "{said}");
        assert!(said.contains("profile `nosuch` not found"), "{said}");
        assert!(said.contains("dev, old"), "{said}");
    }
    let (exit, said) = status(&["--profile", "old", "--region", "eu-west-1"], &[]);
    assert_eq!(exit, Some(3), "{said}");
    assert!(said.contains("`aws sso login --profile old`"), "{said}");
    assert!(!said.contains("os error"), "{said}");
}

/// Who accepts a connection and never answers.
#[test]
fn the_time_of_a_wait_bounds_what_is_read() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", silent.local_addr().expect("bound"));
    let began = std::time::Instant::now();
    let args = [
        "status",
        "--region",
        "eu-west-1",
        "--endpoint-url",
        &url,
        "--wait",
        "serving",
        "--timeout",
        "2s",
    ];
    let (exit, said) = told(
        Command::new(env!("CARGO_BIN_EXE_mqaws"))
            .args(args)
            .env_clear()
            .env("AWS_ACCESS_KEY_ID", "a")
            .env("AWS_SECRET_ACCESS_KEY", "b")
            .current_dir(std::env::temp_dir()),
    );
    assert_eq!(exit, Some(4), "{said}");
    assert!(said.contains("no response in time"), "{said}");
    assert!(
        began.elapsed() < std::time::Duration::from_secs(10),
        "{:?}",
        began.elapsed()
    );
}
