//! Parameter Store: plain and secure strings, versions, and what the lab seeds.

use super::state::State;
use crate::api::{ACCOUNT, ApiError, ApiResult, flag, only, required, text, texts};
use crate::clock::now_seconds;
use crate::ec2::SEEDED_IMAGE;
use indexmap::IndexMap;
use serde_json::{Value, json};

/// Parameters with the id of the image that deployments without an AMI use, by engine.
pub(super) const AMI_PARAMETERS: [&str; 2] = ["/mqaws/ami/ibm-mq", "/mqaws/ami/rabbitmq"];

/// One parameter.
#[derive(Debug, Clone)]
pub(super) struct Parameter {
    kind: String,
    value: String,
    version: u64,
    modified: f64,
    data_type: String,
}

/// What exists in a fresh lab.
pub(super) fn seed() -> IndexMap<String, Parameter> {
    let ami = Parameter {
        kind: "String".to_owned(),
        value: SEEDED_IMAGE.to_owned(),
        version: 1,
        modified: now_seconds(),
        data_type: "aws:ec2:image".to_owned(),
    };
    AMI_PARAMETERS
        .into_iter()
        .map(|name| (name.to_owned(), ami.clone()))
        .collect()
}

fn shown(name: &str, region: &str, parameter: &Parameter) -> Value {
    let path = name.trim_start_matches('/');
    json!({
        "Name": name, "Type": parameter.kind, "Value": parameter.value, "Version": parameter.version,
        "LastModifiedDate": parameter.modified, "ARN": format!("arn:aws:ssm:{region}:{ACCOUNT}:parameter/{path}"),
        "DataType": parameter.data_type,
    })
}

fn not_found(name: &str) -> ApiError {
    ApiError::new("ParameterNotFound", format!("Parameter {name} not found."))
}

/// GetParameter.
pub(super) fn get(state: &State, region: &str, params: &Value) -> ApiResult {
    only(params, &["Name", "WithDecryption"])?;
    let name = required(params, "Name")?;
    let found = state.parameters.get(&name).ok_or_else(|| not_found(&name))?;
    Ok(json!({"Parameter": shown(&name, region, found)}))
}

/// GetParameters; unknown names are listed, not an error.
pub(super) fn get_many(state: &State, region: &str, params: &Value) -> ApiResult {
    only(params, &["Names", "WithDecryption"])?;
    let (mut found, mut invalid) = (Vec::new(), Vec::new());
    for name in texts(params, "Names") {
        match state.parameters.get(&name) {
            Some(parameter) => found.push(shown(&name, region, parameter)),
            None => invalid.push(name),
        }
    }
    Ok(json!({"Parameters": found, "InvalidParameters": invalid}))
}

/// PutParameter.
pub(super) fn put(state: &mut State, params: &Value) -> ApiResult {
    only(
        params,
        &[
            "Name",
            "Description",
            "Value",
            "Type",
            "KeyId",
            "Overwrite",
            "AllowedPattern",
            "Tags",
            "Tier",
            "Policies",
            "DataType",
        ],
    )?;
    let name = required(params, "Name")?;
    let value = required(params, "Value")?;
    let before = state.parameters.get(&name);
    if before.is_some() && flag(params, "Overwrite") != Some(true) {
        return Err(ApiError::new(
            "ParameterAlreadyExists",
            "The parameter already exists. To overwrite this value, set the overwrite option in the request to true.",
        ));
    }
    let kind = match (text(params, "Type"), before) {
        (Some(kind), _) => kind,
        (None, Some(before)) => before.kind.clone(),
        (None, None) => {
            return Err(ApiError::new(
                "ValidationException",
                "A parameter type is required when you create a parameter.",
            ));
        }
    };
    if !["String", "StringList", "SecureString"].contains(&kind.as_str()) {
        return Err(ApiError::new(
            "UnsupportedParameterType",
            format!("1 validation error detected: Value '{kind}' at 'type' failed to satisfy constraint"),
        ));
    }
    let parameter = Parameter {
        kind,
        value,
        version: before.map_or(0, |b| b.version) + 1,
        modified: now_seconds(),
        data_type: text(params, "DataType").unwrap_or_else(|| "text".to_owned()),
    };
    let version = parameter.version;
    state.parameters.insert(name, parameter);
    Ok(json!({"Version": version, "Tier": "Standard"}))
}

/// DeleteParameter.
pub(super) fn delete(state: &mut State, params: &Value) -> ApiResult {
    only(params, &["Name"])?;
    let name = required(params, "Name")?;
    state
        .parameters
        .shift_remove(&name)
        .map(|_| json!({}))
        .ok_or_else(|| not_found(&name))
}
