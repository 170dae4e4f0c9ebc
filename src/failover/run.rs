//! A whole test from the first question to the last clean-up.

use super::amqp::{Amqp10, AmqpTimes};
use super::assemble::{Remains, assemble, host, rfc3339};
use super::client::Driver;
use super::drain::drain;
use super::error::FailoverError;
use super::gap::Worker;
use super::id::RunId;
use super::inject::{inject, verify};
use super::journal::{Journal, explain};
use super::load::{Consumer, Producer, watch_self};
use super::phases::Clock;
use super::port::{Cloud, Credentials, Instance, Target};
use super::preflight;
use super::recovery::{Health, Recovery, recovery, watch_targets};
use super::report::{DriverInfo, Engine, Place, Report, Run, SCHEMA, Summary};
use super::round::{Round, Stage};
use super::scenario::{Fault, Pace, Scenario};
use super::verdict::Verdict;
use crate::model::agent::AgentStatus;
use std::path::Path;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, SystemTime};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// Follows a test as it goes; every method does nothing unless written.
pub trait Watch: Send + Sync {
    /// What is going on now, for a line that moves.
    fn doing(&self, _what: &str) {}

    /// The checks are done and the load is about to begin; `report` has no runs yet.
    fn began(&self, _report: &Report) {}

    /// A round is done.
    fn round(&self, _run: &Run) {}
}

/// Follows nothing.
impl Watch for () {}

/// Turns true when the user wants to stop.
pub type Stop = watch::Receiver<bool>;

/// A wish to stop that never comes.
#[must_use]
pub fn never() -> Stop {
    watch::channel(false).1
}

/// Makes a client of an endpoint.
pub(super) type Dial = dyn Fn(&str, &Credentials) -> Arc<dyn Driver> + Send + Sync;

/// Runs a test: all faults, all rounds, one after the other, and cleans up whatever happens.
///
/// The report holds the verdict; an error means that the test did not run to its end. When an error comes after whole rounds, they
/// are lost with it.
///
/// # Errors
/// [`FailoverError`]: guards, endpoint, calls that failed, [`FailoverError::Interrupted`] when `stop` turned true.
pub async fn run(
    cloud: Arc<dyn Cloud>,
    scenario: &Scenario,
    watch: &dyn Watch,
    stop: Stop,
) -> Result<Report, FailoverError> {
    run_with(cloud, scenario, watch, stop, &|endpoint, credentials| {
        let (host, port) = split(endpoint);
        Arc::new(Amqp10::new(
            host,
            port,
            credentials.username.clone(),
            credentials.password.clone(),
            AmqpTimes::default(),
        ))
    })
    .await
}

pub(super) async fn run_with(
    cloud: Arc<dyn Cloud>,
    scenario: &Scenario,
    watch: &dyn Watch,
    stop: Stop,
    dial: &Dial,
) -> Result<Report, FailoverError> {
    watch.doing("reading the stack");
    let target = cloud.target(&scenario.stack).await?;
    preflight::guard(cloud.as_ref(), &target, &scenario.consent).await?;
    let endpoint = scenario
        .amqp
        .clone()
        .or_else(|| target.amqp.clone())
        .ok_or_else(|| FailoverError::NoAmqp {
            stack: target.stack.clone(),
        })?;
    let pace = match &target.lab {
        Some(lab) if lab.timing == "fast" => Pace::lab_fast(),
        _ => Pace::default(),
    }
    .with(&scenario.times);
    let (instance, status) = preflight::serving(cloud.as_ref(), &target, Duration::ZERO).await?;
    preflight::foreign(&target, &status, &scenario.consent)?;
    let credentials = cloud.credentials(&target).await?;
    let driver = dial(&endpoint, &credentials);
    let holder = format!("{} since {}", whoami(), rfc3339(unix_ns(SystemTime::now())));
    let mut journal = Journal::begin(scenario.journal.as_deref(), &scenario.stack, &holder)?;
    if let Some(holder) = cloud.take_turn(&target, &holder).await? {
        return Err(FailoverError::Busy {
            stack: target.stack.clone(),
            holder,
        });
    }
    let session = Session {
        cloud,
        target,
        endpoint,
        pace,
        driver,
        scenario,
        watch,
    };
    let mut stopped = stop.clone();
    let result = tokio::select! {
        result = session.work(instance, status, &mut journal) => result,
        Ok(_) = stopped.wait_for(|stop| *stop) => Err(FailoverError::Interrupted { left: None }),
    };
    watch.doing("cleaning up");
    let left = session.clean_up(&mut journal).await;
    match result {
        Err(FailoverError::Interrupted { .. }) => Err(FailoverError::Interrupted {
            left: (!left.is_empty()).then(|| left.join("; ")),
        }),
        Ok(mut report) => {
            if !left.is_empty() {
                report.assumptions.push(format!("not cleaned up: {}", left.join("; ")));
            }
            Ok(report)
        }
        Err(error) => Err(error),
    }
}

