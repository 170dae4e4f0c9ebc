//! A person's word, where nothing else can tell.

use crate::model::agent::ProofKind;
use crate::model::{AsWritten, InstanceId};

/// What a person says, and nothing can check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Word {
    /// This instance, the previous owner, is gone for good.
    Gone(AsWritten<InstanceId>),
    /// This file system is a copy of that one, and the queue manager may be started from it beside the original.
    Copy(String),
    /// This file system is empty, and a new queue manager may be created on it.
    Create(String),
}

/// What a file system says about the creation of a queue manager on it: the one-time word `create`, which mqaws gives with new storage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CreateWord {
    /// It is there, and this host has used it up.
    Given,
    /// It was used up before.
    Used,
    /// It was never given.
    Absent,
}

impl Word {
    /// A word by the kind of the proof that it gives; absent for a proof that needs none.
    pub fn of(kind: &ProofKind, named: String) -> Option<Self> {
        match kind {
            ProofKind::Operator => Some(Self::Gone(named.into())),
            ProofKind::Copy => Some(Self::Copy(named)),
            ProofKind::New => Some(Self::Create(named)),
            _ => None,
        }
    }

    /// The proof that it gives.
    pub(crate) fn kind(&self) -> ProofKind {
        match self {
            Self::Gone(_) => ProofKind::Operator,
            Self::Copy(_) => ProofKind::Copy,
            Self::Create(_) => ProofKind::New,
        }
    }

    /// The instance or the file system that is named.
    pub fn named(&self) -> &str {
        match self {
            Self::Gone(named) => named.as_str(),
            Self::Copy(named) | Self::Create(named) => named,
        }
    }
}

/// Why a person's word is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecisionRefused {
    /// No previous owner on another host is waited for.
    #[error("no decision is pending: this host is not waiting for a previous owner")]
    NothingToDecide,
    /// The decision names somebody else.
    #[error("the previous owner is {previous}, not {named}")]
    OtherOwner {
        /// Who was named.
        named: String,
        /// Who it is.
        previous: String,
    },
    /// The owner record is on the file system that it was written on.
    #[error("no decision is pending: according to the owner record, this file system is not a copy")]
    NoCopy,
    /// The record of a copy names another file system.
    #[error("this file system is a copy of {original}, not of {named}")]
    OtherOriginal {
        /// What was named.
        named: String,
        /// What it is.
        original: String,
    },
    /// Nobody waits for the word to create a queue manager.
    #[error("no decision is pending: this host is not waiting for permission to create a queue manager")]
    NotEmpty,
    /// The word to create names another file system.
    #[error("the empty file system is {here}, not {named}")]
    OtherEmpty {
        /// What was named.
        named: String,
        /// What it is.
        here: String,
    },
    /// The owner of the original does not matter to a copy.
    #[error(
        "this file system is a copy of {original}, whose owner is not fenced; to start from the copy, run `mqaws-agent fence copy {original}`"
    )]
    IsCopy {
        /// The original.
        original: String,
    },
}
