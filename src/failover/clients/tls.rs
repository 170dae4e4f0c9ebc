//! TLS of the load's clients: whom they trust, and which name they expect.
//!
//! The load balancer passes TLS through to the queue manager, so the name in the certificate is the user's own and rarely the
//! load balancer's: it can be named beside the address. Nothing ever goes unverified.

use mqaws_files::read_text;
use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject};
use rustls::{ClientConfig, RootCertStore};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio_rustls::TlsConnector;

/// Whom the clients trust.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trust {
    /// PEM file with the certificate authority's certificates; the system's own when absent.
    pub ca_file: Option<PathBuf>,
    /// The name that the certificate must be made out to; the endpoint's host when absent.
    pub server_name: Option<String>,
}

/// What the clients are to trust cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("could not {what}: {cause}")]
pub struct TrustError {
    /// What was attempted.
    pub what: String,
    /// The library's words.
    pub cause: String,
}

/// How one client speaks TLS.
#[derive(Clone)]
pub struct Tls {
    /// Makes connections.
    pub(super) connector: TlsConnector,
    /// The name that the certificate must be made out to.
    pub(super) name: ServerName<'static>,
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Trust {
    /// TLS towards this host.
    ///
    /// # Errors
    /// [`TrustError`] when the file holds no certificate, or the name is none.
    pub fn towards(&self, host: &str) -> Result<Tls, TrustError> {
        let name = self.server_name.as_deref().unwrap_or(host);
        let parsed = ServerName::try_from(name.to_owned()).map_err(|error| TrustError {
            what: format!("take `{name}` for a server name"),
            cause: error.to_string(),
        })?;
        let roots = match &self.ca_file {
            Some(file) => from_file(file)?,
            None => of_the_system(),
        };
        let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()));
        let builder = builder
            .with_safe_default_protocol_versions()
            .map_err(|error| TrustError {
                what: "set up TLS".to_owned(),
                cause: error.to_string(),
            })?;
        let config = builder.with_root_certificates(roots).with_no_client_auth();
        Ok(Tls {
            connector: TlsConnector::from(Arc::new(config)),
            name: parsed,
        })
    }
}

/// Most bytes of a file of certificates; those that operating systems trust have a fifth of it.
const LARGEST: u64 = 1 << 20;

fn from_file(file: &Path) -> Result<RootCertStore, TrustError> {
    let failed = |cause: String| TrustError {
        what: format!("read certificates from {}", file.display()),
        cause,
    };
    let mut roots = RootCertStore::empty();
    let text = read_text(file, LARGEST).map_err(|error| failed(format!("{error}; {}", error.hint())))?;
    for certificate in CertificateDer::pem_slice_iter(text.as_bytes()) {
        let certificate = certificate.map_err(|error| failed(error.to_string()))?;
        roots.add(certificate).map_err(|error| failed(error.to_string()))?;
    }
    match roots.is_empty() {
        true => Err(failed("it holds none".to_owned())),
        false => Ok(roots),
    }
}

/// The operating system's store. What of it cannot be read is not trusted, and a handshake then says whom it does not know.
fn of_the_system() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
}

/// Whether a handshake failed because the other side is not who it should be.
pub(super) fn untrusted(error: &std::io::Error) -> Option<String> {
    let inner = error.get_ref()?.downcast_ref::<rustls::Error>()?;
    matches!(inner, rustls::Error::InvalidCertificate(_)).then(|| inner.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_certificates_and_a_name_that_is_none_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let empty = dir.path().join("ca.pem");
        std::fs::write(&empty, "no certificate\n").unwrap();
        for (ca_file, server_name, words) in [
            (Some(empty), None, "it holds none"),
            (Some(dir.path().join("none.pem")), None, "none.pem"),
            (Some("/dev/zero".into()), None, "not a regular file"),
            (None, Some("a b".to_owned()), "`a b`"),
        ] {
            let error = Trust { ca_file, server_name }.towards("127.0.0.1").unwrap_err();
            let TrustError { what, cause } = error;
            assert!(format!("{what}: {cause}").contains(words), "{what}: {cause}");
        }
        assert!(Trust::default().towards("127.0.0.1").is_ok());
    }
}
