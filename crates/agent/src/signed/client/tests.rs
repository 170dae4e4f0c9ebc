use super::*;
use crate::model::InstanceId;
use crate::signed::{Datum, ImdsError, Signal, SignalOutcome};
use secrecy::SecretString;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

/// Answers in turn and keeps what was sent.
#[derive(Default)]
struct Script {
    answers: Mutex<Vec<Result<(u16, String), ()>>>,
    sent: Mutex<Vec<http::Request<Vec<u8>>>>,
}

impl Script {
    fn of(answers: &[Result<(u16, &str), ()>]) -> Arc<Self> {
        let answers = answers
            .iter()
            .rev()
            .map(|a| a.map(|(s, b)| (s, b.to_owned())))
            .collect();
        Arc::new(Self {
            answers: Mutex::new(answers),
            sent: Mutex::default(),
        })
    }

    fn bodies(&self) -> Vec<String> {
        let sent = self.sent.lock().expect("sent");
        sent.iter()
            .map(|r| String::from_utf8_lossy(r.body()).into_owned())
            .collect()
    }
}

impl Transport for Script {
    fn send(&self, request: http::Request<Vec<u8>>) -> Result<http::Response<Vec<u8>>, TransportError> {
        self.sent.lock().expect("sent").push(request);
        match self
            .answers
            .lock()
            .expect("answers")
            .pop()
            .expect("an answer for each request")
        {
            Ok((status, body)) => Ok(http::Response::builder()
                .status(status)
                .body(body.into_bytes())
                .expect("response")),
            Err(()) => Err(TransportError {
                authority: "nowhere".into(),
                source: "refused".into(),
            }),
        }
    }
}

#[derive(Default)]
struct Keys(AtomicU32);

