//! What became of a stack's instances while an operation went on and came to nothing.

use super::ports::{Event, Launch, Stacks, Termination};
use crate::cloud::AwsError;
use crate::model::Topology;
use crate::observe::ports::{GroupInstance, Readings};
use crate::topology::{self, GROUP};
use jiff::{SignedDuration, Timestamp};
use std::fmt;

/// What events and activities tell of the instances.
#[derive(Debug, Clone)]
pub(super) enum Instances {
    /// What became of each member's.
    Read {
        /// Whether nobody serves while a member is without an instance that does.
        alone: bool,
        /// Members by logical ids of their groups, as the stack lists them.
        members: Vec<(String, Fate)>,
    },
    /// They could not be read.
    Unread(AwsError),
}

/// What became of a member's instance.
#[derive(Debug, Clone)]
pub(super) enum Fate {
    /// None that was there before ended.
    Untouched,
    /// Another took over, which signalled service.
    Replaced {
        /// The instance of before.
        old: String,
        /// When its end began.
        ended: Timestamp,
        /// The instance that reported service last.
        new: String,
        /// When it did.
        served: Timestamp,
        /// How long no instance was there that had reported service.
        without: SignedDuration,
    },
    /// It ended, and none has reported service since.
    Out {
        /// The instance that served last.
        old: String,
        /// When its end began.
        ended: Timestamp,
        /// Instances of the group now, with their lifecycle states.
        now: Vec<String>,
    },
}

impl Instances {
    /// Whether none that was there before ended, for certain.
    pub(super) fn are_untouched(&self) -> bool {
        match self {
            Self::Read { members, .. } => members.iter().all(|(_, fate)| matches!(fate, Fate::Untouched)),
            Self::Unread(_) => false,
        }
    }

    /// Whether nobody serves: the only one ended, and none has reported service since.
    pub(super) fn are_out_of_service(&self) -> bool {
        match self {
            Self::Read { alone, members } => *alone && members.iter().any(|(_, fate)| matches!(fate, Fate::Out { .. })),
            Self::Unread(_) => false,
        }
    }

    /// Those of a stack with one member, which serves alone.
    #[cfg(test)]
    pub(super) fn of_one(fate: Fate) -> Self {
        Self::Read {
            alone: true,
            members: vec![("Group".into(), fate)],
        }
    }
}

impl fmt::Display for Instances {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (alone, members) = match self {
            Self::Read { alone, members } => (*alone, members),
            Self::Unread(error) => {
                let error = error.told();
                return write!(f, "could not determine whether its instance was replaced ({error})");
            }
        };
        let touched = members.iter().filter(|(_, fate)| !matches!(fate, Fate::Untouched));
        for (place, (member, fate)) in touched.enumerate() {
            if place > 0 {
                f.write_str("; ")?;
            }
            if members.len() > 1 {
                write!(f, "{member}: ")?;
            }
            fate.tell(f, alone)?;
        }
        match self.are_untouched() {
            true => f.write_str("its instance was not replaced"),
            false => Ok(()),
        }
    }
}

impl Fate {
    /// What it means for service, where a member serves `alone` or others go on.
    fn tell(&self, f: &mut fmt::Formatter<'_>, alone: bool) -> fmt::Result {
        let time = |at: &Timestamp| at.strftime("%H:%M:%S").to_string();
        match self {
            Self::Untouched => f.write_str("its instance was not replaced"),
            Self::Replaced {
                old,
                ended,
                new,
                served,
                without,
            } => write!(
                f,
                "its instance was replaced: {old} was terminated at {}, {new} reported service at {}, about {} s without {}",
                time(ended),
                time(served),
                seconds(*without),
                if alone { "service" } else { "it" },
            ),
            Self::Out { old, ended, now } => {
                write!(
                    f,
                    "{}: {old} was terminated at {}, no instance has reported service since",
                    if alone {
                        "OUT OF SERVICE"
                    } else {
                        "its instance is MISSING"
                    },
                    time(ended)
                )?;
                match now.as_slice() {
                    [] => f.write_str(", and the group has no instance"),
                    now => write!(f, ", and the group has {}", now.join(", ")),
                }
            }
        }
    }
}

