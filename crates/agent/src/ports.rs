//! What the agent needs of the world. Declared here, implemented at the edge; tests put doubles in their place.

pub use crate::fence::LockPlace;
use crate::fence::{BootId, CloudState, CreateWord};
use crate::model::InstanceId;
use mqaws_engine::Certificate;
pub use mqaws_engine::{Engine, Measures};
use secrecy::SecretString;
use std::net::IpAddr;

/// Why there is no certificate. In words, with the remedy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// Nobody answered: a later attempt may succeed.
    #[error("{0}")]
    Unanswered(String),
    /// AWS refuses it, or it is none.
    #[error("{0}")]
    Unusable(String),
}

/// Why the lifecycle hook was not completed. In words, with the remedy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HookError {
    /// It does not wait yet: a later attempt may succeed.
    #[error("{0}")]
    NotWaiting(String),
    /// AWS did not answer, or refused.
    #[error("{0}")]
    Failed(String),
}

/// Who and where this host is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// EC2 instance id.
    pub(crate) instance: InstanceId,
    /// Availability zone.
    pub(crate) zone: String,
    /// Address that the engine's listeners bind to.
    pub(crate) address: IpAddr,
    /// The kernel's boot id.
    pub(crate) boot: BootId,
    /// Target lifecycle state, when the instance is in a group.
    pub(crate) lifecycle: Option<String>,
}

/// What became of a signal to the stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SignalResult {
    /// The stack was waiting for it.
    Taken,
    /// The stack does not wait.
    NotWaiting,
}

/// The calls to AWS. All block, have deadlines and repeat what is worth repeating.
pub trait Cloud: Send + Sync {
    /// What EC2 says about an instance; `me` must be known to EC2 for the answer to count.
    ///
    /// # Errors
    /// In words. An error says nothing about the instance.
    fn state_of(&self, instance: &InstanceId, me: &InstanceId) -> Result<CloudState, String>;

    /// Orders EC2 to terminate an instance without an orderly shutdown.
    ///
    /// # Errors
    /// In words.
    fn terminate(&self, instance: &InstanceId) -> Result<(), String>;

    /// Uses up the word `create` of the stack's file system, if it is there: the next one who asks finds it used.
    ///
    /// # Errors
    /// In words. One who asks again after an error finds the word as it was for the first time.
    fn use_create_word(&self, me: &InstanceId) -> Result<CreateWord, String>;

    /// Uses up the same word for data that is there: whoever asks afterwards, this host too, finds it used.
    ///
    /// # Errors
    /// In words; it may be used up all the same.
    fn spend_create_word(&self, me: &InstanceId) -> Result<(), String>;

    /// Tells the stack how the start went.
    ///
    /// # Errors
    /// In words.
    fn signal(&self, me: &InstanceId, success: bool) -> Result<SignalResult, String>;

    /// Reports this instance as unhealthy.
    ///
    /// # Errors
    /// In words.
    fn report_unhealthy(&self, me: &InstanceId) -> Result<(), String>;

    /// Completes the terminating lifecycle hook; no group and no hook are a success.
    ///
    /// # Errors
    /// [`HookError`].
    fn complete_hook(&self, me: &InstanceId) -> Result<(), HookError>;

    /// User and password of the application.
    ///
    /// # Errors
    /// In words, never with any of the secret.
    fn credentials(&self) -> Result<(String, SecretString), String>;

    /// The certificate that the configuration names.
    ///
    /// # Errors
    /// [`CertificateError`], never with any of the secret.
    fn certificate(&self) -> Result<Certificate, CertificateError> {
        Err(CertificateError::Unusable("no certificate is configured".to_owned()))
    }

    /// Sends metrics.
    ///
    /// # Errors
    /// In words.
    fn put_metrics(&self, data: &[crate::signed::Datum]) -> Result<(), String>;
}

/// The metadata service.
pub trait Metadata: Send + Sync {
    /// Who and where this host is.
    ///
    /// # Errors
    /// In words.
    fn identity(&self) -> Result<Identity, String>;

    /// Target lifecycle state; `None` when the instance is in no group.
    ///
    /// # Errors
    /// In words.
    fn lifecycle(&self) -> Result<Option<String>, String>;

    /// What EC2 has announced for this instance.
    ///
    /// # Errors
    /// In words.
    fn notices(&self) -> Result<super::notices::Notices, String> {
        Ok(super::notices::Notices::default())
    }

    /// Value of one of the instance's tags.
    ///
    /// # Errors
    /// In words.
    fn tag(&self, name: &str) -> Result<Option<String>, String>;
}

/// Mounts the shared file system.
pub trait Mounter: Send + Sync {
    /// Mounts, unless it is mounted; says where the lock is.
    ///
    /// # Errors
    /// In words.
    fn mount(&self) -> Result<LockPlace, String>;
}

/// Accounts that the engine asks about passwords.
pub trait Accounts: Send + Sync {
    /// Makes the account, or sets its password. The password reaches no argument, no environment and no log.
    ///
    /// # Errors
    /// In words.
    fn set(&self, user: &str, password: &SecretString) -> Result<(), String>;
}

/// Ends everything on this host that can write, in the way that cannot fail.
///
/// The real one resets the machine and is not part of this library: only the shipped agent's own `main` has it.
pub trait HostReset: Send + Sync {
    /// Resets the host; a real one does not return.
    fn reset(&self, why: &str);
}

/// Starts the keeper's process.
pub trait KeeperSpawner: Send + Sync {
    /// Starts it with this configuration, JSON in one line.
    ///
    /// # Errors
    /// When it cannot be started.
    fn spawn(&self, config: &str) -> std::io::Result<()>;
}

/// The init system that watches over the agent.
pub trait Init: Send + Sync {
    /// Tells that the main loop goes round, and in which state; called about once a second and at each change of state.
    fn alive(&self, state: &str);
}
