//! Finding Packer, and what it can.

use super::error::ImageError;
use crate::render::packer::Rendering;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::process::Command;

/// How long Packer may take to tell its version.
const VERSION_LIMIT: Duration = Duration::from_secs(20);

/// A version of Packer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub u64, pub u64, pub u64);

impl Version {
    /// The oldest that reads the templates: what Debian ships.
    pub const OLDEST: Self = Self(1, 6, 6);
    /// The first with `packer init` and `required_plugins` (Packer's changelog).
    pub const INIT: Self = Self(1, 7, 0);

    /// Reads `1.6.6`, `1.11.0-dev`.
    pub fn parse(text: &str) -> Option<Self> {
        let core = text.trim().split(['-', '+']).next()?;
        let mut numbers = core.split('.').map(|n| n.parse().ok());
        match (numbers.next()??, numbers.next()??, numbers.next()??, numbers.next()) {
            (major, minor, patch, None) => Some(Self(major, minor, patch)),
            _ => None,
        }
    }

    /// Whether it installs plugins by `packer init`.
    pub fn has_init(self) -> bool {
        self >= Self::INIT
    }

    /// The rendering of the template that it reads.
    pub fn rendering(self) -> Rendering {
        match self.has_init() {
            true => Rendering::Current,
            false => Rendering::Packer16,
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

/// A Packer on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packer {
    /// The executable.
    pub path: PathBuf,
    /// Its version.
    pub version: Version,
}

impl Packer {
    /// Finds Packer: the one that is named, else the first on the search path.
    ///
    /// # Errors
    /// [`ImageError::NoPacker`], [`ImageError::NotPacker`], [`ImageError::PackerTooOld`].
    pub async fn find(named: Option<&Path>) -> Result<Self, ImageError> {
        let path = match named {
            Some(path) if is_executable(path) => path.to_owned(),
            Some(path) => {
                return Err(ImageError::NoPacker {
                    named: Some(path.to_owned()),
                });
            }
            None => on_path("packer", &search_path()).ok_or(ImageError::NoPacker { named: None })?,
        };
        // The command runs in another folder.
        let path = std::path::absolute(&path).unwrap_or(path);
        let version = version(&path).await?;
        if version < Version::OLDEST {
            return Err(ImageError::PackerTooOld { path, version });
        }
        Ok(Self { path, version })
    }
}

async fn version(path: &Path) -> Result<Version, ImageError> {
    let not = |said: String| ImageError::NotPacker {
        path: path.to_owned(),
        said,
    };
    let mut command = Command::new(path);
    // Packer asks its maker for newer versions otherwise.
    command
        .arg("version")
        .env("CHECKPOINT_DISABLE", "1")
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let output = tokio::time::timeout(VERSION_LIMIT, command.output()).await;
    let output = output
        .map_err(|_| not(format!("no answer within {} s", VERSION_LIMIT.as_secs())))?
        .map_err(|error| not(error.to_string()))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let told = text.lines().next().unwrap_or_default();
    told.strip_prefix("Packer v").and_then(Version::parse).ok_or_else(|| {
        // A Packer that cannot write its temporary files complains on standard error alone.
        let complaint = String::from_utf8_lossy(&output.stderr);
        let complaint = complaint.lines().find(|line| !line.trim().is_empty());
        not(match (told, complaint) {
            ("", Some(complaint)) => format!(
                "`packer version` fails: {}",
                complaint.trim().chars().take(200).collect::<String>()
            ),
            ("", None) => "`packer version` prints nothing".to_owned(),
            (told, _) => format!(
                "`packer version` prints `{}`",
                told.chars().take(60).collect::<String>()
            ),
        })
    })
}

/// Looks for the program by which Packer reaches a machine through Session Manager; Packer would miss it once that runs.
///
/// # Errors
/// [`ImageError::NoSessionPlugin`].
pub fn find_session_plugin() -> Result<(), ImageError> {
    let found = on_path("session-manager-plugin", &search_path());
    found.map(drop).ok_or(ImageError::NoSessionPlugin)
}

fn search_path() -> OsString {
    std::env::var_os("PATH").unwrap_or_default()
}

/// The first executable of this name on a search path.
fn on_path(name: &str, path: &OsStr) -> Option<PathBuf> {
    std::env::split_paths(path)
        .map(|dir| dir.join(name))
        .find(|file| is_executable(file))
}

fn is_executable(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn program(dir: &Path, text: &str) -> PathBuf {
        let path = dir.join("packer");
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    #[test]
    fn versions_are_read_and_ordered() {
        assert_eq!(Version::parse("1.6.6"), Some(Version(1, 6, 6)));
        assert_eq!(Version::parse("1.16.0-dev"), Some(Version(1, 16, 0)));
        for wrong in ["", "1.6", "1.6.6.1", "v1.6.6", "one"] {
            assert_eq!(Version::parse(wrong), None, "{wrong}");
        }
        assert!(Version(1, 10, 0) > Version(1, 9, 9));
        assert_eq!(Version(1, 6, 6).rendering(), Rendering::Packer16);
        assert_eq!(Version(1, 16, 0).rendering(), Rendering::Current);
    }

    #[test]
    fn only_an_executable_on_the_search_path_is_found() {
        let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::write(first.path().join("packer"), "not executable").unwrap();
        let found = program(second.path(), "#!/bin/sh\n");
        let path = std::env::join_paths([first.path(), second.path()]).unwrap();
        assert_eq!(on_path("packer", &path), Some(found));
        assert_eq!(on_path("packer", first.path().as_os_str()), None);
    }

    #[tokio::test]
    async fn another_program_of_that_name_is_not_packer() {
        let dir = tempfile::tempdir().unwrap();
        // the one of cracklib reads words from standard input, and ends when there are none
        let path = program(dir.path(), "#!/bin/sh\ncat >/dev/null\necho '0 0'\n");
        let error = Packer::find(Some(&path)).await.unwrap_err();
        assert!(
            matches!(&error, ImageError::NotPacker { said, .. } if said.contains("0 0")),
            "{error}"
        );
        // the real one, where TMPDIR does not exist
        let path = program(dir.path(), "#!/bin/sh\necho 'no such directory' >&2\nexit 1\n");
        let error = Packer::find(Some(&path)).await.unwrap_err();
        assert!(
            error.to_string().ends_with("`packer version` fails: no such directory"),
            "{error}"
        );
        let path = program(dir.path(), "#!/bin/sh\necho 'Packer v1.5.1'\n");
        assert!(matches!(
            Packer::find(Some(&path)).await,
            Err(ImageError::PackerTooOld { .. })
        ));
        let path = program(
            dir.path(),
            "#!/bin/sh\necho 'Packer v1.9.4'\necho\necho 'Your version is out of date'\n",
        );
        assert_eq!(Packer::find(Some(&path)).await.unwrap().version, Version(1, 9, 4));
        let none = Packer::find(Some(&dir.path().join("none"))).await;
        assert!(matches!(none, Err(ImageError::NoPacker { named: Some(_) })));
    }
}
