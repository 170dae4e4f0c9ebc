//! AMQP 1.0, as IBM MQ's AMQP service offers it to applications that use queues.
//!
//! One session a connection; SASL PLAIN; a link names a queue and asks for it with the capability `queue` (without it an IBM MQ
//! link is publish and subscribe, which the stand-in does not have and refuses). A message is persistent when its header says
//! durable. Refused as IBM MQ refuses them: message annotations, and message or correlation ids that are no string. A second
//! connection with the same container id takes over. Not there: transactions, topics, browsing, expiry, priorities, and two
//! links of one name in a session, whatever their directions.

mod connection;
mod incoming;
mod opening;
mod outgoing;
mod peek;
mod sasl;
#[cfg(test)]
mod tests;

pub(crate) use connection::serve;
