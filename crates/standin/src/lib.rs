//! The stand-in queue manager of the local cloud: a test double.
//!
//! IBM MQ cannot be shipped, so a lab instance has this in its place: the same commands with the same flags, words and exit
//! codes, durable queues, a lock in the data directory, TCP on 1414 and AMQP 1.0 on 5672. The driver in [`mqaws_engine`] does
//! not know the difference; a user does, since version text and reports say it.
//!
//! Reading order: `commands` answers the command lines; `qmgr` is the process of a running queue manager; `record` and `log`
//! are its data, `writer` makes messages safe before they are acknowledged; `queue` and `broker` hold them; `amqp` and `network`
//! serve clients; `mqsc` and `objects` are its definitions; [`audit()`] says who wrote the data; [`defect`] holds the negative
//! controls.
//!
//! On disk, in the queue manager's own directory under `crtmqm -md`: `qm.ini`, `qmstatus.ini`, `objects.json`, `master` (the
//! lock), and `log/NNNNNNNNNN.log`. The directory under `-ld` must exist, as IBM MQ's own log must, and stays empty: one place
//! for the records keeps their order plain. On the host: `var/mqm/mqs.ini` and `var/mqm/qmgrs/<name>/{control,errors}`.
//!
//! What it guarantees is what the failover test asks of a queue manager: a persistent message is acknowledged after it is
//! written and synced; it is taken for good after the client accepts it; whoever holds the lock is the only writer. What it
//! does not show: IBM MQ's speed, its log format, its own protocol, transactions, publish and subscribe, standby instances.

use crate as standin;
use mqaws_engine as engine;

pub mod commands;
pub(crate) mod defect;
pub mod lab_accounts;

mod amqp;
mod audit;
mod broker;
mod home;
mod lock;
mod log;
mod mqsc;
mod network;
mod objects;
mod qmgr;
mod queue;
mod record;
mod tls;
mod writer;

pub use audit::{Audit, EpochRun, audit};
pub use defect::Defect;
pub use qmgr::main as controller_main;

/// Version that the stand-in gives itself: that of the IBM MQ whose behaviour it follows.
pub const VERSION: &str = "9.4.0.0";
