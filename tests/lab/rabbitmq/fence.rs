//! What only the fence prevents: two brokers on one directory, of which both confirm and one loses, without a word in any log.

use super::{EXAMPLE, is_here, login};
use crate::support::{Lab, SOFTWARE, call, root, until};
use lapin::options::{BasicGetOptions, BasicPublishOptions, ConfirmSelectOptions};
use lapin::{BasicProperties, Confirmation, Connection, ConnectionProperties};
use mqaws_contract::agent::AgentConfig;
use mqaws_engine::processes::Processes;
use mqaws_engine::rabbitmq::RabbitMq;
use mqaws_engine::runner::{ProcessRunner, RunError};
use mqaws_engine::{Command, DataState, Engine, Host, Output, Product, Root, Runner};
use serde_json::{Value, json};
use std::fs;
use std::net::IpAddr;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// The queue of the example that one node keeps by consensus with itself: its log is written by one process.
pub(super) const QUORUM: &str = "orders.quorum";
pub(super) const EACH: usize = 100;
const LIMIT: Duration = Duration::from_secs(60);
/// What the brokers of this test carry, so that no other's are seen.
const MARK: &str = "MQAWS_TEST_BROKER";

/// Runs commands with the mark of one host.
struct Marked(String);

impl Runner for Marked {
    fn run(&self, command: &Command) -> Result<Output, RunError> {
        ProcessRunner.run(&command.clone().env(MARK, &self.0))
    }
}

/// A broker without an agent, on a directory that anybody may have.
pub(super) struct Broker {
    pub(super) engine: Arc<dyn Engine>,
    pub(super) address: IpAddr,
    root: PathBuf,
}

impl Broker {
    pub(super) fn new(home: &Path, name: &str, shared: &Path, address: &str) -> Self {
        Self::configured(
            home,
            name,
            shared,
            address,
            json!({"amqp_port": 5672, "management_port": 15672}),
        )
    }

    /// One with these of its settings.
    pub(super) fn configured(home: &Path, name: &str, shared: &Path, address: &str, settings: Value) -> Self {
        let own = home.join(name);
        fs::create_dir_all(own.join("usr/lib")).unwrap();
        fs::create_dir_all(own.join("etc/mqaws")).unwrap();
        fs::create_dir_all(own.join("mnt")).unwrap();
        symlink(shared, own.join("mnt/mqaws")).unwrap();
        let software = std::env::var_os(SOFTWARE).map_or_else(|| PathBuf::from("/"), PathBuf::from);
        for package in ["rabbitmq", "erlang"] {
            symlink(
                software.join("usr/lib").join(package),
                own.join("usr/lib").join(package),
            )
            .unwrap();
        }
        fs::copy(
            root().join("examples/rabbitmq.json"),
            own.join("etc/mqaws/definitions.json"),
        )
        .unwrap();
        let mut config = json!({
            "schema": AgentConfig::SCHEMA, "stack": "s", "region": "eu-west-1", "group": "G", "hook": "h",
            "queue_manager": "TWICE", "topology": "single",
            "engine": {"kind": "rabbitmq", "bin_dir": "/usr/lib/rabbitmq/bin"},
            "storage": {"file_system": "fs-1", "mount": "/mnt/mqaws"}, "credentials": "arn",
            "metrics_namespace": "n",
        });
        for (key, value) in settings.as_object().unwrap() {
            config[key.as_str()] = value.clone();
        }
        let config: AgentConfig = serde_json::from_value(config).unwrap();
        let mark = own.display().to_string();
        let host = Host {
            root: Root::new(&own),
            runner: Arc::new(Marked(mark.clone())),
            processes: Processes::new(&RabbitMq, "TWICE", Some((MARK, &mark))),
            run_as: None,
            own: Vec::new(),
            waited: |_, _| (),
        };
        Self {
            engine: RabbitMq.engine(&config, host),
            address: address.parse().unwrap(),
            root: own,
        }
    }

    pub(super) fn start(&self, data: DataState) {
        self.engine.adopt(data).unwrap();
        self.engine.start(1, self.address).unwrap();
        self.engine.accept(self.address, &|| false).unwrap();
    }

    /// The password of the user `mqaws`, which is new at each start.
    pub(super) fn password(&self) -> String {
        fs::read_to_string(self.root.join("var/lib/mqaws/rabbitmq/agent.password")).unwrap()
    }

