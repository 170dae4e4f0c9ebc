//! HTTP in, HTTP out.

use super::auth;
use super::inject::{Injector, Rule};
use super::routes::{OwnRequest, Routes};
use crate::api::{ACCOUNT, ApiError, Caller, Cloud};
use crate::cloudformation::CloudFormation;
use crate::cloudwatch::CloudWatch;
use crate::efs;
use crate::http::{self, Door, Stranger};
use crate::iam::{self, Iam};
use crate::ids;
use crate::network::Peers;
use crate::secrets::SecretsManager;
use crate::sts::Sts;
use crate::wire::protocol::{self, Protocol, Raw};
use crate::wire::reply::{self, Reply};
use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Request, Response, StatusCode};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// Largest request body that is read: over the 1 MB of CloudWatch, the largest of the services here.
const MAX_BODY: usize = 2 * 1024 * 1024;

/// The lab's own calls that change the lab: signed with the administrator's key, for a service of any name.
const FOR_THE_ADMINISTRATOR: [&str; 6] = [
    "/_mqaws/inject",
    "/_mqaws/faults",
    "/_mqaws/shutdown",
    "/_mqaws/cut",
    "/_mqaws/mend",
    "/_mqaws/images",
];

/// How long answers under way may take after the endpoint was asked to end.
const DRAIN: Duration = Duration::from_secs(2);

/// Why the endpoint does not run.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Listening anywhere else would hand the account to the network.
    #[error("the endpoint listens on loopback only, not on {0}")]
    NotLoopback(std::net::SocketAddr),
    /// The listener failed.
    #[error("the endpoint's listener failed")]
    Listener(#[source] std::io::Error),
}

struct Endpoint {
    cloud: Arc<Cloud>,
    routes: Routes,
    injector: Arc<Injector>,
    started: Instant,
}

/// Enters the services of this part of the lab: CloudFormation, IAM, STS, Secrets Manager, CloudWatch.
pub fn add_services(cloud: &Arc<Cloud>) {
    cloud.add("cloudformation", Arc::new(CloudFormation::new()));
    cloud.add("iam", Arc::new(Iam::new()));
    cloud.add("sts", Arc::new(Sts));
    cloud.add("secretsmanager", Arc::new(SecretsManager::new()));
    cloud.add("monitoring", Arc::new(CloudWatch::new()));
}

/// Serves the cloud on `listeners` until it is asked to end; requests under way are finished, at most two seconds long. Of another
/// user than this process's it answers only what is signed.
/// `injector` holds the faults that are on from the beginning.
///
/// # Errors
/// [`ServeError`] when a listener is not on loopback or fails.
pub async fn serve(
    cloud: Arc<Cloud>,
    listeners: Vec<(TcpListener, Peers)>,
    routes: Routes,
    injector: Arc<Injector>,
) -> Result<(), ServeError> {
    for (listener, _) in &listeners {
        let address = listener.local_addr().map_err(ServeError::Listener)?;
        if !address.ip().is_loopback() {
            return Err(ServeError::NotLoopback(address));
        }
        tracing::info!(%address, "endpoint listens");
    }
    let endpoint = Arc::new(Endpoint {
        cloud: cloud.clone(),
        routes,
        injector,
        started: Instant::now(),
    });
    let mut servers = JoinSet::new();
    for (listener, peers) in listeners {
        let (endpoint, stopping) = (endpoint.clone(), cloud.stopping());
        let answer = move |request| handle(endpoint.clone(), request);
        servers.spawn(http::serve(listener, Door::Watched(peers), stopping, answer));
    }
    let all = async {
        while let Some(done) = servers.join_next().await {
            done.map_err(std::io::Error::other)?;
        }
        Ok(())
    };
    tokio::select! {
        done = all => done.map_err(ServeError::Listener),
        () = async { cloud.until_shut_down().await; tokio::time::sleep(DRAIN).await } => Ok(()),
    }
}

async fn handle(endpoint: Arc<Endpoint>, request: Request<Body>) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let stranger = parts.extensions.get::<Stranger>().is_some();
    let body = match tokio::time::timeout(http::REQUEST, axum::body::to_bytes(body, MAX_BODY)).await {
        Ok(Ok(body)) => body,
        Ok(Err(_)) => {
            let error = ApiError::new("RequestEntityTooLarge", "the body is too large");
            return response(own_failure(&error.status(413)));
        }
        Err(_) => {
            let error = ApiError::new("RequestTimeout", "the body did not arrive in time");
            return response(own_failure(&error.status(408)));
        }
    };
    let raw = Raw {
        method: parts.method.as_str().to_owned(),
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        headers: parts
            .headers
            .iter()
            .map(|(n, v)| {
                (
                    n.as_str().to_owned(),
                    String::from_utf8_lossy(v.as_bytes()).into_owned(),
                )
            })
            .collect(),
        body: body.to_vec(),
    };
    // A page in a browser on this machine must not reach the endpoint.
    if raw.header("origin").is_some() {
        return response(own_failure(
            &ApiError::new("Forbidden", "requests from browsers are rejected").status(403),
        ));
    }
    let reply = if raw.path.starts_with("/_mqaws/") {
        endpoint.own(raw, stranger).await
    } else {
        endpoint.aws(raw).await
    };
    response(reply)
}

