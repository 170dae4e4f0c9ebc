//! What an instance may do that writes shared data under the fence: its role, with one statement for each need.

use super::role::{add as add_role, arn, of_this_stack, put_metrics, read_credentials, statement};
use crate::model::Deployment;
use crate::model::agent::CREATED_TAG;
use crate::stack::STACK_TAG;
use crate::template::{Template, list, object, reference};

/// Adds the role and the instance profile.
pub(crate) fn add(template: &mut Template, _: &Deployment) {
    let agent = list![
        // These actions know no resources.
        statement(
            "Look",
            &["autoscaling:DescribeAutoScalingInstances", "ec2:DescribeInstances"],
            "*".into(),
            None,
        ),
        statement(
            "CondemnAndDrain",
            &["autoscaling:CompleteLifecycleAction", "autoscaling:SetInstanceHealth",],
            arn("autoscaling:${AWS::Region}:${AWS::AccountId}:autoScalingGroup:*:autoScalingGroupName/*"),
            of_this_stack(),
        ),
        statement(
            "EndPreviousOwner",
            &["ec2:TerminateInstances"],
            arn("ec2:${AWS::Region}:${AWS::AccountId}:instance/*"),
            of_this_stack(),
        ),
        statement(
            "Signal",
            &["cloudformation:SignalResource"],
            // Not `AWS::StackId`: a policy that changes with the stack's id could not be compared between stacks.
            arn("cloudformation:${AWS::Region}:${AWS::AccountId}:stack/${AWS::StackName}/*"),
            None,
        ),
        // Mounting itself is allowed by the file system's own policy, to this role alone. The word for a new queue manager is a tag, and
        // the one tag that may be set is the note that it is used up.
        statement(
            "UseFileSystem",
            &[
                "elasticfilesystem:DescribeMountTargets",
                "elasticfilesystem:ListTagsForResource",
                "elasticfilesystem:TagResource",
            ],
            arn("elasticfilesystem:${AWS::Region}:${AWS::AccountId}:file-system/*"),
            Some(object! {
                "StringEquals" => object! { format!("aws:ResourceTag/{STACK_TAG}") => reference("AWS::StackName") },
                "ForAllValues:StringEquals" => object! { "aws:TagKeys" => list![CREATED_TAG] },
            }),
        ),
        read_credentials(),
        put_metrics(),
    ];
    add_role(template, agent);
}

#[cfg(test)]
mod tests {
    use crate::model::Deployment;
    use crate::render::template;
    use crate::render::tests::walk;
    use crate::template::Value;

    #[test]
    fn only_actions_that_know_no_resource_are_allowed_on_all() {
        let template = template(&Deployment::default()).unwrap();
        let mut open: Vec<String> = Vec::new();
        let mut unscoped: Vec<String> = Vec::new();
        walk(&template.resources["Role"].properties["Policies"], &mut |value| {
            let Some(resource) = value.get("Resource") else { return };
            let actions = value.get("Action").and_then(Value::as_list).unwrap();
            let actions = actions.iter().map(|action| action.as_str().unwrap().to_owned());
            match (
                resource.as_str(),
                value.get("Condition").is_some(),
                format!("{resource:?}").contains('*'),
            ) {
                (Some("*"), false, _) => open.extend(actions),
                (None, false, true) => unscoped.extend(actions),
                _ => {}
            }
        });
        assert!(open.iter().all(|action| !action.contains('*')), "{open:?}");
        open.retain(|action| !action.starts_with("ssmmessages:") && !action.starts_with("ec2messages:"));
        open.sort();
        let known = [
            "autoscaling:DescribeAutoScalingInstances",
            "ec2:DescribeInstances",
            "ssm:UpdateInstanceInformation",
        ];
        assert_eq!(open, known);
        // Its star is the unknown id behind the stack's name.
        assert_eq!(unscoped, ["cloudformation:SignalResource"]);
        let text = template.to_json().unwrap();
        for absent in [
            "ssm:GetParameter",
            "AmazonSSMManagedInstanceCore",
            "iam:",
            "s3:",
            "NotAction",
            "NotResource",
        ] {
            assert!(!text.contains(absent), "{absent}");
        }
    }
}
