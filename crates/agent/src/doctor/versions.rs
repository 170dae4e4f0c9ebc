//! Versions of what the agent and its units need, read from the files themselves.

use super::{Found, Image};
use std::fs;

/// First systemd that knows all settings of the units.
const SYSTEMD: u32 = 246;
/// What the agent is built for.
const GLIBC: (u32, u32) = (2, 34);

/// Directories of libraries, of 64-bit systems only.
const LIBRARIES: [&str; 4] = [
    "/usr/lib64",
    "/usr/lib",
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
];

/// systemd carries its version in the name of its private library.
pub(super) fn systemd(image: &Image<'_>) -> Found {
    let number = |name: &str| {
        let rest = name.strip_prefix("libsystemd-shared-")?;
        let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
        digits.parse::<u32>().ok()
    };
    let names = LIBRARIES.iter().flat_map(|dir| image.names(&format!("{dir}/systemd")));
    match names.filter_map(|name| number(&name)).max() {
        Some(version) if version >= SYSTEMD => Found::new(),
        Some(version) => vec![(
            format!("systemd is {version}, but the units require {SYSTEMD}"),
            "use a base image of RHEL 9, Amazon Linux 2023, Debian 12, or Ubuntu 22.04",
        )],
        None => vec![(
            "cannot determine the version of systemd (no libsystemd-shared)".to_owned(),
            "use a base image that boots with systemd",
        )],
    }
}

/// glibc says its version in a text of its own.
pub(super) fn glibc(image: &Image<'_>) -> Found {
    let version = |library: Vec<u8>| {
        let mark = b"release version ";
        let at = library.windows(mark.len()).position(|window| window == mark)? + mark.len();
        let text: String = library[at..].iter().take(8).map(|byte| char::from(*byte)).collect();
        let (major, rest) = text.split_once('.')?;
        let minor: String = rest.chars().take_while(char::is_ascii_digit).collect();
        Some((major.parse::<u32>().ok()?, minor.parse::<u32>().ok()?))
    };
    let libraries = LIBRARIES
        .iter()
        .filter_map(|dir| fs::read(image.at(&format!("{dir}/libc.so.6"))).ok());
    match libraries.filter_map(version).max() {
        Some(found) if found >= GLIBC => Found::new(),
        Some((major, minor)) => vec![(
            format!(
                "glibc is {major}.{minor}, but the agent requires {}.{}",
                GLIBC.0, GLIBC.1
            ),
            "use a base image of RHEL 9, Amazon Linux 2023, Debian 12, or Ubuntu 22.04",
        )],
        None => vec![(
            "cannot determine the version of glibc (no libc.so.6)".to_owned(),
            "use a base image with glibc",
        )],
    }
}
