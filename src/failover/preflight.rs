//! Before anything is changed: may this stack be tested, does it serve, can it be reached, does it keep what it takes?

use super::client::{ClientError, Driver};
use super::error::FailoverError;
use super::gap::percentile;
use super::id::{MessageId, RunId};
use super::load::Producer;
use super::port::{Cloud, Instance, Probe, Target};
use super::round::{Round, nanos};
use super::scenario::{Consent, Pace, Scenario};
use crate::model::agent::AgentStatus;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

/// Messages of the check for persistence.
const CHECKED: u64 = 20;

/// Everything of the check is given up after this.
const CHECK_LIMIT: Duration = Duration::from_secs(30);

/// Refuses what must not be tested. A lab may always be.
///
/// # Errors
/// [`FailoverError`] with what is missing; nothing was changed.
pub(super) async fn guard(cloud: &dyn Cloud, target: &Target, consent: &Consent) -> Result<(), FailoverError> {
    if target.lab.is_some() {
        return Ok(());
    }
    if !target.allow_faults {
        return Err(FailoverError::NotAllowed {
            stack: target.stack.clone(),
        });
    }
    let named = consent.typed.as_deref() == Some(&target.stack);
    if !named && consent.account.as_deref() != Some(&target.account) {
        return Err(FailoverError::NoConsent {
            stack: target.stack.clone(),
            account: target.account.clone(),
        });
    }
    let alarms = cloud.alarms(target).await?;
    if !alarms.is_empty() {
        return Err(FailoverError::Alarm {
            stack: target.stack.clone(),
            alarms: alarms.join(", "),
        });
    }
    Ok(())
}

/// The instance that serves, with the agent's word for it; waits for it up to `limit`.
///
/// # Errors
/// [`FailoverError::NotServing`] with the last thing that was seen, or the cloud's error when it never answered.
pub(super) async fn serving(
    cloud: &dyn Cloud,
    target: &Target,
    limit: Duration,
) -> Result<(Instance, AgentStatus), FailoverError> {
    let until = Instant::now() + limit;
    loop {
        let seen = look(cloud, target).await;
        if Instant::now() >= until || matches!(seen, Ok(Ok(_))) {
            return seen?.map_err(|state| FailoverError::NotServing {
                queue_manager: target.queue_manager.clone(),
                state,
            });
        }
        sleep(Duration::from_millis(200)).await;
    }
}

async fn look(cloud: &dyn Cloud, target: &Target) -> Result<Result<(Instance, AgentStatus), String>, FailoverError> {
    let instances = cloud.instances(target).await?;
    let in_service: Vec<&Instance> = instances.iter().filter(|one| one.lifecycle == "InService").collect();
    let &[instance] = in_service.as_slice() else {
        let states: Vec<String> = instances
            .iter()
            .map(|one| format!("{} {}", one.id, one.lifecycle))
            .collect();
        return Ok(Err(format!(
            "{} instances in service ({})",
            in_service.len(),
            states.join(", ")
        )));
    };
    let status = cloud.agent_status(&instance.id).await?;
    if status.state != "serving" {
        return Ok(Err(format!("the agent on {} is {}", instance.id, status.state)));
    }
    Ok(Ok((instance.clone(), status)))
}

/// Others who are connected would be cut off too.
///
/// # Errors
/// [`FailoverError::ForeignConnections`].
pub(super) fn foreign(target: &Target, status: &AgentStatus, consent: &Consent) -> Result<(), FailoverError> {
    match status.connections {
        Some(count) if count > 0 && target.lab.is_none() && !consent.foreign_connections => {
            Err(FailoverError::ForeignConnections {
                queue_manager: target.queue_manager.clone(),
                count,
            })
        }
        _ => Ok(()),
    }
}

/// Defines the test's queues, emptied of what an earlier test left; returns the one to use.
///
/// # Errors
/// When the agent cannot be asked, or names no queue.
pub(super) async fn queue(cloud: &dyn Cloud, instance: &str) -> Result<String, FailoverError> {
    let mut report = cloud.probe(instance, Probe::Define).await?;
    if report.queues.iter().any(|queue| queue.depth > 0) {
        cloud.probe(instance, Probe::Delete).await?;
        report = cloud.probe(instance, Probe::Define).await?;
    }
    report
        .queues
        .first()
        .map(|queue| queue.name.clone())
        .ok_or_else(|| super::port::CloudError::remote("define the queues of the test", "the agent named none").into())
}

