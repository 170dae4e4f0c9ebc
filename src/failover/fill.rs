//! Messages put as fast as the window lets it, over as many connections as that takes: the backlog, and those of the check.

use super::client::{ClientError, Driver, Put, PutEvent, PutLink};
use super::entry::Outcome;
use super::id::MessageId;
use super::load::{Producer, RETRY, client_name};
use super::round::Round;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::time::{sleep, timeout_at};

/// Given up when for this long nothing was acknowledged and no connection held.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a fill came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filled {
    /// Messages acknowledged.
    pub acked: u64,
    /// Why the last connection ended, or could not be had; absent when there was no such trouble.
    pub trouble: Option<String>,
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
}

impl Producer {
    /// Puts until `count` more messages are acknowledged, at most until `limit` is over; a connection that is lost is made anew, and what
    /// it left without a word is put in addition. Every id is attempted once.
    ///
    /// # Errors
    /// When the user, the certificate or the queue is refused; when no connection could be had at all.
    pub async fn fill(
        &self,
        count: u64,
        round: &Arc<Round>,
        driver: &dyn Driver,
        limit: Duration,
    ) -> Result<Filled, ClientError> {
        let until = tokio::time::Instant::now() + limit;
        let mut fill = Fill {
            producer: self,
            wanted: count,
            round,
            connection: 0,
            next: round.ledger().attempted(self.number),
            acked: 0,
            refused: 0,
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
                Err(error @ ClientError::Unreachable { .. }) => {
                    if fill.connection == 0 && progress.elapsed() > PATIENCE {
                        return Err(error);
                    }
                    trouble = Some(error.to_string());
                }
                Err(error) => return Err(error),
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
        Ok(Filled {
            acked: fill.acked,
            trouble,
        })
    }
}

impl Fill<'_> {
    /// Puts on one connection; returns why it ended, or `None` when enough was acknowledged.
    async fn put_on(&mut self, mut link: PutLink) -> Option<String> {
        let (mut open, mut gone) = (0u64, false);
        while self.acked < self.wanted {
            if self.refused > 0 && open == 0 {
                return Some(format!("{} messages were refused", self.refused));
            }
            let room =
                !gone && self.refused == 0 && self.acked + open < self.wanted && open < self.producer.window as u64;
            tokio::select! {
                biased;
                event = link.events.recv() => match event {
                    Some(PutEvent::Outcome { id, outcome, at }) => {
                        open = open.saturating_sub(1);
                        self.count(id, outcome, at);
                    }
                    Some(PutEvent::Lost(lost)) => return Some(lost.cause),
                    None => return Some("the driver ended".into()),
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
                    self.next += 1;
                    open += 1;
                }
            }
        }
        None
    }

    fn count(&mut self, id: MessageId, outcome: Outcome, at: Instant) {
        self.acked += u64::from(outcome == Outcome::Acked);
        self.refused += u64::from(outcome == Outcome::Failed);
        self.round.outcome(id, outcome, at);
    }
}
