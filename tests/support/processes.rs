//! What the machine's tables say of processes and sockets.

use std::fs;
use std::path::{Path, PathBuf};

/// Command lines of processes in whose environment an entry begins so.
pub(crate) fn marked(entry: &str) -> Vec<String> {
    with_environment(|environment| {
        let mut entries = environment.split(|b| *b == 0);
        entries.any(|one| one.starts_with(entry.as_bytes()))
    })
}

/// Command lines of processes that were told of this directory by their environment.
pub(crate) fn told_of(dir: &Path) -> Vec<String> {
    let needle = dir.as_os_str().as_encoded_bytes();
    with_environment(|environment| environment.windows(needle.len()).any(|part| part == needle))
}

fn with_environment(wanted: impl Fn(&[u8]) -> bool) -> Vec<String> {
    let of = |path: PathBuf| {
        let environment = fs::read(path.join("environ")).ok()?;
        if !wanted(&environment) {
            return None;
        }
        let line = fs::read(path.join("cmdline")).ok().filter(|line| !line.is_empty())?;
        Some(String::from_utf8_lossy(&line).replace('\0', " "))
    };
    let processes = fs::read_dir("/proc").expect("a process table").flatten();
    processes.filter_map(|p| of(p.path())).collect()
}

/// Local addresses of the listening TCP sockets of a process, as the kernel prints them.
pub(crate) fn listening(pid: i32) -> Vec<String> {
    let sockets: Vec<String> = fs::read_dir(format!("/proc/{pid}/fd"))
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|fd| fs::read_link(fd.path()).ok()?.to_str().map(str::to_owned))
        .filter_map(|target| Some(target.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned()))
        .collect();
    let mut found = Vec::new();
    for table in ["tcp", "tcp6"] {
        let text = fs::read_to_string(format!("/proc/net/{table}")).unwrap_or_default();
        for line in text.lines().skip(1) {
            let fields: Vec<&str> = line.split_whitespace().collect();
            if fields.get(3) == Some(&"0A") && fields.get(9).is_some_and(|inode| sockets.iter().any(|s| s == inode)) {
                found.push(format!("{table} {}", fields[1]));
            }
        }
    }
    found
}
