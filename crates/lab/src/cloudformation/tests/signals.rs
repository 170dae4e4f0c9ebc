//! Groups that wait for signals.

use super::*;

#[test]
fn a_group_waits_for_signals_and_rolls() {
    block_on(async {
        let (cloud, group) = cloud();
        let id = create(&cloud, "asg", GROUP).await;
        signal(&cloud, &id, "i-1", "SUCCESS").await;
        assert_eq!(settled(&cloud, "asg").await, "CREATE_COMPLETE");
        let late = json!({"StackName": "asg", "LogicalResourceId": "Group", "UniqueId": "i-1", "Status": "SUCCESS"});
        let refused = cfn(&cloud, "SignalResource", late).await.unwrap_err();
        assert_eq!(
            refused.message,
            "Resource Group is in CREATE_COMPLETE state and cannot be signaled"
        );

        let parameters = json!([{"ParameterKey": "Type", "ParameterValue": "m7i.xlarge"}]);
        let params =
            json!({"StackName": "asg", "ChangeSetName": "c", "UsePreviousTemplate": true, "Parameters": parameters});
        cfn(&cloud, "CreateChangeSet", params).await.unwrap();
        let set = cfn(
            &cloud,
            "DescribeChangeSet",
            json!({"StackName": "asg", "ChangeSetName": "c"}),
        )
        .await
        .unwrap();
        let change = &set["Changes"][1]["ResourceChange"];
        assert_eq!(
            (change["LogicalResourceId"].as_str(), change["Replacement"].as_str()),
            (Some("Group"), Some("Conditional"))
        );
        assert_eq!(change["Details"][0]["CausingEntity"], "Template.LatestVersionNumber");
        assert_eq!(change["Details"][0]["Evaluation"], "Dynamic");
        cfn(
            &cloud,
            "ExecuteChangeSet",
            json!({"StackName": "asg", "ChangeSetName": "c"}),
        )
        .await
        .unwrap();
        let replaced = async {
            while group.lock().unwrap().instances != ["i-2"] {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(10), replaced)
            .await
            .unwrap();
        assert_eq!(group.lock().unwrap().suspended, ["HealthCheck"]);
        signal(&cloud, "asg", "i-2", "SUCCESS").await;
        assert_eq!(settled(&cloud, "asg").await, "UPDATE_COMPLETE");
        assert!(group.lock().unwrap().suspended.is_empty());
        let told = events(&cloud, "asg").await;
        assert!(
            told.iter()
                .any(|t| t.contains("Rolling update initiated. Terminating 1 obsolete instance(s)")),
            "{told:#?}"
        );
        assert!(
            told.iter()
                .any(|t| t == "Group UPDATE_IN_PROGRESS Received SUCCESS signal with UniqueId i-2"),
            "{told:#?}"
        );

        cfn(&cloud, "DeleteStack", json!({"StackName": "asg"})).await.unwrap();
        assert_eq!(settled(&cloud, &id).await, "DELETE_COMPLETE");
        assert!(!group.lock().unwrap().exists);
    });
}

#[test]
fn missing_and_failed_signals_fail_the_creation() {
    block_on(async {
        for (wait, status, reason) in [
            (
                "PT1S",
                None,
                "Received 0 SUCCESS signal(s) out of 1.  Unable to satisfy 100% MinSuccessfulInstancesPercent requirement",
            ),
            (
                "PT10M",
                Some("FAILURE"),
                "Received 1 FAILURE signal(s) out of 1.  Unable to satisfy 100% MinSuccessfulInstancesPercent requirement",
            ),
        ] {
            let (cloud, group) = cloud();
            let id = create(
                &cloud,
                "asg",
                &GROUP.replace("Default: PT30S", &format!("Default: {wait}")),
            )
            .await;
            if let Some(status) = status {
                signal(&cloud, &id, "i-1", status).await;
            }
            assert_eq!(settled(&cloud, &id).await, "ROLLBACK_COMPLETE");
            let told = events(&cloud, &id).await;
            assert!(told.contains(&format!("Group CREATE_FAILED {reason}")), "{told:#?}");
            assert!(!group.lock().unwrap().exists);
        }
    });
}

#[test]
fn an_instance_that_cannot_be_launched_fails_the_update() {
    block_on(async {
        let (cloud, group) = cloud();
        let body = GROUP.replace("PauseTime: PT30S", "PauseTime: PT1S");
        let id = create(&cloud, "asg", &body).await;
        signal(&cloud, &id, "i-1", "SUCCESS").await;
        assert_eq!(settled(&cloud, "asg").await, "CREATE_COMPLETE");
        group.lock().unwrap().barren = true;
        roll(&cloud).await;
        // The way back finds an empty group, which has nothing to be replaced.
        assert_eq!(settled(&cloud, "asg").await, "UPDATE_ROLLBACK_COMPLETE");
        let told = events(&cloud, "asg").await;
        let reason =
            "Received 0 SUCCESS signal(s) out of 1.  Unable to satisfy 100% MinSuccessfulInstancesPercent requirement";
        assert!(told.contains(&format!("Group UPDATE_FAILED {reason}")), "{told:#?}");
        assert!(!told.iter().any(|t| t.contains("New instance(s) added")), "{told:#?}");
    });
}

#[test]
fn an_instance_on_its_way_out_is_not_replaced_once_more() {
    block_on(async {
        let (cloud, group) = cloud();
        let id = create(&cloud, "asg", GROUP).await;
        signal(&cloud, &id, "i-1", "SUCCESS").await;
        assert_eq!(settled(&cloud, "asg").await, "CREATE_COMPLETE");
        group.lock().unwrap().ending = Some("i-0".to_owned());
        roll(&cloud).await;
        launched(&group, "i-2").await;
        signal(&cloud, "asg", "i-2", "SUCCESS").await;
        assert_eq!(settled(&cloud, "asg").await, "UPDATE_COMPLETE");
        let calls = group.lock().unwrap().calls.clone();
        let ended = calls.iter().filter(|c| *c == "TerminateInstanceInAutoScalingGroup");
        assert_eq!(ended.count(), 1, "{calls:?}");
    });
}
