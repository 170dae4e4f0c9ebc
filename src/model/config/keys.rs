//! The keys of the file: one table for the reader, the variables, `--set` and the documentation.

/// A key that has a value, by its path in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// Path, such as `network.subnets`.
    pub path: &'static str,
    /// Shape of its value.
    pub kind: KeyKind,
}

/// Shape of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    /// One scalar.
    Scalar,
    /// A list of scalars; in variables and flags, separated by commas.
    List,
    /// A map of scalars; in variables and flags, `key=value` separated by commas.
    Map,
}

const fn scalar(path: &'static str) -> Key {
    Key {
        path,
        kind: KeyKind::Scalar,
    }
}

const fn list(path: &'static str) -> Key {
    Key {
        path,
        kind: KeyKind::List,
    }
}

/// Every key, in the order of the file.
pub const KEYS: &[Key] = &[
    scalar("stack"),
    scalar("region"),
    scalar("profile"),
    scalar("topology"),
    scalar("queue_manager.name"),
    scalar("queue_manager.definitions"),
    scalar("network.vpc"),
    list("network.subnets"),
    scalar("network.cidr"),
    list("network.zones"),
    list("network.clients"),
    scalar("endpoint.internal"),
    scalar("endpoint.amqp"),
    scalar("endpoint.idle_timeout_seconds"),
    scalar("instance.type"),
    scalar("instance.ami"),
    scalar("instance.key_name"),
    scalar("instance.root_volume_gib"),
    scalar("storage.throughput"),
    scalar("storage.provisioned_mibps"),
    scalar("storage.performance_mode"),
    scalar("storage.backup"),
    scalar("storage.kms_key"),
    scalar("storage.mount"),
    scalar("storage.lease_seconds"),
    scalar("storage.start_on_lease"),
    scalar("credentials.username"),
    scalar("tls.certificate"),
    scalar("tls.kms_key"),
    scalar("tls.server_name"),
    scalar("security.permissions_boundary"),
    scalar("security.cloudformation_role"),
    scalar("security.allow_faults"),
    scalar("alarms.topic"),
    scalar("image.engine"),
    scalar("image.source"),
    scalar("image.vpc"),
    scalar("image.subnet"),
    scalar("image.instance_type"),
    scalar("image.connect"),
    scalar("image.ssh_from"),
    scalar("image.ssh_username"),
    scalar("image.instance_profile"),
    scalar("image.package"),
    scalar("image.package_sha256"),
    scalar("image.engine_version"),
    scalar("image.mount"),
    scalar("image.efs_utils_package"),
    scalar("image.efs_utils_sha256"),
    scalar("image.kms_key"),
    scalar("image.root_device"),
    Key {
        path: "tags",
        kind: KeyKind::Map,
    },
];

/// The key with this path.
pub(super) fn find(path: &str) -> Option<Key> {
    KEYS.iter().copied().find(|key| key.path == path)
}

/// Names that may stand below `section`, which is empty for the top of the file.
pub(super) fn below(section: &str) -> Vec<&'static str> {
    let mut names: Vec<&'static str> = KEYS
        .iter()
        .filter_map(|key| match section {
            "" => Some(key.path),
            _ => key.path.strip_prefix(section)?.strip_prefix('.'),
        })
        .map(|rest| rest.split('.').next().unwrap_or(rest))
        .collect();
    names.dedup();
    names
}

/// The key that the user may have meant by `name` below `section`: the nearest there, or one of that name elsewhere.
pub(super) fn nearest(section: &str, name: &str) -> Option<String> {
    let close = |candidate: &&str| {
        let distance = strsim::damerau_levenshtein(name, candidate);
        (distance * 3 <= candidate.len().max(3)).then_some(distance)
    };
    let here = below(section);
    if let Some(best) = here
        .iter()
        .filter(|name| close(name).is_some())
        .min_by_key(|name| close(name))
    {
        return Some((*best).to_owned());
    }
    let whole = KEYS
        .iter()
        .map(|key| key.path)
        .filter(|path| close(path).is_some())
        .min_by_key(|path| close(path));
    if let (true, Some(path)) = (section.is_empty(), whole) {
        return Some(path.to_owned());
    }
    let last = |key: &Key| key.path.rsplit('.').next().unwrap_or(key.path);
    let elsewhere = KEYS.iter().find(|key| last(key) == name || key.path == name);
    let below_itself = KEYS
        .iter()
        .find(|key| section.is_empty() && key.path.ends_with(&format!("_{name}")));
    elsewhere.or(below_itself).map(|key| key.path.to_owned())
}

/// Name of the environment variable of a key: `MQAWS_` and the path in capitals, dots as underscores.
pub fn variable(path: &str) -> String {
    format!("MQAWS_{}", path.replace('.', "_").to_ascii_uppercase())
}

/// The known variable that an unknown one was perhaps meant to be; `others` are those that are no keys.
pub fn meant_variable(name: &str, others: &[&str]) -> Option<String> {
    if !name.starts_with("MQAWS_") {
        return None;
    }
    let known = KEYS.iter().map(|key| variable(key.path));
    let known = known.chain(others.iter().map(|other| (*other).to_owned()));
    // Two letters: names that differ by more are rather somebody else's.
    let near = known.map(|known| (strsim::damerau_levenshtein(name, &known), known));
    near.min()
        .filter(|(distance, _)| (1..=2).contains(distance))
        .map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_variable_is_recognised_and_a_foreign_one_left_alone() {
        for (name, meant) in [
            ("MQAWS_STORAGE_BCKUP", Some("MQAWS_STORAGE_BACKUP")),
            ("MQAWS_REGOIN", Some("MQAWS_REGION")),
            ("MQAWS_LOCL", Some("MQAWS_LOCAL")),
            ("MQAWS_REGION", None),
            ("MQAWS_LOCAL", None),
            ("MQAWS_OUR_OWN_THING", None),
            ("AWS_REGOIN", None),
        ] {
            assert_eq!(meant_variable(name, &["MQAWS_LOCAL"]).as_deref(), meant, "{name}");
        }
    }
}
