//! The execution controller: the one process of a running queue manager.
//!
//! `strmqm` starts it as `amqzxma0 __qmgr -m NAME`, reads from its standard output how the start goes, and leaves it running in
//! a session of its own. It holds the lock in the data directory from before the replay to its end.

pub(crate) mod control;
mod start;

pub(crate) use start::Report;
pub use start::main;
