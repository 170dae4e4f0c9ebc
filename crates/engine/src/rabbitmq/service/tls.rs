//! The certificate of RabbitMQ: one PEM file, which the node's user alone may read.

use super::{Service, shared, transient};
use crate::certificate::{Certificate, Examination};
use crate::runner::ProcessRunner;
use crate::service::{Engine, EngineFailure, FailureKind};
use jiff::Timestamp;
use mqaws_files::AtomicWrite;
use secrecy::ExposeSecret;
use std::fs;
use std::io::{self, Write};

impl Service {
    /// Writes key and certificates where the node reads them; says whether they are others than before. What cannot serve takes no
    /// other's place.
    pub(super) fn install_certificate(&self, certificate: &Certificate) -> Result<bool, EngineFailure> {
        let file = self.places.certificate();
        let unwritten = |error: io::Error| EngineFailure {
            kind: FailureKind::Transient,
            text: format!("cannot write {}: {error}", file.display()),
        };
        self.make_directories().map_err(unwritten)?;
        // Dropped, it is gone again.
        let beside = self.places.setting("tls.p12");
        let mut beside = AtomicWrite::to(&beside).mode(0o600).begin().map_err(unwritten)?;
        beside.write_all(certificate.pkcs12()).map_err(unwritten)?;
        let pem = certificate
            .pem(&ProcessRunner, beside.path())
            .map_err(|why| match why {
                // The same secret and the same image are every other host's.
                Examination::Unusable(why) => shared(format!("the certificate's secret: {why}")),
                Examination::Unreadable(why) => {
                    shared(format!("cannot read the `pkcs12` of the certificate's secret: {why}"))
                }
                Examination::LeftOut(why) => transient(format!("cannot read the certificate: {why}")),
            })?;
        drop(beside);
        let text = pem.text.expose_secret();
        let changed = !fs::read_to_string(&file).is_ok_and(|there| there == text);
        if changed {
            let written = AtomicWrite::to(&file)
                .mode(0o600)
                .owner(self.run_as)
                .write(text.as_bytes());
            written.map_err(unwritten)?;
        }
        let mut state = self.state();
        state.until = pem.until;
        state.renewed |= changed;
        drop(state);
        match self.certificate_days() {
            Some(days) if days <= 0.0 => tracing::warn!(
                days,
                "the certificate has expired, and clients reject it: store a renewed certificate in its secret"
            ),
            days => tracing::info!(?days, changed, "certificate"),
        }
        Ok(changed)
    }

    /// Has a node that runs read the file again, which it would do by itself within two minutes.
    pub(super) fn show_certificate(&self) -> Result<(), EngineFailure> {
        if !self.state().renewed || self.controller().ok().flatten().is_none() {
            return Ok(());
        }
        self.control(&["eval", "ssl:clear_pem_cache()."], None)
            .map_err(transient)?;
        self.state().renewed = false;
        Ok(())
    }

    /// Days until the certificate is over, when that is known.
    pub(super) fn certificate_days(&self) -> Option<f64> {
        let until = self.state().until?;
        Some(until.duration_since(Timestamp::now()).as_secs_f64() / 86_400.0)
    }
}
