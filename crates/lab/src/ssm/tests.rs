//! Commands that really run, on an instance without an agent.

use super::Ssm;
use crate::api::{ApiError, Caller, Cloud, Site};
use crate::ec2::{Ec2, SEEDED_IMAGE};
use crate::iam::Iam;
use crate::instance::Host;
use crate::timing::Timing;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{Duration, Instant};

const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
const CORE: &str = "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore";

struct Lab {
    cloud: Arc<Cloud>,
    ec2: Arc<Ec2>,
    instance: String,
    _dir: tempfile::TempDir,
}

impl Lab {
    async fn start(octet: u8) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let site = Site {
            id: crate::ids::uuid(),
            octet,
            port: 4566,
            dir: dir.path().to_owned(),
            timing: Timing::Fast,
            executable: "/bin/true".into(),
            standin_defect: None,
            software: Vec::new(),
            guests: None,
        };
        let cloud = Cloud::at("eu-west-1", site);
        let ec2 = Ec2::new("eu-west-1");
        cloud.add("ec2", ec2.clone());
        cloud.add("ssm", Ssm::new(ec2.clone()));
        cloud.add("iam", Arc::new(Iam::new()));
        for (action, params) in [
            (
                "CreateRole",
                json!({"RoleName": "r", "AssumeRolePolicyDocument": TRUST}),
            ),
            ("AttachRolePolicy", json!({"RoleName": "r", "PolicyArn": CORE})),
            ("CreateInstanceProfile", json!({"InstanceProfileName": "p"})),
            (
                "AddRoleToInstanceProfile",
                json!({"InstanceProfileName": "p", "RoleName": "r"}),
            ),
        ] {
            let made = cloud.call("iam", action, params, Caller::Admin).await;
            made.unwrap_or_else(|e| panic!("{action}: {e}"));
        }
        let params = json!({"ImageId": SEEDED_IMAGE, "InstanceType": "m6i.large", "MinCount": 1, "MaxCount": 1,
            "IamInstanceProfile": {"Name": "p"}});
        let answer = cloud
            .call("ec2", "RunInstances", params, Caller::Admin)
            .await
            .expect("launched");
        let instance = answer["instancesSet"][0]["instanceId"]
            .as_str()
            .expect("an id")
            .to_owned();
        let lab = Self {
            cloud,
            ec2,
            instance,
            _dir: dir,
        };
        let deadline = Instant::now() + Duration::from_secs(30);
        while lab.ec2.running_host(&lab.instance).is_none() {
            assert!(Instant::now() < deadline, "the instance never runs");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        lab
    }

    async fn send(&self, parameters: Value) -> Result<Value, ApiError> {
        let params =
            json!({"InstanceIds": [self.instance], "DocumentName": "AWS-RunShellScript", "Parameters": parameters});
        self.cloud.call("ssm", "SendCommand", params, Caller::Admin).await
    }

    async fn run(&self, parameters: Value) -> Value {
        let sent = self.send(parameters).await.expect("sent");
        self.ended(&sent).await
    }

