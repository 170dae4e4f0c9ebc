//! Which messages may come again: those that were on a connection that ended, and not settled for long before that end.
//!
//! An acceptance is one-way: a broker that ends may not have read it, or not have written it down. So a message that was settled shortly
//! before its connection ended may come back. One that was settled long before, or whose connection is alive, may not, flagged or not.
//! A consumer settles a message as soon as it is written down here.

use super::copies::Copy;
use super::link::{LATE_NS, Link, MAX_DOUBTS, Pauses};
use std::collections::{HashMap, VecDeque};

/// What was settled this long before its connection ended is gone for good.
pub(super) const SETTLED_FOR_GOOD_NS: u64 = 5_000_000_000;

/// Deliveries are remembered this long before the last one of their connection: [`SETTLED_FOR_GOOD_NS`], and time for a silent end to
/// be noticed while the client still hands out what it holds. What is older was settled for good.
const KEPT_NS: u64 = 15_000_000_000;

/// Doubts are kept this long: a silent end is noticed before.
const DOUBTED_NS: u64 = 60_000_000_000;

/// Whether something explains that a message came again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Explanation {
    /// The connection that had it ended.
    LostConnection,
    /// Nothing so far.
    None,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Delivery {
    link: Link,
    at_ns: u64,
}

/// A message that came again without a ground, while the end of a connection may still be noticed.
#[derive(Debug, Clone)]
struct Doubt {
    before: Delivery,
    again: Delivery,
    redelivered: bool,
}

/// The last delivery of every message that may come again, and the ends of connections.
#[derive(Debug, Clone, Default)]
pub(super) struct Repeats {
    last: HashMap<Copy, Delivery>,
    recent: HashMap<Link, VecDeque<(u64, Copy)>>,
    /// When something was last heard on connections that ended.
    ended: HashMap<Link, u64>,
    doubts: VecDeque<Doubt>,
}

impl Repeats {
    /// A message is written down and settled; `again` when it was here before.
    ///
    /// Returns whether that is explained; of a first delivery it says nothing.
    pub(super) fn deliver(
        &mut self,
        copy: Copy,
        link: Link,
        at_ns: u64,
        again: bool,
        redelivered: bool,
        pauses: &Pauses,
    ) -> Explanation {
        let now = Delivery { link, at_ns };
        let before = self.last.insert(copy, now);
        let recent = self.recent.entry(link).or_default();
        recent.push_back((at_ns, copy));
        while let Some(&(old_ns, old)) = recent.front().filter(|old| old.0.saturating_add(KEPT_NS) < at_ns) {
            recent.pop_front();
            if self.last.get(&old) == Some(&Delivery { link, at_ns: old_ns }) {
                self.last.remove(&old);
            }
        }
        let Some(before) = before.filter(|before| again && before.link != link) else {
            return Explanation::None;
        };
        if let Some(&heard_ns) = self.ended.get(&before.link) {
            return match pauses.awake_ns(before.at_ns, heard_ns) < SETTLED_FOR_GOOD_NS {
                true => Explanation::LostConnection,
                false => Explanation::None,
            };
        }
        while (self.doubts.front()).is_some_and(|old| old.again.at_ns.saturating_add(DOUBTED_NS) < at_ns) {
            self.doubts.pop_front();
        }
        if self.doubts.len() < MAX_DOUBTS {
            self.doubts.push_back(Doubt {
                before,
                again: now,
                redelivered,
            });
        }
        Explanation::None
    }

    /// A connection has ended, on which something was last heard at `heard_ns`.
    ///
    /// Returns, for each message that came again without a ground and now has one, whether it was flagged as redelivered: the broker knew
    /// of the end before this side did.
    pub(super) fn end(&mut self, link: Link, heard_ns: u64, pauses: &Pauses) -> Vec<bool> {
        self.ended.insert(link, heard_ns);
        self.recent.remove(&link);
        let not_after = |other_ns: u64| pauses.awake_ns(other_ns, heard_ns) <= LATE_NS;
        let mut explained = Vec::new();
        self.doubts.retain(|doubt| {
            let (before, again) = (doubt.before, doubt.again);
            let ended_before = before.link == link
                && not_after(again.at_ns)
                && pauses.awake_ns(before.at_ns, heard_ns) < SETTLED_FOR_GOOD_NS;
            // What a dead connection's client still held was there before the other delivery.
            let held = again.link == link && not_after(before.at_ns);
            if ended_before || held {
                explained.push(doubt.redelivered);
            }
            !(ended_before || held)
        });
        explained
    }

