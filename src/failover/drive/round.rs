//! What the workers of one round share: the clock, the ledger, what each worker saw, and how far the round is.

use crate::failover::clients::client::{Delivery, Lost};
use crate::failover::measure::connection::{ConnectionChange, ConnectionEvent, Stalled};
use crate::failover::measure::gap::Worker;
use crate::failover::measure::id::{Header, MessageId, RunId};
use crate::failover::measure::ledger::{Arrival, Ledger, Outcome, Received};
use crate::failover::measure::link::Link;
use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::watch;

/// How far a round is; workers act on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Load runs; consumers leave the backlog alone.
    Load,
    /// The fault is on its way; a consumer whose connection died takes the backlog too.
    Fault,
    /// Consumers take what the broker was already allowed to send, and no more; producers go on, so that messages wait.
    Hold,
    /// Producers stop, and nothing moves: what the broker itself counts can be compared.
    Rest,
    /// Consumers empty the queue.
    Drain,
    /// Everybody stops.
    End,
}

impl Stage {
    /// Whether consumers are to take no more than they must.
    pub(super) fn is_still(self) -> bool {
        matches!(self, Self::Hold | Self::Rest)
    }
}

/// What the workers of one round share.
#[derive(Debug)]
pub struct Round {
    start: Instant,
    started_at: SystemTime,
    ledger: Mutex<Ledger>,
    notes: Mutex<Vec<ConnectionEvent>>,
    stalls: Mutex<Vec<Stalled>>,
    stage: watch::Sender<Stage>,
    waiting: AtomicU64,
    refusals: AtomicU64,
    last_ok: Mutex<HashMap<Worker, u64>>,
    last_miss: Mutex<HashMap<Worker, u64>>,
    last_receipt: AtomicU64,
    receipts: AtomicU64,
    resting: Mutex<BTreeSet<u32>>,
}

impl Round {
    /// A round that begins now, with one book a producer: persistent or not.
    #[must_use]
    pub fn new(run: RunId, persistent: &[bool], keep: Duration) -> Self {
        Self {
            start: Instant::now(),
            started_at: SystemTime::now(),
            ledger: Mutex::new(Ledger::new(run, persistent, nanos(keep))),
            notes: Mutex::default(),
            stalls: Mutex::default(),
            stage: watch::Sender::new(Stage::Load),
            waiting: AtomicU64::new(0),
            refusals: AtomicU64::new(0),
            last_ok: Mutex::default(),
            last_miss: Mutex::default(),
            last_receipt: AtomicU64::new(0),
            receipts: AtomicU64::new(0),
            resting: Mutex::default(),
        }
    }

    /// When the round began.
    #[must_use]
    pub fn start(&self) -> Instant {
        self.start
    }

    /// When the round began, wall clock: a label, and the anchor for the agent's marks.
    #[must_use]
    pub fn started_at(&self) -> SystemTime {
        self.started_at
    }

    /// Now, in nanoseconds since the round began.
    #[must_use]
    pub fn now_ns(&self) -> u64 {
        nanos(self.start.elapsed())
    }

    /// An instant in nanoseconds since the round began.
    #[must_use]
    pub fn ns(&self, at: Instant) -> u64 {
        nanos(at.saturating_duration_since(self.start))
    }

    /// The ledger; hold it shortly and never across an await.
    pub fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How far the round is.
    #[must_use]
    pub fn stage(&self) -> Stage {
        *self.stage.borrow()
    }

    /// Follows how far the round is.
    #[must_use]
    pub fn stages(&self) -> watch::Receiver<Stage> {
        self.stage.subscribe()
    }

    /// Goes on to a later stage; never back.
    pub fn advance(&self, to: Stage) {
        self.stage.send_if_modified(|stage| {
            let forward = to > *stage;
            if forward {
                *stage = to;
            }
            forward
        });
    }

    /// Messages acknowledged and not yet received.
    #[must_use]
    pub fn waiting(&self) -> u64 {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Connection attempts that failed.
    #[must_use]
    pub fn refusals(&self) -> u64 {
        self.refusals.load(Ordering::Relaxed)
    }

    /// What the workers noticed so far, in order of time.
    #[must_use]
    pub fn notes(&self) -> Vec<ConnectionEvent> {
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner).clone();
        notes.sort_by_key(|note| note.at_ns);
        notes
    }

