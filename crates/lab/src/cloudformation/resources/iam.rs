//! Roles, instance profiles, policies.

use super::retag::{ROLE, retag};
use super::table::{answer, chosen, document};
use crate::cloudformation::context::{Attributes, Context, Failure};
use crate::cloudformation::state::Record;
use serde_json::{Value, json};

async fn iam(context: &Context, action: &str, params: Value) -> Result<Value, Failure> {
    context.call("iam", action, params).await
}

fn texts(properties: &Value, name: &str) -> Vec<String> {
    let items = properties[name].as_array().into_iter().flatten();
    items.filter_map(Value::as_str).map(str::to_owned).collect()
}

fn inline(properties: &Value) -> Vec<(String, String)> {
    let items = properties["Policies"].as_array().into_iter().flatten();
    items
        .map(|p| {
            (
                p["PolicyName"].as_str().unwrap_or_default().to_owned(),
                document(&p["PolicyDocument"]),
            )
        })
        .collect()
}

pub(super) async fn create_role(context: &Context, properties: &Value) -> Result<Attributes, Failure> {
    let name = properties["RoleName"]
        .as_str()
        .map_or_else(|| context.name(64), str::to_owned);
    let mut params = chosen(
        properties,
        &["Path", "Description", "MaxSessionDuration", "PermissionsBoundary"],
    );
    params.insert("RoleName".into(), name.clone().into());
    params.insert(
        "AssumeRolePolicyDocument".into(),
        document(&properties["AssumeRolePolicyDocument"]).into(),
    );
    params.insert("Tags".into(), context.tag_list(properties.get("Tags")));
    let made = iam(context, "CreateRole", params.into()).await?;
    context.created(&name);
    for (policy, text) in inline(properties) {
        put_inline(context, &name, &policy, &text).await?;
    }
    for arn in texts(properties, "ManagedPolicyArns") {
        iam(context, "AttachRolePolicy", json!({"RoleName": name, "PolicyArn": arn})).await?;
    }
    let mut attributes = Attributes::new();
    attributes.insert("Arn".into(), answer(&made, "/Role/Arn")?.into());
    attributes.insert("RoleId".into(), answer(&made, "/Role/RoleId")?.into());
    Ok(attributes)
}

async fn put_inline(context: &Context, role: &str, policy: &str, text: &str) -> Result<(), Failure> {
    let params = json!({"RoleName": role, "PolicyName": policy, "PolicyDocument": text});
    iam(context, "PutRolePolicy", params).await.map(drop)
}

pub(super) async fn update_role(
    context: &Context,
    physical: &str,
    old: &Record,
    properties: &Value,
) -> Result<Attributes, Failure> {
    let changed = |name: &str| old.properties.get(name) != properties.get(name);
    if changed("AssumeRolePolicyDocument") {
        let text = document(&properties["AssumeRolePolicyDocument"]);
        iam(
            context,
            "UpdateAssumeRolePolicy",
            json!({"RoleName": physical, "PolicyDocument": text}),
        )
        .await?;
    }
    if changed("Description") || changed("MaxSessionDuration") {
        let mut params = chosen(properties, &["Description", "MaxSessionDuration"]);
        params.insert("RoleName".into(), physical.into());
        iam(context, "UpdateRole", params.into()).await?;
    }
    if changed("PermissionsBoundary") {
        match properties.get("PermissionsBoundary") {
            Some(arn) => {
                let params = json!({"RoleName": physical, "PermissionsBoundary": arn});
                iam(context, "PutRolePermissionsBoundary", params).await?;
            }
            None => {
                iam(context, "DeleteRolePermissionsBoundary", json!({"RoleName": physical})).await?;
            }
        }
    }
    let (was, is) = (inline(&old.properties), inline(properties));
    for (policy, text) in &is {
        if !was.contains(&(policy.clone(), text.clone())) {
            put_inline(context, physical, policy, text).await?;
        }
    }
    for (policy, _) in was.iter().filter(|(p, _)| !is.iter().any(|(other, _)| other == p)) {
        iam(
            context,
            "DeleteRolePolicy",
            json!({"RoleName": physical, "PolicyName": policy}),
        )
        .await?;
    }
    let (was, is) = (
        texts(&old.properties, "ManagedPolicyArns"),
        texts(properties, "ManagedPolicyArns"),
    );
    for arn in is.iter().filter(|a| !was.contains(a)) {
        iam(
            context,
            "AttachRolePolicy",
            json!({"RoleName": physical, "PolicyArn": arn}),
        )
        .await?;
    }
    for arn in was.iter().filter(|a| !is.contains(a)) {
        iam(
            context,
            "DetachRolePolicy",
            json!({"RoleName": physical, "PolicyArn": arn}),
        )
        .await?;
    }
    retag(&ROLE, context, physical, old, properties).await?;
    Ok(Attributes::new())
}

