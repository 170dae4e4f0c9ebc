//! The condition keys that requests in the local cloud carry.

/// Keys by their whole name, in lower case.
///
/// Source: the service authorization reference, for the actions that the local cloud maps; and the global keys that it
/// can tell.
const KEYS: &[&str] = &[
    "aws:currenttime",
    "aws:epochtime",
    "aws:principalaccount",
    "aws:principalarn",
    "aws:principaltype",
    "aws:requestedregion",
    "aws:resourceaccount",
    "aws:securetransport",
    "aws:tagkeys",
    "aws:userid",
    "cloudwatch:namespace",
    "ec2:availabilityzone",
    "ec2:encrypted",
    "ec2:instanceid",
    "ec2:instanceprofile",
    "ec2:sourceinstancearn",
    "ec2:volumeid",
    "elasticfilesystem:accessedviamounttarget",
    "kms:encryptioncontext:secretarn",
    "kms:viaservice",
];

/// Keys whose name ends in a tag's key, in lower case.
const TAGS: &[&str] = &[
    "autoscaling:resourcetag/",
    "aws:principaltag/",
    "aws:resourcetag/",
    "ec2:resourcetag/",
    "secretsmanager:resourcetag/",
    "ssm:resourcetag/",
];

/// Keys of trust policies, which are checked for form and not evaluated.
const TRUST: &[&str] = &["aws:sourceaccount", "aws:sourcearn", "sts:externalid"];

/// Whether requests here can carry this key.
pub(super) fn is_known(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    KEYS.contains(&key.as_str()) || TAGS.iter().any(|t| key.len() > t.len() && key.starts_with(t))
}

/// Whether a trust policy may name this key.
pub(super) fn is_known_to_trust(key: &str) -> bool {
    is_known(key) || TRUST.contains(&key.to_ascii_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_known_in_any_case_and_tags_need_a_name() {
        for (key, known) in [
            ("aws:SecureTransport", true),
            ("AWS:securetransport", true),
            ("aws:ResourceTag/mqaws:stack", true),
            ("aws:ResourceTag/", false),
            ("aws:ResourceTag", false),
            ("aws:SourceIp", false),
            ("sts:ExternalId", false),
        ] {
            assert_eq!(is_known(key), known, "{key}");
        }
        assert!(is_known_to_trust("sts:ExternalId"));
    }
}
