//! Reads reports, and keeps that of a test, whatever happened to the folder it was to go into: a measurement is not made again by asking for it.

use super::suggestions::quoted;
use super::words::row;
use super::written::{self, make_folder};
use super::{CliError, Context};
use crate::failover::Report;
use crate::failover::archive::is_ledger;
use crate::failover::report::{FIRST, Unwritten};
use mqaws_files::read_text;
use std::fs::{self, DirBuilder, File};
use std::io::{self, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

/// Written and removed again to see whether a folder takes a report; about as long as one.
static TRIAL: [u8; 64 << 10] = [0; 64 << 10];

/// Most bytes of a report: some thousand rounds.
const LARGEST: u64 = 256 << 20;

/// Reads a report.
///
/// # Errors
/// A file that cannot be read, or is no report.
pub(super) fn read(path: &Path) -> Result<Report, CliError> {
    if is_ledger(path) {
        return Err(CliError::Precondition {
            message: format!(
                "cannot read `{}`: it is a ledger of messages, not a report",
                path.display()
            ),
            hint: Some(format!(
                "specify the report.json beside it; to recount the ledger, run `mqaws failover-test verify {}`",
                quoted(&path.to_string_lossy())
            )),
        });
    }
    let text = read_text(path, LARGEST).map_err(|source| CliError::Text {
        path: path.to_owned(),
        source,
    })?;
    Report::parse(&text).map_err(|error| CliError::Precondition {
        message: format!("cannot read `{}`: {error}", path.display()),
        hint: Some("specify a report.json that a failover test wrote".into()),
    })
}

/// Makes the folder of the reports, in one that exists, and writes into it: found out now, not after an hour of rounds.
///
/// Returns the folder if it was made for this.
pub(super) fn prepare_folder(out: &Path) -> Result<Vec<PathBuf>, CliError> {
    written::require_folder_of(out)?;
    let unwritable = |source| CliError::File {
        action: "write a report to",
        path: out.to_owned(),
        source,
    };
    // A name of its own, and never a file that is there.
    let probe = out.join(format!(".mqaws-write-{}", std::process::id()));
    let mut folders = Vec::new();
    let written = make_folder(&probe, &mut folders)
        .and_then(|()| File::create_new(&probe))
        .and_then(|mut file| {
            let written = file.write_all(&TRIAL);
            written.and(fs::remove_file(&probe))
        });
    match written {
        Ok(()) => Ok(folders),
        Err(source) => {
            remove_empty(&folders);
            Err(unwritable(source))
        }
    }
}

/// Removes those of the folders that nothing was written into, the outermost last.
pub(super) fn remove_empty(folders: &[PathBuf]) {
    for folder in folders.iter().rev() {
        let _ = fs::remove_dir(folder);
    }
}

/// Writes a report into `out`; where that fails, into a new folder among the temporary files; where that fails too, to standard error.
/// Returns the file, if it is in one.
///
/// A report that went elsewhere says so itself ([`Report::not_written`]), and so does standard error.
pub(super) fn keep(context: &Context, report: &mut Report, out: &Path) -> Option<PathBuf> {
    let output = context.output();
    let cause = match report.write(out) {
        Ok(path) => return Some(path),
        Err(cause) => cause,
    };
    let folder = out.display().to_string();
    output.note(format!("warning: cannot write the report to `{folder}`: {cause}"));
    let mut unwritten = Unwritten {
        folder,
        cause: cause.to_string(),
        kept: None,
    };
    let elsewhere = temporary_folder().and_then(|folder| {
        // The folder is new, so that its first report gets this name.
        unwritten.kept = Some(folder.join(FIRST).display().to_string());
        report.not_written(unwritten.clone());
        let written = report.write(&folder);
        if written.is_err() {
            let _ = fs::remove_dir(&folder);
        }
        written
    });
    match elsewhere {
        Ok(path) => {
            output.note(row("report", format!("{}, instead", path.display())));
            Some(path)
        }
        Err(cause) => {
            unwritten.kept = None;
            report.not_written(unwritten);
            let place = std::env::temp_dir();
            output.note(format!(
                "warning: cannot write the report to `{}` either: {cause}",
                place.display()
            ));
            output.note(row("report", "below; no ledger.bin was written for a recount:"));
            output.note(serde_json::to_string_pretty(report).unwrap_or_else(|error| format!("error: {error}")));
            None
        }
    }
}

/// Where a report is, for people.
pub(super) fn place(kept: Option<&Path>) -> String {
    kept.map_or_else(|| "on standard error".into(), |path| path.display().to_string())
}

fn temporary_folder() -> io::Result<PathBuf> {
    let name = format!("mqaws-report-{:08x}", rand::random::<u32>());
    let folder = std::env::temp_dir().join(name);
    // A report names instances and queue managers; the place is everybody's.
    DirBuilder::new().mode(0o700).create(&folder)?;
    Ok(folder)
}
