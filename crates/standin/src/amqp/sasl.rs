//! SASL PLAIN against the account file of the instance.

use std::{
    path::PathBuf,
    sync::{Arc, OnceLock},
};

use fe2o3_amqp::acceptor::sasl_acceptor::{SaslAcceptor, SaslServerFrame};
use fe2o3_amqp_types::{
    primitives::{Array, Symbol},
    sasl::{SaslCode, SaslInit, SaslOutcome, SaslResponse},
};

use crate::lab_accounts::Accounts;

/// Asks for user and password, and remembers who it was.
#[derive(Debug, Clone)]
pub(super) struct Plain {
    root: PathBuf,
    user: Arc<OnceLock<String>>,
}

impl Plain {
    pub(super) fn new(root: PathBuf) -> Self {
        Self {
            root,
            user: Arc::default(),
        }
    }

    /// Who authenticated.
    pub(super) fn user(&self) -> Option<&str> {
        self.user.get().map(String::as_str)
    }

    fn judge(&self, init: &SaslInit) -> SaslCode {
        if init.mechanism.as_str() != "PLAIN" {
            return SaslCode::Auth;
        }
        let Some(response) = &init.initial_response else {
            return SaslCode::Auth;
        };
        let mut parts = response.split(|b| *b == 0).map(std::str::from_utf8);
        let (Some(Ok(_)), Some(Ok(user)), Some(Ok(password)), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return SaslCode::Auth;
        };
        // Read each time: the agent may have written another password since. A file that cannot be read lets nobody in.
        match Accounts::read(&self.root) {
            Ok(accounts) if accounts.verify(user, password) => {
                let _ = self.user.set(user.to_owned());
                SaslCode::Ok
            }
            Ok(_) => SaslCode::Auth,
            Err(_) => SaslCode::Sys,
        }
    }
}

impl SaslAcceptor for Plain {
    fn mechanisms(&self) -> Array<Symbol> {
        Array::from(vec![Symbol::from("PLAIN")])
    }

    fn on_init(&mut self, init: SaslInit) -> SaslServerFrame {
        SaslServerFrame::Outcome(SaslOutcome {
            code: self.judge(&init),
            additional_data: None,
        })
    }

    fn on_response(&mut self, _response: SaslResponse) -> SaslServerFrame {
        SaslServerFrame::Outcome(SaslOutcome {
            code: SaslCode::Sys,
            additional_data: None,
        })
    }
}
