//! What the policies of a role decide, asked through the call interface.

use super::managed;
use super::service::{Iam, arn};
use crate::api::{ACCOUNT, ApiError, ApiResult, Caller, Cloud};
use crate::clock;
use crate::cloudformation::intrinsics::partition;
use crate::policy::{Ask, Caller as Principal, Context, Decision, Document, Kind, Policies, RoleSession, decide};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::sync::Arc;

/// Name of the action in the lab's call interface; AWS has no such action.
pub(super) const ACTION: &str = "mqaws:Evaluate";

/// A question about one action on one resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Question {
    /// Role and name of the session that asks; absent for somebody anonymous.
    pub(crate) who: Option<(String, String)>,
    /// `ec2:TerminateInstances`.
    pub(crate) action: String,
    /// ARN of the resource; `*` for an action that knows none.
    pub(crate) resource: String,
    /// Condition keys of the request and of the resource; IAM adds those of the principal, of the time and of the region.
    pub(crate) context: Context,
    /// Policy of the resource, which is read as its service read it.
    pub(crate) resource_policy: Option<String>,
}

/// What the policies say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Answer {
    /// The action is allowed.
    Allowed,
    /// It is not; AWS's words for the reason.
    Denied(String),
}

impl Question {
    /// Asks IAM.
    ///
    /// # Errors
    /// What IAM answers to a question that it cannot read; never a denial.
    pub(crate) async fn ask(&self, cloud: &Arc<Cloud>) -> Result<Answer, ApiError> {
        let unreadable = |e: serde_json::Error| ApiError::new("InternalFailure", e.to_string()).status(500);
        let params = serde_json::to_value(self).map_err(unreadable)?;
        let answer = cloud.call("iam", ACTION, params, Caller::Admin).await?;
        serde_json::from_value(answer).map_err(unreadable)
    }
}

impl Iam {
    /// Answers a [`Question`]. A role that does not exist has no policies, so it may do nothing.
    pub(super) fn evaluate(&self, region: &str, params: &Value) -> ApiResult {
        let bad = |message: String| ApiError::new("ValidationError", message);
        let question: Question = serde_json::from_value(params.clone()).map_err(|e| bad(e.to_string()))?;
        let resource = match &question.resource_policy {
            None => None,
            Some(text) => Some(Document::parse(text, Kind::Resource).map_err(|e| bad(e.0))?),
        };
        let mut context = question.context;
        let (identity, boundary, caller) = self.principal(region, question.who.as_ref(), &mut context);
        let now = clock::now_seconds();
        context.add("aws:CurrentTime", clock::iso_seconds(now));
        context.add("aws:EpochTime", (now as i64).to_string());
        context.add("aws:RequestedRegion", region);
        if question.resource != "*" {
            context.add("aws:ResourceAccount", ACCOUNT);
        }
        let ask = Ask {
            caller: &caller,
            action: &question.action,
            resource: &question.resource,
            context: &context,
        };
        let policies = Policies {
            identity: &identity,
            boundary: boundary.as_ref(),
            resource: resource.as_ref(),
        };
        let answer = match decide(&ask, &policies) {
            Decision::Allowed => Answer::Allowed,
            Decision::Denied(why) => Answer::Denied(why.words(&question.action)),
        };
        Ok(json!(answer))
    }

