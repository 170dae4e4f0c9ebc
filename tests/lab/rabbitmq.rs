//! RabbitMQ itself in the local cloud, from the package of the distribution: deployed, restarted in place, failed over, ended.
//!
//! `scripts/test` unpacks the package and names the folder by `MQAWS_LAB_SOFTWARE`; a machine that has it installed needs no folder.

use crate::support::judge::{TOOLS, skip};
use crate::support::{Lab, SOFTWARE, failing, json_call, root, runs, until};
use lapin::options::{
    BasicConsumeOptions, BasicGetOptions, BasicPublishOptions, BasicQosOptions, QueueDeclareOptions, QueueDeleteOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Connection, ConnectionProperties};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

mod clients;
mod fence;
mod forger;
mod hang;
mod members;
mod namespaces;
mod standby;
mod tls;
mod versions;

/// The queue of the failover test.
const PROBE: &str = "MQAWS.PROBE.TEST";
/// The example's configuration.
pub(crate) const EXAMPLE: &str = "examples/rabbitmq.yaml";

fn example() -> String {
    root().join(EXAMPLE).display().to_string()
}

/// User and password of the application, from the stack's secret.
fn login(lab: &Lab, status: &Value) -> (String, String) {
    let body = json!({"SecretId": status["clients"]["secret"]});
    let secret = json_call(&lab.record(), "secretsmanager", "secretsmanager.GetSecretValue", &body).unwrap();
    let secret: Value = serde_json::from_str(secret["SecretString"].as_str().unwrap()).unwrap();
    let word = |name: &str| secret[name].as_str().unwrap().to_owned();
    (word("username"), word("password"))
}

/// Whether this machine has RabbitMQ; says so when it has not.
#[track_caller]
pub(crate) fn is_here(test: &str) -> bool {
    let folder = std::env::var_os(SOFTWARE).unwrap_or_else(|| "/".into());
    let here = Path::new(&folder).join("usr/lib/rabbitmq").is_dir();
    if !here {
        skip(TOOLS, test, "there is no RabbitMQ; scripts/test unpacks it");
    }
    here
}

/// What the broker's management interface answers.
fn managed(status: &Value, user: &str, password: &str, path: &str) -> (u16, Value) {
    let base = status["clients"]["management"].as_str().expect("an address");
    let authorization =
        base64::Engine::encode(&base64::engine::general_purpose::STANDARD, format!("{user}:{password}"));
    let answer = ureq::get(format!("http://{base}/api/{path}"))
        .config()
        .http_status_as_error(false)
        .build()
        .header("Authorization", format!("Basic {authorization}"))
        .call()
        .expect("an answer");
    let code = answer.status().as_u16();
    let text = answer.into_body().read_to_string().expect("text");
    (code, serde_json::from_str(&text).unwrap_or_default())
}

#[test]
fn a_machine_without_it_is_told_how_to_get_it_and_no_cloud_is_started() {
    let lab = Lab::new();
    let mut command = lab.command(&["deploy", "--local", "--yes", "--config", &example()]);
    command.env(SOFTWARE, lab.path("nothing"));
    let said = lab.started(command).wait();
    assert_eq!(said.code, Some(3), "{said}");
    for words in ["rabbitmq-server", "apt-get install", SOFTWARE, "nothing was changed"] {
        assert!(said.err.contains(words), "{words}: {said}");
    }
    assert!(!lab.dir().exists());
    let mut command = lab.command(&["demo", "--engine", "rabbitmq"]);
    command.env(SOFTWARE, lab.path("nothing"));
    let said = lab.started(command).wait();
    assert_eq!(said.code, Some(3), "{said}");
    assert!(said.err.contains("docs/rabbitmq.md"), "{said}");
}

