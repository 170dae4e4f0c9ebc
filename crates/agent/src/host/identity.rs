//! Who this host is to an NFS server.
//!
//! A server takes two clients that present one identity for one client, and each destroys the locks of the other. Linux
//! builds its identity from the host name, which an image or a replacement may repeat, and from a text that can be set: here
//! it is the instance id, which EC2 never gives twice. It must be set before the first mount.

use super::programs::Programs;
use crate::agent::layout::Layout;
use crate::remedy::chain;
use std::fs;
use std::time::Duration;

/// Where Linux takes the text from: for the network namespace since 5.3, for the whole kernel before.
const PLACES: [&str; 2] = [
    "sys/fs/nfs/net/nfs_client/identifier",
    "sys/module/nfs/parameters/nfs4_unique_id",
];
/// How long the NFS client's modules may take to load.
const LOAD: Duration = Duration::from_secs(20);

/// Gives the kernel's NFS client an identity of its own.
///
/// # Errors
/// In words, when the kernel takes it nowhere: such a host must not mount.
pub(crate) fn set(layout: &Layout, programs: &Programs, instance: &str) -> Result<(), String> {
    let found = || PLACES.map(|p| layout.host(p)).into_iter().find(|p| p.exists());
    let place = match found() {
        Some(place) => place,
        None => {
            // The files appear with the client, which nothing has needed so far.
            let loaded = programs.must(&programs.command("modprobe", &["nfs"], LOAD));
            let why = loaded
                .err()
                .map(|error| chain(&error))
                .unwrap_or_else(|| "the kernel has no file for it".to_owned());
            found().ok_or_else(|| format!("cannot set a unique identity for the NFS client: {why}"))?
        }
    };
    let now = fs::read_to_string(&place).unwrap_or_default();
    if now.trim() == instance {
        return Ok(());
    }
    fs::write(&place, instance)
        .map_err(|e| format!("cannot write the NFS client's identity to {}: {e}", place.display()))?;
    match fs::read_to_string(&place) {
        Ok(now) if now.trim() == instance => Ok(()),
        Ok(now) => Err(format!(
            "the NFS client's identity in {} is `{}` and not `{instance}`",
            place.display(),
            now.trim()
        )),
        Err(error) => Err(format!("cannot read {}: {error}", place.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn programs(dir: &std::path::Path, modprobe: &str) -> Programs {
        let path = dir.join("modprobe");
        fs::write(&path, format!("#!/bin/sh\n{modprobe}\n")).expect("double");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("mode");
        Programs::in_directory(dir)
    }

    #[test]
    fn the_identity_is_the_instance_in_whichever_place_the_kernel_has() {
        for place in PLACES {
            let root = tempfile::tempdir().expect("tempdir");
            let layout = Layout::new(root.path());
            let path = layout.host(place);
            let appear = format!(
                "mkdir -p {dir}; echo '(null)' > {}",
                path.display(),
                dir = path.parent().expect("dir").display()
            );
            let programs = programs(root.path(), &appear);
            set(&layout, &programs, "i-0a").expect("set");
            assert_eq!(fs::read_to_string(&path).expect("file"), "i-0a");
            set(&layout, &programs, "i-0a").expect("again");
        }
    }

    #[test]
    fn a_kernel_that_takes_none_is_an_error() {
        let root = tempfile::tempdir().expect("tempdir");
        let programs = programs(root.path(), "echo 'module nfs not found' >&2; exit 1");
        let why = set(&Layout::new(root.path()), &programs, "i-0a").expect_err("no place");
        assert!(why.contains("module nfs not found"), "{why}");
    }
}
