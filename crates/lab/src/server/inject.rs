//! The documented fault switch of the endpoint: answers a share of the calls with throttling or a server error.
//!
//! Which calls fail is decided by a generator with a seed, so that a run can be repeated.

use crate::api::ApiError;
use crate::wire::protocol::Protocol;
use parking_lot::{Mutex, MutexGuard};
use serde::{Deserialize, Serialize};
use std::time::Instant;

/// One switch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Signing name of the service; absent means every service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) service: Option<String>,
    /// Action; absent means every action.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) action: Option<String>,
    /// `Throttling`, `InternalError` or `ServiceUnavailable`.
    pub(crate) error: Kind,
    /// Share of calls that fail, 0 to 1.
    #[serde(default = "always")]
    pub(crate) rate: f64,
    /// How many calls fail before the switch turns itself off; absent means no end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) count: Option<u64>,
    /// Seed of the generator; the same seed and the same calls fail the same way.
    #[serde(default)]
    pub(crate) seed: u64,
}

fn always() -> f64 {
    1.0
}

/// What a failing call answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// The rate of calls was exceeded.
    Throttling,
    /// 500.
    InternalError,
    /// 503.
    ServiceUnavailable,
}

impl Kind {
    fn error(self, protocol: Protocol) -> ApiError {
        let json = matches!(protocol, Protocol::Json(_) | Protocol::Efs | Protocol::Cbor);
        match self {
            Kind::Throttling if protocol == Protocol::Ec2 => {
                ApiError::new("RequestLimitExceeded", "Request limit exceeded.").status(503)
            }
            Kind::Throttling if json => ApiError::new("ThrottlingException", "Rate exceeded"),
            Kind::Throttling => ApiError::new("Throttling", "Rate exceeded"),
            Kind::InternalError => {
                let code = match protocol {
                    Protocol::Ec2 => "InternalError",
                    _ if json => "InternalServerError",
                    _ => "InternalFailure",
                };
                ApiError::new(code, "An internal error has occurred").status(500)
            }
            Kind::ServiceUnavailable => {
                let code = match protocol {
                    Protocol::Ec2 => "Unavailable",
                    _ => "ServiceUnavailable",
                };
                ApiError::new(code, "The service is unavailable. Please try again shortly.").status(503)
            }
        }
    }
}

struct Switch {
    rule: Rule,
    state: u64,
}

/// The time for which no call of an instance succeeds.
#[derive(Debug, Clone, Copy)]
struct Outage {
    until: Instant,
    refused: u64,
}

/// The switches that are on.
#[derive(Default)]
pub struct Injector {
    switches: Mutex<Vec<Switch>>,
    outage: Mutex<Option<Outage>>,
}

impl Injector {
    /// Turns a switch on.
    ///
    /// # Errors
    /// A `ValidationError` for a rate outside 0 to 1.
    pub(crate) fn add(&self, rule: Rule) -> Result<(), ApiError> {
        if !(0.0..=1.0).contains(&rule.rate) {
            return Err(ApiError::new("ValidationError", "rate is not between 0 and 1"));
        }
        let state = rule.seed;
        self.lock().push(Switch { rule, state });
        Ok(())
    }

    /// Fails every call of an instance until then, as AWS's API does when it is down; whoever looks from outside goes on.
    pub(crate) fn go_down(&self, until: Instant) {
        *self.outage.lock() = Some(Outage { until, refused: 0 });
    }

    /// Ends that.
    pub(crate) fn come_up(&self) {
        *self.outage.lock() = None;
    }

    /// How many calls of instances it has refused.
    pub(crate) fn refused(&self) -> u64 {
        self.outage.lock().map_or(0, |outage| outage.refused)
    }

    /// The error that this call of an instance has to answer while the API is down.
    pub(super) fn decide_for_instance(&self, protocol: Protocol) -> Option<ApiError> {
        let mut outage = self.outage.lock();
        let outage = outage.as_mut().filter(|outage| Instant::now() < outage.until)?;
        outage.refused += 1;
        Some(Kind::ServiceUnavailable.error(protocol))
    }

    /// Turns all switches off.
    pub(crate) fn clear(&self) {
        self.lock().clear();
    }

    /// The switches that are on.
    pub(crate) fn rules(&self) -> Vec<Rule> {
        self.lock().iter().map(|s| s.rule.clone()).collect()
    }

    /// The error that this call has to answer, if any.
    pub fn decide(&self, service: &str, action: &str, protocol: Protocol) -> Option<ApiError> {
        let mut switches = self.lock();
        let mut hit = None;
        for switch in switches.iter_mut() {
            let rule = &mut switch.rule;
            let meant = rule.service.as_deref().is_none_or(|s| s == service)
                && rule.action.as_deref().is_none_or(|a| a == action);
            if !meant || rule.count == Some(0) {
                continue;
            }
            if next(&mut switch.state) < rule.rate {
                if let Some(count) = &mut rule.count {
                    *count -= 1;
                }
                hit = Some(rule.error.error(protocol));
                break;
            }
        }
        switches.retain(|s| s.rule.count != Some(0));
        hit
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Switch>> {
        self.switches.lock()
    }
}

/// One step of splitmix64, as a number in 0..1.
fn next(state: &mut u64) -> f64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^= z >> 31;
    (z >> 11) as f64 / (1u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(json: &str) -> Rule {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn a_share_fails_and_the_same_seed_repeats() {
        let outcome = |seed: u64| -> Vec<bool> {
            let injector = Injector::default();
            let mut rule = rule(r#"{"error":"Throttling","rate":0.3}"#);
            rule.seed = seed;
            injector.add(rule).unwrap();
            (0..1000)
                .map(|_| injector.decide("ec2", "DescribeVpcs", Protocol::Ec2).is_some())
                .collect()
        };
        assert_eq!(outcome(7), outcome(7));
        assert_ne!(outcome(7), outcome(8));
        let failed = outcome(7).iter().filter(|f| **f).count();
        assert!((200..400).contains(&failed), "{failed}");
    }

    #[test]
    fn an_api_that_is_down_counts_whom_it_refused_and_comes_up_by_itself() {
        let injector = Injector::default();
        injector.go_down(Instant::now() + std::time::Duration::from_millis(50));
        assert_eq!(injector.refused(), 0);
        let error = injector.decide_for_instance(Protocol::Ec2).unwrap();
        assert_eq!((error.status, injector.refused()), (503, 1));
        assert!(injector.decide("ec2", "DescribeInstances", Protocol::Ec2).is_none());
        std::thread::sleep(std::time::Duration::from_millis(60));
        assert!(injector.decide_for_instance(Protocol::Ec2).is_none());
        injector.come_up();
        assert_eq!(injector.refused(), 0);
    }

    #[test]
    fn count_and_filters_hold() {
        let injector = Injector::default();
        injector
            .add(rule(
                r#"{"service":"ssm","action":"SendCommand","error":"InternalError","count":2}"#,
            ))
            .unwrap();
        assert!(injector.decide("ec2", "SendCommand", Protocol::Ec2).is_none());
        assert!(injector.decide("ssm", "GetParameter", Protocol::Json("1.1")).is_none());
        for _ in 0..2 {
            let error = injector.decide("ssm", "SendCommand", Protocol::Json("1.1")).unwrap();
            assert_eq!((error.status, error.code.as_str()), (500, "InternalServerError"));
        }
        assert!(injector.decide("ssm", "SendCommand", Protocol::Json("1.1")).is_none());
        assert!(injector.rules().is_empty());
        assert!(injector.add(rule(r#"{"error":"Throttling","rate":2}"#)).is_err());
    }
}
