//! Ways back: of a creation, of an update, and those that get stuck.

use super::*;

#[test]
fn a_failed_creation_rolls_back() {
    block_on(async {
        let (cloud, _) = cloud();
        let body = NETWORK.replace("!Ref Second", "192.168.0.0/24");
        let id = create(&cloud, "bad", &body).await;
        assert_eq!(settled(&cloud, "bad").await, "ROLLBACK_COMPLETE");
        let told = events(&cloud, &id).await;
        let cause = told
            .iter()
            .find(|t| t.contains("CREATE_FAILED") && !t.contains("cancelled"))
            .unwrap();
        assert!(
            cause.starts_with(
                "Two CREATE_FAILED Resource handler returned message: \"The CIDR '192.168.0.0/24' is invalid."
            ),
            "{cause}"
        );
        assert!(
            told.iter()
                .any(|t| t.starts_with("bad ROLLBACK_IN_PROGRESS The following resource(s) failed to create: [Two")),
            "{told:#?}"
        );
        // Kept after a delete, but not after a failed create.
        let groups = ec2(
            &cloud,
            "DescribeSecurityGroups",
            json!({"Filter": [{"Name": "description", "Value": ["inside"]}]}),
        )
        .await;
        assert_eq!(groups["securityGroupInfo"], json!([]));
        let update = cfn(
            &cloud,
            "UpdateStack",
            json!({"StackName": "bad", "TemplateBody": NETWORK}),
        )
        .await
        .unwrap_err();
        assert_eq!(
            update.message,
            format!("Stack:{id} is in ROLLBACK_COMPLETE state and can not be updated.")
        );
        cfn(&cloud, "DeleteStack", json!({"StackName": "bad"})).await.unwrap();
        assert_eq!(settled(&cloud, &id).await, "DELETE_COMPLETE");

        for (choice, end) in [("DO_NOTHING", "CREATE_FAILED"), ("DELETE", "DELETE_COMPLETE")] {
            let params = json!({"StackName": choice.replace('_', "-"), "TemplateBody": body, "OnFailure": choice});
            let made = cfn(&cloud, "CreateStack", params).await.unwrap();
            assert_eq!(settled(&cloud, made["StackId"].as_str().unwrap()).await, end);
        }
    });
}

#[test]
fn a_failed_update_goes_back() {
    block_on(async {
        let (cloud, _) = cloud();
        let id = create(&cloud, "net", NETWORK).await;
        assert_eq!(settled(&cloud, &id).await, "CREATE_COMPLETE");
        let (_, two) = status_of(&cloud, "net", "Two").await;
        // Public changes One in place, the description replaces Group, the gateway is new, Bad fails.
        let body = NETWORK.replace(
            "Outputs:",
            "  Bad: {Type: 'AWS::EC2::Subnet', DependsOn: [One, Group, Gateway, Two], Properties: {VpcId: !Ref Vpc, CidrBlock: 1.2.3.0/24}}\nOutputs:",
        );
        let parameters = json!([{"ParameterKey": "Public", "ParameterValue": "true"}, {"ParameterKey": "Described", "ParameterValue": "new"},
            {"ParameterKey": "Second", "ParameterValue": "10.0.3.0/24"}]);
        cfn(
            &cloud,
            "UpdateStack",
            json!({"StackName": "net", "TemplateBody": body, "Parameters": parameters}),
        )
        .await
        .unwrap();
        assert_eq!(settled(&cloud, &id).await, "UPDATE_ROLLBACK_COMPLETE");
        let told = events(&cloud, &id).await;
        assert!(
            told.iter()
                .any(|t| t == "net UPDATE_ROLLBACK_IN_PROGRESS The following resource(s) failed to create: [Bad]."),
            "{told:#?}"
        );
        assert_eq!(status_of(&cloud, "net", "Two").await.1, two);
        let subnets = ec2(
            &cloud,
            "DescribeSubnets",
            json!({"SubnetId": [status_of(&cloud, "net", "One").await.1]}),
        )
        .await;
        assert_eq!(
            subnets["subnetSet"][0]["mapPublicIpOnLaunch"]
                .to_string()
                .trim_matches('"'),
            "false"
        );
        let groups = ec2(
            &cloud,
            "DescribeSecurityGroups",
            json!({"Filter": [{"Name": "description", "Value": ["new"]}]}),
        )
        .await;
        assert_eq!(groups["securityGroupInfo"], json!([]));
        let gateways = ec2(
            &cloud,
            "DescribeInternetGateways",
            json!({"Filter": [{"Name": "tag:aws:cloudformation:stack-name", "Value": ["net"]}]}),
        )
        .await;
        assert_eq!(gateways["internetGatewaySet"], json!([]));
        let shown = cfn(&cloud, "DescribeStacks", json!({"StackName": "net"}))
            .await
            .unwrap();
        assert!(shown.to_string().contains("10.0.1.0/24"), "the old parameters are back");
        // What went back can be updated again.
        let params = json!({"StackName": "net", "TemplateBody": NETWORK, "Parameters": [{"ParameterKey": "Public", "ParameterValue": "true"}]});
        cfn(&cloud, "UpdateStack", params).await.unwrap();
        assert_eq!(settled(&cloud, &id).await, "UPDATE_COMPLETE");
        let none = json!({"StackName": "net", "UsePreviousTemplate": true, "Parameters": [{"ParameterKey": "Public", "UsePreviousValue": true}]});
        let refused = cfn(&cloud, "UpdateStack", none).await.unwrap_err();
        assert_eq!(refused.message, "No updates are to be performed.");
    });
}

