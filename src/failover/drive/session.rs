//! The rounds of a test: load, fault, recovery, drain, marks.

use super::check::EndpointCheck;
use super::depth;
use super::drain::{Drained, drain};
use super::error::FailoverError;
use super::inject::{Injection, inject, verify};
use super::journal::Journal;
use super::load::{Consumer, Producer, watch_self};
use super::port::{Instance, Target, TestBed};
use super::preflight::{self, Planned};
use super::recovery::{Health, Patience, Recovery, recovery, watch_targets};
use super::round::{Round, Stage};
use super::run::{Watch, unix_ns};
use crate::failover::clients::client::{BrokerDriver, CREDIT};
use crate::failover::measure::account::Drain;
use crate::failover::measure::at_rest::{AtRest, Expected};
use crate::failover::measure::gap::Worker;
use crate::failover::measure::id::RunId;
use crate::failover::measure::round_end::RoundEnd;
use crate::failover::report::{Observations, Report, Run, archive, assemble, host};
use crate::failover::scenario::{Pace, Scenario};
use crate::model::agent::AgentStatus;
use crate::remedy::{ExitKind, chain};
use crate::topology::{self, Injector, PlannedMove, Restart};
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// How long the death of a process that clients do not notice is watched.
const AFTER_A_DEATH: Duration = Duration::from_secs(3);

/// A test whose checks are done.
pub(super) struct Session<'a> {
    pub(super) cloud: Arc<dyn TestBed>,
    pub(super) target: Target,
    pub(super) endpoint: String,
    pub(super) pace: Pace,
    pub(super) driver: Arc<dyn BrokerDriver>,
    pub(super) scenario: &'a Scenario,
    pub(super) watch: &'a dyn Watch,
    /// What the mark on the stack says.
    pub(super) holder: String,
    /// The faults, each with who injects it, and those that are left out.
    pub(super) planned: Planned,
}

