//! Every statement of the instance's role and of the file system's policy is needed: without it a named thing is refused,
//! and nothing else is. With all of them the agent is refused nothing.
//!
//! The statements are those of the rendered template: one without a case, and a case without a statement, is a failure.

mod life;

use crate::support::STACK;
use life::{Stack, Step, rendered, statements, without};
use mqaws::model::{Deployment, Mount};
use std::collections::BTreeSet;
use std::io::Write;

/// What an action is needed for.
const ACTIONS: &[(&str, Step)] = &[
    ("autoscaling:CompleteLifecycleAction", Step::CompleteHook),
    ("autoscaling:DescribeAutoScalingInstances", Step::CompleteHook),
    ("autoscaling:SetInstanceHealth", Step::ReportUnhealthy),
    ("cloudformation:SignalResource", Step::Signal),
    ("cloudwatch:PutMetricData", Step::PutMetrics),
    ("ec2:DescribeInstances", Step::SeePrevious),
    ("ec2:TerminateInstances", Step::EndPrevious),
    ("elasticfilesystem:ClientMount", Step::Mount),
    ("elasticfilesystem:ClientRootAccess", Step::Mount),
    ("elasticfilesystem:ClientWrite", Step::Mount),
    ("elasticfilesystem:DescribeMountTargets", Step::FindMountTargets),
    ("elasticfilesystem:ListTagsForResource", Step::UseWord),
    ("elasticfilesystem:TagResource", Step::UseWord),
    ("kms:Decrypt", Step::ReadCredentials),
    ("kms:Decrypt", Step::ReadCertificate),
    ("secretsmanager:GetSecretValue", Step::ReadCredentials),
    ("secretsmanager:GetSecretValue", Step::ReadCertificate),
    ("ssm:UpdateInstanceInformation", Step::RunCommand),
];

/// Actions that no step here needs one by one, and why they stay.
const EXCEPTIONS: &[(&str, &str)] = &[
    (
        "ec2messages:",
        "the older way of Systems Manager's agent; one of the two ways is enough, and an image may hold either agent",
    ),
    (
        "ssmmessages:",
        "the newer way of Systems Manager's agent, and the only one of Session Manager, which the local cloud has not",
    ),
];

/// What is refused with a statement's absence, as AWS words it.
fn refusal(step: Step) -> &'static str {
    match step {
        Step::RunCommand => "InvalidInstanceId",
        Step::RefuseMountWithoutTls => "a mount without TLS was admitted",
        _ => "is not authorized to perform: ",
    }
}

/// What Secrets Manager says in KMS's place.
const KMS_REFUSAL: &str = "Access to KMS is not allowed";

/// Lives a life without one statement: exactly these steps are refused.
fn refused_without(sid: &str, steps: &[Step]) {
    let stack = Stack::create(&without(rendered(&Deployment::default()), sid));
    let refused = stack.live(|_, _| {});
    assert_eq!(
        refused.keys().copied().collect::<Vec<_>>(),
        steps,
        "without {sid}: {refused:#?}"
    );
    for (step, why) in refused {
        let words = match sid {
            "DecryptCertificate" | "DecryptCredentials" => KMS_REFUSAL,
            _ => refusal(step),
        };
        assert!(why.contains(words), "without {sid}, {step:?}: {why}");
    }
}

macro_rules! cases {
    ($($test:ident: $sid:literal => [$($step:ident),+];)+) => {
        /// Statements with a case.
        const CASES: &[&str] = &[$($sid),+];
        $(
            #[test]
            fn $test() {
                refused_without($sid, &[$(Step::$step),+]);
            }
        )+
    };
}

cases! {
    nobody_sees_the_previous_owner_or_finds_the_group_without_look: "Look" => [SeePrevious, CompleteHook];
    an_agent_neither_condemns_itself_nor_ends_its_drain_without_condemn_and_drain:
        "CondemnAndDrain" => [ReportUnhealthy, CompleteHook];
    a_successor_cannot_end_the_previous_owner_without_end_previous_owner: "EndPreviousOwner" => [EndPrevious];
    a_deployment_hears_nothing_without_signal: "Signal" => [Signal];
    nobody_finds_another_mount_target_or_creates_a_queue_manager_without_use_file_system:
        "UseFileSystem" => [FindMountTargets, UseWord];
    a_queue_manager_with_tls_does_not_start_without_read_certificate: "ReadCertificate" => [ReadCertificate];
    a_certificate_under_a_key_of_ones_own_stays_closed_without_decrypt_certificate:
        "DecryptCertificate" => [ReadCertificate];
    a_user_under_a_key_of_ones_own_stays_unknown_without_decrypt_credentials: "DecryptCredentials" => [ReadCredentials];
    an_engine_has_no_user_without_read_credentials: "ReadCredentials" => [ReadCredentials];
    nothing_is_measured_without_put_metrics: "PutMetrics" => [PutMetrics];
    an_operator_reaches_no_instance_without_session_manager_and_run_command:
        "SessionManagerAndRunCommand" => [RunCommand];
    nobody_mounts_without_instance_through_mount_target: "InstanceThroughMountTarget" => [Mount];
    a_widened_policy_admits_a_mount_without_tls_without_tls_only: "TlsOnly" => [RefuseMountWithoutTls];
}

