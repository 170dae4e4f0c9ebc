//! Why a start on existing data was safe, in one word.

use crate::words::words;

words! {
    /// Kinds of proof that the previous owner writes no more.
    pub enum ProofKind {
        /// There was neither data nor an owner.
        New = "new",
        /// The previous owner stopped its engine and let go.
        Clean = "clean",
        /// The previous owner is this host, and nothing of its engine runs on it.
        SameHost = "same-host",
        /// EC2 says that the previous owner is terminated or stopped.
        Terminated = "terminated",
        /// The lock was obtained, and the previous owner gave no sign of life for longer than its lease and its self-reset bound.
        Lease = "lease",
        /// A person named the previous owner as gone.
        Operator = "operator",
        /// A person named the file system of which this one is a copy: a world of its own.
        Copy = "copy",
    }
}

impl ProofKind {
    /// What a decision was before there were several kinds.
    pub(super) fn before_there_were_several() -> Self {
        Self::Operator
    }
}
