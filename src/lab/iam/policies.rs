//! The form of policy documents.

use crate::lab::api::ApiError;
use serde_json::Value;

fn malformed(message: impl Into<String>) -> ApiError {
    ApiError::new("MalformedPolicyDocument", message)
}

const STATEMENT: &[&str] = &[
    "Sid",
    "Effect",
    "Action",
    "NotAction",
    "Resource",
    "NotResource",
    "Condition",
    "Principal",
    "NotPrincipal",
];

/// Checks the form of a policy document; `trust` is a role's trust policy, which has principals and no resources.
///
/// # Errors
/// `MalformedPolicyDocument` as IAM words it.
pub fn check_document(text: &str, trust: bool) -> Result<(), ApiError> {
    let syntax = || malformed("Syntax errors in policy.");
    let Ok(Value::Object(document)) = serde_json::from_str::<Value>(text) else {
        return Err(malformed("This policy contains invalid Json"));
    };
    if document
        .keys()
        .any(|k| !["Version", "Id", "Statement"].contains(&k.as_str()))
    {
        return Err(syntax());
    }
    if let Some(version) = document.get("Version")
        && version != "2012-10-17"
        && version != "2008-10-17"
    {
        return Err(syntax());
    }
    let statements: Vec<&Value> = match document.get("Statement") {
        Some(Value::Array(all)) if !all.is_empty() => all.iter().collect(),
        Some(one @ Value::Object(_)) => vec![one],
        _ => return Err(syntax()),
    };
    for statement in statements {
        let Value::Object(members) = statement else {
            return Err(syntax());
        };
        if members.keys().any(|k| !STATEMENT.contains(&k.as_str())) {
            return Err(syntax());
        }
        if !matches!(members.get("Effect").and_then(Value::as_str), Some("Allow" | "Deny")) {
            return Err(syntax());
        }
        let has = |names: &[&str]| names.iter().any(|n| members.contains_key(*n));
        if !has(&["Action", "NotAction"]) {
            return Err(malformed("Policy statement must contain actions."));
        }
        match trust {
            true if has(&["Resource", "NotResource"]) => return Err(malformed("Has prohibited field Resource")),
            true if !has(&["Principal", "NotPrincipal"]) => return Err(malformed("Missing required field Principal")),
            false if has(&["Principal", "NotPrincipal"]) => {
                return Err(malformed("Policy document should not specify a principal."));
            }
            false if !has(&["Resource", "NotResource"]) => {
                return Err(malformed("Policy statement must contain resources."));
            }
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::Iam;
    use super::*;
    use crate::lab::api::{Caller, Cloud};
    use crate::lab::cloudformation::testing::block_on;
    use serde_json::json;
    use std::sync::Arc;

    const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;

    #[test]
    fn documents_have_a_form() {
        assert!(check_document(TRUST, true).is_ok());
        let cases = [
            ("{", true, "This policy contains invalid Json"),
            ("{}", true, "Syntax errors in policy."),
            (
                r#"{"Statement":[{"Effect":"May","Action":"*","Resource":"*"}]}"#,
                false,
                "Syntax errors in policy.",
            ),
            (
                r#"{"Statement":[{"Effect":"Allow","Action":"*"}]}"#,
                false,
                "Policy statement must contain resources.",
            ),
            (
                r#"{"Statement":[{"Effect":"Allow","Resource":"*"}]}"#,
                false,
                "Policy statement must contain actions.",
            ),
            (TRUST, false, "Policy document should not specify a principal."),
        ];
        for (text, trust, message) in cases {
            assert_eq!(check_document(text, trust).unwrap_err().message, message, "{text}");
        }
    }

    #[test]
    fn a_role_lives_and_goes_in_order() {
        let cloud = Cloud::new("eu-west-1");
        cloud.add("iam", Arc::new(Iam::new()));
        let call = |action: &'static str, params: Value| {
            let cloud = cloud.clone();
            block_on(async move { cloud.call("iam", action, params, Caller::Admin).await })
        };
        let role = call(
            "CreateRole",
            json!({"RoleName": "r", "AssumeRolePolicyDocument": TRUST}),
        )
        .unwrap();
        assert_eq!(role["Role"]["Arn"], "arn:aws:iam::000000000000:role/r");
        let again = call(
            "CreateRole",
            json!({"RoleName": "r", "AssumeRolePolicyDocument": TRUST}),
        )
        .unwrap_err();
        assert_eq!((again.code.as_str(), again.status), ("EntityAlreadyExists", 409));
        let policy = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"ec2:*","Resource":"*"}}"#;
        call(
            "PutRolePolicy",
            json!({"RoleName": "r", "PolicyName": "p", "PolicyDocument": policy}),
        )
        .unwrap();
        call("CreateInstanceProfile", json!({"InstanceProfileName": "i"})).unwrap();
        call(
            "AddRoleToInstanceProfile",
            json!({"InstanceProfileName": "i", "RoleName": "r"}),
        )
        .unwrap();
        let profile = call("GetInstanceProfile", json!({"InstanceProfileName": "i"})).unwrap();
        assert_eq!(profile["InstanceProfile"]["Roles"][0]["RoleName"], "r");
        for (action, params) in [
            ("DeleteRole", json!({"RoleName": "r"})),
            ("DeleteInstanceProfile", json!({"InstanceProfileName": "i"})),
        ] {
            assert_eq!(call(action, params).unwrap_err().code, "DeleteConflict", "{action}");
        }
        call(
            "RemoveRoleFromInstanceProfile",
            json!({"InstanceProfileName": "i", "RoleName": "r"}),
        )
        .unwrap();
        assert_eq!(
            call("DeleteRole", json!({"RoleName": "r"})).unwrap_err().code,
            "DeleteConflict"
        );
        call("DeleteRolePolicy", json!({"RoleName": "r", "PolicyName": "p"})).unwrap();
        call("DeleteRole", json!({"RoleName": "r"})).unwrap();
        call("DeleteInstanceProfile", json!({"InstanceProfileName": "i"})).unwrap();
        assert_eq!(
            call("GetRole", json!({"RoleName": "r"})).unwrap_err().code,
            "NoSuchEntity"
        );
        assert_eq!(
            call("GetRole", json!({"RoleName": "r", "X": 1})).unwrap_err().code,
            "UnknownParameter"
        );
        assert_eq!(call("Nope", json!({})).unwrap_err().code, "InvalidAction");
    }
}
