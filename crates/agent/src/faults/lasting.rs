//! A fault that lasts: written down before it is done, and healed by a process of its own, whatever becomes of who asked for it.

use super::cut;
use crate::agent::layout::Layout;
use crate::agent::marks::unix_nanos;
use crate::model::agent::FaultReport;
use mqaws_contract::InstanceFault;
use mqaws_engine::processes::{signal, state};
use mqaws_files::AtomicWrite;
use rustix::process::Signal;
use serde::{Deserialize, Serialize};
use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::Duration;

/// The agent's words for the process that waits.
const HEAL_AFTER: &str = "heal-after";

/// What must be undone on this host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Lasting {
    /// Name of the fault.
    pub(super) fault: String,
    /// When it ends by itself, wall clock in nanoseconds since 1970; tells it from another one as well.
    pub(super) until_unix_ns: i64,
    /// Processes that are stopped.
    pub(super) stopped: Vec<i32>,
    /// Rules of the kernel's routing.
    pub(super) rules: Vec<String>,
}

impl Lasting {
    /// Writes down what is about to be done, and starts who undoes it after `time`.
    ///
    /// # Errors
    /// In words, when another fault lasts, or when nobody would undo this one: then nothing may be done.
    pub(super) fn begin(
        layout: &Layout,
        own: &[OsString],
        fault: InstanceFault,
        time: Duration,
        stopped: Vec<i32>,
        rules: Vec<String>,
    ) -> Result<Self, String> {
        if let Some(other) = read(layout)? {
            return Err(format!(
                "{} still lasts on this host; to end it, run `mqaws-agent fault heal`",
                other.fault
            ));
        }
        let nanos = i64::try_from(time.as_nanos()).unwrap_or(i64::MAX);
        let lasting = Self {
            fault: fault.name().to_owned(),
            until_unix_ns: unix_nanos().saturating_add(nanos),
            stopped,
            rules,
        };
        let path = layout.lasting_fault();
        let text = serde_json::to_vec(&lasting).map_err(|e| e.to_string())?;
        fs::create_dir_all(layout.run())
            .and_then(|()| AtomicWrite::to(&path).write(&text))
            .map_err(|e| format!("cannot write {}: {e}", path.display()))?;
        if let Err(error) = lasting.wait_elsewhere(own, time) {
            let _ = fs::remove_file(&path);
            return Err(format!(
                "cannot start the process that heals {fault}: {error}",
                fault = fault.name()
            ));
        }
        Ok(lasting)
    }

    /// Starts this program once more, out of the reach of whatever ends this one.
    fn wait_elsewhere(&self, own: &[OsString], time: Duration) -> io::Result<()> {
        let [program, first @ ..] = own else {
            return Err(io::Error::other("the name of this program is unknown"));
        };
        Command::new(program)
            .args(first)
            .args([
                HEAL_AFTER,
                &time.as_millis().to_string(),
                &self.until_unix_ns.to_string(),
            ])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .map(drop)
    }

    /// Undoes it; what was done, in words.
    fn undo(&self) -> Result<String, String> {
        for &pid in &self.stopped {
            // Whoever has the number by now is not stopped.
            if state(pid) == Some('T') {
                signal(pid, Signal::CONT);
            }
        }
        if !self.rules.is_empty() {
            cut::remove()?;
        }
        Ok(format!("{} healed", self.fault))
    }
}

fn read(layout: &Layout) -> Result<Option<Lasting>, String> {
    let path = layout.lasting_fault();
    match fs::read(&path) {
        Ok(text) => serde_json::from_slice(&text)
            .map(Some)
            .map_err(|e| format!("cannot read {}: {e}", path.display())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(format!("cannot read {}: {error}", path.display())),
    }
}

fn heal_only(layout: &Layout, wanted: impl FnOnce(&Lasting) -> bool) -> Result<String, String> {
    let Some(lasting) = read(layout)?.filter(wanted) else {
        return Ok("no fault lasts on this host".to_owned());
    };
    let done = lasting.undo()?;
    let path = layout.lasting_fault();
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(format!("cannot remove {}: {error}", path.display()))
        }
        _ => Ok(done),
    }
}

/// Ends the fault that lasts on this host, if there is one.
///
/// # Errors
/// In words; then it may still last.
pub(crate) fn heal(layout: &Layout) -> Result<FaultReport, String> {
    let evidence = heal_only(layout, |_| true)?;
    Ok(FaultReport {
        fault: "heal".to_owned(),
        verified: true,
        evidence,
        t_unix_ns: unix_nanos(),
    })
}

/// Waits, and ends the fault that lasts until then.
///
/// # Errors
/// As [`heal`].
pub(crate) fn heal_after(layout: &Layout, millis: &str, until_unix_ns: &str) -> Result<(), String> {
    let number = |text: &str| text.parse::<u64>().map_err(|e| format!("invalid number `{text}`: {e}"));
    std::thread::sleep(Duration::from_millis(number(millis)?));
    heal_only(layout, |lasting| lasting.until_unix_ns.to_string() == until_unix_ns).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lasts_is_healed_once_and_not_by_the_timer_of_another() {
        let dir = tempfile::tempdir().expect("a directory");
        let layout = Layout::new(dir.path());
        let mut sleeper = Command::new("sleep").arg("60").spawn().expect("sleep");
        let pid = i32::try_from(sleeper.id()).expect("a process id");
        let begin = || {
            let own = ["true".into()];
            Lasting::begin(
                &layout,
                &own,
                InstanceFault::HangHost,
                Duration::from_secs(60),
                vec![pid],
                Vec::new(),
            )
        };
        let lasting = begin().expect("the first");
        signal(pid, Signal::STOP);
        let refused = begin().expect_err("a second");
        assert!(refused.contains("hang-host still lasts"), "{refused}");
        heal_after(&layout, "0", "1").expect("another's timer");
        assert_eq!(read(&layout).expect("readable"), Some(lasting.clone()));
        heal_after(&layout, "0", &lasting.until_unix_ns.to_string()).expect("its own");
        assert_ne!(state(pid), Some('T'));
        let again = heal(&layout).expect("nothing to do");
        assert_eq!(again.evidence, "no fault lasts on this host");
        sleeper.kill().expect("killed");
        sleeper.wait().expect("reaped");
    }

    #[test]
    fn without_who_heals_it_nothing_begins() {
        let dir = tempfile::tempdir().expect("a directory");
        let layout = Layout::new(dir.path());
        let own = ["/nonexistent".into()];
        let time = Duration::from_secs(1);
        let begun = Lasting::begin(
            &layout,
            &own,
            InstanceFault::CutHost,
            time,
            Vec::new(),
            vec!["blackhole".into()],
        );
        assert!(begun.is_err());
        assert_eq!(read(&layout), Ok(None));
    }
}
