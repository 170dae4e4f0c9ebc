//! Messages put as fast as the window lets it, over as many connections as that takes: the backlog, and those of the check.

use super::load::{Producer, RETRY, client_name};
use super::round::Round;
use crate::failover::clients::client::{BrokerDriver, ClientError, Put, PutEvent, PutLink};
use crate::failover::measure::id::MessageId;
use crate::failover::measure::ledger::Outcome;
use crate::failover::scenario::Load;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::time::{sleep, timeout_at};

/// Given up when for this long nothing was acknowledged and no connection held.
const PATIENCE: Duration = Duration::from_secs(10);

/// Fewer messages say nothing about how many a second there could be.
const ENOUGH: u64 = 500;

/// A broker that takes less than so many times the load is measured with what waits in front of it.
const ROOM: f64 = 2.0;

/// What a fill came to.
#[derive(Debug, Clone)]
pub struct Filled {
    /// Messages acknowledged.
    pub acked: u64,
    /// How many of them a second, from the first that left to the last that was acknowledged; absent when none was, or connections ended.
    pub a_second: Option<f64>,
    /// What was in the way last; absent when nothing was.
    pub trouble: Option<Trouble>,
}

impl Filled {
    /// What to say when the broker took messages as fast as it could and that was less than twice the load.
    ///
    /// One connection, which had the window's messages under way: where these are fewer than the producers, it is held against as many
    /// producers as there were messages.
    pub(super) fn short_of(&self, load: &Load) -> Option<String> {
        let a_second = self.a_second.filter(|_| self.acked >= ENOUGH)?;
        let producers = u64::from(load.producers + load.non_persistent_producers);
        let compared = producers.min(load.window as u64) * u64::from(load.rate);
        (a_second < ROOM * compared as f64).then(|| {
            format!(
                "the broker took {a_second:.0} of the backlog's messages per second, less than twice the load ({} per second): latency and recovery time then include queueing; reduce --rate",
                producers * u64::from(load.rate)
            )
        })
    }
}

/// What is in the way of a fill.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Trouble {
    /// A connection ended, in the client library's words.
    #[error("{0}")]
    Ended(String),
    /// A connection could not be had, where they were had before.
    #[error("{0}")]
    NotServed(#[source] ClientError),
    /// The broker refused messages.
    #[error("{count} messages were rejected{}", .why.as_deref().map(|why| format!(": {why}")).unwrap_or_default())]
    Refused {
        /// How many.
        count: u64,
        /// The broker's words on the last one, when it said why.
        why: Option<String>,
    },
}

/// A fill under way.
struct Fill<'a> {
    producer: &'a Producer,
    wanted: u64,
    round: &'a Arc<Round>,
    connection: u32,
    next: u64,
    acked: u64,
    refused: u64,
    why: Option<String>,
    left: Option<Instant>,
    came: Option<Instant>,
}

impl Producer {
    /// Puts until `count` more messages are acknowledged, at most until `limit` is over; a connection that is lost is made anew, and what
    /// it left without a word is put in addition. Every id is attempted once.
    ///
    /// Whatever refuses a connection may be over soon, since user, certificate and queue were good before: a queue manager that ends, or
    /// one that has just started.
    pub async fn fill(&self, count: u64, round: &Arc<Round>, driver: &dyn BrokerDriver, limit: Duration) -> Filled {
        let until = tokio::time::Instant::now() + limit;
        let mut fill = Fill {
            producer: self,
            wanted: count,
            round,
            connection: 0,
            next: round.ledger().attempted(self.number),
            acked: 0,
            refused: 0,
            why: None,
            left: None,
            came: None,
        };
        let mut trouble = None;
        let mut progress = Instant::now();
        loop {
            let name = client_name(round, "b", self.number, fill.connection + 1);
            match driver.producer(name, self.queue.clone()).await {
                Ok(link) => {
                    fill.connection += 1;
                    let before = fill.acked;
                    let ended = timeout_at(until, fill.put_on(link)).await;
                    round.abandon(self.number);
                    match ended {
                        Ok(Some(cause)) => trouble = Some(cause),
                        Ok(None) => break,
                        // Over the limit: what was acknowledged so far is what there is.
                        Err(_) => break,
                    }
                    if fill.acked > before {
                        progress = Instant::now();
                    }
                }
                Err(error) => trouble = Some(Trouble::NotServed(error)),
            }
            if fill.acked >= count
                || fill.refused > 0
                || progress.elapsed() > PATIENCE
                || tokio::time::Instant::now() >= until
            {
                break;
            }
            sleep(RETRY).await;
        }
        Filled {
            acked: fill.acked,
            a_second: fill.a_second().filter(|_| trouble.is_none()),
            trouble,
        }
    }
}

