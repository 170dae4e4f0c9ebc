//! Signed calls with bounded repetition.

use super::credentials::{Credentials, CredentialsSource};
use super::endpoint::{Endpoints, Service};
use super::error::CallError;
use super::retry::{RetryPolicy, expired, repeatable, spread};
use super::transport::{Transport, TransportError};
use super::xml::Node;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings, UriPathNormalizationMode,
    sign,
};
use aws_sigv4::sign::v4;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::ExposeSecret;
use serde_json::Value;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// Makes signed calls with the instance's credentials.
#[derive(Clone)]
pub struct Client {
    endpoints: Endpoints,
    credentials: Arc<dyn CredentialsSource>,
    transport: Arc<dyn Transport>,
    retry: RetryPolicy,
    pause: fn(Duration),
}

/// A request before it is signed.
pub(super) struct Unsigned<'a> {
    pub(crate) service: Service,
    /// `GET` or `POST`.
    pub(crate) method: &'static str,
    /// Path and query below the service's URL.
    pub(crate) path: String,
    pub(crate) headers: &'a [(&'a str, &'a str)],
    pub(crate) body: &'a [u8],
}

/// What AWS answered, before it is read.
pub(super) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: http::HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Client {
    /// A client for one region.
    pub fn new(endpoints: Endpoints, credentials: Arc<dyn CredentialsSource>, transport: Arc<dyn Transport>) -> Self {
        Self {
            endpoints,
            credentials,
            transport,
            retry: RetryPolicy::default(),
            pause: std::thread::sleep,
        }
    }

    /// The same client with another patience.
    pub(crate) fn with_retry(mut self, retry: RetryPolicy) -> Self {
        self.retry = retry;
        self
    }

    #[cfg(test)]
    pub(super) fn with_pause(mut self, pause: fn(Duration)) -> Self {
        self.pause = pause;
        self
    }

    /// Calls an action of the query protocol; the result is the root element of the answer.
    pub(super) fn query(&self, service: Service, action: &str, params: &[(String, String)]) -> Result<Node, CallError> {
        let name = format!("{}:{action}", service.name());
        let mut form = format!(
            "Action={}&Version={}",
            encode(action),
            service.version().unwrap_or_default()
        );
        for (key, value) in params {
            form.push_str(&format!("&{}={}", encode(key), encode(value)));
        }
        let headers = [("content-type", "application/x-www-form-urlencoded; charset=utf-8")];
        let answer = self.post(service, &name, &headers, form.as_bytes(), query_error)?;
        Node::parse(&answer.body).map_err(|what| CallError::Malformed { action: name, what })
    }

    /// Calls an action of the JSON 1.1 protocol.
    pub(super) fn json(
        &self,
        service: Service,
        target: &str,
        action: &str,
        params: &Value,
    ) -> Result<Value, CallError> {
        let name = format!("{}:{action}", service.name());
        let target = format!("{target}.{action}");
        let headers = [
            ("content-type", "application/x-amz-json-1.1"),
            ("x-amz-target", &target),
        ];
        let answer = self.post(service, &name, &headers, params.to_string().as_bytes(), json_error)?;
        read_json(name, &answer)
    }

    /// Reads a resource of a service that speaks REST and JSON.
    pub(super) fn get(
        &self,
        service: Service,
        action: &str,
        path: &str,
        params: &[(&str, &str)],
    ) -> Result<Value, CallError> {
        let name = format!("{}:{action}", service.name());
        let params: Vec<String> = params
            .iter()
            .map(|(key, value)| format!("{}={}", encode(key), encode(value)))
            .collect();
        let request = Unsigned {
            service,
            method: "GET",
            path: format!("{path}?{}", params.join("&")),
            headers: &[],
            body: &[],
        };
        let answer = self.call(&name, &request, json_error)?;
        read_json(name, &answer)
    }

    /// Sends JSON to a resource of a service that speaks REST and JSON; nothing is read of the answer.
    pub(super) fn put(&self, service: Service, action: &str, path: &str, body: &Value) -> Result<(), CallError> {
        let body = body.to_string();
        let request = Unsigned {
            service,
            method: "POST",
            path: path.to_owned(),
            headers: &[("content-type", "application/json")],
            body: body.as_bytes(),
        };
        let name = format!("{}:{action}", service.name());
        self.call(&name, &request, json_error).map(drop)
    }

    fn post(
        &self,
        service: Service,
        action: &str,
        headers: &[(&str, &str)],
        body: &[u8],
        error_of: fn(&Answer) -> (String, String),
    ) -> Result<Answer, CallError> {
        let request = Unsigned {
            service,
            method: "POST",
            path: String::new(),
            headers,
            body,
        };
        self.call(action, &request, error_of)
    }

    pub(super) fn call(
        &self,
        action: &str,
        request: &Unsigned<'_>,
        error_of: fn(&Answer) -> (String, String),
    ) -> Result<Answer, CallError> {
        let mut fresh = false;
        let mut number = 1;
        loop {
            let failure = match self.once(action, request, fresh) {
                Ok(answer) if answer.status < 300 => return Ok(answer),
                Ok(answer) => {
                    let (code, message) = error_of(&answer);
                    let again = repeatable(answer.status, &code) || (expired(&code) && !fresh);
                    fresh = expired(&code);
                    let error = CallError::Api {
                        action: action.to_owned(),
                        status: answer.status,
                        code,
                        message,
                    };
                    if !again {
                        return Err(error);
                    }
                    error
                }
                Err(Failure::Transport(source)) => CallError::Unreachable {
                    action: action.to_owned(),
                    attempts: number,
                    source,
                },
                Err(Failure::Final(error)) => return Err(error),
            };
            if number >= self.retry.attempts {
                return Err(failure);
            }
            number += 1;
            (self.pause)(self.retry.wait(number, spread()));
        }
    }

    fn once(&self, action: &str, request: &Unsigned<'_>, fresh: bool) -> Result<Answer, Failure> {
        let credentials = self.credentials.get(fresh).map_err(|source| {
            Failure::Final(CallError::Credentials {
                action: action.to_owned(),
                source,
            })
        })?;
        let request = self.signed(request, &credentials).map_err(|source| {
            Failure::Final(CallError::Signing {
                action: action.to_owned(),
                source,
            })
        })?;
        let answer = self.transport.send(request).map_err(Failure::Transport)?;
        let (parts, body) = answer.into_parts();
        Ok(Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body,
        })
    }

    fn signed(
        &self,
        unsigned: &Unsigned<'_>,
        credentials: &Credentials,
    ) -> Result<http::Request<Vec<u8>>, Box<dyn std::error::Error + Send + Sync>> {
        let Unsigned { headers, body, .. } = unsigned;
        let url = self.endpoints.url(unsigned.service) + &unsigned.path;
        let identity = aws_credential_types::Credentials::new(
            credentials.access_key_id.clone(),
            credentials.secret_access_key.expose_secret(),
            credentials.session_token.as_ref().map(|t| t.expose_secret().to_owned()),
            credentials.expires,
            "instance-role",
        )
        .into();
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(self.endpoints.region())
            .name(unsigned.service.name())
            .time(SystemTime::now())
            .settings(settings(unsigned.service))
            .build()?
            .into();
        let host = url.parse::<http::Uri>()?;
        let host = host.authority().map(|a| a.as_str().to_owned()).unwrap_or_default();
        let signed_headers = headers.iter().copied().chain([("host", host.as_str())]);
        let signable = SignableRequest::new(unsigned.method, url.as_str(), signed_headers, SignableBody::Bytes(body))?;
        let (instructions, _) = sign(signable, &params)?.into_parts();
        let mut request = http::Request::builder()
            .method(unsigned.method)
            .uri(&url)
            .header("host", &host);
        for (name, value) in *headers {
            request = request.header(*name, *value);
        }
        let mut request = request.body(body.to_vec())?;
        instructions.apply_to_request_http1x(&mut request);
        Ok(request)
    }
}

