//! Keepers on threads, with doubles of the lock and of the host's reset.

use super::last_proof::boot_millis;
use super::protocol::{KeeperConfig, KeeperStatus};
use super::{Keeper, KeeperPorts, run};
use crate::agent::ports::{HostReset, Init, LockPlace};
use crate::fence::{Epoch, LeaseTimes, Lock, LockError, Proof, ProofKind, RecordStore};
use mqaws_engine::Command;
use mqaws_engine::processes::Processes;
use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(60);
const LEASE: Duration = Duration::from_millis(400);

/// How the double of the lock behaves from now on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mood {
    Fine,
    /// Each call blocks for ever, as one on a hung NFS mount does.
    Hangs,
    /// Nobody answers.
    Silent,
    /// Another has it.
    Busy,
    /// It was taken away.
    Lost,
    /// So many more proofs, then silence.
    Proofs(u32),
    /// It is obtained after this long.
    Slow(Duration),
}

/// A double of a lock whose mood can change.
#[derive(Clone)]
struct MoodyLock(Arc<Mutex<Mood>>, Duration);

impl MoodyLock {
    fn answer(&self) -> Result<(), LockError> {
        let mut now = self.0.lock().expect("mood");
        let mood = *now;
        if let Mood::Proofs(left) = mood {
            *now = left.checked_sub(1).map_or(Mood::Silent, Mood::Proofs);
        }
        drop(now);
        match mood {
            Mood::Fine | Mood::Slow(_) | Mood::Proofs(1..) => Ok(()),
            Mood::Hangs => loop {
                thread::park();
            },
            Mood::Silent | Mood::Proofs(0) => Err(LockError::Unreachable(std::io::ErrorKind::TimedOut.into())),
            Mood::Lost => Err(LockError::Lost("taken away".into())),
            Mood::Busy => Err(LockError::Busy {
                holder: "i-other".into(),
            }),
        }
    }
}

impl Lock for MoodyLock {
    fn acquire(&mut self) -> Result<(), LockError> {
        let mood = *self.0.lock().expect("mood");
        if let Mood::Slow(wait) = mood {
            thread::sleep(wait);
        }
        self.answer()
    }
    fn renew(&mut self) -> Result<(), LockError> {
        self.answer()
    }
    fn release(&mut self) -> Result<(), LockError> {
        self.answer()
    }
    fn lease(&self) -> Duration {
        self.1
    }
}

/// A double of the host's reset, which notes why it was asked for and can hang or panic, and of the init system, which notes
/// what it was told since the first reset began.
#[derive(Default)]
struct Resets {
    whys: Mutex<Vec<String>>,
    told: Mutex<BTreeSet<String>>,
    told_late: AtomicUsize,
    /// What becomes of the next call.
    bad: Mutex<Option<Bad>>,
    /// No reset comes to its end while this is so.
    slow: AtomicBool,
    /// Whoever tells the init system something comes no further.
    init_hangs: AtomicBool,
}

/// How a reset fails.
#[derive(Debug, Clone, Copy)]
enum Bad {
    Hangs,
    Panics,
}

impl Resets {
    fn count(&self) -> usize {
        self.whys.lock().expect("resets").len()
    }
}

