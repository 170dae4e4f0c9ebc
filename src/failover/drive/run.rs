//! A whole test from the first question to the last clean-up.

use super::error::{FailoverError, injected};
use super::holder::{self, Holder, Life};
use super::journal::{Journal, is_gone};
use super::plan::Plan;
use super::port::{Credentials, Instance, Target, TestBed, Turn};
use super::preflight::{self, Planned};
use super::session::Session;
use super::turn::CleanUp;
use crate::failover::clients::client::BrokerDriver;
use crate::failover::clients::dial::driver;
use crate::failover::clients::endpoint::AmqpEndpoint;
use crate::failover::report::{Report, Run, rfc3339};
use crate::failover::scenario::{Pace, Scenario};
use crate::model::InstanceId;
use crate::model::agent::AgentStatus;
use crate::remedy::{Remedy, chain};
use jiff::Timestamp;
use mqaws_contract::FaultOrder;
use mqaws_contract::verb::Class;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::watch;
use tokio::time::sleep;

/// Between two attempts to heal.
const AGAIN: Duration = Duration::from_secs(1);

/// Follows a test as it goes; every method does nothing unless written.
pub trait Watch: Send + Sync {
    /// What is going on now, for a line that moves.
    fn doing(&self, _what: &str) {}

    /// The checks are done and the load is about to begin; `report` has no runs yet.
    fn began(&self, _report: &Report) {}

    /// A round is done.
    fn round(&self, _run: &Run) {}

