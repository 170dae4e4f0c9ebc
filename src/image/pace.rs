//! How often to look, and how long to wait for what others do.

use std::time::Duration;

/// How often to look, and how long to wait for what others do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Pause between two looks at what Packer wrote.
    pub follow: Duration,
    /// Pause between two looks at EC2 or Systems Manager.
    pub look: Duration,
    /// How long a build may take in all; then it is interrupted.
    pub build: Duration,
    /// How long Packer may take to remove what it made after an interrupt; an instance takes a minute or two to terminate.
    pub clean_up: Duration,
    /// How long `init` and `validate` may take; the former loads a plugin of about 100 MB.
    pub prepare: Duration,
    /// How long a parameter may take to show its new value: Systems Manager looks at the image first.
    pub publish: Duration,
}

impl Pace {
    /// For AWS.
    pub const AWS: Self = Self {
        follow: Duration::from_millis(200),
        look: Duration::from_secs(3),
        build: Duration::from_secs(2 * 60 * 60),
        clean_up: Duration::from_secs(10 * 60),
        prepare: Duration::from_secs(10 * 60),
        publish: Duration::from_secs(120),
    };
}
