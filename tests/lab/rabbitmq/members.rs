//! A quorum queue of one member after a kill: the node saves the member's name half a second or more after it made it.

use super::fence::{Broker, EACH, QUORUM, channel, connect, lost, put, take};
use super::is_here;
use lapin::options::QueueDeclareOptions;
use lapin::types::{AMQPValue, FieldTable};
use mqaws_engine::DataState;
use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

/// How often a queue is made before the machine counts as too slow to be killed in time.
const TRIES: usize = 5;

/// A broker and its members' folder.
struct Members {
    broker: Broker,
    folder: PathBuf,
    _home: tempfile::TempDir,
}

impl Members {
    fn new(name: &str, address: &str) -> Self {
        let home = tempfile::Builder::new().prefix("mq").tempdir_in("/tmp").unwrap();
        let shared = home.path().join("shared");
        fs::create_dir_all(shared.join("TWICE/rabbitmq")).unwrap();
        Self {
            broker: Broker::new(home.path(), name, &shared, address),
            folder: shared.join("TWICE/rabbitmq/rabbit@mqaws/quorum/rabbit@mqaws"),
            _home: home,
        }
    }

    fn all(&self) -> BTreeSet<String> {
        let entries = fs::read_dir(&self.folder).into_iter().flatten().map(Result::unwrap);
        let members = entries.filter(|entry| entry.path().join("config").is_file());
        members.map(|entry| entry.file_name().into_string().unwrap()).collect()
    }

    fn is_named(&self, member: &str) -> bool {
        let names = fs::read(self.folder.join("names.dets")).unwrap();
        names.windows(member.len()).any(|part| part == member.as_bytes())
    }

    /// A member's directory with this in its settings, of this age.
    fn plant(&self, member: &str, settings: &[u8], age: Duration) {
        let config = self.folder.join(member).join("config");
        fs::create_dir_all(config.parent().unwrap()).unwrap();
        fs::write(&config, settings).unwrap();
        let file = fs::File::options().write(true).open(config).unwrap();
        file.set_modified(SystemTime::now() - age).unwrap();
    }
}

async fn declare(url: &str, queue: &str) {
    let connection = connect(url).await;
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
    let durable = QueueDeclareOptions {
        durable: true,
        ..QueueDeclareOptions::default()
    };
    let declared = channel(&connection).await;
    declared.queue_declare(queue.into(), durable, arguments).await.unwrap();
}

#[test]
fn a_quorum_queue_that_is_killed_right_after_its_creation_has_a_leader_and_its_messages() {
    if !is_here("a quorum queue after a kill") {
        return;
    }
    let members = Members::new("one", "127.251.18.1");
    let broker = &members.broker;
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        broker.start(DataState::Absent);
        // On a busy machine the name may be saved before the kill, and then nothing is tested.
        for number in 0..TRIES {
            let (queue, before) = (format!("late.quorum.{number}"), members.all());
            declare(&broker.url(), &queue).await;
            let confirmed = put(&broker.url(), &queue, "a").await;
            assert_eq!(broker.engine.kill().unwrap(), 0);
            let made: Vec<String> = members.all().difference(&before).cloned().collect();
            let lost_name = made.iter().any(|member| !members.is_named(member));
            broker.start(DataState::Present);
            let more = put(&broker.url(), &queue, "b").await;
            let found = take(&broker.url(), &queue).await;
            let confirmed = [confirmed, more].concat();
            assert_eq!((confirmed.len(), lost(&confirmed, &found)), (2 * EACH, 0), "{queue}");
            if lost_name {
                return;
            }
        }
        panic!("the name was saved before the kill, {TRIES} times");
    });
}

#[test]
fn only_a_member_that_was_never_named_gets_a_name_and_none_keeps_the_broker_down() {
    if !is_here("members without a name") {
        return;
    }
    let members = Members::new("two", "127.251.18.2");
    let broker = &members.broker;
    let runtime = tokio::runtime::Runtime::new().unwrap();
    broker.start(DataState::Absent);
    let confirmed = runtime.block_on(put(&broker.url(), QUORUM, "a"));
    assert_eq!(broker.engine.kill().unwrap(), 0);

    let own = members.all();
    let settings = |name: &[u8], member: &str| {
        let before = b"#{id => {'".as_slice();
        let after = format!("',rabbit@mqaws}},uid => <<\"{member}\">>}}.\n");
        [before, name, after.as_bytes()].concat()
    };
    let (now, hour) = (Duration::ZERO, Duration::from_secs(3600));
    for (member, name, age) in [
        ("2F_GONEAAAAAAAA", b"%2F_gone".as_slice(), hour),
        ("2F_LATINBBBBBBB", b"%2F_\xe9dit\xe9es", now),
        ("2F_FIRSTCCCCCCC", b"%2F_twice", Duration::from_secs(2)),
        ("2F_SECONDDDDDDD", b"%2F_twice", now),
    ] {
        members.plant(member, &settings(name, member), age);
    }
    members.plant("2F_EMPTYEEEEEEE", b"", now);
    members.plant("2F_OTHERFFFFFFF", &settings(b"%2F_other", "2F_ANOTHER"), now);
    broker.start(DataState::Present);
    assert_eq!(broker.engine.kill().unwrap(), 0);

    let planted = members.all();
    let named: Vec<&str> = planted
        .difference(&own)
        .map(String::as_str)
        .filter(|member| members.is_named(member))
        .collect();
    assert_eq!(named, ["2F_LATINBBBBBBB", "2F_SECONDDDDDDD"]);
    broker.start(DataState::Present);
    let found = runtime.block_on(take(&broker.url(), QUORUM));
    assert_eq!(lost(&confirmed, &found), 0);
}
