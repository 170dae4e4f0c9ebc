//! HTTP, behind a port.

use std::time::Duration;

/// The whole of one exchange: connection, request and answer.
const DEADLINE: Duration = Duration::from_secs(10);
/// No answer to the agent's calls is larger.
const LARGEST: u64 = 4 << 20;

/// Sends one request and returns whatever the server answered, errors of HTTP included.
pub trait Transport: Send + Sync {
    /// One exchange within a deadline of its own.
    ///
    /// # Errors
    /// [`TransportError`] when there was no complete answer.
    fn send(&self, request: http::Request<Vec<u8>>) -> Result<http::Response<Vec<u8>>, TransportError>;
}

/// There was no complete answer.
#[derive(Debug, thiserror::Error)]
#[error("no response from {authority}")]
pub struct TransportError {
    /// Host and port that were asked.
    pub(crate) authority: String,
    /// Why.
    #[source]
    pub(crate) source: Box<dyn std::error::Error + Send + Sync>,
}

/// HTTP/1.1 with kept connections; no proxy, no redirects.
#[derive(Debug, Clone)]
pub struct HttpTransport(ureq::Agent);

impl HttpTransport {
    /// With the default deadline of 10 s an exchange.
    pub fn new() -> Self {
        Self::with_deadline(DEADLINE)
    }

    /// With another deadline an exchange.
    pub(crate) fn with_deadline(deadline: Duration) -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .proxy(None)
            .user_agent(concat!("mqaws-agent/", env!("CARGO_PKG_VERSION")))
            .max_idle_connections(4)
            .max_idle_connections_per_host(1)
            .timeout_global(Some(deadline))
            .build();
        Self(config.new_agent())
    }
}

impl Default for HttpTransport {
    fn default() -> Self {
        Self::new()
    }
}

impl Transport for HttpTransport {
    fn send(&self, request: http::Request<Vec<u8>>) -> Result<http::Response<Vec<u8>>, TransportError> {
        let authority = request.uri().authority().map(ToString::to_string).unwrap_or_default();
        let failed = |source: ureq::Error| TransportError {
            authority: authority.clone(),
            source: Box::new(source),
        };
        // A GET with a body is refused by the client, even with an empty one.
        let answer = if request.body().is_empty() && request.method() == http::Method::GET {
            let (parts, _) = request.into_parts();
            self.0.run(http::Request::from_parts(parts, ()))
        } else {
            self.0.run(request)
        };
        let (parts, mut body) = answer.map_err(failed)?.into_parts();
        let body = body.with_config().limit(LARGEST).read_to_vec().map_err(failed)?;
        Ok(http::Response::from_parts(parts, body))
    }
}
