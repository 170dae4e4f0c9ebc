//! What a build that failed or was interrupted left behind, and the commands that remove it.

use super::pace::Pace;
use super::ports::{Images, Left};
use super::stages::Temporary;
use std::fmt;

/// Looks before something is called left: Packer has ended, but EC2 may still be on the way.
pub const LOOKS: usize = 6;

impl Left {
    /// Whether nothing is left.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The commands that remove it, in an order that works.
    pub fn commands(&self, region: &str) -> Vec<String> {
        let each = |verb: &str, option: &str, ids: &[String]| {
            let command = |id: &String| format!("`aws ec2 {verb} --region {region} --{option} {id}`");
            ids.iter().map(command).collect::<Vec<_>>()
        };
        [
            each("terminate-instances", "instance-ids", &self.instances),
            each("deregister-image", "image-id", &self.images),
            each("delete-snapshot", "snapshot-id", &self.snapshots),
            each("delete-volume", "volume-id", &self.volumes),
            each("delete-key-pair", "key-name", &self.key_pairs),
            each("delete-security-group", "group-id", &self.security_groups),
        ]
        .concat()
    }
}

impl fmt::Display for Left {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kinds = [
            ("instance", &self.instances),
            ("volume", &self.volumes),
            ("image", &self.images),
            ("snapshot", &self.snapshots),
            ("key pair", &self.key_pairs),
            ("security group", &self.security_groups),
        ];
        let named = kinds
            .iter()
            .flat_map(|(kind, ids)| ids.iter().map(move |id| format!("{kind} {id}")));
        let named: Vec<String> = named.collect();
        match named.is_empty() {
            true => f.write_str("nothing"),
            false => f.write_str(&named.join(", ")),
        }
    }
}

/// What is known about what a build left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Leftovers {
    /// EC2 was asked.
    Known(Left),
    /// EC2 could not be asked; this is what Packer told before it ended, which may be gone.
    Told {
        /// What Packer told.
        left: Left,
        /// Why EC2 did not say.
        why: String,
    },
}

impl Leftovers {
    /// Nothing was ever made.
    pub fn nothing() -> Self {
        Self::Known(Left::default())
    }

    /// What is left, as far as it is known.
    pub fn left(&self) -> &Left {
        match self {
            Self::Known(left) | Self::Told { left, .. } => left,
        }
    }

    /// In words.
    pub fn words(&self) -> String {
        match self {
            Self::Known(left) => left.to_string(),
            Self::Told { left, why } if left.is_empty() => format!("unknown: {why}"),
            Self::Told { left, why } => format!("possibly {left}; EC2 was not queried: {why}"),
        }
    }

    /// How to remove it; `None` when nothing is left.
    pub fn hint(&self, region: &str) -> Option<String> {
        let commands = self.left().commands(region);
        (!commands.is_empty()).then(|| format!("remove the remaining resources:\n{}", commands.join("\n")))
    }
}

/// Asks EC2 what a run left, at most so many times while there is something.
pub async fn remains<C: Images>(cloud: &C, run: &str, temporary: &Temporary, looks: usize, pace: Pace) -> Leftovers {
    let mut last = told(temporary, "no query was made");
    for look in 0..looks {
        if look > 0 {
            tokio::time::sleep(pace.look).await;
        }
        last = match cloud.left_of(run, temporary).await {
            Ok(left) if left.is_empty() => return Leftovers::Known(left),
            Ok(left) => Leftovers::Known(left),
            Err(error) if error.is_transient() => told(temporary, error.told()),
            Err(error) => return told(temporary, error.told()),
        };
    }
    last
}

/// What Packer told of, when EC2 does not say.
pub fn told(temporary: &Temporary, why: impl fmt::Display) -> Leftovers {
    let list = |name: &Option<String>| name.iter().cloned().collect::<Vec<_>>();
    Leftovers::Told {
        left: Left {
            instances: list(&temporary.instance),
            images: temporary.images.clone(),
            key_pairs: list(&temporary.key_pair),
            security_groups: list(&temporary.security_group),
            ..Left::default()
        },
        why: why.to_string(),
    }
}
