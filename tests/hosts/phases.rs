//! Where the seconds of a takeover went, by the marks of the agent and the console of the guest.

use mqaws::model::agent::{Mark, Wait, mark};
use std::time::{SystemTime, UNIX_EPOCH};

/// The marks of a start, in their order.
const START: [&str; 8] = [
    mark::AGENT_STARTED,
    mark::MOUNTED,
    mark::LOCK_OBTAINED,
    mark::PROOF,
    mark::ADOPTED,
    mark::ENGINE_STARTING,
    mark::ENGINE_STARTED,
    mark::SERVING,
];

/// Now, by the clock that the guests share with this machine; nanoseconds since 1970.
pub(crate) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(since.as_nanos()).unwrap()
}

/// When the power of the last life of a guest went on, by the lab's line on its console.
pub(crate) fn power_on(console: &str) -> i64 {
    let line = console
        .lines()
        .rfind(|l| l.contains(" power on: "))
        .expect("a power on");
    let at: jiff::Timestamp = line.split(' ').next().unwrap().parse().unwrap();
    i64::try_from(at.as_nanosecond()).unwrap()
}

/// One phase of a start: it ends with a mark.
pub(crate) struct Phase {
    pub mark: String,
    pub detail: String,
    pub end: i64,
    /// What of it was the agent's own, nanoseconds; for the first phase the start of its process.
    pub own: i64,
    pub waits: Vec<Wait>,
}

/// The phases of the last start among the marks of an instance.
pub(crate) fn phases(marks: &[Mark]) -> Vec<Phase> {
    let last = marks.iter().rposition(|m| m.mark == mark::AGENT_STARTED).unwrap_or(0);
    let mut before: Option<&Mark> = None;
    let mut phases = Vec::new();
    for one in &marks[last..] {
        if START.contains(&one.mark.as_str()) {
            let own = match before {
                Some(before) => one.t_unix_ns - before.t_unix_ns - waited(before.t_unix_ns, one),
                // `37 ms of its own, 80 ms after its process`
                None => {
                    one.detail
                        .split(' ')
                        .next()
                        .and_then(|ms| ms.parse().ok())
                        .unwrap_or(0_i64)
                        * 1_000_000
                }
            };
            phases.push(Phase {
                mark: one.mark.clone(),
                detail: one.detail.clone(),
                end: one.t_unix_ns,
                own,
                waits: one.waits.clone(),
            });
            before = Some(one);
        }
        if one.mark == mark::SERVING {
            break;
        }
    }
    phases
}

/// How long between a mark and the next something was waited for, waits at the same time counted once.
fn waited(from: i64, next: &Mark) -> i64 {
    let mut waits: Vec<(i64, i64)> = next.waits.iter().map(|w| (w.t_unix_ns, w.t_unix_ns + w.ns)).collect();
    waits.sort_unstable();
    let (mut sum, mut done) = (0, from);
    for (begin, end) in waits {
        let (begin, end) = (begin.max(done), end.min(next.t_unix_ns));
        sum += (end - begin).max(0);
        done = done.max(end);
    }
    sum
}

/// The agent's own share of a start up to a running engine, without the time for which it waits for a proof.
pub(crate) fn own(phases: &[Phase]) -> i64 {
    let until = phases.iter().position(|p| p.mark == mark::ENGINE_STARTED);
    let upto = until.map_or(phases, |at| &phases[..=at]);
    upto.iter().filter(|p| p.mark != mark::PROOF).map(|p| p.own).sum()
}

/// Prints the phases between a fault and the last of some named points.
pub(crate) fn print(title: &str, fault: i64, console: &str, marks: &[Mark], after: &[(&str, i64)]) {
    let seconds = |ns: i64| ns as f64 / 1e9;
    println!("{title}\n  {:<58} {:>8} {:>8} {:>8}", "", "at s", "+ s", "own s");
    let mut before = fault;
    let mut line = |name: &str, at: i64, own: String| {
        let (at_s, plus) = (seconds(at - fault), seconds(at - before));
        println!("  {name:<58} {at_s:>8.2} {plus:>8.2} {own:>8}");
        before = at;
    };
    line("power on", power_on(console), String::new());
    let phases = phases(marks);
    for phase in &phases {
        let name = match phase.detail.as_str() {
            "" => phase.mark.clone(),
            detail => format!("{} ({detail})", phase.mark),
        };
        // The wait for a proof is what it takes, whoever's it is.
        if phase.mark == mark::PROOF {
            line(&name, phase.end, "-".into());
            continue;
        }
        line(&name, phase.end, format!("{:.2}", seconds(phase.own)));
        for wait in phase.waits.iter().filter(|w| w.ns > 5_000_000) {
            let what: String = wait.what.chars().take(70).collect();
            println!("    {what:<74} {:>8.2}", seconds(wait.ns));
        }
    }
    after.iter().for_each(|(name, at)| line(name, *at, String::new()));
    println!(
        "  the agent's own share up to `{}`, without the wait for a proof: {:.2} s",
        mark::ENGINE_STARTED,
        seconds(own(&phases))
    );
}
