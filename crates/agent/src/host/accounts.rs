//! Accounts of the operating system: what IBM MQ asks about passwords.

use super::programs::Programs;
use crate::agent::ports::Accounts;
use crate::remedy::chain;
use nix::unistd::User;
use secrecy::{ExposeSecret, SecretString};
use std::time::Duration;

/// Longest run of a program that changes the accounts.
const DEADLINE: Duration = Duration::from_secs(30);

/// The accounts of this host.
#[derive(Debug, Clone)]
pub(crate) struct HostAccounts {
    programs: Programs,
    known: fn(&str) -> Result<bool, String>,
}

impl HostAccounts {
    /// The accounts that these programs change.
    pub(crate) fn new(programs: Programs) -> Self {
        Self { programs, known }
    }
}

fn known(user: &str) -> Result<bool, String> {
    let found = User::from_name(user).map_err(|e| format!("look for the user {user}: {e}"))?;
    Ok(found.is_some())
}

/// User and group id of an account that the image must have.
///
/// # Errors
/// In words, also when there is none.
pub(crate) fn ids(user: &str) -> Result<(u32, u32), String> {
    match User::from_name(user) {
        Ok(Some(found)) => Ok((found.uid.as_raw(), found.gid.as_raw())),
        Ok(None) => Err(format!(
            "user `{user}` does not exist on this host; the image must contain it, with the same ID on all hosts"
        )),
        Err(error) => Err(format!("look for the user {user}: {error}")),
    }
}

impl Accounts for HostAccounts {
    fn set(&self, user: &str, password: &SecretString) -> Result<(), String> {
        if password.expose_secret().contains(['\n', '\0']) {
            return Err("the password contains a line break, which is not allowed".to_owned());
        }
        if !(self.known)(user)? {
            // No home, no shell: the account exists so that the engine can ask about its password.
            let args = ["--system", "--no-create-home", "--shell", "/sbin/nologin", user];
            let made = self.programs.must(&self.programs.command("useradd", &args, DEADLINE));
            made.map_err(|e| chain(&e))?;
        }
        let input = format!("{user}:{}\n", password.expose_secret());
        self.programs
            .must(&self.programs.command("chpasswd", &[], DEADLINE).stdin(input))
            .map(drop)
            .map_err(|e| chain(&e))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;

    /// Doubles as real processes, which keep what they were given.
    fn doubles(dir: &Path, chpasswd: &str) -> Programs {
        for (name, body) in [("useradd", "echo \"$@\" > $0.args"), ("chpasswd", chpasswd)] {
            let path = dir.join(name);
            fs::write(&path, format!("#!/bin/sh\n{body}\n")).expect("double");
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("mode");
        }
        Programs::in_directory(dir)
    }

    #[test]
    fn an_account_is_made_once_and_the_password_goes_through_a_pipe_alone() {
        let dir = tempfile::tempdir().expect("tempdir");
        let programs = doubles(dir.path(), "cat > $0.in; echo \"$@\" > $0.args; env > $0.env");
        let password = SecretString::from("s3cret");
        for known in [(|_| Ok(false)) as fn(&str) -> _, |_| Ok(true)] {
            let accounts = HostAccounts {
                programs: programs.clone(),
                known,
            };
            accounts.set("mqapp", &password).expect("set");
        }
        let read = |name: &str| fs::read_to_string(dir.path().join(name)).expect("kept");
        assert_eq!(
            read("useradd.args"),
            "--system --no-create-home --shell /sbin/nologin mqapp\n"
        );
        assert_eq!(read("chpasswd.in"), "mqapp:s3cret\n");
        assert_eq!(read("chpasswd.args"), "\n");
        assert!(!read("chpasswd.env").contains("s3cret"));
    }

    #[test]
    fn a_refusal_is_told_without_the_password() {
        let dir = tempfile::tempdir().expect("tempdir");
        let programs = doubles(dir.path(), "echo 'line 1: too short' >&2; exit 1");
        let accounts = HostAccounts {
            programs,
            known: |_| Ok(true),
        };
        let why = accounts
            .set("mqapp", &SecretString::from("s3cret"))
            .expect_err("refused");
        assert!(why.contains("too short") && !why.contains("s3cret"), "{why}");
        assert!(accounts.set("mqapp", &SecretString::from("a\nroot:b")).is_err());
    }

    #[test]
    fn ids_of_an_account_and_of_none() {
        assert_eq!(ids("root"), Ok((0, 0)));
        assert!(ids("no-such-user").expect_err("none").contains("no-such-user"));
    }
}