/// Undoes what a broken-off test left on a stack: its queues, its mark, its journal. Returns what could not be undone.
///
/// Works without the journal too; then whoever marked the stack loses the mark, so ask the user first.
///
/// # Errors
/// [`FailoverError::Cloud`] when the stack cannot be read, [`FailoverError::Journal`] when the journal cannot.
pub async fn heal(cloud: &dyn Cloud, stack: &str, journal: Option<&Path>) -> Result<Vec<String>, FailoverError> {
    let found = journal
        .map(Journal::read)
        .transpose()?
        .flatten()
        .filter(|journal| journal.stack == stack);
    let target = cloud.target(stack).await?;
    let mut journal = match found {
        Some(journal) => journal,
        // An empty name is the beginning of every name.
        None => Journal::begin(None, stack, "")?,
    };
    journal.probe_queues = true;
    let serving = preflight::serving(cloud, &target, Duration::ZERO).await.ok();
    Ok(journal
        .undo(
            cloud,
            &target,
            serving.as_ref().map(|(instance, _)| instance.id.as_str()),
        )
        .await)
}

struct Session<'a> {
    cloud: Arc<dyn Cloud>,
    target: Target,
    endpoint: String,
    pace: Pace,
    driver: Arc<dyn Driver>,
    scenario: &'a Scenario,
    watch: &'a dyn Watch,
}

