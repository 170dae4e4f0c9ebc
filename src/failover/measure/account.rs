//! From a ledger to counts by class, by the rule of sets: lost is what was acknowledged and never came.

use super::id::MessageId;
use super::ledger::{Book, Ledger, Tally};
use super::pack::{Packed, State};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Ids named per class.
pub const MAX_SAMPLES: usize = 100;

/// How far the queues were emptied before the count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Drain {
    /// The broker reports an empty queue, and every acknowledged ID was received.
    Complete,
    /// The broker reports an empty queue, and nothing arrived for longer than a message could be delayed.
    IdleOut,
    /// The broker did not report this, or messages were still arriving.
    Incomplete,
}

impl Drain {
    /// Whether a message that did not come may be called lost.
    #[must_use]
    pub fn proves_absence(self) -> bool {
        self != Self::Incomplete
    }
}

/// Counts of one kind of message.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Counts {
    /// Slots that came due.
    pub slots: u64,
    /// Slots that came due without a connection, or with a full window: availability, not loss.
    pub not_sent: u64,
    /// Acknowledged.
    pub acked: u64,
    /// Definitely rejected.
    pub failed: u64,
    /// Sent, without a response.
    pub unknown: u64,
    /// Different messages received.
    pub received: u64,
    /// Acknowledged and not received. Only a complete drain makes them lost.
    pub missing: u64,
    /// Without a word, and received all the same.
    pub recovered: u64,
    /// Without a word, and not received.
    pub vanished: u64,
    /// Acknowledged and received more than once.
    pub duplicated_acked: u64,
    /// Without a word and received more than once.
    pub duplicated_unknown: u64,
    /// Rejected, but received anyway: the broker's response was wrong.
    pub resurrected: u64,
}

/// IDs of some messages of each class, `producer:seq`, at most [`MAX_SAMPLES`] each.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Samples {
    /// Acknowledged and not received.
    pub missing: Vec<String>,
    /// Received more than once.
    pub duplicated: Vec<String>,
    /// Rejected and received.
    pub resurrected: Vec<String>,
    /// Without a word, and received.
    pub recovered: Vec<String>,
    /// Without a word, and not received.
    pub vanished: Vec<String>,
}

/// The account of a round.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Account {
    /// How far the queues were emptied.
    pub drain: Drain,
    /// Persistent messages: these count.
    pub persistent: Counts,
    /// Non-persistent messages, which a queue manager may lose; they never decide the verdict.
    pub non_persistent: Counts,
    /// Persistent, acknowledged, never received, after a complete drain; absent when the drain was not complete.
    pub lost: Option<u64>,
    /// Receipts that belong to no attempt, repetition and order.
    pub tally: Tally,
    /// Some IDs of each class of persistent messages.
    pub samples: Samples,
}

impl Account {
    /// Counts a ledger.
    #[must_use]
    pub fn of(ledger: &Ledger, drain: Drain) -> Self {
        Self::count(ledger.books(), ledger.tally().clone(), drain)
    }

    /// Counts books, wherever they come from.
    #[must_use]
    pub fn count(books: &[Book], tally: Tally, drain: Drain) -> Self {
        let mut account = Self {
            drain,
            persistent: Counts::default(),
            non_persistent: Counts::default(),
            lost: None,
            tally,
            samples: Samples::default(),
        };
        for (producer, book) in books.iter().enumerate() {
            if book.persistent {
                count(producer, &book.ids, &mut account.persistent, Some(&mut account.samples));
            } else {
                count(producer, &book.ids, &mut account.non_persistent, None);
            }
        }
        account.lost = drain.proves_absence().then_some(account.persistent.missing);
        account
    }
}

