//! What to do about a launch that failed: by EC2's code where Auto Scaling passes it on, else by EC2's own sentence.

/// What keeps instances from being launched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Obstacle {
    KeyPair,
    Quota,
    Capacity,
    Encryption,
    Architecture,
    Offer,
    Image,
    Permission,
    Addresses,
    Internal,
}

/// The sentences of EC2, begin and then, with which Auto Scaling reports a failed launch without its code.
const SENTENCES: [(&str, &str, Obstacle); 13] = [
    ("The key pair '", "' does not exist", Obstacle::KeyPair),
    (
        "You have requested more vCPU capacity than your current vCPU limit of ",
        "",
        Obstacle::Quota,
    ),
    (
        "You have requested more instances (",
        ") than your current instance limit of ",
        Obstacle::Quota,
    ),
    (
        "We currently do not have sufficient ",
        " capacity in the Availability Zone you requested",
        Obstacle::Capacity,
    ),
    (
        "We currently do not have sufficient capacity in the Availability Zone you requested",
        "",
        Obstacle::Capacity,
    ),
    (
        "Insufficient capacity",
        "Launching EC2 instance failed",
        Obstacle::Capacity,
    ),
    (
        "Your requested instance type (",
        ") is not supported in your requested Availability Zone",
        Obstacle::Offer,
    ),
    (
        "The architecture '",
        "' of the specified instance type does not match the architecture '",
        Obstacle::Architecture,
    ),
    ("The image id '[", "]' does not exist", Obstacle::Image),
    ("The image ID '", "' does not exist", Obstacle::Image),
    (
        "You are not authorized to perform this operation",
        "",
        Obstacle::Permission,
    ),
    (
        "You are not authorized to use launch template",
        "",
        Obstacle::Permission,
    ),
    (
        "There are not enough free addresses in subnet '",
        "' to satisfy the requested number of instances",
        Obstacle::Addresses,
    ),
];

/// What to do about a launch that failed, by the words of its activity.
pub(in crate::deploy) fn launch_remedy(words: &str) -> String {
    let found = match code(words) {
        // A code that stands for many mistakes leaves it to the sentence.
        None | Some("InvalidParameterValue" | "InvalidParameterCombination") => sentence(words),
        Some(code) => Obstacle::of(code),
    };
    let Some(obstacle) = found else {
        return "resolve the launch error that AWS reports, then deploy again; `aws autoscaling describe-scaling-activities` \
                lists all attempts"
            .into();
    };
    format!("{}, then deploy again", obstacle.remedy())
}

/// The code in an activity's words: `Client.InvalidKMSKey.InvalidState: …`, `(Service: …; Error Code: X; …)`, `… (X)`; without
/// the party that is to blame, except where that is all it says.
fn code(words: &str) -> Option<&str> {
    if let Some(code) = super::codes(words).next() {
        return Some(code);
    }
    let blamed = words.split_whitespace().find_map(|word| {
        let code = word.trim_end_matches([':', '.']);
        let bare = code.strip_prefix("Client.").or_else(|| code.strip_prefix("Server."))?;
        Some(if bare == "InternalError" { code } else { bare })
    });
    // The name of a code is one word in capitals and small letters, as in the errors of the API.
    let named = || {
        let (word, _) = words.split_once(": ")?;
        let is_code = word.chars().all(|c| c.is_ascii_alphanumeric() || c == '.')
            && word.chars().skip(1).any(|c| c.is_ascii_uppercase())
            && word.starts_with(|c: char| c.is_ascii_uppercase());
        is_code.then_some(word)
    };
    blamed.or_else(named)
}

fn sentence(words: &str) -> Option<Obstacle> {
    let says = |(begin, then, _): &&(&str, &str, Obstacle)| {
        words
            .split_once(begin)
            .is_some_and(|(before, rest)| (before.is_empty() || before.ends_with([' ', ':'])) && rest.contains(then))
    };
    SENTENCES.iter().find(says).map(|(_, _, obstacle)| *obstacle)
}

impl Obstacle {
    fn of(code: &str) -> Option<Self> {
        Some(match code {
            "InvalidKeyPair.NotFound" => Self::KeyPair,
            "VcpuLimitExceeded" | "InstanceLimitExceeded" => Self::Quota,
            "InsufficientInstanceCapacity" | "InsufficientCapacity" | "InsufficientHostCapacity" => Self::Capacity,
            // "Client error on launch", which is what EC2 says when it may not use the key of a volume.
            "Client.InternalError" | "KMSKeyNotAccessibleFault" => Self::Encryption,
            _ if code.starts_with("InvalidKMSKey.") => Self::Encryption,
            "Unsupported" | "UnsupportedOperation" => Self::Offer,
            _ if code.starts_with("InvalidAMIID.") => Self::Image,
            "UnauthorizedOperation" | "AccessDenied" | "AccessDeniedException" => Self::Permission,
            "InsufficientFreeAddressesInSubnet" => Self::Addresses,
            "InternalError" | "InternalFailure" | "Server.InternalError" | "ServiceUnavailable" => Self::Internal,
            _ => return None,
        })
    }