#[test]
fn the_demo_shows_the_broker_itself_and_leaves_nothing_of_it() {
    if !is_here("the demo with RabbitMQ") {
        return;
    }
    let lab = Lab::new();
    let demo = ["demo", "--engine", "rabbitmq", "--out", "shown", "--output", "json"];
    let shown = lab.repeated(&demo, 0, || lab.spawn(&demo).wait());
    let report = &shown["report"];
    assert_eq!(
        (&report["engine"]["stand_in"], &report["driver"]["name"]),
        (&json!(false), &json!("amqp091")),
        "{report}"
    );
    let faults: Vec<&str> = runs(report)
        .iter()
        .filter_map(|run| run["fault"]["name"].as_str())
        .collect();
    assert_eq!(faults, ["kill-queue-manager", "terminate-instance"], "{report}");
    assert!(!lab.dir().exists());
}

#[test]
fn it_is_deployed_restarted_in_place_failed_over_and_destroyed_with_its_data_kept() {
    if is_here("RabbitMQ in the local cloud") {
        story(Lab::up(&[]), "3.10", "schema.DAT");
    }
}

/// The whole length with one version: its first numbers, and a file by which its data are known.
fn story(lab: Lab, series: &str, database: &str) {
    let example = example();
    let config = ["--config", example.as_str()];
    lab.run(&[&["deploy", "--local", "--yes"][..], &config].concat(), 0);
    let status = lab.json(&[&["status", "--local"][..], &config].concat(), 0);
    let version = format!("\"RabbitMQ {series}.");
    assert!(status.to_string().contains(&version), "{status}");
    assert!(!status.to_string().contains("untested"), "{status}");

    // The queues of the file are there, the application's user gets in with the secret's password, and nobody by a known one.
    let (user, password) = login(&lab, &status);
    let (user, password) = (user.as_str(), password.as_str());
    let root = lab.instance(status["writer"]["instance"].as_str().unwrap());
    let agent = fs::read_to_string(root.join("var/lib/mqaws/rabbitmq/agent.password")).unwrap();
    let (code, queues) = managed(&status, "mqaws", &agent, "queues");
    let mut names: Vec<&str> = queues
        .as_array()
        .expect("queues")
        .iter()
        .filter_map(|one| one["name"].as_str())
        .collect();
    names.sort_unstable();
    assert_eq!((code, names), (200, vec!["MQAWS.READY", "orders", "orders.quorum"]));
    assert_eq!(managed(&status, "guest", "guest", "whoami").0, 401);
    let (_, users) = managed(&status, "mqaws", &agent, "users");
    let mut names: Vec<&str> = users
        .as_array()
        .expect("users")
        .iter()
        .filter_map(|one| one["name"].as_str())
        .collect();
    names.sort_unstable();
    let mut expected = ["mqaws", user];
    expected.sort_unstable();
    assert_eq!(names, expected);

    // Nothing secret is on a command line or in a file that others may read, and the node is not named after its host.
    let cookie = fs::read_to_string(root.join("var/lib/mqaws/rabbitmq/home/.erlang.cookie")).unwrap();
    let lines = lab.processes().join("\n");
    assert!(lines.contains("beam.smp"), "{lines}");
    for secret in [password, &agent, &cookie] {
        assert!(!lines.contains(secret), "{lines}");
    }
    let settings = fs::read_to_string(root.join("var/lib/mqaws/rabbitmq/definitions.json")).unwrap();
    assert!(!settings.contains(password) && !settings.contains(&agent), "{settings}");

    // Killed under load, it is started in place on its data, and nothing that was confirmed is lost.
    let report = lab.failover(&[&["--yes", "--fault", "kill-queue-manager"][..], &config].concat(), 0);
    assert_eq!(report["driver"]["name"], "amqp091");
    assert_eq!(report["engine"]["stand_in"], false);
    assert_eq!(failing(&report), Vec::<String>::new());
    let run = &runs(&report)[0];
    assert_eq!(
        (&run["fault"]["verified"], &run["ledger"]["lost"]),
        (&true.into(), &0.into()),
        "{run}"
    );
    assert_eq!(run["served_before"]["instance"], run["served_after"]["instance"]);
    assert!(run["served_after"]["epoch"].as_u64() > run["served_before"]["epoch"].as_u64());
    // The test's queue is gone, the user's are there.
    let (_, queues) = managed(
        &status,
        "mqaws",
        &fs::read_to_string(root.join("var/lib/mqaws/rabbitmq/agent.password")).unwrap(),
        "queues",
    );
    assert_eq!(queues.as_array().map(Vec::len), Some(3), "{queues}");

    let destroyed = lab.json(&[&["destroy", "--local", "--yes"][..], &config].concat(), 0);
    assert!(destroyed.to_string().contains("fs-"), "{destroyed}");
    let kept = fs::read_dir(lab.dir().join("fs"))
        .expect("file systems")
        .flatten()
        .next()
        .expect("one is kept");
    assert!(
        kept.path()
            .join("RABBIT1/rabbitmq/rabbit@mqaws")
            .join(database)
            .exists()
    );
    // Port mappers as well.
    lab.end();
}

