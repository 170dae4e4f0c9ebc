//! Golden pages: one for each way in which a test can end.
//!
//! `MQAWS_UPDATE=1` writes the files anew; `tests/pure/pages.rs` shows them to a browser.

use super::page;
use crate::failover::measure::account::Counts;
use crate::failover::measure::gap::{Outage, Worker};
use crate::failover::measure::phases::Phase;
use crate::failover::measure::series::Series;
use crate::failover::measure::verdict::check;
use crate::failover::report::{Broken, Entry, Host, NotRun, Report, Run, samples};
use crate::remedy::ExitKind;
use crate::topology::Fault;
use std::path::Path;

const S: u64 = 1_000_000_000;

/// What a broker may say, and a name that came from outside.
const HOSTILE: &str = "</text></svg><script>alert(1)</script><img src=x onerror=alert(1)> \"'& \u{202e}reversed";

/// A round as one of a real test: rate and latency, timeline, phases.
fn fill(run: &mut Run, outage_ns: u64) {
    let bins = 120;
    let (fault, back) = (30_usize, 30 + (outage_ns / (S / 10)) as usize);
    let during = |bin: usize| (fault..back).contains(&bin);
    run.run_id = format!("{:016x}", run.round);
    run.started_at = "2026-01-02T03:04:05.678Z".into();
    run.series = Some(Series {
        from_ns: -3 * S as i64,
        bin_ns: S / 10,
        acked: (0..bins)
            .map(|bin| if during(bin) { 0 } else { 78 + bin as u64 % 5 })
            .collect(),
        received: (0..bins)
            .map(|bin| if during(bin) { 0 } else { 76 + bin as u64 % 9 })
            .collect(),
        latency_us: (0..bins)
            .map(|bin| {
                if during(bin) {
                    (back - bin) as u64 * 100_000
                } else {
                    900 + bin as u64 % 7 * 130
                }
            })
            .collect(),
    });
    run.outages = vec![Outage {
        worker: Worker::Producer(0),
        last_ok_ns: 3 * S,
        first_ok_ns: Some(3 * S + outage_ns),
        gap_ns: outage_ns,
        from_fault_ns: Some(outage_ns),
        total_ns: outage_ns,
        gaps: 1,
        threshold_ns: S / 4,
        longest_ns: outage_ns,
        down_at_end: false,
    }];
    let phase = |name: &str, detail: &str, ns: u64| Phase {
        uncertainty_ns: 0,
        name: name.into(),
        detail: detail.into(),
        ns,
    };
    if let Some(rto) = run.rto.as_mut() {
        rto.phases = vec![
            phase("detection", "", outage_ns / 10),
            phase("proof", "same-host", outage_ns / 10 * 2),
            phase("engine", "", outage_ns / 10 * 4),
            phase("reconnect", "", outage_ns / 10 * 3),
        ];
    }
    let entry = |t_ns: u64, source: &str, text: &str, uncertainty_ns: u64| Entry {
        t_ns: t_ns as i64,
        source: source.into(),
        kind: "kind".into(),
        text: text.into(),
        uncertainty_ns,
    };
    run.timeline = vec![
        entry(0, "fault", "12 processes killed", 3_000_000),
        entry(2_000_000, "clients", "connection reset by peer (6 of 6 connections)", 0),
        entry(outage_ns / 10, "agent", "death noticed", 3_000_000),
        entry(outage_ns / 10 * 3, "agent", "may write, proof: same-host", 3_000_000),
        entry(outage_ns / 10 * 7, "engine", "running", 3_000_000),
        entry(outage_ns / 10 * 8, "target", "1 healthy", 0),
        entry(outage_ns, "clients", "first acknowledgement", 0),
    ];
    run.to_full_ns = Some(outage_ns + 2 * S);
    run.backlog_at_fault = 2000;
    run.served_before.instance = "i-0123456789abcdef0".into();
    run.served_before.zone = "eu-west-1a".into();
    run.served_before.epoch = Some(run.round.into());
    run.served_after = Some(Host {
        epoch: Some(u64::from(run.round) + 1),
        ..run.served_before.clone()
    });
    run.ledger.persistent = Counts {
        slots: 24_000,
        not_sent: 1_300,
        acked: 22_650,
        failed: 0,
        unknown: 50,
        received: 22_680,
        recovered: 30,
        vanished: 20,
        duplicated_acked: 3,
        ..Counts::default()
    };
}