impl HostReset for Resets {
    fn reset(&self, why: &str) {
        self.whys.lock().expect("resets").push(why.to_owned());
        let bad = self.bad.lock().expect("bad").take();
        match bad {
            Some(Bad::Panics) => panic!("this double of a reset does"),
            Some(Bad::Hangs) => loop {
                thread::park();
            },
            None => {}
        }
        while self.slow.load(Ordering::SeqCst) {
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Init for Resets {
    fn alive(&self, state: &str) {
        if self.count() > 0 {
            self.told_late.fetch_add(1, Ordering::SeqCst);
        }
        self.told.lock().expect("told").insert(state.to_owned());
        while self.init_hangs.load(Ordering::SeqCst) {
            thread::park();
        }
    }
}

struct Running {
    mood: Arc<Mutex<Mood>>,
    resets: Arc<Resets>,
    client: Keeper,
    terminate: Arc<AtomicBool>,
    thread: thread::JoinHandle<()>,
}

fn ports(resets: &Arc<Resets>, mood: Mood) -> KeeperPorts {
    KeeperPorts {
        lock: Box::new(MoodyLock(Arc::new(Mutex::new(mood)), LEASE)),
        reset: resets.clone(),
        init: resets.clone(),
        engine: Processes::new(
            &mqaws_engine::ibm_mq::IbmMq,
            "QMNONE",
            Some(("MQAWS_TEST_MARK", "nobody")),
        ),
        times: LeaseTimes {
            self_reset: PATIENCE,
            margin: Duration::ZERO,
        },
        terminate: Arc::new(AtomicBool::new(false)),
    }
}

fn start(dir: &Path, mood: Mood, self_reset: Duration) -> Running {
    start_with(dir, mood, self_reset, LEASE)
}

fn start_with(dir: &Path, mood: Mood, self_reset: Duration, lease: Duration) -> Running {
    start_on(dir, Arc::default(), mood, self_reset, lease)
}

fn start_on(dir: &Path, resets: Arc<Resets>, mood: Mood, self_reset: Duration, lease: Duration) -> Running {
    let config = config(dir);
    let client = Keeper::new(&config.socket);
    let mood = Arc::new(Mutex::new(mood));
    let mut ports = ports(&resets, Mood::Fine);
    ports.lock = Box::new(MoodyLock(mood.clone(), lease));
    ports.times.self_reset = self_reset;
    let terminate = ports.terminate.clone();
    let thread = thread::spawn(move || {
        run(config, "keeper-1".into(), ports).expect("keeper");
    });
    Running {
        mood,
        resets,
        client,
        terminate,
        thread,
    }
}

impl Running {
    fn be(&self, mood: Mood) {
        *self.mood.lock().expect("mood") = mood;
    }

    fn until(&self, what: &str, is: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !is(self) {
            assert!(Instant::now() < deadline, "{what}");
            thread::sleep(Duration::from_millis(5));
        }
    }

    fn holds(&self) {
        self.until("the lock is held", |k| k.client.status().is_ok_and(|s| s.held));
    }

    fn is_reset(&self) -> String {
        self.until("the host is reset", |k| k.resets.count() > 0);
        self.resets.whys.lock().expect("resets")[0].clone()
    }
}

#[test]
fn a_host_whose_lock_hangs_or_is_silent_is_reset_after_t() {
    for mood in [Mood::Hangs, Mood::Silent] {
        let dir = tempfile::tempdir().expect("tempdir");
        let keeper = start(dir.path(), Mood::Fine, Duration::from_millis(1500));
        keeper.holds();
        keeper.until("the init system is told that the guard looks", |k| {
            k.resets.told.lock().expect("told").contains("guarding")
        });
        let (_, mut watch) = keeper.client.watch().expect("watch");
        keeper.be(mood);
        let why = keeper.is_reset();
        assert!(why.contains("could not be verified"), "{mood:?}: {why}");
        while let Some(notice) = watch.next_notice() {
            if matches!(notice, super::protocol::Notice::Lost { .. }) {
                break;
            }
        }
        keeper.until("the keeper ends", |k| k.thread.is_finished());
    }
}

#[test]
fn the_guard_resets_again_when_the_first_to_do_so_comes_no_further_and_feeds_no_watchdog() {
    // The thread of the lock, which learns of the loss, hangs in the reset or panics there.
    for bad in [Bad::Hangs, Bad::Panics] {
        let dir = tempfile::tempdir().expect("tempdir");
        let keeper = start(dir.path(), Mood::Fine, PATIENCE);
        keeper.holds();
        keeper.until("the init system is told", |k| {
            !k.resets.told.lock().expect("told").is_empty()
        });
        *keeper.resets.bad.lock().expect("bad") = Some(bad);
        keeper.be(Mood::Lost);
        keeper.until("the guard resets", |k| k.resets.count() > 1);
        let late = keeper.resets.told_late.load(Ordering::SeqCst);
        assert!(late <= 1, "told {late} times; one may have been on its way");
        keeper.until("the keeper ends", |k| k.thread.is_finished());
    }
}

fn config(dir: &Path) -> KeeperConfig {
    KeeperConfig {
        socket: dir.join("keeper.sock"),
        mount: dir.join("mount"),
        queue_manager: "QM1".into(),
        engine: mqaws_contract::EngineKind::default(),
        file_system: "fs-1".into(),
        instance: "i-1".parse().expect("an id"),
        boot: "boot-1".parse().expect("an id"),
        lock: LockPlace::Lease {
            address: ([127, 0, 0, 1], 9).into(),
            lease_ms: 400,
        },
        owner: None,
    }
}

#[test]
fn a_file_lock_that_is_not_a_keepers_is_an_error_and_a_keepers_is_none() {
    let dir = tempfile::tempdir().expect("tempdir");
    let path = dir.path().join("keeper.lock");
    let stranger = std::fs::File::create(&path).expect("lock file");
    rustix::fs::flock(&stranger, rustix::fs::FlockOperation::NonBlockingLockExclusive).expect("lock");
    let why = run(
        config(dir.path()),
        "keeper-2".into(),
        ports(&Arc::default(), Mood::Fine),
    )
    .expect_err("nothing guards this host")
    .to_string();
    assert!(why.contains("no keeper responds"), "{why}");
    drop(stranger);
    let keeper = start(dir.path(), Mood::Fine, PATIENCE);
    keeper.holds();
    let second = run(
        config(dir.path()),
        "keeper-2".into(),
        ports(&Arc::default(), Mood::Fine),
    );
    assert!(!second.expect("another keeper answers"));
    for file in ["keeper.lock", "keeper.sock"] {
        let mode = std::fs::metadata(dir.path().join(file))
            .expect(file)
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
    keeper.terminate.store(true, Ordering::SeqCst);
    keeper.until("the keeper ends", |k| k.thread.is_finished());
}

#[test]
fn a_lock_that_took_longer_than_t_to_obtain_resets_nobody() {
    let dir = tempfile::tempdir().expect("tempdir");
    let t = Duration::from_secs(5);
    let keeper = start(dir.path(), Mood::Slow(t * 5 / 4), t);
    keeper.holds();
    let age = keeper.client.status().expect("status").guard_millis.expect("guarded");
    assert!(
        Duration::from_millis(age) < t,
        "counted from before the lock was there: {age} ms"
    );
    keeper.terminate.store(true, Ordering::SeqCst);
    keeper.until("the keeper ends", |k| k.thread.is_finished());
    assert_eq!(keeper.resets.count(), 0);
}

#[test]
fn a_claim_proves_the_lock_before_and_after_however_lately_it_was_proved() {
    for proofs in [0, 1] {
        let dir = tempfile::tempdir().expect("tempdir");
        // So long a lease that the lock counts as proved from here to the end.
        let keeper = start_with(dir.path(), Mood::Fine, PATIENCE, Duration::from_secs(3600));
        keeper.holds();
        keeper.client.inspect().expect("inspect");
        keeper.be(Mood::Proofs(proofs));
        let proof = Proof {
            kind: ProofKind::New,
            previous: None,
        };
        let claimed = keeper.client.claim(proof.clone());
        assert!(claimed.is_err(), "after {proofs} proofs: {claimed:?}");
        keeper.be(Mood::Fine);
        keeper.client.claim(proof).expect("claim");
        keeper.client.release(false).expect("release");
    }
}

#[test]
fn no_command_that_writes_is_run_once_the_lock_was_not_proved_lately() {
    let dir = tempfile::tempdir().expect("tempdir");
    let keeper = start(dir.path(), Mood::Fine, PATIENCE);
    keeper.holds();
    claim(&keeper);
    let command = Command::new("/bin/sh").args(["-c", "exit 0"]);
    keeper.client.run(&command).expect("fenced");
    keeper.be(Mood::Silent);
    keeper.until("the proof is old", |k| {
        let status = k.client.status().expect("status");
        status.proved_millis > Some(400)
    });
    let refused = keeper.client.run(&command).expect_err("not proved");
    let why = std::error::Error::source(&refused).expect("why").to_string();
    assert!(why.contains("cannot be verified at the moment"), "{why}");
    keeper.be(Mood::Fine);
    keeper.client.run(&command).expect("proved again");
    keeper.client.release(false).expect("release");
}

#[test]
fn a_keeper_that_never_held_the_lock_resets_nobody() {
    let dir = tempfile::tempdir().expect("tempdir");
    let keeper = start(dir.path(), Mood::Busy, Duration::from_millis(50));
    keeper.until("it knows the holder", |k| {
        k.client.status().is_ok_and(|s| s.holder.as_deref() == Some("i-other"))
    });
    keeper.terminate.store(true, Ordering::SeqCst);
    keeper.until("the keeper ends", |k| k.thread.is_finished());
    assert_eq!(keeper.resets.count(), 0);
}

#[test]
fn the_guard_of_a_keeper_that_died_goes_on_in_the_next_one() {
    let dir = tempfile::tempdir().expect("tempdir");
    std::fs::write(dir.path().join("keeper.guard"), format!("{} boot-1\n", boot_millis())).expect("guard");
    // The lock went to another when that keeper died; what its engine wrote may still be in this kernel.
    let keeper = start(dir.path(), Mood::Busy, Duration::from_millis(300));
    assert!(keeper.is_reset().contains("could not be verified"));
}

#[test]
fn a_keeper_that_init_started_again_lets_go_of_what_the_dead_one_guarded_when_nobody_asks_for_it() {
    let dir = tempfile::tempdir().expect("tempdir");
    let guard = dir.path().join("keeper.guard");
    std::fs::write(&guard, format!("{} boot-1\n", boot_millis())).expect("guard");
    let keeper = start(dir.path(), Mood::Fine, Duration::from_secs(15));
    keeper.until("the keeper ends", |k| k.thread.is_finished());
    assert!(!guard.exists(), "there is nothing left to guard");
    assert_eq!(keeper.resets.count(), 0);
}

#[test]
fn a_guard_of_before_the_reboot_is_nobodys() {
    let dir = tempfile::tempdir().expect("tempdir");
    std::fs::write(dir.path().join("keeper.guard"), "1 boot-0\n").expect("guard");
    let keeper = start(dir.path(), Mood::Busy, Duration::from_millis(50));
    keeper.until("it knows the holder", |k| {
        k.client.status().is_ok_and(|s| s.holder.is_some())
    });
    assert_eq!(keeper.client.status().expect("status").guard_millis, None);
    keeper.terminate.store(true, Ordering::SeqCst);
    keeper.until("the keeper ends", |k| k.thread.is_finished());
    assert_eq!(keeper.resets.count(), 0);
}

fn claim(keeper: &Running) {
    keeper.client.inspect().expect("inspect");
    let proof = Proof {
        kind: ProofKind::New,
        previous: None,
    };
    keeper.client.claim(proof).expect("claim");
}

#[test]
fn an_owner_that_sees_a_later_epoch_resets_though_its_lock_is_proved() {
    let dir = tempfile::tempdir().expect("tempdir");
    let keeper = start(dir.path(), Mood::Fine, PATIENCE);
    keeper.holds();
    claim(&keeper);
    let store = RecordStore::new(&dir.path().join("mount"), "QM1");
    let mut later = store.read().expect("read").expect("record");
    later.epoch = later.epoch.next();
    (later.owner.instance, later.keeper) = ("i-other".into(), "keeper-2".into());
    store.claim(&later).expect("claim");
    let why = keeper.is_reset();
    assert!(why.contains("i-other claimed epoch 2"), "{why}");
}

#[test]
fn an_owner_whose_record_is_gone_says_so_and_goes_on() {
    let dir = tempfile::tempdir().expect("tempdir");
    let keeper = start(dir.path(), Mood::Fine, PATIENCE);
    keeper.holds();
    claim(&keeper);
    let store = RecordStore::new(&dir.path().join("mount"), "QM1");
    std::fs::remove_file(store.path(Epoch(1)).expect("path")).expect("remove");
    keeper.until("it says so", |k| {
        k.client.status().is_ok_and(|s| s.record_gone.is_some())
    });
    assert_eq!(keeper.resets.count(), 0);
    keeper.terminate.store(true, Ordering::SeqCst);
    keeper.until("the keeper ends", |k| k.thread.is_finished());
}

#[test]
fn a_keeper_says_whose_data_it_guards() {
    let dir = tempfile::tempdir().expect("tempdir");
    let keeper = start(dir.path(), Mood::Busy, PATIENCE);
    keeper.until("it answers", |k| k.client.status().is_ok());
    let status = keeper.client.status().expect("status");
    assert_eq!(status.guards("QM1", "fs-1"), Ok(()));
    for (queue_manager, file_system) in [("QM2", "fs-1"), ("QM1", "fs-2")] {
        let why = status.guards(queue_manager, file_system).expect_err("another's");
        assert!(why.contains("QM1 on fs-1"), "{why}");
    }
    assert_eq!(
        KeeperStatus::default().guards("QM1", "fs-1"),
        Ok(()),
        "of an earlier version"
    );
    keeper.terminate.store(true, Ordering::SeqCst);
    keeper.until("the keeper ends", |k| k.thread.is_finished());
}

#[test]
fn a_release_whose_lock_does_not_answer_is_no_success() {
    let dir = tempfile::tempdir().expect("tempdir");
    let keeper = start_with(dir.path(), Mood::Fine, PATIENCE, Duration::from_secs(3600));
    keeper.holds();
    claim(&keeper);
    keeper.be(Mood::Hangs);
    let why = keeper.client.release(false).expect_err("the lock is still held");
    assert!(why.contains("still held"), "{why}");
    let status = keeper.client.status().expect("it lives");
    assert!(status.held && status.guard_millis.is_some());
}

#[test]
fn what_cannot_be_let_go_stays_locked_and_guarded() {
    let dir = tempfile::tempdir().expect("tempdir");
    let keeper = start(dir.path(), Mood::Fine, PATIENCE);
    keeper.holds();
    claim(&keeper);
    // Stands for a file system that takes no more writes.
    let records = dir.path().join("mount/.mqaws/QM1");
    let aside = dir.path().join("mount/.mqaws/aside");
    std::fs::rename(&records, &aside).expect("aside");
    assert!(keeper.client.release(false).is_err());
    let status = keeper.client.status().expect("it lives");
    assert!(status.held && status.proved_millis.is_some());
    std::fs::rename(&aside, &records).expect("back");
    keeper.client.release(false).expect("release");
    keeper.until("the keeper ends", |k| k.thread.is_finished());
    assert!(!dir.path().join("keeper.guard").exists());
}

mod slow;
mod standby;

#[test]
fn a_keeper_whose_agent_is_of_the_version_before_guards_the_engine_that_there_was() {
    let before = config(Path::new("/run"));
    let mut text = serde_json::to_value(&before).expect("json");
    assert!(text.as_object_mut().expect("an object").remove("engine").is_some());
    let read: KeeperConfig = serde_json::from_value(text).expect("a configuration");
    assert_eq!(read, before);
    assert!(mqaws_engine::find(mqaws_engine::PRODUCTS, &read.engine).is_ok());
}
