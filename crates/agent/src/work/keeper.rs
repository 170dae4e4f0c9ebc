//! The lock keeper: found or started, watched, and started again where nobody else would.

use super::{Message, Worker, locked, spawn, text};
use crate::agent::duty::Event;
use crate::agent::keeper::protocol::{KeeperConfig, KeeperStatus, Notice};
use crate::agent::keeper::{KeeperEvent, KeeperOutcome, KeeperState, KeeperWork, Watch, guard_file};
use crate::agent::status::WriteTimes;
use crate::agent::waits;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

/// How long a fresh keeper may take to answer.
const KEEPER_START: Duration = Duration::from_secs(5);

/// What is waited for by a question to the keeper.
pub(super) fn whole_wait(work: &KeeperWork) -> Option<&'static str> {
    match work {
        KeeperWork::Inspect => Some("the owner record, read"),
        // Nobody waits for that: it is what a host does that waits.
        KeeperWork::Wait { .. } | KeeperWork::StandBack => None,
        KeeperWork::Look => Some("the sign of life, read"),
        KeeperWork::Claim(_) => Some("the owner record, claimed"),
        KeeperWork::Pause(_) => None,
        KeeperWork::Level(_) => Some("the owner record, with the engine's version"),
        KeeperWork::Release { .. } => Some("the data written back and released"),
        KeeperWork::Open => None,
    }
}

/// What the main loop is told of a notice; `None` is the keeper's end.
fn heard(connection: u64, notice: Option<Notice>) -> Message {
    let event = match notice {
        Some(Notice::Beat {
            fsync_millis,
            fsync_fastest_millis,
        }) => {
            return Message::Written(WriteTimes {
                slow_millis: fsync_millis,
                fastest_millis: fsync_fastest_millis,
            });
        }
        Some(Notice::Held) => KeeperEvent::LockHeld,
        Some(Notice::Busy { holder }) => KeeperEvent::LockBusy(holder),
        Some(Notice::Lost { why }) => KeeperEvent::LockLost(why),
        Some(Notice::Record { gone }) => KeeperEvent::Record { gone },
        Some(Notice::Standby { ready }) => KeeperEvent::Standby { ready },
        Some(Notice::Room { full }) => KeeperEvent::Room { full },
        Some(Notice::Storage { stalled }) => KeeperEvent::Storage { stalled },
        None => KeeperEvent::Gone,
    };
    Message::Event(Event::Keeper { connection, event })
}

impl Worker {
    /// Asks the keeper that was opened; `None` for its opening, which has a thread that stays.
    pub(super) fn ask_keeper(&self, work: KeeperWork) -> Option<KeeperOutcome> {
        let keeper = self.keeper();
        Some(match work {
            KeeperWork::Inspect => KeeperOutcome::Inspected(keeper.inspect()),
            KeeperWork::Wait { ready } => KeeperOutcome::Waited(keeper.wait(ready)),
            KeeperWork::Look => KeeperOutcome::Looked(keeper.look()),
            KeeperWork::StandBack => KeeperOutcome::StoodBack(keeper.stand_back()),
            KeeperWork::Claim(proof) => KeeperOutcome::Claimed(keeper.claim(proof)),
            KeeperWork::Level(version) => KeeperOutcome::LevelWritten(keeper.level(version)),
            KeeperWork::Pause(pause) => KeeperOutcome::Paused(keeper.pause(pause.clone()).map(|()| pause)),
            KeeperWork::Release { condemned } => KeeperOutcome::Released(keeper.release(condemned)),
            KeeperWork::Open => return None,
        })
    }

    /// Tells the keeper, and through it the owner record, that this instance has served.
    pub(crate) fn note_served(&self) {
        let keeper = self.keeper();
        let begun = spawn("note", move || {
            if let Err(error) = keeper.note_served() {
                tracing::warn!(error, "not noted in the owner record");
            }
        });
        if let Err(error) = begun {
            tracing::warn!(%error, "not noted in the owner record");
        }
    }

