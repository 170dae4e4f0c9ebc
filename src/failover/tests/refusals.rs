//! Refusals and resets while connections are made: what passes is got over, and what does not is named as it is.

use super::fake_broker::{BrokerDefect, FakeBroker};
use super::fake_cloud::{CloudDefect, FakeCloud};
use super::relay::Relay;
use super::short_test::{When, is_untouched, measured, through_relay};
use crate::failover::FailoverError;
use crate::failover::clients::amqp::{Amqp10, AmqpTimes};
use crate::failover::clients::client::{BrokerDriver, ClientError};
use crate::remedy::{ExitKind, Remedy};
use std::sync::Arc;

/// A queue manager that ends, or has just begun, may refuse whom it let in before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_while_the_backlog_is_put_is_got_over() {
    for before in [0, 1] {
        let report = measured(async || {
            let cloud = Arc::new(FakeCloud::new(BrokerDefect::None, CloudDefect::None));
            let relay = Relay::to(cloud.broker.address());
            let (way, broker) = (relay.clone(), cloud.broker.clone());
            let watch = When("of backlog", move || {
                broker.turn_away(before, 3);
                way.cut_after(8000);
            });
            let report = through_relay(&cloud, &relay, &watch).await.unwrap();
            assert_eq!(cloud.broker.to_turn_away(), 0);
            report
        })
        .await;
        assert_eq!(report.exit(), ExitKind::Success, "{:?}", report.runs[0].thresholds);
    }
}

/// What was good a moment before is not blamed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lasting_refusal_while_the_backlog_is_put_blames_nothing_that_was_good() {
    let cloud = Arc::new(FakeCloud::new(BrokerDefect::None, CloudDefect::None));
    let relay = Relay::to(cloud.broker.address());
    let (way, broker) = (relay.clone(), cloud.broker.clone());
    let watch = When("of backlog", move || {
        broker.turn_away(1, u32::MAX);
        way.cut_after(8000);
    });
    let error = through_relay(&cloud, &relay, &watch).await.unwrap_err();
    assert!(matches!(error, FailoverError::NoBacklog { .. }), "{error}");
    assert!(error.to_string().contains("rejected user `app`"), "{error}");
    let hint = error.hint().unwrap();
    assert!(hint.contains("had access to") && !hint.contains("secret"), "{hint}");
    assert!(is_untouched(&cloud));
}

/// A connection that breaks while it is made, wherever it does so, says nothing of the user or the queue.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_breaks_while_it_is_made_blames_neither_user_nor_queue() {
    let broker = FakeBroker::start(BrokerDefect::None);
    let relay = Relay::to(broker.address());
    let driver = Amqp10::new(
        "127.0.0.1",
        relay.address.port(),
        "app",
        "secret".to_owned().into(),
        AmqpTimes::default(),
    );
    let mut broken = 0;
    for bytes in (1..800).step_by(9) {
        for consumer in [false, true] {
            relay.cut_after(bytes);
            let (client, queue) = (format!("c{bytes}{consumer}"), "Q".to_owned());
            let made = match consumer {
                false => driver.producer(client, queue).await.map(drop),
                true => driver.consumer(client, queue).await.map(drop),
            };
            if let Err(error) = made {
                assert!(matches!(error, ClientError::Unreachable { .. }), "{bytes}: {error}");
                broken += 1;
            }
        }
    }
    assert!(broken > 20, "{broken}");
}
