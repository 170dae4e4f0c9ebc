//! The broker's own count against the ledger, at rest: were these messages ever on the queue manager under test?
//!
//! A depth counts persistent messages and others alike, what was put and not yet committed, and (with IBM MQ) not what is handed out
//! and not yet settled. So it is compared only when producers have ended, consumers hold nothing and are sent nothing.

use super::account::{Account, Drain};
use super::ledger::Ledger;
use super::verdict::{Check, check};
use crate::remedy::ExitKind;

/// What the ledger leaves open for a count at rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Expected {
    /// Acknowledged, persistent and not received: these must be there.
    pub least: u64,
    /// These, those without a word, and those that are not persistent: these may be there.
    pub most: u64,
}

impl Expected {
    fn of(account: &Account) -> Self {
        let (persistent, others) = (&account.persistent, &account.non_persistent);
        Self {
            least: persistent.missing,
            most: persistent.missing + persistent.vanished + others.missing + others.vanished,
        }
    }

    /// Least and most with what is known in the end, when `came` more had been received.
    fn in_the_end(self, account: &Account, came: u64) -> (u64, u64) {
        (
            self.least.saturating_sub(account.lost.unwrap_or(0)),
            self.most.max(came),
        )
    }

    /// What the ledger says while the queue is not empty yet.
    pub(crate) fn by(ledger: &Ledger) -> Self {
        Self::of(&Account::of(ledger, Drain::Incomplete))
    }
}

/// What came of the attempt to read at rest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum AtRest {
    /// Two equal readings, and nothing moved between them.
    Read {
        /// Messages on the queue by the broker's word.
        depth: u64,
        /// By the ledger's.
        expected: Expected,
        /// Messages received until then, of whatever kind.
        receipts: u64,
    },
    /// There were none, and why.
    Unread(String),
}

impl AtRest {
    /// What else than a loss would explain that messages did not come, where the broker's own counts allow it: the clients reached another
    /// queue manager. A queue manager that had all of them at rest has lost them itself. `left` is its count when the queue was given up.
    pub(crate) fn elsewhere(
        &self,
        queue_manager: &str,
        endpoint: &str,
        account: &Account,
        left: Option<u64>,
    ) -> Option<String> {
        if account.lost.unwrap_or(account.persistent.missing) == 0 {
            return None;
        }
        match self {
            Self::Read { depth, expected, .. } if *depth < expected.least => Some(format!(
                "before the queue was emptied, {queue_manager} itself counted {depth} of {}: they were already lost, or clients were connected to \
                 a different queue manager through {endpoint}",
                expected.least
            )),
            Self::Unread(_) if account.lost.is_some() => Some(format!(
                "{queue_manager}'s own count at rest is unknown: they were lost, or clients were connected to a different queue manager through \
                 {endpoint}"
            )),
            _ => left.filter(|&left| left > 0 && account.lost.is_none()).map(|left| {
                format!(
                    "{queue_manager} itself still counts {left}: consumers were too slow, or connected to a different queue manager through {endpoint}"
                )
            }),
        }
    }

    /// Least and most that can have been on the queue at the reading, as known once the queue was emptied: `account` and `receipts` are
    /// those of the end. `None` without a reading.
    ///
    /// What turned out to be lost cannot have been there, and what came in addition (twice, damaged, another's) must have been: both
    /// are judged by checks of their own.
    pub(crate) fn range(&self, account: &Account, receipts: u64) -> Option<(u64, u64)> {
        match self {
            Self::Read {
                expected,
                receipts: before,
                ..
            } => Some(expected.in_the_end(account, receipts.saturating_sub(*before))),
            Self::Unread(_) => None,
        }
    }

    /// Judges the reading by its [`range`](Self::range).
    pub(crate) fn check(&self, queue_manager: &str, queue: &str, account: &Account, receipts: u64) -> Check {
        let (depth, (least, most)) = match self {
            Self::Read {
                depth,
                expected,
                receipts: before,
            } => (*depth, expected.in_the_end(account, receipts.saturating_sub(*before))),
            Self::Unread(why) => {
                let reason = format!("{queue_manager}'s own count could not be compared: {why}");
                return check(NAME, "", None, Some((ExitKind::Inconclusive, reason)));
            }
        };
        let limit = format!("{least} to {most} at rest");
        let bad = (!(least..=most).contains(&depth)).then(|| {
            (
                ExitKind::Inconclusive,
                format!(
                    "{queue_manager} itself counts {depth} messages on {queue} at rest, but {least} to {most} are expected: \
                     the clients may be connected to a different queue manager"
                ),
            )
        });
        check(NAME, limit, Some(depth.to_string()), bad)
    }
}

