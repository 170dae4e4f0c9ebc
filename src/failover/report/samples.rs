//! Reports for tests.

use super::document::{DriverInfo, Engine, FaultRecord, Host, Place, Report, Rto, Run, SCHEMA, Summary};
use crate::failover::measure::account::{Account, Drain};
use crate::failover::measure::ledger::Tally;
use crate::failover::measure::limits::Limits;
use crate::failover::measure::verdict::{Check, Verdict, check};
use crate::failover::scenario::Load;
use crate::remedy::ExitKind;
use crate::topology::Fault;

/// A report without rounds.
pub(crate) fn empty() -> Report {
    Report {
        schema: SCHEMA.into(),
        mqaws_version: "0".into(),
        started_at: "2026-01-02T03:04:05.678Z".into(),
        place: Place {
            kind: "lab".into(),
            timing: None,
            hosts: None,
            assumed: Vec::new(),
            region: String::new(),
            account: String::new(),
            stack: "mqaws-qm1".into(),
            topology: None,
            endpoint: String::new(),
        },
        engine: Engine {
            queue_manager: "QM1".into(),
            version: None,
            stand_in: true,
            agent_version: String::new(),
        },
        driver: DriverInfo {
            name: String::new(),
            caveat: String::new(),
        },
        load: Load::default(),
        limits: Limits::default(),
        runs: Vec::new(),
        not_run: Vec::new(),
        model: None,
        summary: Summary::default(),
        assumptions: Vec::new(),
        not_shown: Vec::new(),
        verdict: Verdict::Pass,
        exit_code: 0,
        broken_off: None,
        unwritten: None,
        ledgers: Vec::new(),
    }
}

/// A report of rounds of one fault with these outages in nanoseconds; those without an end are `None`.
pub(crate) fn report(outages: &[Option<u64>]) -> Report {
    let mut report = empty();
    report.runs = (1..)
        .zip(outages)
        .map(|(number, outage)| round(number, *outage))
        .collect();
    report.conclude();
    report
}

fn round(number: u32, outage: Option<u64>) -> Run {
    let bad = outage
        .is_none()
        .then(|| (ExitKind::NoRecovery, "producer 0 was not served again".to_owned()));
    let rto = check("rto.max", "", outage.map(|ns| format!("{ns} ns")), bad);
    Run {
        round: number,
        run_id: String::new(),
        started_at: String::new(),
        fault: FaultRecord {
            name: Fault::KillQueueManager,
            verified: true,
            evidence: String::new(),
            asked_ns: 0,
            at_ns: 0,
        },
        served_before: Host {
            instance: String::new(),
            zone: String::new(),
            epoch: None,
            proof: None,
        },
        served_after: None,
        backlog_at_fault: 1,
        acked_last_second: 1,
        broker: None,
        ledger: Account::count(&[], Tally::default(), Drain::IdleOut),
        rpo_ns: None,
        outages: Vec::new(),
        rto: Some(Rto {
            ns: outage.unwrap_or(60_000_000_000),
            from_fault_ns: outage,
            counts: true,
            uncertainty_ns: 0,
            phases: Vec::new(),
        }),
        end_to_end_ns: None,
        to_full_ns: None,
        latency: Vec::new(),
        series: None,
        timeline: Vec::new(),
        stalls: Vec::new(),
        warnings: Vec::new(),
        verdict: rto.verdict,
        exit_code: rto.exit_code,
        thresholds: vec![check("rpo.lost", "0", Some("0".into()), None), rto],
    }
}

/// Makes a threshold of a round proved by nothing, for this reason.
pub(crate) fn unclear(run: &mut Run, name: &str, reason: &str) {
    let bad: Check = check(name, "", None, Some((ExitKind::Inconclusive, reason.to_owned())));
    (run.verdict, run.exit_code) = (bad.verdict, bad.exit_code);
    run.thresholds.push(bad);
}