pub(super) async fn delete_role(context: &Context, physical: &str, _: &Value) -> Result<(), Failure> {
    // Whatever is attached now, not only what the template attached, as CloudFormation's handler does.
    let inline = iam(context, "ListRolePolicies", json!({"RoleName": physical})).await?;
    for policy in texts(&inline, "PolicyNames") {
        iam(
            context,
            "DeleteRolePolicy",
            json!({"RoleName": physical, "PolicyName": policy}),
        )
        .await?;
    }
    let attached = iam(context, "ListAttachedRolePolicies", json!({"RoleName": physical})).await?;
    for policy in attached["AttachedPolicies"].as_array().into_iter().flatten() {
        let params = json!({"RoleName": physical, "PolicyArn": policy["PolicyArn"]});
        iam(context, "DetachRolePolicy", params).await?;
    }
    iam(context, "DeleteRole", json!({"RoleName": physical}))
        .await
        .map(drop)
}

pub(super) async fn create_profile(context: &Context, properties: &Value) -> Result<Attributes, Failure> {
    let name = properties["InstanceProfileName"]
        .as_str()
        .map_or_else(|| context.name(128), str::to_owned);
    let mut params = chosen(properties, &["Path"]);
    params.insert("InstanceProfileName".into(), name.clone().into());
    let made = iam(context, "CreateInstanceProfile", params.into()).await?;
    context.created(&name);
    for role in texts(properties, "Roles") {
        let params = json!({"InstanceProfileName": name, "RoleName": role});
        iam(context, "AddRoleToInstanceProfile", params).await?;
    }
    let mut attributes = Attributes::new();
    attributes.insert("Arn".into(), answer(&made, "/InstanceProfile/Arn")?.into());
    Ok(attributes)
}

pub(super) async fn update_profile(
    context: &Context,
    physical: &str,
    old: &Record,
    properties: &Value,
) -> Result<Attributes, Failure> {
    let (was, is) = (texts(&old.properties, "Roles"), texts(properties, "Roles"));
    for role in was.iter().filter(|r| !is.contains(r)) {
        let params = json!({"InstanceProfileName": physical, "RoleName": role});
        iam(context, "RemoveRoleFromInstanceProfile", params).await?;
    }
    for role in is.iter().filter(|r| !was.contains(r)) {
        let params = json!({"InstanceProfileName": physical, "RoleName": role});
        iam(context, "AddRoleToInstanceProfile", params).await?;
    }
    Ok(Attributes::new())
}

pub(super) async fn delete_profile(context: &Context, physical: &str, properties: &Value) -> Result<(), Failure> {
    for role in texts(properties, "Roles") {
        let params = json!({"InstanceProfileName": physical, "RoleName": role});
        match iam(context, "RemoveRoleFromInstanceProfile", params).await {
            Err(failure) if !failure.not_found() => return Err(failure),
            _ => {}
        }
    }
    iam(
        context,
        "DeleteInstanceProfile",
        json!({"InstanceProfileName": physical}),
    )
    .await
    .map(drop)
}

pub(super) async fn create_policy(context: &Context, properties: &Value) -> Result<Attributes, Failure> {
    let id = context.name(128);
    put_policy(context, properties).await?;
    context.created(&id);
    let mut attributes = Attributes::new();
    attributes.insert("Id".into(), id.into());
    Ok(attributes)
}

async fn put_policy(context: &Context, properties: &Value) -> Result<(), Failure> {
    let roles = texts(properties, "Roles");
    if roles.is_empty() {
        return Err(Failure::new(
            "the lab attaches AWS::IAM::Policy to roles only: Roles is missing",
        ));
    }
    let name = properties["PolicyName"].as_str().unwrap_or_default();
    for role in roles {
        put_inline(context, &role, name, &document(&properties["PolicyDocument"])).await?;
    }
    Ok(())
}

pub(super) async fn update_policy(
    context: &Context,
    _: &str,
    old: &Record,
    properties: &Value,
) -> Result<Attributes, Failure> {
    let old = &old.properties;
    put_policy(context, properties).await?;
    let roles = texts(properties, "Roles");
    let same = old["PolicyName"] == properties["PolicyName"];
    for role in texts(old, "Roles").iter().filter(|r| !same || !roles.contains(r)) {
        let params = json!({"RoleName": role, "PolicyName": old["PolicyName"]});
        iam(context, "DeleteRolePolicy", params).await?;
    }
    Ok(Attributes::new())
}

pub(super) async fn delete_policy(context: &Context, _: &str, properties: &Value) -> Result<(), Failure> {
    for role in texts(properties, "Roles") {
        let params = json!({"RoleName": role, "PolicyName": properties["PolicyName"]});
        match iam(context, "DeleteRolePolicy", params).await {
            Err(failure) if !failure.not_found() => return Err(failure),
            _ => {}
        }
    }
    Ok(())
}
