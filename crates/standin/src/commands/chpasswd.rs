//! `chpasswd` of a virtual machine of the lab: the stand-in asks the account file and not the operating system.

use std::{
    ffi::OsString,
    fs,
    io::{self, Read},
    os::unix::fs::{MetadataExt, chown},
    path::Path,
    process::ExitCode,
};

use crate::lab_accounts::{self, Accounts};
use crate::standin::home::Home;

/// Reads lines `user:password` and writes them to the account file, which then belongs to the engine's user.
pub fn chpasswd_main(_args: Vec<OsString>) -> ExitCode {
    let Some(home) = Home::from_environment() else {
        eprintln!("chpasswd of mqaws, a test double, runs on lab instances only");
        return ExitCode::from(3);
    };
    let mut lines = String::new();
    let changed = io::stdin()
        .read_to_string(&mut lines)
        .and_then(|_| change(home.root(), &lines));
    match changed {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("chpasswd: {error}");
            ExitCode::FAILURE
        }
    }
}

fn change(root: &Path, lines: &str) -> io::Result<()> {
    let mut accounts = Accounts::read(root).map_err(io::Error::other)?;
    for (user, password) in lines.lines().filter_map(|l| l.split_once(':')) {
        accounts.set(user, password)?;
    }
    accounts.write(root).map_err(io::Error::other)?;
    let engine = fs::metadata(root.join("var/mqm"))?;
    chown(lab_accounts::path(root), Some(engine.uid()), Some(engine.gid()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_come_as_lines_and_may_hold_colons() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("var/mqm")).unwrap();
        change(root.path(), "mqapp:a:b\nother:c\n").unwrap();
        let accounts = Accounts::read(root.path()).unwrap();
        assert!(accounts.verify("mqapp", "a:b") && accounts.verify("other", "c"));
    }
}
