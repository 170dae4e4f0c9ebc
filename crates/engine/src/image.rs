//! What an image must hold and must not hold of its engine, for the agent's look at it.

use crate::{ibm_mq, rabbitmq};
use mqaws_contract::EngineKind;

/// What an image is made of for one engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageParts {
    /// The engine.
    pub kind: EngineKind,
    /// What people call it.
    pub name: &'static str,
    /// The user that it runs as, with a group of the same name.
    pub user: &'static str,
    /// Its commands: absolute paths, or names of programs of the distribution.
    pub commands: &'static [&'static str],
    /// Whether somebody must have accepted a licence.
    pub licence: bool,
    /// Programs of the distribution that only it needs: name, what for, the remedy.
    pub programs: &'static [(&'static str, &'static str, &'static str)],
    /// Files of the release's units and settings that only it needs.
    pub settings: &'static [&'static str],
    /// Units that must not start by themselves.
    pub units: &'static [&'static str],
    /// Files that two instances must not share.
    pub secrets: &'static [&'static str],
    /// How the names begin that its installation leaves in `/tmp` and must not.
    pub leftovers: &'static [&'static str],
}

/// Every engine of which there are images; there need be no driver for it.
pub const IMAGES: &[ImageParts] = &[ibm_mq::IMAGE, rabbitmq::IMAGE];

impl ImageParts {
    /// Those of an engine.
    pub fn of(kind: &EngineKind) -> Option<&'static Self> {
        IMAGES.iter().find(|parts| parts.kind == *kind)
    }
}