/// A queue that is not there after a restart is loss; one that is not durable, or has messages of others, is no queue for a test.
#[test]
fn a_queue_that_is_gone_is_loss_and_a_transient_one_is_refused() {
    if !is_here("planted defects") {
        return;
    }
    let lab = Lab::up(&[]);
    let example = example();
    let config = ["--config", example.as_str()];
    lab.run(&[&["deploy", "--local", "--yes"][..], &config].concat(), 0);
    let status = lab.json(&[&["status", "--local"][..], &config].concat(), 0);
    let root = lab.instance(status["writer"]["instance"].as_str().unwrap());
    let address = status["clients"]["amqp"].as_str().unwrap();
    let url = || {
        let agent = fs::read_to_string(root.join("var/lib/mqaws/rabbitmq/agent.password")).ok()?;
        Some(format!("amqp://mqaws:{agent}@{address}/%2f"))
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let test = ["failover-test", "--local", "--yes", "--fault", "kill-queue-manager"];

    // Planted: a queue of the test's name that does not survive its broker, and one that is replicated by other rules.
    runtime.block_on(async {
        let connection = Connection::connect(&url().unwrap(), ConnectionProperties::default())
            .await
            .unwrap();
        let channel = connection.create_channel().await.unwrap();
        let durable = QueueDeclareOptions {
            durable: true,
            ..QueueDeclareOptions::default()
        };
        let mut quorum = FieldTable::default();
        quorum.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
        let transient = (QueueDeclareOptions::default(), FieldTable::default());
        for ((options, table), words) in [(transient, "'durable'"), ((durable, quorum), "'x-queue-type'")] {
            channel.queue_declare(PROBE.into(), options, table).await.unwrap();
            let said = lab.run(&[&test[..], &config].concat(), 4);
            let ours = "is not the durable classic queue that the failover test defines; delete it";
            assert!(said.err.contains(ours) && said.err.contains(words), "{said}");
            channel
                .queue_delete(PROBE.into(), QueueDeleteOptions::default())
                .await
                .unwrap();
        }

        // Planted: a message of another program in a queue of that name. It stays where it is.
        channel
            .queue_declare(PROBE.into(), durable, FieldTable::default())
            .await
            .unwrap();
        let (options, properties) = (BasicPublishOptions::default(), BasicProperties::default());
        let foreign = b"an order";
        let sent = channel.basic_publish("".into(), PROBE.into(), options, foreign, properties);
        sent.await.unwrap();
        let said = lab.run(&[&test[..], &config].concat(), 3);
        assert!(said.err.contains("messages of another application"), "{said}");

        // Planted: another consumer holds it, so that the test is not sent it.
        let theirs = connection.create_channel().await.unwrap();
        theirs.basic_qos(1, BasicQosOptions::default()).await.unwrap();
        let options = BasicConsumeOptions::default();
        let held = theirs
            .basic_consume(PROBE.into(), "theirs".into(), options, FieldTable::default())
            .await
            .unwrap();
        let passive = QueueDeclareOptions {
            passive: true,
            ..durable
        };
        let mut waiting = 1;
        for _ in 0..100 {
            let queue = channel.queue_declare(PROBE.into(), passive, FieldTable::default());
            waiting = queue.await.unwrap().message_count();
            if waiting == 0 {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        assert_eq!(waiting, 0, "it is sent");
        let said = lab.run(&[&test[..], &config].concat(), 3);
        assert!(said.err.contains("messages that the test cannot read"), "{said}");
        drop(held);
        theirs.close(200, "done".into()).await.unwrap();
        let mut left = None;
        for _ in 0..100 {
            left = channel
                .basic_get(PROBE.into(), BasicGetOptions { no_ack: true })
                .await
                .unwrap();
            if left.is_some() {
                break;
            }
            // The connection that looked at it may not be over yet.
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        assert_eq!(left.expect("it is still there").delivery.data, foreign);
        channel
            .queue_delete(PROBE.into(), QueueDeleteOptions::default())
            .await
            .unwrap();
    });

    let report = with_the_queue_gone(&lab, &config);
    assert!(runs(&report)[0]["ledger"]["lost"].as_u64() > Some(0), "{report}");
    // This version does not speak AMQP 1.0 without a plugin.
    let said = lab.run(&[&test[..], &["--driver", "amqp10"], &config].concat(), 3);
    assert!(
        said.err.contains("driver amqp10 requires version 4.0 or later"),
        "{said}"
    );
    lab.end();
}

/// The report of a test whose queue is deleted as soon as the broker is back; `options` go to the test.
fn with_the_queue_gone(lab: &Lab, options: &[&str]) -> Value {
    let example = example();
    let status = lab.json(&["status", "--local", "--config", &example], 0);
    let root = lab.instance(status["writer"]["instance"].as_str().unwrap());
    let address = status["clients"]["amqp"].as_str().unwrap();
    let url = || {
        let agent = fs::read_to_string(root.join("var/lib/mqaws/rabbitmq/agent.password")).ok()?;
        Some(format!("amqp://mqaws:{agent}@{address}/%2f"))
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let restarts = || -> Option<u64> {
        let text = fs::read(root.join("run/mqaws/status.json")).ok()?;
        serde_json::from_slice::<Value>(&text).ok()?["status"]["restarts"].as_u64()
    };
    let before = restarts();
    let times = ["--recovery-timeout", "15s", "--drain-timeout", "20s"];
    lab.failover_while(
        &[&["--yes", "--fault", "kill-queue-manager"][..], &times, options].concat(),
        10,
        |_| {
            until("a restart", || (restarts() > before).then_some(()));
            until("the queue is deleted", || {
                runtime.block_on(async {
                    let url = url()?;
                    let connect = Connection::connect(&url, ConnectionProperties::default());
                    let channel = connect.await.ok()?.create_channel().await.ok()?;
                    // Deleted once: one that was empty for a moment would be gone, and with it no message.
                    let passive = QueueDeclareOptions {
                        passive: true,
                        ..QueueDeclareOptions::default()
                    };
                    let declared = channel.queue_declare(PROBE.into(), passive, FieldTable::default());
                    let depth = declared.await.ok()?.message_count();
                    (depth > 0).then_some(())?;
                    channel
                        .queue_delete(PROBE.into(), QueueDeleteOptions::default())
                        .await
                        .ok()
                })
            });
        },
    )
}

/// Whoever says that the broker has a message that it never saw is found out.
#[test]
fn confirms_that_are_forged_are_loss() {
    if !is_here("forged confirms") {
        return;
    }
    let lab = Lab::up(&[]);
    let example = example();
    let config = ["--config", example.as_str()];
    lab.run(&[&["deploy", "--local", "--yes"][..], &config].concat(), 0);
    let status = lab.json(&[&["status", "--local"][..], &config].concat(), 0);
    let forger = forger::Forger::to(status["clients"]["amqp"].as_str().unwrap().parse().unwrap());
    let url = forger.url();
    let args = ["--yes", "--fault", "kill-queue-manager", "--amqp-url", &url];
    let report = lab.failover(&[&args[..], &config].concat(), 10);
    let run = &runs(&report)[0];
    assert_eq!(report["verdict"], "fail");
    let lost = run["ledger"]["lost"].as_u64().unwrap();
    assert!(
        lost > 0 && lost <= forger.forged(),
        "{lost} of {}: {run}",
        forger.forged()
    );
    lab.end();
}

/// A load balancer that forgot its flows discards the next packet of each, and nobody hears of it who does not ask. Who asks sends again what
/// has no answer, and then it comes twice.
#[test]
fn without_confirms_messages_vanish_at_a_reset_and_with_them_some_come_twice() {
    if !is_here("confirms") {
        return;
    }
    let lab = Lab::up(&[]);
    let example = example();
    let config = ["--config", example.as_str()];
    lab.run(&[&["deploy", "--local", "--yes"][..], &config].concat(), 0);
    // Of so many producers, some lose the message and others the confirm. Idle ones lose the message that ends their silence.
    let busy = [
        "--yes",
        "--producers",
        "16",
        "--rate",
        "50",
        "--fault",
        "reset-connections",
    ];
    let idle = ["--yes", "--producers", "16", "--rate", "5", "--fault", "idle-timeout"];
    // Between two heartbeats, which would be discarded instead.
    let idle = [&idle[..], &["--baseline", "3s"]].concat();
    for fault in [&busy[..], &idle[..]] {
        let off = lab.failover(&[fault, &["--confirms", "off"], &config].concat(), 10);
        let run = &runs(&off)[0];
        assert!(run["ledger"]["lost"].as_u64() > Some(0), "{run}");
        let ledger = &run["ledger"]["persistent"];
        assert_eq!(
            (&ledger["failed"], &off["load"]["confirms"]),
            (&json!(0), &json!(false)),
            "none of them was reported to the producer: {ledger}"
        );
        let check = run["thresholds"]
            .as_array()
            .unwrap()
            .iter()
            .find(|one| one["name"] == "rpo.lost");
        let reason = check.unwrap()["reason"].as_str().unwrap();
        assert!(reason.contains("never confirmed"), "{reason}");
        assert!(run["warnings"].to_string().contains("publisher confirms"), "{run}");

        let on = lab.failover(&[fault, &["--confirms", "on"], &config].concat(), 0);
        let run = &runs(&on)[0];
        assert_eq!(run["ledger"]["lost"], 0, "{run}");
        let tally = &run["ledger"]["tally"];
        assert!(tally["sent_again"].as_u64() > Some(0), "{tally}");
        assert_eq!(tally["extra_unexplained"], 0, "{tally}");
        if fault == busy {
            assert!(tally["extra_sent_again"].as_u64() > Some(0), "{tally}");
            assert!(run["warnings"].to_string().contains("idempotent"), "{run}");
        }
    }
    lab.end();
}

#[test]
fn definitions_are_judged_before_anything_is_deployed() {
    let lab = Lab::new();
    let file = lab.path("own.json");
    let text = "{\n  \"users\": [{\"name\": \"ann\", \"password\": \"secret\"}]\n}\n";
    fs::write(&file, text).unwrap();
    let config = fs::read_to_string(example())
        .unwrap()
        .replace("rabbitmq.json", "own.json");
    fs::write(lab.path("own.yaml"), config).unwrap();
    let said = lab.run(&["validate", "--config", "own.yaml"], 3);
    assert!(
        said.err.contains("own.json:2:22") && said.err.contains("password in plain text"),
        "{said}"
    );
}
