//! Faults of the cloud around an instance, for failover tests: no AWS client can ask for them.
//!
//! `POST /_mqaws/faults` with `{"fault", "instance", "milliseconds"}` injects one, `GET` says of each what was seen of it, `DELETE` heals
//! all. Each heals by itself after its time, and with the end of the lab. What was asked for is no evidence: a fault counts as seen when
//! its effect was, [`kinds`] says which.

mod kinds;
mod service;

pub(crate) use service::Faults;
