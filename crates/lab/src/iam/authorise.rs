//! The gate before every call: the administrator may everything, a role what its policies allow.

use super::actions;
use super::evaluate::{Answer, Question};
use crate::api::{ACCOUNT, ApiError, Caller, Cloud, text};
use crate::cloudformation::intrinsics::partition;
use serde_json::{Value, json};
use std::sync::Arc;

/// Lets a call pass or refuses it as AWS does.
///
/// # Errors
/// `AccessDenied`, `AccessDeniedException` or `UnauthorizedOperation`, as the service words it; what a service answers
/// that was asked for a resource.
pub(crate) async fn authorise(
    cloud: &Arc<Cloud>,
    service: &str,
    action: &str,
    params: &Value,
    caller: &Caller,
) -> Result<(), ApiError> {
    let (role, session) = match caller {
        Caller::Admin => return Ok(()),
        Caller::Instance { instance, role } => (role, instance),
        Caller::Session { role, session } => (role, session),
    };
    let who = (role.clone(), session.clone());
    let name = actions::name(service, action);
    let Some(on) = actions::on(service, action) else {
        let why = "because the local cloud does not support the resources of this action";
        return Err(refusal(service, &message(cloud, &who, &name, "*", why)));
    };
    let asked = actions::resources(cloud, on, params).await?;
    let asked = asked.into_iter().map(|resource| (name.clone(), resource));
    let behalf = actions::on_behalf(cloud, service, action, params).await?;
    for (name, resource) in asked.chain(behalf) {
        // The endpoint speaks HTTP on loopback in the place of AWS's HTTPS.
        let mut context = resource.context.with("aws:SecureTransport", "true");
        if let Caller::Instance { instance, .. } = caller {
            let region = &cloud.region;
            let arn = format!("arn:{}:ec2:{region}:{ACCOUNT}:instance/{instance}", partition(region));
            context.add("ec2:SourceInstanceARN", arn);
        }
        let question = Question {
            who: Some(who.clone()),
            action: name.clone(),
            resource: resource.arn,
            context,
            resource_policy: None,
        };
        if let Answer::Denied(why) = question.ask(cloud).await? {
            return Err(match name.starts_with("kms:") {
                true => refusal(service, "Access to KMS is not allowed"),
                false => refusal(service, &message(cloud, &who, &name, &question.resource, &why)),
            });
        }
    }
    Ok(())
}

/// AWS's sentence about a denial: who, what, on what, why.
pub(crate) fn message(
    cloud: &Cloud,
    (role, session): &(String, String),
    action: &str,
    resource: &str,
    why: &str,
) -> String {
    let partition = partition(&cloud.region);
    // Nothing is said about a resource of actions that know none.
    let on = match resource {
        "*" => String::new(),
        arn => format!(" on resource: {arn}"),
    };
    format!(
        "User: arn:{partition}:sts::{ACCOUNT}:assumed-role/{role}/{session} is not authorized to perform: {action}{on} {why}"
    )
}

fn refusal(service: &str, message: &str) -> ApiError {
    match service {
        "ec2" => ApiError::new(
            "UnauthorizedOperation",
            format!("You are not authorized to perform this operation. {message}"),
        )
        .status(403),
        "secretsmanager" | "ssm" => ApiError::new("AccessDeniedException", message),
        "elasticfilesystem" => ApiError::new("AccessDeniedException", message).status(403),
        _ => ApiError::new("AccessDenied", message).status(403),
    }
}

