//! A few messages before the first round: can the endpoint be reached, does it lead to the queue manager under test, and does that
//! keep what it takes?

use super::depth;
use super::drain::drain;
use super::error::FailoverError;
use super::load::{Consumer, Producer, watch_self};
use super::port::{Target, TestBed};
use super::round::{Round, Stage, nanos};
use crate::failover::clients::client::{BrokerDriver, ClientError};
use crate::failover::measure::account::{Account, Drain};
use crate::failover::measure::id::{MessageId, RunId};
use crate::failover::scenario::{Pace, Scenario};
use crate::model::InstanceId;
use crate::model::agent::AgentStatus;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::sleep;

/// Messages of the check.
const CHECKED: u64 = 20;

/// They must be acknowledged within this time.
const LIMIT: Duration = Duration::from_secs(30);

/// Acknowledgements that look too fast are measured again: said only when they do in so many measurements, none of them excused, of so
/// many at most. Between two the agent writes once more (it does so every 2 s).
const HOLDS: u32 = 3;
const MEASURED: u32 = 6;
const APART: Duration = Duration::from_secs(3);

/// An acknowledgement is suspicious when the fastest of the storage's writes took this many times as long.
const TOO_FAST: u64 = 10;

/// What is checked, and how.
pub(super) struct EndpointCheck<'a> {
    pub cloud: &'a dyn TestBed,
    pub driver: Arc<dyn BrokerDriver>,
    pub target: &'a Target,
    pub endpoint: &'a str,
    pub instance: &'a InstanceId,
    pub queue: &'a str,
    pub scenario: &'a Scenario,
    pub pace: &'a Pace,
}

