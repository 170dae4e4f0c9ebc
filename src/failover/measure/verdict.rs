//! From what was measured to a verdict. Nothing passes that proved nothing.

use super::account::Account;
use super::gap::{Outage, Worker, worst};
use super::limits::{Duplicates, Limits};
use super::unsent::Unsent;
use crate::remedy::ExitKind;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The verdict on a round or on a test.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Everything was measured and within the limits.
    Pass,
    /// Something was over its limit.
    Fail,
    /// Something was not measured, so the limits prove nothing.
    Inconclusive,
}

/// One value and its limit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Check {
    /// Name, e.g. `rpo.lost`.
    pub name: String,
    /// The limit, in words of the value's unit.
    pub limit: String,
    /// The value; absent when it was not measured.
    pub value: Option<String>,
    /// The verdict on this value alone.
    pub verdict: Verdict,
    /// Why, when it is no pass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The exit code if it is not a pass.
    pub exit_code: u8,
}

/// What a round measured.
#[derive(Debug, Clone)]
pub struct Evidence<'a> {
    /// The account of messages.
    pub account: &'a Account,
    /// What else than a loss would explain that messages did not come, as a clause.
    pub elsewhere: Option<String>,
    /// Whether what counts as acknowledged was confirmed by the broker, and not merely sent.
    pub confirms: bool,
    /// One outage a worker; empty when nothing was injected.
    pub outages: &'a [Outage],
    /// Whether the fault was seen to have happened, and what was seen.
    pub fault_verified: bool,
    /// Whether any worker noticed anything.
    pub disturbed: bool,
    /// Whether the topology must stand the fault without that.
    pub unnoticed: bool,
    /// Whether everybody was served again in time, and stayed so.
    pub served: bool,
    /// Messages acknowledged and not received when the fault took hold.
    pub backlog_at_fault: u64,
    /// Messages acknowledged within the second before the fault.
    pub acked_last_second: u64,
    /// Slots that were not sent, and how many of them are accounted for.
    pub unsent: Unsent,
    /// Longest time within the worst outage in which this process itself did not run, in nanoseconds.
    pub stalled_ns: u64,
}

/// The verdict with its grounds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// The verdict.
    pub verdict: Verdict,
    /// The worst exit code.
    pub exit: ExitKind,
    /// All values with their limits.
    pub checks: Vec<Check>,
}

impl Judgement {
    /// This judgement with one ground more. What could not be read takes nothing back of what was proved.
    pub(crate) fn with(mut self, ground: Check) -> Self {
        if ground.value.is_some() || self.verdict != Verdict::Fail {
            self.exit = self.exit.worse(exit_of(&ground));
            self.verdict = verdict_of(self.exit);
        }
        self.checks.push(ground);
        self
    }
}

/// The verdict that an exit code stands for.
#[must_use]
pub fn verdict_of(exit: ExitKind) -> Verdict {
    match exit {
        ExitKind::Success => Verdict::Pass,
        ExitKind::Lost
        | ExitKind::NoRecovery
        | ExitKind::RtoExceeded
        | ExitKind::Duplicates
        | ExitKind::SloExceeded => Verdict::Fail,
        _ => Verdict::Inconclusive,
    }
}

/// Judges one round.
#[must_use]
pub fn judge(evidence: &Evidence<'_>, limits: &Limits) -> Judgement {
    let mut checks = vec![
        yes_or_unclear("fault.verified", evidence.fault_verified, "the fault was not observed"),
        effect(evidence),
        traffic(evidence),
        sent(evidence),
        backlog(evidence),
        yes_or_unclear(
            "drain.complete",
            evidence.account.drain.proves_absence(),
            "the queue was not confirmed empty, so missing messages may still be in it",
        ),
        lost(evidence, limits),
    ];
    checks.extend(rto(evidence, limits));
    checks.extend([
        duplicates(evidence, limits),
        order(evidence, limits),
        durable(evidence),
        strangers(evidence),
    ]);
    let exit = checks.iter().map(exit_of).fold(ExitKind::Success, ExitKind::worse);
    Judgement {
        verdict: verdict_of(exit),
        exit,
        checks,
    }
}

fn exit_of(check: &Check) -> ExitKind {
    ExitKind::of(check.exit_code).unwrap_or(ExitKind::Internal)
}

pub(crate) fn check(
    name: &str,
    limit: impl Into<String>,
    value: Option<String>,
    bad: Option<(ExitKind, String)>,
) -> Check {
    let (exit, reason) = bad.map_or((ExitKind::Success, None), |(exit, reason)| (exit, Some(reason)));
    Check {
        name: name.into(),
        limit: limit.into(),
        value,
        verdict: verdict_of(exit),
        reason,
        exit_code: exit as u8,
    }
}

