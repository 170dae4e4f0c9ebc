//! The end of a report: rounds added up, the verdict, the file, the schema.

use super::archive;
use super::document::{Broken, FIRST, Report, RtoSummary, Run, Summary, Unwritten};
use crate::failover::measure::account::Counts;
use crate::failover::measure::verdict::{Verdict, verdict_of};
use crate::remedy::ExitKind;
use mqaws_files::AtomicWrite;
use std::path::{Path, PathBuf};

impl Report {
    /// Adds up the rounds and sets the verdict.
    pub fn conclude(&mut self) {
        self.summary = summarize(&self.runs);
        self.count_by_fault();
        let rounds = self.runs.iter().map(|run| run.exit_code);
        let over_rounds = self.summary.faults.iter().flat_map(|entry| &entry.thresholds);
        let exit = rounds
            .chain(over_rounds.map(|check| check.exit_code))
            .map(exit_kind)
            .fold(ExitKind::Success, ExitKind::worse);
        let exit = if self.runs.is_empty() {
            ExitKind::Inconclusive
        } else {
            exit
        };
        self.verdict = verdict_of(exit);
        self.exit_code = exit as u8;
    }

    /// Says in the report itself that the test ended before its end, with the exit code of that: rounds that passed prove nothing of those
    /// that were not done. One that failed stays failed.
    pub fn break_off(&mut self, broken: Broken, exit: ExitKind) {
        if self.verdict == Verdict::Pass {
            self.verdict = Verdict::Inconclusive;
        }
        self.exit_code = exit as u8;
        self.broken_off = Some(broken);
    }

    /// Says in the report itself that it is not where it was wanted. The verdict stays what was measured, and so does the exit code of any
    /// but a pass: who passed is not done without the report.
    pub fn not_written(&mut self, unwritten: Unwritten) {
        if self.exit() == ExitKind::Success {
            self.exit_code = ExitKind::Precondition as u8;
        }
        self.unwritten = Some(unwritten);
    }

    /// The exit code of the whole, and of the process that made it.
    #[must_use]
    pub fn exit(&self) -> ExitKind {
        exit_kind(self.exit_code)
    }

    /// Writes `report.json` and `ledger.bin` into `dir`, or `report-2.json` and `ledger-2.bin` and so on when there are such; returns
    /// where the report is. Without ledgers there is no second file.
    ///
    /// # Errors
    /// When one of them cannot be written whole; then neither is left there.
    pub fn write(&self, dir: &Path) -> std::io::Result<PathBuf> {
        let text = serde_json::to_string_pretty(self).map_err(std::io::Error::other)? + "\n";
        for number in 1..10_000 {
            let (report, ledger) = match number {
                1 => (FIRST.to_owned(), "ledger.bin".to_owned()),
                _ => (format!("report-{number}.json"), format!("ledger-{number}.bin")),
            };
            let (path, ledger) = (dir.join(report), dir.join(ledger));
            // Both bear one number, so that it is plain which belong together.
            if ledger.exists() {
                continue;
            }
            if path.exists() {
                continue;
            }
            let book = match self.ledgers.is_empty() {
                true => None,
                false => Some(archive::begin(&ledger, &self.ledgers)?),
            };
            match AtomicWrite::to(&path).fresh().durable().write(text.as_bytes()) {
                Ok(()) => {}
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => continue,
                Err(error) => return Err(error),
            }
            if let Some(error) = book.and_then(|book| book.commit().err()) {
                // A report without its ledger would be taken for a whole one.
                let _ = std::fs::remove_file(&path);
                return Err(error);
            }
            return Ok(path);
        }
        Err(std::io::Error::other("9999 reports already exist"))
    }
}

/// The JSON Schema of a report, as checked in.
#[must_use]
pub fn schema() -> String {
    let schema = schemars::schema_for!(Report);
    let mut text = serde_json::to_string_pretty(&schema).unwrap_or_default();
    text.push('\n');
    text
}

fn exit_kind(code: u8) -> ExitKind {
    ExitKind::of(code).unwrap_or(ExitKind::Internal)
}

fn summarize(runs: &[Run]) -> Summary {
    let mut summary = Summary {
        rounds: runs.len() as u32,
        ..Summary::default()
    };
    for run in runs {
        match run.verdict {
            Verdict::Pass => summary.passed += 1,
            Verdict::Fail => summary.failed += 1,
            Verdict::Inconclusive => summary.inconclusive += 1,
        }
        let lost = run.ledger.lost.unwrap_or(0);
        summary.lost += lost;
        summary.losing_rounds += u32::from(lost > 0);
        summary.messages.add(&run.ledger.persistent);
        if let Some(rto) = &run.rto {
            match summary.rto.iter_mut().find(|entry| entry.fault == run.fault.name) {
                Some(entry) => entry.outages_ns.push(rto.ns),
                None => summary.rto.push(RtoSummary {
                    fault: run.fault.name,
                    outages_ns: vec![rto.ns],
                    min_median_max_ns: (0, 0, 0),
                }),
            }
        }
    }
    for entry in &mut summary.rto {
        let mut sorted = entry.outages_ns.clone();
        sorted.sort_unstable();
        entry.min_median_max_ns = (sorted[0], sorted[(sorted.len() - 1) / 2], sorted[sorted.len() - 1]);
    }
    // Only rounds with a complete drain can say that nothing was lost.
    let proved = runs
        .iter()
        .filter(|run| run.ledger.lost == Some(0) && run.verdict != Verdict::Inconclusive)
        .count();
    summary.loss_chance_below = (proved > 0 && summary.losing_rounds == 0).then(|| loss_chance_bound(proved));
    summary
}

