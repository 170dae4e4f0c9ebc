//! An engine as a product: what is known of it before there is a host or a queue manager.

use crate::service::{DataState, Engine, Host};
use crate::{Command, Order};
use mqaws_contract::EngineKind;
use mqaws_contract::agent::{AgentConfig, LeaseUse};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// One engine that the agent can run. Everything that is particular to it is behind this; nobody asks for its name.
pub trait Product: fmt::Debug + Sync {
    /// Its word in configurations.
    fn kind(&self) -> EngineKind;

    /// The user of a real host, with a group of the same name, as which its commands run and to whom its data belongs.
    fn user(&self) -> &'static str;

    /// Name and role of a process by its command line, when it belongs to this queue manager and writes or can come to write
    /// to its data. Commands that end by themselves and leave writing to others are none.
    fn identify<'a>(&self, args: &[&'a str], queue_manager: &str) -> Option<ProcessKind<'a>>;

    /// Whether a command writes to the data itself, before an engine runs that could do it; such a command runs in the
    /// keeper's unit, behind the fence.
    fn writes(&self, command: &Command) -> bool;

    /// Directories on the shared file system that are there before its first command, below the mount point. They are made
    /// under a claim and given to its user.
    fn directories(&self, mount: &Path, queue_manager: &str) -> Vec<PathBuf>;

    /// What is in the data directory of a queue manager; asked under the lock.
    ///
    /// # Errors
    /// When that cannot be learned: then nothing is known, least of all that there is nothing.
    fn data(&self, mount: &Path, queue_manager: &str) -> io::Result<DataState>;

    /// Which of two of its versions is the older.
    fn order(&self) -> Order;

    /// Whether it may start on the proof `lease` where nobody has configured that.
    fn lease(&self) -> LeaseRule;

    /// Name of the certificate in a secret that names none.
    fn certificate_label(&self, queue_manager: &str) -> String;

    /// What the agent's own executable does when the engine runs it as one of its commands, by hidden words: absent for
    /// words that are none of these. The result goes to standard output.
    fn own_command(&self, words: &[&str]) -> Option<Result<String, String>> {
        let _ = words;
        None
    }

    /// The engine of this configuration's queue manager on this host.
    fn engine(&self, config: &AgentConfig, host: Host) -> Arc<dyn Engine>;
}

/// What a process is to its engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProcessKind<'a> {
    /// Its name, without directory.
    pub name: &'a str,
    /// Whether it is the execution controller: the one whose death is the queue manager's.
    pub controller: bool,
}

/// Whether an engine may start on the proof `lease`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LeaseRule {
    /// It may: it locks its own files, so that the kernel refuses a late write of an owner that lost its locks.
    Allow,
    /// It may not: it waits for EC2's word or a person's, and raises an alarm.
    Refuse,
}

impl LeaseRule {
    /// This rule, unless another is configured. A word that this version does not know is no permission.
    #[must_use]
    pub fn unless(self, configured: Option<&LeaseUse>) -> Self {
        match configured {
            Some(LeaseUse::Allow) => Self::Allow,
            Some(LeaseUse::Refuse | LeaseUse::Other(_)) => Self::Refuse,
            None => self,
        }
    }
}

/// The engines that an agent can run.
pub type Products = &'static [&'static dyn Product];

/// There is no driver for an engine.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("this version has no driver for engine `{kind}`; supported engines: `{}`", .has.join("`, `"))]
pub struct NoDriver {
    /// The engine.
    pub(crate) kind: EngineKind,
    /// Those for which there is one.
    pub(crate) has: Vec<String>,
}

/// The engine of this word.
///
/// # Errors
/// [`NoDriver`].
pub fn find(products: Products, kind: &EngineKind) -> Result<&'static dyn Product, NoDriver> {
    let found = products.iter().find(|product| product.kind() == *kind);
    found.copied().ok_or_else(|| NoDriver {
        kind: kind.clone(),
        has: products.iter().map(|product| product.kind().to_string()).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configured_rule_wins_and_an_unknown_word_is_no_permission() {
        use LeaseRule::{Allow, Refuse};
        let other = LeaseUse::from("sometimes");
        for (default, configured, expected) in [
            (Allow, None, Allow),
            (Allow, Some(&LeaseUse::Refuse), Refuse),
            (Allow, Some(&other), Refuse),
            (Refuse, None, Refuse),
            (Refuse, Some(&LeaseUse::Allow), Allow),
            (Refuse, Some(&other), Refuse),
        ] {
            assert_eq!(default.unless(configured), expected, "{default:?} {configured:?}");
        }
    }
}