fn yes_or_unclear(name: &str, yes: bool, reason: &str) -> Check {
    let bad = (!yes).then(|| (ExitKind::Inconclusive, reason.to_owned()));
    check(name, "yes", Some(if yes { "yes" } else { "no" }.into()), bad)
}

/// A fault that no client notices proves something only where it is not to be noticed.
fn effect(evidence: &Evidence<'_>) -> Check {
    if !evidence.unnoticed {
        return yes_or_unclear("fault.effect", evidence.disturbed, "no client noticed the fault");
    }
    let bad = evidence.disturbed.then(|| {
        let reason = "a client was disconnected, and this fault must not interrupt service".to_owned();
        (ExitKind::RtoExceeded, reason)
    });
    let value = if evidence.disturbed { "yes" } else { "no" };
    check("fault.effect", "no", Some(value.into()), bad)
}

fn traffic(evidence: &Evidence<'_>) -> Check {
    let counts = &evidence.account.persistent;
    let reason = if counts.acked == 0 {
        Some("nothing was acknowledged")
    } else if counts.received == 0 {
        Some("nothing was received")
    } else if evidence.acked_last_second == 0 {
        Some("nothing was acknowledged in the last second before the fault")
    } else {
        None
    };
    check(
        "traffic",
        "some in the last second before the fault",
        Some(evidence.acked_last_second.to_string()),
        reason.map(|reason| (ExitKind::Inconclusive, reason.to_owned())),
    )
}

fn sent(evidence: &Evidence<'_>) -> Check {
    let (before, after) = (evidence.unsent.before, evidence.unsent.after);
    let all = (before.unsent + after.unsent, before.due + after.due);
    check(
        "load.sent",
        "after the fault as before it, except for outages and 20 %",
        Some(format!("{} of {} slots not sent", all.0, all.1)),
        (evidence.unsent.complaint()).map(|reason| (ExitKind::Inconclusive, reason)),
    )
}

fn backlog(evidence: &Evidence<'_>) -> Check {
    let waiting = evidence.backlog_at_fault;
    let bad = (waiting == 0).then(|| {
        (
            ExitKind::Inconclusive,
            "no messages were waiting at the fault, and only waiting messages can show loss".into(),
        )
    });
    check("backlog", "at least 1 at the fault", Some(waiting.to_string()), bad)
}

fn lost(evidence: &Evidence<'_>, limits: &Limits) -> Check {
    let account = evidence.account;
    let missing = account.persistent.missing;
    let bad = match account.lost {
        Some(lost) if lost > limits.max_rpo => Some((
            ExitKind::Lost,
            match evidence.confirms {
                true => format!(
                    "{lost} acknowledged messages never came back; the limit is {}",
                    limits.max_rpo
                ),
                false => format!(
                    "{lost} messages that were sent, and that the broker never confirmed, never came back, and no client learned of it; the limit is {}",
                    limits.max_rpo
                ),
            },
        )),
        Some(_) => None,
        None if missing > 0 => Some((
            ExitKind::Inconclusive,
            format!("{missing} acknowledged messages did not arrive before the drain timed out"),
        )),
        None => Some((ExitKind::Inconclusive, "the drain did not complete".into())),
    };
    let bad = bad.map(|(exit, reason)| match &evidence.elsewhere {
        Some(elsewhere) => (exit, format!("{reason}; {elsewhere}")),
        None => (exit, reason),
    });
    check(
        "rpo.lost",
        limits.max_rpo.to_string(),
        account.lost.map(|lost| lost.to_string()),
        bad,
    )
}

fn rto(evidence: &Evidence<'_>, limits: &Limits) -> Vec<Check> {
    let Some(worst) = worst(evidence.outages) else {
        return vec![check(
            "rto.max",
            "",
            None,
            Some((ExitKind::Inconclusive, "nothing was measured around the fault".into())),
        )];
    };
    let value = format!("{:.3} s", worst.gap_ns as f64 / 1e9);
    let limit = limits
        .max_rto_ns
        .map_or_else(String::new, |limit| format!("{:.3} s", limit as f64 / 1e9));
    if evidence.disturbed && !(evidence.served && worst.recovered()) {
        let reason = match worst.recovered() {
            true => "service was not restored for all clients in time".to_owned(),
            false => format!("service was not restored for {}", among(worst.worker, evidence.outages)),
        };
        return vec![check("rto.max", limit, None, Some((ExitKind::NoRecovery, reason)))];
    }
    let over = limits.max_rto_ns.is_some_and(|limit| worst.gap_ns > limit);
    let over_without_stall = limits
        .max_rto_ns
        .is_some_and(|limit| worst.gap_ns - evidence.stalled_ns.min(worst.gap_ns) > limit);
    // A stall of this process only makes a gap look longer, never shorter.
    let bad = if over && over_without_stall {
        let who = among(worst.worker, evidence.outages);
        let reason = format!("RTO {value} exceeds the limit of {limit} ({who})");
        Some((ExitKind::RtoExceeded, reason))
    } else if over || evidence.stalled_ns.saturating_mul(2) > worst.gap_ns {
        let stalled = evidence.stalled_ns / 1_000_000;
        Some((
            ExitKind::Inconclusive,
            format!("this process itself was stalled for {stalled} ms of the outage"),
        ))
    } else {
        limits.max_rto_ns.and_then(|limit| untold(evidence.outages, limit))
    };
    vec![check("rto.max", limit, Some(value), bad)]
}

