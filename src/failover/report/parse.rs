//! A report read again.

use super::document::{Report, SCHEMA};
use serde_json::Value;

/// Why a text is not a report.
#[derive(Debug, thiserror::Error)]
pub enum NotAReport {
    /// It is no JSON, or a field of a report is missing or of another kind.
    #[error("it is not a report: {0}")]
    Shape(#[from] serde_json::Error),
    /// It is another document.
    #[error("its `schema` is not {SCHEMA}")]
    Schema,
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
        let mut report: Self = serde_json::from_value(document)?;
        if report.summary.faults.is_empty() {
            report.count_by_fault();
        }
        Ok(report)
    }
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
}
