//! The certificate as PEM, for engines that read no PKCS#12.

use super::{Certificate, Examination, usable};
use crate::Runner;
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use std::path::Path;

/// A private key with its certificate and the chain above it.
#[derive(Debug, Clone)]
pub(crate) struct Pem {
    /// Key and certificates, the server's own first.
    pub(crate) text: SecretString,
    /// When the certificate is over, when that is known.
    pub(crate) until: Option<Timestamp>,
}

impl Certificate {
    /// Key and certificates of the file, which is at this path; nothing of them is an argument or in a log.
    ///
    /// # Errors
    /// [`Examination`].
    pub(crate) fn pem(&self, runner: &dyn Runner, file: &Path) -> Result<Pem, Examination> {
        let own = self.own(runner, file)?;
        let chain = self.opened(runner, file, &["-nokeys", "-cacerts"])?;
        let key = SecretString::from(self.opened(runner, file, &["-nocerts", "-nodes"])?);
        let text = [key.expose_secret(), own.as_str(), chain.as_str()]
            .map(sections)
            .concat();
        Ok(Pem {
            text: text.into(),
            until: usable(runner, own)?,
        })
    }
}

/// What is between the lines that begin and end a section, with these; what `openssl` says beside it is left out.
fn sections(text: &str) -> String {
    let mut inside = false;
    let mut found = String::new();
    for line in text.lines() {
        inside |= line.starts_with("-----BEGIN ");
        if inside {
            found.push_str(line);
            found.push('\n');
        }
        inside &= !line.starts_with("-----END ");
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_are_kept_and_what_stands_around_them_is_not() {
        let text = "Bag Attributes\n    friendlyName: x\n-----BEGIN A-----\nMAo=\n-----END A-----\nsubject=y\n-----BEGIN B-----\nMA==\n-----END B-----";
        let kept = "-----BEGIN A-----\nMAo=\n-----END A-----\n-----BEGIN B-----\nMA==\n-----END B-----\n";
        assert_eq!(sections(text), kept);
        assert_eq!(sections("nothing"), "");
    }
}
