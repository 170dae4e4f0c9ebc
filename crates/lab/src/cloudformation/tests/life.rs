//! A stack through change sets, and its events in pages.

use super::*;

#[test]
fn a_stack_lives_through_change_sets() {
    block_on(async {
        let (cloud, _) = cloud();
        let tags = json!([{"Key": "mqaws:stack", "Value": "net"}]);
        let set = |name: &'static str, kind: &'static str, parameters: Value| {
            let (cloud, tags) = (cloud.clone(), tags.clone());
            async move {
                let params = json!({"StackName": "net", "ChangeSetName": name, "ChangeSetType": kind, "TemplateBody": NETWORK,
                    "Tags": tags, "Parameters": parameters});
                cfn(&cloud, "CreateChangeSet", params).await.unwrap();
                cfn(
                    &cloud,
                    "DescribeChangeSet",
                    json!({"StackName": "net", "ChangeSetName": name}),
                )
                .await
                .unwrap()
            }
        };
        let execute = |name: &'static str| {
            cfn(
                &cloud,
                "ExecuteChangeSet",
                json!({"StackName": "net", "ChangeSetName": name}),
            )
        };

        let first = set("create", "CREATE", json!([])).await;
        assert_eq!(
            (first["Status"].as_str(), first["ExecutionStatus"].as_str()),
            (Some("CREATE_COMPLETE"), Some("AVAILABLE"))
        );
        let names: Vec<&str> = first["Changes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|c| c["ResourceChange"]["LogicalResourceId"].as_str().unwrap())
            .collect();
        assert_eq!(names, ["Vpc", "One", "Two", "Group", "Secret"]);
        let review = cfn(&cloud, "DescribeStacks", json!({"StackName": "net"}))
            .await
            .unwrap();
        assert_eq!(review["Stacks"][0]["StackStatus"], "REVIEW_IN_PROGRESS");
        execute("create").await.unwrap();
        assert_eq!(settled(&cloud, "net").await, "CREATE_COMPLETE");

        let shown = cfn(&cloud, "DescribeStacks", json!({"StackName": "net"}))
            .await
            .unwrap()["Stacks"][0]
            .clone();
        assert_eq!(shown["Outputs"].as_array().unwrap().len(), 2);
        assert_eq!(shown["Outputs"][1]["OutputValue"], "10.0.0.0/16 of net");
        let told = events(&cloud, "net").await;
        assert_eq!(told[0], "net REVIEW_IN_PROGRESS User Initiated");
        assert_eq!(told[1], "net CREATE_IN_PROGRESS User Initiated");
        assert_eq!(told.last().unwrap(), "net CREATE_COMPLETE");
        let at = |text: &str| {
            told.iter()
                .position(|t| t == text)
                .unwrap_or_else(|| panic!("{text}: {told:#?}"))
        };
        assert!(at("Vpc CREATE_IN_PROGRESS") < at("Vpc CREATE_IN_PROGRESS Resource creation Initiated"));
        assert!(at("Vpc CREATE_COMPLETE") < at("One CREATE_IN_PROGRESS"));
        let vpcs = ec2(
            &cloud,
            "DescribeVpcs",
            json!({"VpcId": [shown["Outputs"][0]["OutputValue"]]}),
        )
        .await;
        let tagged = vpcs["vpcSet"][0]["tagSet"].to_string();
        for tag in [
            "mqaws:stack",
            "aws:cloudformation:stack-name",
            "aws:cloudformation:logical-id",
        ] {
            assert!(tagged.contains(tag), "{tagged}");
        }
        let (_, secret) = status_of(&cloud, "net", "Secret").await;
        let value = cloud
            .call(
                "secretsmanager",
                "GetSecretValue",
                json!({"SecretId": secret}),
                Caller::Admin,
            )
            .await
            .unwrap();
        let value: Value = serde_json::from_str(value["SecretString"].as_str().unwrap()).unwrap();
        assert_eq!(
            (value["username"].as_str(), value["password"].as_str().map(str::len)),
            (Some("mqapp"), Some(32))
        );

        let none = set("none", "UPDATE", json!([])).await;
        assert_eq!(
            (none["Status"].as_str(), none["StatusReason"].as_str()),
            (Some("FAILED"), Some(NO_CHANGES))
        );
        let refused = execute("none").await.unwrap_err();
        assert_eq!(refused.code, "InvalidChangeSetStatus");

        let parameters = json!([{"ParameterKey": "Public", "ParameterValue": "true"}, {"ParameterKey": "Second", "ParameterValue": "10.0.2.0/24"}]);
        let second = set("update", "UPDATE", parameters).await;
        let mut seen: Vec<(String, String, String)> = Vec::new();
        for change in second["Changes"].as_array().unwrap() {
            let change = &change["ResourceChange"];
            let text = |n: &str| change[n].as_str().unwrap_or("-").to_owned();
            seen.push((text("LogicalResourceId"), text("Action"), text("Replacement")));
        }
        let expected = [
            ("One", "Modify", "False"),
            ("Two", "Modify", "True"),
            ("Gateway", "Add", "-"),
        ];
        let expected: Vec<(String, String, String)> = expected
            .iter()
            .map(|(a, b, c)| ((*a).into(), (*b).into(), (*c).into()))
            .collect();
        assert_eq!(seen, expected);
        let two = &second["Changes"][1]["ResourceChange"];
        assert_eq!(two["PolicyAction"], "ReplaceAndDelete");
        assert_eq!(
            two["Details"][0],
            json!({"Target": {"Attribute": "Properties", "RequiresRecreation": "Always", "Name": "CidrBlock"},
                "Evaluation": "Static", "ChangeSource": "ParameterReference", "CausingEntity": "Second"})
        );
        let (_, before) = status_of(&cloud, "net", "Two").await;
        execute("update").await.unwrap();
        assert_eq!(settled(&cloud, "net").await, "UPDATE_COMPLETE");
        let (_, after) = status_of(&cloud, "net", "Two").await;
        assert_ne!(before, after);
        let left = ec2(
            &cloud,
            "DescribeSubnets",
            json!({"Filter": [{"Name": "vpc-id", "Value": [shown["Outputs"][0]["OutputValue"]]}]}),
        )
        .await;
        assert_eq!(left["subnetSet"].as_array().unwrap().len(), 2);
        let told = events(&cloud, "net").await;
        assert!(told.contains(&"Two UPDATE_IN_PROGRESS Requested update requires the creation of a new physical resource; hence creating one.".to_owned()));
        assert!(told.contains(&"net UPDATE_COMPLETE_CLEANUP_IN_PROGRESS".to_owned()));

        let id = shown["StackId"].as_str().unwrap();
        cfn(
            &cloud,
            "UpdateTerminationProtection",
            json!({"StackName": "net", "EnableTerminationProtection": true}),
        )
        .await
        .unwrap();
        let refused = cfn(&cloud, "DeleteStack", json!({"StackName": "net"}))
            .await
            .unwrap_err();
        assert_eq!(
            refused.message,
            "Stack [net] cannot be deleted while TerminationProtection is enabled"
        );
        cfn(
            &cloud,
            "UpdateTerminationProtection",
            json!({"StackName": "net", "EnableTerminationProtection": "false"}),
        )
        .await
        .unwrap();
        // The kept security group keeps its VPC, as on AWS.
        cfn(&cloud, "DeleteStack", json!({"StackName": "net"})).await.unwrap();
        let (_, group) = status_of(&cloud, id, "Group").await;
        let told_skipped = async {
            loop {
                if status_of(&cloud, id, "Group").await.0 == "DELETE_SKIPPED" {
                    break;
                }
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(10), told_skipped)
            .await
            .unwrap();
        ec2(&cloud, "DeleteSecurityGroup", json!({"GroupId": group})).await;
        assert_eq!(settled(&cloud, id).await, "DELETE_COMPLETE");
        let gone = cfn(&cloud, "DescribeStacks", json!({"StackName": "net"}))
            .await
            .unwrap_err();
        assert_eq!(
            (gone.code.as_str(), gone.message.as_str()),
            ("ValidationError", "Stack with id net does not exist")
        );
        let left = ec2(
            &cloud,
            "DescribeVpcs",
            json!({"Filter": [{"Name": "tag:mqaws:stack", "Value": ["net"]}]}),
        )
        .await;
        assert_eq!(left["vpcSet"], json!([]));
    });
}

#[test]
fn events_come_in_pages_newest_first() {
    block_on(async {
        let (cloud, _) = cloud();
        let many: String = (0..60)
            .map(|i| format!("  V{i}: {{Type: 'AWS::EC2::VPC', Properties: {{CidrBlock: 10.0.0.0/16}}}}\n"))
            .collect();
        let id = create(&cloud, "many", &format!("Resources:\n{many}")).await;
        assert_eq!(settled(&cloud, &id).await, "CREATE_COMPLETE");
        let first = cfn(&cloud, "DescribeStackEvents", json!({"StackName": "many"}))
            .await
            .unwrap();
        assert_eq!(first["StackEvents"][0]["ResourceStatus"], "CREATE_COMPLETE");
        assert_eq!(first["StackEvents"].as_array().unwrap().len(), 100);
        let second = cfn(
            &cloud,
            "DescribeStackEvents",
            json!({"StackName": "many", "NextToken": first["NextToken"]}),
        )
        .await
        .unwrap();
        let all: std::collections::BTreeSet<String> = [&first, &second]
            .iter()
            .flat_map(|p| p["StackEvents"].as_array().unwrap())
            .map(|e| e["EventId"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!((all.len(), second["NextToken"].clone()), (60 * 3 + 2, Value::Null));
    });
}
