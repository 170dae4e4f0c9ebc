//! Managed policies: those of the account, of one version, and the few of AWS's own whose content is known here.

use super::policies::{Policy, policy, size};
use super::service::{Iam, arn, conflict, name, need, path, tag_list, tags};
use super::state::State;
use crate::api::{ApiError, ApiResult, only, text};
use crate::policy::{Document, Kind};
use crate::wire::percent::escape;
use crate::{clock, ids};
use serde_json::{Value, json};

/// Characters of a managed policy.
const LIMIT: usize = 6_144;

/// The version of a policy: the lab makes no others.
const VERSION: &str = "v1";

/// Policies of AWS: name and content.
///
/// Source: AWS's managed policy reference.
const OF_AWS: &[(&str, &str)] = &[
    (
        "AdministratorAccess",
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#,
    ),
    (
        "AmazonSSMManagedInstanceCore",
        r#"{"Version":"2012-10-17","Statement":[
        {"Effect":"Allow","Action":["ssm:DescribeAssociation","ssm:GetDeployablePatchSnapshotForInstance","ssm:GetDocument",
        "ssm:DescribeDocument","ssm:GetManifest","ssm:GetParameter","ssm:GetParameters","ssm:ListAssociations",
        "ssm:ListInstanceAssociations","ssm:PutInventory","ssm:PutComplianceItems","ssm:PutConfigurePackageResult",
        "ssm:UpdateAssociationStatus","ssm:UpdateInstanceAssociationStatus","ssm:UpdateInstanceInformation"],"Resource":"*"},
        {"Effect":"Allow","Action":["ssmmessages:CreateControlChannel","ssmmessages:CreateDataChannel",
        "ssmmessages:OpenControlChannel","ssmmessages:OpenDataChannel"],"Resource":"*"},
        {"Effect":"Allow","Action":["ec2messages:AcknowledgeMessage","ec2messages:DeleteMessage","ec2messages:FailMessage",
        "ec2messages:GetEndpoint","ec2messages:GetMessages","ec2messages:SendReply"],"Resource":"*"}]}"#,
    ),
];

/// A managed policy of the account.
pub(super) struct Managed {
    name: String,
    id: String,
    path: String,
    created: String,
    description: Option<String>,
    tags: Vec<(String, String)>,
    policy: Policy,
}

/// The content of a managed policy; `None` when there is none of that ARN, or when it is not known here.
pub(super) fn content(state: &State, arn: &str) -> Option<Document> {
    if let Some(found) = state.managed.get(arn) {
        return Some(found.policy.document.clone());
    }
    let (_, name) = arn.split_once(":iam::aws:policy/")?;
    let (_, text) = OF_AWS.iter().find(|(known, _)| *known == name)?;
    Document::parse(text, Kind::Identity).ok()
}

/// Refuses a permissions boundary that does not exist.
///
/// # Errors
/// `NoSuchEntity`.
pub(super) fn must_exist_as_boundary(state: &State, arn: Option<&str>) -> Result<(), ApiError> {
    match arn.filter(|arn| content(state, arn).is_none()) {
        None => Ok(()),
        Some(arn) => Err(none(format!("Scope ARN: {arn} does not exist or is not attachable."))),
    }
}

fn none(message: String) -> ApiError {
    ApiError::new("NoSuchEntity", message).status(404)
}

/// How many roles a policy is attached to, and how many it limits.
fn uses(state: &State, arn: &str) -> (usize, usize) {
    let attached = state.roles.values().filter(|r| r.attached.iter().any(|a| a == arn));
    let limited = state.roles.values().filter(|r| r.boundary.as_deref() == Some(arn));
    (attached.count(), limited.count())
}

fn shown(state: &State, arn: &str, managed: &Managed) -> Value {
    let (attached, limited) = uses(state, arn);
    json!({
        "PolicyName": managed.name,
        "PolicyId": managed.id,
        "Arn": arn,
        "Path": managed.path,
        "DefaultVersionId": VERSION,
        "AttachmentCount": attached,
        "PermissionsBoundaryUsageCount": limited,
        "IsAttachable": true,
        "Description": managed.description,
        "CreateDate": managed.created,
        "UpdateDate": managed.created,
        "Tags": tag_list(&managed.tags),
    })
}

impl Iam {
    pub(super) fn create_managed(&self, region: &str, params: &Value) -> ApiResult {
        only(params, &["PolicyName", "Path", "PolicyDocument", "Description", "Tags"])?;
        let name = name(params, "PolicyName", 128)?;
        let path = path(params)?;
        let policy = policy(&need(params, "PolicyDocument")?, Kind::Identity)?;
        if size(&policy.text) > LIMIT {
            return Err(conflict(
                "LimitExceeded",
                format!("Cannot exceed quota for PolicySize: {LIMIT}"),
            ));
        }
        let arn = arn(region, "policy", &path, &name);
        let mut state = self.lock();
        if state.managed.contains_key(&arn) {
            return Err(conflict(
                "EntityAlreadyExists",
                format!("A policy called {name} already exists. Duplicate names are not allowed."),
            ));
        }
        let managed = Managed {
            name,
            id: format!("ANPA{}", ids::upper(17)),
            path,
            created: clock::now_iso(),
            description: text(params, "Description"),
            tags: tags(params)?,
            policy,
        };
        let answer = json!({"Policy": shown(&state, &arn, &managed)});
        state.managed.insert(arn, managed);
        Ok(answer)
    }

    pub(super) fn get_managed(&self, params: &Value) -> ApiResult {
        only(params, &["PolicyArn"])?;
        let arn = need(params, "PolicyArn")?;
        let state = self.lock();
        let managed = state.managed.get(&arn).ok_or_else(|| no_managed(&arn))?;
        Ok(json!({"Policy": shown(&state, &arn, managed)}))
    }

    pub(super) fn get_managed_version(&self, params: &Value) -> ApiResult {
        only(params, &["PolicyArn", "VersionId"])?;
        let (arn, version) = (need(params, "PolicyArn")?, need(params, "VersionId")?);
        let state = self.lock();
        let managed = state.managed.get(&arn).ok_or_else(|| no_managed(&arn))?;
        if version != VERSION {
            return Err(none(format!(
                "Policy {arn} version {version} does not exist or is not attachable."
            )));
        }
        Ok(json!({"PolicyVersion": {
            "Document": escape(&managed.policy.text, false),
            "VersionId": VERSION,
            "IsDefaultVersion": true,
            "CreateDate": managed.created,
        }}))
    }

    pub(super) fn delete_managed(&self, params: &Value) -> ApiResult {
        only(params, &["PolicyArn"])?;
        let arn = need(params, "PolicyArn")?;
        let mut state = self.lock();
        if !state.managed.contains_key(&arn) {
            return Err(no_managed(&arn));
        }
        if uses(&state, &arn) != (0, 0) {
            return Err(conflict(
                "DeleteConflict",
                "Cannot delete a policy attached to entities.",
            ));
        }
        state.managed.shift_remove(&arn);
        Ok(Value::Null)
    }
}

fn no_managed(arn: &str) -> ApiError {
    none(format!("Policy {arn} was not found."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policies_of_aws_can_be_read() {
        for (name, _) in OF_AWS {
            let arn = format!("arn:aws:iam::aws:policy/{name}");
            assert!(content(&State::default(), &arn).is_some(), "{name}");
        }
        assert!(content(&State::default(), "arn:aws:iam::aws:policy/PowerUserAccess").is_none());
    }
}