impl CredentialsSource for Keys {
    fn get(&self, fresh: bool) -> Result<Credentials, ImdsError> {
        self.0.fetch_add(u32::from(fresh), Ordering::Relaxed);
        Ok(Credentials {
            access_key_id: "AKIDEXAMPLE".into(),
            secret_access_key: SecretString::from("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
            session_token: Some(SecretString::from("token")),
            expires: None,
        })
    }
}

fn client(script: &Arc<Script>) -> Client {
    Client::new(
        Endpoints::new("eu-west-1", None),
        Arc::new(Keys::default()),
        script.clone(),
    )
    .with_pause(|_| {})
}

fn id(text: &str) -> InstanceId {
    text.parse().expect("an id")
}

const EMPTY: &str = "<R><reservationSet/></R>";
const THROTTLED: &str = "<ErrorResponse><Error><Type>Sender</Type><Code>Throttling</Code><Message>Rate exceeded</Message></Error></ErrorResponse>";

#[test]
fn requests_are_signed_forms() {
    let script = Script::of(&[Ok((200, EMPTY))]);
    let found = client(&script)
        .describe_instances(&[&id("i-1"), &id("i-2")])
        .expect("answer");
    assert!(found.is_empty());
    assert_eq!(
        script.bodies(),
        [
            "Action=DescribeInstances&Version=2016-11-15&Filter.1.Name=instance-id&Filter.1.Value.1=i-1&Filter.1.Value.2=i-2"
        ]
    );
    let sent = script.sent.lock().expect("sent");
    let header = |name: &str| sent[0].headers()[name].to_str().expect("text").to_owned();
    assert_eq!(header("host"), "ec2.eu-west-1.amazonaws.com");
    assert_eq!(header("x-amz-security-token"), "token");
    let authorization = header("authorization");
    assert!(authorization.contains("/eu-west-1/ec2/aws4_request"), "{authorization}");
    assert!(
        authorization.contains("content-type;host;x-amz-date"),
        "{authorization}"
    );
}

#[test]
fn throttles_server_errors_and_silence_are_repeated_and_counted() {
    let script = Script::of(&[Ok((400, THROTTLED)), Err(()), Ok((503, "busy")), Ok((200, EMPTY))]);
    client(&script)
        .describe_instances(&[&id("i-1")])
        .expect("the fourth attempt");
    assert_eq!(script.bodies().len(), 4);

    let script = Script::of(&[Ok((400, THROTTLED)); 8]);
    let error = client(&script)
        .describe_instances(&[&id("i-1")])
        .expect_err("eight are enough");
    assert_eq!(error.to_string(), "ec2:DescribeInstances: Throttling: Rate exceeded");
    assert_eq!(script.bodies().len(), 8);

    let script = Script::of(&[Err(()); 8]);
    let error = client(&script)
        .describe_instances(&[&id("i-1")])
        .expect_err("nobody there");
    assert_eq!(
        error.line(),
        "ec2:DescribeInstances failed after 8 attempts: no response from nowhere: refused"
    );
}

#[test]
fn refusals_are_final_and_keep_awss_words() {
    let ec2 = "<Response><Errors><Error><Code>UnauthorizedOperation</Code><Message>You are not authorized</Message></Error></Errors></Response>";
    let script = Script::of(&[Ok((403, ec2))]);
    let error = client(&script).terminate_instance(&id("i-1")).expect_err("refused");
    assert_eq!(
        error.to_string(),
        "ec2:TerminateInstances: UnauthorizedOperation: You are not authorized"
    );
    use crate::remedy::Remedy;
    assert_eq!(
        error.hint().as_deref(),
        Some("the instance role must allow ec2:TerminateInstances")
    );
    assert_eq!(script.bodies().len(), 1);
}

#[test]
fn ended_credentials_are_renewed_once() {
    let ended = "<ErrorResponse><Error><Code>ExpiredToken</Code><Message>x</Message></Error></ErrorResponse>";
    let script = Script::of(&[Ok((403, ended)), Ok((200, EMPTY))]);
    let keys = Arc::new(Keys::default());
    let client = Client::new(Endpoints::new("eu-west-1", None), keys.clone(), script.clone()).with_pause(|_| {});
    client.describe_instances(&[&id("i-1")]).expect("with new credentials");
    assert_eq!(keys.0.load(Ordering::Relaxed), 1);

    let script = Script::of(&[Ok((403, ended)), Ok((403, ended))]);
    let client = Client::new(Endpoints::new("eu-west-1", None), keys, script).with_pause(|_| {});
    assert_eq!(
        client.describe_instances(&[&id("i-1")]).expect_err("again").code(),
        Some("ExpiredToken")
    );
}

#[test]
fn an_answer_that_is_not_one_is_an_error_and_not_an_empty_list() {
    for body in ["", "<html>", "<R><other/></R>", "not xml"] {
        let script = Script::of(&[Ok((200, body))]);
        let error = client(&script).describe_instances(&[&id("i-1")]).expect_err(body);
        assert!(matches!(error, CallError::Malformed { .. }), "{error}");
    }
}

#[test]
fn typed_answers() {
    let body = "<R><reservationSet><item><instancesSet><item><instanceId>i-1</instanceId>\
        <instanceState><code>48</code><name>terminated</name></instanceState></item></instancesSet></item></reservationSet></R>";
    let script = Script::of(&[
        Ok((200, body)),
        Ok((
            200,
            "<R><DescribeAutoScalingInstancesResult><AutoScalingInstances><member><InstanceId>i-1</InstanceId>\
            <AutoScalingGroupName>g</AutoScalingGroupName></member></AutoScalingInstances></DescribeAutoScalingInstancesResult></R>",
        )),
        Ok((
            200,
            "<R><DescribeAutoScalingInstancesResult><AutoScalingInstances/></DescribeAutoScalingInstancesResult></R>",
        )),
        Ok((
            400,
            "<ErrorResponse><Error><Code>ValidationError</Code><Message>not waiting</Message></Error></ErrorResponse>",
        )),
        Ok((200, "<R/>")),
    ]);
    let client = client(&script);
    let found = client.describe_instances(&[&id("i-1")]).expect("one");
    assert_eq!((found[0].id.as_str(), found[0].state.as_str()), ("i-1", "terminated"));
    assert_eq!(
        client.auto_scaling_group(&id("i-1")).expect("group").as_deref(),
        Some("g")
    );
    assert_eq!(client.auto_scaling_group(&id("i-1")).expect("none"), None);
    let signal = Signal {
        stack: "mqaws-qm1",
        resource: "Group",
        id: &id("i-1"),
        success: true,
    };
    assert_eq!(client.signal(&signal).expect("told"), SignalOutcome::NotWaiting);
    let datum = Datum {
        name: "QmgrUp",
        value: 1.0,
        unit: "Count",
    };
    client.put_metrics("mqaws", "mqaws-qm1", &[datum]).expect("sent");
    assert!(script.bodies()[4].contains(
        "&Namespace=mqaws&MetricData.member.1.MetricName=QmgrUp&MetricData.member.1.Value=1&MetricData.member.1.Unit=Count"
    ));
}

#[test]
fn a_secret_is_in_no_error_and_no_debug_text() {
    let script = Script::of(&[
        Ok((200, r#"{"SecretString":"hunter2"}"#)),
        Ok((200, r#"{"SecretString":"hunter2""#)),
        Ok((200, r#"{"SecretBinary":"aHVudGVyMg=="}"#)),
    ]);
    let client = client(&script);
    let secret = client.secret("arn").expect("secret");
    assert_eq!(secret.expose_secret(), "hunter2");
    assert!(!format!("{secret:?}").contains("hunter2"));
    for _ in 0..2 {
        let error = client.secret("arn").expect_err("broken");
        assert!(!format!("{error:?} {}", error.line()).contains("hunter2"));
    }
    let sent = script.sent.lock().expect("sent");
    assert_eq!(sent[0].headers()["x-amz-target"], "secretsmanager.GetSecretValue");
}

#[test]
fn mount_targets_are_read_by_a_signed_get() {
    let body = r#"{"MountTargets":[{"MountTargetId":"fsmt-1","FileSystemId":"fs-1","SubnetId":"subnet-1",
        "LifeCycleState":"available","IpAddress":"10.0.1.9","AvailabilityZoneName":"eu-west-1a"},{"IpAddress":"10.0.2.9"}]}"#;
    let refused = r#"{"ErrorCode":"FileSystemNotFound","Message":"File system 'fs-1' does not exist."}"#;
    let script = Script::of(&[Ok((200, body)), Ok((404, refused)), Ok((200, "{}"))]);
    let client = client(&script);
    let found = client.mount_targets("fs-1").expect("answer");
    let view = |zone: &str, address: &str, state: &str| crate::signed::MountTargetView {
        zone: zone.into(),
        address: address.into(),
        state: state.into(),
    };
    assert_eq!(
        found,
        [view("eu-west-1a", "10.0.1.9", "available"), view("", "10.0.2.9", "")]
    );
    let error = client.mount_targets("fs-1").expect_err("unknown");
    assert_eq!(error.code(), Some("FileSystemNotFound"));
    assert!(
        matches!(client.mount_targets("fs-1"), Err(CallError::Malformed { .. })),
        "no list is no empty list"
    );
    let sent = script.sent.lock().expect("sent");
    assert_eq!(sent[0].method(), "GET");
    assert_eq!(
        sent[0].uri(),
        "https://elasticfilesystem.eu-west-1.amazonaws.com/2015-02-01/mount-targets?FileSystemId=fs-1"
    );
    let authorization = sent[0].headers()["authorization"].to_str().expect("text");
    assert!(
        authorization.contains("/eu-west-1/elasticfilesystem/aws4_request"),
        "{authorization}"
    );
}
