//! The command line: one file per verb, one frame for all of them.
//!
//! A verb is a module with `Args` (clap) and `run(&Context, Args) -> Outcome`. [`Context`] holds what verbs share:
//! the two output streams, progress, prompts, Ctrl-C, the configuration's place, the AWS clients and the asynchronous
//! runtime, each made when first asked for, so that `render`, `validate` and `--help` start in milliseconds.
//! Errors go up as [`Failure`] and are printed once, by [`main`]. A command that a text suggests stands between backticks and says no
//! more than its point: [`Output`] adds what it needs of this call to mean the same thing.

mod annotated;
mod app;
mod args;
mod choose;
mod context;
mod environment;
mod failure;
mod interrupt;
mod output;
mod pipeline;
mod progress;
mod reference;
mod reports;
mod rto_values;
mod suggestions;
mod terminal;
mod view;
mod words;
mod written;

pub mod ami;
pub mod completions;
pub mod demo;
pub mod deploy;
pub mod destroy;
pub mod failover;
pub mod failover_test;
pub mod init;
pub mod lab;
pub mod local;
pub mod man;
pub mod plan;
pub mod render;
pub mod settings;
pub mod slo;
pub mod status;
pub mod storage;
pub mod validate;

pub use annotated::{Account, annotated};
pub use app::{command, main};
pub use args::{Cli, Color, Command, Format, Global};
pub use choose::pace;
pub use context::Context;
pub use failure::{CliError, Failure, Outcome};
pub use interrupt::Interrupt;
pub use output::Output;
pub use progress::{Progress, Wait};
pub use view::{View, timed};
pub use words::{duration, row};
