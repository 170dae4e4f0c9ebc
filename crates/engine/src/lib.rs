//! Drivers of message engines: command lines to run, parsers of what the commands print, statuses as enums.
//!
//! - [`runner`] runs one command with a deadline. Whatever is not an exit code is an error, and an error is not a verdict;
//! - [`ibm_mq`] knows IBM MQ: command lines, exit codes, parsers, default definitions. Pure.
//!
//! The same driver runs against IBM MQ and against the lab's stand-in: only the directory of the commands differs.

pub mod ibm_mq;
pub mod runner;

pub use runner::{Command, Output, RunError, Runner};
