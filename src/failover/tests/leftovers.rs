//! Messages that are on the test's queue before it begins: those of earlier tests are taken away, all others are refused and kept.

use super::fake_broker::{BrokerDefect, FakeBroker};
use super::fake_cloud::{CloudDefect, FakeCloud, QUEUE};
use super::short_test::{When, is_untouched, kill, test};
use crate::failover::clients::amqp::{Amqp10, AmqpTimes};
use crate::failover::clients::client::{BoxFuture, BrokerDriver, CREDIT, ClientError, GetLink, Lost, PutLink};
use crate::failover::clients::endpoint::AmqpEndpoint;
use crate::failover::drive::port::Credentials;
use crate::failover::drive::run::{never, run_with};
use crate::failover::measure::id::{Header, MessageId, RunId};
use crate::failover::{FailoverError, Scenario, run};
use crate::remedy::Remedy;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::{mpsc, oneshot, watch};

const FOREIGN: &[u8] = b"an order";

fn cloud() -> Arc<FakeCloud> {
    Arc::new(FakeCloud::new(BrokerDefect::None, CloudDefect::None))
}

fn client(broker: &FakeBroker) -> Amqp10 {
    let secret = "secret".to_owned().into();
    Amqp10::new(
        "127.0.0.1",
        broker.address().port(),
        "app",
        secret,
        AmqpTimes::default(),
    )
}

/// More than a broker sends ahead, as a test that was killed leaves them.
fn leave_some(cloud: &FakeCloud) {
    for seq in 0..u64::from(CREDIT) * 2 {
        let header = Header {
            run: RunId(7),
            id: MessageId { producer: 0, seq },
            connection: 0,
            sent_ns: 0,
        };
        cloud.broker.plant(QUEUE, header.body(64));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_earlier_test_left_is_taken_away() {
    let cloud = cloud();
    leave_some(&cloud);
    test(&cloud, &kill()).await.unwrap();
    assert_eq!(cloud.broker.depth(QUEUE), 0);
}

/// It is behind what a broker sends ahead.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_of_others_behind_those_of_a_test_is_found() {
    let cloud = cloud();
    leave_some(&cloud);
    cloud.broker.plant(QUEUE, FOREIGN.to_vec());
    let error = test(&cloud, &kill()).await.unwrap_err();
    let FailoverError::ForeignMessages { count, seen, .. } = error else {
        panic!("{error}")
    };
    assert_eq!((count, seen), (1, u64::from(CREDIT) * 2 + 1));
    assert!(is_untouched(&cloud));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_another_consumer_holds_is_refused_unseen() {
    let cloud = cloud();
    cloud.broker.plant(QUEUE, FOREIGN.to_vec());
    let mut held = client(&cloud.broker)
        .consumer("other".into(), QUEUE.into())
        .await
        .unwrap();
    assert_eq!(held.deliveries.recv().await.unwrap().body, FOREIGN);
    let error = test(&cloud, &kill()).await.unwrap_err();
    let expected = (1, 0);
    assert!(
        matches!(error, FailoverError::UnseenMessages { depth, seen, .. } if (depth, seen) == expected),
        "{error}"
    );
    assert!(error.hint().is_some_and(|hint| hint.contains("heal")), "{error}");
    assert!(is_untouched(&cloud));
    assert_eq!(cloud.broker.depth(QUEUE), 1);
    drop(held);
}

/// One that came while the test ran is refused by the next round.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn later_rounds_look_as_well() {
    let cloud = cloud();
    let broker = cloud.broker.clone();
    let watch = When("until the stack is stable", move || {
        broker.plant(QUEUE, FOREIGN.to_vec())
    });
    let scenario = Scenario { rounds: 2, ..kill() };
    let error = run(cloud.clone(), &scenario, &watch, never()).await.unwrap_err();
    assert!(error.to_string().contains("of another application"), "{error}");
    assert_eq!(cloud.broker.depth(QUEUE), 1);
}

/// Its links of consumers end as soon as they are made.
struct Severed(Amqp10);

impl BrokerDriver for Severed {
    fn name(&self) -> &'static str {
        "severed"
    }

    fn caveat(&self) -> &'static str {
        ""
    }

    fn producer(&self, client: String, queue: String) -> BoxFuture<'_, Result<PutLink, ClientError>> {
        self.0.producer(client, queue)
    }

    fn consumer(&self, _: String, _: String) -> BoxFuture<'_, Result<GetLink, ClientError>> {
        let (end, lost) = oneshot::channel();
        let now = Instant::now();
        let cause = "connection reset".to_owned();
        let _ = end.send(Lost {
            cause,
            at: now,
            heard: now,
        });
        let link = GetLink {
            deliveries: mpsc::channel(1).1,
            accepts: mpsc::unbounded_channel().0,
            wanted: watch::channel(true).0,
            spent: watch::channel(false).1,
            lost,
        };
        Box::pin(async move { Ok(link) })
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_that_is_lost_is_told_from_a_queue_that_shows_nothing() {
    let cloud = cloud();
    cloud.broker.plant(QUEUE, FOREIGN.to_vec());
    let severed = Arc::new(Severed(client(&cloud.broker)));
    let dial = move |_: &AmqpEndpoint, _: &Credentials| Ok(severed.clone() as Arc<dyn BrokerDriver>);
    let error = run_with(cloud.clone(), &kill(), &(), never(), &dial).await.unwrap_err();
    let FailoverError::Endpoint { cause, .. } = error else {
        panic!("{error}")
    };
    assert!(cause.to_string().contains("connection reset"), "{cause}");
    assert!(is_untouched(&cloud));
}
