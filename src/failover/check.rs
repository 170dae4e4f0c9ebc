//! A few messages before the first round: can the endpoint be reached, does it lead to the queue manager under test, and does that
//! keep what it takes?

use super::account::{Account, Drain};
use super::client::{ClientError, Driver};
use super::depth;
use super::drain::drain;
use super::error::FailoverError;
use super::id::{MessageId, RunId};
use super::load::{Consumer, Producer};
use super::port::{Cloud, Target};
use super::round::{Round, Stage, nanos};
use super::scenario::{Pace, Scenario};
use crate::model::agent::AgentStatus;
use std::sync::Arc;
use std::time::Duration;

/// Messages of the check.
const CHECKED: u64 = 20;

/// They must be acknowledged within this time.
const LIMIT: Duration = Duration::from_secs(30);

/// An acknowledgement is suspicious when the fastest of the storage's writes took this many times as long.
const TOO_FAST: u64 = 10;

/// What is checked, and how.
pub(super) struct Checked<'a> {
    pub cloud: &'a dyn Cloud,
    pub driver: Arc<dyn Driver>,
    pub target: &'a Target,
    pub endpoint: &'a str,
    pub instance: &'a str,
    pub queue: &'a str,
    pub scenario: &'a Scenario,
    pub pace: &'a Pace,
}

impl Checked<'_> {
    /// Puts and gets a few messages. Returns warnings.
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

        let round = Arc::new(Round::new(RunId(rand::random()), &[true], self.pace.keep));
        let producer = Producer {
            number: 0,
            queue: self.queue.to_owned(),
            durable: true,
            rate: self.scenario.load.rate,
            size: self.scenario.load.size,
            window: 1,
        };
        let filled = producer.fill(CHECKED, &round, driver, LIMIT).await;
        if filled.acked < CHECKED {
            return Err(FailoverError::NoBacklog {
                waiting: filled.acked,
                wanted: CHECKED,
                cause: filled.trouble,
            });
        }
        let there = depth::read(self.cloud, self.instance, self.queue).await?;
        let account = self.get_back(&round).await;
        self.judge(there, &account)?;
        let ledger = round.ledger();
        let came_back: Vec<MessageId> = ledger.receipts().map(|receipt| receipt.id).collect();
        let mut latencies: Vec<u64> = ledger
            .puts()
            .filter(|put| came_back.contains(&put.id))
            .map(|put| put.done_ns - put.sent_ns)
            .collect();
        latencies.sort_unstable();
        Ok(too_fast(latencies.last().copied(), status.fsync_fastest_millis)
            .into_iter()
            .collect())
    }

    /// Gets until the queue is empty and everything came, or nothing comes any more.
    async fn get_back(&self, round: &Arc<Round>) -> Account {
        round.advance(Stage::Drain);
        let consumer = Consumer {
            number: 0,
            queue: self.queue.to_owned(),
            backlog: 0,
        };
        let consumer = tokio::spawn(consumer.work(round.clone(), self.driver.clone()));
        let every = Duration::from_millis(100);
        let drained = drain(self.cloud, round, self.instance, self.queue, self.pace, every).await;
        round.advance(Stage::End);
        let _ = consumer.await;
        Account::of(&round.ledger(), drained.drain)
    }

    fn judge(&self, there: u64, account: &Account) -> Result<(), FailoverError> {
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
            }),
            None if counts.missing > 0 => Err(not_kept(format!(
                "{} of {} messages came back, and the queue was not seen empty",
                counts.acked - counts.missing,
                counts.acked
            ))),
            _ if account.tally.not_durable > 0 => Err(not_kept(
                "messages put as persistent came back as not persistent".into(),
            )),
            _ if account.drain == Drain::Incomplete => Err(not_kept("the queue was not seen empty".into())),
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
            "acknowledged within {:.2} ms, while no write to the storage took less than {fastest_millis:.1} ms: is it on disk by then?",
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
