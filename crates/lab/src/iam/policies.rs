//! Policy documents as IAM takes them: read when they are put, so that what could not be evaluated is refused then.

use crate::api::ApiError;
use crate::policy::{Document, Kind};

/// A policy: as it was given, and as it is evaluated.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Policy {
    pub(crate) text: String,
    pub(crate) document: Document,
}

/// Reads a policy.
///
/// # Errors
/// `MalformedPolicyDocument`.
pub(super) fn policy(text: &str, kind: Kind) -> Result<Policy, ApiError> {
    match Document::parse(text, kind) {
        Ok(document) => Ok(Policy {
            text: text.to_owned(),
            document,
        }),
        Err(malformed) => Err(ApiError::new("MalformedPolicyDocument", malformed.0)),
    }
}

/// Characters that count towards IAM's limits: white space does not.
pub(super) fn size(text: &str) -> usize {
    text.chars().filter(|c| !c.is_whitespace()).count()
}

#[cfg(test)]
mod tests {
    use super::super::Iam;
    use crate::api::{Caller, Cloud};
    use crate::cloudformation::testing::block_on;
    use serde_json::{Value, json};
    use std::sync::Arc;

    const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;

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
