//! A foreign judge of the evaluator of IAM policies: moto's. It comes from the Python environment `MQAWS_TEST_VENV`, which
//! `scripts/test` makes.

use crate::judge::{script, venv};
use mqaws_lab::policy::{Ask, Caller, Context, Decision, Document, Kind, Policies, RoleSession, decide};
use serde_json::Value;
use std::io::Write;
use std::process::{Command, Stdio};

/// Policies that moto can read, as lists of (effect, element, actions, resource).
const POLICIES: &[&[(&str, &str, &[&str], &str)]] = &[
    &[("Allow", "Action", &["*"], "*")],
    &[("Deny", "Action", &["*"], "*")],
    &[(
        "Allow",
        "Action",
        &["ec2:TerminateInstances"],
        "arn:aws:ec2:eu-west-1:000000000000:instance/*",
    )],
    &[("Allow", "Action", &["ec2:Describe*", "ec2:*Instances"], "*")],
    &[(
        "Allow",
        "Action",
        &["ec2:T*Instances"],
        "arn:aws:ec2:*:000000000000:instance/i-1",
    )],
    &[("Allow", "NotAction", &["ec2:*"], "*")],
    &[("Allow", "NotAction", &["iam:*", "ec2:Stop*"], "arn:aws:ec2:*")],
    &[
        ("Allow", "Action", &["*"], "*"),
        ("Deny", "Action", &["ec2:Terminate*"], "*"),
    ],
    &[
        (
            "Deny",
            "Action",
            &["ec2:*"],
            "arn:aws:ec2:eu-west-1:000000000000:instance/i-2",
        ),
        ("Allow", "Action", &["ec2:*"], "*"),
    ],
    &[
        ("Allow", "Action", &["ec2:*"], "*"),
        ("Deny", "NotAction", &["ec2:*"], "*"),
    ],
    &[
        ("Allow", "Action", &["ssm:*"], "*"),
        ("Allow", "Action", &["ec2:Stop*"], "arn:aws:ec2:*:*:instance/*"),
    ],
];

#[test]
fn moto_and_our_evaluator_decide_alike() {
    let Some(venv) = venv("moto_and_our_evaluator_decide_alike") else {
        return;
    };
    let caller = Caller::Role(RoleSession {
        account: "000000000000".into(),
        role: "arn:aws:iam::000000000000:role/r".into(),
        session: "arn:aws:sts::000000000000:assumed-role/r/s".into(),
    });
    let instance = |id: &str| format!("arn:aws:ec2:eu-west-1:000000000000:instance/{id}");
    let (mut cases, mut ours) = (Vec::new(), Vec::new());
    for policy in POLICIES {
        let statements: Vec<Value> = policy
            .iter()
            .map(|(effect, element, actions, resource)| {
                serde_json::json!({"Effect": effect, *element: actions, "Resource": resource})
            })
            .collect();
        let document = serde_json::json!({"Version": "2012-10-17", "Statement": statements});
        let read = [Document::parse(&document.to_string(), Kind::Identity).expect("a policy")];
        for action in [
            "ec2:TerminateInstances",
            "ec2:StopInstances",
            "ec2:DescribeInstances",
            "iam:CreateRole",
            "ssm:GetParameter",
        ] {
            for resource in [
                instance("i-1"),
                instance("i-2"),
                "arn:aws:ssm:eu-west-1:000000000000:parameter/p".to_owned(),
            ] {
                let ask = Ask {
                    caller: &caller,
                    action,
                    resource: &resource,
                    context: &Context::new(),
                };
                let policies = Policies {
                    identity: &read,
                    ..Policies::default()
                };
                ours.push(decide(&ask, &policies) == Decision::Allowed);
                cases.push(serde_json::json!({"document": document, "action": action, "resource": resource}));
            }
        }
    }
    let mut child = Command::new(venv.join("bin/python"))
        .arg(script("iam_moto.py"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("Python starts");
    let mut stdin = child.stdin.take().expect("piped");
    stdin
        .write_all(Value::from(cases.clone()).to_string().as_bytes())
        .expect("written");
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{output:?}");
    let theirs: Vec<bool> = serde_json::from_slice(&output.stdout).expect("verdicts");
    assert_eq!(theirs.len(), ours.len());
    assert!(ours.contains(&true) && ours.contains(&false));
    for ((case, ours), theirs) in cases.iter().zip(ours).zip(theirs) {
        assert_eq!(theirs, ours, "moto and we differ: {case}");
    }
}