/// S3 takes the path as it is sent, and wants the digest of the body in a header.
fn settings(service: Service) -> SigningSettings {
    let mut settings = SigningSettings::default();
    if service == Service::S3 {
        settings.percent_encoding_mode = PercentEncodingMode::Single;
        settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
    }
    settings
}

enum Failure {
    Transport(TransportError),
    Final(CallError),
}

/// What is encoded in a form value.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Percent-encoding of a form value: everything but unreserved characters.
pub(super) fn encode(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

/// Code and message of `<ErrorResponse><Error>`, of EC2's `<Response><Errors><Error>` and of S3's `<Error>`.
pub(super) fn query_error(answer: &Answer) -> (String, String) {
    let text = |node: &Node, name: &str| node.text(&[name]).unwrap_or_default().to_owned();
    match Node::parse(&answer.body) {
        Ok(root) => match root.find("Error") {
            Some(error) => (text(error, "Code"), text(error, "Message")),
            None => (String::new(), format!("HTTP status {}", answer.status)),
        },
        Err(_) => (String::new(), format!("HTTP status {}", answer.status)),
    }
}

fn read_json(action: String, answer: &Answer) -> Result<Value, CallError> {
    // The text may be a secret: say where it broke, never what it was.
    serde_json::from_slice(&answer.body).map_err(|e| CallError::Malformed {
        action,
        what: format!("not JSON at line {} column {}", e.line(), e.column()),
    })
}

fn json_error(answer: &Answer) -> (String, String) {
    let value: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    // EFS writes `ErrorCode`.
    let code = ["__type", "code", "ErrorCode"]
        .iter()
        .find_map(|key| value[key].as_str());
    let code = code.unwrap_or_default();
    let message = value["message"].as_str().or(value["Message"].as_str());
    (
        code.rsplit('#').next().unwrap_or_default().to_owned(),
        message.map_or_else(|| format!("HTTP status {}", answer.status), str::to_owned),
    )
}

#[cfg(test)]
mod tests;