/// `producer 1 of 4`: counted from 1, among those that were measured.
fn among(worker: Worker, outages: &[Outage]) -> String {
    let of_role = |role: fn(&Worker) -> bool| outages.iter().filter(|outage| role(&outage.worker)).count();
    match worker {
        Worker::Producer(number) => {
            let all = of_role(|other| matches!(other, Worker::Producer(_)));
            format!("producer {} of {all}", u64::from(number) + 1)
        }
        Worker::Consumer(number) => {
            let all = of_role(|other| matches!(other, Worker::Consumer(_)));
            format!("consumer {} of {all}", u64::from(number) + 1)
        }
    }
}

/// A gap over the limit that is not told from the usual pauses of a worker, so that nobody can say whether it was an outage.
fn untold(outages: &[Outage], limit_ns: u64) -> Option<(ExitKind, String)> {
    let longest = outages.iter().max_by_key(|outage| outage.longest_ns)?;
    (longest.longest_ns > limit_ns).then(|| {
        let reason = format!(
            "{} had no success for {:.3} s after the fault, longer than the limit of {:.3} s, which cannot be distinguished from its pauses \
             before it: increase the load (--rate), or observe longer before the fault (--baseline)",
            among(longest.worker, outages),
            longest.longest_ns as f64 / 1e9,
            limit_ns as f64 / 1e9
        );
        (ExitKind::Inconclusive, reason)
    })
}

fn duplicates(evidence: &Evidence<'_>, limits: &Limits) -> Check {
    let tally = &evidence.account.tally;
    let all = tally.extra();
    let (limit, bad) = match limits.duplicates {
        Duplicates::Allow => ("any", None),
        Duplicates::Explained => (
            "explained by a lost connection",
            (tally.extra_unexplained > 0).then(|| {
                format!(
                    "{} were redelivered although the connection that had them was alive, or they were settled on it at least 5 s before it ended",
                    tally.extra_unexplained
                )
            }),
        ),
        Duplicates::None => ("0", (all > 0).then(|| format!("{all} were delivered more than once"))),
    };
    check(
        "duplicates",
        limit,
        Some(all.to_string()),
        bad.map(|reason| (ExitKind::Duplicates, reason)),
    )
}

fn order(evidence: &Evidence<'_>, limits: &Limits) -> Check {
    let reordered = evidence.account.tally.reordered;
    let limit = if limits.allow_reordering { "any" } else { "0" };
    let bad = (!limits.allow_reordering && reordered > 0).then(|| {
        let way = "of the same producer's connection to the same consumer's";
        (
            ExitKind::Duplicates,
            format!("{reordered} were overtaken by later ones {way}"),
        )
    });
    check("order", limit, Some(reordered.to_string()), bad)
}

/// A persistent message that came back as another is not lost, but it came back otherwise than it was put, like a damaged one.
fn durable(evidence: &Evidence<'_>) -> Check {
    let weakened = evidence.account.tally.not_durable;
    let reason = format!("{weakened} persistent messages came back as not persistent: a restart may lose them");
    check(
        "durable",
        "0",
        Some(weakened.to_string()),
        (weakened > 0).then_some((ExitKind::Duplicates, reason)),
    )
}

fn strangers(evidence: &Evidence<'_>) -> Check {
    let (tally, counts) = (&evidence.account.tally, &evidence.account.persistent);
    let bad = counts.resurrected + tally.unexpected + tally.corrupt;
    let reason = format!(
        "{} rejected but delivered, {} never sent, {} damaged",
        counts.resurrected, tally.unexpected, tally.corrupt
    );
    check(
        "strangers",
        "0",
        Some(bad.to_string()),
        (bad > 0).then_some((ExitKind::Duplicates, reason)),
    )
}

#[cfg(test)]
mod tests;
