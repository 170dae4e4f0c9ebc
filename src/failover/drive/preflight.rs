//! Before anything is changed: may this stack be tested, does it serve, and where are its queues?

use super::error::FailoverError;
use super::port::{CloudError, Instance, Probe, Target, TestBed};
use crate::failover::clients::client::{BrokerDriver, CREDIT, ClientError};
use crate::failover::clients::dial::DriverName;
use crate::failover::clients::endpoint::AmqpEndpoint;
use crate::failover::measure::id::{BadBody, Header};
use crate::failover::report::NotRun;
use crate::failover::scenario::{Consent, Faults};
use crate::model::agent::{AgentStatus, MEASURED_STALE_SECONDS, ProbeQueue};
use crate::model::{Engine, InstanceId};
use crate::topology::{self, Fault, Injector, Seen};
use mqaws_contract::EngineFacts;
use mqaws_contract::verb::Class;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

/// Refuses a stack of another account than the one that the user named, in a lab too.
///
/// # Errors
/// [`FailoverError::OtherAccount`].
pub(super) fn account(target: &Target, consent: &Consent) -> Result<(), FailoverError> {
    match &consent.account {
        Some(named) if *named != target.account => Err(FailoverError::OtherAccount {
            stack: target.stack.clone(),
            account: target.account.clone(),
            named: named.clone(),
        }),
        _ => Ok(()),
    }
}