fn measured(outages: &[u64]) -> Report {
    let mut report = samples::report(&outages.iter().map(|ns| Some(*ns)).collect::<Vec<_>>());
    report.place.timing = Some("fast".into());
    report.place.hosts = Some("process".into());
    report.place.topology = Some(crate::model::Topology::default().as_str().into());
    report.engine.version = Some("IBM MQ 9.4.0.11".into());
    report.driver.caveat = "AMQP service path; MQI clients may differ".into();
    report.not_shown = vec!["loss of a zone".into(), "failover of clients that use MQI".into()];
    report.assumptions = vec!["clocks of the instance are within 3 ms".into()];
    for (run, ns) in report.runs.iter_mut().zip(outages) {
        fill(run, *ns);
    }
    report.conclude();
    report
}

/// Makes a round fail, or prove nothing, for this reason.
fn bad(report: &mut Report, round: usize, name: &str, exit: ExitKind, reason: &str) {
    let run = &mut report.runs[round];
    let check = check(name, "0", Some("7".into()), Some((exit, reason.to_owned())));
    (run.verdict, run.exit_code) = (check.verdict, check.exit_code);
    run.thresholds.push(check);
    report.conclude();
}

/// Each way to end, by the name of its page.
fn all() -> Vec<(&'static str, Report)> {
    let two = || measured(&[3 * S, 4 * S]);
    let failed = |name: &str, exit: ExitKind, reason: &str| {
        let mut report = two();
        bad(&mut report, 1, name, exit, reason);
        report
    };
    let mut lost = two();
    lost.runs[1].ledger.lost = Some(7);
    lost.runs[1].ledger.persistent.missing = 7;
    bad(
        &mut lost,
        1,
        "rpo.lost",
        ExitKind::Lost,
        "7 acknowledged messages were lost",
    );
    let mut slow = two();
    slow.limits.max_rto_ns = Some(3 * S + S / 2);
    bad(
        &mut slow,
        1,
        "rto.max",
        ExitKind::RtoExceeded,
        "producer 0 was without service for 4.000 s",
    );
    let mut unrecovered = samples::report(&[Some(3 * S), None]);
    unrecovered.runs[1].run_id = "2".into();
    let mut interrupted = two();
    let broken = Broken {
        rounds: 60,
        cause: "interrupted".into(),
    };
    interrupted.break_off(broken, ExitKind::Interrupted);
    let mut faults = measured(&[S / 5, S / 4, 3 * S, 60 * S, 70 * S, 80 * S]);
    for (run, fault) in faults.runs.iter_mut().zip(Fault::ALL.iter().copied().cycle()) {
        run.fault.name = fault;
    }
    faults.limits.max_rto_ns = Some(90 * S);
    faults.not_run = vec![NotRun {
        fault: Fault::CutZone,
        why: HOSTILE.into(),
    }];
    faults.conclude();
    let mut others = two();
    for run in &mut others.runs {
        run.ledger.non_persistent = Counts {
            slots: 6000,
            acked: 5800,
            received: 5500,
            missing: 300,
            not_sent: 200,
            ..Counts::default()
        };
    }
    let mut hostile = two();
    hostile.place.stack = HOSTILE.into();
    hostile.runs[1].timeline[1].text = HOSTILE.into();
    hostile.runs[1].timeline[2].source = HOSTILE.chars().take(24).collect();
    hostile.runs[1].served_before.instance = HOSTILE.into();
    bad(&mut hostile, 1, "rpo.lost", ExitKind::Inconclusive, HOSTILE);
    let mut older = serde_json::to_value(two()).unwrap();
    older["summary"].as_object_mut().unwrap().remove("faults");
    older["place"].as_object_mut().unwrap().remove("topology");
    for run in older["runs"].as_array_mut().unwrap() {
        run.as_object_mut().unwrap().remove("series");
        run.as_object_mut().unwrap().remove("broker");
    }
    vec![
        ("pass", two()),
        (
            "many",
            measured(&(0..60).map(|round| 2 * S + round % 13 * S / 9).collect::<Vec<_>>()),
        ),
        ("lost", lost),
        ("no-recovery", unrecovered),
        ("rto", slow),
        (
            "duplicates",
            failed(
                "duplicates",
                ExitKind::Duplicates,
                "2 messages came again, and nothing explains it",
            ),
        ),
        (
            "inconclusive",
            failed(
                "fault.verified",
                ExitKind::Inconclusive,
                "the fault was not seen to have happened",
            ),
        ),
        ("interrupted", interrupted),
        ("several-faults", faults),
        ("non-persistent", others),
        ("hostile", hostile),
        ("older", Report::parse(&older.to_string()).unwrap()),
        ("nothing", samples::report(&[])),
    ]
}

