//! RabbitMQ itself in the local cloud, from the package of the distribution: deployed, restarted in place, failed over, ended.
//!
//! `scripts/test` unpacks the package and names the folder by `MQAWS_LAB_SOFTWARE`; a machine that has it installed needs no folder.

use crate::support::judge::{TOOLS, skip};
use crate::support::{Lab, SOFTWARE, failing, json_call, root, runs};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

fn example() -> String {
    root().join("examples/rabbitmq.yaml").display().to_string()
}

/// Whether this machine has RabbitMQ; says so when it has not.
#[track_caller]
fn is_here(test: &str) -> bool {
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
}

#[test]
fn it_is_deployed_restarted_in_place_failed_over_and_destroyed_with_its_data_kept() {
    if !is_here("RabbitMQ in the local cloud") {
        return;
    }
    let lab = Lab::up(&[]);
    let example = example();
    let config = ["--config", example.as_str()];
    lab.run(&[&["deploy", "--local", "--yes"][..], &config].concat(), 0);
    let status = lab.json(&[&["status", "--local"][..], &config].concat(), 0);
    assert!(status.to_string().contains("\"RabbitMQ 3.10."), "{status}");

    // The queues of the file are there, the application's user gets in with the secret's password, and nobody by a known one.
    let arn = status["clients"]["secret"].as_str().unwrap();
    let body = json!({"SecretId": arn});
    let secret = json_call(&lab.record(), "secretsmanager", "secretsmanager.GetSecretValue", &body).unwrap();
    let secret: Value = serde_json::from_str(secret["SecretString"].as_str().unwrap()).unwrap();
    let (user, password) = (
        secret["username"].as_str().unwrap(),
        secret["password"].as_str().unwrap(),
    );
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
    assert_eq!(names, ["mqaws", user]);

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
    assert!(kept.path().join("RABBIT1/rabbitmq/rabbit@mqaws/schema.DAT").exists());
    // Port mappers as well.
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
    let tls = [
        "--set",
        "tls.certificate=arn:aws:secretsmanager:eu-west-1:000000000000:secret:c-AbCdEf",
    ];
    let said = lab.run(&[&["validate", "--config", &example()][..], &tls].concat(), 3);
    assert!(said.err.contains("cannot be combined with engine `rabbitmq`"), "{said}");
}
