//! A target group at work: registered targets, their checkers, their flows.

use super::checker::keep_checking;
use super::flow::Order;
use super::health::{Health, Machine};
use super::probe::{CheckPort, CheckSettings};
use super::routing::{self, Candidate, MinimumHealthy};
use super::target::{Phase, Target, TargetKey, TargetReport};
use crate::network::Network;
use parking_lot::{Mutex, MutexGuard};
use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{Hash, Hasher};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// Zone of targets that are in every zone.
pub(crate) const ANY_ZONE: &str = "all";

/// Settings of a target group. Durations are those that run, not those that were asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PoolSettings {
    /// How targets are checked.
    pub(crate) check: CheckSettings,
    /// From registration to the first check.
    pub(crate) registration: Duration,
    /// How long a deregistered target stays `draining`.
    pub(crate) deregistration: Duration,
    /// Whether its connections are reset then.
    pub(crate) reset_deregistered: bool,
    /// Whether connections of an unhealthy target are reset, unless the group fails open.
    pub(crate) reset_unhealthy: bool,
    /// How long an unhealthy target is `unhealthy.draining` when its connections are kept.
    pub(crate) unhealthy_draining: Duration,
    /// Cross-zone balancing; `None` as the load balancer says.
    pub(crate) cross_zone: Option<bool>,
    /// When the group fails open.
    pub(crate) minimum_healthy: MinimumHealthy,
    /// Whether a client's address always gets the same target.
    pub(crate) sticky: bool,
    /// Whether targets get a proxy protocol header.
    pub(crate) proxy_protocol: bool,
}

/// The load balancer that uses a target group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Usage {
    /// Zones that are enabled for it.
    pub(crate) zones: BTreeSet<String>,
}

impl Usage {
    pub(super) fn serves(&self, zone: &str) -> bool {
        zone == ANY_ZONE || self.zones.contains(zone)
    }
}

struct Inner {
    settings: PoolSettings,
    targets: BTreeMap<TargetKey, Target>,
    counter: u64,
}

/// A target group at work.
pub(crate) struct Pool {
    inner: Mutex<Inner>,
    network: Network,
    usage: watch::Sender<Option<Usage>>,
}

/// A connection's target; forgets the flow when dropped.
pub(super) struct Chosen {
    pub(crate) address: SocketAddr,
    pub(crate) proxy_protocol: bool,
    pub(crate) orders: watch::Receiver<Order>,
    pool: Weak<Pool>,
    key: TargetKey,
    id: u64,
}

impl Drop for Chosen {
    fn drop(&mut self) {
        if let Some(pool) = self.pool.upgrade()
            && let Some(target) = pool.lock().targets.get_mut(&self.key)
        {
            target.flows.remove(&self.id);
        }
    }
}

impl Inner {
    /// Targets that may get connections, in the order of their keys.
    fn candidates(&self, usage: &Option<Usage>) -> (Vec<&TargetKey>, Vec<Candidate>) {
        let Some(usage) = usage else {
            return (Vec::new(), Vec::new());
        };
        self.targets
            .iter()
            .filter(|(_, t)| matches!(t.phase, Phase::Checking) && usage.serves(&t.zone))
            .map(|(key, t)| {
                let zone = t.zone.clone();
                (
                    key,
                    Candidate {
                        zone,
                        health: t.machine.state(),
                    },
                )
            })
            .unzip()
    }

    /// Tells the flows of unhealthy targets that they are over, unless the group fails open.
    fn sweep(&mut self, usage: &Option<Usage>) {
        let (_, candidates) = self.candidates(usage);
        if !self.settings.reset_unhealthy || routing::fails_open(&candidates, self.settings.minimum_healthy) {
            return;
        }
        for target in self.targets.values() {
            if matches!(target.phase, Phase::Checking) && target.machine.state() == Health::Unhealthy {
                target.order(Order::ResetOnPacket);
            }
        }
    }
}
impl Pool {
    /// A group without targets that no load balancer uses; its targets are on this network.
    pub(crate) fn new(settings: PoolSettings, network: Network) -> Arc<Self> {
        Arc::new(Self {
            inner: Mutex::new(Inner {
                settings,
                targets: BTreeMap::new(),
                counter: 0,
            }),
            network,
            usage: watch::Sender::new(None),
        })
    }