fn count(producer: usize, ids: &Packed, counts: &mut Counts, mut samples: Option<&mut Samples>) {
    for (seq, state, receipts) in ids.iter() {
        let id = MessageId {
            producer: producer as u32,
            seq,
        };
        let mut sample = |class: fn(&mut Samples) -> &mut Vec<String>| {
            if let Some(samples) = samples.as_deref_mut() {
                let class = class(samples);
                if class.len() < MAX_SAMPLES {
                    class.push(id.to_string());
                }
            }
        };
        let (got, again) = (receipts > 0, receipts > 1);
        counts.slots += 1;
        counts.received += u64::from(got);
        match state {
            State::NotSent => counts.not_sent += 1,
            State::Acked => {
                counts.acked += 1;
                counts.duplicated_acked += u64::from(again);
                if !got {
                    counts.missing += 1;
                    sample(|s| &mut s.missing);
                }
            }
            State::Unknown => {
                counts.unknown += 1;
                counts.duplicated_unknown += u64::from(again);
                if got {
                    counts.recovered += 1;
                    sample(|s| &mut s.recovered);
                } else {
                    counts.vanished += 1;
                    sample(|s| &mut s.vanished);
                }
            }
            State::Failed => {
                counts.failed += 1;
                if got {
                    counts.resurrected += 1;
                    sample(|s| &mut s.resurrected);
                }
            }
        }
        if again {
            sample(|s| &mut s.duplicated);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::id::{Header, RunId};
    use super::super::ledger::{Arrival, Outcome};
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    const RUN: RunId = RunId(42);

    /// What can happen, in any order and as often as you like.
    #[derive(Debug, Clone)]
    enum Step {
        Missed,
        Sent(Option<Outcome>),
        Received { pick: usize, times: u8 },
        NeverAttempted,
        OtherRun,
        Damaged,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            1 => Just(Step::Missed),
            8 => prop_oneof![
                Just(Some(Outcome::Acked)), Just(Some(Outcome::Failed)), Just(Some(Outcome::Unknown)),
                Just(Some(Outcome::NotSent)), Just(None),
            ].prop_map(Step::Sent),
            8 => (any::<usize>(), 1u8..6).prop_map(|(pick, times)| Step::Received { pick, times }),
            1 => Just(Step::NeverAttempted),
            1 => Just(Step::OtherRun),
            1 => Just(Step::Damaged),
        ]
    }

    /// The rule of Jepsen's total queue, on multisets, without any cleverness.
    #[derive(Default)]
    struct Oracle {
        attempts: BTreeMap<MessageId, u64>,
        enqueues: BTreeMap<MessageId, u64>,
        refused: BTreeMap<MessageId, u64>,
        dequeues: BTreeMap<MessageId, u64>,
    }

    impl Oracle {
        fn lost(&self) -> u64 {
            self.enqueues
                .keys()
                .filter(|id| !self.dequeues.contains_key(id))
                .count() as u64
        }
        fn ok(&self) -> Vec<MessageId> {
            self.dequeues
                .keys()
                .filter(|id| self.attempts.contains_key(id))
                .copied()
                .collect()
        }
        fn recovered(&self) -> u64 {
            let known = |id: &MessageId| self.enqueues.contains_key(id) || self.refused.contains_key(id);
            self.ok().iter().filter(|id| !known(id)).count() as u64
        }
        fn resurrected(&self) -> u64 {
            self.ok().iter().filter(|id| self.refused.contains_key(id)).count() as u64
        }
        fn unexpected(&self) -> u64 {
            self.dequeues
                .iter()
                .filter(|(id, _)| !self.attempts.contains_key(id))
                .map(|(_, n)| n)
                .sum()
        }
        fn extra(&self) -> u64 {
            self.ok().iter().map(|id| self.dequeues[id] - 1).sum()
        }
    }

    fn play(steps: &[Step], producers: u32) -> (Ledger, Oracle, u64, u64) {
        let mut ledger = Ledger::new(RUN, &vec![true; producers as usize], 1000);
        let mut oracle = Oracle::default();
        let mut next = vec![0u64; producers as usize];
        let (mut foreign, mut corrupt) = (0, 0);
        for (now, step) in steps.iter().enumerate() {
            let (now, producer) = (now as u64, now as u32 % producers);
            let receive = |ledger: &mut Ledger, body: &[u8]| {
                ledger.receive(&Arrival {
                    consumer: 0,
                    connection: 1,
                    body,
                    redelivered: false,
                    durable: true,
                    at_ns: now,
                });
            };
            let body = |run: RunId, id: MessageId| {
                Header {
                    run,
                    id,
                    connection: 1,
                    sent_ns: now,
                }
                .body(64)
            };
            match step {
                Step::Missed => {
                    let seq = next[producer as usize];
                    next[producer as usize] += 1;
                    ledger.missed(MessageId { producer, seq });
                }
                Step::Sent(outcome) => {
                    let id = MessageId {
                        producer,
                        seq: next[producer as usize],
                    };
                    next[producer as usize] += 1;
                    ledger.sent(id, 1, now, now);
                    if let Some(outcome) = outcome {
                        ledger.outcome(id, *outcome, now);
                    }
                    if *outcome != Some(Outcome::NotSent) {
                        *oracle.attempts.entry(id).or_default() += 1;
                    }
                    match outcome {
                        Some(Outcome::Acked) => *oracle.enqueues.entry(id).or_default() += 1,
                        Some(Outcome::Failed) => *oracle.refused.entry(id).or_default() += 1,
                        _ => {}
                    }
                }
                Step::Received { pick, times } => {
                    let ids: Vec<MessageId> = oracle.attempts.keys().copied().collect();
                    if !ids.is_empty() {
                        let id = ids[pick % ids.len()];
                        for _ in 0..*times {
                            receive(&mut ledger, &body(RUN, id));
                            *oracle.dequeues.entry(id).or_default() += 1;
                        }
                    }
                }
                Step::NeverAttempted => {
                    for id in [
                        MessageId {
                            producer,
                            seq: u64::MAX,
                        },
                        MessageId {
                            producer: producers,
                            seq: 0,
                        },
                    ] {
                        receive(&mut ledger, &body(RUN, id));
                        *oracle.dequeues.entry(id).or_default() += 1;
                    }
                }
                Step::OtherRun => {
                    receive(&mut ledger, &body(RunId(43), MessageId { producer, seq: 0 }));
                    receive(&mut ledger, b"another program's");
                    foreign += 2;
                }
                Step::Damaged => {
                    let mut body = body(RUN, MessageId { producer, seq: 0 });
                    body[50] ^= 1;
                    receive(&mut ledger, &body);
                    corrupt += 1;
                }
            }
        }
        (ledger, oracle, foreign, corrupt)
    }

    proptest! {
        #[test]
        fn counts_agree_with_the_multisets(steps in prop::collection::vec(step(), 0..200), producers in 1u32..4) {
            let (ledger, oracle, foreign, corrupt) = play(&steps, producers);
            let account = Account::of(&ledger, Drain::IdleOut);
            let got = &account.persistent;
            prop_assert_eq!(account.lost, Some(oracle.lost()));
            prop_assert_eq!(got.acked, oracle.enqueues.len() as u64);
            prop_assert_eq!(got.failed, oracle.refused.len() as u64);
            prop_assert_eq!(got.acked + got.failed + got.unknown, oracle.attempts.len() as u64);
            prop_assert_eq!(got.slots, got.acked + got.failed + got.unknown + got.not_sent);
            prop_assert_eq!(got.received, oracle.ok().len() as u64);
            prop_assert_eq!(got.recovered, oracle.recovered());
            prop_assert_eq!(got.vanished, got.unknown - got.recovered);
            prop_assert_eq!(got.resurrected, oracle.resurrected());
            let tally = &account.tally;
            prop_assert_eq!(tally.unexpected, oracle.unexpected());
            prop_assert_eq!(tally.extra_flagged + tally.extra_unflagged + tally.extra_unexplained, oracle.extra());
            prop_assert_eq!((tally.foreign, tally.corrupt), (foreign, corrupt));
            prop_assert_eq!(account.samples.missing.len() as u64, oracle.lost().min(MAX_SAMPLES as u64));
        }

        /// Whatever happened on the way: when everything acknowledged was received, nothing is lost.
        #[test]
        fn a_history_that_drained_fully_has_no_loss(steps in prop::collection::vec(step(), 0..200)) {
            let (mut ledger, oracle, ..) = play(&steps, 2);
            for id in oracle.enqueues.keys().chain(oracle.attempts.keys()) {
                let body = Header { run: RUN, id: *id, connection: 1, sent_ns: 0 }.body(64);
                ledger.receive(&Arrival { consumer: 0, connection: 2, body: &body, redelivered: true, durable: true, at_ns: 9 });
            }
            for drain in [Drain::Complete, Drain::IdleOut] {
                prop_assert_eq!(Account::of(&ledger, drain).lost, Some(0));
            }
        }

        /// Without a complete drain nobody may speak of loss, in either direction.
        #[test]
        fn without_a_drain_there_is_no_word_on_loss(steps in prop::collection::vec(step(), 0..100)) {
            let (ledger, ..) = play(&steps, 2);
            prop_assert_eq!(Account::of(&ledger, Drain::Incomplete).lost, None);
        }
    }

    #[test]
    fn non_persistent_messages_are_apart() {
        let mut ledger = Ledger::new(RUN, &[true, false], 1000);
        for producer in 0..2 {
            let id = MessageId { producer, seq: 0 };
            ledger.sent(id, 1, 0, 0);
            ledger.outcome(id, Outcome::Acked, 1);
        }
        let account = Account::of(&ledger, Drain::IdleOut);
        assert_eq!((account.lost, account.non_persistent.missing), (Some(1), 1));
        assert_eq!(account.samples.missing, ["0:0"]);
    }
}