    fn remedy(self) -> &'static str {
        match self {
            Self::KeyPair => {
                "set `instance.key_name` to a key pair of this region, or remove the key: Session Manager does not require one"
            }
            Self::Quota => {
                "the account has reached a quota: increase `Running On-Demand instances` in Service Quotas, or choose a smaller \
                 `instance.type`"
            }
            Self::Capacity => {
                "AWS has insufficient capacity for this instance type: choose a different `instance.type` or `network.subnets`, \
                 or try again later"
            }
            Self::Encryption => {
                "allow the service-linked role of Auto Scaling to use the key that encrypts the volume (the account's default key \
                 for EBS, or the key of the image)"
            }
            Self::Architecture => "choose an `instance.type` that matches the image's architecture",
            Self::Offer => "choose a different `instance.type`, or `network.subnets` in zones that offer it",
            Self::Image => "check `instance.ami`: it must exist in this region and be shared with this account",
            Self::Permission => {
                "grant your credentials (or the CloudFormation role) the permissions for a launch: `ec2:RunInstances`, \
                 `ec2:CreateTags`, `iam:PassRole`"
            }
            Self::Addresses => "the subnet has no free IP addresses: choose different `network.subnets`",
            Self::Internal => "EC2 returned an internal error: try again later",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OTHER: &str = "describe-scaling-activities";

    #[test]
    fn remedies_go_by_the_code_or_by_the_whole_sentence() {
        for (words, expected) in [
            (
                "The key pair 'x' does not exist. Launching EC2 instance failed.",
                "`instance.key_name`",
            ),
            (
                "You have requested more vCPU capacity than your current vCPU limit of 0 allows for the instance bucket that the \
                 specified instance type belongs to. Launching EC2 instance failed.",
                "Service Quotas",
            ),
            (
                "You have requested more instances (7) than your current instance limit of 6 allows for the specified instance \
                 type.",
                "Service Quotas",
            ),
            (
                "We currently do not have sufficient m6i.large capacity in the Availability Zone you requested (eu-west-1a).",
                "insufficient capacity",
            ),
            (
                "Client.InvalidKMSKey.InvalidState: The KMS key provided is in an incorrect state",
                "service-linked role",
            ),
            ("Client.InternalError: Client error on launch.", "service-linked role"),
            (
                "Instance became unhealthy while waiting for instance to be in InService state. Termination Reason: \
                 Client.InternalError: Client error on launch",
                "service-linked role",
            ),
            ("Server.InternalError: Internal error on launch", "internal error"),
            (
                "Your requested instance type (m7i.large) is not supported in your requested Availability Zone (us-east-1e).",
                "zones that offer it",
            ),
            (
                "The architecture 'x86_64' of the specified instance type does not match the architecture 'arm64' of the \
                 specified AMI.",
                "image's architecture",
            ),
            ("The image id '[ami-0]' does not exist.", "`instance.ami`"),
            (
                "You are not authorized to perform this operation. Encoded authorization failure message: kms-image-key pair",
                "ec2:RunInstances",
            ),
            (
                "There are not enough free addresses in subnet 'subnet-1' to satisfy the requested number of instances.",
                "no free IP addresses",
            ),
            (
                "InsufficientFreeAddressesInSubnet: The specified subnet does not have enough free addresses",
                "no free IP addresses",
            ),
            ("whatever", OTHER),
        ] {
            let found = launch_remedy(words);
            assert!(found.contains(expected), "{words}: {found}");
        }
    }

    #[test]
    fn words_that_belong_to_another_obstacle_decide_nothing() {
        for (words, expected) in [
            // Each has the loose words of another obstacle.
            (
                "Client.UnauthorizedOperation: not authorized to use the key pair of this image, whose KMS key is not supported",
                "ec2:RunInstances",
            ),
            (
                "Client.InvalidAMIID.NotFound: the image of the key pair 'x' does not exist, vCPU",
                "`instance.ami`",
            ),
            (
                "Server.InsufficientInstanceCapacity: the image is not supported there and the key pair is not authorized",
                "insufficient capacity",
            ),
            (
                "No architecture was given (Service: Ec2; Status Code: 400; Error Code: VcpuLimitExceeded; Request ID: 1)",
                "Service Quotas",
            ),
            (
                "InvalidParameterValue: The architecture 'arm64' of the specified instance type does not match the \
                 architecture 'x86_64' of the specified AMI.",
                "image's architecture",
            ),
            // A code that is none of these, whatever else the words are.
            (
                "Client.VolumeLimitExceeded: the image of a key pair, KMS, not supported, vCPU",
                OTHER,
            ),
            ("Client.UserInitiatedShutdown: not authorized", OTHER),
            // No code, and no sentence of EC2's.
            ("Interface: [eni-1] in use. Launching EC2 instance failed.", OTHER),
            ("The security group of the key pair is invalid in this image", OTHER),
            ("A KMS key without sufficient capacity is not supported", OTHER),
            ("The instance profile is not authorized", OTHER),
        ] {
            let found = launch_remedy(words);
            assert!(found.contains(expected), "{words}: {found}");
        }
    }
}