    pub(super) fn network(&self) -> &Network {
        &self.network
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock()
    }

    /// Replaces the settings; checks use them from the next one on.
    pub(crate) fn configure(&self, settings: PoolSettings) {
        self.lock().settings = settings;
    }

    pub(super) fn settings(&self) -> PoolSettings {
        self.lock().settings.clone()
    }

    /// Says which load balancer uses the group; targets are checked only while one does.
    pub(crate) fn set_usage(&self, usage: Option<Usage>) {
        self.usage.send_if_modified(|have| {
            let changed = *have != usage;
            *have = usage;
            changed
        });
    }

    /// Registers a target; one that is registered already is left as it is, one that drains starts anew.
    pub(crate) fn register(self: &Arc<Self>, key: TargetKey, address: Ipv4Addr, zone: String) {
        let mut inner = self.lock();
        if inner
            .targets
            .get(&key)
            .is_some_and(|t| matches!(t.phase, Phase::Registering | Phase::Checking))
        {
            return;
        }
        inner.counter += 1;
        let generation = inner.counter;
        let target = SocketAddr::from((address, key.1));
        let task = tokio::spawn(keep_checking(
            Arc::downgrade(self),
            self.usage.subscribe(),
            key.clone(),
            target,
        ));
        let mut new = Target {
            address,
            zone,
            phase: Phase::Registering,
            machine: Machine::default(),
            changed: Instant::now(),
            flows: HashMap::new(),
            task: Some(task.abort_handle()),
            generation,
        };
        if let Some(mut old) = inner.targets.remove(&key) {
            new.flows = std::mem::take(&mut old.flows);
        }
        inner.targets.insert(key, new);
    }

    /// Deregisters a target: no new connections, gone after the delay. False when it is not registered.
    pub(crate) fn deregister(self: &Arc<Self>, key: &TargetKey) -> bool {
        let mut inner = self.lock();
        let (delay, in_use) = (inner.settings.deregistration, self.usage.borrow().is_some());
        inner.counter += 1;
        let generation = inner.counter;
        let Some(target) = inner.targets.get_mut(key) else {
            return false;
        };
        match target.phase {
            Phase::Draining => return true,
            Phase::Registering | Phase::Checking if in_use => {}
            // nothing to drain
            _ => {
                inner.targets.remove(key);
                return true;
            }
        }
        target.enter(Phase::Draining);
        target.generation = generation;
        if let Some(checker) = target.task.take() {
            checker.abort();
        }
        let (pool, key) = (Arc::downgrade(self), key.clone());
        tokio::spawn(async move {
            tokio::time::sleep(delay).await;
            let Some(pool) = pool.upgrade() else { return };
            let mut inner = pool.lock();
            let reset = inner.settings.reset_deregistered;
            if inner.targets.get(&key).is_some_and(|t| t.generation == generation)
                && let Some(target) = inner.targets.remove(&key)
                && reset
            {
                target.order(Order::Reset);
            }
        });
        true
    }

    /// Follows the state of an instance: `stopped` targets get nothing, `terminated` ones are forgotten, `running`
    /// ones start anew.
    pub(crate) fn instance_state(self: &Arc<Self>, instance: &str, state: &str) {
        let mut again = Vec::new();
        {
            let mut inner = self.lock();
            if state == "terminated" {
                inner.targets.retain(|(id, _), _| id != instance);
                return;
            }
            for (key, target) in inner.targets.iter_mut().filter(|((id, _), _)| id == instance) {
                match (state, &target.phase) {
                    ("stopped", _) => {
                        target.enter(Phase::Invalid(state.to_owned()));
                        if let Some(checker) = target.task.take() {
                            checker.abort();
                        }
                    }
                    ("running", Phase::Invalid(_)) => again.push((key.clone(), target.address, target.zone.clone())),
                    _ => {}
                }
            }
        }
        for (key, address, zone) in again {
            self.register(key, address, zone);
        }
    }

    /// Forgets every connection to an instance, by the ids that it is registered with: the next packet of one is discarded, and then it is reset.
    /// How many there were.
    pub(crate) fn forget(&self, instance: &[String]) -> usize {
        self.order(instance, Order::ResetOnPacket)
    }

    /// Resets every connection to an instance now; how many there were.
    pub(crate) fn reset(&self, instance: &[String]) -> usize {
        self.order(instance, Order::Reset)
    }