    /// The test ends with an error; the report has the rounds that were done before it, which may be none.
    fn broken_off(&self, _report: &Report) {}
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
pub(crate) type ConnectDriver =
    dyn Fn(&AmqpEndpoint, &Credentials) -> Result<Arc<dyn BrokerDriver>, FailoverError> + Send + Sync;

/// Runs a test: all faults, all rounds, one after the other, and cleans up whatever happens.
///
/// The report holds the verdict; an error means that the test did not run to its end. What was done by then goes to
/// [`Watch::broken_off`].
///
/// # Errors
/// [`FailoverError`]: guards, endpoint, calls that failed, [`FailoverError::Interrupted`] when `stop` turned true.
pub async fn run(
    cloud: Arc<dyn TestBed>,
    scenario: &Scenario,
    watch: &dyn Watch,
    stop: Stop,
) -> Result<Report, FailoverError> {
    run_with(cloud, scenario, watch, stop, &dial(scenario)).await
}

/// What a test would do, consent apart: what [`run()`] finds out before it changes anything, for a user who is asked only then.
///
/// # Errors
/// [`FailoverError`] when it could not begin; nothing was changed.
pub async fn plan(cloud: &dyn TestBed, scenario: &Scenario) -> Result<Plan, FailoverError> {
    let found = preflight(cloud, scenario, &dial(scenario)).await?;
    let lease = pace(&found.target, scenario).lease;
    Ok(Plan::of(
        &found.target,
        &found.instance,
        &found.planned,
        lease,
        scenario.rounds,
    ))
}

/// How long things take there.
fn pace(target: &Target, scenario: &Scenario) -> Pace {
    match &target.lab {
        Some(lab) if lab.timing == "fast" => Pace::lab_fast(),
        _ => Pace::default(),
    }
    .with(&scenario.times)
}

fn dial(
    scenario: &Scenario,
) -> impl Fn(&AmqpEndpoint, &Credentials) -> Result<Arc<dyn BrokerDriver>, FailoverError> + use<> {
    let (trust, confirms) = (scenario.trust.clone(), scenario.load.confirms);
    move |endpoint, who| Ok(driver(endpoint, &who.username, &who.password, &trust, confirms)?)
}

/// What is known of a stack that can be tested.
struct Preflight {
    target: Target,
    endpoint: AmqpEndpoint,
    instance: Instance,
    status: AgentStatus,
    driver: Arc<dyn BrokerDriver>,
    planned: Planned,
}

/// Reads all that can keep a test from beginning, and changes nothing.
async fn preflight(cloud: &dyn TestBed, scenario: &Scenario, dial: &ConnectDriver) -> Result<Preflight, FailoverError> {
    let target = cloud.target(&scenario.stack).await?;
    preflight::account(&target, &scenario.consent)?;
    preflight::guard(cloud, &target).await?;
    let mut planned = preflight::plan(&target, &scenario.faults)?;
    preflight::movable(cloud, &target, &scenario.faults, &mut planned).await?;
    let own = AmqpEndpoint::of(&target.parts);
    let named = scenario
        .amqp
        .clone()
        .map(|named| named.like(own.as_ref()).of_engine(target.parts.engine));
    let endpoint = named.or(own).ok_or_else(|| FailoverError::NoAmqp {
        stack: target.stack.clone(),
    })?;
    preflight::obeyed(&endpoint, &scenario.tls_options)?;
    let serving = preflight::serving(cloud, &target, Duration::ZERO).await;
    if serving.is_err() {
        // A test that was cut short explains a stack that does not serve.
        untested(cloud, &scenario.stack, &scenario.heal).await?;
    }
    let (instance, status) = serving?;
    preflight::foreign(cloud, &target, &status, &instance.id, &scenario.consent).await?;
    let version = status.engine_version.as_deref();
    let endpoint = preflight::spoken(endpoint, target.parts.engine, scenario.driver, version)?;
    let credentials = cloud.credentials(&target).await?;
    let driver = dial(&endpoint, &credentials)?;
    Ok(Preflight {
        target,
        endpoint,
        instance,
        status,
        driver,
        planned,
    })
}

pub(crate) async fn run_with(
    cloud: Arc<dyn TestBed>,
    scenario: &Scenario,
    watch: &dyn Watch,
    stop: Stop,
    dial: &ConnectDriver,
) -> Result<Report, FailoverError> {
    watch.doing("reading the stack");
    let began = Instant::now();
    let Preflight {
        target,
        endpoint,
        instance,
        status,
        driver,
        planned,
    } = preflight(cloud.as_ref(), scenario, dial).await?;
    preflight::consented(&target, &scenario.consent)?;
    let pace = pace(&target, scenario);
    let journal = (scenario.journals.as_deref())
        .map(|folder| Journal::place(folder, &target))
        .transpose()?;
    let holder = own_holder();
    // The mark before the journal: a test that is refused must not write over the journal of the one that has the turn.
    if let Some(other) = cloud.take_turn(&target, &holder).await? {
        return Err(busy(&target.stack, &other, &scenario.heal));
    }
    let mut journal = match Journal::begin(journal.as_deref(), &scenario.stack, &holder) {
        Ok(journal) => journal,
        Err(error) => {
            cloud.end_turn(&target, &holder).await?;
            return Err(error);
        }
    };
    let session = Session {
        cloud,
        target,
        endpoint: endpoint.to_string(),
        pace,
        driver,
        scenario,
        watch,
        holder,
        planned,
    };
    let mut stopped = stop.clone();
    let mut report = session.report(&status, &[]);
    let result = tokio::select! {
        result = session.work(instance, status, &mut report, &mut journal) => result,
        lost = session.keep_turn() => Err(lost),
        Ok(_) = stopped.wait_for(|stop| *stop) => Err(FailoverError::Interrupted { left: None }),
        late = late(began, scenario.times.whole) => Err(late),
    };
    report.conclude();
    if let Err(error) = &result {
        report.break_off(session.broken(error), error.exit());
        watch.broken_off(&report);
    }
    if let Err(FailoverError::PlaceGone) = result {
        // With it went everything that there was to clean up.
        return Err(FailoverError::PlaceGone);
    }
    watch.doing("cleaning up");
    let CleanUp { left, interfered } = session.clean_up(&mut journal).await;
    match result {
        Err(FailoverError::Interrupted { .. }) => {
            let all: Vec<String> = left.into_iter().chain(injected(&journal.faults)).collect();
            Err(FailoverError::Interrupted {
                left: (!all.is_empty()).then(|| all.join("; ")),
            })
        }
        Ok(()) if interfered => {
            let lost = session.turn_lost();
            report.break_off(session.broken(&lost), lost.exit());
            watch.broken_off(&report);
            Err(session.turn_lost().after(&journal.faults, &left))
        }
        Ok(()) => {
            if !left.is_empty() {
                report.assumptions.push(format!("not cleaned up: {}", left.join("; ")));
            }
            Ok(report)
        }
        // A queue that somebody else deleted looks like many another trouble.
        Err(_) if interfered => Err(session.turn_lost().after(&journal.faults, &left)),
        Err(error) => Err(error.after(&journal.faults, &left)),
    }
}

/// The end of the time that the user gave; never, without one.
async fn late(began: Instant, limit: Option<Duration>) -> FailoverError {
    match limit {
        None => std::future::pending().await,
        Some(limit) => {
            tokio::time::sleep_until((began + limit).into()).await;
            FailoverError::Late { limit }
        }
    }
}

/// Refuses a stack that a test is marked on, until the mark is over: what it left is to be cleaned up first. `heal` is the command for that,
/// as a shell takes it. A stack that does not exist has no mark.
///
/// # Errors
/// [`FailoverError::Busy`], [`FailoverError::Mark`]; nothing was changed.
pub async fn untested(cloud: &dyn TestBed, stack: &str, heal: &str) -> Result<(), FailoverError> {
    let now = Timestamp::now();
    let turn = cloud.turn_on(stack).await.map_err(FailoverError::Mark)?;
    match turn.filter(|turn| !turn.is_over(now)) {
        None => Ok(()),
        Some(turn) => Err(busy(stack, &turn, heal)),
    }
}

/// The refusal of a stack that another test is marked on.
fn busy(stack: &str, other: &Turn, heal: &str) -> FailoverError {
    FailoverError::Busy {
        stack: stack.to_owned(),
        holder: holder::named(&other.holder),
        over: holder::life(other, Timestamp::now()) == Life::Over,
        heal: heal.to_owned(),
    }
}

/// Undoes what a broken-off test left on a stack: its queues, its mark, its journal. Returns what could not be undone.
///
/// Works without the journal too; it is looked for in the folder `journals`. `command` is the one that does this, as a shell takes it. A test that goes on, or may, is left alone unless `force`
/// says otherwise: without its queues it would measure a loss that is none. What cannot be undone yet is tried again for `patience`, or until
/// `stop` turns true.
///
/// # Errors
/// [`FailoverError::Cloud`] when the stack cannot be read, [`FailoverError::Journal`] when the journal cannot,
/// [`FailoverError::StillRuns`] when the test is not over, [`FailoverError::Interrupted`] with what is left when `stop` turned true.
pub async fn heal(
    cloud: &dyn TestBed,
    stack: &str,
    journals: Option<&Path>,
    force: bool,
    command: &str,
    patience: Duration,
    stop: Stop,
) -> Result<Vec<String>, FailoverError> {
    let target = cloud.target(stack).await?;
    let turn = cloud.turn(&target).await?;
    let still_runs = |turn: &Turn, why| FailoverError::StillRuns {
        stack: stack.to_owned(),
        holder: holder::named(&turn.holder),
        why,
        command: command.to_owned(),
    };
    if let Some(turn) = turn.as_ref().filter(|_| !force)
        && let Life::GoesOn(why) = holder::life(turn, Timestamp::now())
    {
        return Err(still_runs(turn, why));
    }
    let found = journals
        .map(|folder| Journal::find(folder, &target, turn.as_ref()))
        .transpose()?
        .flatten();
    let told = found.is_some() || turn.is_some();
    let mut journal = match found {
        Some(journal) => journal,
        None => Journal::begin(None, stack, "")?,
    };
    // The mark that was looked at, and no other that was made since. One of its own in its place: a test that goes on sees at once
    // whose doing it is, and none begins meanwhile.
    if let Some(turn) = turn {
        cloud.end_turn(&target, &turn.holder).await?;
    }
    let holder = own_holder();
    if let Some(other) = cloud.take_turn(&target, &holder).await? {
        return Err(still_runs(&other, "it started just now".into()));
    }
    // A stack whose agents take no faults has had no test, unless something tells of one.
    let tested = told || target.parts.documents.of(Class::Test).is_ok();
    journal.probe_queues = tested;
    let work = undo_all(cloud, &target, &mut journal, (told, tested), &holder, patience);
    let mut stopped = stop;
    let undone = tokio::select! {
        undone = work => Some(undone),
        Ok(_) = stopped.wait_for(|stop| *stop) => None,
    };
    undone.unwrap_or_else(|| {
        let mut left = journal.remains(&target);
        left.push(format!("the mark of a test on stack {}", target.stack));
        Err(FailoverError::Interrupted {
            left: Some(left.join("; ")),
        })
    })
}

/// Undoes what a journal tells of, and what none does; tries again for `patience`. Returns what could not be undone.
async fn undo_all(
    cloud: &dyn TestBed,
    target: &Target,
    journal: &mut Journal,
    (told, tested): (bool, bool),
    holder: &str,
    patience: Duration,
) -> Result<Vec<String>, FailoverError> {
    let until = Instant::now() + patience;
    let mut is_restored = false;
    let left = loop {
        // Before the queues: a queue manager that is cut off cannot delete any.
        let mut left = heal_unwritten(cloud, target, journal, tested).await;
        // A local cloud's test has no journal that tells of a move which was cut short.
        if told && target.lab.is_some() && !is_restored {
            match cloud.restore_capacity(target).await {
                Ok(()) => is_restored = true,
                Err(error) => left.push(format!(
                    "the capacity that a move took away, if it did ({})",
                    chain(&error)
                )),
            }
        }
        let lasting = journal.heal_lasting(cloud, target).await?;
        let serving = preflight::serving(cloud, target, Duration::ZERO).await.ok();
        let instance = serving.as_ref().map(|(instance, _)| &instance.id);
        let deleted = journal.delete_queues(cloud, target, instance).await;
        // Right after a fault the queue manager is on its way, and so is an agent.
        if left.is_empty() && lasting.is_empty() && deleted.is_ok() || Instant::now() >= until {
            break left;
        }
        sleep(AGAIN).await;
    };
    let serving = preflight::serving(cloud, target, Duration::ZERO).await.ok();
    let instance = serving.as_ref().map(|(instance, _)| &instance.id);
    let undone = journal.undo(cloud, target, instance, holder).await;
    Ok(left.into_iter().chain(undone).collect())
}

/// Ends faults that no journal tells of: a test in a local cloud has none, and one may be lost. Returns what could not be ended.
async fn heal_unwritten(cloud: &dyn TestBed, target: &Target, journal: &Journal, tested: bool) -> Vec<String> {
    let mut left = Vec::new();
    if target.lab.is_some()
        && let Err(error) = cloud.heal_cloud().await
    {
        left.push(format!("faults of the local cloud ({})", chain(&error)));
    }
    if !tested {
        return left;
    }
    let instances = cloud.instances(target).await.unwrap_or_default();
    let written = |id: &InstanceId| journal.lasting.iter().any(|one| one.instance == *id);
    for instance in instances.iter().filter(|one| !written(&one.id)) {
        if let Err(error) = cloud.order(target, &instance.id, FaultOrder::Heal).await
            && !is_gone(cloud, &instance.id).await
        {
            left.push(format!(
                "a fault on {}, if there is one: a timer there ends it ({})",
                instance.id,
                chain(&error)
            ));
        }
    }
    left
}

/// What a mark of this process says.
fn own_holder() -> String {
    Holder::own(rfc3339(unix_ns(SystemTime::now()))).to_string()
}

pub(super) fn unix_ns(at: SystemTime) -> i64 {
    let since = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}