/// The role of an instance by its profile; `None` when it has none, as a terminated one.
///
/// # Errors
/// What EC2 answers about the instance.
pub(crate) async fn role_of(cloud: &Arc<Cloud>, instance: &str) -> Result<Option<String>, ApiError> {
    let asked = json!({"InstanceId": [instance]});
    let found = cloud.call("ec2", "DescribeInstances", asked, Caller::Admin).await?;
    let profile = &found["reservationSet"][0]["instancesSet"][0]["iamInstanceProfile"];
    let Some(profile) = text(profile, "arn").and_then(|arn| arn.rsplit('/').next().map(str::to_owned)) else {
        return Ok(None);
    };
    let asked = json!({"InstanceProfileName": profile});
    match cloud.call("iam", "GetInstanceProfile", asked, Caller::Admin).await {
        Ok(found) => Ok(text(&found["InstanceProfile"]["Roles"][0], "RoleName")),
        // A profile that was deleted under the instance leaves it without a role.
        Err(error) if error.code == "NoSuchEntity" => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Iam;
    use super::*;
    use crate::cloudformation::testing::{answer, block_on, cloud_with};

    const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;

    /// A cloud where `r` may do what the statement says; instances and groups bear the tag `t` with the value of their id.
    fn cloud(statement: Value) -> Arc<Cloud> {
        let cloud = cloud_with(|service, action, params| match (service, action) {
            ("ec2", "DescribeInstances") => Ok(json!({"reservationSet": [{"instancesSet": [{
                "tagSet": [{"key": "t", "value": params["InstanceId"][0]}],
                "iamInstanceProfile": {"arn": "arn:aws:iam::000000000000:instance-profile/own"}}]}]})),
            ("ec2", "DescribeVolumes") => Ok(
                json!({"volumeSet": [{"availabilityZone": "eu-west-1a", "encrypted": true,
                "attachmentSet": [{"instanceId": "i-1"}]}]}),
            ),
            ("autoscaling", "DescribeAutoScalingInstances") => {
                Ok(answer(r#"{"AutoScalingInstances": [{"AutoScalingGroupName": "g"}]}"#))
            }
            ("autoscaling", "DescribeAutoScalingGroups") => Ok(answer(
                r#"{"AutoScalingGroups": [{"AutoScalingGroupARN": "arn:aws:autoscaling:eu-west-1:000000000000:autoScalingGroup:1:autoScalingGroupName/g"}]}"#,
            )),
            _ => Err(ApiError::new("ValidationError", "none")),
        });
        cloud.add("iam", Arc::new(Iam::new()));
        let document = json!({"Version": "2012-10-17", "Statement": statement}).to_string();
        for (action, params) in [
            (
                "CreateRole",
                json!({"RoleName": "r", "AssumeRolePolicyDocument": TRUST}),
            ),
            (
                "PutRolePolicy",
                json!({"RoleName": "r", "PolicyName": "p", "PolicyDocument": document}),
            ),
        ] {
            block_on(cloud.call("iam", action, params, Caller::Admin)).unwrap();
        }
        cloud
    }

    fn instance() -> Caller {
        Caller::Instance {
            instance: "i-1".to_owned(),
            role: "r".to_owned(),
        }
    }

    #[test]
    fn refusals_name_who_what_on_what_and_why() {
        let cloud = cloud(json!({"Effect": "Deny", "Action": "ssm:*", "Resource": "*"}));
        let user = "User: arn:aws:sts::000000000000:assumed-role/r/i-1 is not authorized to perform:";
        for (service, action, params, code, status, words) in [
            (
                "ec2",
                "TerminateInstances",
                json!({"InstanceId": ["i-2"]}),
                "UnauthorizedOperation",
                403,
                format!(
                    "You are not authorized to perform this operation. {user} ec2:TerminateInstances on resource: \
                     arn:aws:ec2:eu-west-1:000000000000:instance/i-2 because no identity-based policy allows the \
                     ec2:TerminateInstances action"
                ),
            ),
            (
                "autoscaling",
                "SetInstanceHealth",
                json!({"InstanceId": "i-1"}),
                "AccessDenied",
                403,
                format!(
                    "{user} autoscaling:SetInstanceHealth on resource: \
                     arn:aws:autoscaling:eu-west-1:000000000000:autoScalingGroup:1:autoScalingGroupName/g because no \
                     identity-based policy allows the autoscaling:SetInstanceHealth action"
                ),
            ),
            (
                "monitoring",
                "PutMetricData",
                json!({"Namespace": "n"}),
                "AccessDenied",
                403,
                format!(
                    "{user} cloudwatch:PutMetricData because no identity-based policy allows the cloudwatch:PutMetricData action"
                ),
            ),
            (
                "secretsmanager",
                "GetSecretValue",
                json!({"SecretId": "arn:s"}),
                "AccessDeniedException",
                400,
                format!(
                    "{user} secretsmanager:GetSecretValue on resource: arn:s because no identity-based policy allows the \
                     secretsmanager:GetSecretValue action"
                ),
            ),
            (
                "ssm",
                "GetParameter",
                json!({"Name": "/a"}),
                "AccessDeniedException",
                400,
                format!(
                    "{user} ssm:GetParameter on resource: arn:aws:ssm:eu-west-1:000000000000:parameter/a with an explicit deny \
                     in an identity-based policy"
                ),
            ),
            (
                "iam",
                "CreateRole",
                json!({}),
                "AccessDenied",
                403,
                format!("{user} iam:CreateRole because the local cloud does not support the resources of this action"),
            ),
        ] {
            let error = block_on(authorise(&cloud, service, action, &params, &instance())).unwrap_err();
            assert_eq!(
                (error.code.as_str(), error.status, error.message),
                (code, status, words)
            );
        }
        for (service, action) in [("iam", "CreateRole"), ("ec2", "TerminateInstances")] {
            assert!(block_on(authorise(&cloud, service, action, &json!({}), &Caller::Admin)).is_ok());
        }
        assert!(block_on(authorise(&cloud, "sts", "GetCallerIdentity", &json!({}), &instance())).is_ok());
    }

    #[test]
    fn a_command_must_be_allowed_on_its_document_and_on_its_instance() {
        let document = "arn:aws:ssm:eu-west-1:000000000000:document/s-ReadDocument-*";
        let on = |resource: &str| json!({"Effect": "Allow", "Action": "ssm:SendCommand", "Resource": resource});
        let mut instances = on("arn:aws:ec2:*:*:instance/*");
        instances["Condition"] = json!({"StringEquals": {"ssm:resourceTag/t": "i-1"}});
        let may = |statement: &Value, params: Value| {
            block_on(authorise(
                &cloud(statement.clone()),
                "ssm",
                "SendCommand",
                &params,
                &instance(),
            ))
        };
        let sent = |document: &str, ids: Value| json!({"DocumentName": document, "InstanceIds": ids});
        let both = json!([on(document), instances]);
        let read = "s-ReadDocument-1";
        assert!(may(&both, sent(read, json!(["i-1"]))).is_ok());
        let arn = "arn:aws:ssm:eu-west-1:000000000000:document/s-ReadDocument-1";
        assert!(may(&both, sent(arn, json!(["i-1"]))).is_ok());
        for (name, ids, on) in [
            ("s-OperateDocument-1", json!(["i-1"]), "document/s-OperateDocument-1"),
            (
                "AWS-RunShellScript",
                json!(["i-1"]),
                "arn:aws:ssm:eu-west-1::document/AWS-RunShellScript",
            ),
            (read, json!(["i-1", "i-2"]), "instance/i-2"),
            (read, json!([]), "instance/*"),
        ] {
            let refused = may(&both, sent(name, ids.clone())).unwrap_err();
            assert!(refused.message.contains(on), "{name} {ids}: {}", refused.message);
        }
        for by in ["InstanceIds", "tag:t"] {
            let targets = json!({"DocumentName": read, "Targets": [{"Key": by, "Values": ["i-1"]}]});
            assert_eq!(may(&both, targets).is_ok(), by == "InstanceIds", "{by}");
        }
        assert!(
            may(&json!([on(document)]), sent(read, json!(["i-1"]))).is_err(),
            "the document alone"
        );
        assert!(
            may(&json!([instances]), sent(read, json!(["i-1"]))).is_err(),
            "the instance alone"
        );
    }

    #[test]
    fn a_volume_is_attached_and_detached_by_who_may_touch_it_and_its_instance() {
        let profile = "arn:aws:iam::000000000000:instance-profile/own";
        let volume = "arn:aws:ec2:eu-west-1:000000000000:volume/vol-1";
        let own = json!({"Effect": "Allow", "Action": ["ec2:AttachVolume", "ec2:DetachVolume"], "Resource": volume,
            "Condition": {"StringEquals": {"ec2:AvailabilityZone": "eu-west-1a"}, "Bool": {"ec2:Encrypted": "true"}}});
        let mut host = own.clone();
        host["Resource"] = "arn:aws:ec2:*:*:instance/*".into();
        host["Condition"] =
            json!({"ArnEquals": {"ec2:InstanceProfile": profile}, "StringEquals": {"ec2:ResourceTag/t": "i-1"}});
        let may = |statement: &Value, action: &str, params: Value| {
            block_on(authorise(
                &cloud(statement.clone()),
                "ec2",
                action,
                &params,
                &instance(),
            ))
            .map_err(|e| e.message)
        };
        let on =
            |volume: &str, instance: &str| json!({"VolumeId": volume, "InstanceId": instance, "Device": "/dev/sdf"});
        let both = json!([own, host]);
        assert_eq!(may(&both, "AttachVolume", on("vol-1", "i-1")), Ok(()));
        assert_eq!(may(&both, "DetachVolume", on("vol-1", "i-1")), Ok(()));
        // The instance that has it is meant when none is named.
        assert_eq!(may(&both, "DetachVolume", json!({"VolumeId": "vol-1"})), Ok(()));
        for (statement, params, resource) in [
            (&both, on("vol-2", "i-1"), "volume/vol-2"),
            (&both, on("vol-1", "i-2"), "instance/i-2"),
            (&both, json!({"VolumeId": "vol-3"}), "volume/vol-3"),
            (&json!([own]), on("vol-1", "i-1"), "instance/i-1"),
            (&json!([host]), on("vol-1", "i-1"), "volume/vol-1"),
        ] {
            for action in ["AttachVolume", "DetachVolume"] {
                let refused = may(statement, action, params.clone()).unwrap_err();
                assert!(refused.contains(resource), "{action} {params}: {refused}");
            }
        }
        assert!(may(&both, "DeleteVolume", json!({"VolumeId": "vol-1"})).is_err());
    }

    #[test]
    fn every_resource_of_a_call_must_be_allowed() {
        let cloud = cloud(
            json!({"Effect": "Allow", "Action": "ec2:*", "Resource": "*", "Condition": {
            "StringEquals": {"ec2:ResourceTag/t": ["i-1", "i-2"]},
            "ArnLike": {"ec2:SourceInstanceARN": "arn:aws:ec2:*:*:instance/i-1"}}}),
        );
        let may = |ids: Value, caller: Caller| {
            let params = json!({"InstanceId": ids});
            block_on(authorise(&cloud, "ec2", "TerminateInstances", &params, &caller)).is_ok()
        };
        assert!(may(json!(["i-1", "i-2"]), instance()));
        assert!(!may(json!(["i-1", "i-3"]), instance()));
        let other = Caller::Session {
            role: "r".to_owned(),
            session: "s".to_owned(),
        };
        assert!(!may(json!(["i-1"]), other), "a session is no instance");
    }
}
