//! The account file of a lab instance: it stands for the accounts of the operating system.
//!
//! IBM MQ asks the operating system whether a password is right (`IDPWOS`). A lab instance is a set of processes without
//! accounts of its own, so the agent writes this file where a real host would get a user, and the stand-in asks it.
//!
//! `etc/mqaws/accounts.json` under the instance's root, mode 0600:
//! `{"schema":"mqaws.accounts/1","accounts":[{"user":"mqapp","salt":"<hex>","rounds":1000,"hash":"<hex>"}]}`, the hash being
//! PBKDF2 with HMAC-SHA-256. The passwords are long and random, so the rounds only keep the file from being a rainbow table.

use std::{
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
};

use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use mqaws_contract::remedy::{ExitKind, Remedy};
use mqaws_files::AtomicWrite;

const SCHEMA: &str = "mqaws.accounts/1";
const ROUNDS: u32 = 1000;

/// The accounts of one lab instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accounts {
    schema: String,
    accounts: Vec<Account>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Account {
    user: String,
    salt: String,
    rounds: u32,
    hash: String,
}

/// Why the account file could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum AccountsError {
    /// The file could not be read or written.
    #[error("could not {verb} the account file {}", .path.display())]
    File {
        /// `read` or `write`.
        verb: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The file is not what it should be.
    #[error("{} is not an account file", .path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What the reader said.
        #[source]
        source: serde_json::Error,
    },
}

impl Remedy for AccountsError {
    fn exit(&self) -> ExitKind {
        ExitKind::Internal
    }
}

/// Where the file is under the root of an instance.
pub fn path(root: &Path) -> PathBuf {
    root.join("etc/mqaws/accounts.json")
}

impl Default for Accounts {
    fn default() -> Self {
        Self {
            schema: SCHEMA.to_owned(),
            accounts: Vec::new(),
        }
    }
}

impl Accounts {
    /// Reads the file under that root; no file is no account.
    ///
    /// # Errors
    /// When there is a file that cannot be read.
    pub fn read(root: &Path) -> Result<Self, AccountsError> {
        let path = path(root);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(source) => {
                return Err(AccountsError::File {
                    verb: "read",
                    path,
                    source,
                });
            }
        };
        serde_json::from_slice(&text).map_err(|source| AccountsError::Format { path, source })
    }

    /// Adds an account or changes its password.
    ///
    /// # Errors
    /// When the system has no random numbers.
    pub fn set(&mut self, user: &str, password: &str) -> io::Result<()> {
        let mut salt = [0; 16];
        File::open("/dev/urandom")?.read_exact(&mut salt)?;
        let hash = hex::encode(derive(password.as_bytes(), &salt, ROUNDS));
        self.accounts.retain(|a| a.user != user);
        self.accounts.push(Account {
            user: user.to_owned(),
            salt: hex::encode(salt),
            rounds: ROUNDS,
            hash,
        });
        Ok(())
    }

    /// Whether this is the password of that user.
    pub fn verify(&self, user: &str, password: &str) -> bool {
        let Some(account) = self.accounts.iter().find(|a| a.user == user) else {
            return false;
        };
        let (Ok(salt), Ok(hash)) = (hex::decode(&account.salt), hex::decode(&account.hash)) else {
            return false;
        };
        let derived = derive(password.as_bytes(), &salt, account.rounds);
        // The time must say nothing about the first wrong byte.
        derived.ct_eq(&hash).into()
    }

    /// Writes the file under that root, whole or not at all, readable by its owner alone.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, root: &Path) -> Result<(), AccountsError> {
        let path = path(root);
        let write = || {
            if let Some(directory) = path.parent() {
                fs::create_dir_all(directory)?;
            }
            let text = serde_json::to_vec(self).map_err(io::Error::other)?;
            AtomicWrite::to(&path).mode(0o600).write(&text)
        };
        write().map_err(|source| AccountsError::File {
            verb: "write",
            path: path.clone(),
            source,
        })
    }
}

/// PBKDF2 with HMAC-SHA-256 and one block of output.
fn derive(password: &[u8], salt: &[u8], rounds: u32) -> [u8; 32] {
    let Ok(keyed) = Hmac::<Sha256>::new_from_slice(password) else {
        unreachable!("HMAC takes keys of any length")
    };
    let mut block = keyed
        .clone()
        .chain_update(salt)
        .chain_update(1_u32.to_be_bytes())
        .finalize()
        .into_bytes();
    let mut sum = block;
    for _ in 1..rounds.max(1) {
        block = keyed.clone().chain_update(block).finalize().into_bytes();
        sum.iter_mut().zip(block).for_each(|(a, b)| *a ^= b);
    }
    sum.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn derivation_is_pbkdf2() {
        // Published test vectors of PBKDF2-HMAC-SHA-256.
        let expected = "120fb6cffcf8b32c43e7225256c4f837a86548c92ccc35480805987cb70be17b";
        assert_eq!(hex::encode(derive(b"password", b"salt", 1)), expected);
        let expected = "c5e478d59288c841aa530db6845c4c8d962893a001ce4e11a4963873aa98134a";
        assert_eq!(hex::encode(derive(b"password", b"salt", 4096)), expected);
    }

    #[test]
    fn written_read_and_verified() {
        let root = tempfile::tempdir().unwrap();
        let mut accounts = Accounts::read(root.path()).unwrap();
        assert!(!accounts.verify("mqapp", ""));
        accounts.set("mqapp", "first").unwrap();
        accounts.set("mqapp", "second").unwrap();
        accounts.write(root.path()).unwrap();
        let read = Accounts::read(root.path()).unwrap();
        assert_eq!(read, accounts);
        for (user, password, right) in [
            ("mqapp", "second", true),
            ("mqapp", "first", false),
            ("mqapp", "", false),
            ("root", "second", false),
        ] {
            assert_eq!(read.verify(user, password), right, "{user} {password}");
        }
        let file = path(root.path());
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(!fs::read_to_string(&file).unwrap().contains("second"));
    }

    #[test]
    fn another_file_in_its_place_is_an_error_not_an_empty_list() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("etc/mqaws")).unwrap();
        fs::write(path(root.path()), "{}").unwrap();
        assert!(matches!(Accounts::read(root.path()), Err(AccountsError::Format { .. })));
    }
}