#[test]
fn every_statement_has_a_case_and_every_case_a_statement() {
    let sids = |names: &[&str]| names.iter().map(|s| (*s).to_owned()).collect::<BTreeSet<_>>();
    let rendered: BTreeSet<String> = statements(&rendered(&Deployment::default()))
        .iter()
        .map(|s| s["Sid"].as_str().expect("a Sid").to_owned())
        .collect();
    assert_eq!(rendered, sids(CASES));
}

fn exception(action: &str) -> Option<&'static str> {
    let found = EXCEPTIONS.iter().find(|(name, _)| match name.ends_with(':') {
        true => action.starts_with(name),
        false => action == *name,
    });
    found.map(|(_, why)| *why)
}

#[test]
fn the_complete_role_is_refused_nothing_and_every_single_action_is_needed() {
    let template = rendered(&Deployment::default());
    let allowed: BTreeSet<String> = statements(&template)
        .iter()
        .filter(|s| s["Effect"] == "Allow")
        .flat_map(|s| s["Action"].as_array().expect("a list of actions").clone())
        .map(|a| a.as_str().expect("an action").to_owned())
        .collect();
    let mut excepted = BTreeSet::new();
    for action in &allowed {
        if let Some(why) = exception(action) {
            // Not through the macros, which the test harness captures.
            let _ = writeln!(std::io::stderr(), "NOT SHOWN to be needed: {action}: {why}");
            excepted.insert(action.clone());
        }
    }
    let needed: BTreeSet<String> = ACTIONS.iter().map(|(a, _)| (*a).to_owned()).collect();
    assert_eq!(
        allowed,
        &needed | &excepted,
        "an action without a use, or a use without an action"
    );
    assert!(needed.is_disjoint(&excepted));

    let stack = Stack::create(&template);
    let refused = stack.live(|stack, step| {
        for (action, _) in ACTIONS.iter().filter(|(_, s)| *s == step) {
            let why = stack.take_without(action, step).unwrap_or_else(|e| panic!("{e}"));
            let words = match step {
                Step::RunCommand => refusal(step).to_owned(),
                _ if action.starts_with("kms:") => KMS_REFUSAL.to_owned(),
                _ => format!("{}{action}", refusal(step)),
            };
            assert!(why.contains(&words), "{step:?} without {action}: {why}");
        }
    });
    assert!(refused.is_empty(), "{refused:#?}");
}

/// A value of minus one would hide a second engine of another stack from its alarm.
#[test]
fn a_role_puts_the_metrics_of_its_own_stack_alone() {
    let stack = Stack::create(&rendered(&Deployment::default()));
    assert_eq!(stack.measure(&format!("mqaws/{STACK}")), Ok(()));
    for another in ["mqaws", "mqaws/another", "mqaws/"] {
        let why = stack.measure(another).expect_err(another);
        let words = format!("{}cloudwatch:PutMetricData", refusal(Step::PutMetrics));
        assert!(why.contains(&words), "{another}: {why}");
    }
}

/// Plain NFS has a policy of one statement, which no removal shows: without any policy EFS admits everybody too. It stands
/// there so that whoever reads the account sees it.
#[test]
fn a_deployment_with_plain_nfs_differs_in_one_statement_and_mounts_without_tls() {
    let mut deployment = Deployment::default();
    deployment.storage.mount = Mount::Nfs;
    let template = rendered(&deployment);
    let sids = |template| -> BTreeSet<String> {
        let all = statements(template);
        all.iter()
            .map(|s| s["Sid"].as_str().expect("a Sid").to_owned())
            .collect()
    };
    let usual = rendered(&Deployment::default());
    let own: Vec<String> = sids(&template).difference(&sids(&usual)).cloned().collect();
    assert_eq!(own, ["AnybodyThroughMountTargetWithoutTlsOrIam"]);
    let _ = writeln!(
        std::io::stderr(),
        "NOT SHOWN to be needed: {}: without any policy EFS admits everybody too",
        own[0]
    );
    let stack = Stack::create(&template);
    assert_eq!(stack.take(Step::Mount), Ok(()));
}
