//! The exit codes of the program, one row each.

/// Declares the codes: the kind, its code, the word in JSON documents, and what it means. The order is from harmless to worst: what several
/// rounds or processes ended with becomes one code by it.
macro_rules! exit_kinds {
    ($($kind:ident = $code:literal, $name:literal, $meaning:literal;)+) => {
        /// Exit codes of the program: a stable interface for pipelines.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum ExitKind {
            $(#[doc = $meaning] $kind = $code,)+
        }

        impl ExitKind {
            /// All of them, from harmless to worst.
            pub const ALL: &[Self] = &[$(Self::$kind),+];

            /// The stable name.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$kind => $name,)+
                }
            }

            /// What it means, in the words of the documentation.
            pub const fn meaning(self) -> &'static str {
                match self {
                    $(Self::$kind => $meaning,)+
                }
            }
        }
    };
}

exit_kinds! {
    Success = 0, "success", "done, or the test passed";
    SloExceeded = 14, "slo-exceeded", "the objective of `slo --require-slo` is not met";
    Duplicates = 13, "duplicates", "duplicates or reordering beyond the policy, or messages that were altered";
    RtoExceeded = 12, "rto-exceeded", "the RTO exceeds `--max-rto`; `failover-test compare`: the outage got longer";
    Inconclusive = 20, "inconclusive", "inconclusive: the test neither passed nor failed; `slo --require-slo`: too few rounds";
    NoRecovery = 11, "no-recovery", "service was not restored in time; `status --check` and `--wait`: the state is not reached";
    Lost = 10, "lost", "acknowledged messages were lost";
    Remote = 4, "remote", "AWS or a remote command failed";
    Precondition = 3, "precondition", "configuration, credentials, a missing tool, an unreachable endpoint";
    Usage = 2, "usage", "wrong command line";
    Internal = 1, "internal", "a bug in mqaws";
    Interrupted = 130, "interrupted", "interrupted; what was started was rolled back";
}

impl ExitKind {
    /// The one with this code.
    pub fn of(code: u8) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| *kind as u8 == code)
    }

    /// The worse of two.
    #[must_use]
    pub fn worse(self, other: Self) -> Self {
        let place = |kind| Self::ALL.iter().position(|known| *known == kind);
        if place(self) >= place(other) { self } else { other }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_read_back() {
        for kind in ExitKind::ALL {
            assert_eq!(ExitKind::of(*kind as u8), Some(*kind));
        }
        assert_eq!(ExitKind::of(5), None);
    }
}
