//! Only a part of the clients is led to another queue manager.

use super::fake_broker::{BrokerDefect, FakeBroker};
use super::fake_cloud::{CloudDefect, FakeCloud};
use super::short_test::{When, kill};
use crate::failover::clients::amqp::{Amqp10, AmqpTimes};
use crate::failover::clients::client::{BoxFuture, BrokerDriver, ClientError, GetLink, PutLink};
use crate::failover::clients::endpoint::AmqpEndpoint;
use crate::failover::drive::port::Credentials;
use crate::failover::drive::run::{never, run_with};
use crate::remedy::ExitKind;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A name with two targets: some clients are led to one, some to the other.
struct Split {
    own: Amqp10,
    other: Amqp10,
    /// Part of the names of those clients that are led to the other one, once there are any.
    away: Mutex<Option<&'static str>>,
}

impl Split {
    fn way(&self, client: &str) -> &Amqp10 {
        match *self.away.lock().unwrap() {
            Some(part) if client.contains(part) => &self.other,
            _ => &self.own,
        }
    }
}

impl BrokerDriver for Split {
    fn name(&self) -> &'static str {
        "split"
    }

    fn caveat(&self) -> &'static str {
        ""
    }

    fn producer(&self, client: String, queue: String) -> BoxFuture<'_, Result<PutLink, ClientError>> {
        self.way(&client).producer(client, queue)
    }

    fn consumer(&self, client: String, queue: String) -> BoxFuture<'_, Result<GetLink, ClientError>> {
        self.way(&client).consumer(client, queue)
    }
}

/// Only a part of the clients is led elsewhere: what then does not come may be lost, and may lie there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_part_of_the_clients_led_elsewhere_is_named_where_messages_do_not_come() {
    for (part, exit) in [("-p", ExitKind::Lost), ("-c", ExitKind::Inconclusive)] {
        let cloud = Arc::new(FakeCloud::new(BrokerDefect::None, CloudDefect::None));
        let other = FakeBroker::start(BrokerDefect::None);
        let way = |address: std::net::SocketAddr| {
            let secret = "secret".to_owned().into();
            Amqp10::new("127.0.0.1", address.port(), "app", secret, AmqpTimes::default())
        };
        let split = Arc::new(Split {
            own: way(cloud.broker.address()),
            other: way(other.address()),
            away: Mutex::default(),
        });
        let turning = split.clone();
        let watch = When("injecting", move || *turning.away.lock().unwrap() = Some(part));
        let driver: Arc<dyn BrokerDriver> = split.clone();
        let mut scenario = kill();
        scenario.times.drain_timeout = Some(Duration::from_secs(4));
        let dial = move |_: &AmqpEndpoint, _: &Credentials| Ok(driver.clone());
        let report = run_with(cloud.clone(), &scenario, &watch, never(), &dial)
            .await
            .unwrap();
        let lost = report.runs[0]
            .thresholds
            .iter()
            .find(|check| check.name == "rpo.lost")
            .unwrap();
        assert_eq!(lost.exit_code, exit as u8, "{part} {:?}", report.runs[0].thresholds);
        let reason = lost.reason.as_deref().unwrap();
        let endpoint = format!("a different queue manager through {}", cloud.broker.address());
        assert!(reason.contains(&endpoint), "{part}: {reason}");
        // A loss is no less a loss.
        assert!(part != "-p" || report.exit() == ExitKind::Lost);
    }
}
