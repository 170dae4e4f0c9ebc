//! Order: what one producer connection put, one consumer's connection receives in that order.
//!
//! A queue promises no more than that. With several consumers a message that one of them gave back reaches another after later ones:
//! then nothing is judged, and it is counted so.

use super::link::{LATE_NS, Link, MAX_DOUBTS, Pauses};
use std::collections::{HashMap, VecDeque};

/// Messages that may have been on their way to a consumer, or in its client's hands, when another one's connection ended: a credit of 50,
/// renewed when half of it is used up.
const UNDER_WAY: u32 = 100;

/// How a first receipt stands in the order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// Nothing later came before it.
    Kept,
    /// Something later came before it, this far ahead.
    Late(u64),
    /// Something later came before it, which the end of another connection or the broker's flag may explain.
    NotJudged,
}

/// A connection of a consumer.
#[derive(Debug, Clone, Default)]
struct Course {
    /// Highest number by producer and its connection, and below which number another connection's end may explain a late one.
    lanes: HashMap<(u32, u32), (u64, u64)>,
    /// Receipts that were perhaps under way when the last other connection ended.
    under_way: u32,
}

/// All connections of consumers of one queue.
#[derive(Debug, Clone, Default)]
pub(super) struct Lanes {
    courses: HashMap<Link, Course>,
    /// Late ones without an explanation, while the end of another connection may still be noticed.
    doubts: VecDeque<(Link, u64)>,
}

impl Lanes {
    /// A consumer has a connection.
    pub(super) fn open(&mut self, link: Link) {
        self.courses.entry(link).or_default();
    }

    /// Judges a first receipt of message `seq` of a producer and its connection.
    pub(super) fn receive(&mut self, link: Link, lane: (u32, u32), seq: u64, redelivered: bool, at_ns: u64) -> Order {
        let course = self.courses.entry(link).or_default();
        let (highest, explained) = course.lanes.entry(lane).or_insert((seq, 0));
        let behind = highest.saturating_sub(seq);
        let may_be = redelivered || seq < *explained;
        *highest = (*highest).max(seq);
        if course.under_way > 0 {
            course.under_way -= 1;
            *explained = *highest;
        }
        match (behind, may_be) {
            (0, _) => Order::Kept,
            (_, true) => Order::NotJudged,
            (behind, false) => {
                if self.doubts.len() == MAX_DOUBTS {
                    self.doubts.pop_front();
                }
                self.doubts.push_back((link, at_ns));
                Order::Late(behind)
            }
        }
    }

