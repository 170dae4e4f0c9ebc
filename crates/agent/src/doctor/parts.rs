//! What must be there: record, agent, units, settings, the engine and its user, the clients of the file system.

use super::{Found, Image, ImageRecord, SHIPPED, Shipped};
use mqaws_engine::image::IMAGES;
use std::os::unix::fs::PermissionsExt;

const AGAIN: &str = "provision the image again, with mqaws and mqaws-agent from the same release";

/// Where programs of the distribution are.
const SYSTEM: [&str; 4] = ["/usr/sbin", "/usr/bin", "/sbin", "/bin"];

impl Image<'_> {
    /// Whether a file is there that can be run. A link of the image leads within the image.
    fn runs(&self, path: &str) -> bool {
        let Ok(meta) = self.at(path).symlink_metadata() else {
            return false;
        };
        meta.is_symlink() || meta.is_file() && meta.permissions().mode() & 0o111 != 0
    }

    fn program(&self, name: &str) -> bool {
        SYSTEM.iter().any(|dir| self.runs(&format!("{dir}/{name}")))
    }
}

pub(super) fn record(image: &Image<'_>) -> Found {
    let remedy = "only a provisioned image has a record: run the provisioning on a base image";
    let Some(record) = &image.record else {
        return vec![("/etc/mqaws/image.json is missing or cannot be read".to_owned(), remedy)];
    };
    let mut found = Vec::new();
    if record.schema != "mqaws.image/1" {
        found.push((
            format!("the record's schema is {}, not mqaws.image/1", record.schema),
            AGAIN,
        ));
    }
    if record.parts().is_none() {
        found.push((format!("this agent does not support engine {}", record.engine), AGAIN));
    }
    found
}

pub(super) fn agent(image: &Image<'_>) -> Found {
    let mut found = Vec::new();
    if !image.runs("/usr/bin/mqaws-agent") {
        found.push(("/usr/bin/mqaws-agent is missing or cannot be run".to_owned(), AGAIN));
    }
    let this = env!("CARGO_PKG_VERSION");
    if let Some(record) = image.record.as_ref().filter(|record| record.agent_version != this) {
        let what = format!(
            "this agent is {this}, but the image was built for {}",
            record.agent_version
        );
        found.push((what, AGAIN));
    }
    found
}

fn identical(image: &Image<'_>, of_kernel: bool) -> Found {
    let wanted = |file: &&Shipped| {
        let kernel = file.path.starts_with("/etc/sysctl.d/") || file.path.starts_with("/etc/security/");
        let only = IMAGES.iter().find(|parts| parts.settings.contains(&file.name));
        kernel == of_kernel && only.is_none_or(|parts| image.is(&parts.kind))
    };
    let differs = |file: &Shipped| match image.read(file.path) {
        Some(text) if text == file.text => None,
        Some(_) => Some((format!("{} is not from this release", file.path), AGAIN)),
        None => Some((format!("{} is missing", file.path), AGAIN)),
    };
    SHIPPED.iter().filter(wanted).filter_map(differs).collect()
}

pub(super) fn units(image: &Image<'_>) -> Found {
    identical(image, false)
}

/// Settings of a file that sorts after ours win.
pub(super) fn kernel(image: &Image<'_>) -> Found {
    let mut found = identical(image, true);
    let Some(ours) = SHIPPED.iter().find(|file| file.path.starts_with("/etc/sysctl.d/")) else {
        return found;
    };
    let keys = |text: &str| -> Vec<String> {
        let lines = text.lines().map(str::trim).filter(|line| !line.starts_with(['#', ';']));
        let keys = lines.filter_map(|line| line.split_once('='));
        keys.map(|(key, _)| key.trim().trim_start_matches('-').replace('/', "."))
            .collect()
    };
    let set = keys(ours.text);
    for directory in ["/usr/lib/sysctl.d", "/etc/sysctl.d"] {
        let names = image.names(directory).into_iter();
        for name in names.filter(|name| name.as_str() > "99-mqaws.conf" && name.ends_with(".conf")) {
            let text = image.read(&format!("{directory}/{name}")).unwrap_or_default();
            for key in keys(&text).into_iter().filter(|key| set.contains(key)) {
                let what = format!("{directory}/{name} sets {key} after /etc/sysctl.d/99-mqaws.conf");
                found.push((what, "remove the setting from the file, or from the target of the link"));
            }
        }
    }
    found
}

