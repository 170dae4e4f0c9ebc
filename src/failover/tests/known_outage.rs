//! Tests of clients and load against the fake broker on a real socket: outages and defects that are known must be measured as what they are.

use super::fake_broker::{BrokerDefect, FakeBroker};
use crate::failover::clients::amqp::{Amqp10, AmqpTimes};
use crate::failover::clients::client::{BrokerDriver, ClientError};
use crate::failover::drive::load::{Consumer, Producer, watch_self};
use crate::failover::drive::round::{Round, Stage};
use crate::failover::measure::account::{Account, Drain};
use crate::failover::measure::connection::ConnectionChange;
use crate::failover::measure::gap::{self, Outage, Worker};
use crate::failover::measure::id::RunId;
use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

const QUEUE: &str = "MQAWS.PROBE.TEST";
const DEADLINE: Duration = Duration::from_secs(30);

fn client(broker: &FakeBroker, password: &str) -> Arc<dyn BrokerDriver> {
    let address = broker.address();
    Arc::new(Amqp10::new(
        address.ip().to_string(),
        address.port(),
        "app",
        password.to_owned().into(),
        AmqpTimes::default(),
    ))
}

fn producer(number: u32) -> Producer {
    Producer {
        number,
        queue: QUEUE.into(),
        durable: true,
        rate: 200,
        size: 256,
        window: 100,
    }
}

