//! Drivers of message engines: command lines to run, parsers of what the commands print, statuses as enums.
//!
//! - [`runner`] runs one command with a deadline. Whatever is not an exit code is an error, and an error is not a verdict;
//! - [`ibm_mq`] knows IBM MQ: command lines, exit codes, parsers, default definitions. Pure;
//! - [`lab_accounts`] is the account file of a lab instance, which stands for the operating system's accounts.
//!
//! The same driver runs against IBM MQ and against the lab's stand-in: only the directory of the commands differs.

pub mod ibm_mq;
pub mod lab_accounts;
pub mod runner;

pub use runner::{Command, Output, RunError, Runner};
