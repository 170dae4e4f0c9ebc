//! The certificate on its way from Secrets Manager to the engine.

use super::{Worker, locked};
use crate::agent::ports::CertificateError;
use mqaws_engine::certificate::Certificate;
use mqaws_engine::{EngineFailure, FailureKind};
use std::sync::atomic::Ordering;

impl Worker {
    /// Reads the certificate, when there is one, and hands it to the engine; says whether there is another to define. What was
    /// read before will do when AWS does not give it now: a second start on this host needs nobody.
    pub(super) fn install(&self) -> Result<bool, EngineFailure> {
        if self.config.certificate.is_empty() {
            return Ok(false);
        }
        let failure = match self.fetch().and_then(|read| self.take(read)) {
            Ok(()) => return Ok(self.undefined.load(Ordering::Acquire)),
            Err(failure) => failure,
        };
        match locked(&self.certificate).is_some() {
            true => {
                tracing::warn!(why = failure.text, "the previous certificate remains in use");
                Ok(self.undefined.load(Ordering::Acquire))
            }
            false => Err(failure),
        }
    }

    pub(super) fn fetch(&self) -> Result<Certificate, EngineFailure> {
        self.ports.cloud.certificate().map_err(|error| match error {
            CertificateError::Unanswered(text) => EngineFailure {
                kind: FailureKind::Unanswered,
                text,
            },
            CertificateError::Unusable(text) => EngineFailure {
                kind: FailureKind::Shared,
                text,
            },
        })
    }

    pub(super) fn take(&self, read: Certificate) -> Result<(), EngineFailure> {
        if self.ports.engine.install(&read)? {
            self.undefined.store(true, Ordering::Release);
        }
        *locked(&self.certificate) = Some(read);
        Ok(())
    }

    pub(super) fn define(&self) -> Result<(), EngineFailure> {
        if !self.config.certificate.is_empty() && locked(&self.certificate).is_none() {
            self.install()?;
        }
        self.ports.engine.define(self.address())?;
        self.undefined.store(false, Ordering::Release);
        Ok(())
    }

    /// Takes a new certificate while the engine serves.
    pub(super) fn renew(&self, read: Result<Certificate, EngineFailure>) -> Result<bool, String> {
        read.and_then(|read| self.take(read)).map_err(|failure| {
            tracing::warn!(why = failure.text, "the certificate is unchanged");
            failure.text
        })?;
        let due = self.undefined.load(Ordering::Acquire);
        if due {
            self.define().map_err(|failure| failure.text)?;
            tracing::info!("the queue manager shows its new certificate");
        }
        Ok(due)
    }
}
