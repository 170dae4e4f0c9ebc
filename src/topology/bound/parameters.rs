//! The delays of which a model consists, for a configuration, each with its source.

use super::range::{Range, range};
use crate::model::{Deployment, Mount};
use crate::render::target::{CHECK_INTERVAL_S, CHECK_TIMEOUT_S, HEALTHY_CHECKS};
use mqaws_contract::{lease, periods};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// A delay that the model consists of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Parameter {
    /// Name.
    pub name: String,
    /// How long it takes.
    #[serde(flatten)]
    pub range: Range,
    /// Where that is from.
    pub source: String,
    /// Whether no documentation has a value.
    pub is_assumed: bool,
}

impl Parameter {
    fn assumed(name: &str, range: Range, source: &str) -> Self {
        Self {
            name: name.to_owned(),
            range,
            source: source.to_owned(),
            is_assumed: true,
        }
    }

    fn known(name: &str, range: Range, source: &str) -> Self {
        Self {
            is_assumed: false,
            ..Self::assumed(name, range, source)
        }
    }
}

/// The parameters of a deployment, with their defaults where no key of the configuration says otherwise.
#[must_use]
pub fn parameters(deployment: &Deployment) -> Vec<Parameter> {
    let known = Parameter::known;
    let assumed = Parameter::assumed;
    let checks = (
        f64::from(HEALTHY_CHECKS),
        f64::from(CHECK_INTERVAL_S),
        f64::from(CHECK_TIMEOUT_S),
    );
    let mount = match deployment.storage.mount {
        Mount::EfsUtils => "efs-utils",
        Mount::Nfs => "nfs",
    };
    let [lock, proof] = by_lease(deployment.storage.lease_seconds);
    vec![
        known("agent.look", range(0.0, 1.0), "from the agent: it looks every second"),
        hung(deployment),
        known(
            "agent.notice",
            range(0.0, 5.0),
            "from the agent: it asks for its lifecycle state every second, for notices of EC2 every 5 s",
        ),
        assumed(
            "autoscaling.reaction",
            range(5.0, 60.0),
            "`immediately` in the user guide for SetInstanceHealth; 5 to 60 s observed; the template has no grace period",
        ),
        assumed(
            "ec2.launch",
            range(25.0, 60.0),
            "launch, boot, and start of the agent: commonly 25 to 60 s; the template has no warm pool",
        ),
        assumed(
            "storage.mount",
            range(0.5, 2.0),
            &format!("mount as of storage.mount, `{mount}`"),
        ),
        known(
            "engine.stop",
            range(0.0, periods::STOP.as_secs_f64()),
            &format!(
                "from the agent: an orderly end of the engine, {} s at most as a rule; then the lock is free at once",
                periods::STOP.as_secs()
            ),
        ),
        lock,
        known(
            "proof.same-host",
            range(0.0, 1.0),
            "from the agent: it reads the owner record and the lock",
        ),
        known(
            "proof.clean",
            range(0.0, 1.0),
            "from the agent: it reads in the owner record that the data were released",
        ),
        assumed(
            "proof.terminated",
            range(0.1, 12.0),
            "EC2 is asked whether the previous owner is gone, and calls may time out",
        ),
        proof,
        assumed(
            "engine.start",
            range(2.0, 5.0),
            &format!(
                "start of a small queue manager of engine `{}`",
                deployment.engine.as_str()
            ),
        ),
        assumed(
            "engine.replay",
            range(0.0, 1.0),
            "log since the last checkpoint; grows with the load",
        ),
        assumed(
            "target.registered",
            range(30.0, 180.0),
            "registration of a new target, from its launch: `a few minutes` in the user guide; 30 to 180 s reported",
        ),
        known(
            "target.healthy",
            range((checks.0 - 1.0) * checks.1, checks.0 * checks.1 + checks.2),
            &format!(
                "from the template: {HEALTHY_CHECKS} health checks of the target group, every {CHECK_INTERVAL_S} s"
            ),
        ),
    ]
}

/// What an engine that does not answer costs until the agent calls it hung: the rest of a period, and all checks with the waits between them.
fn hung(deployment: &Deployment) -> Parameter {
    let silent = deployment.engine.facts().silent;
    let checks = silent + periods::HEALTH_AGAIN * (periods::HEALTH_FAILURES - 1);
    let (least, most) = (checks, checks + periods::HEALTH);
    let source = format!(
        "from the agent, for engine `{}`: a health check every {} s; {} in a row without an answer take {} s",
        deployment.engine.as_str(),
        periods::HEALTH.as_secs(),
        periods::HEALTH_FAILURES,
        checks.as_secs_f64(),
    );
    Parameter::known("agent.health", range(least.as_secs_f64(), most.as_secs_f64()), &source)
}

/// The wait for the lock of a host that is gone, and for the proof that it is when EC2 has no record of it.
fn by_lease(configured: Option<u32>) -> [Parameter; 2] {
    let lease = configured.map_or(lease::ASSUMED, |seconds| Duration::from_secs(seconds.into()));
    let (free, wait) = (lease.as_secs_f64(), lease::wait(lease).as_secs_f64());
    let from = match configured {
        Some(seconds) => format!("from storage.lease_seconds, {seconds}"),
        None => format!("{} s, as storage.lease_seconds is not set", lease.as_secs()),
    };
    let of = |name, range, what: &str| Parameter {
        is_assumed: configured.is_none(),
        ..Parameter::known(name, range, &format!("{from}: {what}"))
    };
    [
        of(
            "lock.lease",
            range(0.0, free),
            "after the loss of a host, its lease must end",
        ),
        of(
            "proof.lease",
            range(wait - free, wait),
            "no sign of life of the previous owner, when EC2 has no record of it and storage.start_on_lease allows it",
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Engine;

    fn of<'a>(all: &'a [Parameter], name: &str) -> &'a Parameter {
        all.iter().find(|parameter| parameter.name == name).unwrap()
    }

    #[test]
    fn a_key_of_the_configuration_is_in_the_model_and_is_no_assumption() {
        let mut deployment = Deployment::default();
        let all = parameters(&deployment);
        assert_eq!(of(&all, "lock.lease").range, range(0.0, 90.0));
        assert!(of(&all, "lock.lease").is_assumed && of(&all, "proof.lease").is_assumed);
        deployment.storage.lease_seconds = Some(30);
        let all = parameters(&deployment);
        for (name, expected) in [("lock.lease", range(0.0, 30.0)), ("proof.lease", range(45.0, 75.0))] {
            let found = of(&all, name);
            assert_eq!((found.range, found.is_assumed), (expected, false), "{name}");
            assert!(found.source.starts_with("from storage.lease_seconds, 30: "), "{name}");
        }
    }

    #[test]
    fn every_parameter_says_where_it_is_from() {
        for parameter in parameters(&Deployment::default()) {
            assert_eq!(
                parameter.source.starts_with("from "),
                !parameter.is_assumed,
                "{parameter:?}"
            );
        }
    }

    #[test]
    fn a_hung_engine_is_noticed_by_as_many_checks_as_its_engine_takes_time_for() {
        let mut deployment = Deployment::default();
        assert_eq!(of(&parameters(&deployment), "agent.health").range, range(15.0, 20.0));
        deployment.engine = Engine::of("rabbitmq").unwrap();
        assert_eq!(of(&parameters(&deployment), "agent.health").range, range(16.0, 21.0));
    }
}
