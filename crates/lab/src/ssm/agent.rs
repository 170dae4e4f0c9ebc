//! Whether Systems Manager reaches an instance. On AWS its agent there registers and fetches commands with the
//! credentials of the instance's role; here the lab fetches them in its place, if that role allows it.

use crate::api::{ACCOUNT, ApiError, Cloud};
use crate::cloudformation::intrinsics::partition;
use crate::iam::{self, Answer, Question};
use crate::policy::Context;
use std::sync::Arc;

/// By this the agent registers.
const REGISTER: &str = "ssm:UpdateInstanceInformation";

/// By one of these sets it gets commands: that of the message gateway, or the older one of message delivery.
const FETCH: [&[&str]; 2] = [
    &[
        "ssmmessages:CreateControlChannel",
        "ssmmessages:CreateDataChannel",
        "ssmmessages:OpenControlChannel",
        "ssmmessages:OpenDataChannel",
    ],
    &[
        "ec2messages:AcknowledgeMessage",
        "ec2messages:DeleteMessage",
        "ec2messages:FailMessage",
        "ec2messages:GetEndpoint",
        "ec2messages:GetMessages",
        "ec2messages:SendReply",
    ],
];

/// Whether the instance is one that Systems Manager manages.
///
/// # Errors
/// What EC2 or IAM answer to the question for its role.
pub(super) async fn is_managed(cloud: &Arc<Cloud>, instance: &str) -> Result<bool, ApiError> {
    let Some(role) = iam::role_of(cloud, instance).await? else {
        return Ok(false);
    };
    let who = (role, instance.to_owned());
    let region = &cloud.region;
    let own = format!("arn:{}:ec2:{region}:{ACCOUNT}:instance/{instance}", partition(region));
    if !may(cloud, &who, REGISTER, &own).await? {
        return Ok(false);
    }
    for set in FETCH {
        let mut all = true;
        for action in set {
            all = all && may(cloud, &who, action, "*").await?;
        }
        if all {
            return Ok(true);
        }
    }
    Ok(false)
}

async fn may(cloud: &Arc<Cloud>, who: &(String, String), action: &str, resource: &str) -> Result<bool, ApiError> {
    let question = Question {
        who: Some(who.clone()),
        action: action.to_owned(),
        resource: resource.to_owned(),
        context: Context::new().with("aws:SecureTransport", "true"),
        resource_policy: None,
    };
    Ok(question.ask(cloud).await? == Answer::Allowed)
}
