//! Puts into `qm.ini` what EFS asks for: a program of its own, since the file lies on the shared file system.
//!
//! The agent does not look at that file system, where a stalled server hangs whoever looks. It runs this as one of the
//! engine's commands: as the engine's user, with a deadline, behind the fence, and killed with everything that writes.

use super::tuning::tuned;
use crate::Command;
use mqaws_files::AtomicWrite;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The hidden first argument.
pub(super) const VERB: &str = "__tune";
/// Longest run.
const DEADLINE: Duration = Duration::from_secs(20);

/// The command line that tunes a queue manager's `qm.ini`; `own` is this program and the arguments that lead to its verbs.
pub(super) fn command(own: &[OsString], queue_manager: &str, path: &Path) -> Command {
    let (program, lead) = own
        .split_first()
        .map_or((PathBuf::new(), &[][..]), |(p, l)| (p.into(), l));
    // The name tells whom the process belongs to.
    Command::new(program)
        .args(lead)
        .arg(VERB)
        .arg(queue_manager)
        .arg(path)
        .deadline(DEADLINE)
}

/// Whether a command line is one of these.
pub(super) fn is_tuning(command: &Command) -> bool {
    command.args.iter().take(2).any(|arg| arg == VERB)
}

/// Changes the file when it must; says whether it did.
///
/// # Errors
/// In words.
pub(super) fn tune(path: &Path) -> Result<bool, String> {
    let failed = |what: &str, error: io::Error| format!("cannot {what} {}: {error}", path.display());
    let text = fs::read_to_string(path).map_err(|e| failed("read", e))?;
    let Some(text) = tuned(&text) else { return Ok(false) };
    let mode = fs::metadata(path).map_err(|e| failed("read", e))?.permissions().mode();
    let replacement = AtomicWrite::to(path).mode(mode & 0o777).durable();
    let written = replacement.write(text.as_bytes());
    written.map(|()| true).map_err(|e| failed("write", e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_replaced_whole_once() {
        let dir = tempfile::tempdir().expect("tempdir");
        let path = dir.path().join("qm.ini");
        fs::write(&path, "Log:\n   LogType=CIRCULAR\n").expect("qm.ini");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("mode");
        assert_eq!(tune(&path), Ok(true));
        assert_eq!(tune(&path), Ok(false));
        assert!(
            fs::read_to_string(&path)
                .expect("text")
                .contains("FileLockHeartBeatLen=15")
        );
        assert_eq!(fs::metadata(&path).expect("file").permissions().mode() & 0o777, 0o640);
        assert_eq!(
            fs::read_dir(dir.path()).expect("dir").count(),
            1,
            "nothing is left beside it"
        );
        assert!(
            tune(&dir.path().join("none"))
                .expect_err("no file")
                .contains("cannot read ")
        );
    }

    #[test]
    fn its_command_line_is_known_as_a_writers() {
        for own in [
            vec!["/usr/bin/mqaws-agent".into()],
            vec!["/usr/bin/mqaws".into(), "__agent".into()],
        ] {
            let command = command(&own, "QM1", Path::new("/mnt/qm.ini"));
            assert!(is_tuning(&command), "{command}");
        }
        assert!(!is_tuning(&Command::new("/opt/mqm/bin/runmqsc").arg("QM1")));
    }
}
