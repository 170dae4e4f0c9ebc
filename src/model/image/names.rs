//! Names of the image and of what it is made from: each can only be made by a checking constructor.

use crate::model::names::{between, checked};

checked!(
    /// Name of an IAM instance profile.
    InstanceProfile,
    "instance profile name",
    "1 to 128 characters of A-Z a-z 0-9 + = , . @ _ -",
    "mqaws-build",
    "^[A-Za-z0-9+=,.@_-]{1,128}$",
    |text| between(text, 1, 128)
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+=,.@_-".contains(&byte))
);

checked!(
    /// Version of an engine: part of the image's name, of which EC2 limits the characters.
    EngineVersion,
    "engine version",
    "a letter or digit followed by up to 31 letters, digits, dots and hyphens",
    "9.4.0.0",
    "^[A-Za-z0-9][A-Za-z0-9.-]{0,31}$",
    |text| between(text, 1, 32)
        && text.starts_with(|first: char| first.is_ascii_alphanumeric())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte))
);

checked!(
    /// SHA-256 of a file, as `sha256sum` prints it.
    Sha256,
    "SHA-256",
    "64 lower-case hexadecimal characters, as printed by `sha256sum`",
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "^[0-9a-f]{64}$",
    |text| text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
);

checked!(
    /// Account of the source image that ssh logs in to.
    LoginName,
    "login name",
    "a lower-case letter followed by up to 31 lower-case letters, digits, _ and -",
    "ec2-user",
    "^[a-z][a-z0-9_-]{0,31}$",
    |text| between(text, 1, 32)
        && text.starts_with(|first: char| first.is_ascii_lowercase())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-".contains(&byte))
);

checked!(
    /// Name of a block device as EC2 knows it.
    DeviceName,
    "device name",
    "/dev/ followed by 1 to 27 lower-case letters and digits",
    "/dev/xvda",
    "^/dev/[a-z0-9]{1,27}$",
    |text| text.strip_prefix("/dev/").is_some_and(|name| {
        between(name, 1, 27) && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    })
);

checked!(
    /// Name of a parameter of Systems Manager.
    ParameterName,
    "parameter name",
    "a path of A-Z a-z 0-9 . _ - and /",
    "/mqaws/ami",
    "^/[A-Za-z0-9._/-]{1,1010}$",
    |text| between(text, 2, 1011)
        && text.starts_with('/')
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-/".contains(&byte))
);

checked!(
    /// Who owns a source image: an account, or a word that EC2 knows.
    ImageOwner,
    "image owner",
    "an account ID of 12 digits, self, amazon, or aws-marketplace",
    "309956199498",
    "^([0-9]{12}|self|amazon|aws-marketplace)$",
    |text| matches!(text, "self" | "amazon" | "aws-marketplace")
        || text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
);

checked!(
    /// Name of a source image, where `*` and `?` stand for others.
    ImagePattern,
    "image name",
    "1 to 128 characters of A-Z a-z 0-9 space ( ) . / ' @ _ - and the wildcards * and ?",
    "RHEL-9*",
    "^[A-Za-z0-9 ()./'@_*?-]{1,128}$",
    |text| between(text, 1, 128)
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b" ()./'@_*?-".contains(&byte))
);
