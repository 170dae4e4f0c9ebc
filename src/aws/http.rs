//! One HTTP client for all services.

use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_http_client::{Builder, Connector};
use aws_smithy_runtime_api::client::http::{SharedHttpClient, SharedHttpConnector, http_client_fn};
use aws_smithy_runtime_api::shared::IntoShared;
use std::sync::OnceLock;

/// The client for an endpoint; `None` means AWS itself.
///
/// Proxies of the environment serve AWS and distant endpoints, never loopback: a local cloud is not behind a proxy.
pub(super) fn client(endpoint: Option<&str>) -> SharedHttpClient {
    let tls = Provider::Rustls(CryptoMode::Ring);
    if endpoint.is_some_and(is_loopback) {
        return Builder::new().tls_provider(tls).build_https();
    }
    // One connector for the life of the client keeps connections and the parsed root certificates.
    let connector: OnceLock<SharedHttpConnector> = OnceLock::new();
    http_client_fn(move |settings, components| {
        connector
            .get_or_init(|| {
                let mut builder = Connector::builder().connector_settings(settings.clone());
                builder.set_sleep_impl(components.sleep_impl());
                let builder = builder.proxy_config(ProxyConfig::from_env());
                builder.tls_provider(tls.clone()).build().into_shared()
            })
            .clone()
    })
}

/// Whether an endpoint is on this machine.
pub(super) fn is_loopback(endpoint: &str) -> bool {
    let host = host(endpoint).unwrap_or_default();
    match host.parse::<std::net::IpAddr>() {
        Ok(address) => address.is_loopback(),
        Err(_) => host == "localhost" || host.ends_with(".localhost"),
    }
}

/// The host of a URL, without port and brackets.
pub(super) fn host(endpoint: &str) -> Option<String> {
    let url = url::Url::parse(endpoint).ok()?;
    let host = url.host_str()?;
    Some(host.trim_start_matches('[').trim_end_matches(']').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_told_by_address_not_by_look() {
        for (endpoint, expected) in [
            ("http://127.77.0.1:4566", true),
            ("http://[::1]:4566", true),
            ("http://localhost:5000", true),
            ("https://127.0.0.1.example.com", false),
            ("https://ec2.eu-west-1.amazonaws.com", false),
            ("not a url", false),
        ] {
            assert_eq!(is_loopback(endpoint), expected, "{endpoint}");
        }
    }
}
