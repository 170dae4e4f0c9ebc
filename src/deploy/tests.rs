//! Whole flows against a cloud that plays a script.

use super::cause::tests::{STACK, event};
use super::ports::{Blueprint, Change, ChangeSet, ChangeSetIds, Event, Stacks};
use super::*;
use crate::aws::{AwsError, Problem};
use crate::model::agent::AgentStatus;
use crate::observe::ports::*;
use crate::remedy::{ExitKind, Remedy};
use jiff::Timestamp;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Mutex;
use std::time::Duration;

const PACE: Pace = Pace {
    poll: Duration::ZERO,
    agent: Duration::ZERO,
    patience: Duration::from_secs(60),
    service: Duration::from_millis(50),
};

/// What the stack looks like at one moment; `None` for a stack that is not there.
type Frame = (Option<&'static str>, Vec<Event>);

/// A cloud that shows one frame after the other: the first before anything is executed or deleted, the next ones with
/// each look after that. Calls fail first as `failures` says.
#[derive(Default)]
struct Script {
    frames: Mutex<VecDeque<Frame>>,
    moving: Mutex<bool>,
    seen: Mutex<Vec<Event>>,
    set: Option<ChangeSet>,
    failures: Mutex<VecDeque<(&'static str, Problem)>>,
    calls: Mutex<Vec<String>>,
    resources: Vec<Resource>,
    group: Option<Group>,
    targets: Vec<Target>,
    agent: Option<AgentStatus>,
    agent_problem: Option<Problem>,
    foreign: bool,
    protected: bool,
}

impl Script {
    fn new(frames: impl IntoIterator<Item = Frame>) -> Self {
        Self {
            frames: Mutex::new(frames.into_iter().collect()),
            ..Self::default()
        }
    }

    fn with_changes(mut self, changes: Vec<Change>) -> Self {
        let created = Some(Timestamp::from_second(1_700_000_000).expect("in range"));
        self.set = Some(ChangeSet {
            status: "CREATE_COMPLETE".into(),
            reason: None,
            created,
            changes,
        });
        self
    }

    fn failing(self, calls: impl IntoIterator<Item = (&'static str, Problem)>) -> Self {
        *self.failures.lock().unwrap() = calls.into_iter().collect();
        self
    }

    fn called(&self, call: &str) -> Result<(), AwsError> {
        self.calls.lock().unwrap().push(call.to_owned());
        let mut failures = self.failures.lock().unwrap();
        match failures.front() {
            Some((name, _)) if *name == call => Err(AwsError::test(failures.pop_front().expect("looked at").1)),
            _ => Ok(()),
        }
    }

    fn calls(&self) -> Vec<String> {
        self.calls.lock().unwrap().clone()
    }

    fn advance(&self) {
        let mut frames = self.frames.lock().unwrap();
        if *self.moving.lock().unwrap() && frames.len() > 1 {
            frames.pop_front();
        }
        if let Some((_, events)) = frames.front_mut() {
            self.seen.lock().unwrap().append(events);
        }
    }

    fn shown(&self) -> Option<Stack> {
        let status = self.frames.lock().unwrap().front()?.0?;
        let tags = if self.foreign {
            BTreeMap::new()
        } else {
            [(STACK_TAG.into(), "mqaws-qm1".into())].into()
        };
        Some(Stack {
            name: "mqaws-qm1".into(),
            id: STACK.into(),
            status: StackStatus(status.into()),
            reason: None,
            created: Timestamp::UNIX_EPOCH,
            outputs: [
                ("GroupName", "g"),
                ("Endpoint", "lb"),
                ("MqEndpoint", "lb(1414)"),
                ("TargetGroupArn", "t"),
            ]
            .map(|(k, v)| (k.to_owned(), v.to_owned()))
            .into(),
            parameters: BTreeMap::new(),
            tags,
            protected: self.protected,
        })
    }
}

impl Readings for Script {
    async fn stack(&self, _name: &str) -> Result<Option<Stack>, AwsError> {
        self.called("stack")?;
        self.advance();
        Ok(self.shown())
    }
    async fn resources(&self, _stack: &str) -> Result<Vec<Resource>, AwsError> {
        self.called("resources")?;
        Ok(self.resources.clone())
    }
    async fn group(&self, _name: &str) -> Result<Option<Group>, AwsError> {
        self.called("group")?;
        Ok(self.group.clone())
    }
    async fn targets(&self, _arn: &str) -> Result<Vec<Target>, AwsError> {
        self.called("targets")?;
        Ok(self.targets.clone())
    }
    async fn load_balancer(&self, _arn: &str) -> Result<Option<LoadBalancer>, AwsError> {
        Ok(None)
    }
    async fn file_system(&self, _id: &str) -> Result<Option<FileSystem>, AwsError> {
        Ok(None)
    }
    async fn alarms(&self, _names: &[String]) -> Result<Vec<Alarm>, AwsError> {
        Ok(Vec::new())
    }
    async fn agent_status(&self, _instance: &str) -> Result<AgentStatus, ReadError> {
        match (&self.agent, &self.agent_problem) {
            (Some(agent), _) => Ok(agent.clone()),
            (None, Some(problem)) => Err(AwsError::test(problem.clone()).into()),
            (None, None) => Err(AwsError::test(Problem::NotFound).into()),
        }
    }
}

impl Stacks for Script {
    async fn create_change_set(&self, _: &Blueprint, _: &str, fresh: bool) -> Result<ChangeSetIds, AwsError> {
        self.called(if fresh { "create-set" } else { "update-set" })?;
        Ok(ChangeSetIds {
            change_set: "cs".into(),
            stack: STACK.into(),
        })
    }
    async fn change_set(&self, _id: &str) -> Result<ChangeSet, AwsError> {
        self.called("change-set")?;
        Ok(self.set.clone().expect("the test has a change set"))
    }
    async fn execute(&self, _change_set: &str, _token: &str) -> Result<(), AwsError> {
        self.called("execute")?;
        *self.moving.lock().unwrap() = true;
        Ok(())
    }
    async fn delete_change_set(&self, _change_set: &str) -> Result<(), AwsError> {
        self.called("delete-set")
    }
    async fn delete_stack(&self, _stack: &str, _role: Option<&str>, _token: &str) -> Result<(), AwsError> {
        self.called("delete-stack")?;
        *self.moving.lock().unwrap() = true;
        Ok(())
    }
    async fn cancel_update(&self, _stack: &str) -> Result<(), AwsError> {
        self.called("cancel")
    }
    async fn events(&self, _stack: &str, from: Timestamp) -> Result<Vec<Event>, AwsError> {
        self.called("events")?;
        Ok(self
            .seen
            .lock()
            .unwrap()
            .iter()
            .filter(|e| e.at >= from)
            .cloned()
            .collect())
    }
    async fn protect(&self, _stack: &str, on: bool) -> Result<(), AwsError> {
        self.called(if on { "protect" } else { "unprotect" })
    }
    async fn suspend(&self, _group: &str, _processes: &[&str]) -> Result<(), AwsError> {
        self.called("suspend")
    }
}

fn blueprint() -> Blueprint {
    Blueprint {
        stack: "mqaws-qm1".into(),
        template: "{}".into(),
        parameters: BTreeMap::new(),
        tags: BTreeMap::new(),
        role: None,
        protect: false,
    }
}

fn add(logical: &str, kind: &str) -> Change {
    Change {
        logical: logical.into(),
        physical: None,
        kind: kind.into(),
        action: "Add".into(),
        replacement: None,
        policy: None,
        details: Vec::new(),
    }
}

fn changes() -> Vec<Change> {
    vec![
        add("FileSystem", "AWS::EFS::FileSystem"),
        add("Group", "AWS::AutoScaling::AutoScalingGroup"),
    ]
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
        .block_on(future)
}

fn planned(cloud: &Script) -> Result<Plan, DeployError> {
    wait(plan(cloud, &blueprint(), PACE, &Stop::never(), &mut |_: Step| {}))
}

fn carried_out(cloud: &Script, stop: &Stop) -> (Result<Stack, DeployError>, Vec<Step>) {
    let mut steps = Vec::new();
    let plan = planned(cloud).expect("planned");
    let result = wait(execute(cloud, &plan, PACE, stop, &mut |step| steps.push(step)));
    (result, steps)
}

fn created() -> Vec<Frame> {
    vec![
        (None, vec![]),
        (
            Some("REVIEW_IN_PROGRESS"),
            vec![event(0, "mqaws-qm1", "REVIEW_IN_PROGRESS", "User Initiated")],
        ),
        (
            Some("CREATE_IN_PROGRESS"),
            vec![
                event(1, "mqaws-qm1", "CREATE_IN_PROGRESS", "User Initiated"),
                event(2, "FileSystem", "CREATE_IN_PROGRESS", ""),
                event(3, "FileSystem", "CREATE_COMPLETE", ""),
            ],
        ),
        (
            Some("CREATE_COMPLETE"),
            vec![
                event(4, "Group", "CREATE_IN_PROGRESS", ""),
                event(9, "Group", "CREATE_COMPLETE", ""),
                event(9, "mqaws-qm1", "CREATE_COMPLETE", ""),
            ],
        ),
    ]
}

#[test]
fn creation_is_followed_to_its_end() {
    let cloud = Script::new(created()).with_changes(changes());
    let (result, steps) = carried_out(&cloud, &Stop::never());
    assert_eq!(result.expect("created").status.0, "CREATE_COMPLETE");
    let ended: Vec<_> = steps
        .iter()
        .filter_map(|s| match s {
            Step::News {
                news: News::Ended { logical, .. },
                done,
                total,
            } => Some((logical.as_str(), *done, *total)),
            _ => None,
        })
        .collect();
    assert_eq!(ended.iter().map(|e| e.0).collect::<Vec<_>>(), ["FileSystem", "Group"]);
    assert_eq!(ended.last().map(|e| (e.1, e.2)), Some((2, 2)));
    assert!(cloud.calls().contains(&"create-set".to_owned()));
}

#[test]
fn failed_polls_are_no_verdict() {
    let polls = [
        ("events", Problem::Throttled),
        ("stack", Problem::Server),
        ("events", Problem::Unreachable),
        ("stack", Problem::TimedOut),
    ];
    // The plan itself reads the stack without failure first.
    let cloud = Script::new(created()).with_changes(changes()).failing(polls);
    let (result, _) = carried_out(&cloud, &Stop::never());
    assert!(result.is_ok(), "{result:?}");
    assert!(cloud.failures.lock().unwrap().is_empty(), "every failure was met");
}

#[test]
fn expired_credentials_end_the_watch_and_say_what_goes_on() {
    let cloud = Script::new(created())
        .with_changes(changes())
        .failing([("events", Problem::Expired)]);
    let (result, _) = carried_out(&cloud, &Stop::never());
    let error = result.expect_err("lost sight");
    assert!(matches!(error, DeployError::LostSight { .. }), "{error:?}");
    assert_eq!(error.exit(), ExitKind::Precondition);
    assert!(error.left().is_some_and(|l| l.contains("mqaws-qm1")));
}

#[test]
fn rollback_tells_root_cause_agent_and_what_is_left() {
    let frames = vec![
        (None, vec![]),
        (
            Some("CREATE_IN_PROGRESS"),
            vec![event(1, "mqaws-qm1", "CREATE_IN_PROGRESS", "")],
        ),
        (
            Some("ROLLBACK_IN_PROGRESS"),
            vec![
                event(5, "Listener", "CREATE_FAILED", "Resource creation cancelled"),
                event(5, "Group", "CREATE_FAILED", "Received 0 SUCCESS signal(s) out of 1"),
                event(6, "mqaws-qm1", "ROLLBACK_IN_PROGRESS", "failed"),
                event(7, "FileSystem", "DELETE_SKIPPED", ""),
            ],
        ),
        // More looks, so that the agent is read meanwhile.
        (Some("ROLLBACK_IN_PROGRESS"), vec![]),
        (Some("ROLLBACK_IN_PROGRESS"), vec![]),
        (Some("ROLLBACK_IN_PROGRESS"), vec![]),
        (
            Some("ROLLBACK_COMPLETE"),
            vec![event(8, "mqaws-qm1", "ROLLBACK_COMPLETE", "")],
        ),
    ];
    let mut cloud = Script::new(frames).with_changes(changes());
    cloud.resources = vec![resource(
        "Group",
        "AWS::AutoScaling::AutoScalingGroup",
        "CREATE_IN_PROGRESS",
    )];
    cloud.group = Some(group("InService", &[]));
    cloud.agent = Some(agent(
        "starting",
        Some("strmqm exit 71, AMQ7128E: No license installed"),
    ));
    let (result, steps) = carried_out(&cloud, &Stop::never());
    let error = result.expect_err("rolled back");
    let details: BTreeMap<_, _> = error.details().into_iter().collect();
    assert_eq!(error.to_string(), "stack mqaws-qm1 was rolled back");
    assert!(
        details["cause"].starts_with("`Group` AWS::AutoScaling::AutoScalingGroup, "),
        "{details:?}"
    );
    assert!(details["cause"].ends_with("Received 0 SUCCESS signal(s) out of 1"));
    assert!(
        details["agent"].starts_with("i-1 at ") && details["agent"].contains("AMQ7128E"),
        "{details:?}"
    );
    let left = error.left().expect("left");
    assert_eq!(
        left,
        "file system FileSystem-physical (kept), the empty stack, which the next deploy removes"
    );
    assert!(error.hint().is_some_and(|h| h.contains("licence")));
    assert!(steps.iter().any(|s| matches!(
        s,
        Step::News {
            news: News::RollingBack { .. },
            ..
        }
    )));
}

#[test]
fn update_is_not_over_while_the_stack_still_shows_its_last_state() {
    let frames = vec![
        (
            Some("UPDATE_COMPLETE"),
            vec![event(-50, "mqaws-qm1", "UPDATE_COMPLETE", "")],
        ),
        (Some("UPDATE_COMPLETE"), vec![]),
        (
            Some("UPDATE_IN_PROGRESS"),
            vec![event(1, "mqaws-qm1", "UPDATE_IN_PROGRESS", "")],
        ),
        (
            Some("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"),
            vec![event(2, "Group", "UPDATE_COMPLETE", "")],
        ),
        (
            Some("UPDATE_COMPLETE"),
            vec![event(3, "mqaws-qm1", "UPDATE_COMPLETE", "")],
        ),
    ];
    let cloud = Script::new(frames).with_changes(changes());
    let (result, steps) = carried_out(&cloud, &Stop::never());
    assert!(result.is_ok(), "{result:?}");
    assert!(steps.iter().any(|s| matches!(
        s,
        Step::News {
            news: News::Ended { verb: Verb::Update, .. },
            ..
        }
    )));
    assert!(cloud.calls().contains(&"update-set".to_owned()));
}

#[test]
fn interrupted_creation_is_deleted() {
    let mut frames = created();
    frames.truncate(3);
    frames.push((
        Some("DELETE_IN_PROGRESS"),
        vec![event(5, "mqaws-qm1", "DELETE_IN_PROGRESS", "")],
    ));
    frames.push((
        Some("DELETE_COMPLETE"),
        vec![event(6, "mqaws-qm1", "DELETE_COMPLETE", "")],
    ));
    let cloud = Script::new(frames).with_changes(changes());
    let plan = planned(&cloud).expect("planned");
    let (send, receive) = tokio::sync::watch::channel(false);
    send.send(true).expect("somebody listens");
    let error = wait(execute(&cloud, &plan, PACE, &Stop::new(receive), &mut |_: Step| {})).expect_err("interrupted");
    assert_eq!(error.exit(), ExitKind::Interrupted);
    assert!(cloud.calls().contains(&"delete-stack".to_owned()));
}

#[test]
fn no_change_is_success() {
    for reason in [
        "The submitted information didn't contain changes. Submit different information to create a change set.",
        "No updates are to be performed.",
    ] {
        let mut cloud = Script::new([(Some("CREATE_COMPLETE"), vec![])]).with_changes(vec![]);
        cloud.set = Some(ChangeSet {
            status: "FAILED".into(),
            reason: Some(reason.into()),
            created: None,
            changes: vec![],
        });
        let plan = planned(&cloud).expect("planned");
        assert!(plan.is_empty());
        assert!(
            cloud.calls().contains(&"delete-set".to_owned()),
            "the failed change set is removed"
        );
        assert!(!cloud.calls().contains(&"delete-stack".to_owned()));
        assert!(wait(execute(&cloud, &plan, PACE, &Stop::never(), &mut |_: Step| {})).is_ok());
    }
}

#[test]
fn refused_change_set_leaves_no_stack_behind() {
    let frames = vec![(Some("REVIEW_IN_PROGRESS"), vec![]), (Some("DELETE_COMPLETE"), vec![])];
    let mut cloud = Script::new(frames);
    let reason = Some("Parameter validation failed".into());
    cloud.set = Some(ChangeSet {
        status: "FAILED".into(),
        reason,
        created: None,
        changes: vec![],
    });
    let error = planned(&cloud).expect_err("refused");
    assert!(error.to_string().contains("Parameter validation failed"));
    assert_eq!(error.left().as_deref(), Some("nothing was changed"));
    assert_eq!(cloud.calls()[3..5], ["delete-set", "stack"]);
    assert!(cloud.calls().contains(&"delete-stack".to_owned()));
}

#[test]
fn state_of_the_stack_decides_what_a_plan_may_do() {
    for (status, foreign, resources, expected) in [
        ("REVIEW_IN_PROGRESS", false, "", Ok("create-set")),
        ("CREATE_COMPLETE", false, "", Ok("update-set")),
        ("UPDATE_ROLLBACK_COMPLETE", false, "", Ok("update-set")),
        ("ROLLBACK_COMPLETE", false, "DELETE_COMPLETE", Ok("delete-stack")),
        ("ROLLBACK_COMPLETE", false, "DELETE_SKIPPED", Ok("delete-stack")),
        (
            "ROLLBACK_COMPLETE",
            false,
            "DELETE_FAILED",
            Err("cannot be deployed to"),
        ),
        (
            "ROLLBACK_COMPLETE",
            true,
            "DELETE_COMPLETE",
            Err("cannot be deployed to"),
        ),
        ("ROLLBACK_FAILED", false, "DELETE_FAILED", Err("cannot be deployed to")),
        ("UPDATE_ROLLBACK_FAILED", false, "", Err("cannot be deployed to")),
        ("DELETE_FAILED", false, "", Err("cannot be deployed to")),
        ("UPDATE_IN_PROGRESS", false, "", Err("is busy")),
        ("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", false, "", Err("is busy")),
        ("CREATE_COMPLETE", true, "", Err("was not made by mqaws")),
    ] {
        let mut cloud =
            Script::new([(Some(status), vec![]), (Some("DELETE_COMPLETE"), vec![])]).with_changes(changes());
        cloud.foreign = foreign;
        cloud.resources = vec![resource("FileSystem", "AWS::EFS::FileSystem", resources)];
        match (planned(&cloud), expected) {
            (Ok(_), Ok(call)) => assert!(
                cloud.calls().contains(&call.to_owned()),
                "{status}: {:?}",
                cloud.calls()
            ),
            (Err(error), Err(words)) => {
                assert!(error.to_string().contains(words), "{status}: {error}");
                assert!(error.hint().is_some(), "{status}: {error}");
                assert!(
                    !cloud.calls().iter().any(|c| c.contains("set") || c.contains("delete")),
                    "{status}"
                );
            }
            (found, _) => panic!("{status}: {found:?}"),
        }
    }
}

#[test]
fn abandoned_plan_removes_only_a_stack_without_resources() {
    for (status, removed) in [("REVIEW_IN_PROGRESS", true), ("CREATE_IN_PROGRESS", false)] {
        let frames = [
            (None, vec![]),
            (Some(status), vec![]),
            (Some("DELETE_COMPLETE"), vec![]),
        ];
        let cloud = Script::new(frames).with_changes(changes());
        let plan = planned(&cloud).expect("planned");
        cloud.frames.lock().unwrap().pop_front();
        wait(abandon(&cloud, &plan, PACE)).expect("abandoned");
        assert_eq!(cloud.calls().contains(&"delete-stack".to_owned()), removed, "{status}");
    }
}

#[test]
fn replacing_a_file_system_stops() {
    let mut change = add("FileSystem", "AWS::EFS::FileSystem");
    change.action = "Modify".into();
    change.replacement = Some("True".into());
    let cloud = Script::new([(Some("CREATE_COMPLETE"), vec![])]).with_changes(vec![change]);
    let plan = planned(&cloud).expect("planned");
    assert!(matches!(
        plan.check(&[]),
        Err(DeployError::DataAtStake { replaced: true, .. })
    ));
    assert!(plan.check(&["Other".into()]).is_err());
    assert!(plan.check(&["FileSystem".into()]).is_ok());
}

#[test]
fn destruction_tells_what_is_kept() {
    let frames = vec![
        (
            Some("CREATE_COMPLETE"),
            vec![event(1, "FileSystem", "CREATE_COMPLETE", "")],
        ),
        (
            Some("DELETE_IN_PROGRESS"),
            vec![event(5, "Group", "DELETE_COMPLETE", "")],
        ),
        (
            None,
            vec![
                event(6, "FileSystem", "DELETE_SKIPPED", ""),
                event(7, "mqaws-qm1", "DELETE_COMPLETE", ""),
            ],
        ),
    ];
    let cloud = Script::new(frames).failing([("events", Problem::Throttled)]);
    let removal = wait(find(&cloud, "mqaws-qm1", false)).expect("found").expect("there");
    // The first reading of events is before anything is changed, so its failure ends the verb.
    assert!(wait(destroy(&cloud, &removal, None, PACE, &Stop::never(), &mut |_: Step| {})).is_err());
    assert!(!cloud.calls().contains(&"delete-stack".to_owned()));
    let kept = wait(destroy(&cloud, &removal, None, PACE, &Stop::never(), &mut |_: Step| {})).expect("destroyed");
    assert_eq!(kept, ["file system FileSystem-physical"]);
}

#[test]
fn failed_destruction_tells_why() {
    let frames = vec![
        (Some("CREATE_COMPLETE"), vec![]),
        (
            Some("DELETE_FAILED"),
            vec![event(
                5,
                "FileSystemSecurityGroup",
                "DELETE_FAILED",
                "has a dependent object",
            )],
        ),
    ];
    let cloud = Script::new(frames);
    let removal = wait(find(&cloud, "mqaws-qm1", false)).expect("found").expect("there");
    let error = wait(destroy(&cloud, &removal, None, PACE, &Stop::never(), &mut |_: Step| {})).expect_err("failed");
    assert!(
        error.details()[0].1.contains("has a dependent object"),
        "{:?}",
        error.details()
    );
}

#[test]
fn protected_and_foreign_stacks_are_not_removed() {
    for (foreign, protected, unprotect, expected) in [
        (true, false, false, Some("was not made by mqaws")),
        (false, true, false, Some("protected")),
        (false, true, true, None),
        (false, false, false, None),
    ] {
        let mut cloud = Script::new([(Some("CREATE_COMPLETE"), vec![])]);
        (cloud.foreign, cloud.protected) = (foreign, protected);
        let found = wait(find(&cloud, "mqaws-qm1", unprotect));
        match expected {
            Some(words) => assert!(found.expect_err(words).to_string().contains(words)),
            None => assert!(found.is_ok_and(|f| f.is_some())),
        }
    }
}

struct Line(bool);

impl Dial for Line {
    async fn dial(&self, _host: &str, _port: u16) -> std::io::Result<()> {
        if self.0 {
            Ok(())
        } else {
            Err(std::io::ErrorKind::TimedOut.into())
        }
    }
}

#[test]
fn service_is_shown_or_it_is_said_what_is_missing() {
    let serving = || Some(agent("serving", None));
    for (healthy, agent, problem, line, expected) in [
        (
            true,
            serving(),
            None,
            true,
            Ok(vec!["signal", "targets", "agent", "endpoint"]),
        ),
        // An internal load balancer is not reached from outside.
        (true, serving(), None, false, Ok(vec!["signal", "targets", "agent"])),
        // A missing permission hides the agent, it does not make it bad.
        (
            true,
            None,
            Some(Problem::Denied("ssm:SendCommand".into())),
            true,
            Ok(vec!["signal", "targets", "endpoint"]),
        ),
        (true, None, Some(Problem::Throttled), true, Err("agent: not read")),
        (false, serving(), None, true, Err("targets: i-1:1414 unhealthy")),
        (
            true,
            Some(agent("starting", Some("crtmqm exit 72"))),
            None,
            true,
            Err("agent: i-1 is starting"),
        ),
    ] {
        let mut cloud = Script::new([(Some("CREATE_COMPLETE"), vec![])]);
        cloud.group = Some(group("InService", &["AZRebalance"]));
        let state = if healthy { "healthy" } else { "unhealthy" };
        cloud.targets = vec![Target {
            id: "i-1".into(),
            port: 1414,
            state: state.into(),
            reason: None,
        }];
        (cloud.agent, cloud.agent_problem) = (agent, problem);
        let stack = cloud.shown().expect("there");
        let result = wait(await_service(
            &cloud,
            &Line(line),
            &stack,
            PACE,
            &Stop::never(),
            &mut |_: Step| {},
        ));
        match (result, expected) {
            (Ok(service), Ok(shown)) => {
                let found: Vec<_> = service.evidence.iter().filter(|e| e.shown).map(|e| e.of).collect();
                assert_eq!(found, shown);
            }
            (Err(error), Err(words)) => {
                let details = format!("{:?}", error.details());
                assert!(details.contains(words), "{words}: {details}");
            }
            (found, _) => panic!("{found:?}"),
        }
    }
}

#[test]
fn rebalancing_is_suspended_and_looked_at_again() {
    let mut cloud = Script::new([(Some("CREATE_COMPLETE"), vec![])]);
    cloud.group = Some(group("InService", &["AZRebalance"]));
    let stack = cloud.shown().expect("there");
    wait(suspend_rebalance(&cloud, &stack, PACE)).expect("is suspended");
    assert!(!cloud.calls().contains(&"suspend".to_owned()));
    // A group that never shows it: said, not believed.
    cloud.group = Some(group("InService", &[]));
    let error = wait(suspend_rebalance(&cloud, &stack, PACE)).expect_err("never suspended");
    assert!(matches!(error, DeployError::NotSuspended { .. }));
    assert!(cloud.calls().contains(&"suspend".to_owned()));
}

fn resource(logical: &str, kind: &str, status: &str) -> Resource {
    Resource {
        logical: logical.into(),
        physical: Some(format!("{logical}-1")),
        kind: kind.into(),
        status: status.into(),
    }
}

fn group(lifecycle: &str, suspended: &[&str]) -> Group {
    let member = Member {
        instance: "i-1".into(),
        zone: "eu-west-1a".into(),
        lifecycle: lifecycle.into(),
        health: "Healthy".into(),
    };
    let suspended = suspended.iter().map(|s| (*s).to_owned()).collect();
    Group {
        name: "g".into(),
        desired: 1,
        members: vec![member],
        suspended,
    }
}

fn agent(state: &str, last_error: Option<&str>) -> AgentStatus {
    let status = serde_json::json!({
        "schema": "mqaws.agent-status/1", "agent_version": "0.1.0", "instance": "i-1", "zone": "eu-west-1a",
        "queue_manager": "QM1", "state": state, "since": "2026-11-18T03:12:09Z", "last_error": last_error,
    });
    serde_json::from_value(status).expect("a status")
}
