//! TLS of an AMQP channel: the queue manager's key repository, as a real one's attributes name it.
//!
//! `openssl` opens the PKCS#12 file, as the agent's check does: there is no small crate for it. What comes out is held in
//! memory only.

use std::{
    path::PathBuf,
    process::{Command, Stdio},
    sync::Arc,
};

use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    version::{TLS12, TLS13},
};
use std::io::Write;
use tokio_rustls::TlsAcceptor;

use super::objects::{Attributes, Objects};

/// The values of `SSLCIPH` that the stand-in knows, with the versions that each allows.
const CIPHERS: &[(&str, &[&rustls::SupportedProtocolVersion])] = &[
    ("ANY_TLS12_OR_HIGHER", &[&TLS12, &TLS13]),
    ("ANY_TLS13_OR_HIGHER", &[&TLS13]),
    ("ANY_TLS12", &[&TLS12]),
    ("ANY_TLS13", &[&TLS13]),
];

/// Whether a value of `SSLCIPH` can be served; nothing is plain.
pub(crate) fn is_cipher(text: &str) -> bool {
    text.trim().is_empty() || CIPHERS.iter().any(|(name, _)| *name == text)
}

/// Where a channel's certificate is and how it speaks.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Tls {
    file: PathBuf,
    password: String,
    label: String,
    cipher: String,
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls")
            .field("file", &self.file)
            .field("label", &self.label)
            .field("cipher", &self.cipher)
            .finish_non_exhaustive()
    }
}

impl Tls {
    /// How a channel with these attributes speaks TLS; `None` when it speaks plainly.
    pub(crate) fn of(channel: &Attributes, objects: &Objects) -> Option<Self> {
        let cipher = channel.get("SSLCIPH").filter(|c| !c.trim().is_empty())?;
        let (name, manager) = objects.queue_manager();
        let own = |key: &str| manager.get(key).filter(|v| !v.trim().is_empty()).cloned();
        let label = channel.get("CERTLABL").filter(|l| !l.trim().is_empty()).cloned();
        Some(Self {
            file: own("SSLKEYR").unwrap_or_default().into(),
            password: own("KEYRPWD").map(|kept| hidden::open(&kept)).unwrap_or_default(),
            label: label
                .or_else(|| own("CERTLABL"))
                .unwrap_or_else(|| format!("ibmwebspheremq{}", name.to_lowercase())),
            cipher: cipher.clone(),
        })
    }

    /// Opens the key repository.
    ///
    /// # Errors
    /// In words, with the number of IBM's message.
    pub(crate) fn acceptor(&self) -> Result<TlsAcceptor, String> {
        let failed = |why: String| {
            format!(
                "AMQ9657E: The key repository {} could not be opened: {why}",
                self.file.display()
            )
        };
        // From 9.4.0 the AMQP service takes nothing else.
        if !self.file.extension().is_some_and(|e| e == "p12" || e == "pkcs12") {
            return Err(failed("it is not a .p12 file".to_owned()));
        }
        let text = self.opened().map_err(failed)?;
        let bags: Vec<&str> = text.split("Bag Attributes").collect();
        let named = |bag: &&&str| {
            let name = bag.lines().find_map(|l| l.trim().strip_prefix("friendlyName:"));
            name.is_some_and(|name| name.trim().eq_ignore_ascii_case(&self.label))
        };
        let no_label = || format!("AMQ9642E: there is no certificate {} for the channel", self.label);
        let own = bags
            .iter()
            .filter(named)
            .find(|bag| bag.contains("BEGIN CERTIFICATE"))
            .ok_or_else(no_label)?;
        let key = bags
            .iter()
            .filter(named)
            .find(|bag| bag.contains("PRIVATE KEY"))
            .ok_or_else(no_label)?;
        let unreadable = |error: rustls::pki_types::pem::Error| failed(error.to_string());
        let mut chain = vec![CertificateDer::from_pem_slice(own.as_bytes()).map_err(unreadable)?];
        for bag in bags
            .iter()
            .filter(|bag| *bag != own && bag.contains("BEGIN CERTIFICATE"))
        {
            chain.push(CertificateDer::from_pem_slice(bag.as_bytes()).map_err(unreadable)?);
        }
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(unreadable)?;
        let versions = CIPHERS.iter().find(|(name, _)| *name == self.cipher).map(|(_, v)| *v);
        let versions = versions.ok_or_else(|| format!("AMQ8242E: SSLCIPH definition wrong: {}", self.cipher))?;
        let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_protocol_versions(versions)
            .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
            .map_err(|error| failed(error.to_string()))?;
        Ok(TlsAcceptor::from(Arc::new(config)))
    }

    /// Certificates and keys as PEM, each behind the attributes of its bag.
    fn opened(&self) -> Result<String, String> {
        let mut child = Command::new("openssl")
            .args(["pkcs12", "-nodes", "-passin", "stdin", "-in"])
            .arg(&self.file)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("openssl does not start: {error}"))?;
        if let Some(mut stdin) = child.stdin.take() {
            // One that has already failed says why on its standard error.
            let _ = stdin.write_all(format!("{}\n", self.password).as_bytes());
        }
        let output = child.wait_with_output().map_err(|error| error.to_string())?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            return Err(said.lines().next().unwrap_or("no output from openssl").to_owned());
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

/// How `KEYRPWD` is kept: as with IBM MQ's default initial key, which is the same everywhere, this hides and protects nothing.
pub(crate) mod hidden {
    use base64::{Engine as _, prelude::BASE64_STANDARD};

    const KEY: &[u8] = b"mqaws stand-in";
    const MARK: &str = "<hidden>";

    fn mixed(bytes: &[u8]) -> Vec<u8> {
        bytes.iter().zip(KEY.iter().cycle()).map(|(b, k)| b ^ k).collect()
    }

    /// A password as it is kept.
    pub(crate) fn close(password: &str) -> String {
        format!("{MARK}{}", BASE64_STANDARD.encode(mixed(password.as_bytes())))
    }

    /// The password that is kept so.
    pub(crate) fn open(kept: &str) -> String {
        let bytes = kept
            .strip_prefix(MARK)
            .and_then(|text| BASE64_STANDARD.decode(text).ok());
        bytes.map_or_else(String::new, |b| String::from_utf8_lossy(&mixed(&b)).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kept_password_is_not_the_password_and_gives_it_back() {
        let kept = hidden::close("it's s3cret");
        assert!(!kept.contains("s3cret"));
        assert_eq!(hidden::open(&kept), "it's s3cret");
        assert_eq!(hidden::open("anything"), "");
    }

    #[test]
    fn blank_is_plain_and_an_unknown_cipher_is_none() {
        for (text, known) in [
            ("", true),
            (" ", true),
            ("ANY_TLS13", true),
            ("ANY", false),
            ("NULL_MD5", false),
        ] {
            assert_eq!(is_cipher(text), known, "{text}");
        }
    }
}
