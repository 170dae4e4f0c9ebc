//! Where the seconds of a takeover went, by the marks of the agent and the console of the guest.

use mqaws::model::agent::{Mark, mark};
use std::time::{SystemTime, UNIX_EPOCH};

/// Now, by the clock that the guests share with this machine; nanoseconds since 1970.
pub fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(since.as_nanos()).unwrap()
}

/// When the power of the last life of a guest went on, by the lab's line on its console.
pub fn power_on(console: &str) -> i64 {
    let line = console
        .lines()
        .rfind(|l| l.contains(" power on: "))
        .expect("a power on");
    let at: jiff::Timestamp = line.split(' ').next().unwrap().parse().unwrap();
    i64::try_from(at.as_nanosecond()).unwrap()
}

/// Prints the phases between a fault and the last of some named points.
pub fn print(title: &str, fault: i64, console: &str, marks: &[Mark], after: &[(&str, i64)]) {
    let wanted = [
        mark::AGENT_STARTED,
        mark::MOUNTED,
        mark::LOCK_OBTAINED,
        mark::PROOF,
        mark::ADOPTED,
        mark::ENGINE_STARTING,
        mark::ENGINE_STARTED,
        mark::SERVING,
    ];
    let mut points = vec![("replacement: power on".to_owned(), power_on(console))];
    for name in wanted {
        if let Some(mark) = marks.iter().find(|m| m.mark == name) {
            let detail = if mark.detail.is_empty() {
                String::new()
            } else {
                format!(" ({})", mark.detail)
            };
            points.push((format!("{name}{detail}"), mark.t_unix_ns));
        }
    }
    points.extend(after.iter().map(|(name, at)| ((*name).to_owned(), *at)));
    println!("{title}\n  {:<58} {:>8} {:>8}", "", "at s", "+ s");
    let mut before = fault;
    for (name, at) in points {
        let seconds = |ns: i64| ns as f64 / 1e9;
        println!(
            "  {name:<58} {:>8.2} {:>8.2}",
            seconds(at - fault),
            seconds(at - before)
        );
        before = at;
    }
}
