//! The workers: producers on a fixed beat, consumers that write down before they accept, and a ticker that watches this process itself.

use super::round::{Round, Stage};
use crate::failover::clients::client::{BrokerDriver, ClientError, Delivery, GetLink, Lost, Put, PutEvent, PutLink};
use crate::failover::measure::connection::ConnectionChange;
use crate::failover::measure::gap::Worker;
use crate::failover::measure::id::MessageId;
use crate::failover::measure::ledger::Outcome;
use crate::failover::measure::link::Link;
use rand::RngExt as _;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::time::{sleep, sleep_until, timeout};

/// Between two attempts to connect, plus or minus a fifth.
pub(super) const RETRY: Duration = Duration::from_millis(100);

/// The same at the beginning of an outage: a restart in place takes less than [`RETRY`], and what clients sleep over it is no outage of the
/// service.
const RETRY_AT_FIRST: Duration = Duration::from_millis(25);
const AT_FIRST: Duration = Duration::from_secs(1);

/// A slot that could not be used for this long is given up: nothing is caught up, since that would be another load.
const LATE: Duration = Duration::from_millis(50);

/// How long a producer that stops waits for the answers that are on their way, and goes on when it is not served.
const LAST_ANSWERS: Duration = Duration::from_secs(10);

/// How long a consumer that stops waits until its last acceptances have arrived.
const LAST_ACCEPTANCES: Duration = Duration::from_secs(2);

/// Beat of the ticker, and the gap from which on this process is said to have stood still.
const TICK: Duration = Duration::from_millis(10);
const STALL: Duration = Duration::from_millis(100);

/// A producer of a round.
#[derive(Debug, Clone)]
pub struct Producer {
    /// Number, from 0; its book in the ledger.
    pub number: u32,
    /// Queue to put to.
    pub queue: String,
    /// Whether its messages are persistent.
    pub durable: bool,
    /// Messages per second.
    pub rate: u32,
    /// Bytes of a body.
    pub size: usize,
    /// Attempts without an answer at a time.
    pub window: usize,
}

/// A consumer of a round.
#[derive(Debug, Clone)]
pub struct Consumer {
    /// Number, from 0.
    pub number: u32,
    /// Queue to get from.
    pub queue: String,
    /// Messages left waiting as long as nothing happened.
    pub backlog: u64,
}

impl Producer {
    /// Puts on the beat until the stage is [`Stage::Rest`]; then waits for the last answers.
    ///
    /// One that is not served by then goes on for a while until it is, so that its outage has an end.
    pub async fn work(self, round: Arc<Round>, driver: Arc<dyn BrokerDriver>) {
        let worker = Worker::Producer(self.number);
        let mut stages = round.stages();
        let mut beat = Beat::new(Instant::now(), self.rate);
        let mut connection = 0;
        let mut refused = None;
        let mut stop_at = None;
        // Ids without an answer, which are sent again on the next connection.
        let mut again = BTreeSet::new();
        loop {
            if *stages.borrow_and_update() >= Stage::Rest {
                let stop_at = *stop_at.get_or_insert_with(|| Instant::now() + LAST_ANSWERS);
                if (round.unserved_ns(worker).is_none() && again.is_empty()) || Instant::now() >= stop_at {
                    break;
                }
            }
            let client = client_name(&round, "p", self.number, connection + 1);
            match driver.producer(client, self.queue.clone()).await {
                Ok(link) => {
                    connection += 1;
                    refused = None;
                    round.note(worker, round.now_ns(), ConnectionChange::Connected);
                    let mut work = Work {
                        connection,
                        round: &round,
                        beat: &mut beat,
                        again: std::mem::take(&mut again),
                        repeated: BTreeSet::new(),
                        unanswered: BTreeSet::new(),
                    };
                    let lost = self.put_on(link, &mut work, &mut stages, &mut stop_at).await;
                    if driver.sends_again() {
                        again = work.again;
                        again.extend(work.unanswered);
                        again.extend(round.abandon(self.number).into_iter().map(|id| id.seq));
                    } else {
                        round.abandon(self.number);
                    }
                    if let Some(lost) = lost {
                        round.note(worker, round.ns(lost.at), ConnectionChange::Lost(lost.cause));
                    }
                }
                Err(error) => {
                    pause(&round, worker, &error, &mut refused, &mut stages).await;
                    self.give_up_slots(&round, &mut beat, Duration::ZERO);
                }
            }
        }
    }