    fn order(&self, instance: &[String], order: Order) -> usize {
        let inner = self.lock();
        let own = inner.targets.iter().filter(|((id, _), _)| instance.contains(id));
        own.map(|(_, target)| {
            target.order(order);
            target.flows.len()
        })
        .sum()
    }

    /// Whether any connection to an instance has been told to end and has not.
    pub(crate) fn is_resetting(&self, instance: &[String]) -> bool {
        self.with(instance, Order::Reset) > 0
    }

    /// How many connections to an instance are forgotten and had no packet since.
    pub(crate) fn forgotten(&self, instance: &[String]) -> usize {
        self.with(instance, Order::ResetOnPacket)
    }

    fn with(&self, instance: &[String], order: Order) -> usize {
        let inner = self.lock();
        let own = inner.targets.iter().filter(|((id, _), _)| instance.contains(id));
        own.flat_map(|(_, target)| target.flows.values())
            .filter(|flow| *flow.borrow() == order)
            .count()
    }

    /// Whether a target is registered, draining included.
    pub(crate) fn contains(&self, key: &TargetKey) -> bool {
        self.lock().targets.contains_key(key)
    }

    /// Ids of all registered targets.
    pub(crate) fn ids(&self) -> BTreeSet<String> {
        self.lock().targets.keys().map(|(id, _)| id.clone()).collect()
    }

    /// Picks the target for a connection.
    pub(super) fn choose(self: &Arc<Self>, client: IpAddr, cross_zone: bool) -> Option<Chosen> {
        let usage = self.usage.borrow().clone();
        let mut inner = self.lock();
        inner.counter += 1;
        let id = inner.counter;
        let ticket = if inner.settings.sticky {
            let mut hash = DefaultHasher::new();
            client.hash(&mut hash);
            hash.finish()
        } else {
            id
        };
        let settings = &inner.settings;
        let (keys, candidates) = inner.candidates(&usage);
        let cross_zone = settings.cross_zone.unwrap_or(cross_zone);
        let chosen = routing::choose(
            &candidates,
            settings.minimum_healthy,
            cross_zone,
            (ticket as u32) as usize,
        )?;
        let key = keys[chosen].clone();
        let proxy_protocol = settings.proxy_protocol;
        let (sender, orders) = watch::channel(Order::Keep);
        let target = inner.targets.get_mut(&key)?;
        target.flows.insert(id, sender);
        Some(Chosen {
            address: SocketAddr::from((target.address, key.1)),
            proxy_protocol,
            orders,
            pool: Arc::downgrade(self),
            key,
            id,
        })
    }

    /// Takes the result of a check; false when the target is no longer checked.
    pub(super) fn observe(&self, key: &TargetKey, passed: bool) -> bool {
        let usage = self.usage.borrow().clone();
        let mut inner = self.lock();
        let thresholds = inner.settings.check.thresholds;
        let Some(target) = inner.targets.get_mut(key) else {
            return false;
        };
        if !matches!(target.phase, Phase::Checking) {
            return false;
        }
        if let Some(state) = target.machine.observe(passed, thresholds) {
            target.changed = Instant::now();
            tracing::info!(target = %key.0, port = key.1, ?state, "target health changed");
            inner.sweep(&usage);
        }
        true
    }

    /// Moves a target on from `Registering`, or back to it.
    pub(super) fn enter(&self, key: &TargetKey, phase: Phase) -> bool {
        match self.lock().targets.get_mut(key) {
            Some(target) if matches!(target.phase, Phase::Registering | Phase::Checking) => {
                target.machine = Machine::default();
                target.enter(phase);
                true
            }
            _ => false,
        }
    }

    /// The state of every target.
    pub(crate) fn report(&self) -> Vec<TargetReport> {
        let usage = self.usage.borrow().clone();
        let inner = self.lock();
        inner
            .targets
            .iter()
            .map(|(key, target)| {
                let (state, reason, description) = target.describe(&usage, &inner.settings);
                let check_port = match inner.settings.check.port {
                    CheckPort::Traffic => key.1,
                    CheckPort::Fixed(port) => port,
                };
                TargetReport {
                    key: key.clone(),
                    check_port,
                    state,
                    reason,
                    description,
                }
            })
            .collect()
    }
}
