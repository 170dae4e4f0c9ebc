//! STS: who is calling, and sessions of roles.

use super::api::{
    ACCOUNT, ApiError, ApiResult, Call, Caller, Cloud, Identity, Service, number, only, text, unknown_action,
};
use super::cloudformation::intrinsics::partition;
use super::cloudformation::signals::missing;
use super::{clock, ids};
use serde_json::{Value, json};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

/// STS of the local cloud.
#[derive(Default)]
pub(crate) struct Sts;

impl Service for Sts {
    fn call(self: Arc<Self>, cloud: Arc<Cloud>, call: Call) -> Pin<Box<dyn Future<Output = ApiResult> + Send>> {
        Box::pin(async move {
            match call.action.as_str() {
                "GetCallerIdentity" => identity(&cloud, &call).await,
                "AssumeRole" => assume(&cloud, &call).await,
                _ => Err(unknown_action(&call)),
            }
        })
    }
}

async fn role_id(cloud: &Arc<Cloud>, role: &str) -> Option<String> {
    let found = cloud
        .call("iam", "GetRole", json!({"RoleName": role}), Caller::Admin)
        .await
        .ok()?;
    text(&found["Role"], "RoleId")
}

async fn identity(cloud: &Arc<Cloud>, call: &Call) -> ApiResult {
    only(&call.params, &[])?;
    let partition = partition(&cloud.region);
    let (role, session) = match &call.caller {
        Caller::Admin => {
            let arn = format!("arn:{partition}:iam::{ACCOUNT}:root");
            return Ok(json!({"Arn": arn, "UserId": ACCOUNT, "Account": ACCOUNT}));
        }
        Caller::Instance { instance, role } => (role, instance),
        Caller::Session { role, session } => (role, session),
    };
    let id = role_id(cloud, role).await.unwrap_or_else(|| "AROAUNKNOWN".to_owned());
    Ok(json!({
        "Arn": format!("arn:{partition}:sts::{ACCOUNT}:assumed-role/{role}/{session}"),
        "UserId": format!("{id}:{session}"),
        "Account": ACCOUNT,
    }))
}

async fn assume(cloud: &Arc<Cloud>, call: &Call) -> ApiResult {
    let params = &call.params;
    only(
        params,
        &["RoleArn", "RoleSessionName", "DurationSeconds", "ExternalId", "Tags"],
    )?;
    let arn = text(params, "RoleArn").ok_or_else(|| missing("RoleArn"))?;
    let session = text(params, "RoleSessionName").ok_or_else(|| missing("RoleSessionName"))?;
    let seconds = number(params, "DurationSeconds").unwrap_or(3600);
    if !(900..=43_200).contains(&seconds) {
        return Err(ApiError::new(
            "ValidationError",
            format!("1 validation error detected: Value '{seconds}' at 'durationSeconds' is not between 900 and 43200"),
        ));
    }
    let role = arn.rsplit('/').next().unwrap_or_default().to_owned();
    let Some(id) = role_id(cloud, &role).await.filter(|_| arn.contains(":role/")) else {
        return Err(ApiError::new(
            "AccessDenied",
            format!("User is not authorized to perform: sts:AssumeRole on resource: {arn}"),
        )
        .status(403));
    };
    let key = format!("ASIA{}", ids::upper(16));
    let (secret, token) = (ids::alphanumeric(40), ids::alphanumeric(240));
    let expires = clock::now_seconds() as i64 + seconds;
    cloud.know(
        key.clone(),
        Identity {
            secret_access_key: secret.clone(),
            session_token: Some(token.clone()),
            expires: Some(expires),
            caller: Caller::Session {
                role: role.clone(),
                session: session.clone(),
            },
        },
    );
    let partition = partition(&cloud.region);
    Ok(json!({
        "Credentials": {"AccessKeyId": key, "SecretAccessKey": secret, "SessionToken": token,
            "Expiration": clock::iso_seconds(expires as f64)},
        "AssumedRoleUser": {"AssumedRoleId": format!("{id}:{session}"),
            "Arn": format!("arn:{partition}:sts::{ACCOUNT}:assumed-role/{role}/{session}")},
        "PackedPolicySize": Value::Null,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloudformation::testing::{answer, block_on, cloud_with};

    #[test]
    fn callers_have_their_arns() {
        let cloud = cloud_with(|_, action, params| match (action, params["RoleName"].as_str()) {
            ("GetRole", Some("r")) => Ok(answer(r#"{"Role":{"RoleId":"AROA1"}}"#)),
            _ => Err(ApiError::new("NoSuchEntity", "none")),
        });
        cloud.add("sts", Arc::new(Sts));
        let who = |caller: Caller| block_on(cloud.call("sts", "GetCallerIdentity", json!({}), caller)).unwrap();
        assert_eq!(who(Caller::Admin)["Arn"], "arn:aws:iam::000000000000:root");
        let instance = Caller::Instance {
            instance: "i-1".into(),
            role: "r".into(),
        };
        assert_eq!(
            who(instance.clone())["Arn"],
            "arn:aws:sts::000000000000:assumed-role/r/i-1"
        );
        assert_eq!(who(instance)["UserId"], "AROA1:i-1");

        let assume = |arn: &str| {
            block_on(cloud.call(
                "sts",
                "AssumeRole",
                json!({"RoleArn": arn, "RoleSessionName": "s"}),
                Caller::Admin,
            ))
        };
        let got = assume("arn:aws:iam::000000000000:role/r").unwrap();
        let key = got["Credentials"]["AccessKeyId"].as_str().unwrap();
        assert_eq!(
            cloud.identity(key).map(|i| i.caller),
            Some(Caller::Session {
                role: "r".into(),
                session: "s".into()
            })
        );
        assert_eq!(
            assume("arn:aws:iam::000000000000:role/x").unwrap_err().code,
            "AccessDenied"
        );
    }
}
