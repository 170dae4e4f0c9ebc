//! A measurement: starts of the agent by phase, and its memory. `scripts/bench-boot` makes it of the agent as shipped; among the tests it
//! runs once, so that it does not rot, and nothing of its figures is judged.

use crate::phases;
use crate::site::{Instance, PATIENCE, Site, until};
use mqaws::model::agent::mark;

/// Takeovers after a power-off: `MQAWS_BENCH_ROUNDS` of them, one without it.
pub(crate) fn starts_by_phase() {
    let rounds = std::env::var("MQAWS_BENCH_ROUNDS").ok().and_then(|r| r.parse().ok());
    let rounds: usize = rounds.unwrap_or(1);
    let site = Site::deployed();
    let mut serving = site.running();
    memory(&site, &serving);
    let mut own = vec![tell(&site, &serving, "created")];
    for round in 1..=rounds {
        let fault = phases::now();
        site.rig("cut", &serving);
        let next = site.successor(&serving);
        site.serving(&next);
        until("the marks are there", PATIENCE, || {
            site.marks(&next).iter().any(|m| m.mark == mark::SERVING).then_some(())
        });
        let marks = site.marks(&next);
        let title = format!("takeover {round} of {rounds}");
        phases::print(&title, fault, &site.console(&next), &marks, &[]);
        own.push(phases::own(&phases::phases(&marks)));
        memory(&site, &next);
        serving = next;
    }
    if std::env::var_os("MQAWS_BENCH_BLAME").is_some() {
        println!(
            "{}",
            site.shell(
                &serving,
                "systemd-analyze blame | head -25; systemd-analyze critical-chain mqaws-agent.service"
            )
            .unwrap()
        );
    }
    own.sort_unstable();
    let seconds: Vec<String> = own.iter().map(|ns| format!("{:.2}", *ns as f64 / 1e9)).collect();
    println!(
        "the agent's own share of each start, limit 1 s: {} s",
        seconds.join(" ")
    );
}

fn tell(site: &Site, on: &Instance, title: &str) -> i64 {
    let (console, marks) = (site.console(on), site.marks(on));
    phases::print(title, phases::power_on(&console), &console, &marks, &[]);
    phases::own(&phases::phases(&marks))
}

/// What agent and keeper take of memory, by the kernel's word.
fn memory(site: &Site, on: &Instance) {
    let script = "for unit in mqaws-agent mqaws-engine; do echo $unit $(awk '/^Vm(Size|HWM|RSS|Lck|Stk)|^Rss|^Threads/ { printf \"%s %s  \", $1, $2 }' \
                  /proc/$(systemctl show -p MainPID --value $unit)/status); done";
    print!("KiB: {}", site.shell(on, script).unwrap());
}
