//! A lab process can never reset or halt the machine it runs on: the call is not in its executable.

use crate::judge::root;
use crate::shipped_agent::shipped_agent;
use std::path::Path;
use std::process::Command;

/// Names that the dynamic linker resolves for an executable, from the string table of its dynamic symbols.
fn imports(executable: &str) -> Vec<String> {
    let file = std::fs::read(executable).expect("executable");
    assert_eq!(&file[..5], b"\x7fELF\x02", "a 64-bit ELF file");
    let number = |at: usize, len: usize| {
        let bytes = &file[at..at + len];
        bytes
            .iter()
            .rev()
            .fold(0_usize, |sum, byte| sum << 8 | usize::from(*byte))
    };
    let (sections, size, count) = (number(0x28, 8), number(0x3a, 2), number(0x3c, 2));
    let section = |n: usize| sections + n * size;
    let dynamic_symbols = (0..count)
        .map(section)
        .find(|s| number(s + 4, 4) == 11)
        .expect("dynamic symbols");
    let strings = section(number(dynamic_symbols + 0x28, 4));
    let (offset, length) = (number(strings + 0x18, 8), number(strings + 0x20, 8));
    let table = &file[offset..offset + length];
    table
        .split(|b| *b == 0)
        .map(|name| String::from_utf8_lossy(name).into_owned())
        .collect()
}

#[test]
fn only_the_shipped_agent_can_reset_a_machine() {
    let has_reboot = |executable| imports(executable).iter().any(|name| name == "reboot");
    assert!(has_reboot(shipped_agent()), "else this test would see nothing");
    assert!(!has_reboot(env!("CARGO_BIN_EXE_mqaws")));
}

fn sources(dir: &Path, found: &mut Vec<(String, String)>) {
    for entry in std::fs::read_dir(dir).expect("directory").flatten() {
        let path = entry.path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            let text = std::fs::read_to_string(&path).expect("source");
            found.push((path.display().to_string(), text));
        }
    }
}

#[test]
fn no_library_code_names_the_call_or_the_files_that_do_the_same() {
    let mut found = Vec::new();
    for folder in ["src", "crates"] {
        let before = found.len();
        sources(&root().join(folder), &mut found);
        assert!(found.len() > before + 20, "{folder}");
    }
    for (path, text) in found {
        for word in [
            "RebootMode",
            "reboot::",
            "system::reboot",
            "sysrq-trigger",
            "dev/watchdog",
        ] {
            let allowed = path.ends_with("crates/agent/src/bin/mqaws-agent.rs");
            assert!(allowed || !text.contains(word), "{path} names {word}");
        }
    }
}

#[test]
fn the_labs_agent_and_keeper_refuse_to_run_outside_a_lab() {
    for verb in ["__agent", "__keeper"] {
        for root in [None, Some(""), Some("/"), Some("relative")] {
            let mut command = Command::new(env!("CARGO_BIN_EXE_mqaws"));
            command.arg(verb).env_remove("MQAWS_LAB_ROOT");
            if let Some(root) = root {
                command.env("MQAWS_LAB_ROOT", root);
            }
            let output = command.output().expect("run");
            assert_eq!(output.status.code(), Some(3), "{verb} {root:?}");
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(said.contains("MQAWS_LAB_ROOT") && said.contains("hint:"), "{said}");
        }
    }
}