    pub(super) fn url(&self) -> String {
        format!("amqp://mqaws:{}@{}:5672/%2f", self.password(), self.address)
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.engine.kill();
        // The port mapper is nobody's engine.
        for pid in marked(&self.root) {
            mqaws_engine::processes::signal(pid, rustix::process::Signal::KILL);
        }
    }
}

/// Processes that carry a host's mark.
fn marked(root: &Path) -> Vec<i32> {
    let mark = format!("{MARK}={}", root.display()).into_bytes();
    let each = fs::read_dir("/proc").unwrap().flatten();
    let pids = each.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    pids.filter(|pid| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|one| one == mark.as_slice())
    })
    .collect()
}

/// A connection, once there is one: a load balancer may lead to a target that is gone for a while.
pub(super) async fn connect(url: &str) -> Connection {
    let deadline = std::time::Instant::now() + LIMIT;
    loop {
        match Connection::connect(url, ConnectionProperties::default()).await {
            Ok(connection) => return connection,
            Err(error) => assert!(std::time::Instant::now() < deadline, "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// How long a confirm may take before a client goes on with another connection: one that leads to a host that is gone has no answer.
const CONFIRM: Duration = Duration::from_secs(10);

pub(super) async fn channel(connection: &Connection) -> lapin::Channel {
    let channel = connection.create_channel().await.unwrap();
    channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
    channel
}

/// Puts messages of this name, and returns those that the broker confirmed.
pub(super) async fn put(url: &str, queue: &str, name: &str) -> Vec<String> {
    let mut connection = connect(url).await;
    let mut to = channel(&connection).await;
    let mut confirmed = Vec::new();
    let deadline = std::time::Instant::now() + LIMIT;
    while confirmed.len() < EACH {
        let body = format!("{name}{}", confirmed.len());
        let properties = BasicProperties::default().with_delivery_mode(2);
        let options = BasicPublishOptions {
            mandatory: true,
            ..BasicPublishOptions::default()
        };
        let sent = to.basic_publish("".into(), queue.into(), options, body.as_bytes(), properties);
        match tokio::time::timeout(CONFIRM, sent.await.unwrap()).await {
            Ok(Ok(Confirmation::Ack(None))) => confirmed.push(body),
            Err(_) if std::time::Instant::now() < deadline => {
                connection = connect(url).await;
                to = channel(&connection).await;
            }
            other => panic!("{body}: {other:?}"),
        }
    }
    let _ = connection.close(200, "done".into()).await;
    confirmed
}

/// Takes all that is there.
pub(super) async fn take(url: &str, queue: &str) -> Vec<String> {
    let connection = connect(url).await;
    let channel = connection.create_channel().await.unwrap();
    let mut found = Vec::new();
    while let Some(got) = channel
        .basic_get(queue.into(), BasicGetOptions { no_ack: true })
        .await
        .unwrap()
    {
        found.push(String::from_utf8(got.delivery.data).unwrap());
    }
    let _ = connection.close(200, "done".into()).await;
    found
}

pub(super) fn lost(confirmed: &[String], found: &[String]) -> usize {
    confirmed.iter().filter(|one| !found.contains(one)).count()
}

#[test]
fn without_the_fence_two_brokers_on_one_directory_lose_what_they_confirmed() {
    if !is_here("two brokers on one directory") {
        return;
    }
    let home = tempfile::Builder::new().prefix("mq").tempdir_in("/tmp").unwrap();
    let shared = home.path().join("shared");
    fs::create_dir_all(shared.join("TWICE/rabbitmq")).unwrap();
    let first = Broker::new(home.path(), "a", &shared, "127.251.14.1");
    let second = Broker::new(home.path(), "b", &shared, "127.251.14.2");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        first.start(DataState::Absent);
        let mut confirmed = put(&first.url(), QUORUM, "a").await;
        // Nothing keeps the second from starting, and it has the messages of the first.
        second.start(DataState::Present);
        confirmed.extend(put(&first.url(), QUORUM, "b").await);
        confirmed.extend(put(&second.url(), QUORUM, "c").await);
        assert_eq!(confirmed.len(), 3 * EACH, "both confirm all");
        assert_eq!((first.engine.kill().unwrap(), second.engine.kill().unwrap()), (0, 0));
        first.start(DataState::Present);
        let found = take(&first.url(), QUORUM).await;
        let lost = lost(&confirmed, &found);
        println!("{lost} of {} confirmed messages are lost", confirmed.len());
        assert!(lost > 0, "the fence would not be needed: {found:?}");
    });
}

/// What the agents of other hosts than this say.
fn others(lab: &Lab, first: &str) -> Vec<Value> {
    let hosts = fs::read_dir(lab.dir().join("i")).unwrap().flatten();
    let hosts = hosts.map(|entry| entry.path()).filter(|host| !host.ends_with(first));
    hosts
        .map(|host| {
            let text = fs::read(host.join("run/mqaws/status.json")).unwrap_or_default();
            let file: Value = serde_json::from_slice(&text).unwrap_or_default();
            file["status"].clone()
        })
        .collect()
}

/// Lines of a log that are kept of a test that failed.
const LINES: usize = 40;

/// Tells how the logs of a lab's brokers end, once the test that has it fails: nothing else is left of them then.
struct Logs<'a>(&'a Lab);

impl Logs<'_> {
    /// The last lines of each log, with its host.
    fn ends(&self) -> Vec<String> {
        let hosts = fs::read_dir(self.0.dir().join("i")).into_iter().flatten().flatten();
        let logs = hosts.map(|host| host.path().join("var/log/mqaws/rabbitmq"));
        let logs = logs.flat_map(|logs| fs::read_dir(logs).into_iter().flatten().flatten());
        let ends = logs.map(|log| {
            let text = fs::read(log.path()).unwrap_or_default();
            let text = String::from_utf8_lossy(&text).into_owned();
            let lines: Vec<&str> = text.lines().collect();
            let last = &lines[lines.len().saturating_sub(LINES)..];
            format!("{}:\n{}", log.path().display(), last.join("\n"))
        });
        ends.collect()
    }
}

