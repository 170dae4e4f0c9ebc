//! MQSC as the stand-in knows it: queues, listeners, channels, the AMQP service, rules and authorities.
//!
//! What an attribute or a statement is not known for is a syntax error, as it would be for a misspelt one. Message texts come
//! from public logs of IBM MQ, among them `AMQ8006I`, `AMQ8014I`, `AMQ8626I`, `AMQ8021I`, `AMQ8862I`, `AMQ8560I`, `AMQ8405I`,
//! `AMQ8409I`, `AMQ8450I`, `AMQ8147E` and the summary lines. *Unverified*, from general knowledge: `AMQ8007I`, `AMQ8008I`,
//! `AMQ8016I`, `AMQ8019I`, `AMQ8022I`, `AMQ8143E`, `AMQ8150E`, `AMQ8408I`, `AMQ8415I`, `AMQ8566I`, `AMQ8623I`, `AMQ8625I`,
//! `AMQ8627I` to `AMQ8631I`, `AMQ8705I`, `AMQ8706I`, `AMQ8729E` to `AMQ8735E`, `AMQ8864I` to `AMQ8884E`, `AMQ9218E`, `AMQ9557E`,
//! and exit code 10 when a command failed.

mod answer;
mod execute;
mod parse;
mod rules;
mod run;
mod services;
mod show;

#[cfg(test)]
mod tests;

pub(crate) use execute::open_queues;
pub(crate) use run::run;
pub(crate) use services::STARTED;