impl Session<'_> {
    async fn work(
        &self,
        mut instance: Instance,
        mut status: AgentStatus,
        journal: &mut Journal,
    ) -> Result<Report, FailoverError> {
        let cloud = self.cloud.as_ref();
        self.watch.doing("checking the endpoint");
        journal.defining_queues()?;
        let mut queue = preflight::queue(cloud, &instance.id).await?;
        let warnings = preflight::check(
            self.driver.as_ref(),
            &self.endpoint,
            &queue,
            self.scenario,
            &self.pace,
            status.fsync_millis,
        )
        .await?;
        let mut report = self.report(&status, &warnings);
        self.watch.began(&report);
        let mut number = 0;
        for &fault in &self.scenario.faults {
            for _ in 0..self.scenario.rounds.max(1) {
                number += 1;
                if number > 1 {
                    self.watch.doing("waiting for the stack to settle");
                    (instance, status) = preflight::serving(cloud, &self.target, self.pace.recovery_timeout).await?;
                    queue = preflight::queue(cloud, &instance.id).await?;
                }
                let run = self
                    .round(number, fault, &instance, &status, &queue, warnings.clone(), journal)
                    .await?;
                self.watch.round(&run);
                let down = run.served_after.is_none();
                report.runs.push(run);
                if down {
                    report.conclude();
                    return Ok(report);
                }
            }
        }
        report.conclude();
        Ok(report)
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of a round, each used once")]
    async fn round(
        &self,
        number: u32,
        fault: Fault,
        instance: &Instance,
        status: &AgentStatus,
        queue: &str,
        mut warnings: Vec<String>,
        journal: &mut Journal,
    ) -> Result<Run, FailoverError> {
        let (cloud, load, pace) = (self.cloud.as_ref(), &self.scenario.load, &self.pace);
        let producers = load.producers + load.non_persistent_producers;
        // The books: persistent producers, the others, then the backlog's own.
        let persistent: Vec<bool> = (0..=producers)
            .map(|number| number < load.producers || number == producers)
            .collect();
        let round = Arc::new(Round::new(RunId(rand::random()), &persistent, pace.keep));
        // Whatever way this function is left, the workers end with it.
        let mut crew = Crew {
            round: round.clone(),
            producers: JoinSet::new(),
            others: JoinSet::new(),
        };
        crew.others.spawn(watch_self(round.clone()));

        self.watch
            .doing(&format!("{fault}: {} messages of backlog", load.backlog));
        let producer = |number: u32| Producer {
            number,
            queue: queue.to_owned(),
            durable: persistent[number as usize],
            rate: load.rate,
            size: load.size,
            window: load.window,
        };
        let filled = producer(producers)
            .fill(load.backlog, &round, self.driver.as_ref(), pace.drain_timeout)
            .await;
        let waiting = filled.map_err(|cause| FailoverError::Endpoint {
            endpoint: self.endpoint.clone(),
            cause,
        })?;
        if waiting < load.backlog {
            return Err(FailoverError::NoBacklog {
                waiting,
                wanted: load.backlog,
            });
        }
        for number in 0..load.consumers {
            let consumer = Consumer {
                number,
                queue: queue.to_owned(),
                backlog: load.backlog,
            };
            crew.others.spawn(consumer.work(round.clone(), self.driver.clone()));
        }
        for number in 0..producers {
            crew.producers
                .spawn(producer(number).work(round.clone(), self.driver.clone()));
        }
        self.watch.doing(&format!("{fault}: load before the fault"));
        sleep(pace.baseline).await;

        let every = if self.target.lab.is_some() {
            Duration::from_millis(100)
        } else {
            Duration::from_secs(1)
        };
        let health = Health::default();
        let watched = watch_targets(
            self.cloud.clone(),
            self.target.clone(),
            round.clone(),
            every,
            health.clone(),
        );
        crew.others.spawn(watched);
        self.watch.doing(&format!("{fault}: injecting"));
        journal.injecting(fault.name(), &instance.id)?;
        round.advance(Stage::Fault);
        let injected = inject(cloud, &round, fault, instance).await?;
        let (seen, seeing) = watch::channel(injected.seen.clone());
        let workers: Vec<Worker> = (0..producers)
            .map(Worker::Producer)
            .chain((0..load.consumers).map(Worker::Consumer))
            .collect();
        self.watch.doing(&format!("{fault}: waiting for service"));
        crew.others.spawn(verify(
            self.cloud.clone(),
            self.target.clone(),
            fault,
            instance.clone(),
            every,
            seen,
        ));
        let back = recovery(
            &round,
            &workers,
            injected.asked_ns,
            seeing.clone(),
            pace.recovery_timeout,
            pace.settle,
        )
        .await;
        // What is not seen soon after service is back will not be seen; an ended search ends the wait too.
        let mut late = seeing.clone();
        let _ = timeout(Duration::from_secs(10), late.wait_for(|seen| seen.verified)).await;
        round.ledger().recovered_at(round.now_ns());
        let load_end_ns = round.now_ns();
        round.advance(Stage::Recovered);

        self.watch.doing(&format!("{fault}: emptying the queue"));
        round.advance(Stage::Drain);
        while crew.producers.join_next().await.is_some() {}
        // When somebody was not served, the queue manager may serve others all the same, and then the queue can be emptied.
        let limit = if back == Recovery::Down {
            Duration::ZERO
        } else {
            pace.recovery_timeout
        };
        let after = preflight::serving(cloud, &self.target, limit).await.ok();
        let drained = match &after {
            Some((instance, _)) => drain(cloud, &round, &instance.id, queue, pace, every).await,
            None => super::drain::Drained {
                drain: super::account::Drain::Incomplete,
                depth: None,
                trouble: None,
            },
        };
        if let Some(trouble) = &drained.trouble {
            warnings.push(format!("the depth of {queue} could not be read: {trouble}"));
        }
        round.advance(Stage::End);
        while crew.others.try_join_next().is_some() {}

        self.watch.doing(&format!("{fault}: collecting marks"));
        let clock = self.clock(&round, &injected);
        let since = clock.unix_ns(injected.asked_ns).saturating_sub(60_000_000_000);
        let mut marks = Vec::new();
        let mut hosts = vec![instance.id.as_str()];
        hosts.extend(
            after
                .as_ref()
                .map(|(instance, _)| instance.id.as_str())
                .filter(|id| *id != instance.id),
        );
        for host in hosts {
            match cloud.marks(host, since).await {
                Ok(more) => marks.extend(more),
                // A terminated instance takes its marks with it.
                Err(_) if host == instance.id && !fault.by_agent() => {}
                Err(error) => warnings.push(format!("no marks of {host}: {}", explain(&error))),
            }
        }
        let health = health.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let seen = seeing.borrow().clone();
        Ok(assemble(
            &round,
            Remains {
                number,
                fault,
                injected,
                seen,
                before: host(status),
                after: after.as_ref().map(|(_, status)| host(status)),
                drain: drained.drain,
                marks,
                clock,
                health,
                load_end_ns,
                load,
                limits: &self.scenario.limits,
                warnings,
            },
        ))
    }

    /// In a lab all hosts share this machine's clock. Elsewhere both are taken to follow the time; when the fault's own mark does not fit
    /// between question and answer, the difference is what is known.
    fn clock(&self, round: &Round, injected: &super::inject::Injected) -> Clock {
        let origin_unix_ns = unix_ns(round.started_at());
        if self.target.lab.is_some() {
            return Clock {
                origin_unix_ns,
                uncertainty_ns: 1_000_000,
            };
        }
        let assumed = Clock {
            origin_unix_ns,
            uncertainty_ns: 100_000_000,
        };
        let Some(unix) = injected.unix_ns else { return assumed };
        let at = assumed.round_ns(unix);
        let (asked, answered) = (injected.asked_ns as i64, injected.answered_ns as i64);
        if (asked..=answered).contains(&at) {
            return assumed;
        }
        let middle = asked + (answered - asked) / 2;
        Clock {
            origin_unix_ns: origin_unix_ns + (at - middle),
            uncertainty_ns: (answered - asked).unsigned_abs() / 2,
        }
    }

    fn report(&self, status: &AgentStatus, warnings: &[String]) -> Report {
        let lab = self.target.lab.as_ref();
        Report {
            schema: SCHEMA.into(),
            mqaws_version: env!("CARGO_PKG_VERSION").into(),
            started_at: rfc3339(unix_ns(SystemTime::now())),
            place: Place {
                kind: if lab.is_some() { "lab" } else { "aws" }.into(),
                timing: lab.map(|lab| lab.timing.clone()),
                region: self.target.region.clone(),
                account: self.target.account.clone(),
                stack: self.target.stack.clone(),
                endpoint: self.endpoint.clone(),
            },
            engine: Engine {
                queue_manager: self.target.queue_manager.clone(),
                version: status.engine_version.clone(),
                stand_in: status.stand_in,
                agent_version: status.agent_version.clone(),
            },
            driver: DriverInfo {
                name: self.driver.name().into(),
                caveat: self.driver.caveat().into(),
            },
            load: self.scenario.load.clone(),
            limits: self.scenario.limits.clone(),
            runs: Vec::new(),
            summary: Summary::default(),
            assumptions: self.assumptions(warnings),
            not_shown: self.not_shown(status),
            verdict: Verdict::Inconclusive,
            exit_code: 20,
        }
    }

    fn assumptions(&self, warnings: &[String]) -> Vec<String> {
        let mut list = vec![
            format!(
                "what did not come within {} s of an empty queue is lost",
                self.pace.drain_idle.as_secs()
            ),
            "the test's queues have no backout queue, so nothing of it is in one".to_owned(),
        ];
        if self.target.lab.is_none() {
            list.push(
                "the instances' clocks and this one follow the time to 100 ms; only the parts of the RTO depend on it"
                    .into(),
            );
        }
        list.extend(warnings.iter().cloned());
        list
    }

    fn not_shown(&self, status: &AgentStatus) -> Vec<String> {
        let mut list = vec![
            "one round shows that it can work, not how often".to_owned(),
            "loss of a zone, of the storage or of the region; faults that were not injected".into(),
        ];
        if !self.driver.caveat().is_empty() {
            list.push(self.driver.caveat().into());
        }
        if self.target.lab.is_some() {
            list.push("AWS: no EC2 launch, no load balancer's registration delay; processes on one machine, which lose no unsynced page when killed".into());
        }
        if status.stand_in {
            list.push("IBM MQ: a stand-in served in its place".into());
        }
        list
    }

    /// Undoes what was changed, within a bounded time; returns what is left.
    async fn clean_up(&self, journal: &mut Journal) -> Vec<String> {
        let work = async {
            let serving = preflight::serving(self.cloud.as_ref(), &self.target, Duration::from_secs(30))
                .await
                .ok();
            let instance = serving.as_ref().map(|(instance, _)| instance.id.as_str());
            journal.undo(self.cloud.as_ref(), &self.target, instance).await
        };
        timeout(Duration::from_secs(120), work)
            .await
            .unwrap_or_else(|_| vec!["queues MQAWS.PROBE.*: no answer within 120 s".into()])
    }
}

/// The workers of a round; they end when this is dropped.
struct Crew {
    round: Arc<Round>,
    producers: JoinSet<()>,
    others: JoinSet<()>,
}

impl Drop for Crew {
    fn drop(&mut self) {
        self.round.advance(Stage::End);
    }
}

fn split(endpoint: &str) -> (String, u16) {
    let plain = endpoint
        .strip_prefix("amqp://")
        .unwrap_or(endpoint)
        .trim_end_matches('/');
    match plain.rsplit_once(':') {
        Some((host, port)) => (host.trim_matches(['[', ']']).to_owned(), port.parse().unwrap_or(5672)),
        None => (plain.to_owned(), 5672),
    }
}

fn unix_ns(at: SystemTime) -> i64 {
    let since = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}

fn whoami() -> String {
    let user = std::env::var("USER")
        .or_else(|_| std::env::var("LOGNAME"))
        .unwrap_or_else(|_| "somebody".into());
    format!("{user} process {}", std::process::id())
}
