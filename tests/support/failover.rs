//! Failover tests in a private local cloud, and what their reports say.

use super::cloud::Lab;
use super::command::{Running, Said};
use serde_json::Value;

impl Lab {
    /// Runs a failover test and wants this exit code; returns its report.
    ///
    /// A run during which this busy machine paused the test itself measured nothing and says so: it is made again, twice at most.
    #[track_caller]
    pub(crate) fn failover(&self, args: &[&str], code: i32) -> Value {
        self.failover_while(args, code, |_| ())
    }

    /// The same, and something is done while it runs.
    #[track_caller]
    pub(crate) fn failover_while(&self, args: &[&str], code: i32, during: impl Fn(&mut Running)) -> Value {
        let all = [&["failover-test", "--local", "--output", "json"], args].concat();
        let once = || {
            let mut running = self.spawn(&all);
            during(&mut running);
            running.wait()
        };
        self.repeated(&all, code, once)
    }

    /// The report of a run that ends with a code, which is repeated when the machine paused it.
    #[track_caller]
    pub(crate) fn repeated(&self, all: &[&str], code: i32, once: impl Fn() -> Said) -> Value {
        let mut said = once();
        for _ in 0..2 {
            let report: Value = serde_json::from_str(&said.out).unwrap_or_default();
            // A demo has its report beside other things.
            let report = report.get("report").unwrap_or(&report);
            if said.code != Some(20) || code == 20 || !stood_still(report) {
                break;
            }
            println!("once more: this machine paused the run {}", all.join(" "));
            said = once();
        }
        self.demand(all, &said, code);
        said.json()
    }
}

/// The rounds of a report.
pub(crate) fn runs(report: &Value) -> &Vec<Value> {
    report["runs"].as_array().expect("rounds")
}

/// Names of the checks that did not pass, of all rounds.
pub(crate) fn failing(report: &Value) -> Vec<String> {
    runs(report)
        .iter()
        .flat_map(|run| run["thresholds"].as_array().expect("checks"))
        .filter(|check| check["verdict"] != "pass")
        .map(|check| check["name"].as_str().expect("a name").to_owned())
        .collect()
}

/// Whether a run is inconclusive because its own process or the lab did not get to run.
fn stood_still(report: &Value) -> bool {
    let checks = report["runs"].as_array().into_iter().flatten();
    let mut checks = checks.flat_map(|run| run["thresholds"].as_array().into_iter().flatten());
    checks.any(|check| {
        let machine = |why: &str| why.contains("itself was stalled") || why.contains("were not sent");
        check["verdict"] == "inconclusive" && check["reason"].as_str().is_some_and(machine)
    })
}
