//! Injects, looks and heals: the lab's own calls.

use super::kinds::{Kind, Seen};
use crate::api::{ApiError, ApiResult, Cloud};
use crate::ec2::Ec2;
use crate::efs::Efs;
use crate::elbv2::Elb;
use crate::server::{Injector, Routes};
use parking_lot::Mutex;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The longest time that a fault may last.
const LONGEST: Duration = Duration::from_secs(15 * 60);
/// How long the effect of a fault is waited for before the first answer; whoever wants more asks again.
const FIRST_LOOK: Duration = Duration::from_secs(1);
/// How often it is looked for.
const EVERY: Duration = Duration::from_millis(20);

/// What is asked for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    fault: Kind,
    instance: String,
    #[serde(default)]
    milliseconds: u64,
}

/// A fault that was injected; the last of each kind is remembered.
#[derive(Debug, Clone)]
struct Injected {
    kind: Kind,
    instance: String,
    hosts: Vec<String>,
    t_unix_ns: i64,
    lasts: bool,
    seen: Seen,
    number: u64,
}

impl Injected {
    fn report(&self) -> Value {
        json!({
            "fault": self.kind,
            "instance": self.instance,
            "hosts": self.hosts,
            "lasts": self.lasts,
            "verified": self.seen.verified,
            "evidence": self.seen.evidence,
            "t_unix_ns": self.t_unix_ns,
        })
    }
}

/// The faults of a lab, and what they are done to.
pub(crate) struct Faults {
    pub(super) ec2: Arc<Ec2>,
    pub(super) elb: Arc<Elb>,
    pub(super) efs: Arc<Efs>,
    pub(super) injector: Arc<Injector>,
    /// How many connections were reset last, and whether any of them was left.
    pub(super) reset: Mutex<(usize, bool)>,
    /// How many connections were forgotten last.
    pub(super) forgotten: Mutex<usize>,
    injected: Mutex<Vec<Injected>>,
}

impl Faults {
    /// No faults.
    pub(crate) fn new(ec2: Arc<Ec2>, elb: Arc<Elb>, efs: Arc<Efs>, injector: Arc<Injector>) -> Arc<Self> {
        Arc::new(Self {
            ec2,
            elb,
            efs,
            injector,
            reset: Mutex::default(),
            forgotten: Mutex::default(),
            injected: Mutex::default(),
        })
    }

    /// Adds `/_mqaws/faults`.
    pub(crate) fn add_routes(self: &Arc<Self>, routes: &mut Routes) {
        let faults = self.clone();
        routes.on("POST", "/_mqaws/faults", move |cloud, request| {
            let faults = faults.clone();
            async move { faults.post(cloud, request.body).await }
        });
        let faults = self.clone();
        routes.on("GET", "/_mqaws/faults", move |cloud, _| {
            let faults = faults.clone();
            async move { Ok(faults.reports(&cloud).await) }
        });
        let faults = self.clone();
        routes.on("DELETE", "/_mqaws/faults", move |cloud, _| {
            let faults = faults.clone();
            async move {
                faults.heal(|_| true).await;
                Ok(faults.reports(&cloud).await)
            }
        });
    }

    async fn post(self: &Arc<Self>, cloud: Arc<Cloud>, body: Value) -> ApiResult {
        let order: Order = serde_json::from_value(body).map_err(|e| ApiError::new("ValidationError", e.to_string()))?;
        let time = Duration::from_millis(order.milliseconds);
        let (kind, instance) = (order.fault, order.instance);
        if !kind.is_once() && (time.is_zero() || time > LONGEST) {
            let message = format!("milliseconds is not between 1 and {}", LONGEST.as_millis());
            return Err(ApiError::new("ValidationError", message));
        }
        self.ec2.address_of(&instance)?;
        self.heal(|other| other.kind == kind).await;
        let t_unix_ns = unix_nanos();
        let hosts = match kind.inject(self, &instance, time).await {
            Ok(hosts) => hosts,
            Err(error) => {
                let hosts = self.ec2.neighbors(&instance).unwrap_or_default();
                kind.heal(self, &hosts).await;
                return Err(error);
            }
        };
        let number = {
            let mut injected = self.injected.lock();
            let number = injected.iter().map(|one| one.number + 1).max().unwrap_or_default();
            injected.retain(|other| other.kind != kind);
            injected.push(Injected {
                kind,
                instance,
                hosts,
                t_unix_ns,
                lasts: !kind.is_once(),
                seen: Seen {
                    verified: false,
                    evidence: "not observed yet".to_owned(),
                },
                number,
            });
            number
        };
        if !kind.is_once() {
            let faults = self.clone();
            tokio::spawn(async move {
                tokio::time::sleep(time).await;
                faults.heal(|one| one.number == number).await;
            });
        }
        let deadline = tokio::time::Instant::now() + FIRST_LOOK.min(time.max(EVERY));
        loop {
            self.look(&cloud).await;
            let report = self.report(number);
            let verified = report.as_ref().is_none_or(|report| report["verified"] == true);
            if verified || tokio::time::Instant::now() >= deadline {
                return Ok(report.unwrap_or_default());
            }
            tokio::time::sleep(EVERY).await;
        }
    }

    fn report(&self, number: u64) -> Option<Value> {
        let injected = self.injected.lock();
        injected.iter().find(|one| one.number == number).map(Injected::report)
    }

    /// Looks once for the effect of every fault that has shown none yet.
    async fn look(&self, cloud: &Cloud) {
        let open: Vec<Injected> = {
            let injected = self.injected.lock();
            let unseen = |one: &&Injected| !one.seen.verified && (one.lasts || one.kind.is_once());
            injected.iter().filter(unseen).cloned().collect()
        };
        for one in open {
            let seen = one.kind.look(self, cloud, &one.hosts).await;
            let mut injected = self.injected.lock();
            // What was looked at may be healed by now.
            if let Some(same) = injected.iter_mut().find(|same| same.number == one.number) {
                same.seen = seen;
            }
        }
    }

    async fn reports(&self, cloud: &Cloud) -> Value {
        self.look(cloud).await;
        let injected = self.injected.lock();
        let reports: Vec<Value> = injected.iter().map(Injected::report).collect();
        json!({ "faults": reports })
    }

    /// Ends the faults that last and are meant; what was seen of them stays known.
    async fn heal(&self, meant: impl Fn(&Injected) -> bool) {
        let ended: Vec<Injected> = {
            let mut injected = self.injected.lock();
            let meant = injected.iter_mut().filter(|one| one.lasts && meant(one));
            meant
                .map(|one| {
                    one.lasts = false;
                    one.clone()
                })
                .collect()
        };
        for one in ended {
            one.kind.heal(self, &one.hosts).await;
            tracing::info!(fault = ?one.kind, instance = one.instance, "fault healed");
        }
    }
}

fn unix_nanos() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}