    async fn put_on(
        &self,
        mut link: PutLink,
        work: &mut Work<'_>,
        stages: &mut watch::Receiver<Stage>,
        stop_at: &mut Option<Instant>,
    ) -> Option<Lost> {
        let (connection, round) = (work.connection, work.round);
        let mut open = 0usize;
        loop {
            let stopping = stop_at.is_some();
            if stopping
                && open == 0
                && work.again.is_empty()
                && round.unserved_ns(Worker::Producer(self.number)).is_none()
            {
                return None;
            }
            // Once stopping, only as a question whether it is served.
            let room = if stopping { 1 } else { self.window };
            tokio::select! {
                biased;
                event = link.events.recv() => match event {
                    Some(PutEvent::Outcome { id, outcome, at, .. }) => {
                        open = open.saturating_sub(1);
                        round.outcome(id, outcome, at);
                        work.answered(id.seq, outcome);
                    }
                    Some(PutEvent::Lost(lost)) => return Some(lost),
                    None => return Some(driver_ended()),
                },
                () = until(*stop_at), if stopping => return None,
                _ = stages.changed(), if !stopping => {
                    if *stages.borrow() >= Stage::Rest {
                        *stop_at = Some(Instant::now() + LAST_ANSWERS);
                        // Those of a full window came due all the same.
                        self.give_up_slots(round, work.beat, LATE);
                    }
                }
                room = link.puts.reserve(), if open < room && !work.again.is_empty() => {
                    let Ok(room) = room else {
                        // The reason follows by the other channel.
                        work.unanswered.append(&mut work.again);
                        continue;
                    };
                    if let Some(seq) = work.again.pop_first() {
                        let id = MessageId { producer: self.number, seq };
                        let due = round.ns(work.beat.due_of(seq));
                        let body = round.attempt_again(id, connection, due, self.size);
                        room.send(Put { id, body, durable: self.durable });
                        work.repeated.insert(seq);
                        open += 1;
                    }
                }
                // What is sent again goes first: it would arrive out of order behind later slots.
                () = sleep_until(work.beat.due().into()), if open < room && work.again.is_empty() => {
                    self.give_up_slots(round, work.beat, LATE);
                    while open < room && work.beat.due() <= Instant::now() {
                        let (seq, due) = work.beat.take();
                        let id = MessageId { producer: self.number, seq };
                        let body = round.attempt(id, connection, round.ns(due), self.size);
                        let put = Put { id, body, durable: self.durable };
                        if link.puts.send(put).await.is_err() {
                            // It has not left; the reason for the end comes by the other channel.
                            round.outcome(id, Outcome::NotSent, Instant::now());
                            break;
                        }
                        open += 1;
                    }
                }
            }
        }
    }

    /// Slots that were due more than `late` ago are gone.
    fn give_up_slots(&self, round: &Round, beat: &mut Beat, late: Duration) {
        let now = Instant::now();
        while beat.due() + late < now {
            let (seq, due) = beat.take();
            let id = MessageId {
                producer: self.number,
                seq,
            };
            round.missed(id, due);
        }
    }
}

impl Consumer {
    /// Gets, writes down and accepts until the stage is [`Stage::End`].
    pub async fn work(self, round: Arc<Round>, driver: Arc<dyn BrokerDriver>) {
        let worker = Worker::Consumer(self.number);
        let mut stages = round.stages();
        let mut connection = 0;
        let mut refused = None;
        let mut freed = false;
        while *stages.borrow_and_update() < Stage::End {
            if round.stage().is_still() {
                round.rests(self.number);
                let _ = stages.changed().await;
                continue;
            }
            let client = client_name(&round, "c", self.number, connection + 1);
            match driver.consumer(client, self.queue.clone()).await {
                Ok(link) => {
                    connection += 1;
                    refused = None;
                    let opened = Link {
                        consumer: self.number,
                        connection,
                    };
                    round.connected(opened);
                    if let Some(lost) = self.get_on(link, connection, &round, &mut stages, freed).await {
                        // From here on the backlog is to be had: what waits is what a fault can lose.
                        freed |= round.stage() >= Stage::Fault;
                        round.lost(opened, lost);
                    }
                }
                Err(error) => pause(&round, worker, &error, &mut refused, &mut stages).await,
            }
        }
    }

    async fn get_on(
        &self,
        mut link: GetLink,
        connection: u32,
        round: &Arc<Round>,
        stages: &mut watch::Receiver<Stage>,
        freed: bool,
    ) -> Option<Lost> {
        let mut ready: Option<Delivery> = None;
        loop {
            let stage = *stages.borrow_and_update();
            if stage == Stage::End {
                // Who gets and accepts no more has the driver end the link, behind the last acceptance: without it what was got is not gone.
                drop((link.deliveries, link.accepts));
                let _ = timeout(LAST_ACCEPTANCES, link.lost).await;
                return None;
            }
            // Once the fault was felt, half of what waited shows at once that service is back; the other half stays, so that no
            // consumer goes without because another one took everything.
            let leave = if freed { self.backlog / 2 } else { self.backlog };
            let held = stage < Stage::Hold && round.waiting() <= leave;
            let still = stage.is_still();
            link.wanted
                .send_if_modified(|wanted| std::mem::replace(wanted, !still) == still);
            if still && ready.is_none() && *link.spent.borrow_and_update() {
                round.rests(self.number);
            }
            if !held && let Some(delivery) = ready.take() {
                // Written down first: a message that was accepted and not written down would look lost.
                round.received(self.number, connection, &delivery);
                let _ = link.accepts.send(delivery.token);
                continue;
            }
            tokio::select! {
                biased;
                lost = &mut link.lost => return Some(lost.unwrap_or_else(|_| driver_ended())),
                _ = stages.changed() => {}
                Ok(()) = link.spent.changed(), if still => {}
                () = sleep(Duration::from_millis(1)), if ready.is_some() => {}
                delivery = link.deliveries.recv(), if ready.is_none() => match delivery {
                    Some(delivery) => ready = Some(delivery),
                    // The reason follows by the other channel.
                    None => sleep(Duration::from_millis(1)).await,
                },
            }
        }
    }
}

