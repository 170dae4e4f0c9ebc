//! `mqaws-agent doctor --image`: whether a root directory is an image that this agent can live on, and that carries nothing
//! of the machine it was built on.
//!
//! [`examine`] only reads files below a root: no command runs, so that an image can be looked at from outside too. `shipped` is
//! what an image must hold of this release, byte for byte; `parts`, `traces` and `versions` are the checks.

mod parts;
mod shipped;
mod traces;
mod versions;

use crate::model::EngineKind;
use mqaws_engine::image::ImageParts;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

pub(crate) use shipped::{SHIPPED, Shipped};

/// What an image says that it holds: `/etc/mqaws/image.json`, written by the provisioning.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct ImageRecord {
    /// `mqaws.image/1`.
    pub(crate) schema: String,
    /// Version of the agent.
    pub(crate) agent_version: String,
    /// Its engine.
    pub(crate) engine: EngineKind,
    /// Version of the engine.
    pub(crate) engine_version: String,
    /// `accepted`; `none` for an engine that needs none.
    pub(crate) licence: String,
    /// `efs-utils` or `nfs`.
    pub(crate) mount: String,
    /// User id of the engine's user.
    pub(crate) uid: u32,
    /// Its group id.
    pub(crate) gid: u32,
}

impl ImageRecord {
    /// What its engine makes of an image; absent for a word of a later release.
    fn parts(&self) -> Option<&'static ImageParts> {
        ImageParts::of(&self.engine)
    }
}

/// Something that is wrong with an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Finding {
    /// The check that found it.
    pub(crate) check: &'static str,
    /// What is wrong.
    pub(crate) what: String,
    /// What to do about it.
    pub(crate) remedy: &'static str,
}

/// What was looked at and found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Report {
    /// `mqaws.agent-doctor/1`.
    pub(crate) schema: &'static str,
    /// Version of the agent that looked.
    pub(crate) agent_version: &'static str,
    /// Every check that was made.
    pub(crate) checks: Vec<&'static str>,
    /// What is wrong; empty for a good image.
    pub(crate) findings: Vec<Finding>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for check in &self.checks {
            let found: Vec<&Finding> = self.findings.iter().filter(|finding| finding.check == *check).collect();
            if found.is_empty() {
                writeln!(f, "ok    {check}")?;
            }
            for finding in found {
                writeln!(f, "wrong {check}: {}\n      hint: {}", finding.what, finding.remedy)?;
            }
        }
        Ok(())
    }
}

/// What a check sees.
struct Image<'a> {
    root: &'a Path,
    /// `None` where it cannot be read, which is a finding of its own.
    record: Option<ImageRecord>,
}

impl Image<'_> {
    fn at(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    /// Whether something is there, a dangling link included.
    fn has(&self, path: &str) -> bool {
        self.at(path).symlink_metadata().is_ok()
    }

    fn read(&self, path: &str) -> Option<String> {
        fs::read_to_string(self.at(path)).ok()
    }

    /// Names in a directory, sorted; none where there is no such directory.
    fn names(&self, directory: &str) -> Vec<String> {
        let entries = fs::read_dir(self.at(directory)).into_iter().flatten().flatten();
        let mut names: Vec<String> = entries.map(|e| e.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    fn is(&self, engine: &EngineKind) -> bool {
        self.record.as_ref().is_some_and(|record| record.engine == *engine)
    }
}

/// What a check found: what is wrong, and what to do about it.
type Found = Vec<(String, &'static str)>;

/// The checks, in the order in which they are told.
const CHECKS: [(&str, fn(&Image<'_>) -> Found); 16] = [
    ("record of the image", parts::record),
    ("agent", parts::agent),
    ("units and settings", parts::units),
    ("kernel settings and limits", parts::kernel),
    ("nothing starts before the agent", parts::starts),
    ("engine's user", parts::user),
    ("engine", parts::engine),
    ("licence", parts::licence),
    ("file system clients", parts::clients),
    ("openssl", parts::openssl),
    ("systemd", versions::systemd),
    ("glibc", versions::glibc),
    ("identity", traces::identity),
    ("access", traces::access),
    ("deployment", traces::deployment),
    ("leftovers", traces::leftovers),
];

/// Looks at the image below `root`.
pub(crate) fn examine(root: &Path) -> Report {
    let text = fs::read_to_string(root.join("etc/mqaws/image.json")).ok();
    let image = Image {
        root,
        record: text.and_then(|text| serde_json::from_str(&text).ok()),
    };
    let findings = CHECKS.iter().flat_map(|(check, look)| {
        look(&image)
            .into_iter()
            .map(|(what, remedy)| Finding { check, what, remedy })
    });
    Report {
        schema: "mqaws.agent-doctor/1",
        agent_version: env!("CARGO_PKG_VERSION"),
        checks: CHECKS.iter().map(|(check, _)| *check).collect(),
        findings: findings.collect(),
    }
}

#[cfg(test)]
mod tests;
