//! The faults: what each does, what shows it, and how it ends.

use super::service::Faults;
use crate::api::{ApiError, Cloud};
use serde::{Deserialize, Serialize};
use std::time::{Duration, Instant};

/// How long an instance that is cut off is given to answer all the same.
const SILENCE: Duration = Duration::from_millis(300);
/// How long connections may take to end.
const RESET: Duration = Duration::from_secs(2);
/// A port on which nothing listens: an instance that is reached refuses at once.
const CLOSED: u16 = 9;

/// A fault of the cloud.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    /// The instance's cable is unplugged.
    CutHost,
    /// The cables of all instances of its zone are.
    CutZone,
    /// The server of its locks does not answer it, for less than a lease.
    StallStorage,
    /// The same for longer than a lease.
    CutStorage,
    /// Calls of instances to the API fail.
    ApiDown,
    /// The load balancer resets every connection to it.
    ResetConnections,
    /// The load balancer forgets every connection to it, as one does that was idle for too long: whoever sends next on one is reset.
    IdleTimeout,
}

/// What was seen of a fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seen {
    /// Whether its effect was seen.
    pub(super) verified: bool,
    /// What was seen.
    pub(super) evidence: String,
}

fn seen(verified: bool, evidence: impl Into<String>) -> Seen {
    Seen {
        verified,
        evidence: evidence.into(),
    }
}

impl Kind {
    /// Whether it is over as soon as it is done.
    pub(super) fn is_once(self) -> bool {
        matches!(self, Self::ResetConnections | Self::IdleTimeout)
    }

    /// Does it; whom it was done to.
    ///
    /// # Errors
    /// When it cannot be done; then what was done of it is to be healed.
    pub(super) async fn inject(self, faults: &Faults, instance: &str, time: Duration) -> Result<Vec<String>, ApiError> {
        let hosts = match self {
            Self::CutZone => faults.ec2.neighbors(instance)?,
            _ => vec![instance.to_owned()],
        };
        match self {
            Self::CutHost | Self::CutZone => {
                for host in &hosts {
                    faults.ec2.plug(host, false).await?;
                }
            }
            Self::StallStorage | Self::CutStorage => {
                let until = tokio::time::Instant::now() + time;
                faults.efs.lease().silence(instance, until);
            }
            Self::ApiDown => faults.injector.go_down(Instant::now() + time),
            Self::ResetConnections => {
                let address = faults.ec2.address_of(instance)?;
                *faults.reset.lock() = faults.elb.reset(instance, address, RESET).await;
            }
            Self::IdleTimeout => {
                let address = faults.ec2.address_of(instance)?;
                *faults.forgotten.lock() = faults.elb.forget(instance, address);
            }
        }
        Ok(hosts)
    }

    /// Looks for its effect.
    pub(super) async fn look(self, faults: &Faults, cloud: &Cloud, hosts: &[String]) -> Seen {
        match self {
            Self::CutHost | Self::CutZone => {
                for host in hosts {
                    if answers(faults, cloud, host).await {
                        return seen(false, format!("{host} still answers"));
                    }
                }
                seen(true, format!("no answer from {}", hosts.join(", ")))
            }
            Self::StallStorage | Self::CutStorage => {
                let count = faults.efs.lease().unanswered();
                seen(count > 0, format!("requests to the lock server unanswered: {count}"))
            }
            Self::ApiDown => {
                let count = faults.injector.refused();
                seen(count > 0, format!("API calls of instances refused: {count}"))
            }
            Self::ResetConnections => match *faults.reset.lock() {
                (_, true) => seen(false, "connections that were to be reset remain"),
                (count, false) => seen(count > 0, format!("connections reset by the load balancer: {count}")),
            },
            Self::IdleTimeout => {
                let forgotten = *faults.forgotten.lock();
                // A host that has no address any more has no connections either.
                let of = |host: &String| {
                    let address = faults.ec2.address_of(host);
                    address.map_or(0, |address| faults.elb.forgotten(host, address))
                };
                let left: usize = hosts.iter().map(of).sum();
                let met = forgotten.saturating_sub(left);
                let evidence = format!(
                    "connections forgotten by the load balancer: {forgotten}, and reset at their next packet: {met}"
                );
                seen(met > 0, evidence)
            }
        }
    }

    /// Ends it; a host that no longer runs needs no cable.
    pub(super) async fn heal(self, faults: &Faults, hosts: &[String]) {
        match self {
            Self::CutHost | Self::CutZone => {
                for host in hosts {
                    if let Err(error) = faults.ec2.plug(host, true).await {
                        tracing::info!(host, code = %error.code, message = %error.message, "the cable stays unplugged");
                    }
                }
            }
            Self::StallStorage | Self::CutStorage => faults.efs.lease().speak(),
            Self::ApiDown => faults.injector.come_up(),
            Self::ResetConnections | Self::IdleTimeout => {}
        }
    }
}

/// Whether an instance answers a connection, be it by a refusal.
async fn answers(faults: &Faults, cloud: &Cloud, host: &str) -> bool {
    let Ok(address) = faults.ec2.address_of(host) else {
        return false;
    };
    let connect = cloud.network.connect((address, CLOSED).into());
    tokio::time::timeout(SILENCE, connect).await.is_ok()
}
