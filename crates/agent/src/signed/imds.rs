//! The instance metadata service, version 2.

use super::transport::{Transport, TransportError};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Where the service is on a real instance.
const REAL: &str = "http://169.254.169.254";
/// Life of a session token, seconds; the longest that is allowed.
const TOKEN_LIFE: u64 = 21_600;

/// Why the metadata service did not help.
#[derive(Debug, thiserror::Error)]
pub enum ImdsError {
    /// No answer.
    #[error("cannot read {path} from the instance metadata service")]
    Unreachable {
        /// Path below `/latest/`.
        path: String,
        /// Why.
        #[source]
        source: TransportError,
    },
    /// An answer other than 200 and 404.
    #[error("the instance metadata service answered {status} to {path}")]
    Refused {
        /// Path below `/latest/`.
        path: String,
        /// HTTP status.
        status: u16,
    },
    /// Something that every instance has is missing.
    #[error("the instance metadata service has no {path}")]
    Missing {
        /// Path below `/latest/`.
        path: String,
    },
}

/// A client of the metadata service; cheap to clone, one session token for all clones.
#[derive(Clone)]
pub struct Imds {
    base: String,
    transport: Arc<dyn Transport>,
    token: Arc<Mutex<Option<(String, Instant)>>>,
}

impl Imds {
    /// The service at `base`, or the real one.
    pub fn new(base: Option<&str>, transport: Arc<dyn Transport>) -> Self {
        Self {
            base: base.unwrap_or(REAL).trim_end_matches('/').to_owned(),
            transport,
            token: Arc::default(),
        }
    }

    /// The service named by `AWS_EC2_METADATA_SERVICE_ENDPOINT`, or the real one.
    pub(crate) fn from_env(transport: Arc<dyn Transport>) -> Self {
        let base = std::env::var("AWS_EC2_METADATA_SERVICE_ENDPOINT").ok();
        Self::new(base.as_deref().filter(|b| !b.is_empty()), transport)
    }

    /// A session token, fresh or kept.
    ///
    /// # Errors
    /// [`ImdsError`].
    pub fn token(&self) -> Result<String, ImdsError> {
        let mut kept = self.token.lock().unwrap_or_else(|e| e.into_inner());
        if let Some((token, until)) = kept.as_ref()
            && Instant::now() < *until
        {
            return Ok(token.clone());
        }
        let path = "api/token";
        let request = http::Request::put(format!("{}/latest/{path}", self.base))
            .header("x-aws-ec2-metadata-token-ttl-seconds", TOKEN_LIFE)
            .body(Vec::new());
        let token = self.exchange(path, request)?.ok_or_else(|| missing(path))?;
        *kept = Some((token.clone(), Instant::now() + Duration::from_secs(TOKEN_LIFE - 300)));
        Ok(token)
    }

    /// One value by its path below `/latest/meta-data/`; `None` when the service answers 404.
    ///
    /// # Errors
    /// [`ImdsError`].
    pub fn get(&self, name: &str) -> Result<Option<String>, ImdsError> {
        let path = format!("meta-data/{name}");
        let mut renewed = false;
        loop {
            let token = self.token()?;
            let request = http::Request::get(format!("{}/latest/{path}", self.base))
                .header("x-aws-ec2-metadata-token", token)
                .body(Vec::new());
            match self.exchange(&path, request) {
                Err(ImdsError::Refused { status: 401, .. }) if !renewed => {
                    // The token ended early: the service restarted.
                    renewed = true;
                    *self.token.lock().unwrap_or_else(|e| e.into_inner()) = None;
                }
                other => return other,
            }
        }
    }

    /// One value that every instance has.
    ///
    /// # Errors
    /// [`ImdsError`], also when the service does not have it.
    pub(crate) fn need(&self, name: &str) -> Result<String, ImdsError> {
        self.get(name)?.ok_or_else(|| missing(&format!("meta-data/{name}")))
    }

    fn exchange(
        &self,
        path: &str,
        request: Result<http::Request<Vec<u8>>, http::Error>,
    ) -> Result<Option<String>, ImdsError> {
        let unreachable = |source: TransportError| ImdsError::Unreachable {
            path: path.to_owned(),
            source,
        };
        let request = request.map_err(|error| {
            unreachable(TransportError {
                authority: self.base.clone(),
                source: Box::new(error),
            })
        })?;
        let answer = self.transport.send(request).map_err(unreachable)?;
        match answer.status().as_u16() {
            200 => Ok(Some(String::from_utf8_lossy(answer.body()).trim().to_owned())),
            404 => Ok(None),
            status => Err(ImdsError::Refused {
                path: path.to_owned(),
                status,
            }),
        }
    }
}

fn missing(path: &str) -> ImdsError {
    ImdsError::Missing { path: path.to_owned() }
}