#[test]
fn each_way_to_end_has_its_page() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/pages");
    let update = std::env::var_os("MQAWS_UPDATE").is_some();
    let mut differ = Vec::new();
    for (name, report) in all() {
        let made = page(&[&report]);
        let path = folder.join(format!("{name}.html"));
        if update {
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(&path, &made).unwrap();
        }
        if std::fs::read_to_string(&path).ok().as_ref() != Some(&made) {
            differ.push(name);
        }
        assert!(made.len() < 300_000, "{name}: {} bytes", made.len());
    }
    assert!(
        differ.is_empty(),
        "{differ:?} differ in {}: MQAWS_UPDATE=1",
        folder.display()
    );
}

#[test]
fn a_page_says_what_the_report_says() {
    for (name, report) in all() {
        let made = page(&[&report]);
        let words = crate::failover::report::text::word(report.verdict);
        assert!(
            made.contains(&format!("<b>{words}</b>")) || made.contains(&format!(">{words}<")),
            "{name}"
        );
        assert!(made.contains(&format!("(exit {})", report.exit_code)), "{name}");
        assert!(made.contains("not of AWS"), "{name}");
        for run in &report.runs {
            assert!(made.contains(run.fault.name.name()), "{name}");
        }
    }
    let both = page(&[&measured(&[S]), &measured(&[2 * S])]);
    assert_eq!(both.matches("<article>").count(), 2);
}

/// Whatever a broker says, there is no other markup than that of this room, no script, and nothing to fetch.
#[test]
fn texts_from_outside_are_no_markup() {
    for (name, report) in all() {
        let made = page(&[&report]);
        for never in [
            "<script",
            "<img",
            "<iframe",
            "<link",
            "onerror=alert(1)>",
            "javascript:",
            "http://",
            "https://",
            "url(",
            "\u{202e}",
        ] {
            assert!(!made.contains(never), "{name}: {never}");
        }
        assert!(made.contains("default-src 'none'"), "{name}");
    }
}

/// Luminance of a color `#rgb` or `#rrggbb`, as WCAG counts it.
fn luminance(color: &str) -> f64 {
    let digits = color.trim_start_matches('#');
    let whole: String = match digits.len() {
        3 => digits.chars().flat_map(|c| [c, c]).collect(),
        _ => digits.to_owned(),
    };
    let part = |at: usize| {
        let value = f64::from(u8::from_str_radix(&whole[at..at + 2], 16).unwrap()) / 255.0;
        if value <= 0.039_28 {
            value / 12.92
        } else {
            ((value + 0.055) / 1.055).powf(2.4)
        }
    };
    0.2126 * part(0) + 0.7152 * part(2) + 0.0722 * part(4)
}

#[test]
fn colors_have_contrast_in_light_in_dark_and_on_paper() {
    let style = include_str!("page.css");
    let blocks: Vec<&str> = style
        .match_indices(":root{")
        .map(|(at, _)| style[at + 6..].split('}').next().unwrap())
        .collect();
    assert_eq!(blocks.len(), 3);
    for block in blocks {
        let colors: Vec<(&str, &str)> = block
            .split(';')
            .filter_map(|rule| rule.trim_start_matches("--").split_once(':'))
            .collect();
        let of = |name: &str| colors.iter().find(|(own, _)| *own == name).unwrap().1;
        for (name, color) in &colors {
            // Lines of the mesh carry nothing.
            if ["color-scheme", "paper", "panel", "faint"].contains(name) {
                continue;
            }
            for ground in ["paper", "panel"] {
                let (a, b) = (luminance(color), luminance(of(ground)));
                let contrast = (a.max(b) + 0.05) / (a.min(b) + 0.05);
                let wanted = if ["ink", "soft", "good", "bad", "odd"].contains(name) {
                    4.5
                } else {
                    3.0
                };
                assert!(contrast >= wanted, "{name} {color} on {ground}: {contrast:.2}");
            }
        }
    }
}
