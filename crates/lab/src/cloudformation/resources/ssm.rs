//! Documents and parameters of Systems Manager.

use super::retag::{DOCUMENT, retag};
use super::table::{answer, chosen, document};
use crate::cloudformation::context::{Attributes, Context, Failure};
use crate::cloudformation::state::Record;
use serde_json::{Value, json};

/// What CreateDocument and UpdateDocument take alike; a template holds the content as a structure or as text.
fn content(properties: &Value, name: &str) -> serde_json::Map<String, Value> {
    let mut params = chosen(properties, &["DocumentFormat", "TargetType", "VersionName"]);
    params.insert("Name".into(), name.into());
    params.insert("Content".into(), document(&properties["Content"]).into());
    params
}

pub(super) async fn create_document(context: &Context, properties: &Value) -> Result<Attributes, Failure> {
    let name = properties["Name"]
        .as_str()
        .map_or_else(|| context.name(128), str::to_owned);
    let mut params = content(properties, &name);
    params.extend(chosen(properties, &["DocumentType"]));
    params.insert("Tags".into(), context.tag_list(properties.get("Tags")));
    context.call("ssm", "CreateDocument", params.into()).await?;
    context.created(&name);
    Ok(Attributes::new())
}

/// `UpdateMethod: NewVersion`: the new version becomes the default one.
pub(super) async fn update_document(
    context: &Context,
    physical: &str,
    old: &Record,
    properties: &Value,
) -> Result<Attributes, Failure> {
    if old.properties.get("Content") != properties.get("Content") {
        let mut params = content(properties, physical);
        params.insert("DocumentVersion".into(), "$LATEST".into());
        let made = context.call("ssm", "UpdateDocument", params.into()).await?;
        let version = answer(&made, "/DocumentDescription/DocumentVersion")?;
        let params = json!({"Name": physical, "DocumentVersion": version});
        context.call("ssm", "UpdateDocumentDefaultVersion", params).await?;
    }
    retag(&DOCUMENT, context, physical, old, properties).await?;
    Ok(Attributes::new())
}

pub(super) async fn delete_document(context: &Context, physical: &str, _: &Value) -> Result<(), Failure> {
    let params = json!({"Name": physical});
    match context.call("ssm", "DeleteDocument", params).await {
        Err(failure) if failure.code == "InvalidDocument" => Ok(()),
        other => other.map(drop),
    }
}

fn parameter(properties: &Value, name: &str) -> Value {
    let mut params = chosen(
        properties,
        &["Type", "Value", "Description", "AllowedPattern", "DataType", "Tier"],
    );
    params.insert("Name".into(), name.into());
    params.into()
}

pub(super) async fn create_parameter(context: &Context, properties: &Value) -> Result<Attributes, Failure> {
    let name = properties["Name"].as_str().map_or_else(
        || format!("CFN-{}-{}", context.logical, crate::ids::alphanumeric(12)),
        str::to_owned,
    );
    context
        .call("ssm", "PutParameter", parameter(properties, &name))
        .await?;
    context.created(&name);
    Ok(Attributes::new())
}

pub(super) async fn update_parameter(
    context: &Context,
    physical: &str,
    _: &Record,
    properties: &Value,
) -> Result<Attributes, Failure> {
    let mut params = parameter(properties, physical);
    params["Overwrite"] = true.into();
    context.call("ssm", "PutParameter", params).await?;
    Ok(Attributes::new())
}

pub(super) async fn delete_parameter(context: &Context, physical: &str, _: &Value) -> Result<(), Failure> {
    context
        .call("ssm", "DeleteParameter", json!({"Name": physical}))
        .await
        .map(drop)
}