impl Endpoint {
    async fn aws(&self, raw: Raw) -> Reply {
        let begun = Instant::now();
        let request_id = ids::uuid();
        let signed = auth::parse(&raw);
        let service = match (&signed, protocol::guess_service(&raw)) {
            (Some(signed), _) => signed.service.clone(),
            (None, Some(guessed)) => guessed.to_owned(),
            (None, None) => String::new(),
        };
        let protocol = protocol::protocol(&service, &raw);
        let mut action = String::new();
        let mut who = "anonymous".to_owned();
        let outcome = async {
            let caller = auth::caller(&self.cloud, signed.as_ref(), &raw, protocol)?;
            who = name(&caller);
            let request = protocol::read(&service, protocol, &raw)?;
            action.clone_from(&request.action);
            // What has a colon is a call of the lab's services among themselves.
            if action.contains(':') {
                return Err(ApiError::new(
                    "InvalidAction",
                    format!("Could not find operation {action}"),
                ));
            }
            let of_instance = matches!(caller, Caller::Instance { .. });
            let down = of_instance.then(|| self.injector.decide_for_instance(protocol));
            let refused = down
                .flatten()
                .or_else(|| self.injector.decide(&service, &action, protocol));
            if let Some(error) = refused {
                return Err(error);
            }
            iam::authorise(&self.cloud, &service, &action, &request.params, &caller).await?;
            self.cloud.call(&service, &request.action, request.params, caller).await
        }
        .await;
        let micros = begun.elapsed().as_micros() as u64;
        match outcome {
            Ok(result) => {
                tracing::info!(%service, %action, caller = %who, micros, %request_id, "call");
                reply::success(protocol, &action, &request_id, &result)
            }
            Err(error) => {
                tracing::info!(%service, %action, caller = %who, micros, %request_id, status = error.status,
                    code = %error.code, message = %error.message, "refused");
                reply::failure(protocol, &request_id, &error)
            }
        }
    }

    /// Refuses whoever does not sign with the administrator's key: other users of this machine reach the endpoint too.
    fn administrator(&self, raw: &Raw) -> Result<(), ApiError> {
        let signed = auth::parse(raw);
        match auth::caller(&self.cloud, signed.as_ref(), raw, Protocol::Json("1.1")) {
            Ok(Caller::Admin) => Ok(()),
            Ok(other) => Err(ApiError::new(
                "AccessDenied",
                format!("{} is not the administrator", name(&other)),
            )),
            Err(error) => Err(error),
        }
        .map_err(|error| error.status(403))
    }

    async fn own(&self, raw: Raw, stranger: bool) -> Reply {
        let body: Value = if raw.body.is_empty() {
            Value::Null
        } else {
            match serde_json::from_slice(&raw.body) {
                Ok(body) => body,
                Err(error) => {
                    return own_failure(&ApiError::new("BadRequest", format!("the body is not JSON: {error}")));
                }
            }
        };
        let (method, path) = (raw.method.clone(), raw.path.clone());
        // An instance's token is as good as a signature: only the instance got it.
        let signed = FOR_THE_ADMINISTRATOR.contains(&path.as_str()) || (stranger && path != efs::MOUNT);
        if signed && let Err(error) = self.administrator(&raw) {
            tracing::info!(%method, %path, code = %error.code, message = %error.message, "refused");
            return own_failure(&error);
        }
        let outcome = match (method.as_str(), path.as_str()) {
            ("GET", "/_mqaws/health") => Ok(self.health()),
            ("GET", "/_mqaws/inject") => Ok(json!({"rules": self.injector.rules()})),
            ("POST", "/_mqaws/inject") => serde_json::from_value::<Rule>(body)
                .map_err(|e| ApiError::new("BadRequest", e.to_string()))
                .and_then(|rule| self.injector.add(rule))
                .map(|()| json!({"rules": self.injector.rules()})),
            ("DELETE", "/_mqaws/inject") => {
                self.injector.clear();
                Ok(json!({"rules": []}))
            }
            ("POST", "/_mqaws/shutdown") => {
                self.cloud.shut_down();
                Ok(json!({"stopping": true}))
            }
            _ => match self.routes.find(&method, &path) {
                Some(handler) => handler(self.cloud.clone(), OwnRequest { raw, body }).await,
                None => Err(ApiError::new("NotFound", format!("the lab has no call {method} {path}")).status(404)),
            },
        };
        match outcome {
            Ok(value) => own_reply(200, &value),
            Err(error) => {
                tracing::info!(%method, %path, status = error.status, code = %error.code, message = %error.message, "refused");
                own_failure(&error)
            }
        }
    }

    fn health(&self) -> Value {
        let site = &self.cloud.site;
        json!({
            "schema": "mqaws.lab-health/1",
            "id": site.id,
            "region": self.cloud.region,
            "account": ACCOUNT,
            "octet": site.octet,
            "timing": site.timing.name(),
            "hosts": self.cloud.hosts().name(),
            "uptime_ms": self.started.elapsed().as_millis() as u64,
        })
    }
}

fn name(caller: &Caller) -> String {
    match caller {
        Caller::Admin => "admin".to_owned(),
        Caller::Instance { instance, .. } => instance.clone(),
        Caller::Session { role, session } => format!("{role}/{session}"),
    }
}

fn own_failure(error: &ApiError) -> Reply {
    own_reply(error.status, &json!({"error": error.code, "message": error.message}))
}

fn own_reply(status: u16, value: &Value) -> Reply {
    Reply {
        status,
        headers: vec![("content-type", "application/json".to_owned())],
        body: value.to_string().into_bytes(),
    }
}

fn response(reply: Reply) -> Response<Body> {
    let mut response = Response::new(Body::from(reply.body));
    *response.status_mut() = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in reply.headers {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(HeaderName::from_static(name), value);
        }
    }
    response
}