    /// When a worker last succeeded: an acknowledgement, or a first receipt.
    #[must_use]
    pub fn last_ok_ns(&self, worker: Worker) -> Option<u64> {
        self.last_ok
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&worker)
            .copied()
    }

    /// When a producer last had a slot that did not succeed, unless a success came after it: until when it was not served, as far as is
    /// known.
    #[must_use]
    pub fn unserved_ns(&self, worker: Worker) -> Option<u64> {
        let missed = self
            .last_miss
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&worker)
            .copied();
        missed.filter(|&at| self.last_ok_ns(worker).is_none_or(|ok| ok < at))
    }

    /// Since when a producer waits for a success: the due time of the first slot after its last one.
    #[must_use]
    pub fn waits_since_ns(&self, producer: u32) -> Option<u64> {
        let worker = Worker::Producer(producer);
        let last_ok = self.last_ok_ns(worker);
        let asked = self.ledger().first_open_ns(producer, last_ok.unwrap_or(0));
        // Slots that were not even sent are due after the last success.
        let missed = self.unserved_ns(worker).map(|at| last_ok.unwrap_or(at));
        asked.into_iter().chain(missed).min()
    }

    /// When anything was last received, repeated or strange messages included; 0 when nothing was.
    #[must_use]
    pub fn last_receipt_ns(&self) -> u64 {
        self.last_receipt.load(Ordering::Relaxed)
    }

    /// How many messages were received, repeated and strange ones included.
    pub(super) fn receipts(&self) -> u64 {
        self.receipts.load(Ordering::Relaxed)
    }

    /// A consumer holds nothing and is sent nothing more, until the queue is emptied.
    pub(super) fn rests(&self, consumer: u32) {
        self.resting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(consumer);
    }

    /// How many consumers rest.
    pub(super) fn resting(&self) -> usize {
        self.resting.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// When this process did not run.
    #[must_use]
    pub fn stalls(&self) -> Vec<Stalled> {
        self.stalls.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn note(&self, worker: Worker, at_ns: u64, what: ConnectionChange) {
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        if let ConnectionChange::Refused(_) = &what {
            self.refusals.fetch_add(1, Ordering::Relaxed);
            // A loop that fails for minutes fills no memory: the first failure of a row is enough.
            if matches!(
                notes.iter().rfind(|note| note.worker == worker),
                Some(ConnectionEvent {
                    what: ConnectionChange::Refused(_),
                    ..
                })
            ) {
                return;
            }
        }
        let waiting = self.waiting();
        notes.push(ConnectionEvent {
            worker,
            at_ns,
            what,
            waiting,
        });
    }

    pub(super) fn stalled(&self, from_ns: u64, to_ns: u64) {
        self.ledger().paused(from_ns, to_ns);
        self.stalls
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(Stalled { from_ns, to_ns });
    }

    /// Writes an attempt down and makes its body; the caller puts it after this.
    pub(super) fn attempt(&self, id: MessageId, connection: u32, due_ns: u64, size: usize) -> Vec<u8> {
        self.send(id, connection, size, |ledger, sent_ns| {
            ledger.sent(id, connection, due_ns, sent_ns);
        })
    }

    /// The same of a message that was sent before and has no answer.
    pub(super) fn attempt_again(&self, id: MessageId, connection: u32, due_ns: u64, size: usize) -> Vec<u8> {
        self.send(id, connection, size, |ledger, sent_ns| {
            ledger.sent_again(id, connection, due_ns, sent_ns);
        })
    }

    fn send(&self, id: MessageId, connection: u32, size: usize, note: impl FnOnce(&mut Ledger, u64)) -> Vec<u8> {
        let mut ledger = self.ledger();
        let sent_ns = self.now_ns();
        note(&mut ledger, sent_ns);
        let run = ledger.run();
        drop(ledger);
        Header {
            run,
            id,
            connection,
            sent_ns,
        }
        .body(size)
    }

    pub(super) fn outcome(&self, id: MessageId, outcome: Outcome, at: Instant) {
        let mut ledger = self.ledger();
        let at_ns = self.ns(at);
        ledger.outcome(id, outcome, at_ns);
        self.count(&ledger);
        drop(ledger);
        let worker = Worker::Producer(id.producer);
        match outcome {
            Outcome::Acked => latest(&self.last_ok, worker, at_ns),
            Outcome::Failed | Outcome::Unknown | Outcome::NotSent => latest(&self.last_miss, worker, at_ns),
        }
    }

    /// A slot came due and nothing was sent.
    pub(super) fn missed(&self, id: MessageId, due: Instant) {
        self.ledger().missed(id);
        latest(&self.last_miss, Worker::Producer(id.producer), self.ns(due));
    }

    /// What a producer's lost connection left without an answer.
    pub(super) fn abandon(&self, producer: u32) -> Vec<MessageId> {
        let now = self.now_ns();
        let left = self.ledger().abandon(producer, now);
        if !left.is_empty() {
            latest(&self.last_miss, Worker::Producer(producer), now);
        }
        left
    }

    /// A consumer has a connection.
    pub(super) fn connected(&self, link: Link) {
        self.ledger().opened(link);
        self.note(
            Worker::Consumer(link.consumer),
            self.now_ns(),
            ConnectionChange::Connected,
        );
    }

    /// A consumer's connection is gone.
    pub(super) fn lost(&self, link: Link, lost: Lost) {
        self.ledger().ended(link, self.ns(lost.heard));
        self.note(
            Worker::Consumer(link.consumer),
            self.ns(lost.at),
            ConnectionChange::Lost(lost.cause),
        );
    }

    pub(super) fn received(&self, consumer: u32, connection: u32, delivery: &Delivery) {
        let mut ledger = self.ledger();
        let at_ns = self.now_ns();
        let arrival = Arrival {
            consumer,
            connection,
            body: &delivery.body,
            redelivered: delivery.redelivered,
            durable: delivery.durable,
            at_ns,
        };
        let what = ledger.receive(&arrival);
        self.count(&ledger);
        drop(ledger);
        self.last_receipt.store(at_ns, Ordering::Relaxed);
        self.receipts.fetch_add(1, Ordering::Relaxed);
        if let Received::First(_) = what {
            latest(&self.last_ok, Worker::Consumer(consumer), at_ns);
        }
    }

    fn count(&self, ledger: &Ledger) {
        self.waiting
            .store(ledger.acked().saturating_sub(ledger.received()), Ordering::Relaxed);
    }
}

fn latest(times: &Mutex<HashMap<Worker, u64>>, worker: Worker, at_ns: u64) {
    let mut times = times.lock().unwrap_or_else(PoisonError::into_inner);
    let entry = times.entry(worker).or_default();
    *entry = (*entry).max(at_ns);
}

/// A duration in nanoseconds; 584 years at most.
pub(super) fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
