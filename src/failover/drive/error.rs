//! What can keep a test from running; what a test finds out is no error but a verdict.

use super::fill::Trouble;
use super::port::CloudError;
use crate::failover::clients::client::ClientError;
use crate::failover::clients::dial::NoDriver;
use crate::model::Topology;
use crate::model::agent::ALLOW_FAULTS_TAG;
use crate::observe::ports::StackBusy;
use crate::observe::state::Blocker;
use crate::remedy::{ExitKind, Remedy};
use crate::topology;
use crate::topology::Fault;
use std::time::Duration;

/// Why a test did not run to its end.
#[derive(Debug, thiserror::Error)]
pub enum FailoverError {
    /// A call to AWS or a command on the instance failed.
    #[error("the test could not continue")]
    Cloud(#[from] CloudError),
    /// Whether a test is marked on the stack could not be read.
    #[error(transparent)]
    Mark(CloudError),
    /// An operation on the stack is going on: it replaces instances, which a test would take for the work of its faults.
    #[error(transparent)]
    StackBusy(#[from] StackBusy),
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
    #[error(transparent)]
    Driver(#[from] NoDriver),
    /// The engine does not speak what the clients were to speak.
    #[error("{engine} cannot be tested with driver {driver}")]
    NotSpoken {
        /// Name of the driver.
        driver: &'static str,
        /// What people call the engine.
        engine: &'static str,
        /// Names of those that it has.
        drivers: Vec<&'static str>,
    },
    /// Only later versions of the engine speak it.
    #[error("driver {driver} requires version {}.{} or later, and the queue manager runs {version}", .since.0, .since.1)]
    SpokenLater {
        /// Name of the driver.
        driver: &'static str,
        /// Engine and version.
        version: String,
        /// The first version.
        since: (u16, u16),
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
    /// The stack's topology does not claim to stand the fault.
    #[error("topology `{}` of stack {stack} does not support fault {fault}", topology.as_str())]
    NotStood {
        /// Stack.
        stack: String,
        /// How its queue manager is made highly available.
        topology: Topology,
        /// The fault.
        fault: Fault,
    },
    /// The place cannot have a fault that was named.
    #[error("{fault} is not possible here: {why}")]
    NotHere {
        /// The fault.
        fault: Fault,
        /// Why.
        why: &'static str,
    },
    /// The user did not name the stack, or the account.
    #[error("injecting a fault into stack {stack} in account {account} requires confirmation")]
    NoConsent {
        /// Stack.
        stack: String,
        /// Account id.
        account: String,
    },
    /// The user named another account than the stack's.
    #[error("stack {stack} is in account {account}, not in {named}")]
    OtherAccount {
        /// Stack.
        stack: String,
        /// The account that it is in.
        account: String,
        /// The account that was named.
        named: String,
    },
    /// Options were given that only TLS obeys.
    #[error("{options} cannot be used with {endpoint}, which does not use TLS")]
    Plain {
        /// The endpoint as a URL.
        endpoint: String,
        /// The options.
        options: String,
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
    #[error("stack {stack} {} by {holder}{}", if *.over { "is marked as under test" } else { "is already under test" }, if *.over { "; that test has ended" } else { "" })]
    Busy {
        /// Stack.
        stack: String,
        /// Who.
        holder: String,
        /// Whether that test is over for certain.
        over: bool,
        /// The command that takes its mark away.
        heal: String,
    },
    /// Other programs are connected to the queue manager.
    #[error("{count} other connections to {queue_manager}")]
    ForeignConnections {
        /// Queue manager.
        queue_manager: String,
        /// How many.
        count: u64,
    },
    /// The test's queue has messages of another program.
    #[error("queue {queue} has messages of another application ({count} of the first {seen})")]
    ForeignMessages {
        /// Queue of the test.
        queue: String,
        /// How many of those that were looked at.
        count: u32,
        /// How many were looked at.
        seen: u64,
    },
    /// The test's queue has messages that nobody can tell whose they are.
    #[error(
        "queue {queue} has {depth} messages that the test cannot read, and they may be of another application ({seen} were read)"
    )]
    UnseenMessages {
        /// Queue of the test.
        queue: String,
        /// How many are left on it.
        depth: u64,
        /// How many were read.
        seen: u64,
    },
    /// Nobody can say whether other programs are.
    #[error("could not count the other connections to {queue_manager}")]
    ConnectionsUnknown {
        /// Queue manager.
        queue_manager: String,
    },
    /// The agent is of a version that cannot be asked for a fresh count of them.
    #[error("the count of connections to {queue_manager} is out of date: {count}, measured {}", ago(*.seconds))]
    ConnectionsOutdated {
        /// Stack.
        stack: String,
        /// Queue manager.
        queue_manager: String,
        /// How many there were.
        count: u64,
        /// How many seconds ago, when the agent says that.
        seconds: Option<u64>,
    },
    /// The group would launch no instance after a planned move.
    #[error("stack {stack} cannot be moved: {blocker}")]
    Blocked {
        /// Stack.
        stack: String,
        /// What was ordered.
        blocker: Blocker,
    },
    /// The queue manager does not serve, so that there is nothing to test.
    #[error("{queue_manager} is not in service: {state}")]
    NotServing {
        /// Queue manager.
        queue_manager: String,
        /// What the agent or the group says.
        state: String,
    },
    /// The service takes messages, but does not keep them as it says.
    #[error("{queue} does not store messages persistently: {cause}")]
    NotDurable {
        /// Queue.
        queue: String,
        /// What was seen.
        cause: String,
    },
    /// The messages that a check or a round begins with were not all acknowledged.
    #[error("only {waiting} of {wanted} messages were acknowledged{}", .cause.as_ref().map(|cause| format!(": {cause}")).unwrap_or_else(|| " in time".into()))]
    NoBacklog {
        /// Acknowledged.
        waiting: u64,
        /// Wanted.
        wanted: u64,
        /// What was in the way; absent when it was only slow.
        cause: Option<Trouble>,
    },
    /// The clients put messages, and the queue manager under test has none of them.
    #[error("{acknowledged} messages were acknowledged at {endpoint}, but {queue_manager} has none of them on {queue}")]
    Elsewhere {
        /// Queue manager under test.
        queue_manager: String,
        /// Where the clients put them.
        endpoint: String,
        /// Queue.
        queue: String,
        /// How many.
        acknowledged: u64,
        /// How many of them stay where they were put.
        there: u64,
    },
    /// Messages of the check were acknowledged and did not come back, and the queue is empty.
    #[error("{lost} of {acknowledged} acknowledged messages were lost on {queue}, before any fault")]
    Lost {
        /// Queue.
        queue: String,
        /// Acknowledged.
        acknowledged: u64,
        /// Of these, never received.
        lost: u64,
        /// Where the clients put them, when the queue manager itself did not count all of them.
        elsewhere: Option<String>,
    },
    /// Somebody took the mark of this test away while it ran, and with it perhaps its queues.
    #[error("the mark of this test on stack {stack} was removed during the test")]
    TurnLost {
        /// Stack.
        stack: String,
    },
    /// The local cloud ended while the test ran in it.
    #[error("the local cloud ended during the test, so the test has no result")]
    PlaceGone,
    /// What is to be undone belongs to a test that goes on, or may.
    #[error("stack {stack} is under test by {holder}: {why}")]
    StillRuns {
        /// Stack.
        stack: String,
        /// Who tests it.
        holder: String,
        /// What speaks for that.
        why: String,
        /// The command that was refused, as a shell takes it.
        command: String,
    },
    /// The test ended with this error after it had changed something.
    #[error("{cause}")]
    BrokenOff {
        /// Why it ended.
        #[source]
        cause: Box<FailoverError>,
        /// What was done by then, and what of it could not be undone.
        left: String,
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
    /// The time that the user gave is up.
    #[error("the test was not complete within {} s", .limit.as_secs_f64())]
    Late {
        /// How long it was given.
        limit: Duration,
    },
    /// Interrupted by the user; what was changed is undone.
    #[error("interrupted")]
    Interrupted {
        /// What is left, when something is.
        left: Option<String>,
    },
}

/// When something was measured, for people.
fn ago(seconds: Option<u64>) -> String {
    seconds.map_or_else(|| "at an unknown time".to_owned(), |seconds| format!("{seconds} s ago"))
}

impl Remedy for FailoverError {
    fn exit(&self) -> ExitKind {
        match self {
            Self::Cloud(error) | Self::Mark(error) => error.exit(),
            Self::StackBusy(error) => error.exit(),
            Self::Interrupted { .. } => ExitKind::Interrupted,
            Self::BrokenOff { cause, .. } => cause.exit(),
            Self::Lost { .. } => ExitKind::Lost,
            Self::NotDurable { .. }
            | Self::Elsewhere { .. }
            | Self::TurnLost { .. }
            | Self::PlaceGone
            | Self::Late { .. } => ExitKind::Inconclusive,
            _ => ExitKind::Precondition,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Cloud(error) | Self::Mark(error) => return error.hint(),
            Self::StackBusy(error) => return error.hint(),
            Self::BrokenOff { cause, .. } => return cause.hint(),
            Self::Endpoint { cause: ClientError::Refused { .. }, .. } => {
                "the password in the secret does not match the queue manager: check `mqaws status` and CredentialsSecret in the stack's outputs".into()
            }
            Self::Endpoint { cause: ClientError::Queue { .. }, .. } => {
                "the user in the secret needs PUT and GET on MQAWS.PROBE.*, and the AMQP service must support queues (IBM MQ 9.2.1 or later)".into()
            }
            Self::Endpoint { cause: ClientError::Untrusted { .. }, .. } => {
                "specify the file with the CA certificates with --ca-file, and the name in the certificate with --tls-server-name or `tls.server_name`".into()
            }
            Self::Driver(NoDriver::Confirms(_)) => "remove --confirms off".into(),
            Self::Driver(NoDriver::Unknown(_)) => "use the version of mqaws that deployed the stack, or a newer one".into(),
            Self::Driver(NoDriver::Trust(_)) => "--ca-file requires a PEM file with certificates, --tls-server-name a DNS name or an IP address".into(),
            Self::Endpoint { endpoint, .. } => format!(
                "check that {endpoint} is reachable from this machine: an internal load balancer is reachable only from its VPC. Run the test there, or forward a port and add --amqp-url amqp://127.0.0.1:5672 (amqps:// if the queue manager has a certificate)"
            ),
            Self::NotSpoken { drivers, .. } => format!("use --driver {}, or remove the option", drivers.join(" or ")),
            Self::SpokenLater { .. } => "remove --driver: the engine's own driver is used".into(),
            Self::NoAmqp { .. } => "set `amqp: true` under `endpoint` in mqaws.yaml and deploy, or specify an endpoint with --amqp-url".into(),
            Self::NotAllowed { .. } => format!("deploy it with --allow-faults, which tags it {ALLOW_FAULTS_TAG}=true"),
            Self::NotStood { topology, .. } => {
                let stands = topology::of(*topology).stands().iter().map(|stand| stand.fault.name());
                format!("use a supported fault with --fault: {}", stands.collect::<Vec<_>>().join(", "))
            }
            Self::NotHere { fault, .. } if fault.facts().own_network => {
                "start a local cloud whose hosts have a network of their own: `mqaws lab up --hosts namespace`".into()
            }
            Self::NotHere { .. } => "specify a different fault with --fault; --faults all runs those that are possible".into(),
            Self::NoConsent { stack, account } => {
                format!("type the stack's name at the prompt, or without a terminal, add --yes --account {account} --stack {stack}")
            }
            Self::OtherAccount { .. } => "use credentials of that account, or correct --account".into(),
            Self::Plain { options, .. } => format!("remove {options}, or specify an endpoint with TLS: --amqp-url amqps://HOST"),
            Self::Alarm { .. } => "wait until it clears: a test during an outage is inconclusive".into(),
            Self::Busy { over: true, heal, .. } => format!("remove its mark and its queues with `{heal}`, then try again"),
            Self::Busy { heal, .. } => format!("wait for it to end; to clean up after it, run `{heal}`"),
            Self::ForeignConnections { .. } => "they would be disconnected; to continue anyway, add --allow-foreign-connections".into(),
            Self::ForeignMessages { .. } => {
                "the test would delete them with its queue, and so does `mqaws failover-test heal`: move them to a different queue, then test again".into()
            }
            Self::UnseenMessages { .. } => {
                "another consumer may hold them unacknowledged: stop it, and move messages that you need to a different queue, then test again; `mqaws failover-test heal` deletes the queue with every message on it".into()
            }
            Self::ConnectionsUnknown { .. } => {
                "they would be disconnected; to test anyway, add --allow-foreign-connections".into()
            }
            Self::ConnectionsOutdated { stack, .. } => format!(
                "this version of the agent cannot report the current count: to update it, run `mqaws deploy --stack {stack}`; to test anyway, add --allow-foreign-connections"
            ),
            Self::Blocked { blocker, .. } => format!("to resolve this: {}", blocker.remedy()),
            Self::NotServing { .. } => "see `mqaws status`".into(),
            Self::NotDurable { .. } => "a queue that does not persist messages cannot be tested for loss: define it with DEFPSIST(YES) on recoverable storage".into(),
            Self::NoBacklog { cause: Some(Trouble::Refused { .. }), .. } => {
                "the queue (MAXDEPTH, MAXMSGL) or its storage is too small for the backlog: reduce --backlog or --size".into()
            }
            Self::NoBacklog { cause: Some(Trouble::NotServed(error)), .. } if !matches!(error, ClientError::Unreachable { .. }) => {
                "the same user had access to the same queue before: check the queue manager with `mqaws status`, and verify that the endpoint always leads to the same queue manager".into()
            }
            Self::NoBacklog { cause: Some(_), .. } => {
                "check `mqaws status`, and verify that the endpoint leads to this queue manager and that nothing in between closes connections: they must last for the duration of the load before the fault".into()
            }
            Self::NoBacklog { cause: None, .. } => "reduce --backlog or --size, or check the latency of the storage".into(),
            Self::Elsewhere { endpoint, .. } => {
                format!("check where {endpoint} leads (--amqp-url, a port forward, a DNS name): a different queue manager received the messages")
            }
            Self::Lost { elsewhere: Some(endpoint), .. } => {
                format!("no fault was injected yet: the queue manager, or a component in front of it, acknowledges messages that it does not store, or {endpoint} sometimes leads to a different queue manager")
            }
            Self::Lost { .. } => "no fault was injected yet: the queue manager, or a component in front of it, acknowledges messages that it does not store".into(),
            Self::TurnLost { .. } => "another user healed it, started another test, or changed or removed the stack: check `mqaws status`, make sure that only one user works on the stack, then test again".into(),
            Self::PlaceGone => "start a local cloud with `mqaws lab up`, deploy to it, and do not run `mqaws lab down` before the test has ended".into(),
            Self::StillRuns { command, .. } => format!(
                "wait for it, or stop it where it runs; to remove its mark and queues anyway, which invalidates it, run `{command} --force`"
            ),
            Self::Journal { .. } => "specify a writable folder".into(),
            Self::Late { .. } => "to wait longer, use a longer --timeout; a test of fewer rounds or faults takes less time".into(),
            Self::Interrupted { .. } => return None,
        })
    }

    fn left(&self) -> Option<String> {
        match self {
            Self::Interrupted { left } => Some(left.clone().unwrap_or_else(|| "nothing".into())),
            Self::BrokenOff { left, .. } => Some(left.clone()),
            Self::PlaceGone => Some("nothing: the stack ended with its local cloud".into()),
            Self::Elsewhere {
                endpoint, queue, there, ..
            } if *there > 0 => Some(format!("{there} messages of this test on {queue} at {endpoint}")),
            Self::Late { .. } => Some("nothing".into()),
            Self::Cloud(_) | Self::NoBacklog { .. } | Self::Lost { .. } | Self::TurnLost { .. } => None,
            _ => Some("nothing was changed".into()),
        }
    }
}

impl FailoverError {
    /// This error as the end of a test that injected `faults` and could not undo `left`; both as the journal names them.
    pub(super) fn after(self, faults: &[String], left: &[String]) -> Self {
        if faults.is_empty() && left.is_empty() {
            return self;
        }
        let own = match &self {
            Self::Elsewhere { there, .. } if *there > 0 => self.left(),
            Self::BrokenOff { left, .. } => Some(left.clone()),
            _ => None,
        };
        let all: Vec<String> = own
            .into_iter()
            .chain(left.iter().cloned())
            .chain(injected(faults))
            .collect();
        Self::BrokenOff {
            cause: Box::new(self),
            left: all.join("; "),
        }
    }
}

/// The faults of a test in a few words; `None` of none.
pub(super) fn injected(faults: &[String]) -> Option<String> {
    let last = faults.last()?;
    let which = match faults.len() {
        1 => last.clone(),
        more => format!("{more} faults, the last {last}"),
    };
    Some(format!(
        "injected faults, from which the stack recovers without intervention: {which}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_elsewhere_is_still_named_after_a_fault() {
        let elsewhere = FailoverError::Elsewhere {
            queue_manager: "QM1".into(),
            endpoint: "lb:5672".into(),
            queue: "Q".into(),
            acknowledged: 100,
            there: 100,
        };
        let left = elsewhere
            .after(&["kill on i-1".into()], &["a queue".into()])
            .left()
            .unwrap();
        let parts = ["100 messages of this test on Q at lb:5672", "a queue", "kill on i-1"];
        assert!(parts.iter().all(|part| left.contains(part)), "{left}");
    }
}