/// With `rounds` rounds and no loss, the chance of a losing round is below this, with 95 % confidence.
#[must_use]
pub fn loss_chance_bound(rounds: usize) -> f64 {
    1.0 - 0.05_f64.powf(1.0 / rounds as f64)
}

impl Counts {
    fn add(&mut self, other: &Self) {
        self.slots += other.slots;
        self.not_sent += other.not_sent;
        self.acked += other.acked;
        self.failed += other.failed;
        self.unknown += other.unknown;
        self.received += other.received;
        self.missing += other.missing;
        self.recovered += other.recovered;
        self.vanished += other.vanished;
        self.duplicated_acked += other.duplicated_acked;
        self.duplicated_unknown += other.duplicated_unknown;
        self.resurrected += other.resurrected;
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::empty;
    use super::*;

    /// `MQAWS_UPDATE=1` writes the file anew.
    #[test]
    fn the_schema_is_the_one_checked_in() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema/report.schema.json");
        if std::env::var_os("MQAWS_UPDATE").is_some() {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, schema()).unwrap();
        }
        let there = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            there == schema(),
            "{} differs from the types: MQAWS_UPDATE=1 cargo test schema",
            path.display()
        );
        assert!(there.contains("mqaws.failover") || there.contains("\"schema\""));
    }

    #[test]
    fn bounds_of_the_chance_of_loss() {
        for (rounds, below) in [(1, 0.95), (10, 0.26), (59, 0.05)] {
            let bound = loss_chance_bound(rounds);
            assert!(bound <= below && bound > below * 0.9, "{rounds}: {bound}");
        }
    }

    #[test]
    fn reports_never_overwrite() {
        let dir = tempfile::tempdir().unwrap();
        let report = empty();
        let names: Vec<String> = (0..3)
            .map(|_| {
                report
                    .write(dir.path())
                    .unwrap()
                    .file_name()
                    .unwrap()
                    .to_string_lossy()
                    .into_owned()
            })
            .collect();
        assert_eq!(names, ["report.json", "report-2.json", "report-3.json"]);
        assert!(report.write(&dir.path().join("not-there")).is_err());
    }

    #[test]
    fn a_test_that_was_broken_off_passes_in_no_word() {
        for (before, after) in [(Verdict::Pass, Verdict::Inconclusive), (Verdict::Fail, Verdict::Fail)] {
            let mut report = empty();
            report.verdict = before;
            let broken = Broken {
                rounds: 3,
                cause: "interrupted".into(),
            };
            report.break_off(broken, ExitKind::Interrupted);
            let json = serde_json::to_value(&report).unwrap();
            assert_eq!((report.verdict, report.exit()), (after, ExitKind::Interrupted));
            assert_eq!(
                (&json["exit_code"], &json["broken_off"]["rounds"]),
                (&130.into(), &3.into())
            );
            assert!(
                super::super::text::summary(&report).contains("interrupted after"),
                "{report:?}"
            );
        }
    }

    #[test]
    fn a_test_without_rounds_is_inconclusive() {
        let mut report = empty();
        report.conclude();
        assert_eq!(
            (report.verdict, report.exit()),
            (Verdict::Inconclusive, ExitKind::Inconclusive)
        );
    }

    /// A program that reads the document and one that reads the exit code learn the same.
    #[test]
    fn a_report_that_is_not_where_it_was_wanted_says_so_itself() {
        let unwritten = Unwritten {
            folder: "out".into(),
            cause: "No space left on device".into(),
            kept: Some("/t/report.json".into()),
        };
        for (verdict, code, expected) in [
            (Verdict::Pass, ExitKind::Success, ExitKind::Precondition),
            (Verdict::Fail, ExitKind::Lost, ExitKind::Lost),
            (Verdict::Inconclusive, ExitKind::Inconclusive, ExitKind::Inconclusive),
        ] {
            let mut report = empty();
            (report.verdict, report.exit_code) = (verdict, code as u8);
            report.not_written(unwritten.clone());
            assert_eq!((report.verdict, report.exit()), (verdict, expected));
            let json = serde_json::to_value(&report).unwrap();
            assert_eq!(json["exit_code"], expected as u8);
            assert_eq!(json["unwritten"]["kept"], "/t/report.json");
            let text = crate::failover::report::text::summary(&report);
            assert!(text.contains("not written to out: No space left on device"), "{text}");
        }
    }
}