#[test]
fn a_creation_under_way_can_be_deleted() {
    block_on(async {
        let (cloud, group) = cloud();
        let id = create(&cloud, "asg", GROUP).await;
        let begun = async {
            while !group.lock().unwrap().exists {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(10), begun)
            .await
            .unwrap();
        cfn(&cloud, "DeleteStack", json!({"StackName": "asg"})).await.unwrap();
        assert_eq!(settled(&cloud, &id).await, "DELETE_COMPLETE");
        let told = events(&cloud, &id).await;
        assert!(
            told.contains(&"Group CREATE_FAILED Resource creation cancelled".to_owned()),
            "{told:#?}"
        );
        assert!(!told.iter().any(|t| t.contains("ROLLBACK")), "{told:#?}");
        assert!(!group.lock().unwrap().exists);
    });
}

#[test]
fn a_way_back_that_got_stuck_can_go_on() {
    block_on(async {
        let (cloud, group) = cloud();
        let id = create(&cloud, "asg", GROUP).await;
        signal(&cloud, &id, "i-1", "SUCCESS").await;
        assert_eq!(settled(&cloud, "asg").await, "CREATE_COMPLETE");
        roll(&cloud).await;
        for instance in ["i-2", "i-3"] {
            // A signal before its instance exists belongs to no batch.
            launched(&group, instance).await;
            signal(&cloud, "asg", instance, "FAILURE").await;
        }
        assert_eq!(settled(&cloud, "asg").await, "UPDATE_ROLLBACK_FAILED");

        let skip = |name: &'static str| json!({"StackName": "asg", "ResourcesToSkip": [name]});
        let refused = cfn(&cloud, "ContinueUpdateRollback", skip("Template"))
            .await
            .unwrap_err();
        assert_eq!(
            refused.message,
            "Resource [Template] is not in UPDATE_FAILED state and cannot be skipped."
        );
        cfn(&cloud, "ContinueUpdateRollback", json!({"StackName": "asg"}))
            .await
            .unwrap();
        // The group has its old template already, so there is nothing to roll.
        assert_eq!(settled(&cloud, "asg").await, "UPDATE_ROLLBACK_COMPLETE");
        assert!(
            cfn(&cloud, "ContinueUpdateRollback", json!({"StackName": "asg"}))
                .await
                .is_err()
        );
    });
}

#[test]
fn an_update_under_way_can_be_cancelled() {
    block_on(async {
        let (cloud, group) = cloud();
        let id = create(&cloud, "asg", GROUP).await;
        signal(&cloud, &id, "i-1", "SUCCESS").await;
        assert_eq!(settled(&cloud, "asg").await, "CREATE_COMPLETE");
        let cancel = json!({"StackName": "asg"});
        let refused = cfn(&cloud, "CancelUpdateStack", cancel.clone()).await.unwrap_err();
        assert_eq!(
            (refused.code.as_str(), refused.message.as_str()),
            (
                "ValidationError",
                "CancelUpdateStack cannot be called from current stack status"
            )
        );
        let none = cfn(&cloud, "CancelUpdateStack", json!({"StackName": "none"}))
            .await
            .unwrap_err();
        assert_eq!(none.message, "Stack [none] does not exist");

        roll(&cloud).await;
        launched(&group, "i-2").await;
        cfn(&cloud, "CancelUpdateStack", cancel.clone()).await.unwrap();
        // The way back replaces the instance once more, and waits for that one.
        launched(&group, "i-3").await;
        let refused = cfn(&cloud, "CancelUpdateStack", cancel).await.unwrap_err();
        assert_eq!(refused.code, "ValidationError", "a way back cannot be cancelled");
        signal(&cloud, "asg", "i-3", "SUCCESS").await;
        assert_eq!(settled(&cloud, "asg").await, "UPDATE_ROLLBACK_COMPLETE");
        let told = events(&cloud, "asg").await;
        assert!(
            told.contains(&"Group UPDATE_FAILED Resource update cancelled".to_owned()),
            "{told:#?}"
        );
        assert!(
            told.contains(&"asg UPDATE_ROLLBACK_IN_PROGRESS User Initiated".to_owned()),
            "{told:#?}"
        );
    });
}

#[test]
fn an_update_cancelled_before_it_touched_anything_changes_nothing() {
    block_on(async {
        let (cloud, group) = cloud();
        let id = create(&cloud, "asg", GROUP).await;
        signal(&cloud, &id, "i-1", "SUCCESS").await;
        assert_eq!(settled(&cloud, "asg").await, "CREATE_COMPLETE");
        roll(&cloud).await;
        // It may or may not have begun; either way it goes back instead of being called complete.
        let cancelled = cfn(&cloud, "CancelUpdateStack", json!({"StackName": "asg"})).await;
        assert!(cancelled.is_ok(), "{cancelled:?}");
        let back = async {
            loop {
                let last = group.lock().unwrap().instances.clone();
                let status = cfn(&cloud, "DescribeStacks", json!({"StackName": "asg"}))
                    .await
                    .unwrap();
                if status["Stacks"][0]["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE" {
                    return;
                }
                for instance in last {
                    let params = json!({"StackName": "asg", "LogicalResourceId": "Group", "UniqueId": instance,
                        "Status": "SUCCESS"});
                    // Refused while the group is not worked on.
                    let _ = cfn(&cloud, "SignalResource", params).await;
                }
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(20), back)
            .await
            .unwrap();
    });
}