    async fn ended(&self, sent: &Value) -> Value {
        let params = json!({"CommandId": sent["Command"]["CommandId"], "InstanceId": self.instance});
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let found = self
                .cloud
                .call("ssm", "GetCommandInvocation", params.clone(), Caller::Admin)
                .await
                .expect("known");
            if !["Pending", "InProgress"].contains(&found["Status"].as_str().unwrap_or_default()) {
                return found;
            }
            assert!(Instant::now() < deadline, "it never ends: {found}");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
}

#[tokio::test]
async fn commands_run_in_the_instances_environment_and_report_how_they_ended() {
    let lab = Lab::start(207).await;
    let good = lab.run(json!({"commands": ["echo \"$PATH\"", "pwd >&2"]})).await;
    assert_eq!((&good["Status"], &good["ResponseCode"]), (&json!("Success"), &json!(0)));
    let host = lab.ec2.running_host(&lab.instance).expect("it runs");
    let Host::Process(host) = &*host else {
        unreachable!("a lab has process hosts unless told otherwise")
    };
    let root = host.root.display().to_string();
    assert_eq!(
        good["StandardOutputContent"],
        format!("{root}/opt/mqm/bin:/usr/bin:/bin\n")
    );
    assert_eq!(good["StandardErrorContent"], format!("{root}\n"));
    let bad = lab.run(json!({"commands": ["exit 7"]})).await;
    assert_eq!((&bad["Status"], &bad["ResponseCode"]), (&json!("Failed"), &json!(7)));
    let slow = lab
        .run(json!({"commands": ["sleep 600 & sleep 600"], "executionTimeout": ["1"]}))
        .await;
    assert_eq!(
        (&slow["Status"], &slow["StatusDetails"]),
        (&json!("TimedOut"), &json!("ExecutionTimedOut"))
    );
    let long = lab
        .run(json!({"commands": ["head -c 30000 /dev/zero | tr '\\0' x"]}))
        .await;
    let output = long["StandardOutputContent"].as_str().expect("text");
    assert!(
        output.starts_with("xxx") && output.ends_with("truncated---") && output.len() < 24_100,
        "{}",
        output.len()
    );
    lab.ec2.cut_all().await;
}

#[tokio::test]
async fn a_daemon_that_holds_the_output_does_not_hold_the_command() {
    let lab = Lab::start(208).await;
    let done = lab.run(json!({"commands": ["sleep 600 &", "echo started"]})).await;
    assert_eq!(
        (&done["Status"], &done["StandardOutputContent"]),
        (&json!("Success"), &json!("started\n"))
    );
    lab.ec2.cut_all().await;
}

#[tokio::test]
async fn commands_for_instances_that_do_not_run_and_unknown_documents_are_refused() {
    let lab = Lab::start(209).await;
    let wrong = [
        (json!({"commands": []}), "InvalidParameters"),
        (json!({"command": ["x"]}), "InvalidParameters"),
        (
            json!({"commands": ["x"], "executionTimeout": ["soon"]}),
            "InvalidParameters",
        ),
    ];
    for (parameters, code) in wrong {
        assert_eq!(
            lab.send(parameters.clone()).await.expect_err("refused").code,
            code,
            "{parameters}"
        );
    }
    let document = json!({"InstanceIds": [lab.instance], "DocumentName": "AWS-RunPatchBaseline"});
    let refused = lab.cloud.call("ssm", "SendCommand", document, Caller::Admin).await;
    assert_eq!(refused.expect_err("unknown").code, "InvalidDocument");
    let terminate = json!({"InstanceId": [lab.instance], "SkipOsShutdown": true});
    lab.cloud
        .call("ec2", "TerminateInstances", terminate, Caller::Admin)
        .await
        .expect("terminated");
    assert_eq!(
        lab.send(json!({"commands": ["x"]})).await.expect_err("it is gone").code,
        "InvalidInstanceId"
    );
}

#[tokio::test]
async fn a_command_runs_the_default_version_of_its_document_unless_another_is_named() {
    let lab = Lab::start(211).await;
    let call = |action: &'static str, params: Value| lab.cloud.call("ssm", action, params, Caller::Admin);
    let content = |word: &str| {
        json!({"schemaVersion": "2.2", "parameters": {"Who": {"type": "String", "allowedPattern": "^[a-z]{1,9}$"}},
            "mainSteps": [{"action": "aws:runShellScript", "name": "s", "inputs": {"runCommand": [format!("echo {word} '{{{{ Who }}}}'")]}}]})
        .to_string()
    };
    let made = json!({"Name": "s-Doc-1", "Content": content("one"), "DocumentType": "Command",
        "Tags": [{"Key": "k", "Value": "v"}]});
    call("CreateDocument", made.clone()).await.expect("made");
    let code = |result: Result<Value, ApiError>| result.expect_err("refused").code;
    assert_eq!(code(call("CreateDocument", made).await), "DocumentAlreadyExists");
    let reserved = json!({"Name": "AWS-Mine", "Content": content("one"), "DocumentType": "Command"});
    assert_eq!(code(call("CreateDocument", reserved).await), "ValidationException");
    let update = |word: &str| json!({"Name": "s-Doc-1", "Content": content(word), "DocumentVersion": "$LATEST"});
    assert_eq!(
        code(call("UpdateDocument", update("one")).await),
        "DuplicateDocumentContent"
    );
    call("UpdateDocument", update("two")).await.expect("updated");

    let params = |version: Option<&str>, who: &str| {
        json!({"DocumentName": "s-Doc-1", "InstanceIds": [lab.instance], "DocumentVersion": version,
            "Parameters": {"Who": [who]}})
    };
    for (version, said) in [(None, "one a\n"), (Some("$LATEST"), "two a\n"), (Some("1"), "one a\n")] {
        let sent = call("SendCommand", params(version, "a")).await.expect("sent");
        let ended = lab.ended(&sent).await;
        assert_eq!(
            (&ended["StandardOutputContent"], &ended["DocumentName"]),
            (&json!(said), &json!("s-Doc-1")),
            "{version:?}"
        );
    }
    assert_eq!(
        code(call("SendCommand", params(Some("3"), "a")).await),
        "InvalidDocumentVersion"
    );
    assert_eq!(
        code(call("SendCommand", params(None, "a';id;'")).await),
        "InvalidParameters"
    );
    let default = json!({"Name": "s-Doc-1", "DocumentVersion": "2"});
    call("UpdateDocumentDefaultVersion", default).await.expect("set");
    let sent = call("SendCommand", params(None, "b")).await.expect("sent");
    assert_eq!(lab.ended(&sent).await["StandardOutputContent"], "two b\n");
    let named = json!({"ResourceType": "Document", "ResourceId": "s-Doc-1"});
    let tags = call("ListTagsForResource", named).await.expect("tags");
    assert_eq!(tags["TagList"], json!([{"Key": "k", "Value": "v"}]));
    call("DeleteDocument", json!({"Name": "s-Doc-1"}))
        .await
        .expect("deleted");
    assert_eq!(code(call("SendCommand", params(None, "a")).await), "InvalidDocument");
    lab.ec2.cut_all().await;
}

#[tokio::test]
async fn parameters_have_versions_and_the_image_is_seeded() {
    let lab = Lab::start(210).await;
    let call = |action: &'static str, params: Value| lab.cloud.call("ssm", action, params, Caller::Admin);
    let ami = call("GetParameter", json!({"Name": super::parameters::AMI_PARAMETERS[0]}))
        .await
        .expect("seeded");
    assert_eq!(ami["Parameter"]["Value"], SEEDED_IMAGE);
    let put = json!({"Name": "/a", "Value": "1", "Type": "String"});
    assert_eq!(call("PutParameter", put.clone()).await.expect("put")["Version"], 1);
    assert_eq!(
        call("PutParameter", put).await.expect_err("it exists").code,
        "ParameterAlreadyExists"
    );
    let again = json!({"Name": "/a", "Value": "2", "Overwrite": true});
    assert_eq!(call("PutParameter", again).await.expect("put")["Version"], 2);
    let many = call("GetParameters", json!({"Names": ["/a", "/b"]}))
        .await
        .expect("read");
    assert_eq!(
        (&many["Parameters"][0]["Value"], &many["InvalidParameters"][0]),
        (&json!("2"), &json!("/b"))
    );
    call("DeleteParameter", json!({"Name": "/a"})).await.expect("deleted");
    assert_eq!(
        call("GetParameter", json!({"Name": "/a"}))
            .await
            .expect_err("gone")
            .code,
        "ParameterNotFound"
    );
    lab.ec2.cut_all().await;
}

#[tokio::test]
async fn an_instance_is_reached_only_if_its_role_lets_its_agent_register_and_fetch() {
    let lab = Lab::start(209).await;
    let iam = async |action: &str, params: Value| {
        let done = lab.cloud.call("iam", action, params, Caller::Admin).await;
        done.unwrap_or_else(|e| panic!("{action}: {e}"));
    };
    let put = async |actions: Value| {
        let policy =
            json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": actions, "Resource": "*"}});
        let params = json!({"RoleName": "r", "PolicyName": "p", "PolicyDocument": policy.to_string()});
        iam("PutRolePolicy", params).await;
    };
    iam("DetachRolePolicy", json!({"RoleName": "r", "PolicyArn": CORE})).await;
    let register = "ssm:UpdateInstanceInformation";
    for (actions, reached) in [
        (json!([register, "ssmmessages:*"]), true),
        (json!([register, "ec2messages:*"]), true),
        (json!([register]), false),
        (json!(["ssmmessages:*", "ec2messages:*"]), false),
        (json!([register, "ssmmessages:Open*", "ec2messages:Get*"]), false),
    ] {
        put(actions.clone()).await;
        let sent = lab.send(json!({"commands": ["true"]})).await;
        let code = sent.as_ref().map_or_else(|e| e.code.as_str(), |_| "");
        assert_eq!(code, if reached { "" } else { "InvalidInstanceId" }, "{actions}");
        let listed = lab
            .cloud
            .call("ssm", "DescribeInstanceInformation", json!({}), Caller::Admin)
            .await
            .expect("a list");
        let listed = listed["InstanceInformationList"].as_array().map_or(0, Vec::len);
        assert_eq!(listed, usize::from(reached), "{actions}");
    }
    lab.ec2.cut_all().await;
}
