//! The certificate of IBM MQ: a key repository in memory, known to the queue manager before any channel of ours speaks TLS.

use super::{Service, transient};
use crate::certificate::{Certificate, Examination};
use crate::ibm_mq::definitions::{AMQP_CHANNEL, KeyRepository};
use crate::ibm_mq::mqsc::Report;
use crate::runner::ProcessRunner;
use crate::service::{EngineFailure, FailureKind};
use jiff::Timestamp;
use mqaws_files::{AtomicWrite, PendingFile};
use secrecy::ExposeSecret;
use std::fs::{self, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::sync::PoisonError;

/// The certificate whose key repository is there.
#[derive(Debug, Clone)]
pub(super) struct Installed {
    certificate: Certificate,
    until: Option<Timestamp>,
}

/// Days from now.
fn days(until: Timestamp) -> f64 {
    until.duration_since(Timestamp::now()).as_secs_f64() / 86_400.0
}

/// What MQSC said, without the password, as it is and as MQSC wants it quoted.
fn without(said: &str, password: &str) -> String {
    said.replace(&password.replace('\'', "''"), "…").replace(password, "…")
}

impl Service {
    /// Writes the key repository, readable for the engine alone; one that cannot serve takes no other's place.
    pub(super) fn install_certificate(&self, certificate: &Certificate) -> Result<bool, EngineFailure> {
        let file = self.key_repository.as_path();
        let unwritten = |error: io::Error| EngineFailure {
            kind: FailureKind::Transient,
            text: format!("cannot write {}: {error}", file.display()),
        };
        // An agent that was restarted beside its engine knows of what is there only that all of it was defined.
        let changed = self.undefined().exists()
            || match self.installed() {
                Some(before) => !before.certificate.same(certificate),
                None => !fs::read(file).is_ok_and(|there| there == certificate.pkcs12()),
            };
        let new = self.write_beside(certificate).map_err(unwritten)?;
        let until = match certificate.examine(&ProcessRunner, new.path()) {
            Ok(found) => found.until,
            Err(Examination::Unreadable(why) | Examination::LeftOut(why)) => {
                tracing::warn!(why, "the certificate is not checked before its use");
                None
            }
            Err(Examination::Unusable(why)) => {
                return Err(EngineFailure {
                    kind: FailureKind::Shared,
                    text: format!("the certificate's secret: {why}"),
                });
            }
        };
        match until.map(days) {
            Some(days) if days <= 0.0 => tracing::warn!(
                days,
                "the certificate has expired, and clients reject it: store a renewed certificate in its secret"
            ),
            days => tracing::info!(label = certificate.label(), ?days, changed, "certificate"),
        }
        if changed {
            self.owned(&self.undefined()).write(b"").map_err(unwritten)?;
        }
        new.commit().map_err(unwritten)?;
        *self.certificate.lock().unwrap_or_else(PoisonError::into_inner) = Some(Installed {
            certificate: certificate.clone(),
            until,
        });
        Ok(changed)
    }

    /// Is there while the key repository is not yet the one that the queue manager knows, whoever dies meanwhile.
    fn undefined(&self) -> PathBuf {
        self.key_repository.with_extension("undefined")
    }

    fn installed(&self) -> Option<Installed> {
        self.certificate.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Days until the certificate is over, when that is known.
    pub(super) fn certificate_days(&self) -> Option<f64> {
        self.installed()?.until.map(days)
    }

    /// How a file is written that the engine alone may read.
    fn owned<'a>(&self, file: &'a Path) -> AtomicWrite<'a> {
        AtomicWrite::to(file).mode(0o600).owner(self.run_as)
    }

    /// Whoever opens the key repository sees the old one or the new one, so the new one is written beside it. The directory
    /// is not the engine's to write to: what root does in it nobody can turn elsewhere.
    fn write_beside(&self, certificate: &Certificate) -> io::Result<PendingFile> {
        let dir = self.key_repository.parent().unwrap_or(Path::new("/"));
        fs::create_dir_all(dir)?;
        let group = self.run_as.map(|(_, group)| group);
        chown(dir, None, group)?;
        fs::set_permissions(dir, Permissions::from_mode(if group.is_some() { 0o750 } else { 0o700 }))?;
        let mut new = self.owned(&self.key_repository).begin()?;
        new.write_all(certificate.pkcs12())?;
        Ok(new)
    }

    /// Tells the queue manager where its certificate is, before the definitions that need it.
    pub(super) fn define_certificate(&self) -> Result<(), EngineFailure> {
        let Some(Installed { certificate, .. }) = self.installed() else {
            return Err(EngineFailure {
                kind: FailureKind::Transient,
                text: "no certificate is available yet, and definitions are not applied without it".to_owned(),
            });
        };
        let repository = KeyRepository {
            file: &self.key_repository,
            password: certificate.password().expose_secret(),
            label: certificate.label(),
        };
        let output = self.run(&self.driver.mqsc_unechoed(&self.queue_manager, &repository.mqsc()))?;
        let checked = Report::parse(&output.text).check(output.code);
        checked.map_err(|error| {
            let failure = transient(&error);
            EngineFailure {
                // A syntax error shows what it is about.
                text: format!("the certificate: {}", without(&failure.text, repository.password)),
                ..failure
            }
        })?;
        // A channel that runs keeps what it was started with. It may as well not exist or not run.
        if self.amqp_port.is_some() {
            let stop = format!("STOP CHANNEL('{AMQP_CHANNEL}')");
            let stopped = self.run(&self.driver.mqsc(&self.queue_manager, &stop))?;
            tracing::debug!(code = stopped.code, "the AMQP channel is stopped");
        }
        Ok(())
    }

    /// The channels show it: an agent that comes after this one has nothing left to define.
    pub(super) fn certificate_is_defined(&self) {
        let _ = fs::remove_file(self.undefined());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_left_out_as_it_is_and_as_it_was_quoted() {
        let said = "1 : ALTER QMGR KEYRPWD('it''s')\nAMQ8405I: Syntax error near it's";
        assert_eq!(
            without(said, "it's"),
            "1 : ALTER QMGR KEYRPWD('…')\nAMQ8405I: Syntax error near …"
        );
    }
}