    /// Bytes of memory.
    pub(super) fn bytes(&self) -> usize {
        let recent: usize = self.recent.values().map(VecDeque::capacity).sum();
        self.last.capacity() * size_of::<(Copy, Delivery)>()
            + recent * size_of::<(u64, Copy)>()
            + self.doubts.capacity() * size_of::<Doubt>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failover::measure::id::MessageId;
    use proptest::prelude::*;

    const SECOND: u64 = 1_000_000_000;

    fn link(consumer: u32, connection: u32) -> Link {
        Link { consumer, connection }
    }

    fn copy(seq: u64) -> Copy {
        Copy {
            id: MessageId { producer: 0, seq },
            connection: 1,
        }
    }

    /// What happens to one message, in tenths of a second: deliveries, and ends with the time at which something was last heard.
    #[derive(Debug, Clone, Copy)]
    enum Event {
        Deliver(u64, Link, u64),
        End(Link, u64),
    }
    use Event::{Deliver, End};

    const TENTH: u64 = SECOND / 10;

    /// How many repetitions have no ground in the end.
    fn unexplained(events: &[Event]) -> usize {
        let (mut repeats, pauses) = (Repeats::default(), Pauses::default());
        let mut seen = std::collections::HashSet::new();
        let mut count = 0;
        for event in events {
            match *event {
                Deliver(seq, link, at) => {
                    let again = !seen.insert(seq);
                    let ground = repeats.deliver(copy(seq), link, at * TENTH, again, false, &pauses);
                    count += usize::from(again && ground == Explanation::None);
                }
                End(link, heard) => count -= repeats.end(link, heard * TENTH, &pauses).len(),
            }
        }
        count
    }

    #[test]
    fn cases() {
        let (a, b, c) = (link(0, 1), link(1, 1), link(0, 2));
        for (name, events, expected) in [
            ("once", &[Deliver(1, a, 0)][..], 0),
            ("twice on one connection", &[Deliver(1, a, 0), Deliver(1, a, 1)], 1),
            (
                "twice on one connection that then ends",
                &[Deliver(1, a, 0), Deliver(1, a, 1), End(a, 1)],
                1,
            ),
            ("twice on two that live", &[Deliver(1, a, 0), Deliver(1, b, 1)], 1),
            (
                "after the end of the first",
                &[Deliver(1, a, 0), End(a, 1), Deliver(1, b, 2)],
                0,
            ),
            (
                "settled 4.9 s before the end",
                &[Deliver(1, a, 0), End(a, 49), Deliver(1, b, 60)],
                0,
            ),
            (
                "settled 5 s before the end",
                &[Deliver(1, a, 0), End(a, 50), Deliver(1, b, 60)],
                1,
            ),
            (
                "a silent end counts from the last that was heard",
                &[Deliver(1, a, 0), End(a, 40), Deliver(1, b, 95)],
                0,
            ),
            (
                "and a third time, from a connection that lives",
                &[Deliver(1, a, 0), End(a, 1), Deliver(1, b, 2), Deliver(1, c, 3)],
                1,
            ),
            (
                "and a third time, after another end",
                &[
                    Deliver(1, a, 0),
                    End(a, 1),
                    Deliver(1, b, 2),
                    End(b, 3),
                    Deliver(1, c, 4),
                ],
                0,
            ),
            (
                "the end is noticed afterwards",
                &[Deliver(1, a, 0), Deliver(1, b, 20), End(a, 10)],
                0,
            ),
            (
                "the first connection was heard after the second delivery",
                &[Deliver(1, a, 0), Deliver(1, b, 20), End(a, 30)],
                1,
            ),
            (
                "settled long before an end that is noticed afterwards",
                &[Deliver(1, a, 0), Deliver(1, b, 70), End(a, 60)],
                1,
            ),
            (
                "held by a client whose connection was dead",
                &[Deliver(1, b, 20), Deliver(1, a, 21), End(a, 10)],
                0,
            ),
            (
                "the second connection was heard between",
                &[Deliver(1, b, 20), Deliver(1, a, 40), End(a, 35)],
                1,
            ),
        ] {
            assert_eq!(unexplained(events), expected, "{name}");
        }
    }

    /// While this process stood still it could not hear that the connection had ended.
    #[test]
    fn a_pause_of_this_process_accuses_nobody() {
        let mut repeats = Repeats::default();
        let mut pauses = Pauses::default();
        repeats.deliver(copy(1), link(0, 1), 0, false, false, &pauses);
        pauses.add(SECOND, 9 * SECOND);
        repeats.end(link(0, 1), 9 * SECOND, &pauses);
        let ground = repeats.deliver(copy(1), link(0, 2), 10 * SECOND, true, false, &pauses);
        assert_eq!(ground, Explanation::LostConnection);
    }

    /// The rule in full, with all that happened in view and nothing forgotten.
    fn oracle(events: &[Event]) -> usize {
        let end_of = |link: Link| {
            events.iter().enumerate().find_map(|(place, event)| match event {
                End(ended, heard) if *ended == link => Some((place, *heard)),
                _ => None,
            })
        };
        let late = LATE_NS / TENTH;
        let good = SETTLED_FOR_GOOD_NS / TENTH;
        let mut count = 0;
        for (place, event) in events.iter().enumerate() {
            let Deliver(seq, again, at) = *event else { continue };
            let before = events[..place].iter().rev().find_map(|earlier| match *earlier {
                Deliver(other, link, at) if other == seq => Some((link, at)),
                _ => None,
            });
            let Some((before, settled)) = before else { continue };
            let settled_shortly = |heard: u64| heard.saturating_sub(settled) < good;
            let explained = before != again
                && match (end_of(before), end_of(again)) {
                    (Some((end, heard)), _) if end < place => settled_shortly(heard),
                    (first, second) => {
                        first.is_some_and(|(_, heard)| heard <= at + late && settled_shortly(heard))
                            || second.is_some_and(|(_, heard)| heard <= settled + late)
                    }
                };
            count += usize::from(!explained);
        }
        count
    }

    /// Consumers that get messages, lose their connections, some silently, and go on with others.
    fn history() -> impl Strategy<Value = Vec<Event>> {
        let step = prop_oneof![
            12 => (0u64..12, 0u32..3).prop_map(|(seq, consumer)| (consumer, Some(seq), 0)),
            1 => (0u32..3, 0u64..60).prop_map(|(consumer, silent)| (consumer, None, silent)),
        ];
        prop::collection::vec((step, 0u64..12), 0..120).prop_map(|steps| {
            let mut connections = [1u32; 3];
            let mut now = 0;
            let mut events = Vec::new();
            for ((consumer, seq, silent), passed) in steps {
                now += passed;
                let link = link(consumer, connections[consumer as usize]);
                match seq {
                    Some(seq) => events.push(Deliver(seq, link, now)),
                    None => {
                        events.push(End(link, now.saturating_sub(silent)));
                        connections[consumer as usize] += 1;
                    }
                }
            }
            events
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        /// What is forgotten for want of memory changes no verdict.
        #[test]
        fn agrees_with_the_oracle(events in history()) {
            prop_assert_eq!(unexplained(&events), oracle(&events), "{:?}", events);
        }
    }

    #[test]
    fn memory_is_a_window() {
        let (mut repeats, pauses) = (Repeats::default(), Pauses::default());
        for seq in 0..1_000_000u64 {
            repeats.deliver(copy(seq), link(0, 1), seq * 1_000_000, false, false, &pauses);
        }
        assert!(repeats.last.len() <= 15_001, "{}", repeats.last.len());
        assert!(repeats.bytes() < 15_000 * 192, "{} bytes", repeats.bytes());
    }
}