    /// A connection has ended, on which something was last heard at `heard_ns`.
    ///
    /// Returns how many receipts that were late are not judged after all: the broker knew of the end before this side did.
    pub(super) fn end(&mut self, link: Link, heard_ns: u64, pauses: &Pauses) -> u64 {
        self.courses.remove(&link);
        for course in self.courses.values_mut() {
            course.under_way = UNDER_WAY;
            for (highest, explained) in course.lanes.values_mut() {
                *explained = *highest;
            }
        }
        let before = self.doubts.len();
        self.doubts
            .retain(|&(other, at_ns)| other == link || pauses.awake_ns(at_ns, heard_ns) > LATE_NS);
        (before - self.doubts.len()) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: u64 = 1_000_000_000;
    const A: Link = Link {
        consumer: 0,
        connection: 1,
    };
    const B: Link = Link {
        consumer: 1,
        connection: 1,
    };
    const LANE: (u32, u32) = (0, 1);

    fn lanes() -> Lanes {
        let mut lanes = Lanes::default();
        lanes.open(A);
        lanes.open(B);
        lanes
    }

    fn get(lanes: &mut Lanes, link: Link, seq: u64, at_ns: u64) -> Order {
        lanes.receive(link, LANE, seq, false, at_ns)
    }

    #[test]
    fn order_is_judged_on_each_way_from_a_producer_to_a_consumer() {
        let mut lanes = lanes();
        assert_eq!(get(&mut lanes, A, 0, 0), Order::Kept);
        assert_eq!(get(&mut lanes, A, 5, 0), Order::Kept);
        // Another consumer, another producer and another connection of the producer have an order of their own.
        assert_eq!(get(&mut lanes, B, 1, 0), Order::Kept);
        assert_eq!(lanes.receive(A, (1, 1), 3, false, 0), Order::Kept);
        assert_eq!(lanes.receive(A, (0, 2), 3, false, 0), Order::Kept);
        assert_eq!(get(&mut lanes, A, 2, 0), Order::Late(3));
        assert_eq!(lanes.receive(A, LANE, 3, true, 0), Order::NotJudged, "flagged");
        assert_eq!(get(&mut lanes, A, 6, 0), Order::Kept);
    }

    #[test]
    fn what_another_consumer_gave_back_is_not_judged() {
        let mut lanes = lanes();
        get(&mut lanes, A, 10, 0);
        lanes.end(B, SECOND, &Pauses::default());
        assert_eq!(get(&mut lanes, A, 9, SECOND), Order::NotJudged);
        // What was under way to A when B ended is written down later.
        assert_eq!(get(&mut lanes, A, 12, SECOND), Order::Kept);
        assert_eq!(get(&mut lanes, A, 11, SECOND), Order::NotJudged);
        for seq in 0..u64::from(UNDER_WAY) {
            get(&mut lanes, A, 20 + seq, SECOND);
        }
        // From then on it is as before: the higher one came after the end.
        get(&mut lanes, A, 200, SECOND);
        assert_eq!(get(&mut lanes, A, 199, SECOND), Order::Late(1));
    }

    #[test]
    fn the_end_of_the_own_connection_explains_nothing() {
        let mut lanes = lanes();
        get(&mut lanes, A, 10, 0);
        assert_eq!(get(&mut lanes, A, 9, 0), Order::Late(1));
        assert_eq!(lanes.end(A, 0, &Pauses::default()), 0);
    }

    #[test]
    fn an_end_that_is_noticed_late_explains_too() {
        for (heard_ns, explained) in [(0, 1), (2 * SECOND, 1), (3 * SECOND, 0)] {
            let mut lanes = lanes();
            get(&mut lanes, A, 10, SECOND);
            assert_eq!(get(&mut lanes, A, 9, 2 * SECOND), Order::Late(1));
            assert_eq!(lanes.end(B, heard_ns, &Pauses::default()), explained, "{heard_ns}");
        }
    }

    proptest! {
        /// A queue that gives every message to one of its consumers, in order, is never blamed; one that lets a message wait for others of the
        /// same way always is.
        #[test]
        fn a_good_queue_is_never_blamed(takers in prop::collection::vec(0u32..3, 2..300), late in any::<prop::sample::Index>()) {
            let link = |consumer| Link { consumer, connection: 1 };
            let judge = |order: &[(u32, u64)]| {
                let mut lanes = Lanes::default();
                order.iter().filter(|&&(taker, seq)| lanes.receive(link(taker), LANE, seq, false, 0) != Order::Kept).count()
            };
            let mut order: Vec<(u32, u64)> = takers.into_iter().zip(0..).collect();
            prop_assert_eq!(judge(&order), 0);
            let from = late.index(order.len());
            let one = order.remove(from);
            order.push(one);
            let overtaken = order[from..order.len() - 1].iter().any(|other| other.0 == one.0);
            prop_assert_eq!(judge(&order), usize::from(overtaken));
        }

        /// Consumers hold messages ahead and lose their connections at any time; what they had goes back to its place. Nobody is blamed.
        #[test]
        fn a_queue_that_takes_messages_back_is_never_blamed(steps in prop::collection::vec((0usize..3, 0u8..20), 0..600)) {
            let mut lanes = Lanes::default();
            let mut queue: std::collections::BTreeSet<u64> = (0..2000).collect();
            let mut connection = [1u32; 3];
            let mut ahead: [VecDeque<u64>; 3] = Default::default();
            let link = |consumer: usize, connection: [u32; 3]| Link { consumer: consumer as u32, connection: connection[consumer] };
            for consumer in 0..3 {
                lanes.open(link(consumer, connection));
            }
            for (consumer, step) in steps {
                match step {
                    // The broker sends what credit allows.
                    0..9 => {
                        if ahead[consumer].len() < 50 {
                            ahead[consumer].extend(queue.pop_first());
                        }
                    }
                    // The consumer writes down what its client holds.
                    9..19 => {
                        if let Some(seq) = ahead[consumer].pop_front() {
                            let order = lanes.receive(link(consumer, connection), LANE, seq, false, 0);
                            prop_assert!(!matches!(order, Order::Late(_)), "{}", seq);
                        }
                    }
                    _ => {
                        queue.extend(ahead[consumer].drain(..));
                        lanes.end(link(consumer, connection), 0, &Pauses::default());
                        connection[consumer] += 1;
                        lanes.open(link(consumer, connection));
                    }
                }
            }
        }
    }
}
