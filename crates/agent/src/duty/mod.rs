//! What a topology asks of the agent on each of its hosts: a state machine, event in, actions out. Pure: no clock, no file, no
//! process.
//!
//! [`Duty`] is all that the main loop knows of it. [`Event`]s come in, [`Action`]s go out; [`Work`] is an action that takes time
//! and comes back as exactly one [`Event::Done`]. What every duty can order of host, engine and AWS is one catalogue; what it
//! asks of the lock keeper is [`KeeperWork`](super::keeper::KeeperWork), and a duty without a lock orders none of that.
//! [`Steps`] is what every duty needs to keep count of what it ordered. Each piece of work carries the *generation* in which it
//! was ordered; whenever a duty drops what it was doing, the generation rises, and late results of the old one are ignored.
//!
//! [`DUTIES`] is the one place that says which topology has which duty; each duty has a folder of its own.

mod event;
mod interface;
pub(crate) mod single_writer;
mod steps;
mod table;

pub use event::{Action, Decision, DrainReason, Event, Ordered, Outcome, Timer, Work};
pub use interface::{Duty, FenceView, View};
pub use steps::Steps;
pub use table::{DUTIES, Duties, DutyOf, find};
