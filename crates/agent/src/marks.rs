//! Phase marks: one JSON a line, appended by the agent and by its commands.

use crate::model::agent::Mark;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// The file is begun anew over this size; one predecessor is kept.
const LARGEST: u64 = 4 << 20;

/// Wall clock in nanoseconds since 1970.
pub(crate) fn unix_nanos() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}

/// The marks of one host.
#[derive(Debug, Clone)]
pub(crate) struct Marks {
    path: PathBuf,
}

impl Marks {
    /// The marks in this file.
    pub(crate) fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Appends a mark as one write, so that lines of several processes never mix.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(crate) fn append(&self, mark: &Mark) -> io::Result<()> {
        if let Some(dir) = self.path.parent() {
            fs::create_dir_all(dir)?;
        }
        if fs::metadata(&self.path).is_ok_and(|m| m.len() > LARGEST) {
            fs::rename(&self.path, self.older())?;
        }
        let mut line = serde_json::to_vec(mark)?;
        line.push(b'\n');
        let mut file = OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o644)
            .open(&self.path)?;
        file.write_all(&line)
    }

    /// Marks at or after a point in time, oldest first; lines that are no marks are left out.
    ///
    /// # Errors
    /// When a file that exists cannot be read.
    pub(crate) fn since(&self, t_unix_ns: i64) -> io::Result<Vec<Mark>> {
        let mut marks = read(&self.older())?;
        marks.extend(read(&self.path)?);
        marks.retain(|m| m.t_unix_ns >= t_unix_ns);
        Ok(marks)
    }

    fn older(&self) -> PathBuf {
        self.path.with_extension("jsonl.1")
    }
}

fn read(path: &Path) -> io::Result<Vec<Mark>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let lines = BufReader::new(file).split(b'\n');
    Ok(lines
        .map_while(Result::ok)
        .filter_map(|l| serde_json::from_slice(&l).ok())
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_come_back_in_order_from_a_point_in_time_also_over_a_torn_line() {
        let dir = tempfile::tempdir().expect("tempdir");
        let marks = Marks::new(dir.path().join("var/lib/mqaws/marks.jsonl"));
        assert!(marks.since(0).expect("none").is_empty());
        for t in [10, 20, 30] {
            let mark = Mark {
                t_unix_ns: t,
                instance: "i-1".into(),
                epoch: 1,
                mark: "serving".into(),
                detail: String::new(),
                waits: Vec::new(),
            };
            marks.append(&mark).expect("append");
            if t == 20 {
                let mut file = OpenOptions::new().append(true).open(&marks.path).expect("open");
                file.write_all(b"{\"t_unix_ns\":\n").expect("torn");
            }
        }
        let times: Vec<i64> = marks.since(20).expect("read").iter().map(|m| m.t_unix_ns).collect();
        assert_eq!(times, [20, 30]);
    }
}
