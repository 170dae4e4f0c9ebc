//! A quorum queue of one member after a kill: the node saves the member's name half a second or more after it made it.

use super::fence::{Broker, EACH, QUORUM, channel, connect, lost, put, take};
use super::is_here;
use lapin::options::QueueDeclareOptions;
use lapin::types::{AMQPValue, FieldTable};
use mqaws_engine::DataState;

#[test]
fn a_quorum_queue_that_is_killed_right_after_its_creation_has_a_leader_and_its_messages() {
    if !is_here("a quorum queue after a kill") {
        return;
    }
    let home = tempfile::Builder::new().prefix("mq").tempdir_in("/tmp").unwrap();
    let shared = home.path().join("shared");
    std::fs::create_dir_all(shared.join("TWICE/rabbitmq")).unwrap();
    let broker = Broker::new(home.path(), "one", &shared, "127.251.18.1");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        broker.start(DataState::Absent);
        // That of the definitions, and one that a client makes of a broker with members.
        for queue in [QUORUM, "late.quorum"] {
            let connection = connect(&broker.url()).await;
            let mut arguments = FieldTable::default();
            arguments.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
            let durable = QueueDeclareOptions {
                durable: true,
                ..QueueDeclareOptions::default()
            };
            let declared = channel(&connection).await;
            declared.queue_declare(queue.into(), durable, arguments).await.unwrap();
            let confirmed = put(&broker.url(), queue, "a").await;
            assert_eq!(broker.engine.kill().unwrap(), 0);
            broker.start(DataState::Present);
            let more = put(&broker.url(), queue, "b").await;
            let found = take(&broker.url(), queue).await;
            let confirmed = [confirmed, more].concat();
            assert_eq!((confirmed.len(), lost(&confirmed, &found)), (2 * EACH, 0), "{queue}");
        }
    });
}
