//! Identifiers as AWS makes them up: request ids, access keys, resource suffixes.

use rand::RngExt;

/// A random identifier in the form of a UUID, version 4.
pub(crate) fn uuid() -> String {
    let mut raw: [u8; 16] = rand::rng().random();
    raw[6] = (raw[6] & 0x0f) | 0x40;
    raw[8] = (raw[8] & 0x3f) | 0x80;
    let hex = hex::encode(raw);
    format!(
        "{}-{}-{}-{}-{}",
        &hex[0..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..32]
    )
}

/// A resource id such as `i-0c1f9a37b2e4d5f60`: prefix, dash, 17 hexadecimal digits.
pub(crate) fn resource_id(prefix: &str) -> String {
    format!("{prefix}-0{}", hex(16))
}

/// `count` random lower-case hexadecimal digits, as in `sg-0123456789abcdef0`.
pub(crate) fn hex(count: usize) -> String {
    pick(count, b"0123456789abcdef")
}

/// `count` random characters of CloudFormation's and IAM's alphabet: upper-case letters and digits.
pub(crate) fn upper(count: usize) -> String {
    pick(count, b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
}

/// `count` random letters of both cases and digits.
pub(crate) fn alphanumeric(count: usize) -> String {
    pick(count, b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789")
}

/// `count` characters drawn evenly from `alphabet` by the thread's cryptographically secure generator.
pub(crate) fn pick(count: usize, alphabet: &[u8]) -> String {
    let mut rng = rand::rng();
    (0..count)
        .map(|_| char::from(alphabet[rng.random_range(0..alphabet.len())]))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uuid_has_version_and_variant() {
        let id = uuid();
        assert_eq!(id.len(), 36);
        assert_eq!(&id[14..15], "4");
        assert!("89ab".contains(&id[19..20]), "{id}");
        assert_ne!(id, uuid());
    }

    #[test]
    fn picks_only_from_the_alphabet() {
        assert!(upper(200).chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit()));
        assert_eq!(hex(17).len(), 17);
    }
}
