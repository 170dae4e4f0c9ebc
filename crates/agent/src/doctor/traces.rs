//! What must not be there: what two instances must not share, and what is nobody's business.

use super::{Found, Image};
use mqaws_engine::image::IMAGES;
use std::fs;

const CLEAN: &str = "run packer/provision/60-finish.sh as the last step, as the template does";

fn all(paths: impl Iterator<Item = String>, what: &str) -> Found {
    paths.map(|path| (format!("{path}: {what}"), CLEAN)).collect()
}

/// What a machine is recognised by.
pub(super) fn identity(image: &Image<'_>) -> Found {
    let keys = image.names("/etc/ssh").into_iter();
    let keys = keys.filter(|name| name.starts_with("ssh_host_") && name.contains("_key"));
    let mut found = all(
        keys.map(|name| format!("/etc/ssh/{name}")),
        "all instances would share this host key",
    );
    for path in ["/etc/machine-id", "/var/lib/dbus/machine-id"] {
        let linked = image.at(path).symlink_metadata().is_ok_and(|meta| meta.is_symlink());
        let id = image.read(path).unwrap_or_default();
        if !linked && !["", "uninitialized"].contains(&id.trim()) {
            found.push((format!("{path}: all instances would share this ID"), CLEAN));
        }
    }
    let secrets = [
        "/var/lib/systemd/random-seed",
        "/var/lib/systemd/credential.secret",
        "/var/lib/NetworkManager/secret_key",
        "/etc/pki/consumer/key.pem",
        "/etc/insights-client/machine-id",
    ];
    let secrets = secrets
        .into_iter()
        .chain(IMAGES.iter().flat_map(|parts| parts.secrets.iter().copied()));
    let there = secrets.filter(|path| image.has(path)).map(str::to_owned);
    found.extend(all(there, "all instances would share this secret"));
    let cloud = image.names("/var/lib/cloud").into_iter();
    let cloud = cloud.filter(|name| ["instance", "instances", "sem"].contains(&name.as_str()));
    let states = cloud.filter(|name| *name == "instance" || !image.names(&format!("/var/lib/cloud/{name}")).is_empty());
    found.extend(all(
        states.map(|name| format!("/var/lib/cloud/{name}")),
        "state of cloud-init of the build host",
    ));
    found
}

/// Keys, credentials and histories of people.
pub(super) fn access(image: &Image<'_>) -> Found {
    let homes = image.names("/home").into_iter().map(|name| format!("/home/{name}"));
    let mut found = Vec::new();
    for home in homes.chain(["/root".to_owned()]) {
        let full = |path: &String| fs::metadata(image.at(path)).is_ok_and(|meta| meta.is_dir() || meta.len() > 0);
        let ssh = image.names(&format!("{home}/.ssh")).into_iter();
        let keys = ssh.filter(|name| name.starts_with("authorized_keys") || name.starts_with("id_"));
        let keys = keys.map(|name| format!("{home}/.ssh/{name}"));
        let files = image.names(&home).into_iter();
        let personal = files.filter(|name| {
            [".aws", ".netrc", ".docker", ".gnupg"].contains(&name.as_str())
                || name.starts_with('.') && name.ends_with("_history")
        });
        let personal = personal.map(|name| format!("{home}/{name}"));
        let there = keys.chain(personal).filter(|path| full(path));
        found.extend(all(there, "a user's key, credentials, or history"));
    }
    found
}

/// An image is for any deployment.
pub(super) fn deployment(image: &Image<'_>) -> Found {
    let definitions = IMAGES.iter().filter_map(|parts| Some(parts.kind.facts()?.definitions));
    let own = ["/etc/mqaws/agent.json"].into_iter().chain(definitions);
    let there = own.chain(["/var/lib/mqaws/marks.jsonl"]).filter(|path| image.has(path));
    there
        .map(|path| {
            let what = format!("{path}: this host was part of a deployment");
            (
                what,
                "build images from a base image, not from an instance of a deployment",
            )
        })
        .collect()
}

/// What the provisioning puts down for itself.
pub(super) fn leftovers(image: &Image<'_>) -> Found {
    let mut there = Vec::new();
    let of_engines = IMAGES.iter().flat_map(|parts| parts.leftovers.iter().copied());
    let in_tmp: Vec<&str> = ["mqaws-provision"].into_iter().chain(of_engines).collect();
    for (directory, prefixes) in [("/tmp", in_tmp), ("/var/tmp", vec!["mqaws-", "amazon-efs-utils."])] {
        let names = image.names(directory).into_iter();
        let ours = names.filter(|name| prefixes.iter().any(|prefix| name.starts_with(prefix)));
        there.extend(ours.map(|name| format!("{directory}/{name}")));
    }
    all(there.into_iter(), "left over from the provisioning")
}
