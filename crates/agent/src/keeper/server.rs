//! The keeper's process.

use super::last_proof::{LastProof, boot_millis};
use super::protocol::{KeeperConfig, KeeperStatus, Notice, Reply, Request};
use super::record::{Beat, KeptRecord};
use super::shared::{ANSWER, Job, LockOrder, Shared, locked, spawn};
use super::socket::{listen, only_one};
use crate::agent::clock::since_main;
use crate::agent::ports::{HostReset, Init};
use crate::fence::{LeaseTimes, Lock};
use crate::model::AsWritten;
use mqaws_engine::processes::Processes;
use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Arc, Condvar, Mutex, RwLock};
use std::thread;
use std::time::{Duration, Instant};

const UNPROVED: &str = "the lock cannot be verified at the moment";
/// Period of the sign of life.
const BEAT: Duration = Duration::from_secs(2);
/// A write that takes longer counts as hanging. Together with [`BEAT`] and [`TICK`] less than the agent's health check takes
/// to call an engine hung, so that a stall is known for one before the engine that waits for it is killed.
const STALL: Duration = Duration::from_secs(2);
/// A keeper that nobody talks to and that guards no engine ends after this.
const ALONE: Duration = Duration::from_secs(60);
/// Period of the keeper's look at itself.
const TICK: Duration = Duration::from_secs(1);
/// A connection that does not take what it is sent is dropped after this.
const SEND: Duration = Duration::from_secs(1);

/// What the keeper needs of the world.
pub(crate) struct KeeperPorts {
    /// The lock.
    pub(crate) lock: Box<dyn Lock>,
    /// What ends everything that can write.
    pub(crate) reset: Arc<dyn HostReset>,
    /// The engine's processes on this host.
    pub(crate) engine: Processes,
    /// When the host gives itself up.
    pub(crate) times: LeaseTimes,
    /// Who ends a keeper that hangs, and with it the engine.
    pub(crate) init: Arc<dyn Init>,
    /// Set when the keeper is asked to end; it obeys once no engine lives.
    pub(crate) terminate: Arc<AtomicBool>,
}

/// Runs the keeper until it released the lock or lost it. Returns false when another keeper answers on this host already.
///
/// # Errors
/// When the socket cannot be made, or the file lock is taken and nobody answers.
pub(crate) fn run(config: KeeperConfig, token: String, ports: KeeperPorts) -> io::Result<bool> {
    let Some(_only) = only_one(&config)? else {
        return Ok(false);
    };
    let listener = listen(&config.socket)?;

    let (jobs, job_queue) = mpsc::channel();
    let (orders, order_queue) = mpsc::channel();
    let shared = Arc::new(Shared {
        status: Mutex::new(KeeperStatus {
            token: token.clone(),
            pid: std::process::id(),
            instance: AsWritten::Id(config.instance.clone()),
            boot: AsWritten::Id(config.boot.clone()),
            queue_manager: config.queue_manager.clone(),
            file_system: config.file_system.clone(),
            ready_millis: since_main().map(|d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX)),
            ..KeeperStatus::default()
        }),
        watchers: Mutex::default(),
        watcher_ids: AtomicU64::new(0),
        watching: AtomicUsize::new(0),
        alone_since: Mutex::new(Instant::now()),
        last_proof: LastProof::inherit(&config.socket, &config.boot),
        lease: AtomicU64::new(0),
        times: ports.times,
        lost: AtomicBool::new(false),
        told: AtomicBool::new(false),
        looked: AtomicU64::new(boot_millis()),
        unready: AtomicBool::new(false),
        owner: Mutex::default(),
        busy_since: Mutex::new(None),
        full: AtomicBool::new(false),
        jobs,
        orders,
        reset: ports.reset,
        init: ports.init,
        gate: RwLock::new(true),
        ended: AtomicBool::new(false),
        ending: Mutex::default(),
        end: Condvar::new(),
        config: config.clone(),
    });
    let kept = KeptRecord::new(config.clone(), ports.engine.product(), token);
    let io = shared.clone();
    spawn("record", move || io.record_loop(kept, &job_queue))?;
    let lock = shared.clone();
    spawn("lock", move || lock.lock_loop(ports.lock, &order_queue))?;
    let guard = shared.clone();
    spawn("guard", move || guard.guard_loop())?;
    let watchdog = shared.clone();
    spawn("watchdog", move || watchdog.watchdog_loop())?;
    let accept = shared.clone();
    spawn("accept", move || accept.accept_loop(&listener))?;
    shared.supervise(&ports.engine, &ports.terminate);
    let _ = fs::remove_file(&config.socket);
    Ok(true)
}

