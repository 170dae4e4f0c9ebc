//! mqaws: highly available message queue managers on AWS: deploy them, rehearse their failures under load, measure RPO and RTO.
//!
//! Reading order, which is also the order of a deployment:
//!
//! 1. [`model`]: what the user wants, as typed data;
//! 2. [`template`]: a CloudFormation document as typed data;
//! 3. [`render`]: from the one to the other, with user data and the agent's configuration, in the order that [`topology`] says; [`stack`]:
//!    what a deployed stack is read by;
//! 4. `deploy`, `observe`: change sets, events, service; what is there now;
//! 5. the crates `mqaws_agent` (with its module `fence`) and `mqaws_engine`: what runs on the instance, and why it may write;
//! 6. `failover`: load, faults, ledger, verdict;
//! 7. `image`: the image that instances start from, built by Packer;
//! 8. the crates `mqaws_lab` and `mqaws_standin`, and `lab_agent`: the same on one machine, without an account or a licence.
//!
//! Without features the library is `model`, `template`, `topology`, `render` and `stack` alone. The feature `ports` adds `deploy`, `observe`, `failover`
//! and `image`, which know AWS by their ports and by the errors in `cloud`; `cli` adds `aws`, where the SDK is, and the program.

pub mod model;
pub mod render;
pub mod stack;
pub mod template;
pub mod topology;

pub use mqaws_contract::remedy;

#[cfg(feature = "lab-agent")]
pub mod lab_agent;

#[cfg(feature = "ports")]
pub mod cloud;
#[cfg(feature = "ports")]
pub mod deploy;
#[cfg(feature = "ports")]
pub mod failover;
#[cfg(feature = "ports")]
pub mod image;
#[cfg(feature = "ports")]
pub mod observe;

#[cfg(feature = "cli")]
pub mod aws;
#[cfg(feature = "cli")]
pub mod cli;

/// The README's examples are tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
