//! A report read again.

use super::document::{Report, SCHEMA};
use crate::failover::measure::verdict::Verdict;
use serde_json::Value;

/// No figure of a test is larger: 2^53, of nanoseconds 104 days. Sums of what is smaller do not overflow.
const MOST: f64 = 9_007_199_254_740_992.0;

/// Why a text is not a report.
#[derive(Debug, thiserror::Error)]
pub enum NotAReport {
    /// It is no JSON, or a field of a report is missing or of another kind.
    #[error("it is not a report: {0}")]
    Shape(#[from] serde_json::Error),
    /// It is another document.
    #[error("its `schema` is not {SCHEMA}")]
    Schema,
    /// A number that no test measures.
    #[error("`{0}` is out of range")]
    Range(String),
    /// Its summary says otherwise than its rounds.
    #[error("its summary contradicts its rounds: {0}")]
    Contradiction(String),
}

impl Report {
    /// Reads a report, also one of an earlier version; what that did not count yet is counted from its rounds.
    ///
    /// # Errors
    /// [`NotAReport`].
    pub fn parse(text: &str) -> Result<Self, NotAReport> {
        // Asked first: another document of mqaws lacks a report's fields, which says less.
        let document: Value = serde_json::from_str(text)?;
        if document["schema"] != SCHEMA {
            return Err(NotAReport::Schema);
        }
        if let Some(place) = out_of_range(&document, "") {
            return Err(NotAReport::Range(place));
        }
        let mut report: Self = serde_json::from_value(document)?;
        if report.summary.faults.is_empty() {
            report.count_by_fault();
        } else if report.summary.faults.iter().all(|fault| fault.modeled.is_empty()) {
            report.model_by_fault();
        }
        report.note_unexpected();
        match contradiction(&report) {
            None => Ok(report),
            Some(words) => Err(NotAReport::Contradiction(words)),
        }
    }
}

/// Where the first number is that is too large.
fn out_of_range(value: &Value, place: &str) -> Option<String> {
    match value {
        Value::Number(number) => {
            let fits = number.as_f64().is_some_and(|number| number.abs() <= MOST);
            (!fits).then(|| place.to_owned())
        }
        Value::Array(all) => {
            let mut found = all.iter().enumerate();
            found.find_map(|(index, one)| out_of_range(one, &format!("{place}[{index}]")))
        }
        Value::Object(all) => all.iter().find_map(|(key, one)| {
            let dot = if place.is_empty() { "" } else { "." };
            out_of_range(one, &format!("{place}{dot}{key}"))
        }),
        _ => None,
    }
}

/// What a file that somebody changed, or put together, claims against its own rounds.
fn contradiction(report: &Report) -> Option<String> {
    let (summary, runs) = (&report.summary, &report.runs);
    let count = runs.len() as u64;
    if u64::from(summary.rounds) != count {
        return Some(format!("it counts {} rounds and contains {count}", summary.rounds));
    }
    let mut ids = std::collections::BTreeSet::new();
    // Reports of tests give each round an identity; without one, nothing tells two rounds apart.
    if let Some(twice) = (runs.iter().map(|run| run.run_id.as_str())).find(|id| !id.is_empty() && !ids.insert(*id)) {
        return Some(format!("it contains the round {twice} more than once"));
    }
    let lost: u64 = runs.iter().filter_map(|run| run.ledger.lost).sum();
    if summary.lost != lost {
        return Some(format!(
            "it counts {} lost messages, and its rounds {lost}",
            summary.lost
        ));
    }
    let passes = report.verdict == Verdict::Pass;
    (passes && (runs.is_empty() || runs.iter().any(|run| run.verdict != Verdict::Pass)))
        .then(|| "its verdict is pass, and not all of at least one round passed".to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    #[test]
    fn a_report_reads_back_and_an_older_one_is_counted() {
        let report = samples::report(&[Some(1), None]);
        let mut json = serde_json::to_value(&report).unwrap();
        assert_eq!(Report::parse(&json.to_string()).unwrap(), report);
        json["summary"].as_object_mut().unwrap().remove("faults");
        assert_eq!(
            Report::parse(&json.to_string()).unwrap().summary.faults,
            report.summary.faults
        );
        for (text, said) in [
            ("{", "not a report"),
            ("{}", "schema"),
            (r#"{"schema":"mqaws.heal/1"}"#, "schema"),
        ] {
            assert!(Report::parse(text).unwrap_err().to_string().contains(said), "{text}");
        }
    }

    #[test]
    fn a_report_that_contradicts_itself_is_none() {
        let json = serde_json::to_value(samples::report(&[Some(1), Some(2)])).unwrap();
        let with = |pointer: &str, value: Value| {
            let mut json = json.clone();
            *json.pointer_mut(pointer).unwrap() = value;
            Report::parse(&json.to_string()).unwrap_err().to_string()
        };
        assert!(with("/summary/rounds", 50.into()).contains("counts 50 rounds and contains 2"));
        assert!(with("/runs/0/ledger/lost", 5.into()).contains("counts 0 lost messages, and its rounds 5"));
        assert!(with("/runs/1/rto/ns", u64::MAX.into()).contains("`runs[1].rto.ns` is out of range"));
        assert!(with("/runs/0/verdict", "fail".into()).contains("pass"));
        let mut copied = json.clone();
        for at in 0..2 {
            copied["runs"][at]["run_id"] = "0011223344556677".into();
        }
        let error = Report::parse(&copied.to_string()).unwrap_err().to_string();
        assert!(error.contains("round 0011223344556677 more than once"), "{error}");
        assert!(with("/runs", Value::Array(Vec::new())).contains("contains 0"));
        let mut nothing = serde_json::to_value(samples::empty()).unwrap();
        nothing["verdict"] = "pass".into();
        let error = Report::parse(&nothing.to_string()).unwrap_err();
        assert!(matches!(error, NotAReport::Contradiction(_)), "{error}");
    }
}
