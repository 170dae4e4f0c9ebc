//! The image: built by Packer, published for deployments, listed, pruned.
//!
//! Reading order: [`mod@build`] is the flow; [`Stages`] says where a build is, from the lines that [`machine`] reads; [`manifest`]
//! says what came of it; [`left`] what a failure left; [`prune`] which images may go. Calls are behind [`ports`].

pub mod build;
mod error;
mod inputs;
pub mod left;
mod log;
pub mod machine;
pub mod manifest;
mod pace;
mod packer;
pub mod ports;
pub mod prune;
mod run;
mod stages;
mod workshop;

pub use build::{Bench, Built, Order, build};
pub use error::ImageError;
pub use inputs::{Agent, verify};
pub use left::Leftovers;
pub use log::Log;
pub use pace::Pace;
pub use packer::{Packer, Version, find_session_plugin};
pub use run::Killer;
pub use stages::{Failure, News, Stage, Stages, Temporary};
