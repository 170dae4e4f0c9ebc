//! Reads how many messages the broker itself counts: now, and when nothing moves any more.

use super::port::{CloudError, Probe, Target, TestBed};
use super::round::Round;
use crate::failover::measure::at_rest::{AtRest, Expected};
use crate::model::InstanceId;
use crate::remedy::chain;
use std::time::{Duration, Instant};
use tokio::time::sleep;

/// Between two readings that must be equal.
const APART: Duration = Duration::from_secs(1);

/// A reading that fails is repeated this often before it is an error.
const TRIES: u32 = 3;

/// How many messages are on the queue, by the broker's word.
///
/// # Errors
/// The last of three attempts: the command failed, or the queue is not there.
pub(super) async fn read(
    cloud: &dyn TestBed,
    target: &Target,
    instance: &InstanceId,
    queue: &str,
) -> Result<u64, CloudError> {
    let mut tries = 1;
    loop {
        let read = match cloud.probe(target, instance, Probe::Depth).await {
            Ok(report) => report
                .queues
                .iter()
                .find(|one| one.name == queue)
                .map(|one| one.depth)
                .ok_or_else(|| {
                    CloudError::remote(format!("read the depth of {queue} on {instance}"), "it does not exist")
                }),
            Err(error) => Err(error),
        };
        if read.is_ok() || tries == TRIES {
            return read;
        }
        tries += 1;
        sleep(APART).await;
    }
}

/// Reads until two readings are equal and nothing moved between them, at most for `limit`. Nobody may put or get any more.
pub(super) async fn at_rest(
    cloud: &dyn TestBed,
    target: &Target,
    round: &Round,
    instance: &InstanceId,
    queue: &str,
    limit: Duration,
) -> AtRest {
    let began = Instant::now();
    let seen = || (Expected::by(&round.ledger()), round.receipts());
    let mut last = None;
    loop {
        let before = seen();
        let depth = match read(cloud, target, instance, queue).await {
            Ok(depth) => depth,
            Err(error) => return AtRest::Unread(chain(&error)),
        };
        let reading = (depth, before);
        if last == Some(reading) && seen() == before {
            let (expected, receipts) = before;
            return AtRest::Read {
                depth,
                expected,
                receipts,
            };
        }
        if began.elapsed() > limit {
            return AtRest::Unread(format!(
                "no two consecutive readings within {} s were equal",
                limit.as_secs()
            ));
        }
        last = Some(reading);
        sleep(APART).await;
    }
}
