//! What CloudFormation refuses, and in which words.

use super::*;

#[test]
fn refusals_are_cloudformations_own() {
    block_on(async {
        let (cloud, _) = cloud();
        let id = create(&cloud, "net", NETWORK).await;
        assert_eq!(settled(&cloud, &id).await, "CREATE_COMPLETE");
        let iam = "Resources: {R: {Type: 'AWS::IAM::Role', Properties: {AssumeRolePolicyDocument: {}}}}";
        let cases = [
            (
                "CreateStack",
                json!({"StackName": "net", "TemplateBody": NETWORK}),
                "AlreadyExistsException",
                "Stack [net] already exists",
            ),
            (
                "CreateStack",
                json!({"StackName": "x", "TemplateBody": iam}),
                "InsufficientCapabilitiesException",
                "Requires capabilities : [CAPABILITY_IAM]",
            ),
            (
                "CreateStack",
                json!({"StackName": "a_b", "TemplateBody": NETWORK}),
                "ValidationError",
                "regular expression pattern",
            ),
            (
                "CreateStack",
                json!({"StackName": "x"}),
                "ValidationError",
                "Either Template URL or Template Body must be specified.",
            ),
            (
                "CreateStack",
                json!({"StackName": "x", "TemplateBody": NETWORK, "Foo": 1}),
                "UnknownParameter",
                "Foo",
            ),
            (
                "CreateStack",
                json!({"StackName": "x", "TemplateBody": NETWORK, "Tags": [{"Key": "aws:x", "Value": "y"}]}),
                "ValidationError",
                "aws: prefixed tag key names",
            ),
            (
                "CreateStack",
                json!({"StackName": "x", "TemplateBody": NETWORK, "RoleARN": "arn:aws:iam::000000000000:role/none"}),
                "ValidationError",
                "is invalid or cannot be assumed",
            ),
            (
                "UpdateStack",
                json!({"StackName": "nope", "TemplateBody": NETWORK}),
                "ValidationError",
                "Stack [nope] does not exist",
            ),
            (
                "DescribeStackEvents",
                json!({"StackName": "nope"}),
                "ValidationError",
                "Stack [nope] does not exist",
            ),
            (
                "CreateChangeSet",
                json!({"StackName": "net", "ChangeSetName": "c", "ChangeSetType": "CREATE", "TemplateBody": NETWORK}),
                "ValidationError",
                "already exists and cannot be created again",
            ),
            (
                "CreateChangeSet",
                json!({"StackName": "nope", "ChangeSetName": "c", "TemplateBody": NETWORK}),
                "ValidationError",
                "Stack [nope] does not exist",
            ),
            (
                "DescribeChangeSet",
                json!({"StackName": "net", "ChangeSetName": "c"}),
                "ChangeSetNotFound",
                "ChangeSet [c] does not exist",
            ),
            (
                "SignalResource",
                json!({"StackName": "net", "LogicalResourceId": "Vpc", "UniqueId": "i", "Status": "MAYBE"}),
                "ValidationError",
                "Member must satisfy enum value set: [FAILURE, SUCCESS]",
            ),
            (
                "DeleteStack",
                json!({"StackName": "net", "RetainResources": ["Vpc"]}),
                "ValidationError",
                "DELETE_FAILED",
            ),
            (
                "ValidateTemplate",
                json!({"TemplateBody": "a: ["}),
                "ValidationError",
                "Template format error: YAML not well-formed.",
            ),
            (
                "Frobnicate",
                json!({}),
                "InvalidAction",
                "The action Frobnicate is not valid for this endpoint.",
            ),
        ];
        for (action, params, code, message) in cases {
            let error = cfn(&cloud, action, params.clone()).await.unwrap_err();
            assert_eq!(error.code, code, "{action} {params}: {}", error.message);
            assert!(error.message.contains(message), "{action}: {}", error.message);
        }
        assert_eq!(
            cfn(&cloud, "DeleteStack", json!({"StackName": "never"})).await.unwrap(),
            Value::Null
        );
    });
}

#[test]
fn properties_are_validated_before_and_while_creating() {
    block_on(async {
        let (cloud, _) = cloud();
        let body = "Resources: {V: {Type: 'AWS::EC2::VPC', Properties: {CidrBlock: 10.0.0.0/16, Colour: red}}}";
        let params = json!({"StackName": "v", "ChangeSetName": "c", "ChangeSetType": "CREATE", "TemplateBody": body});
        cfn(&cloud, "CreateChangeSet", params).await.unwrap();
        let set = cfn(
            &cloud,
            "DescribeChangeSet",
            json!({"StackName": "v", "ChangeSetName": "c"}),
        )
        .await
        .unwrap();
        assert_eq!(set["Status"], "FAILED");
        assert!(set["StatusReason"].as_str().unwrap().contains("PropertyValidation"));
        let params = json!({"StackName": "v", "ChangeSetName": "c", "Filters": {"FailedEvents": "true"}});
        let found = cfn(&cloud, "DescribeEvents", params).await.unwrap();
        let finding = &found["OperationEvents"][0];
        assert_eq!(
            finding["ValidationStatusReason"],
            "extraneous key [Colour] is not permitted"
        );
        assert_eq!(finding["EventType"], "VALIDATION_ERROR");

        let id = create(&cloud, "w", body).await;
        assert_eq!(settled(&cloud, &id).await, "ROLLBACK_COMPLETE");
        let told = events(&cloud, &id).await;
        assert!(told.contains(&"V CREATE_FAILED Properties validation failed for resource V with message:\n[#: extraneous key [Colour] is not permitted]".to_owned()), "{told:#?}");
        // A stack that never got further than review is deleted at once.
        cfn(&cloud, "DeleteStack", json!({"StackName": "v"})).await.unwrap();
        assert!(cfn(&cloud, "DescribeStacks", json!({"StackName": "v"})).await.is_err());
    });
}

#[test]
fn a_group_that_could_never_be_replaced_is_not_even_made() {
    block_on(async {
        let (cloud, _) = cloud();
        let body = GROUP.replace("MinInstancesInService: 0", "MinInstancesInService: 1");
        let id = create(&cloud, "asg", &body).await;
        assert_eq!(settled(&cloud, &id).await, "ROLLBACK_COMPLETE");
        let told = events(&cloud, &id).await;
        let words = "Group CREATE_FAILED MinInstancesInService must be less than the autoscaling group's MaxSize (1)";
        assert!(told.iter().any(|line| line.starts_with(words)), "{told:#?}");
    });
}