impl EndpointCheck<'_> {
    /// Puts and gets a few messages, several times when they were acknowledged too fast. Returns warnings.
    ///
    /// # Errors
    /// [`FailoverError::Endpoint`] when nothing answers, [`FailoverError::Elsewhere`] when another queue manager does,
    /// [`FailoverError::Lost`] and [`FailoverError::NotDurable`] when messages do not come back, or otherwise than they were put.
    pub(super) async fn run(&self, status: &AgentStatus) -> Result<Vec<String>, FailoverError> {
        let unreachable = |cause: ClientError| FailoverError::Endpoint {
            endpoint: self.endpoint.to_owned(),
            cause,
        };
        // At once and on an empty queue: what cannot be opened at all is not tried again.
        let name = |role: &str| format!("mqaws-check-{role}-{:08x}", rand::random::<u32>());
        let driver = self.driver.as_ref();
        drop(
            driver
                .producer(name("p"), self.queue.to_owned())
                .await
                .map_err(unreachable)?,
        );
        drop(
            driver
                .consumer(name("c"), self.queue.to_owned())
                .await
                .map_err(unreachable)?,
        );

        let mut fastest = status.fsync_fastest_millis;
        let mut held = 0;
        for measured in 1..=MEASURED {
            let (ack_ns, stalled) = self.put_and_get().await?;
            let doubt = too_fast(ack_ns, fastest);
            match doubt {
                // Not one of these writes can be told from one that waited for a busy machine.
                _ if stalled => {}
                None => return Ok(Vec::new()),
                Some(doubt) => {
                    held += 1;
                    if held == HOLDS {
                        return Ok(vec![doubt]);
                    }
                }
            }
            if measured < MEASURED {
                sleep(APART).await;
                let status = self.cloud.agent_status(self.target, self.instance).await;
                // Who cannot be asked gives no reason to doubt.
                let Ok(status) = status else { return Ok(Vec::new()) };
                fastest = status.fsync_fastest_millis;
            }
        }
        Ok(Vec::new())
    }

    /// Returns the slowest acknowledgement, and whether this process stood still meanwhile.
    async fn put_and_get(&self) -> Result<(Option<u64>, bool), FailoverError> {
        let round = Arc::new(Round::new(RunId(rand::random()), &[true], self.pace.keep));
        // Ends with this function.
        let mut watching = JoinSet::new();
        watching.spawn(watch_self(round.clone()));
        let producer = Producer {
            number: 0,
            queue: self.queue.to_owned(),
            durable: true,
            rate: self.scenario.load.rate,
            size: self.scenario.load.size,
            window: 1,
        };
        let filled = producer.fill(CHECKED, &round, self.driver.as_ref(), LIMIT).await;
        if filled.acked < CHECKED {
            return Err(FailoverError::NoBacklog {
                waiting: filled.acked,
                wanted: CHECKED,
                cause: filled.trouble,
            });
        }
        let there = depth::read(self.cloud, self.target, self.instance, self.queue).await?;
        let (account, left) = self.get_back(&round).await;
        self.judge(there, left, &account)?;
        let ledger = round.ledger();
        let came_back: Vec<MessageId> = ledger.receipts().map(|receipt| receipt.id).collect();
        let slowest = ledger
            .puts()
            .filter(|put| came_back.contains(&put.id))
            .map(|put| put.done_ns - put.sent_ns)
            .max();
        Ok((slowest, !round.stalls().is_empty()))
    }

    /// Gets until the queue is empty and everything came, or nothing comes any more. Returns the broker's own count at the end, too.
    async fn get_back(&self, round: &Arc<Round>) -> (Account, Option<u64>) {
        round.advance(Stage::Drain);
        let consumer = Consumer {
            number: 0,
            queue: self.queue.to_owned(),
            backlog: 0,
        };
        let consumer = tokio::spawn(consumer.work(round.clone(), self.driver.clone()));
        let every = Duration::from_millis(100);
        let drained = drain(
            self.cloud,
            self.target,
            round,
            self.instance,
            self.queue,
            self.pace,
            every,
        )
        .await;
        round.advance(Stage::End);
        let _ = consumer.await;
        (Account::of(&round.ledger(), drained.drain), drained.depth)
    }

    fn judge(&self, there: u64, left: Option<u64>, account: &Account) -> Result<(), FailoverError> {
        let counts = &account.persistent;
        let not_kept = |cause: String| FailoverError::NotDurable {
            queue: self.queue.to_owned(),
            cause,
        };
        // What was put elsewhere and got back from there was not lost; where nothing came back, nothing shows that there is an elsewhere.
        if there == 0 && counts.received > 0 {
            return Err(FailoverError::Elsewhere {
                queue_manager: self.target.queue_manager.clone(),
                endpoint: self.endpoint.to_owned(),
                queue: self.queue.to_owned(),
                acknowledged: counts.acked,
                there: counts.missing,
            });
        }
        match account.lost {
            Some(lost) if lost > self.scenario.limits.max_rpo => Err(FailoverError::Lost {
                queue: self.queue.to_owned(),
                acknowledged: counts.acked,
                lost,
                // Who has all of them has lost them itself.
                elsewhere: (there < counts.acked).then(|| self.endpoint.to_owned()),
            }),
            None if counts.missing > 0 => {
                let perhaps = left.filter(|&left| left > 0).map_or_else(String::new, |left| {
                    format!(
                        ": {} itself counts {left}, so consumers may be connected to a different queue manager through {}",
                        self.target.queue_manager, self.endpoint
                    )
                });
                Err(not_kept(format!(
                    "{} of {} messages came back, and the queue was not confirmed empty{perhaps}",
                    counts.acked - counts.missing,
                    counts.acked
                )))
            }
            _ if account.tally.not_durable > 0 => Err(not_kept(
                "messages put as persistent came back as not persistent".into(),
            )),
            _ if account.drain == Drain::Incomplete => Err(not_kept("the queue was not confirmed empty".into())),
            _ => Ok(()),
        }
    }
}

/// An acknowledgement that is much faster than the storage was not waited for.
///
/// The slowest acknowledgement against the fastest write: a busy machine lengthens some of either, and with them a percentile says nothing.
fn too_fast(ack_ns: Option<u64>, fastest_millis: Option<f64>) -> Option<String> {
    let (ack_ns, fastest_millis) = (ack_ns?, fastest_millis?);
    let fastest_ns = nanos(Duration::try_from_secs_f64(fastest_millis / 1e3).ok()?);
    (ack_ns.saturating_mul(TOO_FAST) < fastest_ns).then(|| {
        format!(
            "acknowledged within {:.2} ms, although no write to the storage took less than {fastest_millis:.1} ms: the messages may not be on disk when acknowledged",
            ack_ns as f64 / 1e6
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn acknowledgements_faster_than_any_write_are_suspicious() {
        for (ack_us, fastest_ms, warned) in [(67, 5.0, true), (3000, 5.0, false), (700, 5.0, false), (67, 0.2, false)] {
            assert_eq!(
                too_fast(Some(ack_us * 1000), Some(fastest_ms)).is_some(),
                warned,
                "{ack_us} us, {fastest_ms} ms"
            );
        }
        // An agent of an earlier version does not tell.
        assert_eq!(too_fast(Some(1), None), None);
        assert_eq!(too_fast(None, Some(5.0)), None);
    }
}