impl Shared {
    // --- record ---

    fn record_loop(&self, mut kept: KeptRecord, jobs: &Receiver<Job>) {
        let mut next = Instant::now() + BEAT;
        loop {
            let job = jobs.recv_timeout(next.saturating_duration_since(Instant::now()));
            *locked(&self.busy_since) = Some(Instant::now());
            match job {
                Ok(Job { request, reply }) => {
                    let answer = self.work(&mut kept, request);
                    let _ = reply.send(answer);
                }
                Err(RecvTimeoutError::Timeout) => {
                    self.beat(&mut kept);
                    next = Instant::now() + BEAT;
                }
                Err(RecvTimeoutError::Disconnected) => return,
            }
            *locked(&self.busy_since) = None;
            let mut status = locked(&self.status);
            status.claimed = kept.claimed();
            status.paused = kept.paused();
            status.record = kept.seen();
            status.fsync_millis = kept.fsync_millis();
        }
    }

    fn work(&self, kept: &mut KeptRecord, request: Request) -> Reply {
        match request {
            Request::Wait { ready } if !self.held() => {
                self.unready.store(!ready, Ordering::Release);
                let reply = kept.wait(ready, self.lease.load(Ordering::Acquire));
                if let Some(found) = &reply.found {
                    self.look_at_owner(found.record.as_ref());
                }
                reply
            }
            Request::Wait { .. } => Reply::failed("the lock is held"),
            _ if !self.held() => Reply::failed("the lock is not held"),
            Request::Inspect => kept.inspect(self.lease.load(Ordering::Acquire)),
            Request::Look => kept.look(),
            Request::StandBack if kept.claimed().is_some() => Reply::failed("the data is claimed"),
            Request::StandBack if !self.lets_the_owner_go_first(kept.seen().as_ref()) => {
                Reply::failed("the owner does not go first")
            }
            Request::StandBack if !self.stand_back() => Reply::failed("the lock was not given back"),
            Request::StandBack => Reply::done(),
            Request::Claim { .. } if !self.verify() => Reply::failed(UNPROVED),
            Request::Level { .. } | Request::Pause { .. } | Request::Release { .. } if !self.proved_lately() => {
                Reply::failed(UNPROVED)
            }
            Request::Claim { proof } => {
                let reply = kept.claim(proof);
                // The claim may have taken its time: it counts for nothing if the lock went meanwhile.
                if reply.ok && !self.verify() {
                    return Reply::failed("the claim was written, but the lock could not be verified afterwards");
                }
                if reply.ok {
                    self.last_proof.claimed();
                }
                // Known at once, for an agent that asks before the loop comes round.
                let mut status = locked(&self.status);
                status.claimed = kept.claimed();
                status.paused = kept.paused();
                drop(status);
                reply
            }
            Request::Level { engine_version } => kept.level(engine_version),
            Request::Pause { pause } => {
                let reply = kept.pause(pause);
                locked(&self.status).paused = kept.paused();
                reply
            }
            Request::NoteServed => kept.note_served(),
            Request::Release { condemned } => kept.release(condemned),
            Request::Status | Request::Watch | Request::Run { .. } => Reply::failed("not for this thread"),
        }
    }

    /// Whether the lock was proved lately, or is now.
    pub(super) fn proved_lately(&self) -> bool {
        self.fresh() || self.verify()
    }

    /// Proves the lock anew, whatever was proved before.
    fn verify(&self) -> bool {
        let (answer, verified) = mpsc::channel();
        self.orders.send(LockOrder::Verify(answer)).is_ok() && verified.recv_timeout(ANSWER).unwrap_or(false)
    }

