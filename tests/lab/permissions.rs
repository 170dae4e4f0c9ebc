//! Who may ask what: the policies of `docs/permissions.md`, each tried with a role that has nothing else.

use crate::support::{Lab, STACK, Said, Session, call, json_call, root, said, until};
use mqaws_lab::home::LabRecord;
use serde_json::{Value, json};

/// Every document of the stack, with a command that it takes.
const DOCUMENTS: &[(&str, &str)] = &[
    ("ReadDocument", "status"),
    ("TestDocument", "define"),
    ("OperateDocument", "resume"),
    ("FenceDocument", "operator"),
];

const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::000000000000:root"},"Action":"sts:AssumeRole"}]}"#;

/// The policies of the page, in its order.
fn policies() -> Vec<String> {
    let page = std::fs::read_to_string(root().join("docs/permissions.md")).expect("the page");
    let blocks = page.split("```json\n").skip(1);
    let filled = |text: &str| {
        text.replace("REGION", "eu-west-1")
            .replace("ACCOUNT", "000000000000")
            .replace("STACK", STACK)
    };
    blocks
        .map(|block| filled(block.split("```").next().unwrap_or_default()))
        .collect()
}

struct Site {
    lab: Lab,
    record: LabRecord,
    outputs: Value,
    instance: String,
}

impl Site {
    fn deployed() -> Self {
        let lab = Lab::deployed(&[]);
        let record = lab.record();
        let outputs = lab.json(&["deploy", "--local", "--yes", "--config", &Lab::example()], 0)["outputs"].clone();
        let instance = lab.json(&["status", "--local"], 0)["agent"]["instance"].clone();
        let instance = instance.as_str().expect("an instance").to_owned();
        Self {
            lab,
            record,
            outputs,
            instance,
        }
    }

    /// A session of a role that has these policies.
    fn session(&self, role: &str, policies: &[&str]) -> Session {
        let iam = |params: &[(&str, &str)]| call(&self.record, "iam", "2010-05-08", params);
        iam(&[
            ("Action", "CreateRole"),
            ("RoleName", role),
            ("AssumeRolePolicyDocument", TRUST),
        ]);
        for (number, policy) in policies.iter().enumerate() {
            let name = format!("p{number}");
            iam(&[
                ("Action", "PutRolePolicy"),
                ("RoleName", role),
                ("PolicyName", &name),
                ("PolicyDocument", policy),
            ]);
        }
        Session::of(&self.record, role)
    }

    /// Runs `mqaws` with the session's keys.
    fn mqaws(&self, session: &Session, args: &[&str]) -> Said {
        let place = [
            "--endpoint-url",
            &self.record.endpoint,
            "--region",
            &self.record.region,
            "--output",
            "json",
        ];
        let mut command = self.lab.command(&[args, &place].concat());
        command
            .env("AWS_ACCESS_KEY_ID", &session.record.access_key_id)
            .env("AWS_SECRET_ACCESS_KEY", &session.record.secret_access_key)
            .env("AWS_SESSION_TOKEN", &session.token);
        said(&mut command)
    }

    fn send(&self, session: &Session, document: &str, parameters: Value) -> Result<Value, String> {
        let body = json!({"DocumentName": document, "InstanceIds": [self.instance], "Parameters": parameters});
        session.json_call("ssm", "AmazonSSM.SendCommand", &body)
    }

    fn name(&self, output: &str) -> &str {
        self.outputs[output]
            .as_str()
            .unwrap_or_else(|| panic!("{output}: {}", self.outputs))
    }

    /// The outputs of the documents that a session may send, of those that there are and of Amazon's own.
    fn may_send(&self, session: &Session) -> Vec<&str> {
        let any = self.send(session, "AWS-RunShellScript", json!({"commands": ["id"]}));
        assert!(
            any.is_err_and(|why| why.contains("AccessDenied")),
            "anything could be run"
        );
        let sent = DOCUMENTS.iter().filter(|(output, command)| {
            match self.send(session, self.name(output), json!({"Command": [command]})) {
                Ok(_) => true,
                Err(why) => {
                    assert!(why.contains("is not authorized to perform: ssm:SendCommand"), "{why}");
                    false
                }
            }
        });
        sent.map(|(output, _)| *output).collect()
    }
}

