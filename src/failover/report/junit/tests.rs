//! The shape, against an XML reader: what a case says, how many there are, and that nothing from outside breaks it.

use super::super::document::Broken;
use super::super::samples;
use super::*;
use crate::remedy::ExitKind;
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use std::collections::BTreeMap;

type Attributes = BTreeMap<String, String>;

fn attributes(start: &BytesStart<'_>) -> Attributes {
    let all = start.attributes().map(|one| one.unwrap());
    all.map(|one| {
        let name = one.key.as_ref().to_owned();
        let value = quick_xml::escape::unescape(&one.value).unwrap();
        (name, value.into_owned())
    })
    .collect()
}

/// Every element with its parent's name and its attributes, as the XML reader sees them.
fn elements(xml: &str) -> Vec<(String, String, Attributes)> {
    let mut reader = Reader::from_str(xml);
    reader.config_mut().check_end_names = true;
    let (mut open, mut found) = (vec![String::new()], Vec::new());
    loop {
        match reader.read_event().expect("well-formed") {
            Event::Start(start) => {
                let name = start.name().as_ref().to_owned();
                found.push((open.last().unwrap().clone(), name.clone(), attributes(&start)));
                open.push(name);
            }
            Event::Empty(start) => {
                let name = start.name().as_ref().to_owned();
                found.push((open.last().unwrap().clone(), name, attributes(&start)));
            }
            Event::End(_) => drop(open.pop()),
            Event::Eof => break,
            _ => {}
        }
    }
    assert_eq!(open.len(), 1, "everything ends");
    found
}

/// What the schemas of JUnit in use (Jenkins', Windy Road's) want of each element.
fn judge(xml: &str) -> Vec<(String, String, Attributes)> {
    let all = elements(xml);
    for (parent, name, attributes) in &all {
        let (above, wanted): (&str, &[&str]) = match name.as_str() {
            "testsuites" => ("", &[]),
            "testsuite" => (
                "testsuites",
                &[
                    "errors",
                    "failures",
                    "hostname",
                    "id",
                    "name",
                    "package",
                    "tests",
                    "time",
                    "timestamp",
                ],
            ),
            "properties" | "system-out" | "system-err" => ("testsuite", &[]),
            "property" => ("properties", &["name", "value"]),
            "testcase" => ("testsuite", &["classname", "name", "time"]),
            "failure" | "error" => ("testcase", &["message", "type"]),
            other => panic!("no element `{other}`"),
        };
        assert_eq!(parent, above, "{name}");
        assert_eq!(
            attributes.keys().map(String::as_str).collect::<Vec<_>>(),
            wanted,
            "{name}"
        );
    }
    let count = |wanted: &str| all.iter().filter(|(_, name, _)| name == wanted).count();
    let sum = |attribute: &str| -> usize {
        let suites = all.iter().filter(|(_, name, _)| name == "testsuite");
        suites
            .map(|(_, _, attributes)| attributes[attribute].parse::<usize>().unwrap())
            .sum()
    };
    assert_eq!(
        (sum("tests"), sum("failures"), sum("errors")),
        (count("testcase"), count("failure"), count("error"))
    );
    all
}

#[test]
fn a_case_is_a_threshold_of_a_fault() {
    let report = samples::report(&[Some(1_000_000_000), Some(2_500_000_000)]);
    let all = judge(&junit(&[&report, &report]));
    let cases: Vec<_> = all.iter().filter(|(_, name, _)| name == "testcase").collect();
    assert_eq!(cases.len(), 4);
    assert_eq!(cases[1].2["classname"], "mqaws.kill-queue-manager");
    assert_eq!((&*cases[1].2["name"], &*cases[1].2["time"]), ("rto.max", "2.500"));
    let suite = &all[1].2;
    assert_eq!(suite["timestamp"], "2026-01-02T03:04:05");
}

#[test]
fn a_failure_outweighs_what_proved_nothing_and_neither_is_skipped() {
    let mut report = samples::report(&[Some(1), None, Some(1)]);
    samples::unclear(&mut report.runs[0], "rto.max", "this process stood still");
    samples::unclear(&mut report.runs[2], "backlog", "no message waited");
    report.conclude();
    let all = judge(&junit(&[&report]));
    let bad: Vec<_> = all
        .iter()
        .filter(|(_, name, _)| name == "failure" || name == "error")
        .collect();
    assert_eq!(bad.len(), 2, "{bad:?}");
    assert_eq!((&*bad[0].1, &*bad[0].2["type"]), ("failure", "exit 11"));
    assert_eq!(bad[0].2["message"], "round 2: producer 0 was not served again");
    assert_eq!((&*bad[1].1, &*bad[1].2["type"]), ("error", "exit 20"));
}

#[test]
fn what_is_no_pass_has_a_case_that_is_none() {
    let mut broken = samples::report(&[Some(1)]);
    let cause = "interrupted".to_owned();
    broken.break_off(Broken { rounds: 3, cause }, ExitKind::Interrupted);
    let mut none = samples::empty();
    none.conclude();
    for report in [broken, none] {
        let all = judge(&junit(&[&report]));
        assert_eq!(all.iter().filter(|(_, name, _)| name == "error").count(), 1, "{all:?}");
    }
}

#[test]
fn nothing_from_outside_breaks_it() {
    let odd = "</x> & \"q\" 'a' ]]> <![CDATA[ \u{0} \u{1b}[31m \u{ffff} ä 🜁\r\n\ttab";
    let mut report = samples::report(&[Some(1)]);
    samples::unclear(&mut report.runs[0], odd, odd);
    report.place.stack = odd.into();
    report.engine.queue_manager = odd.into();
    report.engine.version = Some(odd.into());
    report.started_at = odd.into();
    report.conclude();
    let all = judge(&junit(&[&report]));
    let error = all.iter().find(|(_, name, _)| name == "error").unwrap();
    let safe = odd.replace(['\u{0}', '\u{1b}', '\u{ffff}'], "\u{fffd}");
    assert_eq!(error.2["message"], format!("round 1: {safe}"));
}
