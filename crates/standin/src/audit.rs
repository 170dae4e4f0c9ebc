//! Reads the data of a queue manager and says who wrote it, for the promise of at most one writer.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    path::Path,
};

use serde::{Deserialize, Serialize};

use super::{
    log,
    record::{self, Next},
};

/// Who wrote the log, in the order of the file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Audit {
    /// Runs of records with one epoch, in order; segments that were deleted are summed up.
    pub runs: Vec<EpochRun>,
    /// True when an epoch comes back after a later one has written: two writers.
    pub interleaved: bool,
    /// Bytes at the end that are no whole record.
    pub torn: u64,
}

/// Records in a row with one epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct EpochRun {
    /// The epoch.
    pub epoch: u64,
    /// Number of records.
    pub records: u64,
}

/// One line of `epochs.log`: what a deleted segment held.
#[derive(Debug, Serialize, Deserialize)]
struct Summary {
    segment: String,
    runs: Vec<EpochRun>,
}

const SUMMARIES: &str = "epochs.log";

/// Audits the data of a queue manager; `data_path` is its own directory, which holds `qm.ini`.
///
/// # Errors
/// When the files cannot be read, or a line that sums up deleted records is damaged.
pub fn audit(data_path: &Path) -> io::Result<Audit> {
    audit_log(&data_path.join("log"))
}

pub(super) fn audit_log(directory: &Path) -> io::Result<Audit> {
    let mut audit = Audit::default();
    match fs::read_to_string(directory.join(SUMMARIES)) {
        Ok(text) => {
            for line in text.lines() {
                let summary: Summary = serde_json::from_str(line).map_err(io::Error::other)?;
                summary.runs.into_iter().for_each(|run| push(&mut audit.runs, run));
            }
        }
        Err(e) if e.kind() == io::ErrorKind::NotFound => {}
        Err(e) => return Err(e),
    }
    for (_, path) in log::segments(directory)? {
        let (runs, torn) = scan(&path)?;
        audit.torn += torn;
        runs.into_iter().for_each(|run| push(&mut audit.runs, run));
    }
    let mut highest = 0;
    for run in &audit.runs {
        audit.interleaved |= run.epoch < highest;
        highest = highest.max(run.epoch);
    }
    Ok(audit)
}

/// Writes down what a segment holds, before it is deleted.
pub(super) fn summarise(directory: &Path, segment: &Path) -> io::Result<()> {
    let (runs, _) = scan(segment)?;
    let segment = segment.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut line = serde_json::to_vec(&Summary { segment, runs }).map_err(io::Error::other)?;
    line.push(b'\n');
    let mut file = OpenOptions::new()
        .append(true)
        .create(true)
        .open(directory.join(SUMMARIES))?;
    file.write_all(&line)?;
    file.sync_data()
}

fn scan(path: &Path) -> io::Result<(Vec<EpochRun>, u64)> {
    let bytes = fs::read(path)?;
    let mut runs = Vec::new();
    let mut at = 0;
    while let Next::Record(record, length) = record::next(&bytes[at..]) {
        at += length;
        push(
            &mut runs,
            EpochRun {
                epoch: record.epoch,
                records: 1,
            },
        );
    }
    Ok((runs, (bytes.len() - at) as u64))
}

fn push(runs: &mut Vec<EpochRun>, run: EpochRun) {
    match runs.last_mut() {
        Some(last) if last.epoch == run.epoch => last.records += run.records,
        _ => runs.push(run),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::standin::log::Log;

    fn write(log: &mut Log) {
        let mut buffer = Vec::new();
        let sequence = log.next_sequence();
        log.put(sequence, "Q", b"body", &mut buffer);
        log.write(&buffer, true).unwrap();
    }

    #[test]
    fn owners_one_after_another_are_in_order() {
        let data = tempfile::tempdir().unwrap();
        let directory = data.path().join("log");
        for epoch in [1, 2, 5] {
            let (mut log, _) = Log::open(&directory, epoch).unwrap();
            write(&mut log);
        }
        let audit = audit(data.path()).unwrap();
        let runs = [1, 2, 5].map(|epoch| EpochRun { epoch, records: 2 });
        assert_eq!(
            audit,
            Audit {
                runs: runs.to_vec(),
                interleaved: false,
                torn: 0
            }
        );
    }

    #[test]
    fn an_owner_that_writes_after_its_successor_is_seen() {
        let data = tempfile::tempdir().unwrap();
        let directory = data.path().join("log");
        let (mut old, _) = Log::open(&directory, 1).unwrap();
        write(&mut old);
        let (mut new, _) = Log::open(&directory, 2).unwrap();
        write(&mut new);
        assert!(!audit(data.path()).unwrap().interleaved);
        write(&mut old);
        assert!(audit(data.path()).unwrap().interleaved);
    }
}
