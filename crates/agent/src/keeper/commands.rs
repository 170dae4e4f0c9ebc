//! Commands of the engine that write, run by the keeper: what they leave behind is born in the keeper's unit.
//!
//! On a real host the init system kills what is left in a unit when its main process ends. A queue manager that was started
//! by the agent would die with the agent; one that is started here dies with the keeper, whose lock guards it, and outlives
//! the agent. And the keeper runs nothing without a lock and a claim: that is what keeps an engine behind the fence whatever
//! the agent believes.

use super::client::Keeper;
use super::order::Order;
use super::protocol::Reply;
use super::shared::{Shared, locked};
use mqaws_engine::{Command, Output, Product, RunError, Runner};

impl Shared {
    /// Runs a command on the calling connection's thread, while the lock is held and the data claimed.
    pub(super) fn run_command(&self, order: Order) -> Reply {
        // A release waits for nothing: it fails while a command runs, and no command begins once it has begun.
        let open = self.gate.read().unwrap_or_else(|e| e.into_inner());
        let fenced = {
            let status = locked(&self.status);
            status.held && status.claimed.is_some()
        };
        if !*open || !fenced {
            return Reply::failed("the data is not claimed under the lock, so commands that write to it are not run");
        }
        if !self.proved_lately() {
            return Reply::failed(
                "the lock cannot be verified at the moment, so commands that write to the data are not run",
            );
        }
        let command = Command::from(order);
        tracing::info!(%command, "run in the keeper's unit");
        Reply {
            ran: Some(mqaws_engine::runner::run(&command).into()),
            ..Reply::done()
        }
    }
}

/// Runs the engine's commands that write through the keeper, and all others as children of the agent.
#[derive(Debug, Clone)]
pub(crate) struct FencedRunner(pub Keeper, pub &'static dyn Product);

impl Runner for FencedRunner {
    fn run(&self, command: &Command) -> Result<Output, RunError> {
        if self.1.writes(command) {
            self.0.run(command)
        } else {
            mqaws_engine::runner::run(command)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::keeper::protocol::KeeperConfig;
    use crate::agent::keeper::{self, KeeperPorts};
    use crate::agent::ports::{HostReset, Init, LockPlace};
    use crate::fence::{LeaseTimes, NfsLock, Proof, ProofKind};
    use mqaws_engine::processes::Processes;
    use std::path::Path;
    use std::sync::Arc;
    use std::sync::atomic::AtomicBool;
    use std::time::{Duration, Instant};

    struct NoReset;

    impl HostReset for NoReset {
        fn reset(&self, why: &str) {
            panic!("a reset: {why}");
        }
    }

    impl Init for NoReset {
        fn alive(&self, _state: &str) {}
    }

    /// A keeper as a thread, with the lock on a local directory.
    fn keeper(dir: &Path) -> Keeper {
        let lease = Duration::from_secs(60);
        let config = KeeperConfig {
            socket: dir.join("keeper.sock"),
            mount: dir.join("mnt"),
            queue_manager: "QM1".into(),
            engine: mqaws_contract::EngineKind::default(),
            file_system: "fs-1".into(),
            instance: "i-1".parse().expect("an id"),
            boot: "boot".parse().expect("an id"),
            lock: LockPlace::Nfs { lease_ms: 60_000 },
            owner: None,
        };
        let ports = KeeperPorts {
            lock: Box::new(NfsLock::new(&config.mount, "QM1", "i-1", "token", lease)),
            reset: Arc::new(NoReset),
            init: Arc::new(NoReset),
            engine: Processes::new(
                &mqaws_engine::ibm_mq::IbmMq,
                "QMNONE",
                Some(("MQAWS_TEST_MARK", "nobody")),
            ),
            times: LeaseTimes::default(),
            terminate: Arc::new(AtomicBool::new(false)),
        };
        let keeper = Keeper::new(&config.socket);
        std::thread::spawn(move || keeper::run(config, "token".into(), ports).expect("keeper"));
        let deadline = Instant::now() + Duration::from_secs(30);
        while !keeper.status().is_ok_and(|s| s.held) {
            assert!(Instant::now() < deadline, "the lock is never held");
            std::thread::sleep(Duration::from_millis(5));
        }
        keeper
    }

    #[test]
    fn nothing_that_writes_runs_without_a_claim_and_what_runs_is_a_child_of_the_keeper() {
        let dir = tempfile::tempdir().expect("tempdir");
        let keeper = keeper(dir.path());
        // A writer by its name; the keeper of this test is a thread, so its children are this process's.
        let writer = dir.path().join("strmqm");
        std::os::unix::fs::symlink("/bin/sh", &writer).expect("link");
        let runner = FencedRunner(keeper.clone(), &mqaws_engine::ibm_mq::IbmMq);
        let start = Command::new(&writer).args(["-c", "echo parent $PPID; echo $MQAWS_EPOCH; exit 7"]);
        let start = start.env("MQAWS_EPOCH", "1");

        let refused = runner.run(&start).expect_err("not claimed");
        let why = std::error::Error::source(&refused).expect("why").to_string();
        assert!(why.contains("not claimed under the lock"), "{why}");

        keeper.inspect().expect("inspect");
        let proof = Proof {
            kind: ProofKind::New,
            previous: None,
        };
        keeper.claim(proof).expect("claim");
        let output = runner.run(&start).expect("fenced");
        assert_eq!(
            (output.code, output.text),
            (7, format!("parent {}\n1\n", std::process::id()))
        );

        // Others need no fence, and no keeper.
        keeper.release(false).expect("release");
        assert!(runner.run(&start).is_err(), "released");
        assert_eq!(
            runner
                .run(&Command::new("/bin/sh").args(["-c", "exit 5"]))
                .expect("not fenced")
                .code,
            5
        );
    }

    #[test]
    fn the_lock_is_not_released_under_a_command_that_runs() {
        let dir = tempfile::tempdir().expect("tempdir");
        let keeper = keeper(dir.path());
        keeper.inspect().expect("inspect");
        let proof = Proof {
            kind: ProofKind::New,
            previous: None,
        };
        keeper.claim(proof).expect("claim");
        let (begun, go) = (dir.path().join("begun"), dir.path().join("go"));
        let script = format!(
            "touch {}; while [ ! -e {} ]; do sleep 0.01; done",
            begun.display(),
            go.display()
        );
        let slow = Command::new("/bin/sh")
            .args(["-c", &script])
            .deadline(Duration::from_secs(60));
        let runs = keeper.clone();
        let command = std::thread::spawn(move || runs.run(&slow));
        while !begun.exists() {
            std::thread::sleep(Duration::from_millis(2));
        }
        let why = keeper.release(false).expect_err("a command runs");
        assert!(why.contains("a command of the engine runs"), "{why}");
        std::fs::write(go, "").expect("go");
        assert_eq!(command.join().expect("thread").expect("ran").code, 0);
        keeper.release(false).expect("nothing runs any more");
    }
}