    /// Starts the keeper again that died without letting go, as it was configured: before this host is known to itself and has
    /// its file system, nobody else of the agent would, and init may not have.
    pub(super) fn guard_goes_on(&self) {
        let guarded = guard_file(&self.layout.keeper_socket()).exists();
        if !guarded || self.keeper().status().is_ok() {
            return;
        }
        let config = match std::fs::read_to_string(self.layout.keeper_config()) {
            Ok(config) => config,
            // Elsewhere than on a real host no unit reads one.
            Err(_) => return,
        };
        tracing::warn!("a lock keeper exited without releasing the lock; another one is being started");
        if let Err(error) = self.ports.spawner.spawn(&config) {
            tracing::error!(%error, "the guard of this host is not running");
        }
    }

    pub(super) fn open_keeper(&self, generation: u64) {
        let connection = self.connections.fetch_add(1, Ordering::AcqRel) + 1;
        let (opened, waits) = waits::of(|| self.connect_keeper());
        self.waited(waits);
        let (result, watch) = match opened {
            Ok((status, watch)) => (self.keeper_state(status), Some(watch)),
            Err(why) => (Err(why), None),
        };
        let outcome = KeeperOutcome::Opened { connection, result }.into();
        if self
            .out
            .send(Message::Event(Event::Done { generation, outcome }))
            .is_err()
        {
            return;
        }
        // From here this thread is the ear at the keeper.
        let Some(mut watch) = watch else { return };
        loop {
            let notice = watch.next_notice();
            let last = notice.is_none();
            if self.out.send(heard(connection, notice)).is_err() || last {
                return;
            }
        }
    }

    fn connect_keeper(&self) -> Result<(KeeperStatus, Watch), String> {
        let identity = locked(&self.identity)
            .clone()
            .ok_or("this host is not identified yet")?;
        let lock = locked(&self.lock)
            .clone()
            .ok_or("the shared file system is not mounted")?;
        let owner = self.ports.engine.owner();
        let keeper = self.keeper();
        if let Ok((status, watch)) = keeper.watch() {
            status.guards(&self.config.queue_manager, &self.config.storage.file_system)?;
            return Ok((status, watch));
        }
        let config = KeeperConfig {
            socket: self.layout.keeper_socket(),
            mount: self.layout.mount(&self.config),
            queue_manager: self.config.queue_manager.clone(),
            engine: self.config.engine.kind.clone(),
            file_system: self.config.storage.file_system.clone(),
            instance: identity.instance,
            boot: identity.boot,
            lock,
            owner,
        };
        let config = serde_json::to_string(&config).map_err(|e| e.to_string())?;
        self.ports
            .spawner
            .spawn(&config)
            .map_err(|e| format!("cannot start the lock keeper: {e}"))?;
        let deadline = Instant::now() + KEEPER_START;
        loop {
            match keeper.watch() {
                Ok(opened) => {
                    // Of the wait for the service manager the keeper's own start is the agent's.
                    waits::less(Duration::from_millis(opened.0.ready_millis.unwrap_or_default()));
                    return Ok(opened);
                }
                Err(error) if Instant::now() > deadline => {
                    return Err(format!(
                        "the lock keeper does not respond: {error}; for its log, run `journalctl -u mqaws-engine`"
                    ));
                }
                Err(_) => thread::sleep(Duration::from_millis(5)),
            }
        }
    }

    fn keeper_state(&self, status: KeeperStatus) -> Result<KeeperState, String> {
        let (controller, processes) = self.ports.engine.found().map_err(text)?;
        Ok(KeeperState {
            held: status.held,
            holder: status.holder,
            proved_at: status
                .record
                .filter(|_| status.claimed.is_some())
                .map(|record| record.at),
            claimed: status.claimed,
            paused: status.paused,
            served: status.served,
            controller,
            processes,
            standby: status.standby,
        })
    }
}