impl Fill<'_> {
    /// Puts on one connection; returns why it ended, or `None` when enough was acknowledged.
    async fn put_on(&mut self, mut link: PutLink) -> Option<Trouble> {
        let (mut open, mut gone) = (0u64, false);
        while self.acked < self.wanted {
            if self.refused > 0 && open == 0 {
                return Some(Trouble::Refused {
                    count: self.refused,
                    why: self.why.take(),
                });
            }
            let room =
                !gone && self.refused == 0 && self.acked + open < self.wanted && open < self.producer.window as u64;
            tokio::select! {
                biased;
                event = link.events.recv() => match event {
                    Some(PutEvent::Outcome { id, outcome, at, why }) => {
                        open = open.saturating_sub(1);
                        self.count(id, outcome, at);
                        self.why = why.or(self.why.take());
                    }
                    Some(PutEvent::Lost(lost)) => return Some(Trouble::Ended(lost.cause)),
                    None => return Some(Trouble::Ended("the driver ended".into())),
                },
                room = link.puts.reserve(), if room => {
                    let Ok(room) = room else {
                        // The reason follows by the other channel.
                        gone = true;
                        continue;
                    };
                    let id = MessageId { producer: self.producer.number, seq: self.next };
                    let body = self.round.attempt(id, self.connection, self.round.now_ns(), self.producer.size);
                    room.send(Put { id, body, durable: self.producer.durable });
                    self.left.get_or_insert_with(Instant::now);
                    self.next += 1;
                    open += 1;
                }
            }
        }
        None
    }

    fn count(&mut self, id: MessageId, outcome: Outcome, at: Instant) {
        if outcome == Outcome::Acked {
            self.acked += 1;
            self.came = self.came.max(Some(at));
        }
        self.refused += u64::from(outcome == Outcome::Failed);
        self.round.outcome(id, outcome, at);
    }
    fn a_second(&self) -> Option<f64> {
        let took = self.came?.checked_duration_since(self.left?)?.as_secs_f64();
        (took > 0.0).then(|| self.acked as f64 / took)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broker_that_takes_less_than_twice_the_load_is_told() {
        let load = |producers, rate, window| Load {
            producers,
            rate,
            window,
            ..Load::default()
        };
        for (acked, a_second, load, told) in [
            (2000, Some(1599.0), load(4, 200, 100), true),
            (2000, Some(1600.0), load(4, 200, 100), false),
            // One message at a time says what one producer may expect.
            (2000, Some(399.0), load(4, 200, 1), true),
            (2000, Some(401.0), load(4, 200, 1), false),
            // Too few, or an outage in between.
            (499, Some(10.0), load(4, 200, 100), false),
            (2000, None, load(4, 200, 100), false),
        ] {
            let filled = Filled {
                acked,
                a_second,
                trouble: None,
            };
            let said = filled.short_of(&load);
            assert_eq!(said.is_some(), told, "{filled:?}: {said:?}");
            assert!(said.is_none_or(|said| said.contains("800 per second")));
        }
    }
}
