//! Keeps the report of a test, whatever happened to the folder it was to go into: a measurement is not made again by asking for it.

use super::words::row;
use super::{CliError, Context};
use crate::failover::Report;
use crate::remedy::ExitKind;
use std::fs::{self, DirBuilder, File};
use std::io::{self, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

/// Written and removed again to see whether a folder takes a report; about as long as one.
static TRIAL: [u8; 64 << 10] = [0; 64 << 10];

/// Where a report went.
#[derive(Debug)]
pub(super) struct Kept {
    /// The file; absent when it went to standard error.
    pub path: Option<PathBuf>,
    /// Whether it is in the folder that was asked for.
    in_place: bool,
}

/// Makes the folder of the reports and writes into it: found out now, not after an hour of rounds.
pub(super) fn prepare_folder(out: &Path) -> Result<(), CliError> {
    let unwritable = |source| CliError::File {
        action: "write a report into",
        path: out.to_owned(),
        source,
    };
    // A name of its own, and never a file that is there.
    let probe = out.join(format!(".mqaws-write-{}", std::process::id()));
    let mut file = fs::create_dir_all(out)
        .and_then(|()| File::create_new(&probe))
        .map_err(unwritable)?;
    let written = file.write_all(&TRIAL);
    written.and(fs::remove_file(&probe)).map_err(unwritable)
}

/// Writes a report into `out`; where that fails, into a new folder among the temporary files; where that fails too, to standard error.
///
/// What went elsewhere is said on standard error.
pub(super) fn keep(context: &Context, report: &Report, out: &Path) -> Kept {
    let output = context.output();
    let cause = match report.write(out) {
        Ok(path) => {
            return Kept {
                path: Some(path),
                in_place: true,
            };
        }
        Err(cause) => cause,
    };
    output.note(format!(
        "warning: cannot write a report into `{}`: {cause}",
        out.display()
    ));
    let elsewhere = temporary_folder().and_then(|folder| {
        let written = report.write(&folder);
        if written.is_err() {
            let _ = fs::remove_dir(&folder);
        }
        written
    });
    match elsewhere {
        Ok(path) => {
            output.note(row("report", format!("{}, instead", path.display())));
            Kept {
                path: Some(path),
                in_place: false,
            }
        }
        Err(cause) => {
            let place = std::env::temp_dir();
            output.note(format!("warning: nor into `{}`: {cause}", place.display()));
            output.note(row("report", "here, and there is no ledger.bin to count again:"));
            output.note(serde_json::to_string_pretty(report).unwrap_or_else(|error| format!("error: {error}")));
            Kept {
                path: None,
                in_place: false,
            }
        }
    }
}

impl Kept {
    /// Where the report is, for people.
    pub(super) fn place(&self) -> String {
        match &self.path {
            Some(path) => path.display().to_string(),
            None => "on standard error".into(),
        }
    }

    /// The exit code of a test with this verdict: one that passed is not done before its report is where it was wanted; any other
    /// verdict says more than that.
    pub(super) fn exit(&self, verdict: ExitKind) -> ExitKind {
        match verdict {
            ExitKind::Success if !self.in_place => ExitKind::Precondition,
            verdict => verdict,
        }
    }
}

fn temporary_folder() -> io::Result<PathBuf> {
    let name = format!("mqaws-report-{:08x}", rand::random::<u32>());
    let folder = std::env::temp_dir().join(name);
    // A report names instances and queue managers; the place is everybody's.
    DirBuilder::new().mode(0o700).create(&folder)?;
    Ok(folder)
}
