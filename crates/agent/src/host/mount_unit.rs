//! The mount as a unit of systemd, in `/run`: it is gone after a reboot, so nothing mounts before the agent says so.
//!
//! A unit, and not a call of `mount` by the agent: the helper of efs-utils leaves a process behind that carries the traffic,
//! and that process must not belong to the agent's unit and die with it. At a shutdown systemd unmounts it after the engine's
//! unit and before the network.

use crate::model::UnknownWord;
use crate::model::agent::MountMethod;
use std::fmt::Write as _;

/// AWS's recommendation for NFS on EFS. `retry=0`: one attempt, after which another mount target is tried.
const NFS_OPTIONS: &str = "nfsvers=4.1,rsize=1048576,wsize=1048576,hard,timeo=600,retrans=2,noresvport,retry=0,_netdev";
/// TLS and the instance role's credentials; the helper adds AWS's options for NFS by itself.
const EFS_OPTIONS: &str = "_netdev,tls,iam";

/// How the file system is mounted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    /// By the helper of efs-utils, with TLS and IAM.
    EfsUtils,
    /// By the kernel alone: no encryption in transit, no authorisation but the network's.
    Nfs,
}

impl Method {
    /// That of the agent's configuration.
    ///
    /// # Errors
    /// [`UnknownWord`], with those that there are.
    pub(crate) fn of(configured: &MountMethod) -> Result<Self, UnknownWord> {
        match configured {
            MountMethod::EfsUtils => Ok(Self::EfsUtils),
            MountMethod::Nfs => Ok(Self::Nfs),
            MountMethod::Other(word) => Err(MountMethod::unknown(word)),
        }
    }
}

/// The name of the unit that systemd knows a mount point by.
pub(crate) fn name(point: &str) -> String {
    let mut name = String::new();
    for (n, byte) in point.trim_matches('/').bytes().enumerate() {
        match byte {
            b'/' => name.push('-'),
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b':' | b'_' => name.push(byte as char),
            b'.' if n > 0 => name.push('.'),
            _ => {
                let _ = write!(name, "\\x{byte:02x}");
            }
        }
    }
    name + ".mount"
}

/// The unit. `address` is that of one mount target, in place of the file system's own name.
pub(crate) fn text(method: Method, file_system: &str, dns_name: &str, address: Option<&str>, point: &str) -> String {
    let (what, kind, options) = match method {
        // The address is an option of the helper (efs-utils 1.34 and later; not tried).
        Method::EfsUtils => {
            let by_address = address.map(|a| format!(",mounttargetip={a}")).unwrap_or_default();
            (format!("{file_system}:/"), "efs", format!("{EFS_OPTIONS}{by_address}"))
        }
        Method::Nfs => (
            format!("{}:/", address.unwrap_or(dns_name)),
            "nfs4",
            NFS_OPTIONS.to_owned(),
        ),
    };
    format!(
        "# Written by mqaws-agent before each mount.\n\
         [Unit]\n\
         Description=Shared file system of the queue manager\n\
         StartLimitIntervalSec=0\n\
         \n\
         [Mount]\n\
         What={what}\n\
         Where={point}\n\
         Type={kind}\n\
         Options={options}\n\
         TimeoutSec=60\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_as_systemd_escapes_them() {
        // By `systemd-escape --path --suffix=mount`, systemd 252.
        for (point, expected) in [
            ("/mnt/mqaws", "mnt-mqaws.mount"),
            ("/srv/a-b/c.d/", "srv-a\\x2db-c.d.mount"),
            ("/.x", "\\x2ex.mount"),
        ] {
            assert_eq!(name(point), expected);
        }
    }

    #[test]
    fn the_command_line_that_systemd_makes_of_it() {
        let unit = |method, address| {
            text(
                method,
                "fs-1",
                "fs-1.efs.eu-west-1.amazonaws.com",
                address,
                "/mnt/mqaws",
            )
        };
        insta::assert_snapshot!("efs_utils", unit(Method::EfsUtils, None));
        insta::assert_snapshot!("plain_nfs", unit(Method::Nfs, None));
        let by_address = unit(Method::EfsUtils, Some("10.0.2.9"));
        assert!(by_address.contains("What=fs-1:/\n") && by_address.contains(",iam,mounttargetip=10.0.2.9\n"));
        assert!(unit(Method::Nfs, Some("10.0.2.9")).contains("What=10.0.2.9:/\n"));
    }

    #[test]
    fn other_ways_to_mount_are_refused_by_name() {
        assert_eq!(Method::of(&"nfs".into()), Ok(Method::Nfs));
        let why = Method::of(&"smb".into()).expect_err("unknown").to_string();
        assert_eq!(
            why,
            "this version does not support `smb`; supported values: `efs-utils`, `nfs`"
        );
    }
}