impl Drop for Logs<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            for end in self.ends() {
                eprintln!("{end}");
            }
        }
    }
}

#[test]
fn with_the_fence_the_second_host_waits_and_nothing_is_lost() {
    if !is_here("the fence before RabbitMQ") {
        return;
    }
    let lab = Lab::up(&[]);
    let logs = Logs(&lab);
    let config = root().join(EXAMPLE).display().to_string();
    lab.run(&["deploy", "--local", "--yes", "--config", &config], 0);
    let status = lab.json(&["status", "--local", "--config", &config], 0);
    let (user, password) = login(&lab, &status);
    let url = format!(
        "amqp://{user}:{password}@{}/%2f",
        status["clients"]["amqp"].as_str().unwrap()
    );
    let first = status["writer"]["instance"].as_str().unwrap().to_owned();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut confirmed = runtime.block_on(put(&url, QUORUM, "a"));

    let record = lab.record();
    let groups = call(
        &record,
        "autoscaling",
        "2011-01-01",
        &[("Action", "DescribeAutoScalingGroups")],
    );
    let group = crate::support::between(&groups, "AutoScalingGroupName");
    let two = [
        ("Action", "UpdateAutoScalingGroup"),
        ("AutoScalingGroupName", group.as_str()),
        ("MaxSize", "2"),
        ("DesiredCapacity", "2"),
    ];
    call(&record, "autoscaling", "2011-01-01", &two);
    until("the second host waits for the lock", || {
        others(&lab, &first).into_iter().find(|agent| {
            let said = agent["last_error"].as_str().unwrap_or_default();
            said.contains("waiting for the lock")
        })
    });
    let brokers = || {
        let lines = lab.processes();
        lines.iter().filter(|line| line.contains("beam.smp")).count()
    };
    assert_eq!(brokers(), 1);
    confirmed.extend(runtime.block_on(put(&url, QUORUM, "b")));
    assert_eq!(brokers(), 1);

    // The first is gone, by EC2's word; another has the same data.
    let gone = [
        ("Action", "TerminateInstances"),
        ("SkipOsShutdown", "true"),
        ("InstanceId.1", first.as_str()),
    ];
    call(&record, "ec2", "2016-11-15", &gone);
    until("another host serves", || {
        others(&lab, &first)
            .into_iter()
            .find(|agent| agent["state"] == "serving")
    });
    confirmed.extend(runtime.block_on(put(&url, QUORUM, "c")));
    let found = runtime.block_on(take(&url, QUORUM));
    assert_eq!((confirmed.len(), lost(&confirmed, &found)), (3 * EACH, 0));
    assert!(logs.ends().iter().any(|end| end.lines().count() > 1), "no log is found");
    drop(logs);
    lab.end();
}
