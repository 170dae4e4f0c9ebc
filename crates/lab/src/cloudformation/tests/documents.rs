//! A document of Systems Manager in a stack.

use super::*;
use crate::ssm::Ssm;

fn template(word: &str, method: &str) -> String {
    let content = json!({"schemaVersion": "2.2", "mainSteps": [
        {"action": "aws:runShellScript", "name": "s", "inputs": {"runCommand": [word]}}]});
    let properties = json!({"DocumentType": "Command", "UpdateMethod": method, "Content": content});
    json!({"Resources": {"Doc": {"Type": "AWS::SSM::Document", "Properties": properties}},
        "Outputs": {"Name": {"Value": {"Ref": "Doc"}}}})
    .to_string()
}

#[test]
fn an_update_makes_a_new_default_version_under_the_same_name_if_the_template_says_so() {
    block_on(async {
        let (cloud, _) = cloud();
        cloud.add("ssm", Ssm::new(Ec2::new("eu-west-1")));
        let id = create(&cloud, "docs", &template("one", "NewVersion")).await;
        assert_eq!(settled(&cloud, "docs").await, "CREATE_COMPLETE");
        let name = async || status_of(&cloud, "docs", "Doc").await.1.expect("a name");
        let first = name().await;
        assert!(first.starts_with("docs-Doc-"), "{first}");
        let update = async |word: &str, method: &str| {
            let params = json!({"StackName": "docs", "TemplateBody": template(word, method)});
            cfn(&cloud, "UpdateStack", params).await.unwrap();
            assert_eq!(settled(&cloud, "docs").await, "UPDATE_COMPLETE");
        };
        let shown = async |name: &str| {
            let asked = cloud.call("ssm", "DescribeDocument", json!({"Name": name}), Caller::Admin);
            asked.await.map(|found| found["Document"].clone())
        };
        update("two", "NewVersion").await;
        assert_eq!(name().await, first);
        let document = shown(&first).await.unwrap();
        assert_eq!(
            (&document["DefaultVersion"], &document["LatestVersion"]),
            (&json!("2"), &json!("2"))
        );
        let tags = document["Tags"].as_array().unwrap();
        let stack = json!({"Key": "aws:cloudformation:stack-name", "Value": "docs"});
        assert!(tags.contains(&stack), "{tags:?}");

        update("three", "Replace").await;
        let second = name().await;
        assert_ne!(second, first);
        assert_eq!(shown(&first).await.unwrap_err().code, "InvalidDocument");
        cfn(&cloud, "DeleteStack", json!({"StackName": "docs"})).await.unwrap();
        assert_eq!(settled(&cloud, &id).await, "DELETE_COMPLETE");
        assert_eq!(shown(&second).await.unwrap_err().code, "InvalidDocument");
    });
}
