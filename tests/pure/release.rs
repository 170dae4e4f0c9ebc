//! What a release may need of the system it runs on: judged by `scripts/release --glibc`, on our programs and on planted ones.

use crate::judge::root;
use crate::shipped_agent::shipped_agent;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn judge(program: &Path) -> Output {
    Command::new(root().join("scripts/release"))
        .arg("--glibc")
        .arg(program)
        .output()
        .unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A program or library from C.
fn planted(dir: &Path, name: &str, source: &str, flags: &[&str]) -> PathBuf {
    let file = dir.join(format!("{name}.c"));
    std::fs::write(&file, source).unwrap();
    let program = dir.join(name);
    let compiled = Command::new("cc")
        .arg("-o")
        .arg(&program)
        .arg(&file)
        .args(flags)
        .output()
        .unwrap();
    assert!(compiled.status.success(), "{}", said(&compiled));
    program
}

#[test]
fn both_programs_run_with_the_glibc_of_rhel_9_and_amazon_linux_2023() {
    for program in [env!("CARGO_BIN_EXE_mqaws"), shipped_agent()] {
        let judged = judge(Path::new(program));
        assert!(judged.status.success(), "{}", said(&judged));
        assert!(said(&judged).contains("at most 2.34 allowed"), "{}", said(&judged));
    }
}

#[test]
fn a_program_that_needs_a_newer_glibc_is_no_release() {
    let dir = tempfile::tempdir().unwrap();
    // A version of our own in glibc's name: the machine's own glibc may have nothing newer than 2.34.
    let library = "int newer(void) { return 0; }";
    let map = dir.path().join("map");
    std::fs::write(&map, "GLIBC_2.40 { global: newer; };\n").unwrap();
    let script = format!("-Wl,--version-script={}", map.display());
    let library = planted(dir.path(), "libnewer.so", library, &["-shared", "-fPIC", &script]);
    let calls = "int newer(void); int main(void) { return newer(); }";
    let program = planted(dir.path(), "calls", calls, &[library.to_str().unwrap()]);

    let judged = judge(&program);
    assert_eq!(judged.status.code(), Some(1), "{}", said(&judged));
    let words = said(&judged);
    assert!(words.contains("needs glibc 2.40") && words.contains("newer"), "{words}");
}

#[test]
fn a_program_without_glibc_is_told_from_one_that_needs_little() {
    let dir = tempfile::tempdir().unwrap();
    let source = "void _start(void) { for (;;) ; }";
    let program = planted(dir.path(), "bare", source, &["-nostdlib", "-static"]);
    let judged = judge(&program);
    assert_eq!(judged.status.code(), Some(1), "{}", said(&judged));
}
