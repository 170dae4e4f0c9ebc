//! A new stack takes over a file system that exists.

use super::*;

const ALONE: &str = "Parameters: {Name: {Type: String}}\nResources: {Data: {Type: 'AWS::EFS::FileSystem', DeletionPolicy: Retain, \
                     Properties: {Encrypted: true}}}";

/// A cloud with one file system, `fs-1`.
fn cloud() -> (Arc<Cloud>, super::super::testing::Calls) {
    recording(|service, action, params| match (service, action) {
        ("elasticfilesystem", "DescribeFileSystems") if params["FileSystemId"] == "fs-1" => Ok(json!({"FileSystems": [
            {"FileSystemId": "fs-1", "FileSystemArn": "arn:fs-1", "LifeCycleState": "available"},
        ]})),
        ("elasticfilesystem", "DescribeFileSystems") => {
            Err(ApiError::new("FileSystemNotFound", "not there").status(404))
        }
        ("elasticfilesystem", _) => Ok(Value::Null),
        _ => Err(ApiError::new("UnauthorizedOperation", "not in this test")),
    })
}

fn import(stack: &str, template: &str, id: &str) -> Value {
    json!({
        "StackName": stack, "ChangeSetName": "import", "ChangeSetType": "IMPORT", "TemplateBody": template,
        "Parameters": [{"ParameterKey": "Name", "ParameterValue": "x"}],
        "ResourcesToImport": [{"ResourceType": "AWS::EFS::FileSystem", "LogicalResourceId": "Data",
            "ResourceIdentifier": {"entry": [{"key": "FileSystemId", "value": id}]}}],
    })
}

#[test]
fn imported_resource_is_read_and_left_as_it_is() {
    block_on(async {
        let (cloud, calls) = cloud();
        let set = cfn(&cloud, "CreateChangeSet", import("new", ALONE, "fs-1"))
            .await
            .unwrap();
        let shown = cfn(&cloud, "DescribeChangeSet", json!({"ChangeSetName": set["Id"]}))
            .await
            .unwrap();
        let change = &shown["Changes"][0]["ResourceChange"];
        assert_eq!(
            (&change["Action"], &change["PhysicalResourceId"]),
            (&json!("Import"), &json!("fs-1"))
        );
        cfn(&cloud, "ExecuteChangeSet", json!({"ChangeSetName": set["Id"]}))
            .await
            .unwrap();
        assert_eq!(settled(&cloud, "new").await, "IMPORT_COMPLETE");
        assert_eq!(
            events(&cloud, "new").await,
            [
                "new REVIEW_IN_PROGRESS User Initiated",
                "new IMPORT_IN_PROGRESS User Initiated",
                "Data IMPORT_IN_PROGRESS",
                "Data IMPORT_COMPLETE",
                "new IMPORT_COMPLETE",
            ]
        );
        // Nobody else can have it now.
        let second = cfn(&cloud, "CreateChangeSet", import("second", ALONE, "fs-1"))
            .await
            .unwrap();
        let shown = cfn(&cloud, "DescribeChangeSet", json!({"ChangeSetName": second["Id"]}))
            .await
            .unwrap();
        assert_eq!(shown["Status"], "FAILED");
        assert!(
            shown["StatusReason"]
                .as_str()
                .unwrap()
                .starts_with("Resource fs-1 (AWS::EFS::FileSystem) already exists in stack")
        );
        cfn(&cloud, "DeleteStack", json!({"StackName": "new"})).await.unwrap();
        assert_eq!(
            settled(&cloud, set["StackId"].as_str().unwrap()).await,
            "DELETE_COMPLETE"
        );
        let calls: Vec<String> = calls
            .lock()
            .unwrap()
            .iter()
            .map(|(_, action, _)| action.clone())
            .collect();
        let touched = calls
            .iter()
            .any(|action| action.contains("FileSystem") && !action.starts_with("Describe"));
        assert!(!touched, "{calls:?}");
    });
}

#[test]
fn import_that_finds_nothing_goes_back_and_what_makes_no_import_is_refused() {
    block_on(async {
        let (cloud, _) = cloud();
        let set = cfn(&cloud, "CreateChangeSet", import("gone", ALONE, "fs-2"))
            .await
            .unwrap();
        cfn(&cloud, "ExecuteChangeSet", json!({"ChangeSetName": set["Id"]}))
            .await
            .unwrap();
        assert_eq!(settled(&cloud, "gone").await, "IMPORT_ROLLBACK_COMPLETE");
        let with = |from: &str, to: &str| import("x", &ALONE.replace(from, to), "fs-1");
        let mut created = import("x", ALONE, "fs-1");
        created["ChangeSetType"] = "CREATE".into();
        let mut unnamed = import("x", ALONE, "fs-1");
        unnamed["ResourcesToImport"] = json!([]);
        for (params, words) in [
            (
                with("DeletionPolicy: Retain, ", ""),
                "must have DeletionPolicy attribute",
            ),
            (
                with(
                    "{Data: {",
                    "{More: {Type: 'AWS::EC2::VPC', DeletionPolicy: Retain}, Data: {",
                ),
                "[More] is missing from ResourceToImport list",
            ),
            (
                with("Resources: ", "Outputs: {O: {Value: x}}\nResources: "),
                "cannot modify or add [Outputs]",
            ),
            (with("{Data: {", "{Other: {"), "[Other] is missing"),
            (created, "can only be used when the change set type is IMPORT"),
            (unnamed, "must be specified"),
        ] {
            let error = cfn(&cloud, "CreateChangeSet", params).await.unwrap_err();
            assert_eq!(error.code, "ValidationError");
            assert!(error.message.contains(words), "{words}: {}", error.message);
        }
    });
}