    fn beat(&self, kept: &mut KeptRecord) {
        if !self.fresh() {
            return;
        }
        let beat = kept.beat();
        let full = match &beat {
            Beat::Full(why) => Some(why.clone()),
            Beat::Written => kept.little_room(),
            Beat::Nothing | Beat::Foreign(_) | Beat::Gone(_) | Beat::Failed(_) => None,
        };
        let was_full = self.full.swap(full.is_some(), Ordering::AcqRel);
        if full.is_some() || was_full {
            let full = full.map(|why| {
                format!("the shared file system is full: {why}; free up space and the queue manager continues")
            });
            tracing::warn!(full, "room on the shared file system");
            self.tell(&Notice::Room { full });
        }
        match beat {
            Beat::Written => {
                if locked(&self.status).record_gone.take().is_some() {
                    self.tell(&Notice::Record { gone: None });
                }
                self.look_for_standby(kept);
                self.tell(&Notice::Beat {
                    fsync_millis: kept.fsync_millis(),
                    fsync_fastest_millis: kept.fsync_fastest_millis(),
                });
            }
            Beat::Nothing | Beat::Full(_) => {}
            // Whatever the lock server says: another has proved to itself that this host writes no more, and writes.
            Beat::Foreign(why) => self.lose(&format!("the owner record belongs to another host: {why}")),
            // Nobody else may start on data without a record: there is time for a person.
            Beat::Gone(why) => {
                tracing::error!(why, "no sign of life written");
                locked(&self.status).record_gone = Some(why.clone());
                self.tell(&Notice::Record { gone: Some(why) });
            }
            Beat::Failed(why) => tracing::warn!(why, "no sign of life written"),
        }
    }

    fn look_for_standby(&self, kept: &mut KeptRecord) {
        let ready = kept.standby(Duration::from_millis(boot_millis()));
        let before = std::mem::replace(&mut locked(&self.status).standby, ready.clone());
        if before != ready {
            tracing::info!(
                standby = ready.as_ref().map(ToString::to_string),
                "who is ready to take over"
            );
            self.tell(&Notice::Standby { ready });
        }
    }

    // --- connections ---

    fn accept_loop(self: &Arc<Self>, listener: &UnixListener) {
        for stream in listener.incoming() {
            let Ok(stream) = stream else { continue };
            let shared = self.clone();
            // Without a thread the connection closes, and the agent tries again.
            let _ = spawn("connection", move || {
                if let Err(error) = shared.serve(stream) {
                    tracing::debug!(%error, "connection ended");
                }
            });
        }
    }

    fn serve(&self, mut stream: UnixStream) -> io::Result<()> {
        stream.set_write_timeout(Some(SEND))?;
        let mut lines = BufReader::new(stream.try_clone()?).lines();
        while let Some(line) = lines.next().transpose()? {
            let request: Request = match serde_json::from_str(&line) {
                Ok(request) => request,
                Err(error) => {
                    send(&mut stream, &Reply::failed(format!("unknown request: {error}")))?;
                    continue;
                }
            };
            match request {
                Request::Status => send(&mut stream, &self.status())?,
                Request::Watch => return self.watch(stream, &mut lines),
                Request::Run { order } => {
                    let reply = self.run_command(order);
                    send(&mut stream, &reply)?;
                }
                Request::Release { .. } => {
                    let reply = self.release(request);
                    send(&mut stream, &reply)?;
                    if reply.ok {
                        self.end();
                    }
                }
                other => {
                    if other == Request::NoteServed {
                        // At once, whatever the file system does: an agent that comes next may ask for it.
                        let mut status = locked(&self.status);
                        status.served |= status.claimed.is_some();
                    }
                    let reply = self.ask(other);
                    send(&mut stream, &reply)?;
                }
            }
        }
        Ok(())
    }