async fn wait_for(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !done() {
        assert!(Instant::now() < deadline, "{what}: not within {DEADLINE:?}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

struct Crew {
    round: Arc<Round>,
    workers: JoinSet<()>,
}

/// Two producers and some consumers, with some messages waiting.
async fn crew(broker: &FakeBroker, consumers: u32, backlog: u64) -> Crew {
    let round = Arc::new(Round::new(RunId(77), &[true, true], Duration::from_secs(30)));
    let driver = client(broker, "secret");
    let mut workers = JoinSet::new();
    for number in 0..2 {
        workers.spawn(producer(number).work(round.clone(), driver.clone()));
    }
    for number in 0..consumers {
        let consumer = Consumer {
            number,
            queue: QUEUE.into(),
            backlog,
        };
        workers.spawn(consumer.work(round.clone(), driver.clone()));
    }
    workers.spawn(watch_self(round.clone()));
    wait_for("traffic before the fault", || round.ledger().received() > 200).await;
    Crew { round, workers }
}

impl Crew {
    async fn finish(mut self, broker: &FakeBroker) -> (Account, Arc<Round>) {
        self.round.advance(Stage::Drain);
        let idle = Instant::now() + Duration::from_millis(600);
        wait_for("empty queue", || {
            broker.depth(QUEUE) == 0 && (self.round.waiting() == 0 || Instant::now() > idle)
        })
        .await;
        self.round.advance(Stage::End);
        while self.workers.join_next().await.is_some() {}
        let account = Account::of(&self.round.ledger(), Drain::IdleOut);
        (account, self.round)
    }

    fn outages(&self, fault_ns: u64) -> Vec<Outage> {
        let (ns, ledger) = (self.round.now_ns(), self.round.ledger());
        let workers = [Worker::Producer(0), Worker::Producer(1), Worker::Consumer(0)];
        let last_pause = gap::LastPause::Idle;
        gap::outages(
            &ledger,
            &workers
                .map(|worker| (worker, gap::ObservationEnd { ns, last_pause }))
                .into(),
            &[],
            fault_ns,
        )
    }
}

/// A turn that came later than this shows in what is measured.
const LATE: Duration = Duration::from_millis(30);

/// How late this process came to its turns, at worst, until it is dropped.
struct Lateness {
    worst_ns: Arc<AtomicU64>,
    watch: tokio::task::JoinHandle<()>,
}

impl Lateness {
    fn watch() -> Self {
        let worst_ns = Arc::<AtomicU64>::default();
        let seen = worst_ns.clone();
        let watch = tokio::spawn(async move {
            loop {
                let due = Instant::now() + Duration::from_millis(5);
                tokio::time::sleep_until(due.into()).await;
                seen.fetch_max(due.elapsed().as_nanos() as u64, Ordering::Relaxed);
            }
        });
        Self { worst_ns, watch }
    }

    fn worst(&self) -> Duration {
        Duration::from_nanos(self.worst_ns.load(Ordering::Relaxed))
    }
}

impl Drop for Lateness {
    fn drop(&mut self) {
        self.watch.abort();
    }
}

/// The one test that looks at times: the yardstick itself. Down for exactly a second must read as a second.
///
/// A machine that does not let this process run lengthens what it measures; then it is measured again. An outage that reads
/// shorter than it was is wrong on every machine.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outage_of_one_second_reads_as_one_second() {
    const TRIES: u32 = 10;
    for _ in 0..TRIES {
        let late = one_second().await;
        if late <= LATE {
            return;
        }
        println!("once more: this machine let the test wait for {late:?}");
    }
    // not through the macros, which the test harness captures
    let why = "this machine let the test wait each time; only that no outage reads too short was seen";
    let _ = writeln!(
        std::io::stderr(),
        "SKIPPED an_outage_of_one_second_reads_as_one_second: {why}"
    );
}

/// Returns how late this process came to its turns; only when it did not come late, the outage was judged in full.
async fn one_second() -> Duration {
    let broker = FakeBroker::start(BrokerDefect::None);
    let lateness = Lateness::watch();
    let crew = crew(&broker, 1, 50).await;
    let fault = crew.round.now_ns();
    crew.round.ledger().fault_at(fault);
    crew.round.advance(Stage::Fault);
    let began = Instant::now();
    broker.kill();
    let down = Instant::now();
    tokio::time::sleep(Duration::from_secs(1).saturating_sub(began.elapsed())).await;
    let at_least = down.elapsed().as_secs_f64();
    broker.boot();
    let seen = crew.round.ledger().received() + 300;
    wait_for("traffic after the fault", || crew.round.ledger().received() > seen).await;

    let outages = crew.outages(fault);
    assert_eq!(outages.len(), 3);
    let late = lateness.worst();
    let calm = late <= LATE;
    for outage in &outages {
        assert!(outage.recovered() && (outage.counts() || !calm), "{outage:?}");
        let seconds = outage.gap_ns as f64 / 1e9;
        // A consumer still takes what was on its way when the broker died.
        assert!(seconds > at_least - 0.05 || !calm, "{}: {seconds:.3} s", outage.worker);
        assert!(seconds <= 1.4 || !calm, "{}: {seconds:.3} s", outage.worker);
    }
    let rto = gap::worst(&outages).unwrap().gap_ns as f64 / 1e9;
    // An answer that was read late came before.
    assert!(rto >= at_least - late.as_secs_f64(), "{rto:.3} s of {at_least:.3} s");
    assert!(rto <= 1.4 || !calm, "{rto:.3} s");

    let (account, round) = crew.finish(&broker).await;
    assert_eq!(account.lost, Some(0), "{account:?}");
    assert!(
        account.persistent.not_sent > 100,
        "slots of the outage are written down: {account:?}"
    );
    assert!(account.persistent.recovered + account.persistent.vanished == account.persistent.unknown);
    let lost = |worker| {
        round
            .notes()
            .iter()
            .any(|note| note.worker == worker && matches!(note.what, ConnectionChange::Lost(_)))
    };
    assert!(lost(Worker::Producer(0)) && lost(Worker::Producer(1)) && lost(Worker::Consumer(0)));
    late
}

/// Each defect of a broker must show as what it is, every time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_defect_is_found() {
    for defect in [
        BrokerDefect::None,
        BrokerDefect::AckEarly,
        BrokerDefect::Lose,
        BrokerDefect::Duplicate,
        BrokerDefect::Reorder,
    ] {
        let broker = FakeBroker::start(defect);
        let crew = crew(&broker, 2, 150).await;
        // Order and repetition need no fault to show.
        wait_for("messages before the fault", || crew.round.ledger().received() > 600).await;
        let before = crew.round.ledger().tally().clone();
        let found = (before.extra_unexplained > 0, before.reordered > 0);
        let expected = (defect == BrokerDefect::Duplicate, defect == BrokerDefect::Reorder);
        assert_eq!(found, expected, "{defect:?} before the fault: {before:?}");
        crew.round.advance(Stage::Fault);
        broker.kill();
        broker.boot();
        let seen = crew.round.ledger().acked() + 300;
        wait_for("traffic after the fault", || crew.round.ledger().acked() > seen).await;
        let (account, _) = crew.finish(&broker).await;
        let (lost, tally) = (account.lost.unwrap(), &account.tally);
        let found = (lost > 0, tally.extra_unexplained > 0, tally.reordered > 0);
        let expected = match defect {
            BrokerDefect::None | BrokerDefect::Weaken => (false, false, false),
            BrokerDefect::AckEarly | BrokerDefect::Lose | BrokerDefect::Swallow => (true, false, false),
            BrokerDefect::Duplicate => (false, true, false),
            BrokerDefect::Reorder => (false, false, true),
        };
        assert_eq!(found, expected, "{defect:?}: {account:?}");
        assert_eq!(tally.not_durable, 0);
    }
}

#[tokio::test]
async fn refusals_say_what_is_wrong() {
    let broker = FakeBroker::start(BrokerDefect::None);
    let wrong = client(&broker, "guess")
        .producer("a".into(), QUEUE.into())
        .await
        .unwrap_err();
    assert!(matches!(wrong, ClientError::Refused { .. }), "{wrong}");
    assert!(!format!("{wrong:?}").contains("guess"));
    broker.kill();
    let gone = client(&broker, "secret")
        .consumer("b".into(), QUEUE.into())
        .await
        .unwrap_err();
    assert!(matches!(gone, ClientError::Unreachable { .. }), "{gone}");
}

/// The backlog is put without a beat, and what is not acknowledged is not counted.
#[tokio::test]
async fn the_backlog_is_filled() {
    let broker = FakeBroker::start(BrokerDefect::None);
    let round = Arc::new(Round::new(RunId(78), &[true], Duration::from_secs(1)));
    let driver = client(&broker, "secret");
    let began = Instant::now();
    let filled = producer(0).fill(500, &round, driver.as_ref(), DEADLINE).await;
    // Without the time that the connection took.
    let whole = 500.0 / began.elapsed().as_secs_f64();
    assert!(filled.a_second.is_some_and(|a_second| a_second >= whole), "{filled:?}");
    assert_eq!((filled.acked, broker.depth(QUEUE), round.waiting()), (500, 500, 500));
}
