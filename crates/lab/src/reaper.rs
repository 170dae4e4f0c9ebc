//! Who waits for whom: the lab's own children are waited for by those who started them, orphans by nobody but the reaper.
//!
//! Daemons of an instance become the lab's children when their parent ends. Unreaped they would look alive to whoever asks
//! by pid, where process 1 does not reap; but a reaper that takes a child of the lab's own takes its exit code with it.

use super::process::{pids, stat};
use parking_lot::{Mutex, MutexGuard};
use rustix::process::Pid;
use std::collections::HashSet;
use std::fs;
use std::io;
use std::ops::{Deref, DerefMut};
use std::time::Duration;
use tokio::process::{Child, Command};

/// Pause between two looks for orphans.
const LOOK: Duration = Duration::from_millis(50);

/// Process ids of children that somebody waits for. Held while one is started, so that the reaper never sees one that is
/// not in it yet.
static OWN: Mutex<Option<HashSet<i32>>> = Mutex::new(None);

fn own() -> MutexGuard<'static, Option<HashSet<i32>>> {
    OWN.lock()
}

/// A child that the reaper leaves alone for as long as this lives.
#[derive(Debug)]
pub struct Own {
    child: Child,
    pid: Option<i32>,
}

/// Starts a process that the caller waits for.
///
/// # Errors
/// As [`Command::spawn`].
pub(crate) fn spawn(command: &mut Command) -> io::Result<Own> {
    let mut own = own();
    let child = command.spawn()?;
    let pid = child.id().and_then(|pid| i32::try_from(pid).ok());
    own.get_or_insert_default().extend(pid);
    Ok(Own { child, pid })
}

impl Deref for Own {
    type Target = Child;

    fn deref(&self) -> &Child {
        &self.child
    }
}

impl DerefMut for Own {
    fn deref_mut(&mut self) -> &mut Child {
        &mut self.child
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        if let (Some(own), Some(pid)) = (own().as_mut(), self.pid) {
            own.remove(&pid);
        }
    }
}

/// Takes over orphans of this process's descendants and reaps them for as long as the process lives.
pub(crate) fn adopt_orphans() {
    if rustix::process::set_child_subreaper(Pid::from_raw(1)).is_err() {
        return;
    }
    let parent = i32::try_from(std::process::id()).unwrap_or(i32::MAX);
    let _ = std::thread::Builder::new().name("reaper".to_owned()).spawn(move || {
        loop {
            std::thread::sleep(LOOK);
            let own = own();
            for pid in dead_orphans(parent, own.as_ref()) {
                let _ = nix::sys::wait::waitpid(
                    nix::unistd::Pid::from_raw(pid),
                    Some(nix::sys::wait::WaitPidFlag::WNOHANG),
                );
            }
        }
    });
}

/// Zombies of a parent that nobody waits for.
fn dead_orphans(parent: i32, own: Option<&HashSet<i32>>) -> Vec<i32> {
    let mut found = children_of(parent);
    found.retain(|pid| {
        !own.is_some_and(|own| own.contains(pid)) && stat(*pid).is_some_and(|s| s.state == 'Z' && s.parent == parent)
    });
    found
}

/// The kernel's own list where it has one; a look at every process otherwise.
fn children_of(parent: i32) -> Vec<i32> {
    let Ok(tasks) = fs::read_dir(format!("/proc/{parent}/task")) else {
        return Vec::new();
    };
    let mut children = Vec::new();
    for task in tasks.flatten() {
        match fs::read_to_string(task.path().join("children")) {
            Ok(text) => children.extend(text.split_whitespace().filter_map(|pid| pid.parse::<i32>().ok())),
            Err(_) => return pids(),
        }
    }
    children
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    fn is_dead(pid: u32) -> bool {
        stat(pid as i32).is_some_and(|s| s.state == 'Z')
    }

    #[tokio::test]
    async fn a_child_of_ones_own_keeps_its_exit_code_however_late_it_is_waited_for() {
        let parent = std::process::id() as i32;
        let mut ours = spawn(Command::new("/bin/sh").args(["-c", "exit 7"])).expect("a shell");
        let mut orphan = std::process::Command::new("/bin/true").spawn().expect("a process");
        let (pid, orphaned) = (ours.id().expect("not waited for"), orphan.id());
        let deadline = Instant::now() + Duration::from_secs(20);
        while !(is_dead(pid) && is_dead(orphaned)) {
            assert!(Instant::now() < deadline, "they never ended");
            std::thread::sleep(Duration::from_millis(2));
        }
        let found = dead_orphans(parent, own().as_ref());
        assert!(
            found.contains(&(orphaned as i32)),
            "whom nobody waits for is found: {found:?}"
        );
        assert!(!found.contains(&(pid as i32)), "{found:?}");
        assert_eq!(ours.wait().await.expect("its own parent waits").code(), Some(7));
        orphan.wait().expect("reaped");
        drop(ours);
        assert!(!own().as_ref().expect("was used").contains(&(pid as i32)));
    }
}