#[test]
fn who_may_read_may_do_nothing_else_and_who_may_operate_decides_nothing() {
    let site = Site::deployed();
    let policies = policies();
    let [look, read, operate] = &policies[..] else {
        panic!("{policies:?}")
    };

    let reader = site.session("reader", &[look, read]);
    let status = site.mqaws(&reader, &["status", "--stack", STACK]);
    assert_eq!(status.code, Some(0), "{status}");
    let report = status.json();
    assert_eq!(
        (&report["state"], &report["unread"]),
        (&json!("serving"), &json!({})),
        "{report}"
    );
    assert_eq!(site.may_send(&reader), ["ReadDocument"]);

    let operator = site.session("operator", &[look, read, operate]);
    assert_eq!(site.may_send(&operator), ["ReadDocument", "OperateDocument"]);
    let state = |wanted: &str| {
        until(wanted, || {
            (site.lab.json(&["status", "--local"], 0)["state"] == wanted).then_some(())
        });
    };
    for (command, becomes) in [("pause", "paused"), ("resume", "serving")] {
        let sent = site.send(&operator, site.name("OperateDocument"), json!({"Command": [command]}));
        sent.unwrap_or_else(|why| panic!("{command}: {why}"));
        state(becomes);
    }

    // The document alone is not enough: another stack's instance does not bear this one's tag.
    let elsewhere = json!({"DocumentName": site.name("ReadDocument"), "InstanceIds": ["i-00000000000000000"],
        "Parameters": {"Command": ["status"]}});
    let refused = reader
        .json_call("ssm", "AmazonSSM.SendCommand", &elsewhere)
        .unwrap_err();
    assert!(refused.contains("instance/i-00000000000000000"), "{refused}");
}

#[test]
fn no_parameter_reaches_the_shell_and_long_answers_come_in_pages() {
    let site = Site::deployed();
    let send = |document: &str, parameters: Value| {
        let body =
            json!({"DocumentName": site.name(document), "InstanceIds": [site.instance], "Parameters": parameters});
        json_call(&site.record, "ssm", "AmazonSSM.SendCommand", &body)
    };
    let marker = site.lab.path("reached");
    let evil = format!("none';touch {};'", marker.display());
    for (document, parameters) in [
        ("ReadDocument", json!({"Command": [evil]})),
        ("ReadDocument", json!({"Command": ["marks"], "Since": [evil]})),
        ("ReadDocument", json!({"Command": ["status"], "FromLine": ["1;id"]})),
        ("TestDocument", json!({"Command": ["fault"], "Fault": [evil]})),
        (
            "FenceDocument",
            json!({"Command": ["operator"], "PreviousOwner": ["$(id)"]}),
        ),
        (
            "FenceDocument",
            json!({"Command": ["copy"], "FileSystem": ["a".repeat(65)]}),
        ),
        ("ReadDocument", json!({"Command": ["pause"]})),
        ("OperateDocument", json!({"Command": ["fence"]})),
    ] {
        let refused = send(document, parameters.clone()).unwrap_err();
        assert!(
            refused.contains("InvalidParameters"),
            "{document} {parameters}: {refused}"
        );
    }
    assert!(!marker.exists());

    // As many marks as no single answer holds.
    let marks = site.lab.instance(&site.instance).join("var/lib/mqaws/marks.jsonl");
    let before = std::fs::read_to_string(&marks).unwrap_or_else(|e| panic!("{}: {e}", marks.display()));
    let last = before.lines().last().expect("a mark").to_owned();
    let line: Value = serde_json::from_str(&last).expect("a mark");
    let mut text = before.clone();
    for number in 0..600 {
        let mut more = line.clone();
        more["detail"] = json!(format!("Grüße {number}"));
        text.push_str(&format!("{more}\n"));
        // A line that is longer than two pages, whose bytes are cut within a character somewhere.
        if number == 300 {
            more["detail"] = json!(format!("long {}", "Grüße; ".repeat(6_000)));
            text.push_str(&format!("{more}\n"));
        }
    }
    assert!(text.len() > 100_000);
    std::fs::write(&marks, &text).expect("written");
    let clients = site.lab.clients();
    let found = crate::support::wait(async {
        use mqaws::failover::port::TestBed;
        let target = clients.target(STACK).await.expect("a stack");
        let id = mqaws::model::InstanceId::new(&site.instance).expect("an id");
        clients.marks(&target, &id, 0).await.expect("all marks")
    });
    let details: Vec<&str> = found.iter().map(|mark| mark.detail.as_str()).collect();
    let numbered: Vec<String> = (0..600).map(|number| format!("Grüße {number}")).collect();
    let own: Vec<&str> = details
        .iter()
        .copied()
        .filter(|detail| detail.starts_with("Grüße"))
        .collect();
    assert_eq!(own, numbered);
    let long = details
        .iter()
        .find(|detail| detail.starts_with("long "))
        .expect("the long line");
    assert_eq!(**long, format!("long {}", "Grüße; ".repeat(6_000)));
}