/// Refuses options that only TLS would obey, where there is none: a test must not pass as if they had been.
///
/// # Errors
/// [`FailoverError::Plain`].
pub(super) fn obeyed(endpoint: &AmqpEndpoint, options: &[&'static str]) -> Result<(), FailoverError> {
    match options.is_empty() || endpoint.tls == Some(true) {
        true => Ok(()),
        false => Err(FailoverError::Plain {
            endpoint: endpoint.to_string(),
            options: options.join(" and "),
        }),
    }
}

/// The endpoint with the driver that was asked for.
///
/// # Errors
/// [`FailoverError::NotSpoken`] and [`FailoverError::SpokenLater`].
pub(super) fn spoken(
    endpoint: AmqpEndpoint,
    engine: Engine,
    asked: Option<DriverName>,
    version: Option<&str>,
) -> Result<AmqpEndpoint, FailoverError> {
    let Some(asked) = asked.map(DriverName::as_str) else {
        return Ok(endpoint);
    };
    let EngineFacts { name, drivers, .. } = engine.facts();
    let Some(driver) = drivers.iter().find(|driver| driver.name == asked) else {
        return Err(FailoverError::NotSpoken {
            driver: asked,
            engine: name,
            drivers: drivers.iter().map(|driver| driver.name).collect(),
        });
    };
    match (version, driver.since) {
        (Some(version), Some(since)) if !driver.speaks_to(version) => Err(FailoverError::SpokenLater {
            driver: asked,
            version: version.to_owned(),
            since,
        }),
        _ => Ok(endpoint.spoken_to_by(driver)),
    }
}

/// Refuses a test to which the user did not agree by the stack's name or the account's. A lab may always be tested.
///
/// # Errors
/// [`FailoverError::NoConsent`].
pub(super) fn consented(target: &Target, consent: &Consent) -> Result<(), FailoverError> {
    let named = consent.typed.as_deref() == Some(&target.stack);
    match target.lab.is_some() || named || consent.account.as_deref() == Some(&target.account) {
        true => Ok(()),
        false => Err(FailoverError::NoConsent {
            stack: target.stack.clone(),
            account: target.account.clone(),
        }),
    }
}

/// Refuses what must not be tested, or cannot be asked. A lab may always be.
///
/// # Errors
/// [`FailoverError`] with what is missing; nothing was changed.
pub(super) async fn guard(cloud: &dyn TestBed, target: &Target) -> Result<(), FailoverError> {
    if target.lab.is_none() && !target.allow_faults {
        return Err(FailoverError::NotAllowed {
            stack: target.stack.clone(),
        });
    }
    target.status.at_rest(&target.stack)?;
    for class in [Class::Read, Class::Test] {
        target.parts.documents.of(class).map_err(CloudError::from)?;
    }
    if target.lab.is_some() {
        return Ok(());
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

/// The faults that are injected, each with who injects it, and those that are left out with the reason.
pub(super) type Planned = (Vec<(Fault, Injector)>, Vec<NotRun>);

/// Which faults are injected here. Refuses those that were named and that the stack's topology does not claim to stand, since their
/// verdict would say nothing, or that cannot be injected here.
///
/// # Errors
/// [`FailoverError::NotStood`], [`FailoverError::NotHere`].
pub(super) fn plan(target: &Target, faults: &Faults) -> Result<Planned, FailoverError> {
    let topology = topology::of(target.parts.topology);
    let (mut run, mut not_run) = (Vec::new(), Vec::new());
    match faults {
        Faults::Named(named) => {
            for &fault in named {
                if topology.stand(fault).is_none() {
                    return Err(FailoverError::NotStood {
                        stack: target.stack.clone(),
                        topology: target.parts.topology,
                        fault,
                    });
                }
                let injector = fault.injector(target.site());
                run.push((fault, injector.map_err(|why| FailoverError::NotHere { fault, why })?));
            }
        }
        Faults::All => {
            for stand in topology.stands() {
                match stand.fault.injector(target.site()) {
                    Ok(injector) => run.push((stand.fault, injector)),
                    Err(why) => not_run.push(NotRun {
                        fault: stand.fault,
                        why: why.to_owned(),
                    }),
                }
            }
        }
    }
    Ok((run, not_run))
}

/// Leaves out a planned move that would end an instance for which no other one is launched; refuses it where it was named.
///
/// # Errors
/// [`FailoverError::Blocked`], or the call that failed.
pub(super) async fn movable(
    cloud: &dyn TestBed,
    target: &Target,
    faults: &Faults,
    (run, not_run): &mut Planned,
) -> Result<(), FailoverError> {
    let moves = |(_, injector): &(Fault, Injector)| *injector == Injector::Operator;
    if !run.iter().any(moves) {
        return Ok(());
    }
    let how = topology::of(target.parts.topology).planned_move();
    let blockers = cloud.blockers(target).await?;
    let Some(blocker) = blockers.into_iter().find(|blocker| blocker.holds_up_move(how)) else {
        return Ok(());
    };
    if let Faults::Named(_) = faults {
        return Err(FailoverError::Blocked {
            stack: target.stack.clone(),
            blocker,
        });
    }
    let left_out = run.extract_if(.., |one| moves(one));
    not_run.extend(left_out.map(|(fault, _)| NotRun {
        fault,
        why: blocker.to_string(),
    }));
    Ok(())
}

/// The instance that serves, with the agent's word for it; waits for it up to `limit`.
///
/// # Errors
/// [`FailoverError::NotServing`] with the last thing that was seen, or the cloud's error when it never answered.
pub(crate) async fn serving(
    cloud: &dyn TestBed,
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

async fn look(cloud: &dyn TestBed, target: &Target) -> Result<Result<(Instance, AgentStatus), String>, FailoverError> {
    let instances = cloud.instances(target).await?;
    let topology = topology::of(target.parts.topology);
    let seen: Vec<Seen<'_>> = instances
        .iter()
        .map(|one| Seen {
            instance: &one.id,
            lifecycle: &one.lifecycle,
        })
        .collect();
    let asked = match topology.asked(&seen) {
        Ok(asked) => asked,
        Err(words) => return Ok(Err(words)),
    };
    let mut agents = Vec::new();
    for &index in &asked {
        agents.push(cloud.agent_status(target, &instances[index].id).await?);
    }
    Ok(topology
        .serving(&agents)
        .map(|place| (instances[asked[place]].clone(), agents.swap_remove(place))))
}

/// Others who are connected would be cut off too. The engine is asked for its count at this moment, since that in a status may be a
/// minute old; an agent that cannot be asked for it is of an earlier version, and only a fresh status of it counts.
///
/// # Errors
/// [`FailoverError::ForeignConnections`], [`FailoverError::ConnectionsOutdated`], [`FailoverError::ConnectionsUnknown`], or the call that failed.
pub(super) async fn foreign(
    cloud: &dyn TestBed,
    target: &Target,
    status: &AgentStatus,
    instance: &InstanceId,
    consent: &Consent,
) -> Result<(), FailoverError> {
    if target.lab.is_some() || consent.foreign_connections {
        return Ok(());
    }
    let count = match (cloud.connections(target, instance).await?, status.connections) {
        (Some(now), _) => now.connections,
        (None, None) => None,
        (None, Some(count)) => match status.measured_seconds {
            Some(seconds) if seconds <= MEASURED_STALE_SECONDS => Some(count),
            seconds => {
                return Err(FailoverError::ConnectionsOutdated {
                    stack: target.stack.clone(),
                    queue_manager: target.queue_manager.clone(),
                    count,
                    seconds,
                });
            }
        },
    };
    let queue_manager = target.queue_manager.clone();
    match count {
        Some(0) => Ok(()),
        Some(count) => Err(FailoverError::ForeignConnections { queue_manager, count }),
        None => Err(FailoverError::ConnectionsUnknown { queue_manager }),
    }
}

/// How long nothing comes until a queue has shown what it has.
pub(super) const SHOWN: Duration = Duration::from_secs(2);

/// Refuses to test on a queue that has messages of others, or may have, which the test would consume or delete. What an earlier test left
/// is taken away, so that each message is looked at, however many there are; others are not acknowledged, and go back. After a silence of
/// `quiet`, what did not come is not expected any more.
///
/// # Errors
/// [`FailoverError::ForeignMessages`], [`FailoverError::UnseenMessages`], [`FailoverError::Endpoint`], or the call that failed.
pub(super) async fn own_messages(
    cloud: &dyn TestBed,
    target: &Target,
    instance: &InstanceId,
    driver: &dyn BrokerDriver,
    endpoint: &str,
    quiet: Duration,
) -> Result<(), FailoverError> {
    let report = cloud.probe(target, instance, Probe::Depth).await?;
    for queue in report.queues.into_iter().filter(|queue| queue.depth > 0) {
        let seen = look_through(&queue, driver, endpoint, quiet).await?;
        let until = Instant::now() + SHOWN;
        loop {
            let report = cloud.probe(target, instance, Probe::Depth).await?;
            match report.queues.into_iter().find(|one| one.name == queue.name) {
                Some(left) if left.depth > 0 && Instant::now() < until => sleep(Duration::from_millis(200)).await,
                // Somebody else holds them, or they came meanwhile.
                Some(left) if left.depth > 0 => return Err(unseen(left, seen)),
                _ => break,
            }
        }
    }
    Ok(())
}

fn unseen(queue: ProbeQueue, seen: u64) -> FailoverError {
    FailoverError::UnseenMessages {
        queue: queue.name,
        depth: queue.depth,
        seen,
    }
}

/// Takes the messages of earlier tests off a queue, until all have come or none does; says how many came.
async fn look_through(
    queue: &ProbeQueue,
    driver: &dyn BrokerDriver,
    endpoint: &str,
    quiet: Duration,
) -> Result<u64, FailoverError> {
    let failed = |cause| FailoverError::Endpoint {
        endpoint: endpoint.to_owned(),
        cause,
    };
    let client = format!("mqaws-look-{:08x}", rand::random::<u32>());
    let mut link = driver.consumer(client, queue.name.clone()).await.map_err(failed)?;
    let (mut seen, mut count) = (0, 0);
    // Of what is not acknowledged, no more is sent.
    while seen < queue.depth && count < CREDIT {
        match timeout(quiet, link.deliveries.recv()).await {
            Ok(Some(delivery)) => {
                seen += 1;
                if Header::read(&delivery.body) == Err(BadBody::NotOurs) {
                    count += 1;
                } else {
                    // One whose link is gone comes again, or shows below.
                    let _ = link.accepts.send(delivery.token);
                }
            }
            Ok(None) if count == 0 => {
                let lost = timeout(SHOWN, &mut link.lost).await.ok().and_then(Result::ok);
                let cause = lost.map_or_else(|| "it was closed".to_owned(), |lost| lost.cause);
                return Err(failed(ClientError::Unreachable {
                    endpoint: endpoint.to_owned(),
                    cause: format!(
                        "the connection ended while the messages of {} were read: {cause}",
                        queue.name
                    ),
                }));
            }
            Ok(None) | Err(_) => break,
        }
    }
    match count {
        0 => Ok(seen),
        count => Err(FailoverError::ForeignMessages {
            queue: queue.name.clone(),
            count,
            seen,
        }),
    }
}

/// Defines the test's queues; returns the one to use. None is deleted for what is in it, which came after [`own_messages`] looked.
///
/// # Errors
/// When the agent cannot be asked, or names no queue; [`FailoverError::UnseenMessages`].
pub(super) async fn queue(
    cloud: &dyn TestBed,
    target: &Target,
    instance: &InstanceId,
) -> Result<String, FailoverError> {
    let mut queues = cloud.probe(target, instance, Probe::Define).await?.queues;
    if let Some(place) = queues.iter().position(|queue| queue.depth > 0) {
        return Err(unseen(queues.swap_remove(place), 0));
    }
    queues.into_iter().next().map(|queue| queue.name).ok_or_else(|| {
        CloudError::remote(
            "define the queues of the test",
            "the agent did not return the name of a queue",
        )
        .into()
    })
}
