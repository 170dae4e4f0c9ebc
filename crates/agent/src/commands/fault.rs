//! The verb `fault`, and who may use it.

use super::Place;
use crate::agent::faults;
use crate::model::agent::{ALLOW_FAULTS_TAG, AgentConfig};
use crate::remedy::chain;
use crate::signed::Imds;
use mqaws_contract::{FaultOrder, InstanceFault, InvalidOrder};
use mqaws_engine::Engine;
use std::sync::Arc;
use std::time::Duration;

/// Who may inject faults.
pub enum Guard {
    /// Anybody: a lab is for that.
    Lab {
        /// Whether the instance has a network of its own; else a cut would be one of the machine's.
        own_network: bool,
    },
    /// Only where the instance carries the tag.
    Tag(Imds),
}

impl Guard {
    /// Whether this one may be injected here.
    ///
    /// # Errors
    /// In words.
    pub(crate) fn allows(&self, fault: InstanceFault) -> Result<(), String> {
        let cuts = match fault {
            InstanceFault::CutHost
            | InstanceFault::CutOneWay
            | InstanceFault::StallStorage
            | InstanceFault::CutStorage => true,
            InstanceFault::StopQueueManager
            | InstanceFault::KillQueueManager
            | InstanceFault::HangQueueManager
            | InstanceFault::KillAgent
            | InstanceFault::KillKeeper
            | InstanceFault::HangHost => false,
        };
        match self {
            Self::Lab { own_network: false } if cuts => Err(format!(
                "{} is not possible here: the instance has no network of its own; start the local cloud with `--hosts namespace`",
                fault.name()
            )),
            _ => Ok(()),
        }
    }

    /// Whether a fault is allowed here.
    ///
    /// # Errors
    /// In words; what cannot be read is not allowed.
    pub(crate) fn allows_faults(&self) -> Result<(), String> {
        let Guard::Tag(imds) = self else { return Ok(()) };
        let refused = format!(
            "faults are not allowed: deploy the stack with `--allow-faults`, which sets the tag {ALLOW_FAULTS_TAG}=true"
        );
        match imds.get(&format!("tags/instance/{ALLOW_FAULTS_TAG}")) {
            Ok(Some(value)) if value == "true" => Ok(()),
            Ok(_) => Err(refused),
            Err(error) => Err(format!(
                "{refused} (the instance's tags cannot be read: {})",
                chain(&error)
            )),
        }
    }
}

/// Injects a fault, or heals what lasts: that also where no fault is allowed any more.
pub(super) fn obey(
    place: &Place<'_>,
    order: &str,
    configured: impl FnOnce() -> Result<(AgentConfig, Arc<dyn Engine>), String>,
) -> Result<(), String> {
    let order: FaultOrder = order.parse().map_err(|e: InvalidOrder| e.to_string())?;
    let (fault, time) = match order {
        FaultOrder::Heal => return super::print(&faults::heal(place.layout)?),
        FaultOrder::Once(fault) => (fault, Duration::ZERO),
        FaultOrder::For(fault, time) => (fault, time),
    };
    place.guard.allows_faults()?;
    place.guard.allows(fault)?;
    let (config, engine) = configured()?;
    let site = faults::Site {
        layout: place.layout,
        config: &config,
        engine: engine.as_ref(),
        own: place.own,
    };
    super::print(&faults::inject(&site, fault, time)?)
}
