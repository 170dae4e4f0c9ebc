//! Which driver speaks to an endpoint: the one place that names all of them.

use super::amqp::{Amqp10, AmqpTimes};
use super::client::BrokerDriver;
use super::endpoint::AmqpEndpoint;
use super::tls::{Trust, TrustError};
use secrecy::SecretString;
use std::sync::Arc;

/// The driver for an endpoint, with its user; it has not connected yet.
///
/// # Errors
/// [`TrustError`], when the endpoint speaks TLS and what to trust cannot be read.
pub(crate) fn driver(
    endpoint: &AmqpEndpoint,
    user: &str,
    password: &SecretString,
    trust: &Trust,
) -> Result<Arc<dyn BrokerDriver>, TrustError> {
    let address = &endpoint.address;
    let client = Amqp10::new(
        address.host.clone(),
        address.port,
        user,
        password.clone(),
        AmqpTimes::default(),
    );
    Ok(Arc::new(match endpoint.tls {
        Some(true) => client.with_tls(trust.towards(&address.host)?),
        _ => client,
    }))
}
