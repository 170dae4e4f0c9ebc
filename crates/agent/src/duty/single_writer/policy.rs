//! Periods and limits of the agent. They are the agent's own: the lab's timing does not scale them.

use crate::fence::InquiryPolicy;
use crate::model::agent::AgentConfig;
use mqaws_contract::periods;
use mqaws_engine::{Order, Product};
use std::time::Duration;

/// Who comes after the host that has the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Succession {
    /// An instance that is launched when the owner is gone. A host that finds the lock busy only waits for it.
    Launch,
    /// A host that waits, and prepares all that can be prepared without the lock.
    Standby,
}

/// Periods and limits.
#[derive(Debug, Clone)]
pub(crate) struct Policy {
    /// First wait before a failed step of the boot is repeated; doubles up to `slowest_retry`.
    pub(crate) retry: Duration,
    /// Longest wait before a failed step is repeated.
    pub(crate) slowest_retry: Duration,
    /// Who comes after the host that has the data.
    pub(crate) succession: Succession,
    /// Attempts to restart in place that are made while another host is ready to take over.
    pub(crate) attempts_beside_standby: usize,
    /// Period of the look at the owner while this host waits; its own sign of life.
    pub(crate) look: Duration,
    /// Waits before each attempt to restart in place; their number is the number of attempts.
    pub(crate) attempts: Vec<Duration>,
    /// More deaths than this within `breaker_window` condemn the instance. Deaths ordered by a fault do not count.
    pub(crate) breaker_limit: usize,
    /// See `breaker_limit`.
    pub(crate) breaker_window: Duration,
    /// Instances in a row that gave up without having served, after which no further replacement is asked for.
    pub(crate) replacement_limit: u32,
    /// Period of the health check while it succeeds.
    pub(crate) health: Duration,
    /// Wait after a health check that failed.
    pub(crate) health_again: Duration,
    /// Failed health checks in a row after which the engine counts as hung.
    pub(crate) health_failures: u32,
    /// How long the engine may say that it is active elsewhere before that counts as a failed start.
    pub(crate) elsewhere: Duration,
    /// Target time of an orderly stop.
    pub(crate) stop: Duration,
    /// Wait before a start that was refused is looked at again.
    pub(crate) refused: Duration,
    /// How long a start that was refused can be asked why, before the stack hears of it. Longer than a deployment's period of
    /// asking, 10 s, and the time of its question.
    pub(crate) last_words: Duration,
    /// How long processes that do not die may delay a drain.
    pub(crate) drain: Duration,
    /// Period of reading the certificate again while it serves; absent when there is none.
    pub(crate) certificate: Option<Duration>,
    /// Wait before the word `create` of data that serves is used up after all.
    pub(crate) word: Duration,
    /// Id of the file system that this host mounts.
    pub(crate) file_system: String,
    /// Which of two versions of the engine is the older.
    pub(crate) order: Order,
    /// See [`InquiryPolicy`].
    pub(crate) inquiry: InquiryPolicy,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            retry: Duration::from_millis(500),
            slowest_retry: Duration::from_secs(10),
            succession: Succession::Launch,
            attempts_beside_standby: 2,
            look: Duration::from_secs(2),
            attempts: vec![Duration::ZERO, Duration::from_secs(1), Duration::from_secs(5)],
            breaker_limit: 5,
            breaker_window: Duration::from_secs(600),
            replacement_limit: 3,
            health: periods::HEALTH,
            health_again: periods::HEALTH_AGAIN,
            health_failures: periods::HEALTH_FAILURES,
            // The engine's own locks on the file system live as long as a lease of the server.
            elsewhere: Duration::from_secs(180),
            stop: periods::STOP,
            drain: Duration::from_secs(60),
            refused: Duration::from_secs(30),
            last_words: Duration::from_secs(15),
            certificate: None,
            word: Duration::from_secs(300),
            file_system: String::new(),
            order: Order::default(),
            inquiry: InquiryPolicy::default(),
        }
    }
}

impl Policy {
    /// The same with this succession.
    pub(crate) fn with(mut self, succession: Succession) -> Self {
        self.succession = succession;
        if succession == Succession::Standby {
            // Patience spares an owner that is just being ended a second order. A successor that is here already has nothing
            // to gain by it, and the lock has said that the owner cannot go on.
            self.inquiry.patience = Duration::ZERO;
        }
        self
    }

    /// The same on the host of this configuration, with this engine.
    pub(crate) fn on(mut self, config: &AgentConfig, product: &dyn Product) -> Self {
        // Short enough to be waited for by a person who has just stored a new one.
        const PERIOD: Duration = Duration::from_secs(300);
        if !config.certificate.is_empty() {
            self.certificate.get_or_insert(PERIOD);
        }
        self.inquiry.lease = product.lease().unless(config.fence.lease.as_ref());
        self.order = product.order();
        self.file_system.clone_from(&config.storage.file_system);
        self
    }
}
