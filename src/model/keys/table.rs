//! The table of all keys.

use super::key::Key;
use super::{deployment, image, network, security, storage};

/// The parts of the table, in the order of the file.
const TABLE: &[&[Key]] = &[
    deployment::KEYS,
    network::KEYS,
    #[cfg(test)]
    super::toy::KEYS,
    storage::KEYS,
    security::KEYS,
    image::KEYS,
    deployment::TAGS,
];

/// Every key, in the order of the file.
pub fn keys() -> impl Iterator<Item = &'static Key> {
    TABLE.iter().copied().flatten()
}

/// The key with this path.
pub fn find(path: &str) -> Option<&'static Key> {
    keys().find(|key| key.path == path)
}