/// Whole seconds, or tenths of a short time.
fn seconds(time: SignedDuration) -> String {
    match time.as_secs() {
        0..10 => format!("{:.1}", time.as_secs_f64()),
        whole => whole.to_string(),
    }
}

/// Reads what became of the instances of a stack's groups since the operation began.
pub(super) async fn read<C: Readings + Stacks>(
    cloud: &C,
    stack: &str,
    topology: Topology,
    events: &[Event],
    from: Timestamp,
) -> Instances {
    let read = async {
        let resources = cloud.resources(stack).await?;
        let mut members = Vec::new();
        for resource in resources.into_iter().filter(|r| r.kind == GROUP) {
            if let Some(group) = resource.physical {
                let signals = signals(events, &resource.logical);
                let fate = fate(cloud, &group, &signals, from).await?;
                members.push((resource.logical, fate));
            }
        }
        Ok(Instances::Read {
            alone: topology::of(topology).facts().alone,
            members,
        })
    };
    read.await.unwrap_or_else(Instances::Unread)
}

/// Reads what became of the instance of one group.
async fn fate<C: Readings + Stacks>(
    cloud: &C,
    group: &str,
    signals: &[(Timestamp, String)],
    from: Timestamp,
) -> Result<Fate, AwsError> {
    let terminations = cloud.terminations(group, from).await?;
    if terminations.is_empty() {
        return Ok(Fate::Untouched);
    }
    let launches = cloud.launches(group, from).await?;
    let members = cloud.group(group).await?.map(|g| g.members).unwrap_or_default();
    Ok(told(&terminations, &launches, signals, &members))
}

/// Instances of a group that signalled service, and when; oldest first.
fn signals(events: &[Event], group: &str) -> Vec<(Timestamp, String)> {
    let of_group = events.iter().filter(|e| e.kind == GROUP && e.logical == group);
    let mut signals: Vec<(Timestamp, String)> = of_group
        .filter_map(|e| {
            let id = e
                .reason
                .as_deref()?
                .strip_prefix("Received SUCCESS signal with UniqueId ")?;
            Some((e.at, id.trim().to_owned()))
        })
        .collect();
    signals.sort();
    signals
}

