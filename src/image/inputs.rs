//! What goes into an image, looked at before anything is launched: the engine's package and the agent.
//!
//! The agent is not run for that: a file that is named on the command line may be anybody's. It is read: an executable for
//! Linux on x86-64, with the mark that only the shipped agent carries, and no newer C library than the images have.

use super::error::ImageError;
use mqaws_files::open_regular;
use sha2::{Digest, Sha256};
use std::io::Read;
use std::path::{Path, PathBuf};

/// Stands before the version in the shipped agent (`crates/agent/src/bin/mqaws-agent.rs`).
const MARK: &[u8] = b"mqaws-agent for hosts ";
/// Newest version of the GNU C library that RHEL 9 and Amazon Linux 2023 have: 2.34.
const NEWEST_LIBC: (u32, u32) = (2, 34);
/// No agent is larger, in bytes; a debug build is about 70 MB.
const LARGEST_AGENT: u64 = 512 << 20;

/// The agent that goes into an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agent {
    /// The executable.
    pub path: PathBuf,
    /// Its version.
    pub version: String,
}

impl Agent {
    /// Looks at an executable.
    ///
    /// # Errors
    /// [`ImageError::Agent`] with what is wrong about it.
    pub fn look(path: &Path) -> Result<Self, ImageError> {
        let wrong = |why: String| ImageError::Agent {
            path: path.to_owned(),
            why,
        };
        let mut bytes = Vec::new();
        let read = open_regular(path).and_then(|file| file.take(LARGEST_AGENT).read_to_end(&mut bytes));
        read.map_err(|error| wrong(error.to_string()))?;
        if !is_for_hosts(&bytes) {
            return Err(wrong("it is not an executable for Linux on x86-64".into()));
        }
        let version = version(&bytes).ok_or_else(|| wrong("it is a different program".into()))?;
        if let Some((major, minor)) = newest_libc(&bytes).filter(|newest| *newest > NEWEST_LIBC) {
            return Err(wrong(format!(
                "it needs version {major}.{minor} of the GNU C library, but RHEL 9 and Amazon Linux 2023 have {}.{}",
                NEWEST_LIBC.0, NEWEST_LIBC.1
            )));
        }
        Ok(Self {
            path: std::path::absolute(path).unwrap_or_else(|_| path.to_owned()),
            version,
        })
    }
}

/// An ELF file of 64 bits, little-endian, an executable or position-independent one, for x86-64 (ELF-64 object file format).
fn is_for_hosts(bytes: &[u8]) -> bool {
    let kind = bytes.get(16..20);
    bytes.starts_with(b"\x7fELF\x02\x01") && matches!(kind, Some([2 | 3, 0, 0x3e, 0]))
}

fn version(bytes: &[u8]) -> Option<String> {
    places(bytes, MARK).find_map(|at| {
        let rest = &bytes[at + MARK.len()..];
        let end = rest.iter().take(40).position(|b| *b == b'\n')?;
        let text = std::str::from_utf8(&rest[..end]).ok()?;
        text.starts_with(|c: char| c.is_ascii_digit()).then(|| text.to_owned())
    })
}

/// The newest version of the GNU C library that an executable names.
fn newest_libc(bytes: &[u8]) -> Option<(u32, u32)> {
    const NAME: &[u8] = b"GLIBC_";
    let versions = places(bytes, NAME).filter_map(|at| {
        let rest = &bytes[at + NAME.len()..];
        let end = rest.iter().take(12).position(|b| *b == 0)?;
        let (major, minor) = std::str::from_utf8(&rest[..end]).ok()?.split_once('.')?;
        let minor = minor.split('.').next()?;
        Some((major.parse().ok()?, minor.parse().ok()?))
    });
    versions.max()
}

fn places<'a>(bytes: &'a [u8], what: &'a [u8]) -> impl Iterator<Item = usize> + 'a {
    let first = what.first().copied();
    let starts = bytes.iter().enumerate().filter(move |(_, b)| Some(**b) == first);
    starts
        .map(|(at, _)| at)
        .filter(move |at| bytes[*at..].starts_with(what))
}

/// Compares a file's SHA-256 with the one that was given; returns its size in bytes.
///
/// # Errors
/// [`ImageError::Package`] when it cannot be read, [`ImageError::Checksum`] when it is another.
pub fn verify(path: &Path, expected: &str) -> Result<u64, ImageError> {
    let unread = |source| ImageError::Package {
        path: path.to_owned(),
        source,
    };
    let mut file = open_regular(path).map_err(unread)?;
    let mut sum = Sha256::new();
    let mut piece = vec![0; 1 << 20];
    let mut size = 0;
    loop {
        let count = file.read(&mut piece).map_err(unread)?;
        if count == 0 {
            break;
        }
        sum.update(&piece[..count]);
        size += count as u64;
    }
    let found = hex::encode(sum.finalize());
    if found.eq_ignore_ascii_case(expected.trim()) {
        return Ok(size);
    }
    Err(ImageError::Checksum {
        path: path.to_owned(),
        expected: expected.trim().to_owned(),
        found,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(more: &[&[u8]]) -> tempfile::NamedTempFile {
        let mut bytes = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x03\0\x3e\0".to_vec();
        more.iter().for_each(|m| bytes.extend_from_slice(m));
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        file
    }

    fn refusal(more: &[&[u8]]) -> String {
        match Agent::look(program(more).path()) {
            Err(ImageError::Agent { why, .. }) => why,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_agent_is_known_by_what_is_in_it() {
        let file = program(&[b"x GLIBC_2.34\0", MARK, b"0.1.0\n", b"GLIBC_2.2.5\0"]);
        assert_eq!(Agent::look(file.path()).unwrap().version, "0.1.0");
        // mqaws itself names the mark, without a version
        assert_eq!(refusal(&[MARK, b"\x7fELF"]), "it is a different program");
        assert!(refusal(&[MARK, b"0.1.0\n", b"GLIBC_2.39\0"]).contains("needs version 2.39"));
        std::fs::write(file.path(), "#!/bin/sh\n").unwrap();
        let error = Agent::look(file.path()).unwrap_err();
        assert!(
            error.to_string().contains("not an executable for Linux on x86-64"),
            "{error}"
        );
    }

    #[test]
    fn another_machines_executable_is_refused() {
        let file = program(&[MARK, b"0.1.0\n"]);
        let mut bytes = std::fs::read(file.path()).unwrap();
        bytes[18] = 0xb7;
        std::fs::write(file.path(), bytes).unwrap();
        assert!(Agent::look(file.path()).is_err(), "aarch64");
    }

    #[test]
    fn a_package_is_what_its_checksum_says_or_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "abc").unwrap();
        // FIPS 180-2, appendix B.1
        let sum = "BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD";
        assert_eq!(verify(file.path(), sum).unwrap(), 3);
        let error = verify(file.path(), &sum.replace("BA78", "0000")).unwrap_err();
        assert!(
            matches!(&error, ImageError::Checksum { found, .. } if found.starts_with("ba78")),
            "{error}"
        );
        let none = verify(Path::new("/nonexistent"), sum);
        assert!(matches!(none, Err(ImageError::Package { .. })));
    }
}
