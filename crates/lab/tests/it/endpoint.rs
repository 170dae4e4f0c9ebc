//! The local cloud's endpoint over HTTP: requests signed as any client signs them, in every protocol; and its knowledge of
//! resource types against the published schemas.

use crate::judge::{root, venv};
use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use mqaws_lab::Peers;
use mqaws_lab::api::{Caller, Cloud, Identity};
use mqaws_lab::server::{self, Injector, Routes};
use mqaws_lab::wire::cbor;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::process::Command;
use std::sync::Arc;
use std::time::SystemTime;

struct Lab {
    cloud: Arc<Cloud>,
    address: SocketAddr,
    _runtime: tokio::runtime::Runtime,
}

/// An answer: status, headers, body.
struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Answer {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    fn header(&self, name: &str) -> &str {
        self.headers
            .iter()
            .find(|(n, _)| n == name)
            .map_or("", |(_, v)| v.as_str())
    }
}

impl Lab {
    fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let cloud = Cloud::new("eu-west-1");
        server::add_services(&cloud);
        cloud.know(
            "AKIATEST",
            Identity {
                secret_access_key: "secret".into(),
                session_token: None,
                expires: None,
                caller: Caller::Admin,
            },
        );
        let mut routes = Routes::default();
        routes.on("POST", "/_mqaws/echo", |_, request| async move { Ok(request.body) });
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        runtime.spawn(server::serve(
            cloud.clone(),
            vec![(listener, Peers::Machine)],
            routes,
            Arc::new(Injector::default()),
        ));
        Self {
            cloud,
            address,
            _runtime: runtime,
        }
    }

    fn send(&self, method: &str, path: &str, headers: &[(&str, String)], body: &[u8]) -> Answer {
        let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
        let mut request = http::Request::builder()
            .method(method)
            .uri(format!("http://{}{path}", self.address));
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        // A GET with a body is refused by the client, even with an empty one.
        let mut response = match method {
            "GET" => agent.run(request.body(()).unwrap()).unwrap(),
            _ => agent.run(request.body(body.to_vec()).unwrap()).unwrap(),
        };
        Answer {
            status: response.status().as_u16(),
            headers: response
                .headers()
                .iter()
                .map(|(n, v)| (n.to_string(), v.to_str().unwrap_or_default().to_owned()))
                .collect(),
            body: response.body_mut().read_to_vec().unwrap(),
        }
    }

    /// Makes the key `AKIAROLE` known: that of an instance whose role has no policies.
    fn know_a_role(&self) {
        let identity = Identity {
            secret_access_key: "secret".into(),
            session_token: None,
            expires: None,
            caller: Caller::Instance {
                instance: "i-1".into(),
                role: "r".into(),
            },
        };
        self.cloud.know("AKIAROLE", identity);
    }

    /// A signed request to a service.
    fn aws(&self, service: &str, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        self.signed(("AKIATEST", "secret"), service, method, path, headers, body)
    }

    fn signed(
        &self,
        (key, secret): (&str, &str),
        service: &str,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        let identity = Credentials::new(key, secret, None, None, "test").into();
        let params = aws_sigv4::sign::v4::SigningParams::builder()
            .identity(&identity)
            .region("eu-west-1")
            .name(service)
            .time(SystemTime::now())
            .settings(SigningSettings::default())
            .build()
            .unwrap()
            .into();
        let url = format!("http://{}{path}", self.address);
        let mut all: Vec<(&str, String)> = headers.iter().map(|(n, v)| (*n, (*v).to_owned())).collect();
        let signable = SignableRequest::new(method, &url, headers.iter().copied(), SignableBody::Bytes(body)).unwrap();
        let (instructions, _) = sign(signable, &params).unwrap().into_parts();
        let added: Vec<(String, String)> = instructions
            .headers()
            .map(|(n, v)| (n.to_owned(), v.to_owned()))
            .collect();
        all.extend(added.iter().map(|(n, v)| (n.as_str(), v.clone())));
        self.send(method, path, &all, body)
    }

    fn query(&self, service: &str, body: &str) -> Answer {
        let form = [("content-type", "application/x-www-form-urlencoded")];
        self.aws(service, "POST", "/", &form, body.as_bytes())
    }
}

