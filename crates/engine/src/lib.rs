//! Message engines, one folder each: command lines to run, parsers of what the commands print, and what the agent asks of any.
//!
//! - [`product`] is what is known of an engine before there is a host: names of its processes, user, data, order of versions;
//! - [`service`] is the engine of one queue manager on one host: adopt, start, define, check, end, probe;
//! - [`Cluster`] is what an engine is asked besides where its members each keep a copy of the data;
//! - [`ibm_mq`] is IBM MQ, [`rabbitmq`] RabbitMQ; [`PRODUCTS`] is the table of those that have a driver;
//! - [`image`] is what an image holds of its engine, [`certificate`] what clients see;
//! - [`processes`] finds an engine's processes, and [`runner`] runs one command with a deadline. Whatever is not an exit code is
//!   an error, and an error is not a verdict.
//!
//! The same driver runs against an engine and against the lab's stand-in for it: only the directory of the commands differs.

pub mod certificate;
mod cluster;
pub mod ibm_mq;
pub mod image;
pub mod processes;
pub mod product;
pub mod rabbitmq;
mod root;
pub mod runner;
pub(crate) mod service;

pub use certificate::Certificate;
pub use cluster::{Cluster, Standing};
pub use mqaws_contract::engine::Order;
pub use product::{LeaseRule, NoDriver, ProcessKind, Product, Products, find};
pub use root::Root;
pub use runner::{Command, Output, RunError, Runner};
pub use service::{DataState, Engine, EngineFailure, EngineInfo, FailureKind, Health, Host, Measures};

/// The engines that the shipped agent can run. What is added here, an agent can run.
pub const PRODUCTS: Products = &[&ibm_mq::IbmMq, &rabbitmq::RabbitMq];

#[cfg(test)]
mod tests {
    use super::*;
    use mqaws_contract::engine::{ENGINES, EngineKind};

    #[test]
    fn the_engines_that_can_be_deployed_are_those_with_a_driver() {
        for facts in ENGINES {
            let driver = find(PRODUCTS, &EngineKind::of(facts));
            assert_eq!(facts.runs, driver.is_ok(), "{}", facts.word);
        }
    }
}