/// What the activities of an operation and the signals in its events come to, for a group of at most one instance.
fn told(
    terminations: &[Termination],
    launches: &[Launch],
    signals: &[(Timestamp, String)],
    members: &[GroupInstance],
) -> Fate {
    let launched = |id: &str| {
        launches
            .iter()
            .any(|l| l.instance.as_ref().is_some_and(|one| one.as_str() == id))
    };
    let Some(first) = terminations.iter().find(|t| !launched(t.instance.as_str())) else {
        return Fate::Untouched;
    };
    let ends = terminations.iter().map(|t| (t.at, false, t.instance.as_str()));
    // Whoever is being ended serves nobody any more, however late its signal comes.
    let too_late =
        |(at, id): &&(Timestamp, String)| terminations.iter().any(|t| t.instance.as_str() == id && t.at <= *at);
    let starts = signals.iter().filter(|signal| !too_late(signal));
    let starts = starts.map(|(at, id)| (*at, true, id.as_str()));
    let mut steps: Vec<(Timestamp, bool, &str)> = ends.chain(starts).filter(|(at, ..)| *at >= first.at).collect();
    steps.sort();
    let (mut serving, mut last) = (Some(first.instance.as_str()), (first.instance.as_str(), first.at));
    let mut since: Option<Timestamp> = None;
    let mut without = SignedDuration::ZERO;
    for (at, signalled, id) in steps {
        if signalled && serving == Some(id) {
            continue;
        }
        if signalled {
            without += since
                .take()
                .map_or(SignedDuration::ZERO, |from| at.duration_since(from));
            (serving, last) = (Some(id), (id, at));
        } else if serving == Some(id) {
            (serving, since, last) = (None, Some(at), (id, at));
        }
    }
    let (id, at) = (last.0.to_owned(), last.1);
    match serving {
        Some(_) => Fate::Replaced {
            old: first.instance.to_string(),
            ended: first.at,
            new: id,
            served: at,
            without,
        },
        None => Fate::Out {
            old: id,
            ended: at,
            now: members
                .iter()
                .map(|m| format!("{} ({})", m.instance, m.lifecycle))
                .collect(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::InstanceId;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + second).expect("in range")
    }

    fn words(ended: &[(i64, &str)], launched: &[&str], signalled: &[(i64, &str)], now: &[(&str, &str)]) -> String {
        let terminations: Vec<Termination> = ended
            .iter()
            .map(|(second, id)| Termination {
                at: at(*second),
                instance: InstanceId::new(*id).unwrap(),
            })
            .collect();
        let launches: Vec<Launch> = launched
            .iter()
            .map(|id| Launch {
                at: at(0),
                instance: Some(InstanceId::new(*id).unwrap()),
                status: "Successful".into(),
                words: None,
            })
            .collect();
        let signals: Vec<(Timestamp, String)> = signalled.iter().map(|(s, id)| (at(*s), (*id).to_owned())).collect();
        let members: Vec<GroupInstance> = now
            .iter()
            .map(|(id, lifecycle)| GroupInstance {
                instance: InstanceId::new(*id).unwrap(),
                zone: "z-a".into(),
                lifecycle: (*lifecycle).into(),
                health: "Healthy".into(),
            })
            .collect();
        let found = Instances::of_one(told(&terminations, &launches, &signals, &members));
        let text = found.to_string();
        assert_eq!(found.are_out_of_service(), text.starts_with("OUT OF SERVICE"), "{text}");
        text
    }

    #[test]
    fn replacement_is_told_with_its_outage() {
        // 22:13:20 and the seconds after it.
        for (ended, launched, signalled, now, expected) in [
            (&[][..], &[][..], &[][..], &[][..], "its instance was not replaced"),
            // What the operation itself launched served nobody before.
            (&[(5, "i-2")], &["i-2"], &[], &[], "its instance was not replaced"),
            (
                &[(10, "i-1")],
                &["i-2"],
                &[(42, "i-2")],
                &[("i-2", "InService")],
                "its instance was replaced: i-1 was terminated at 22:13:30, i-2 reported service at 22:14:02, about 32 s without \
                 service",
            ),
            // The one of the change never served.
            (
                &[(10, "i-1"), (20, "i-2")],
                &["i-2", "i-3"],
                &[(25, "i-3")],
                &[("i-3", "InService")],
                "its instance was replaced: i-1 was terminated at 22:13:30, i-3 reported service at 22:13:45, about 15 s without \
                 service",
            ),
            // The one of the change served, and went again: two outages.
            (
                &[(10, "i-1"), (30, "i-2")],
                &["i-2", "i-3"],
                &[(13, "i-2"), (34, "i-3")],
                &[("i-3", "InService")],
                "its instance was replaced: i-1 was terminated at 22:13:30, i-3 reported service at 22:13:54, about 7.0 s without \
                 service",
            ),
            // The one of the change signalled when it was being ended already.
            (
                &[(10, "i-1"), (20, "i-2")],
                &["i-2", "i-3"],
                &[(21, "i-2")],
                &[("i-3", "InService")],
                "OUT OF SERVICE: i-1 was terminated at 22:13:30, no instance has reported service since, and the group has i-3 (InService)",
            ),
            // A signal of before says nothing.
            (
                &[(10, "i-1")],
                &["i-2"],
                &[(3, "i-1")],
                &[("i-2", "Pending")],
                "OUT OF SERVICE: i-1 was terminated at 22:13:30, no instance has reported service since, and the group has i-2 (Pending)",
            ),
            (
                &[(10, "i-1"), (30, "i-2")],
                &["i-2"],
                &[(13, "i-2")],
                &[],
                "OUT OF SERVICE: i-2 was terminated at 22:13:50, no instance has reported service since, and the group has no instance",
            ),
        ] {
            assert_eq!(words(ended, launched, signalled, now), expected);
        }
    }
}