    fn status(&self) -> Reply {
        let mut status = locked(&self.status).clone();
        let millis = |d: Duration| u64::try_from(d.as_millis()).unwrap_or(u64::MAX);
        status.proved_millis = self.last_proof.lock_age().map(millis);
        status.guard_millis = self.last_proof.guard_age().map(millis);
        status.lease_millis = Some(self.lease.load(Ordering::Acquire)).filter(|lease| *lease > 0);
        Reply {
            status: Some(status),
            ..Reply::done()
        }
    }

    fn ask(&self, request: Request) -> Reply {
        let (reply, answer) = mpsc::channel();
        if self.jobs.send(Job { request, reply }).is_err() {
            return Reply::failed("the keeper is exiting");
        }
        answer.recv().unwrap_or_else(|_| Reply::failed("the keeper is exiting"))
    }

    /// The record says so first, then the lock goes: a successor must never find a free lock and an unreleased record
    /// because of an orderly end. What could not be let go stays guarded, and the keeper with it.
    fn release(&self, request: Request) -> Reply {
        let Ok(mut open) = self.gate.try_write() else {
            return Reply::failed("a command of the engine runs in the keeper's unit");
        };
        let reply = match (self.held(), self.last_proof.guard_age()) {
            (true, _) => self.ask(request),
            (false, None) => Reply::done(),
            (false, Some(_)) => Reply::failed("the lock is not held, so the data cannot be released"),
        };
        if !reply.ok {
            return reply;
        }
        *open = false;
        drop(open);
        let (done, released) = mpsc::channel();
        if self.orders.send(LockOrder::Release(done)).is_ok() {
            let _ = released.recv_timeout(ANSWER);
        }
        if self.held() {
            return Reply::failed("the data is recorded as released, but the lock does not respond and is still held");
        }
        reply
    }

    fn watch(&self, mut stream: UnixStream, lines: &mut impl Iterator<Item = io::Result<String>>) -> io::Result<()> {
        let id = self.watcher_ids.fetch_add(1, Ordering::Relaxed);
        // The status goes out under the lock of the list, so that no notice overtakes it or falls between.
        let mut watchers = locked(&self.watchers);
        send(&mut stream, &self.status())?;
        watchers.push((id, stream));
        drop(watchers);
        self.watching.fetch_add(1, Ordering::AcqRel);
        // Nothing more is asked on this connection; its end is the agent's.
        while let Some(Ok(_)) = lines.next() {}
        locked(&self.watchers).retain(|(other, _)| *other != id);
        *locked(&self.alone_since) = Instant::now();
        self.watching.fetch_sub(1, Ordering::AcqRel);
        Ok(())
    }

    // --- supervision ---

    fn supervise(&self, engine: &Processes, terminate: &AtomicBool) {
        while !self.ends_within(TICK) {
            self.look_for_stall();
            // Started again by the init system after its death, with no agent: it must let go before T resets the host.
            let patience = if self.last_proof.is_inherited() {
                ALONE.min(self.times.self_reset / 3)
            } else {
                ALONE
            };
            let alone = self.watching.load(Ordering::Acquire) == 0 && locked(&self.alone_since).elapsed() > patience;
            // While an engine lives the keeper does, whoever asks it to end.
            let asked = alone || terminate.load(Ordering::Acquire);
            if asked
                && engine.list().is_ok_and(|p| p.is_empty())
                && self.release(Request::Release { condemned: false }).ok
            {
                tracing::info!(alone, "the engine is not running and no agent requires the lock: ended");
                return;
            }
        }
        // The last reply or notice is on its way.
        thread::sleep(Duration::from_millis(20));
        tracing::info!(socket = %self.config.socket.display(), "keeper ends");
    }

    fn look_for_stall(&self) {
        let stalled = locked(&self.busy_since).is_some_and(|since| since.elapsed() > STALL);
        let before = std::mem::replace(&mut locked(&self.status).stalled, stalled);
        if before != stalled {
            tracing::warn!(stalled, "writes to the shared file system");
            self.tell(&Notice::Storage { stalled });
        }
    }
}

fn send(stream: &mut UnixStream, reply: &Reply) -> io::Result<()> {
    let mut line = serde_json::to_vec(reply)?;
    line.push(b'\n');
    stream.write_all(&line)
}