impl Session<'_> {
    /// All rounds.
    ///
    /// # Errors
    /// [`FailoverError`], when the test cannot go on.
    pub(super) async fn work(
        &self,
        mut instance: Instance,
        mut status: AgentStatus,
        report: &mut Report,
        journal: &mut Journal,
    ) -> Result<(), FailoverError> {
        let cloud = self.cloud.as_ref();
        self.watch.doing("checking the endpoint");
        self.own_messages(&instance, preflight::SHOWN).await?;
        journal.defining_queues()?;
        let mut queue = preflight::queue(cloud, &self.target, &instance.id).await?;
        let check = EndpointCheck {
            cloud,
            driver: self.driver.clone(),
            target: &self.target,
            endpoint: &self.endpoint,
            instance: &instance.id,
            queue: &queue,
            scenario: self.scenario,
            pace: &self.pace,
        };
        let warnings = check.run(&status).await?;
        report.assumptions = self.assumptions(&warnings);
        self.watch.began(report);
        let mut number = 0;
        for &(fault, injector) in &self.planned.0 {
            for _ in 0..self.scenario.rounds.max(1) {
                number += 1;
                if number > 1 {
                    self.watch.doing("waiting until the stack is stable");
                    (instance, status) = preflight::serving(cloud, &self.target, self.pace.recovery_timeout).await?;
                    // A broker may not have noticed yet which consumers are gone, and holds their messages.
                    self.own_messages(&instance, self.pace.drain_timeout).await?;
                    queue = preflight::queue(cloud, &self.target, &instance.id).await?;
                }
                let injection = Injection {
                    fault,
                    injector,
                    time: fault.facts().lasts.time(self.pace.lease),
                    instance: instance.clone(),
                };
                let (run, ledger) = self
                    .round(number, &injection, &status, &queue, warnings.clone(), journal)
                    .await?;
                self.watch.round(&run);
                let down = run.served_after.is_none();
                report.runs.push(run);
                report.ledgers.push(ledger);
                if down {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    async fn own_messages(&self, instance: &Instance, quiet: Duration) -> Result<(), FailoverError> {
        let (cloud, driver) = (self.cloud.as_ref(), self.driver.as_ref());
        preflight::own_messages(cloud, &self.target, &instance.id, driver, &self.endpoint, quiet).await
    }

    async fn round(
        &self,
        number: u32,
        injection: &Injection,
        status: &AgentStatus,
        queue: &str,
        mut warnings: Vec<String>,
        journal: &mut Journal,
    ) -> Result<(Run, Vec<u8>), FailoverError> {
        let (cloud, load, pace) = (self.cloud.as_ref(), &self.scenario.load, &self.pace);
        let (fault, instance) = (injection.fault, &injection.instance);
        let stand = topology::of(self.target.parts.topology).stand(fault);
        let unnoticed = stand.is_some_and(|stand| stand.by == Restart::Unnoticed);
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
        if filled.acked < load.backlog {
            return Err(FailoverError::NoBacklog {
                waiting: filled.acked,
                wanted: load.backlog,
                cause: filled.trouble,
            });
        }
        // What a machine that stood still delayed is not the broker's.
        if round.stalls().is_empty() {
            warnings.extend(filled.short_of(load));
        }
        // Read before anything is broken: clients that were led elsewhere would prove nothing about what is broken here.
        let after_fill = depth::read(cloud, &self.target, &instance.id, queue).await?;
        if after_fill == 0 {
            return Err(FailoverError::Elsewhere {
                queue_manager: self.target.queue_manager.clone(),
                endpoint: self.endpoint.clone(),
                queue: queue.to_owned(),
                acknowledged: filled.acked,
                there: filled.acked,
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
        let takes_capacity = injection.injector == Injector::Operator
            && topology::of(self.target.parts.topology).planned_move() == PlannedMove::Relaunch;
        journal.injecting(injection, takes_capacity)?;
        let waiting_at_fault = round.waiting();
        round.advance(Stage::Fault);
        let injected = match inject(cloud, &self.target, &round, injection).await {
            Err(error)
                if error.exit == ExitKind::Precondition
                    // Once the group may want no instance, no error says that nothing began.
                    && !takes_capacity
                    && matches!(injection.injector, Injector::Agent(_) | Injector::Operator) =>
            {
                journal.refused(injection)?;
                return Err(error.into());
            }
            asked => asked?,
        };
        let (seen, seeing) = watch::channel(injected.seen.clone());
        let workers: Vec<Worker> = (0..producers)
            .map(Worker::Producer)
            .chain((0..load.consumers).map(Worker::Consumer))
            .collect();
        self.watch.doing(&format!("{fault}: waiting for service"));
        crew.others.spawn(verify(
            self.cloud.clone(),
            self.target.clone(),
            injection.clone(),
            every,
            seen,
        ));
        let back = recovery(
            &round,
            &workers,
            load.backlog,
            injected.asked_ns,
            seeing.clone(),
            Patience {
                limit: pace.recovery_timeout,
                unnoticed: match unnoticed {
                    true => injection.time.unwrap_or(AFTER_A_DEATH) + pace.settle,
                    false => pace.recovery_timeout,
                },
                settle: pace.settle,
            },
        )
        .await;
        // An outage that ends with the place says nothing about the queue manager.
        if back == Recovery::Down && self.place_is_gone().await {
            return Err(FailoverError::PlaceGone);
        }
        // A host that comes back while another serves is part of the round: it must not write.
        if let Some(time) = injection.time {
            let over = Duration::from_nanos(injected.answered_ns) + time + pace.settle;
            self.watch.doing(&format!("{fault}: waiting for its end"));
            sleep(over.saturating_sub(Duration::from_nanos(round.now_ns()))).await;
        }
        // What is not seen soon after service is back will not be seen; an ended search ends the wait too.
        let mut late = seeing.clone();
        let _ = timeout(Duration::from_secs(10), late.wait_for(|seen| seen.verified)).await;
        round.ledger().recovered_at(round.now_ns());
        let (hold_ns, waiting) = (round.now_ns(), round.waiting());

        self.watch
            .doing(&format!("{fault}: comparing with the broker's own count"));
        let still = match back {
            // Nobody is served, so nobody can be compared with.
            Recovery::Down => Err("service was not restored".to_owned()),
            Recovery::Back | Recovery::NoEffect => self.stand_still(&round, &producer(producers)).await,
        };
        let load_end_ns = round.now_ns();
        round.advance(Stage::Rest);
        while crew.producers.join_next().await.is_some() {}
        // When somebody was not served, the queue manager may serve others all the same, and then the queue can be emptied.
        let limit = if back == Recovery::Down {
            Duration::ZERO
        } else {
            pace.recovery_timeout
        };
        let after = preflight::serving(cloud, &self.target, limit).await.ok();
        let at_rest = match (still, &after) {
            (Ok(()), Some((instance, _))) => {
                depth::at_rest(cloud, &self.target, &round, &instance.id, queue, pace.drain_timeout).await
            }
            (Err(why), _) => AtRest::Unread(why),
            (Ok(()), None) => AtRest::Unread("no instance is in service".into()),
        };
        self.watch.doing(&format!("{fault}: emptying the queue"));
        let drain_ns = round.now_ns();
        round.advance(Stage::Drain);
        let drained = match &after {
            Some((instance, _)) => drain(cloud, &self.target, &round, &instance.id, queue, pace, every).await,
            None => Drained {
                drain: Drain::Incomplete,
                depth: None,
                trouble: None,
            },
        };
        if let Some(trouble) = &drained.trouble {
            warnings.push(format!("the depth of {queue} could not be read: {trouble}"));
        }
        // Whoever took the mark away may have taken the queue too, and then what did not come was not lost.
        match self.is_ours().await {
            Ok(true) => {}
            Ok(false) => return Err(self.turn_lost()),
            Err(error) => warnings.push(format!(
                "could not determine whether another user interfered: {}",
                chain(&error)
            )),
        }
        let finish = RoundEnd {
            hold_ns,
            waiting,
            load_ns: load_end_ns,
            drain_ns,
            emptied_ns: round.now_ns(),
            left: drained.depth.is_some_and(|depth| depth > 0),
        };
        round.advance(Stage::End);
        while crew.others.try_join_next().is_some() {}

        for one in journal.heal_lasting(cloud, &self.target).await? {
            warnings.push(format!("not healed: {one}"));
        }
        self.watch.doing(&format!("{fault}: collecting marks"));
        let clock = injected.clock(unix_ns(round.started_at()), self.target.lab.is_some());
        let since = clock.unix_ns(injected.asked_ns).saturating_sub(60_000_000_000);
        let mut marks = Vec::new();
        let elsewhere = stand.is_some_and(|stand| stand.by == Restart::Elsewhere);
        let mut hosts = vec![&instance.id];
        hosts.extend(
            after
                .as_ref()
                .map(|(instance, _)| &instance.id)
                .filter(|id| **id != instance.id),
        );
        for host in hosts {
            match cloud.marks(&self.target, host, since).await {
                // The first marks of an agent come before it knows where it is.
                Ok(more) => marks.extend(more.into_iter().map(|mut one| {
                    if one.instance.is_empty() {
                        one.instance = host.to_string();
                    }
                    one
                })),
                // An instance that is gone takes its marks with it.
                Err(_) if *host == instance.id && elsewhere => {}
                Err(error) => warnings.push(format!("no marks of {host}: {}", chain(&error))),
            }
        }
        let health = health.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let seen = seeing.borrow().clone();
        let ends = finish.ends(
            &round.ledger(),
            &workers,
            |worker| round.last_ok_ns(worker),
            |worker| round.unserved_ns(worker),
        );
        let ledger = archive::entry(&round.ledger(), drained.drain);
        let run = assemble(&Observations {
            number,
            topology: self.target.parts.topology,
            fault: injected.record(fault, &seen, &clock),
            before: host(status),
            after: after.as_ref().map(|(_, status)| host(status)),
            ledger: &round.ledger(),
            notes: &round.notes(),
            stalls: &round.stalls(),
            receipts: round.receipts(),
            waiting: waiting_at_fault,
            drain: drained.drain,
            left: drained.depth,
            queue_manager: &self.target.queue_manager,
            endpoint: &self.endpoint,
            queue,
            after_fill,
            at_rest,
            served: back == Recovery::Back,
            marks,
            clock,
            health,
            load_ns: load_end_ns,
            ends,
            load,
            limits: &self.scenario.limits,
            warnings,
            advice: self.driver.advice(),
        });
        Ok((run, ledger))
    }

    /// Brings the consumers to rest while producers go on, so that at least one message waits that must be there.
    async fn stand_still(&self, round: &Arc<Round>, topping: &Producer) -> Result<(), String> {
        round.advance(Stage::Hold);
        let (load, limit) = (&self.scenario.load, self.pace.drain_timeout);
        let consumers = load.consumers as usize;
        let still = async {
            // Consumers rest once they had all that the broker was allowed to send them: a slow load would take minutes for that.
            let wanted = u64::from(load.consumers) * u64::from(CREDIT) + 1;
            let a_second = u64::from(load.producers + load.non_persistent_producers) * u64::from(load.rate);
            if round.waiting() + a_second < wanted {
                // What cannot be put shows below: the consumers do not come to rest.
                topping.fill(wanted, round, self.driver.as_ref(), limit).await;
            }
            while round.resting() < consumers || round.waiting() == 0 || Expected::by(&round.ledger()).least == 0 {
                sleep(Duration::from_millis(20)).await;
            }
        };
        let late = |_| {
            format!(
                "within {} s the consumers did not become idle with messages waiting: increase --backlog or --drain-timeout",
                limit.as_secs()
            )
        };
        timeout(limit, still).await.map_err(late)
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
