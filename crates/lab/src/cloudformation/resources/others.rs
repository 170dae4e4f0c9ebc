//! Secrets, alarms.

use super::retag::{SECRET, retag};
use super::table::{answer, chosen};
use crate::cloudformation::context::{Attributes, Context, Failure};
use crate::cloudformation::state::Record;
use serde_json::{Value, json};

const SECRETS: &str = "secretsmanager";

/// The secret's text: as given, or generated as `GenerateSecretString` says.
async fn secret_string(context: &Context, properties: &Value) -> Result<Option<String>, Failure> {
    if let Some(text) = properties["SecretString"].as_str() {
        return Ok(Some(text.to_owned()));
    }
    let Some(generate) = properties.get("GenerateSecretString") else {
        return Ok(None);
    };
    let params = chosen(
        generate,
        &[
            "PasswordLength",
            "ExcludeCharacters",
            "ExcludeNumbers",
            "ExcludePunctuation",
            "ExcludeUppercase",
            "ExcludeLowercase",
            "IncludeSpace",
            "RequireEachIncludedType",
        ],
    );
    let made = context.call(SECRETS, "GetRandomPassword", params.into()).await?;
    let password = answer(&made, "/RandomPassword")?;
    let (template, key) = (
        generate["SecretStringTemplate"].as_str(),
        generate["GenerateStringKey"].as_str(),
    );
    match (template, key) {
        (None, None) => Ok(Some(password)),
        (Some(template), Some(key)) => {
            let Ok(Value::Object(mut whole)) = serde_json::from_str(template) else {
                return Err(Failure::new("SecretStringTemplate is not a JSON object"));
            };
            whole.insert(key.to_owned(), password.into());
            Ok(Some(Value::Object(whole).to_string()))
        }
        _ => Err(Failure::new(
            "SecretStringTemplate and GenerateStringKey have to be given together",
        )),
    }
}

pub(super) async fn create_secret(context: &Context, properties: &Value) -> Result<Attributes, Failure> {
    let name = properties["Name"].as_str().map_or_else(
        || format!("{}-{}", context.logical, crate::ids::alphanumeric(12)),
        str::to_owned,
    );
    let mut params = chosen(properties, &["Description", "KmsKeyId"]);
    params.insert("Name".into(), name.into());
    params.insert("Tags".into(), context.tag_list(properties.get("Tags")));
    if let Some(text) = secret_string(context, properties).await? {
        params.insert("SecretString".into(), text.into());
    }
    let made = context.call(SECRETS, "CreateSecret", params.into()).await?;
    let arn = answer(&made, "/ARN")?;
    context.created(&arn);
    let mut attributes = Attributes::new();
    attributes.insert("Id".into(), arn.into());
    Ok(attributes)
}

pub(super) async fn update_secret(
    context: &Context,
    physical: &str,
    old: &Record,
    properties: &Value,
) -> Result<Attributes, Failure> {
    let changed = |name: &str| old.properties.get(name) != properties.get(name);
    let mut params = chosen(properties, &["Description", "KmsKeyId"]);
    params.insert("SecretId".into(), physical.into());
    if (changed("SecretString") || changed("GenerateSecretString"))
        && let Some(text) = secret_string(context, properties).await?
    {
        params.insert("SecretString".into(), text.into());
    }
    context.call(SECRETS, "UpdateSecret", params.into()).await?;
    retag(&SECRET, context, physical, old, properties).await?;
    Ok(Attributes::new())
}

pub(super) async fn delete_secret(context: &Context, physical: &str, _: &Value) -> Result<(), Failure> {
    let params = json!({"SecretId": physical, "ForceDeleteWithoutRecovery": true});
    context.call(SECRETS, "DeleteSecret", params).await.map(drop)
}

pub(super) async fn create_alarm(context: &Context, properties: &Value) -> Result<Attributes, Failure> {
    let name = properties["AlarmName"]
        .as_str()
        .map_or_else(|| context.name(255), str::to_owned);
    let attributes = put_alarm(context, &name, properties).await?;
    context.created(&name);
    Ok(attributes)
}

async fn put_alarm(context: &Context, name: &str, properties: &Value) -> Result<Attributes, Failure> {
    let mut params = properties.clone();
    params["AlarmName"] = name.into();
    if let Value::Object(members) = &mut params {
        members.shift_remove("Tags");
    }
    context.call("monitoring", "PutMetricAlarm", params).await?;
    let seen = context
        .call("monitoring", "DescribeAlarms", json!({"AlarmNames": [name]}))
        .await?;
    let mut attributes = Attributes::new();
    attributes.insert("Arn".into(), answer(&seen, "/MetricAlarms/0/AlarmArn")?.into());
    Ok(attributes)
}

pub(super) async fn update_alarm(
    context: &Context,
    physical: &str,
    _: &Record,
    properties: &Value,
) -> Result<Attributes, Failure> {
    put_alarm(context, physical, properties).await
}

pub(super) async fn delete_alarm(context: &Context, physical: &str, _: &Value) -> Result<(), Failure> {
    context
        .call("monitoring", "DeleteAlarms", json!({"AlarmNames": [physical]}))
        .await
        .map(drop)
}