/// What a deployment's user data starts, and what only the agent starts, must not start by itself.
pub(super) fn starts(image: &Image<'_>) -> Found {
    let mut found = Vec::new();
    let directories = image.names("/etc/systemd/system").into_iter();
    for directory in directories.filter(|name| name.ends_with(".wants") || name.ends_with(".requires")) {
        let own = ["mqaws-agent.service", "mqaws-engine.service"].into_iter();
        for unit in own.chain(IMAGES.iter().flat_map(|parts| parts.units.iter().copied())) {
            if image.has(&format!("/etc/systemd/system/{directory}/{unit}")) {
                found.push((format!("{unit} is enabled ({directory})"), "systemctl disable it"));
            }
        }
    }
    found
}

pub(super) fn user(image: &Image<'_>) -> Found {
    let Some((record, user_name)) = image.record.as_ref().and_then(|r| Some((r, r.parts()?.user))) else {
        return Found::new();
    };
    let remedy = "files on the shared file system use these IDs: provision a base image without this user";
    let entry = |file: &str| -> Option<Vec<String>> {
        let text = image.read(file)?;
        let mut entries = text.lines().map(|line| line.split(':').map(str::to_owned).collect());
        entries.find(|fields: &Vec<String>| fields.first().is_some_and(|name| name == user_name))
    };
    let number = |fields: &Option<Vec<String>>, at: usize| fields.as_ref()?.get(at)?.parse::<u32>().ok();
    let (user, group) = (entry("/etc/passwd"), entry("/etc/group"));
    let ids = (number(&user, 2), number(&user, 3), number(&group, 2));
    if ids == (Some(record.uid), Some(record.gid), Some(record.gid)) {
        return Found::new();
    }
    let what = format!(
        "{} is not user {}:{} with its own group",
        user_name, record.uid, record.gid
    );
    vec![(what, remedy)]
}

pub(super) fn engine(image: &Image<'_>) -> Found {
    let Some(parts) = image.record.as_ref().and_then(ImageRecord::parts) else {
        return Found::new();
    };
    let there = |name: &str| match name.starts_with('/') {
        true => image.runs(name),
        false => image.program(name),
    };
    let missing = parts.commands.iter().filter(|name| !there(name));
    missing
        .map(|name| {
            (
                format!("{name} is missing or cannot be run"),
                "install the engine's packages again",
            )
        })
        .collect()
}

pub(super) fn licence(image: &Image<'_>) -> Found {
    let needed = |record: &&ImageRecord| record.licence != "accepted" && record.parts().is_some_and(|p| p.licence);
    match image.record.as_ref().filter(needed).and_then(ImageRecord::parts) {
        Some(parts) => vec![(
            format!("the license of {} was not accepted", parts.name),
            "build the image with --accept-licence",
        )],
        None => Found::new(),
    }
}

pub(super) fn clients(image: &Image<'_>) -> Found {
    let mut found = Vec::new();
    if !image.program("mount.nfs4") {
        let what = "the NFS client (mount.nfs4) is missing".to_owned();
        found.push((what, "install nfs-utils (on Debian, nfs-common)"));
    }
    let with_efs = image.record.as_ref().is_some_and(|record| record.mount == "efs-utils");
    if with_efs && !image.program("mount.efs") {
        let what = "the image is built for efs-utils, but mount.efs is missing".to_owned();
        found.push((what, "install amazon-efs-utils, or build with storage.mount: nfs"));
    }
    found
}

pub(super) fn openssl(image: &Image<'_>) -> Found {
    let parts = image.record.as_ref().and_then(ImageRecord::parts);
    let programs = parts.into_iter().flat_map(|parts| parts.programs);
    let missing = programs.filter(|(name, ..)| !image.program(name));
    missing
        .map(|(name, what_for, remedy)| (format!("{name} is missing, {what_for}"), *remedy))
        .collect()
}
