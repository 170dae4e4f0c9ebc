//! Clients that are led to another queue manager, where user and password are the same.

use super::files;
use crate::support::{Host, Lab, QUEUE, json_call};
use mqaws_lab::home::LabRecord;
use mqaws_standin::lab_accounts::Accounts;
use serde_json::{Value, json};

/// The application user of the lab's stack.
fn user(record: &LabRecord) -> (String, String) {
    let ask = |action: &str, body: Value| {
        let target = format!("secretsmanager.{action}");
        json_call(record, "secretsmanager", &target, &body).unwrap()
    };
    let all = ask("ListSecrets", json!({}));
    let mut secrets = all["SecretList"].as_array().unwrap().iter();
    secrets
        .find_map(|secret| {
            let value = ask("GetSecretValue", json!({ "SecretId": secret["ARN"] }));
            let user: Value = serde_json::from_str(value["SecretString"].as_str()?).ok()?;
            Some((
                user["username"].as_str()?.to_owned(),
                user["password"].as_str()?.to_owned(),
            ))
        })
        .unwrap()
}

/// It is inconclusive in every run and says why; nothing was broken, and nothing is left at the other one.
#[test]
fn another_queue_manager_is_no_witness() {
    let lab = Lab::deployed(&[]);
    let record = lab.record();
    let (name, password) = user(&record);
    let other = Host::serving();
    let mut accounts = Accounts::default();
    accounts.set(&name, &password).unwrap();
    accounts.write(other.root()).unwrap();
    let url = format!("amqp://{}:5672", other.address());
    for _ in 0..3 {
        let error = lab.failover(&["--amqp-url", &url], 20);
        assert_eq!(error["schema"], "mqaws.error/1", "{error}");
        let text = error["error"].as_str().unwrap();
        assert!(
            text.contains("20 messages were acknowledged") && text.contains("QM1 has none"),
            "{text}"
        );
        assert!(error["hint"].as_str().unwrap().contains("--amqp-url"), "{error}");
        assert_eq!(other.depth(QUEUE), 0);
    }
    let data = files(&lab.dir().join("fs"), "qm.ini");
    let audit = mqaws_standin::audit(data[0].parent().unwrap()).unwrap();
    assert_eq!(audit.runs.len(), 1, "no fault was made: {audit:?}");
    // The same by the stack's own endpoint is a measurement.
    let report = lab.failover(&[], 0);
    let broker = &report["runs"][0]["broker"];
    assert!(
        broker["at_rest"].as_u64().unwrap() > 0 && broker["after_fill"] == 2000,
        "{broker}"
    );
}