/// Puts and gets a few messages: is the endpoint there, do they come back, and as persistent as they were put?
///
/// Returns warnings.
///
/// # Errors
/// [`FailoverError::Endpoint`] when nothing answers, [`FailoverError::NotDurable`] when messages come back otherwise than they were put.
pub(super) async fn check(
    driver: &dyn Driver,
    endpoint: &str,
    queue: &str,
    scenario: &Scenario,
    pace: &Pace,
    fsync_millis: Option<f64>,
) -> Result<Vec<String>, FailoverError> {
    let unreachable = |cause: ClientError| FailoverError::Endpoint {
        endpoint: endpoint.to_owned(),
        cause,
    };
    let round = Arc::new(Round::new(RunId(rand::random()), &[true], pace.keep));
    let producer = Producer {
        number: 0,
        queue: queue.to_owned(),
        durable: true,
        rate: scenario.load.rate,
        size: scenario.load.size,
        window: 1,
    };
    let acked = producer
        .fill(CHECKED, &round, driver, CHECK_LIMIT)
        .await
        .map_err(unreachable)?;
    let not_durable = |cause: String| FailoverError::NotDurable {
        queue: queue.to_owned(),
        cause,
    };
    if acked < CHECKED {
        return Err(not_durable(format!(
            "{acked} of {CHECKED} messages were acknowledged within {} s",
            CHECK_LIMIT.as_secs()
        )));
    }
    let mut link = driver
        .consumer(format!("mqaws-check-{:08x}", rand::random::<u32>()), queue.to_owned())
        .await
        .map_err(unreachable)?;
    let take = async {
        while round.ledger().received() < CHECKED {
            let Some(delivery) = link.deliveries.recv().await else {
                break;
            };
            round.received(0, 1, &delivery);
            let _ = link.accepts.send(delivery.token);
        }
    };
    let _ = timeout(CHECK_LIMIT, take).await;
    let ledger = round.ledger();
    if ledger.received() < CHECKED {
        return Err(not_durable(format!(
            "{} of {CHECKED} messages came back",
            ledger.received()
        )));
    }
    if ledger.tally().not_durable > 0 {
        return Err(not_durable(
            "messages put as persistent came back as not persistent".into(),
        ));
    }
    let came_back: Vec<MessageId> = ledger.receipts().map(|receipt| receipt.id).collect();
    let mut latencies: Vec<u64> = ledger
        .puts()
        .filter(|put| came_back.contains(&put.id))
        .map(|put| put.done_ns - put.sent_ns)
        .collect();
    latencies.sort_unstable();
    Ok(too_fast(percentile(&latencies, 0.5), fsync_millis)
        .into_iter()
        .collect())
}

/// An acknowledgement that is much faster than the storage was not waited for.
fn too_fast(ack_ns: Option<u64>, fsync_millis: Option<f64>) -> Option<String> {
    let (ack_ns, fsync_millis) = (ack_ns?, fsync_millis?);
    let fsync_ns = nanos(Duration::try_from_secs_f64(fsync_millis / 1e3).ok()?);
    // The agent tells the slow end of its samples, so only a wide gap means anything.
    (ack_ns.saturating_mul(20) < fsync_ns).then(|| {
        format!(
            "acknowledged in {:.2} ms, while one write to the storage takes up to {fsync_millis:.1} ms: is it on disk by then?",
            ack_ns as f64 / 1e6
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fast_acknowledgements_are_suspicious() {
        for (ack_us, fsync_ms, warned) in [(67, 5.0, true), (3000, 5.0, false), (400, 5.0, false), (67, 0.2, false)] {
            assert_eq!(
                too_fast(Some(ack_us * 1000), Some(fsync_ms)).is_some(),
                warned,
                "{ack_us} us, {fsync_ms} ms"
            );
        }
        assert_eq!(too_fast(Some(1), None), None);
        assert_eq!(too_fast(None, Some(5.0)), None);
    }
}
