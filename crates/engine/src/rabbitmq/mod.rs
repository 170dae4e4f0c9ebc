//! RabbitMQ: how its broker is started, asked and ended.
//!
//! - [`product`] is what is known of it before there is a host, [`version`] what its versions can and which follow each other;
//! - [`places`] is where its files are, [`settings`] what they say, [`definitions`] what is in the broker from its start on;
//! - [`amqp`] asks a broker in its own protocol, blocking, which is what readiness, health and depths rest on: its commands take a
//!   second or two, and are never in a loop;
//! - [`management`] asks it for what it counts, which is told and never judged;
//! - [`service`] is the engine of one queue manager on one host.
//!
//! Nothing of a node follows its host: its name is the same everywhere, so that any host can open the data.

mod amqp;
mod definitions;
mod management;
mod places;
mod product;
mod service;
mod settings;
mod version;

pub(crate) use product::IMAGE;
pub use product::RabbitMq;
