//! The instance role's credentials. The environment and files are never read: an instance has its role.

use super::imds::{Imds, ImdsError};
use secrecy::SecretString;
use serde::Deserialize;
use std::sync::Mutex;
use std::time::{Duration, SystemTime};

/// New credentials are asked for this long before the old ones end.
const EARLY: Duration = Duration::from_secs(300);

/// Temporary credentials.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// Access key id; not a secret.
    pub(crate) access_key_id: String,
    /// Secret key.
    pub(crate) secret_access_key: SecretString,
    /// Session token, for temporary credentials.
    pub(crate) session_token: Option<SecretString>,
    /// When they end.
    pub(crate) expires: Option<SystemTime>,
}

/// Where a client gets its credentials.
pub trait CredentialsSource: Send + Sync {
    /// Credentials that are good now; `fresh` asks for new ones even if the kept ones have not ended.
    ///
    /// # Errors
    /// [`ImdsError`] when there are none.
    fn get(&self, fresh: bool) -> Result<Credentials, ImdsError>;
}

/// Credentials of the instance's role, kept until shortly before they end.
pub struct ImdsCredentials {
    imds: Imds,
    kept: Mutex<Option<Credentials>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Document {
    access_key_id: String,
    secret_access_key: String,
    #[serde(default)]
    token: Option<String>,
    #[serde(default)]
    expiration: Option<String>,
}

impl ImdsCredentials {
    /// Credentials from this metadata service.
    pub fn new(imds: Imds) -> Self {
        Self {
            imds,
            kept: Mutex::new(None),
        }
    }

    fn read(&self) -> Result<Credentials, ImdsError> {
        let list = "iam/security-credentials/";
        let roles = self.imds.need(list)?;
        let role = roles.lines().next().unwrap_or_default().trim();
        let path = format!("{list}{role}");
        let text = self.imds.need(&path)?;
        let document: Document = serde_json::from_str(&text).map_err(|_| ImdsError::Missing { path })?;
        Ok(Credentials {
            access_key_id: document.access_key_id,
            secret_access_key: SecretString::from(document.secret_access_key),
            session_token: document.token.filter(|t| !t.is_empty()).map(SecretString::from),
            expires: document
                .expiration
                .and_then(|text| text.parse::<jiff::Timestamp>().ok())
                .map(SystemTime::from),
        })
    }
}

impl CredentialsSource for ImdsCredentials {
    fn get(&self, fresh: bool) -> Result<Credentials, ImdsError> {
        let mut kept = self.kept.lock().unwrap_or_else(|e| e.into_inner());
        let now = SystemTime::now();
        if let Some(credentials) = kept.as_ref()
            && !fresh
            && credentials.expires.is_none_or(|end| now + EARLY < end)
        {
            return Ok(credentials.clone());
        }
        match self.read() {
            Ok(credentials) => Ok(kept.insert(credentials).clone()),
            // Early renewal failed: the old ones still work until their end.
            Err(error) => kept
                .as_ref()
                .filter(|c| !fresh && c.expires.is_some_and(|end| now < end))
                .cloned()
                .ok_or(error),
        }
    }
}
