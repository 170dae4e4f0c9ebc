//! The call interface between the services of the local cloud: one action, JSON in, JSON out.
//!
//! Wire codecs turn requests into [`Call`]s; CloudFormation makes the same calls for its resources, as AWS does.

use serde_json::{Map, Value};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

/// Account of the local cloud.
pub const ACCOUNT: &str = "000000000000";

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
}

/// One action on one service.
#[derive(Debug, Clone)]
pub struct Call {
    /// Signing name of the service: `cloudformation ec2 autoscaling elasticloadbalancing elasticfilesystem iam sts ssm secretsmanager monitoring`.
    pub service: String,
    /// Action, `CreateStack`.
    pub action: String,
    /// Parameters by their wire names; an object.
    pub params: Value,
    /// Who calls.
    pub caller: Caller,
}

/// An error as AWS words it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct ApiError {
    /// HTTP status.
    pub status: u16,
    /// Error code, `ValidationError`.
    pub code: String,
    /// Message.
    pub message: String,
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
pub type ApiResult = Result<Value, ApiError>;

/// A service of the local cloud.
pub trait Service: Send + Sync {
    /// Carries out one action; unknown actions are an `InvalidAction` (see [`unknown_action`]).
    fn call(self: Arc<Self>, cloud: Arc<Cloud>, call: Call) -> Pin<Box<dyn Future<Output = ApiResult> + Send>>;
}

/// The error for an action that the service does not have.
pub fn unknown_action(call: &Call) -> ApiError {
    ApiError::new(
        "InvalidAction",
        format!("The action {} is not valid for this endpoint.", call.action),
    )
}

/// The local cloud: its identity and its services by signing name.
pub struct Cloud {
    /// Region, `eu-west-1`.
    pub region: String,
    services: std::sync::RwLock<std::collections::HashMap<String, Arc<dyn Service>>>,
}

impl Cloud {
    /// A cloud without services.
    pub fn new(region: impl Into<String>) -> Arc<Self> {
        Arc::new(Self {
            region: region.into(),
            services: Default::default(),
        })
    }

    /// Adds a service under its signing name.
    pub fn add(&self, name: &str, service: Arc<dyn Service>) {
        self.services
            .write()
            .unwrap_or_else(|e| e.into_inner())
            .insert(name.to_owned(), service);
    }

    /// Carries out one action of one service.
    ///
    /// # Errors
    /// Whatever the service answers; `UnknownService` when there is none of that name.
    pub async fn call(self: &Arc<Self>, service: &str, action: &str, params: Value, caller: Caller) -> ApiResult {
        let found = self
            .services
            .read()
            .unwrap_or_else(|e| e.into_inner())
            .get(service)
            .cloned();
        let Some(found) = found else {
            return Err(
                ApiError::new("UnknownService", format!("the local cloud has no service {service}")).status(404),
            );
        };
        let call = Call {
            service: service.to_owned(),
            action: action.to_owned(),
            params,
            caller,
        };
        found.call(self.clone(), call).await
    }
}

/// A parameter as text; numbers and booleans are turned into text.
pub fn text(params: &Value, name: &str) -> Option<String> {
    match params.get(name)? {
        Value::String(s) => Some(s.clone()),
        Value::Number(n) => Some(n.to_string()),
        Value::Bool(b) => Some(b.to_string()),
        _ => None,
    }
}

/// A parameter as a whole number, from a JSON number or decimal text.
pub fn number(params: &Value, name: &str) -> Option<i64> {
    text(params, name)?.parse().ok()
}

/// A parameter as a boolean, from JSON or `true`/`false`.
pub fn flag(params: &Value, name: &str) -> Option<bool> {
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
pub fn texts(params: &Value, name: &str) -> Vec<String> {
    list(params, name)
        .iter()
        .filter_map(|v| v.as_str().map(str::to_owned))
        .collect()
}

/// A required parameter.
///
/// # Errors
/// `MissingParameter` with the name.
pub fn required(params: &Value, name: &str) -> Result<String, ApiError> {
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
pub fn only(params: &Value, known: &[&str]) -> Result<(), ApiError> {
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
