//! The call interface between the services of the local cloud: one action, JSON in, JSON out.
//!
//! Wire codecs turn requests into [`Call`]s; CloudFormation makes the same calls for its resources, as AWS does.

use super::home::Software;
use super::hosts::Hosts;
use super::network::Network;
use super::timing::Timing;
use parking_lot::RwLock;
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;

/// Account of the local cloud.
pub(crate) const ACCOUNT: &str = "000000000000";

/// Who makes a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Caller {
    /// The account's administrator: the credentials in `lab.json`.
    Admin,
    /// An instance through its role; holds the instance id and the role name.
    Instance {
        /// EC2 instance id.
        instance: String,
        /// IAM role name.
        role: String,
    },
    /// A session made by AssumeRole; holds the role name and the session's name.
    Session {
        /// IAM role name.
        role: String,
        /// Session name.
        session: String,
    },
}

/// One action on one service.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    /// Action, `CreateStack`.
    pub(crate) action: String,
    /// Parameters by their wire names; an object.
    pub(crate) params: Value,
    /// Who calls.
    pub(crate) caller: Caller,
}

/// An error as AWS words it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct ApiError {
    /// HTTP status.
    pub(crate) status: u16,
    /// Error code, `ValidationError`.
    pub(crate) code: String,
    /// Message.
    pub(crate) message: String,
}

impl ApiError {
    /// A client error (400).
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            status: 400,
            code: code.into(),
            message: message.into(),
        }
    }

    /// The same error with another HTTP status.
    pub fn status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }
}

/// Result of an action.
pub(crate) type ApiResult = Result<Value, ApiError>;

/// A service of the local cloud.
pub(crate) trait Service: Send + Sync {
    /// Carries out one action; unknown actions are an `InvalidAction` (see [`unknown_action`]).
    fn call(self: Arc<Self>, cloud: Arc<Cloud>, call: Call) -> Pin<Box<dyn Future<Output = ApiResult> + Send>>;
}

/// The error for an action that the service does not have.
pub(crate) fn unknown_action(call: &Call) -> ApiError {
    ApiError::new(
        "InvalidAction",
        format!("The action {} is not valid for this endpoint.", call.action),
    )
}

/// Where a local cloud runs and how fast.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    /// Lab id, the value of `MQAWS_LAB` in everything the lab starts.
    pub(crate) id: String,
    /// Second octet of every address of this lab: `127.L.x.y`.
    pub(crate) octet: u8,
    /// Port of the API endpoint.
    pub(crate) port: u16,
    /// Directory of the lab.
    pub(crate) dir: PathBuf,
    /// Speed of the control loops.
    pub(crate) timing: Timing,
    /// Executable that instances run as agent and engine commands.
    pub(crate) executable: PathBuf,
    /// Defect of the stand-in queue managers (a negative control).
    pub(crate) standin_defect: Option<String>,
    /// What hosts have of this machine's software.
    pub(crate) software: Vec<Software>,
    /// Program that runs instances as virtual machines (see [`super::instance`]); they are processes without it.
    pub(crate) guests: Option<PathBuf>,
}

impl Site {
    /// URL of the API endpoint, `http://127.77.0.1:4566`.
    pub(crate) fn endpoint(&self) -> String {
        format!("http://127.{}.0.1:{}", self.octet, self.port)
    }
}

/// Somebody that the cloud knows by an access key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Secret access key.
    pub secret_access_key: String,
    /// Session token that has to come with the key, for temporary credentials.
    pub session_token: Option<String>,
    /// Unix seconds after which the key is refused.
    pub expires: Option<i64>,
    /// Who it is.
    pub caller: Caller,
}

/// Something that happened to an instance; services that must follow instances listen to these.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct InstanceEvent {
    /// EC2 instance id.
    pub(crate) instance: String,
    /// State that was just entered: `pending running shutting-down terminated stopping stopped`.
    pub(crate) state: String,
}

/// The local cloud: its identity and its services by signing name.
pub struct Cloud {
    /// Region, `eu-west-1`.
    pub(crate) region: String,
    /// Where it runs.
    pub(crate) site: Site,
    identities: RwLock<HashMap<String, Identity>>,
    instance_tokens: RwLock<HashMap<String, String>>,
    /// Metadata of the guests.
    pub(crate) metadata: super::instance::Directory,
    /// The network of the instances.
    pub(crate) network: Network,
    events: tokio::sync::broadcast::Sender<InstanceEvent>,
    stop: tokio::sync::watch::Sender<bool>,
    services: RwLock<HashMap<String, Arc<dyn Service>>>,
}

impl Cloud {
    /// A cloud without services at a place of no importance, for tests of one service.
    pub fn new(region: impl Into<String>) -> Arc<Self> {
        Self::at(
            region,
            Site {
                id: "lab-none".to_owned(),
                octet: 76,
                port: 4566,
                dir: std::env::temp_dir().join("mqaws-none"),
                timing: Timing::Fast,
                executable: PathBuf::from("mqaws"),
                standin_defect: None,
                software: Vec::new(),
                guests: None,
            },
        )
    }

    /// A cloud without services at a place, whose instances are on the machine's own network.
    pub(crate) fn at(region: impl Into<String>, site: Site) -> Arc<Self> {
        Self::on(region, site, Network::Machine)
    }

    /// A cloud without services at a place, with a network for its instances.
    pub(crate) fn on(region: impl Into<String>, site: Site, network: Network) -> Arc<Self> {
        Arc::new(Self {
            region: region.into(),
            site,
            identities: RwLock::default(),
            instance_tokens: RwLock::default(),
            metadata: super::instance::Directory::default(),
            network,
            events: tokio::sync::broadcast::Sender::new(1024),
            stop: tokio::sync::watch::Sender::new(false),
            services: RwLock::default(),
        })
    }

