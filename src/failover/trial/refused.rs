//! Refusals and resets while connections are made: what passes is got over, and what does not is named as it is.

use super::broker::{When, by_detour, is_untouched, measured};
use super::detour::Detour;
use super::*;
use crate::failover::clients::amqp::{Amqp10, AmqpTimes};
use crate::failover::clients::client::{ClientError, Driver};

/// A queue manager that ends, or has just begun, may refuse whom it let in before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_while_the_backlog_is_put_is_got_over() {
    for before in [0, 1] {
        let report = measured(async || {
            let sky = Arc::new(Sky::new(Defect::None, Twist::None));
            let detour = Detour::to(sky.toy.address());
            let (way, toy) = (detour.clone(), sky.toy.clone());
            let watch = When("of backlog", move || {
                toy.turn_away(before, 3);
                way.cut_after(8000);
            });
            let report = by_detour(&sky, &detour, &watch).await.unwrap();
            assert_eq!(sky.toy.to_turn_away(), 0);
            report
        })
        .await;
        assert_eq!(report.exit(), ExitKind::Success, "{:?}", report.runs[0].thresholds);
    }
}

/// What was good a moment before is not blamed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lasting_refusal_while_the_backlog_is_put_blames_nothing_that_was_good() {
    let sky = Arc::new(Sky::new(Defect::None, Twist::None));
    let detour = Detour::to(sky.toy.address());
    let (way, toy) = (detour.clone(), sky.toy.clone());
    let watch = When("of backlog", move || {
        toy.turn_away(1, u32::MAX);
        way.cut_after(8000);
    });
    let error = by_detour(&sky, &detour, &watch).await.unwrap_err();
    assert!(matches!(error, FailoverError::NoBacklog { .. }), "{error}");
    assert!(error.to_string().contains("refused the user `app`"), "{error}");
    let hint = error.hint().unwrap();
    assert!(hint.contains("let in") && !hint.contains("secret"), "{hint}");
    assert!(is_untouched(&sky));
}

/// A connection that breaks while it is made, wherever it does so, says nothing of the user or the queue.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_breaks_while_it_is_made_blames_neither_user_nor_queue() {
    let toy = crate::failover::toy::Toy::start(Defect::None);
    let detour = Detour::to(toy.address());
    let driver = Amqp10::new(
        "127.0.0.1",
        detour.address.port(),
        "app",
        "secret".to_owned().into(),
        AmqpTimes::default(),
    );
    let mut broken = 0;
    for bytes in (1..800).step_by(9) {
        for consumer in [false, true] {
            detour.cut_after(bytes);
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