fn driver_ended() -> Lost {
    let at = Instant::now();
    Lost {
        cause: "the driver ended".into(),
        at,
        heard: at,
    }
}

/// Watches this very process: when a tick comes late, nothing here was measured meanwhile.
pub async fn watch_self(round: Arc<Round>) {
    let mut last = Instant::now();
    while round.stage() < Stage::End {
        sleep(TICK).await;
        let now = Instant::now();
        if now - last > STALL {
            round.stalled(round.ns(last + TICK), round.ns(now));
        }
        last = now;
    }
}

/// What a producer has to do on one connection.
struct Work<'a> {
    connection: u32,
    round: &'a Arc<Round>,
    beat: &'a mut Beat,
    /// Numbers of the messages that are to be sent again.
    again: BTreeSet<u64>,
    /// Numbers of those that were, and have no answer yet.
    repeated: BTreeSet<u64>,
    /// Numbers of those that this connection leaves without an answer.
    unanswered: BTreeSet<u64>,
}

impl Work<'_> {
    /// A message has an outcome; of one that was sent before, its first sending may have arrived whatever became of this one.
    fn answered(&mut self, seq: u64, outcome: Outcome) {
        let was_sent = self.repeated.remove(&seq);
        if outcome == Outcome::Unknown || (outcome == Outcome::NotSent && was_sent) {
            self.unanswered.insert(seq);
        }
    }
}

/// The slots of one producer.
struct Beat {
    start: Instant,
    rate: u32,
    next: u64,
}

impl Beat {
    fn new(start: Instant, rate: u32) -> Self {
        Self {
            start,
            rate: rate.max(1),
            next: 0,
        }
    }

    fn due(&self) -> Instant {
        self.due_of(self.next)
    }

    fn due_of(&self, seq: u64) -> Instant {
        let ns = u128::from(seq) * 1_000_000_000 / u128::from(self.rate);
        self.start + Duration::from_nanos(u64::try_from(ns).unwrap_or(u64::MAX))
    }

    fn take(&mut self) -> (u64, Instant) {
        let slot = (self.next, self.due());
        self.next += 1;
        slot
    }
}

/// A name that no other connection has: a second one of the same name would take over the first.
pub(super) fn client_name(round: &Round, role: &str, number: u32, attempt: u32) -> String {
    let salt: u16 = rand::rng().random();
    format!("mqaws-{}-{role}{number}-{attempt}-{salt:04x}", round.ledger().run())
}

/// Waits for the next attempt; `refused` is when the first of this row was.
async fn pause(
    round: &Round,
    worker: Worker,
    error: &ClientError,
    refused: &mut Option<Instant>,
    stages: &mut watch::Receiver<Stage>,
) {
    round.note(worker, round.now_ns(), ConnectionChange::Refused(error.to_string()));
    let since = refused.get_or_insert_with(Instant::now).elapsed();
    let jitter = rand::rng().random_range(0.8..1.2);
    tokio::select! {
        () = sleep(retry(since).mul_f64(jitter)) => {}
        _ = stages.wait_for(|stage| *stage == Stage::End) => {}
    }
}

/// The pause between two attempts of a client that has been refused for so long.
fn retry(refused: Duration) -> Duration {
    match refused < AT_FIRST {
        true => RETRY_AT_FIRST,
        false => RETRY,
    }
}

async fn until(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_try_often_at_first_and_do_not_go_on_so() {
        for (refused, pause) in [(0, 25), (999, 25), (1000, 100), (600_000, 100)] {
            let of = |millis| Duration::from_millis(millis);
            assert_eq!(retry(of(refused)), of(pause), "{refused}");
        }
    }

    /// What the model calls the way of the test's clients is theirs.
    #[test]
    fn the_model_of_an_outage_knows_how_often_clients_try() {
        let mut refused = Duration::ZERO;
        for pause in crate::topology::bound::RECONNECTS[0].pauses_ms {
            let pause = Duration::from_millis(*pause);
            assert_eq!(retry(refused), pause, "{refused:?}");
            refused += pause;
        }
        assert!(refused > AT_FIRST);
    }
}
