//! What `status` says while service is not given, and what its exit code says.

use crate::support::{Client, Lab, STACK, all, call, json_call, own_call, said, until, wait};
use mqaws::failover::port::TestBed;
use mqaws::model::InstanceId;
use mqaws::stack::AMQP;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const AUTO_SCALING: &str = "2011-01-01";

/// The status, and the exit code with `--check`.
fn check(lab: &Lab, code: i32) -> Value {
    lab.json(&["status", "--local", "--check"], code)
}

#[test]
fn status_is_honest_and_its_exit_code_says_whether_a_state_holds() {
    let lab = Lab::deployed(&[]);
    let record = lab.record();
    let wait = |state: &str, timeout: &str, code| {
        lab.json(&["status", "--local", "--wait", state, "--timeout", timeout], code)
    };
    let serving = wait("serving", "60s", 0);
    check(&lab, 0);
    assert_eq!(wait("paused", "0s", 11)["state"], "serving");
    lab.run(&["status", "--local", "--check", "--stack", "nosuch"], 3);
    lab.run(&["status", "--local", "--wait", "serving", "--stack", "nosuch"], 3);

    let instance = serving["writer"]["instance"].as_str().expect("a writer").to_owned();
    let on_instance = |words: &str| {
        let root = lab.instance(&instance);
        let mut command = Command::new(root.join("opt/mqm/bin/mqaws-agent"));
        command.arg(words).env_clear().env("MQAWS_LAB_ROOT", &root);
        let said = said(command.stdin(Stdio::null()));
        assert_eq!(said.code, Some(0), "{said}");
    };
    on_instance("pause");
    let paused = check(&lab, 11);
    assert_eq!(
        (&paused["state"], &paused["blockers"][0]["kind"]),
        (&"paused".into(), &"paused".into())
    );
    let example = Lab::example();
    let deploy = ["deploy", "--local", "--yes", "--config", &example];
    let refused = lab.run(&deploy, 3);
    assert!(
        refused.err.contains("paused on i-") && refused.err.contains("mqaws-agent resume"),
        "{refused}"
    );
    let planned = lab.run(
        &["plan", "--local", "--config", &example, "--instance-type", "m6i.xlarge"],
        0,
    );
    assert!(
        planned.out.contains("is paused on i-") && planned.out.contains("until `mqaws-agent resume`"),
        "{planned}"
    );
    on_instance("resume");
    wait("serving", "60s", 0);

    let groups = call(
        &record,
        "autoscaling",
        AUTO_SCALING,
        &[("Action", "DescribeAutoScalingGroups")],
    );
    let group = all(&groups, "AutoScalingGroupName").remove(0);
    let order = |params: &[(&str, &str)]| {
        let named = [&[("AutoScalingGroupName", group.as_str())], params].concat();
        call(&record, "autoscaling", AUTO_SCALING, &named)
    };
    order(&[
        ("Action", "SuspendProcesses"),
        ("ScalingProcesses.member.1", "HealthCheck"),
    ]);
    let text = lab.run(&["status", "--local"], 0);
    assert!(text.out.contains("suspended processes: HealthCheck"), "{text}");
    let deployed = lab.run(&deploy, 0);
    assert!(deployed.out.contains("suspended processes: HealthCheck"), "{deployed}");

    order(&[
        ("Action", "UpdateAutoScalingGroup"),
        ("MinSize", "0"),
        ("DesiredCapacity", "0"),
    ]);
    let stopped = wait("stopped", "120s", 0);
    assert_eq!(stopped["blockers"][0]["kind"], "no-capacity");
    let refused = lab.run(&deploy, 3);
    assert!(
        refused.err.contains("desired capacity") && refused.err.contains("set-desired-capacity"),
        "{refused}"
    );
    // The command goes to the local cloud, not to the user's account.
    assert!(
        refused
            .err
            .contains(&format!("--region eu-west-1 --endpoint-url {}", record.endpoint)),
        "{refused}"
    );

    // What cannot be read is no state that does not hold.
    let broken = serde_json::json!({"service": "cloudformation", "action": "DescribeStacks", "error": "InternalError"});
    own_call(&record, "inject", &broken).expect("broken");
    lab.run(&["status", "--local", "--check"], 4);
}

/// The agent measures so often for its status and its metrics.
const MEASURED_EVERY: Duration = Duration::from_secs(60);

#[test]
fn clients_that_have_gone_are_not_counted_when_the_agent_is_asked() {
    let lab = Lab::deployed(&[]);
    let (record, clients) = (lab.record(), lab.clients());
    let target = wait(clients.target(STACK)).expect("a stack");
    let status = lab.json(&["status", "--local", "--wait", "serving", "--timeout", "60s"], 0);
    let instance = status["writer"]["instance"].as_str().expect("a writer");
    let id = InstanceId::new(instance).expect("an instance");
    let asked = || wait(clients.connections(&target, &id)).expect("an answer");
    let count = || asked().expect("a verb that it knows").connections;

    let user = wait(clients.credentials(&target)).expect("a user");
    let address = target.parts.endpoint(&AMQP).expect("AMQP is on").address.host.parse();
    let address = address.expect("an address");
    let password = user.password.expose_secret();
    let connected: Vec<Client> = (0..3)
        .map(|n| {
            until("a client is let in", || {
                Client::connect(address, &user.username, password, &format!("counted-{n}")).ok()
            })
        })
        .collect();
    assert_eq!(count(), Some(3));
    for client in connected {
        client.break_off();
    }
    let gone = Instant::now();
    until("none is counted", || (count() == Some(0)).then_some(()));
    assert!(
        gone.elapsed() < MEASURED_EVERY,
        "{:?}: only the next measurement showed it",
        gone.elapsed()
    );
    // The first measurement comes some moments after service.
    until("a status tells how old its count is", || {
        let status = lab.json(&["status", "--local"], 0);
        status["agent"]["measured_seconds"].is_u64().then_some(())
    });

    // A document of an earlier version, whose list has no such verb; then one of this version for an agent of an earlier one.
    let name =
        lab.json(&["deploy", "--local", "--yes", "--config", &Lab::example()], 0)["outputs"]["ReadDocument"].clone();
    let ssm = |action: &str, body: &Value| {
        json_call(&record, "ssm", &format!("AmazonSSM.{action}"), body).expect("an answer")
    };
    let content = ssm("GetDocument", &json!({"Name": name}))["Content"].clone();
    let content = content.as_str().expect("a content");
    let mut version = 1;
    for (from, to) in [
        ("\"connections\"", "\"none\""),
        ("(mqaws-agent connections)", "(mqaws-agent counted)"),
    ] {
        let changed = content.replacen(from, to, 1);
        assert_ne!(changed, content, "{from}");
        ssm(
            "UpdateDocument",
            &json!({"Name": name, "Content": changed, "DocumentVersion": "$LATEST"}),
        );
        version += 1;
        let default = json!({"Name": name, "DocumentVersion": version.to_string()});
        ssm("UpdateDocumentDefaultVersion", &default);
        assert_eq!(asked(), None, "{to}");
    }
}
