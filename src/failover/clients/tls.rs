//! TLS of the load's clients: whom they trust, and which name they expect.
//!
//! The load balancer passes TLS through to the queue manager, so the name in the certificate is the user's own and rarely the
//! load balancer's: it can be named beside the address. Nothing ever goes unverified.

use mqaws_files::{TextError, open_regular, read_text};
use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject};
use rustls::{CertificateError, ClientConfig, RootCertStore};
use std::io::Read;
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
            what: format!("use `{name}` as a server name"),
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
    let text = read_text(file, LARGEST).map_err(|error| match error {
        TextError::NotUtf8(_) if is_der(file) => {
            failed("it is DER; convert it with `openssl x509 -inform der`".to_owned())
        }
        error => failed(format!("{error}; {}", error.hint())),
    })?;
    for certificate in CertificateDer::pem_slice_iter(text.as_bytes()) {
        let certificate = certificate.map_err(|error| failed(error.to_string()))?;
        roots.add(certificate).map_err(|error| failed(error.to_string()))?;
    }
    match roots.is_empty() {
        true => Err(failed(match sections(&text).as_slice() {
            [] => "it does not contain a certificate".to_owned(),
            others => format!("it contains {} but no certificate", others.join(", ")),
        })),
        false => Ok(roots),
    }
}

/// What the sections of a PEM file say that they are: `PRIVATE KEY`.
fn sections(text: &str) -> Vec<&str> {
    let begins = text.lines().filter_map(|line| line.trim().strip_prefix("-----BEGIN "));
    begins.filter_map(|title| title.strip_suffix("-----")).collect()
}

/// Whether a file begins as the binary form of a certificate does.
fn is_der(file: &Path) -> bool {
    let mut start = [0; 2];
    let read = open_regular(file).and_then(|mut file| file.read_exact(&mut start));
    read.is_ok() && start[0] == 0x30 && start[1] >= 0x80
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
    match inner {
        rustls::Error::InvalidCertificate(error) => Some(sentence(error)),
        _ => None,
    }
}

/// What is wrong with a certificate, in words that do not need the library's documentation.
fn sentence(error: &CertificateError) -> String {
    use CertificateError as Wrong;
    match error {
        Wrong::Expired | Wrong::ExpiredContext { .. } => "its certificate has expired",
        Wrong::NotValidYet | Wrong::NotValidYetContext { .. } => "its certificate is not valid yet",
        Wrong::UnknownIssuer => "its certificate was issued by an unknown certificate authority",
        Wrong::NotValidForNameContext { expected, presented } if !presented.is_empty() => {
            let names = presented.iter().map(|name| written(name)).collect::<Vec<_>>();
            return format!(
                "its certificate is for {}, not for {}",
                names.join(", "),
                expected.to_str()
            );
        }
        Wrong::NotValidForName | Wrong::NotValidForNameContext { .. } => "its certificate is for another name",
        Wrong::Revoked => "its certificate has been revoked",
        Wrong::BadEncoding => "its certificate is malformed",
        Wrong::BadSignature => "the signature of its certificate is wrong",
        Wrong::InvalidPurpose | Wrong::InvalidPurposeContext { .. } => "its certificate is not for servers",
        Wrong::UnhandledCriticalExtension => "its certificate has a critical extension that is not supported",
        Wrong::UnsupportedSignatureAlgorithmContext { .. }
        | Wrong::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
            "its certificate has a signature algorithm that is not supported"
        }
        // Its type is private to the library; the words are stable enough to be looked for.
        Wrong::Other(other) if format!("{other:?}").contains("CaUsedAsEndEntity") => {
            "its certificate is one of a certificate authority (CA:TRUE), not a server's own"
        }
        _ => "its certificate cannot be verified",
    }
    .to_owned()
}

/// `DnsName("mq.example.com")`, as the library has it, without its type.
fn written(name: &str) -> String {
    let inner = name.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')'));
    inner.unwrap_or(name).trim_matches('"').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the library's own, of which only the name is to be had.
    #[derive(Debug)]
    struct CaUsedAsEndEntity;

    impl std::fmt::Display for CaUsedAsEndEntity {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("CaUsedAsEndEntity")
        }
    }

    impl std::error::Error for CaUsedAsEndEntity {}

    #[test]
    fn what_is_wrong_with_a_certificate_is_said_without_the_librarys_types() {
        let authority = CertificateError::Other(rustls::OtherError(Arc::new(CaUsedAsEndEntity)));
        let other_name = CertificateError::NotValidForNameContext {
            expected: ServerName::try_from("a.example.com").unwrap(),
            presented: vec!["DnsName(\"mq.example.com\")".to_owned()],
        };
        for (error, words) in [
            (authority, "certificate authority (CA:TRUE)"),
            (other_name, "for mq.example.com, not for a.example.com"),
            (CertificateError::Expired, "has expired"),
            (CertificateError::UnknownIssuer, "unknown certificate authority"),
            (CertificateError::InvalidOcspResponse, "cannot be verified"),
        ] {
            let said = sentence(&error);
            assert!(said.contains(words) && !said.contains("Error"), "{said}");
        }
    }

    #[test]
    fn a_file_without_certificates_and_a_name_that_is_none_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str, content: &[u8]| {
            let path = dir.path().join(name);
            std::fs::write(&path, content).unwrap();
            Some(path)
        };
        let key = b"-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n";
        for (ca_file, server_name, words) in [
            (
                file("ca.pem", b"no certificate\n"),
                None,
                "it does not contain a certificate",
            ),
            (file("key.pem", key), None, "it contains PRIVATE KEY but no certificate"),
            (file("ca.der", b"\x30\x82\x01\xff\xfe"), None, "it is DER"),
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
