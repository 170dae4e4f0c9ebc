//! What can keep a test from running; what a test finds out is no error but a verdict.

use super::client::ClientError;
use super::port::CloudError;
use crate::remedy::{ExitKind, Remedy};

/// Why a test did not run to its end.
#[derive(Debug, thiserror::Error)]
pub enum FailoverError {
    /// A call to AWS or a command on the instance failed.
    #[error("the test could not go on")]
    Cloud(#[from] CloudError),
    /// The endpoint cannot be reached from here.
    #[error("could not reach {endpoint}")]
    Endpoint {
        /// `host:port`.
        endpoint: String,
        /// The client's words.
        #[source]
        cause: ClientError,
    },
    /// What the clients are to trust cannot be used.
    #[error("could not {what}: {cause}")]
    Trust {
        /// What was attempted.
        what: String,
        /// The library's words.
        cause: String,
    },
    /// The AMQP service is off in this stack.
    #[error("stack {stack} has no AMQP endpoint")]
    NoAmqp {
        /// Stack.
        stack: String,
    },
    /// The stack does not allow faults.
    #[error("stack {stack} does not allow faults")]
    NotAllowed {
        /// Stack.
        stack: String,
    },
    /// The user did not name the stack, or the account.
    #[error("a fault on stack {stack} in account {account} needs your consent")]
    NoConsent {
        /// Stack.
        stack: String,
        /// Account id.
        account: String,
    },
    /// An alarm is firing.
    #[error("an alarm of stack {stack} is firing: {alarms}")]
    Alarm {
        /// Stack.
        stack: String,
        /// Names.
        alarms: String,
    },
    /// Somebody else tests this stack.
    #[error("stack {stack} is under test already, by {holder}")]
    Busy {
        /// Stack.
        stack: String,
        /// Who.
        holder: String,
    },
    /// Somebody else began to test this stack as well.
    #[error("stack {stack} is under test by {holder} as well, who marked it after this test did")]
    Overtaken {
        /// Stack.
        stack: String,
        /// Who.
        holder: String,
    },
    /// Other programs are connected to the queue manager.
    #[error("{count} other connections to {queue_manager}")]
    ForeignConnections {
        /// Queue manager.
        queue_manager: String,
        /// How many.
        count: u64,
    },
    /// The queue manager does not serve, so that there is nothing to test.
    #[error("{queue_manager} does not serve: {state}")]
    NotServing {
        /// Queue manager.
        queue_manager: String,
        /// What the agent or the group says.
        state: String,
    },
    /// The service takes messages, but does not keep them as it says.
    #[error("{queue} does not keep persistent messages: {cause}")]
    NotDurable {
        /// Queue.
        queue: String,
        /// What was seen.
        cause: String,
    },
    /// The backlog could not be built up.
    #[error("only {waiting} of {wanted} messages of the backlog were acknowledged in time")]
    NoBacklog {
        /// Acknowledged.
        waiting: u64,
        /// Wanted.
        wanted: u64,
    },
    /// The journal of changes could not be written.
    #[error("could not write {path}")]
    Journal {
        /// File.
        path: String,
        /// The operating system's words.
        #[source]
        cause: std::io::Error,
    },
    /// Interrupted by the user; what was changed is undone.
    #[error("interrupted")]
    Interrupted {
        /// What is left, when something is.
        left: Option<String>,
    },
}

impl Remedy for FailoverError {
    fn exit(&self) -> ExitKind {
        match self {
            Self::Cloud(error) => error.exit(),
            Self::Interrupted { .. } => ExitKind::Interrupted,
            Self::NotDurable { .. } => ExitKind::Inconclusive,
            _ => ExitKind::Precondition,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Cloud(error) => return error.hint(),
            Self::Endpoint { cause: ClientError::Refused { .. }, .. } => {
                "the secret and the queue manager disagree: see `mqaws status`, and CredentialsSecret in the stack's outputs".into()
            }
            Self::Endpoint { cause: ClientError::Queue { .. }, .. } => {
                "the user in the secret needs PUT and GET on MQAWS.PROBE.*, and the AMQP service must know queues (IBM MQ 9.2.1 or later)".into()
            }
            Self::Endpoint { cause: ClientError::Untrusted { .. }, .. } => {
                "name the file of the certificate authority with --ca-file, and the name in the certificate with --tls-server-name or `tls.server_name`".into()
            }
            Self::Trust { .. } => "--ca-file wants a PEM file of certificates, --tls-server-name a DNS name or an IP address".into(),
            Self::Endpoint { endpoint, .. } => format!(
                "check that {endpoint} answers from here: an internal load balancer does so only inside its VPC; run this there, or forward a port and say --amqp-url amqp://127.0.0.1:5672 (amqps:// where the queue manager has a certificate)"
            ),
            Self::NoAmqp { .. } => "set `amqp: true` under `endpoint` in mqaws.yaml and deploy, or name another way: --amqp-url".into(),
            Self::NotAllowed { .. } => "deploy it with --allow-faults, which tags it mqaws:allow-faults=true".into(),
            Self::NoConsent { stack, account } => {
                format!("type the stack's name when asked, or say --yes --account {account} --stack {stack} off a terminal")
            }
            Self::Alarm { .. } => "wait until it is over: a test on top of an outage proves nothing".into(),
            Self::Overtaken { .. } => "let the other test end, then run this one again".into(),
            Self::Busy { .. } => "wait for it; if it is long gone, `mqaws failover-test heal` takes its mark away".into(),
            Self::ForeignConnections { .. } => "they would be cut off too; --allow-foreign-connections goes on all the same".into(),
            Self::NotServing { .. } => "see `mqaws status`".into(),
            Self::NotDurable { .. } => "a queue that forgets cannot be tested for loss: define it with DEFPSIST(YES) on recoverable storage".into(),
            Self::NoBacklog { .. } => "lower --backlog or --size, or look at the latency of the storage".into(),
            Self::Journal { .. } => "give a folder that can be written".into(),
            Self::Interrupted { .. } => return None,
        })
    }

    fn left(&self) -> Option<String> {
        match self {
            Self::Interrupted { left } => Some(left.clone().unwrap_or_else(|| "nothing".into())),
            Self::Cloud(_) | Self::NoBacklog { .. } | Self::Overtaken { .. } => None,
            _ => Some("nothing was changed".into()),
        }
    }
}
