//! Planted defects: whoever injects says "done", and is taken at its word by nobody. One for each way in which a fault is seen.

use super::fake_broker::BrokerDefect;
use super::fake_cloud::{CloudDefect, FakeCloud};
use super::short_test::{failing, scenario, test};
use crate::failover::verdict::Verdict;
use crate::failover::{FailoverError, Fault, Report};
use crate::remedy::ExitKind;
use std::sync::Arc;

async fn lied_to(fault: Fault, defect: CloudDefect) -> (Arc<FakeCloud>, Report) {
    let cloud = Arc::new(FakeCloud::new(BrokerDefect::None, defect));
    let report = test(&cloud, &scenario(&[fault])).await.unwrap();
    assert_eq!(
        (report.verdict, report.exit()),
        (Verdict::Inconclusive, ExitKind::Inconclusive),
        "{fault}"
    );
    assert!(
        failing(&report).contains(&"fault.verified"),
        "{fault}: {:?}",
        failing(&report)
    );
    (cloud, report)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_of_ec2_that_was_accepted_is_no_power_that_is_off() {
    let (_, report) = lied_to(Fault::PowerOffHost, CloudDefect::FaultWithoutEffect).await;
    let evidence = &report.runs[0].fault.evidence;
    assert_eq!(evidence, "TerminateInstances with SkipOsShutdown was accepted");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reset_that_the_cloud_does_not_count_is_none_also_when_clients_were_cut_off() {
    let (_, report) = lied_to(Fault::ResetConnections, CloudDefect::FaultUnseen).await;
    assert!(report.runs[0].rto.is_some(), "a client was disconnected");
}

/// Where nobody is to notice, nobody noticing is no evidence.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_that_says_it_is_dead_and_a_storage_that_does_not_stall_prove_nothing() {
    let agent = lied_to(Fault::KillAgent, CloudDefect::FaultWithoutEffect);
    let storage = lied_to(Fault::StallStorage, CloudDefect::FaultWithoutEffect);
    let (_, (cloud, report)) = tokio::join!(agent, storage);
    assert!(!failing(&report).contains(&"fault.effect"), "{:?}", failing(&report));
    assert!(
        *cloud.healed.lock().unwrap() > 0,
        "what lasts is healed whether or not it was seen"
    );
}

#[tokio::test]
async fn a_fault_that_the_place_cannot_have_is_refused_before_anything_is_changed() {
    let cloud = Arc::new(FakeCloud::new(BrokerDefect::None, CloudDefect::None));
    let error = test(&cloud, &scenario(&[Fault::CutHost])).await.unwrap_err();
    assert!(
        matches!(
            error,
            FailoverError::NotHere {
                fault: Fault::CutHost,
                ..
            }
        ),
        "{error}"
    );
    assert!(cloud.turn.lock().unwrap().is_none() && cloud.broken.lock().unwrap().is_none());
}
