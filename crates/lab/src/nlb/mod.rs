//! The data plane of network load balancers: listeners are TCP proxies on real ports, targets are checked for real.
//!
//! Pure parts: [`health`] (when a target changes state), [`routing`] (which target a connection gets), the proxy
//! protocol's header. Running parts: [`Pool`] (a target group with its checkers and flows) and [`Front`] (a listener).
//!
//! What differs from AWS: a proxy completes the client's handshake before it knows the target, so a connection that
//! AWS would leave unanswered is reset here; targets see the proxy's address, not the client's.

mod checker;
mod flow;
mod front;
pub(crate) mod health;
mod pool;
mod probe;
mod proxy_header;
pub(crate) mod routing;
mod target;

#[cfg(test)]
mod tests;

pub(crate) use front::{Front, FrontSettings};
pub(crate) use pool::{ANY_ZONE, Pool, PoolSettings, Usage};
pub(crate) use probe::{CheckPort, CheckSettings, Probe, matcher};
pub(crate) use target::{TargetKey, TargetReport};