    /// Policies and boundary of who asks, and their condition keys.
    fn principal(
        &self,
        region: &str,
        who: Option<&(String, String)>,
        context: &mut Context,
    ) -> (Vec<Document>, Option<Document>, Principal) {
        let Some((name, session)) = who else {
            context.add("aws:PrincipalType", "Anonymous");
            return (Vec::new(), None, Principal::Anonymous);
        };
        let state = self.lock();
        let role = state.roles.get(name);
        let path = role.map_or("/", |r| r.path.as_str());
        let role_arn = arn(region, "role", path, name);
        context.add("aws:PrincipalType", "AssumedRole");
        context.add("aws:PrincipalArn", &role_arn);
        context.add("aws:PrincipalAccount", ACCOUNT);
        let caller = Principal::Role(RoleSession {
            account: ACCOUNT.to_owned(),
            role: role_arn,
            session: format!("arn:{}:sts::{ACCOUNT}:assumed-role/{name}/{session}", partition(region)),
        });
        let Some(role) = role else {
            return (Vec::new(), None, caller);
        };
        context.add("aws:userid", format!("{}:{session}", role.id));
        for (key, value) in &role.tags {
            context.add(&format!("aws:PrincipalTag/{key}"), value);
        }
        let attached = role.attached.iter().filter_map(|a| managed::content(&state, a));
        let identity = role
            .inline
            .values()
            .map(|p| p.document.clone())
            .chain(attached)
            .collect();
        // Nothing passes a boundary that is not there: it cannot be attached, nor deleted while it is in use.
        let boundary = role
            .boundary
            .as_ref()
            .map(|a| managed::content(&state, a).unwrap_or_default());
        (identity, boundary, caller)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloudformation::testing::block_on;

    const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;

    fn cloud() -> Arc<Cloud> {
        let cloud = Cloud::new("eu-west-1");
        cloud.add("iam", Arc::new(Iam::new()));
        cloud
    }

    fn admin(cloud: &Arc<Cloud>, action: &str, params: Value) -> Value {
        let answer = block_on(cloud.call("iam", action, params, Caller::Admin));
        answer.unwrap_or_else(|e| panic!("{action}: {e}"))
    }

    fn document(statement: Value) -> String {
        json!({"Version": "2012-10-17", "Statement": statement}).to_string()
    }

    fn ask(cloud: &Arc<Cloud>, who: Option<&str>, action: &str, resource_policy: Option<String>) -> Answer {
        let question = Question {
            who: who.map(|role| (role.to_owned(), "i-1".to_owned())),
            action: action.to_owned(),
            resource: "arn:aws:ec2:eu-west-1:000000000000:instance/i-1".to_owned(),
            context: Context::new(),
            resource_policy,
        };
        block_on(question.ask(cloud)).unwrap()
    }

    #[test]
    fn inline_attached_and_boundary_policies_of_a_role_decide() {
        let cloud = cloud();
        let denied = |layer: &str| Answer::Denied(format!("because no {layer} allows the ec2:StopInstances action"));
        let asked = |who| ask(&cloud, Some(who), "ec2:StopInstances", None);
        assert_eq!(asked("nobody"), denied("identity-based policy"));
        let role = json!({"RoleName": "r", "AssumeRolePolicyDocument": TRUST, "Tags": [{"Key": "team", "Value": "a"}]});
        admin(&cloud, "CreateRole", role);
        assert_eq!(asked("r"), denied("identity-based policy"));

        let tagged = json!({"Effect": "Allow", "Action": "ec2:*", "Resource": "*", "Condition": {
            "StringEquals": {"aws:PrincipalTag/team": "a", "aws:RequestedRegion": "eu-west-1"},
            "ArnEquals": {"aws:PrincipalArn": "arn:aws:iam::000000000000:role/r"},
            "DateGreaterThan": {"aws:CurrentTime": "2026-01-01"}}});
        let inline = json!({"RoleName": "r", "PolicyName": "p", "PolicyDocument": document(tagged)});
        admin(&cloud, "PutRolePolicy", inline);
        assert_eq!(asked("r"), Answer::Allowed);

        let limit = document(json!({"Effect": "Allow", "Action": "ssm:*", "Resource": "*"}));
        let made = admin(
            &cloud,
            "CreatePolicy",
            json!({"PolicyName": "limit", "PolicyDocument": limit}),
        );
        let limit = made["Policy"]["Arn"].clone();
        admin(
            &cloud,
            "PutRolePermissionsBoundary",
            json!({"RoleName": "r", "PermissionsBoundary": limit}),
        );
        assert_eq!(asked("r"), denied("permissions boundary"));
        let error = block_on(cloud.call("iam", "DeletePolicy", json!({"PolicyArn": limit}), Caller::Admin));
        assert_eq!(error.unwrap_err().code, "DeleteConflict");
        admin(&cloud, "DeleteRolePermissionsBoundary", json!({"RoleName": "r"}));
        admin(&cloud, "DeletePolicy", json!({"PolicyArn": limit}));

        admin(&cloud, "DeleteRolePolicy", json!({"RoleName": "r", "PolicyName": "p"}));
        assert_eq!(asked("r"), denied("identity-based policy"));
        let of_aws = "arn:aws:iam::aws:policy/AdministratorAccess";
        admin(
            &cloud,
            "AttachRolePolicy",
            json!({"RoleName": "r", "PolicyArn": of_aws}),
        );
        assert_eq!(asked("r"), Answer::Allowed);
    }

    #[test]
    fn a_resource_policy_speaks_to_the_anonymous_too() {
        let cloud = cloud();
        let policy = document(json!([
            {"Effect": "Allow", "Principal": "*", "Action": "ec2:StopInstances"},
            {"Effect": "Deny", "Principal": {"AWS": "000000000000"}, "Action": "ec2:StopInstances"}]));
        assert_eq!(
            ask(&cloud, None, "ec2:StopInstances", Some(policy.clone())),
            Answer::Allowed
        );
        let of_role = ask(&cloud, Some("r"), "ec2:StopInstances", Some(policy));
        let words = "with an explicit deny in a resource-based policy";
        assert_eq!(of_role, Answer::Denied(words.to_owned()));
    }

    #[test]
    fn what_does_not_exist_is_neither_attached_nor_a_boundary() {
        let cloud = cloud();
        admin(
            &cloud,
            "CreateRole",
            json!({"RoleName": "r", "AssumeRolePolicyDocument": TRUST}),
        );
        for (action, parameter, arn) in [
            ("AttachRolePolicy", "PolicyArn", "arn:aws:iam::000000000000:policy/none"),
            (
                "AttachRolePolicy",
                "PolicyArn",
                "arn:aws:iam::aws:policy/PowerUserAccess",
            ),
            (
                "PutRolePermissionsBoundary",
                "PermissionsBoundary",
                "arn:aws:iam::000000000000:policy/none",
            ),
        ] {
            let params = json!({"RoleName": "r", parameter: arn});
            let error = block_on(cloud.call("iam", action, params, Caller::Admin)).unwrap_err();
            assert_eq!((error.code.as_str(), error.status), ("NoSuchEntity", 404), "{arn}");
        }
        let long =
            document(json!({"Effect": "Allow", "Action": "a:".to_owned() + &"b".repeat(10_300), "Resource": "*"}));
        for (action, params) in [
            (
                "PutRolePolicy",
                json!({"RoleName": "r", "PolicyName": "p", "PolicyDocument": long}),
            ),
            ("CreatePolicy", json!({"PolicyName": "p", "PolicyDocument": long})),
        ] {
            let error = block_on(cloud.call("iam", action, params, Caller::Admin)).unwrap_err();
            assert_eq!(error.code, "LimitExceeded", "{action}");
        }
    }
}
