//! What an inquiry tells people: what it waits for, and what only they can decide.

use super::{Case, Inquiry, LeaseRule, Next};
use crate::fence::CreateWord;

impl Inquiry {
    /// Whether nothing but the engine's rule keeps it from starting on the proof `lease`: then a person has to decide.
    pub(crate) fn is_blocked(&self) -> bool {
        self.previous().is_some() && self.life.is_over() && self.policy.lease == LeaseRule::Refuse
    }

    /// Why only a person can help, while that is so.
    pub(crate) fn alarm(&self) -> Option<String> {
        match &self.case {
            Case::Elsewhere { instance } if self.is_blocked() => Some(format!(
                "{instance}, the previous owner, does not respond, and this engine starts only after EC2 reports it as terminated or an operator runs `mqaws-agent fence operator {instance}`"
            )),
            Case::Copy {
                instance,
                original,
                here,
            } => Some(format!(
                "{here} is a copy of {original}: its owner record refers to that file system, and {instance}, the owner there, is not fenced. A copy of a file system in use may contain skewed data, with files from different points in time. To start the queue manager from the copy anyway, run `mqaws-agent fence copy {original}`"
            )),
            Case::Empty {
                here,
                said: Some(said @ (CreateWord::Used | CreateWord::Absent)),
            } => Some(format!(
                "{here} contains no queue manager, and {}: its data may be gone, or not be restored yet, so nothing is created in its place. Restore the data; to begin with an empty queue manager instead, run `mqaws-agent fence create {here}`",
                match said {
                    CreateWord::Used => "one was created on it before",
                    _ => "mqaws has not released it for a new one",
                }
            )),
            _ => None,
        }
    }

    /// What is waited for, for people.
    pub(crate) fn waiting_for(&self) -> String {
        match (&self.asked, self.previous()) {
            (_, Some(previous)) => {
                let (_, silent, wait) = self.silence();
                let (silent, wait) = (silent.as_secs(), wait.as_secs());
                let ec2 = format!("EC2 to report {previous}, the previous owner, as terminated");
                match self.policy.lease {
                    LeaseRule::Allow => format!("{ec2}, or {wait} s without a heartbeat from it ({silent} s so far)"),
                    LeaseRule::Refuse if self.is_blocked() => format!(
                        "{ec2}: it has sent no heartbeat for {silent} s, but this engine must not start on that proof alone; if it is certain that the owner is gone, run `mqaws-agent fence operator {previous}`"
                    ),
                    LeaseRule::Refuse => ec2,
                }
            }
            (Next::AwaitWord, _) => format!("a decision by an operator: {}", self.alarm().unwrap_or_default()),
            (Next::Start(proof), _) => format!("proof {proof}"),
            (Next::Refuse(why), _) => why.to_string(),
            (Next::UseWord { .. }, _) => {
                "EFS to tell whether a queue manager may be created on this file system".to_owned()
            }
            _ => "the engine processes of this host to exit".to_owned(),
        }
    }
}
