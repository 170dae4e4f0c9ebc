//! How long each worker is observed: the load ends with the last slot that was due, and who has nothing due has no outage.

use super::gap::{LastPause, ObservationEnd, Worker};
use super::ledger::Ledger;
use std::collections::BTreeMap;

/// The end of a round as all workers share it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RoundEnd {
    /// When consumers were told to take no more.
    pub hold_ns: u64,
    /// Messages acknowledged and not received at that time.
    pub waiting: u64,
    /// When the load ended: producers were told to stop.
    pub load_ns: u64,
    /// When consumers were told to take what waits.
    pub drain_ns: u64,
    /// Until when they did.
    pub emptied_ns: u64,
    /// Whether the broker said that something was left then.
    pub left: bool,
}

impl RoundEnd {
    /// Where the observation of each worker ends. `last_ok_ns` says when a worker last succeeded, `unserved_ns` when a producer's last slot
    /// was due, unless it succeeded after that.
    pub(crate) fn ends(
        self,
        ledger: &Ledger,
        workers: &[Worker],
        last_ok_ns: impl Fn(Worker) -> Option<u64>,
        unserved_ns: impl Fn(Worker) -> Option<u64>,
    ) -> BTreeMap<Worker, ObservationEnd> {
        let mut next_ns: BTreeMap<u32, u64> = BTreeMap::new();
        for receipt in ledger.receipts().filter(|receipt| receipt.first) {
            if (self.hold_ns..self.emptied_ns).contains(&receipt.at_ns) {
                let next = next_ns.entry(receipt.consumer).or_insert(receipt.at_ns);
                *next = receipt.at_ns.min(*next);
            }
        }
        let anybodys_ns = next_ns.values().min().copied();
        let end = |worker| match worker {
            Worker::Producer(_) => self.producer(last_ok_ns(worker), unserved_ns(worker)),
            Worker::Consumer(number) => self.consumer(next_ns.get(&number).copied().or(anybodys_ns)),
        };
        workers.iter().map(|&worker| (worker, end(worker))).collect()
    }

    fn producer(self, last_ok_ns: Option<u64>, unserved_ns: Option<u64>) -> ObservationEnd {
        match unserved_ns {
            Some(ns) => ObservationEnd {
                ns,
                last_pause: LastPause::Waiting,
            },
            // Answers that came after the load's end are successes too.
            None => ObservationEnd {
                ns: self.load_ns.max(last_ok_ns.unwrap_or(0)),
                last_pause: LastPause::Idle,
            },
        }
    }

    /// Once consumers were told to take no more, the next receipt of this one shows that it is served. Who got none by then had none to get:
    /// the messages that wait are there for whichever consumer takes them, and the next receipt of any is the end. The time in which they were to take nothing is none that they waited.
    fn consumer(self, next_receipt_ns: Option<u64>) -> ObservationEnd {
        let waited_until = |at_ns: u64| match at_ns < self.drain_ns {
            true => at_ns,
            false => self.hold_ns + (at_ns - self.drain_ns),
        };
        let (ns, last_pause) = match next_receipt_ns {
            _ if self.waiting == 0 => (self.hold_ns, LastPause::Idle),
            Some(at_ns) => (waited_until(at_ns), LastPause::Served),
            None if self.left => (waited_until(self.emptied_ns), LastPause::Waiting),
            // What is acknowledged and not there any more nobody waits for.
            None => (self.hold_ns, LastPause::Idle),
        };
        ObservationEnd { ns, last_pause }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use LastPause::*;

    #[test]
    fn who_has_nothing_due_waits_for_nothing() {
        let finish = RoundEnd {
            hold_ns: 80,
            waiting: 5,
            load_ns: 100,
            drain_ns: 400,
            emptied_ns: 900,
            left: false,
        };
        let end = |ns, last_pause| ObservationEnd { ns, last_pause };
        assert_eq!(finish.producer(Some(90), None), end(100, Idle));
        assert_eq!(
            finish.producer(Some(120), None),
            end(120, Idle),
            "an answer after the load's end"
        );
        assert_eq!(finish.producer(Some(90), Some(99)), end(99, Waiting));
        assert_eq!(finish.producer(None, Some(300)), end(300, Waiting));
        assert_eq!(
            finish.consumer(Some(90)),
            end(90, Served),
            "it took what was on its way"
        );
        assert_eq!(
            finish.consumer(Some(410)),
            end(90, Served),
            "it was to take nothing before"
        );
        assert_eq!(
            finish.consumer(None),
            end(80, Idle),
            "the broker has nothing, or did not say"
        );
        let left = RoundEnd { left: true, ..finish };
        assert_eq!(left.consumer(None), end(580, Waiting));
        let empty = RoundEnd { waiting: 0, ..left };
        assert_eq!(empty.consumer(Some(500)), end(80, Idle));
    }
}