#[test]
fn every_protocol_answers_and_refuses() {
    let lab = Lab::start();

    let who = lab.query("sts", "Action=GetCallerIdentity&Version=2011-06-15");
    assert_eq!(who.status, 200, "{}", who.text());
    assert!(
        who.text().contains("<Arn>arn:aws:iam::000000000000:root</Arn>"),
        "{}",
        who.text()
    );
    assert_eq!(who.header("x-amzn-requestid").len(), 36);

    let template = "Resources: {P: {Type: 'AWS::IAM::InstanceProfile', Properties: {Roles: [a]}}}";
    let body: String = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("Action", "ValidateTemplate")
        .append_pair("Version", "2010-05-15")
        .append_pair("TemplateBody", template)
        .finish();
    let valid = lab.query("cloudformation", &body);
    assert!(
        valid
            .text()
            .contains("<Capabilities><member>CAPABILITY_IAM</member></Capabilities>"),
        "{}",
        valid.text()
    );

    let none = lab.query(
        "cloudformation",
        "Action=DescribeStacks&Version=2010-05-15&StackName=none",
    );
    assert_eq!(none.status, 400);
    assert!(
        none.text()
            .contains("<Code>ValidationError</Code><Message>Stack with id none does not exist</Message>"),
        "{}",
        none.text()
    );

    let json = [
        ("content-type", "application/x-amz-json-1.1"),
        ("x-amz-target", "secretsmanager.CreateSecret"),
    ];
    let made = lab.aws(
        "secretsmanager",
        "POST",
        "/",
        &json,
        br#"{"Name":"s","SecretString":"x"}"#,
    );
    assert_eq!(made.status, 200, "{}", made.text());
    let again = lab.aws("secretsmanager", "POST", "/", &json, br#"{"Name":"s"}"#);
    assert_eq!(
        (again.status, again.header("x-amzn-errortype")),
        (400, "ResourceExistsException")
    );

    let granite = "/service/GraniteServiceVersion20100801/operation/";
    let binary = [("content-type", "application/cbor"), ("smithy-protocol", "rpc-v2-cbor")];
    let data = cbor::write(&json!({"Namespace": "n", "MetricData": [{"MetricName": "m", "Value": 1.5}]}));
    let put = lab.aws("monitoring", "POST", &format!("{granite}PutMetricData"), &binary, &data);
    assert_eq!((put.status, put.header("smithy-protocol")), (200, "rpc-v2-cbor"));
    let listed = lab.aws(
        "monitoring",
        "POST",
        &format!("{granite}ListMetrics"),
        &binary,
        &cbor::write(&json!({})),
    );
    assert_eq!(cbor::read(&listed.body).unwrap()["Metrics"][0]["MetricName"], "m");
    let refused = lab.aws("monitoring", "POST", &format!("{granite}Frobnicate"), &binary, &[]);
    assert_eq!(refused.header("x-amzn-query-error"), "UnknownOperationException;Sender");
    let as_query = lab.query("monitoring", "Action=ListMetrics&Version=2010-08-01");
    assert!(
        as_query.text().contains("<MetricName>m</MetricName>"),
        "{}",
        as_query.text()
    );

    let unknown = lab.query("iam", "Action=Frobnicate&Version=2010-05-08");
    assert!(
        unknown.text().contains("<Code>InvalidAction</Code>"),
        "{}",
        unknown.text()
    );
}

#[test]
fn strangers_are_refused() {
    let lab = Lab::start();
    let body = b"Action=GetCallerIdentity&Version=2011-06-15";
    for (key, secret, code) in [
        ("AKIATEST", "wrong", "SignatureDoesNotMatch"),
        ("AKIAOTHER", "secret", "InvalidClientTokenId"),
    ] {
        let answer = lab.signed((key, secret), "sts", "POST", "/", &[], body);
        assert_eq!(answer.status, 403, "{}", answer.text());
        assert!(
            answer.text().contains(&format!("<Code>{code}</Code>")),
            "{}",
            answer.text()
        );
    }
    let unsigned = lab.send("POST", "/", &[], body);
    assert!(
        unsigned.text().contains("MissingAuthenticationToken"),
        "{}",
        unsigned.text()
    );
    let browser = lab.send(
        "GET",
        "/_mqaws/health",
        &[("origin", "http://example.com".to_owned())],
        b"",
    );
    assert_eq!(browser.status, 403);
}

#[test]
fn own_calls_inject_faults_and_end_the_endpoint() {
    let lab = Lab::start();
    let health: Value = serde_json::from_str(&lab.send("GET", "/_mqaws/health", &[], b"").text()).unwrap();
    assert_eq!(
        (health["schema"].as_str(), health["region"].as_str()),
        (Some("mqaws.lab-health/1"), Some("eu-west-1"))
    );
    assert_eq!(lab.send("POST", "/_mqaws/echo", &[], b"[1]").text(), "[1]");
    assert_eq!(lab.send("POST", "/_mqaws/none", &[], b"").status, 404);

    let own = |method: &str, path: &str, body: &[u8]| lab.aws("mqaws", method, path, &[], body);
    let ask = || lab.query("sts", "Action=GetCallerIdentity&Version=2011-06-15");
    let rule = br#"{"service":"sts","error":"Throttling","count":2}"#;
    assert_eq!(own("POST", "/_mqaws/inject", rule).status, 200);
    assert!(own("GET", "/_mqaws/inject", b"").text().contains("Throttling"));
    for _ in 0..2 {
        let throttled = ask();
        assert_eq!(throttled.status, 400);
        assert!(
            throttled
                .text()
                .contains("<Code>Throttling</Code><Message>Rate exceeded</Message>")
        );
    }
    assert_eq!(ask().status, 200);
    own("POST", "/_mqaws/inject", br#"{"error":"ServiceUnavailable"}"#);
    assert_eq!(ask().status, 503);
    own("DELETE", "/_mqaws/inject", b"");
    assert_eq!(ask().status, 200);
    assert_eq!(own("POST", "/_mqaws/inject", br#"{"error":"Rain"}"#).status, 400);

    assert_eq!(own("POST", "/_mqaws/shutdown", b"").status, 200);
    let stopped = async { tokio::time::timeout(std::time::Duration::from_secs(10), lab.cloud.until_shut_down()).await };
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap()
        .block_on(stopped)
        .unwrap();
}

#[test]
fn own_calls_that_change_the_lab_need_its_key() {
    let lab = Lab::start();
    lab.know_a_role();
    for (method, path) in [
        ("GET", "/_mqaws/inject"),
        ("POST", "/_mqaws/inject"),
        ("DELETE", "/_mqaws/inject"),
        ("POST", "/_mqaws/shutdown"),
    ] {
        // A GET is sent without a body.
        let rule: &[u8] = if method == "GET" {
            b""
        } else {
            br#"{"error":"InternalError"}"#
        };
        for (who, answer, code) in [
            (
                "unsigned",
                lab.send(method, path, &[], rule),
                "MissingAuthenticationToken",
            ),
            (
                "a wrong key",
                lab.signed(("AKIATEST", "wrong"), "mqaws", method, path, &[], rule),
                "InvalidSignature",
            ),
            (
                "an instance",
                lab.signed(("AKIAROLE", "secret"), "mqaws", method, path, &[], rule),
                "AccessDenied",
            ),
        ] {
            assert_eq!(answer.status, 403, "{who} {method} {path}: {}", answer.text());
            assert!(answer.text().contains(code), "{who} {method} {path}: {}", answer.text());
        }
    }
    let ask = lab.query("sts", "Action=GetCallerIdentity&Version=2011-06-15");
    assert_eq!(ask.status, 200, "nothing was injected, nothing shut down");
    let own = lab.query("iam", "Action=mqaws:Evaluate&Version=2010-05-08");
    assert!(own.text().contains("<Code>InvalidAction</Code>"), "{}", own.text());
}

/// A role asks for what its policies do not allow: the refusal in each protocol.
#[test]
fn roles_are_refused_what_no_policy_allows() {
    let lab = Lab::start();
    lab.know_a_role();
    let role = ("AKIAROLE", "secret");
    let words = "User: arn:aws:sts::000000000000:assumed-role/r/i-1 is not authorized to perform: ";
    let refused = |answer: Answer, status: u16, code: &str| {
        let text = answer.text();
        let found = format!("{text} {}", answer.header("x-amzn-errortype"));
        assert_eq!(answer.status, status, "{text}");
        assert!(found.contains(code) && found.contains(words), "{found}");
    };
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let query = |service: &str, body: &str| lab.signed(role, service, "POST", "/", &form, body.as_bytes());
    let signal = "Action=SignalResource&Version=2010-05-15&StackName=s&LogicalResourceId=r&UniqueId=u&Status=SUCCESS";
    refused(query("cloudformation", signal), 403, "<Code>AccessDenied</Code>");
    let terminate = "Action=DescribeInstances&Version=2016-11-15";
    refused(query("ec2", terminate), 403, "<Code>UnauthorizedOperation</Code>");
    let json = [
        ("content-type", "application/x-amz-json-1.1"),
        ("x-amz-target", "secretsmanager.GetSecretValue"),
    ];
    let secret = lab.signed(role, "secretsmanager", "POST", "/", &json, br#"{"SecretId":"s"}"#);
    refused(secret, 400, "AccessDeniedException");
    let targets = "/2015-02-01/mount-targets?FileSystemId=fs-1";
    let efs = lab.signed(role, "elasticfilesystem", "GET", targets, &[], b"");
    refused(efs, 403, "AccessDeniedException");
    let binary = [("content-type", "application/cbor"), ("smithy-protocol", "rpc-v2-cbor")];
    let path = "/service/GraniteServiceVersion20100801/operation/PutMetricData";
    let data = cbor::write(&json!({"Namespace": "n", "MetricData": [{"MetricName": "m", "Value": 1.5}]}));
    refused(
        lab.signed(role, "monitoring", "POST", path, &binary, &data),
        403,
        "AccessDenied",
    );
    let who = query("sts", "Action=GetCallerIdentity&Version=2011-06-15");
    assert_eq!(who.status, 200, "whoever has credentials may ask who it is");
}

#[test]
fn listens_on_loopback_only() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let error = runtime
        .block_on(async {
            let listener = tokio::net::TcpListener::bind("0.0.0.0:0").await.unwrap();
            server::serve(
                Cloud::new("eu-west-1"),
                vec![(listener, Peers::Machine)],
                Routes::default(),
                Arc::new(Injector::default()),
            )
            .await
        })
        .unwrap_err();
    assert!(matches!(error, server::ServeError::NotLoopback(_)), "{error}");
}

#[test]
fn resource_types_are_those_of_the_published_schemas() {
    let Some(venv) = venv("resource_types_are_those_of_the_published_schemas") else {
        return;
    };
    let output = Command::new(venv.join("bin/python"))
        .arg(root().join("scripts/resource-types.py"))
        .arg("--check")
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
