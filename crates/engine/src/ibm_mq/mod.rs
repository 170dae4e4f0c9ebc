//! IBM MQ: command lines, exit codes, parsers, default definitions.
//!
//! What is known of IBM MQ comes from IBM's documentation, from public projects that run it, and from samples of its output,
//! which are fixtures under `tests/fixtures/ibm-mq/` with their sources. Nothing here has run against a real IBM MQ so far;
//! what rests on general knowledge alone is marked *unverified*.
//!
//! Reading order: [`Driver`] builds command lines; [`exit`] says what their exit codes mean; [`dspmq`], [`rdqmstatus`],
//! [`stanza`], [`version`], [`drbd`], [`messages`] and [`mqsc`] read what they print; [`definitions`] writes MQSC, [`tuning`] edits `qm.ini`.
//! [`IbmMq`] is what the agent sees of it.
//!
//! All parsers read any text without failing: what they do not know they keep as it is.

pub(crate) mod command;
pub(crate) mod definitions;
pub mod drbd;
pub(crate) mod driver;
pub mod dspmq;
pub(crate) mod exit;
pub mod fields;
pub mod messages;
pub mod mqsc;
pub mod name;
mod places;
mod product;
pub mod rdqmstatus;
mod service;
pub mod stanza;
pub mod status;
mod tune;
pub(crate) mod tuning;
pub mod version;

pub use command::{CreateQueueManager, EndMode, EndOptions, LogType, QueueManagerInfo, Show, StartOptions};
pub use definitions::{Application, Definitions, ProbeQueueDefinition};
pub use driver::{Driver, DriverError};
pub use exit::{CreateExit, DeleteExit, DisplayExit, EndExit, MqscExit, StartExit};
pub use name::{ObjectName, data_path};
pub use product::{IMAGE, IbmMq};
pub use status::QueueManagerStatus;
