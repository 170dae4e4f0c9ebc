//! Calls to a lab as its administrator, signed as any client signs them.

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use mqaws_lab::home::LabRecord;
use serde_json::{Value, json};
use std::time::SystemTime;

/// A call of the query protocol; a refusal fails the test.
pub(crate) fn call(record: &LabRecord, service: &str, version: &str, params: &[(&str, &str)]) -> String {
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    form.append_pair("Version", version);
    for (name, value) in params {
        form.append_pair(name, value);
    }
    let headers = [("content-type", "application/x-www-form-urlencoded")];
    request(record, service, ("POST", "/"), &headers, form.finish()).unwrap_or_else(|e| panic!("{params:?}: {e}"))
}

/// A call of the JSON protocol, such as `secretsmanager.GetSecretValue`.
///
/// # Errors
/// The refusal.
pub(crate) fn json_call(record: &LabRecord, service: &str, target: &str, body: &Value) -> Result<Value, String> {
    let headers = [("content-type", "application/x-amz-json-1.1"), ("x-amz-target", target)];
    let answer = request(record, service, ("POST", "/"), &headers, body.to_string())?;
    Ok(serde_json::from_str(&answer).unwrap_or_default())
}

/// `SendCommand` of a shell script to one instance.
///
/// # Errors
/// The refusal.
pub(crate) fn run_command(record: &LabRecord, instance: &str, commands: &[&str]) -> Result<(), String> {
    let body = json!({"DocumentName": "AWS-RunShellScript", "InstanceIds": [instance],
        "Parameters": {"commands": commands}});
    json_call(record, "ssm", "AmazonSSM.SendCommand", &body).map(drop)
}

/// One of the lab's own calls, such as `inject`.
///
/// # Errors
/// The refusal.
pub(crate) fn own_call(record: &LabRecord, name: &str, body: &Value) -> Result<String, String> {
    let headers = [("content-type", "application/json")];
    let path = format!("/_mqaws/{name}");
    request(record, "mqaws", ("POST", &path), &headers, body.to_string())
}

/// Keys of a session of a role, as STS gives them.
pub(crate) struct Session {
    /// The lab, with the session's keys in place of the administrator's.
    pub record: LabRecord,
    /// What has to come with them.
    pub token: String,
}

impl Session {
    /// Assumes a role.
    pub(crate) fn of(record: &LabRecord, role: &str) -> Self {
        let arn = format!("arn:aws:iam::000000000000:role/{role}");
        let params = [("Action", "AssumeRole"), ("RoleArn", &arn), ("RoleSessionName", "test")];
        let given = call(record, "sts", "2011-06-15", &params);
        let mut record = record.clone();
        record.access_key_id = between(&given, "AccessKeyId");
        record.secret_access_key = between(&given, "SecretAccessKey");
        Self {
            record,
            token: between(&given, "SessionToken"),
        }
    }

    /// As [`json_call`].
    ///
    /// # Errors
    /// The refusal.
    pub(crate) fn json_call(&self, service: &str, target: &str, body: &Value) -> Result<Value, String> {
        let headers = [("content-type", "application/x-amz-json-1.1"), ("x-amz-target", target)];
        let token = Some(self.token.as_str());
        let answer = request_as(&self.record, token, service, ("POST", "/"), &headers, body.to_string())?;
        Ok(serde_json::from_str(&answer).unwrap_or_default())
    }
}

/// A signed request; the answer as text.
///
/// # Errors
/// The text of a refusal.
pub(crate) fn request(
    record: &LabRecord,
    service: &str,
    of: (&str, &str),
    headers: &[(&str, &str)],
    body: String,
) -> Result<String, String> {
    request_as(record, None, service, of, headers, body)
}

fn request_as(
    record: &LabRecord,
    token: Option<&str>,
    service: &str,
    (method, path): (&str, &str),
    headers: &[(&str, &str)],
    body: String,
) -> Result<String, String> {
    let url = format!("{}{path}", record.endpoint);
    let identity = Credentials::new(
        &record.access_key_id,
        &record.secret_access_key,
        token.map(str::to_owned),
        None,
        "test",
    );
    let identity = identity.into();
    let settings = v4::SigningParams::builder()
        .identity(&identity)
        .region(&record.region)
        .name(service)
        .time(SystemTime::now())
        .settings(SigningSettings::default())
        .build()
        .expect("complete parameters")
        .into();
    let signed = SignableBody::Bytes(body.as_bytes());
    let signable = SignableRequest::new(method, &url, headers.iter().copied(), signed).expect("a request");
    let (signed, _) = sign(signable, &settings).expect("signed").into_parts();
    let mut request = http::Request::builder().method(method).uri(&url);
    for (name, value) in headers.iter().copied().chain(signed.headers()) {
        request = request.header(name, value);
    }
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .proxy(None)
        .build()
        .into();
    let mut answer = agent.run(request.body(body).expect("a request")).expect("an answer");
    let text = answer.body_mut().read_to_string().expect("text");
    match answer.status().is_success() {
        true => Ok(text),
        false => Err(text),
    }
}

/// The text of the first element of this name.
pub(crate) fn between(text: &str, tag: &str) -> String {
    all(text, tag)
        .into_iter()
        .next()
        .unwrap_or_else(|| panic!("no <{tag}> in {text}"))
}

/// The texts of all elements of this name.
pub(crate) fn all(text: &str, tag: &str) -> Vec<String> {
    let open = format!("<{tag}>");
    let texts = text.split(&open).skip(1);
    texts.filter_map(|t| Some(t.split_once('<')?.0.to_owned())).collect()
}