const NAME: &str = "broker.depth";

#[cfg(test)]
mod tests {
    use super::super::verdict::Verdict;
    use super::*;
    use proptest::prelude::*;

    fn account(lost: Option<u64>) -> Account {
        let drain = if lost.is_some() {
            Drain::IdleOut
        } else {
            Drain::Incomplete
        };
        Account {
            lost,
            ..Account::count(&[], super::super::ledger::Tally::default(), drain)
        }
    }

    fn passes(depth: u64, expected: (u64, u64), lost: Option<u64>, came: u64) -> bool {
        let reading = AtRest::Read {
            depth,
            expected: Expected {
                least: expected.0,
                most: expected.1,
            },
            receipts: 7,
        };
        let check = reading.check("QM1", "Q", &account(lost), 7 + came);
        let (least, most) = reading.range(&account(lost), 7 + came).expect("a reading");
        assert_eq!(check.limit, format!("{least} to {most} at rest"));
        assert_eq!(check.exit_code, if check.verdict == Verdict::Pass { 0 } else { 20 });
        check.verdict == Verdict::Pass
    }

    #[test]
    fn a_count_outside_is_inconclusive() {
        for (depth, expected, lost, came, good) in [
            (100, (100, 100), Some(0), 100, true),
            (99, (100, 100), Some(0), 100, false),
            (101, (100, 100), Some(0), 100, false),
            // The broker under test saw nothing of it.
            (0, (100, 103), Some(0), 100, false),
            (103, (100, 103), Some(0), 103, true),
            (104, (100, 103), Some(0), 103, false),
            // What was lost is judged as lost, and what came twice as twice.
            (80, (100, 100), Some(20), 80, true),
            (79, (100, 100), Some(20), 80, false),
            (120, (100, 100), Some(0), 120, true),
            (80, (100, 100), None, 80, false),
        ] {
            assert_eq!(
                passes(depth, expected, lost, came),
                good,
                "{depth} {expected:?} {lost:?} {came}"
            );
        }
        let unread = AtRest::Unread("no answer".into()).check("QM1", "Q", &account(Some(0)), 0);
        assert_eq!((unread.exit_code, unread.value), (20, None));
    }

    /// What the queue manager under test had at rest, it lost itself.
    #[test]
    fn another_queue_manager_is_named_where_the_counts_allow_it() {
        let missing = |lost: Option<u64>| {
            let mut account = account(lost);
            account.persistent.missing = 20;
            account
        };
        let read = |depth| AtRest::Read {
            depth,
            expected: Expected { least: 100, most: 103 },
            receipts: 7,
        };
        for (at_rest, lost, left, named) in [
            (read(80), Some(20), Some(0), Some("counted 80 of 100")),
            (read(100), Some(20), Some(0), None),
            (read(103), Some(20), Some(0), None),
            (read(80), Some(0), Some(0), None),
            (read(80), None, None, Some("counted 80 of 100")),
            (read(100), None, Some(20), Some("still counts 20")),
            (read(100), None, Some(0), None),
            (read(100), None, None, None),
            (
                AtRest::Unread("no answer".into()),
                None,
                Some(20),
                Some("still counts 20"),
            ),
            (
                AtRest::Unread("no answer".into()),
                Some(20),
                Some(0),
                Some("count at rest is unknown"),
            ),
            (AtRest::Unread("no answer".into()), None, None, None),
        ] {
            let said = at_rest.elsewhere("QM1", "lb:5672", &missing(lost), left);
            let fits = match (&said, named) {
                (Some(said), Some(named)) => {
                    said.contains(named) && said.contains("a different queue manager through lb:5672")
                }
                (None, None) => true,
                _ => false,
            };
            assert!(fits, "{at_rest:?} {lost:?} {left:?}: {said:?}");
        }
    }

    proptest! {
        /// Whatever the load: a broker that never had the messages is not taken for the one that has them.
        #[test]
        fn another_broker_never_passes(least in 1u64..10_000, open in 0u64..100, came in 0u64..20_000) {
            prop_assert!(!passes(0, (least, least + open), Some(0), came));
        }
    }
}