    /// What instances are made of.
    pub fn hosts(&self) -> Hosts {
        match (&self.site.guests, &self.network) {
            (Some(_), _) => Hosts::Guest,
            (None, Network::Switch(_)) => Hosts::Namespace,
            (None, Network::Machine) => Hosts::Process,
        }
    }

    /// Makes an access key known; a key that is known already is replaced.
    pub fn know(&self, access_key_id: impl Into<String>, identity: Identity) {
        self.identities.write().insert(access_key_id.into(), identity);
    }

    /// Forgets every access key and token of one instance.
    pub(crate) fn forget_instance(&self, instance: &str) {
        self.identities
            .write()
            .retain(|_, i| !matches!(&i.caller, Caller::Instance { instance: of, .. } if of == instance));
        self.instance_tokens.write().retain(|_, of| of != instance);
    }

    /// Who has this access key.
    pub(crate) fn identity(&self, access_key_id: &str) -> Option<Identity> {
        self.identities.read().get(access_key_id).cloned()
    }

    /// Notes that an instance metadata token was given to an instance.
    pub(crate) fn note_instance_token(&self, token: impl Into<String>, instance: impl Into<String>) {
        self.instance_tokens.write().insert(token.into(), instance.into());
    }

    /// The instance that holds this metadata token.
    pub(crate) fn instance_of_token(&self, token: &str) -> Option<String> {
        self.instance_tokens.read().get(token).cloned()
    }

    /// Tells every listener what happened to an instance.
    pub(crate) fn announce(&self, event: InstanceEvent) {
        // Nobody listening is not an error.
        let _ = self.events.send(event);
    }

    /// What happens to instances from now on.
    pub(crate) fn instance_events(&self) -> tokio::sync::broadcast::Receiver<InstanceEvent> {
        self.events.subscribe()
    }

    /// Asks the whole cloud to end.
    pub(crate) fn shut_down(&self) {
        self.stop.send_replace(true);
    }

    /// Turns true when the cloud is asked to end.
    pub(crate) fn stopping(&self) -> tokio::sync::watch::Receiver<bool> {
        self.stop.subscribe()
    }

    /// Returns when the cloud was asked to end.
    pub async fn until_shut_down(&self) {
        let mut stop = self.stop.subscribe();
        // The sender lives as long as `self`, so the only way out is `true`.
        let _ = stop.wait_for(|stopping| *stopping).await;
    }

    /// Adds a service under its signing name.
    pub(crate) fn add(&self, name: &str, service: Arc<dyn Service>) {
        self.services.write().insert(name.to_owned(), service);
    }

    /// Carries out one action of one service.
    ///
    /// # Errors
    /// Whatever the service answers; `UnknownService` when there is none of that name.
    pub(crate) async fn call(
        self: &Arc<Self>,
        service: &str,
        action: &str,
        params: Value,
        caller: Caller,
    ) -> ApiResult {
        let found = self.services.read().get(service).cloned();
        let Some(found) = found else {
            return Err(ApiError::new(
                "UnknownService",
                format!("the local cloud does not support service {service}"),
            )
            .status(404));
        };
        let call = Call {
            action: action.to_owned(),
            params,
            caller,
        };
        found.call(self.clone(), call).await
    }
}

/// A parameter as text; numbers and booleans are turned into text.
pub(crate) fn text(params: &Value, name: &str) -> Option<String> {
    match params.get(name)? {
        Value::String(s) => Some(s.clone()),
        Value::Number(n) => Some(n.to_string()),
        Value::Bool(b) => Some(b.to_string()),
        _ => None,
    }
}

/// A parameter as a whole number, from a JSON number or decimal text.
pub(crate) fn number(params: &Value, name: &str) -> Option<i64> {
    text(params, name)?.parse().ok()
}

/// A parameter as a boolean, from JSON or `true`/`false`.
pub(crate) fn flag(params: &Value, name: &str) -> Option<bool> {
    text(params, name)?.parse().ok()
}

/// A parameter as a list; absent means empty, a single value means one element.
pub fn list(params: &Value, name: &str) -> Vec<Value> {
    match params.get(name) {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(items)) => items.clone(),
        Some(other) => vec![other.clone()],
    }
}

/// A list parameter as texts.
pub(crate) fn texts(params: &Value, name: &str) -> Vec<String> {
    list(params, name)
        .iter()
        .filter_map(|v| v.as_str().map(str::to_owned))
        .collect()
}

/// A required parameter.
///
/// # Errors
/// `MissingParameter` with the name.
pub(crate) fn required(params: &Value, name: &str) -> Result<String, ApiError> {
    text(params, name).ok_or_else(|| {
        ApiError::new(
            "MissingParameter",
            format!("The request must contain the parameter {name}"),
        )
    })
}

/// Refuses parameters that the action does not have, as AWS does.
///
/// # Errors
/// `UnknownParameter` that names the first.
pub(crate) fn only(params: &Value, known: &[&str]) -> Result<(), ApiError> {
    let empty = Map::new();
    match params
        .as_object()
        .unwrap_or(&empty)
        .keys()
        .find(|k| !known.contains(&k.as_str()))
    {
        None => Ok(()),
        Some(key) => Err(ApiError::new(
            "UnknownParameter",
            format!("The parameter {key} is not recognized"),
        )),
    }
}
