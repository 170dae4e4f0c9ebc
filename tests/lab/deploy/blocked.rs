//! A removal that cannot end, since something outside of the stack uses a part of it.

use crate::support::{Lab, between, call};
use serde_json::json;

const EC2: &str = "2016-11-15";

#[test]
fn a_destroy_names_who_uses_its_security_group_and_the_next_one_still_names_what_is_kept() {
    let lab = Lab::deployed(&[]);
    let record = lab.record();
    let resource = |logical: &str| {
        let params = [
            ("Action", "DescribeStackResource"),
            ("StackName", "mqaws-qm1"),
            ("LogicalResourceId", logical),
        ];
        between(
            &call(&record, "cloudformation", "2010-05-15", &params),
            "PhysicalResourceId",
        )
    };
    let [file_system, used, free] = ["FileSystem", "InstanceSecurityGroup", "LoadBalancerSecurityGroup"].map(resource);
    // A group of an application's own, which lets the instances of the stack in; and one that only lets its own clients out to them.
    let described = call(
        &record,
        "ec2",
        EC2,
        &[("Action", "DescribeSecurityGroups"), ("GroupId.1", &used)],
    );
    let vpc = between(&described, "vpcId");
    let user = |name: &str| {
        let params = [
            ("Action", "CreateSecurityGroup"),
            ("GroupName", name),
            ("GroupDescription", "an application"),
            ("VpcId", vpc.as_str()),
        ];
        between(&call(&record, "ec2", EC2, &params), "groupId")
    };
    let users = [user("lets-in"), user("lets-out")];
    let rule = |action: &str, group: &str| {
        let params = [
            ("Action", action),
            ("GroupId", group),
            ("IpPermissions.1.IpProtocol", "tcp"),
            ("IpPermissions.1.FromPort", "1414"),
            ("IpPermissions.1.ToPort", "1414"),
            ("IpPermissions.1.Groups.1.GroupId", used.as_str()),
        ];
        call(&record, "ec2", EC2, &params)
    };
    rule("AuthorizeSecurityGroupIngress", &users[0]);
    rule("AuthorizeSecurityGroupEgress", &users[1]);

    for _ in 0..2 {
        let failed = lab.json(&["destroy", "--local", "--yes"], 4);
        let text = |field: &str| failed[field].as_str().unwrap_or_default().to_owned();
        assert_eq!(failed["error"], "stack mqaws-qm1 was not deleted", "{failed}");
        let hint = text("hint");
        for word in users.iter().chain([&used]) {
            assert!(hint.contains(word.as_str()), "{word}: {failed}");
        }
        assert!(!hint.contains(&free), "{failed}");
        assert!(
            hint.ends_with("then `mqaws destroy --stack mqaws-qm1 --local` again"),
            "{failed}"
        );
        assert!(
            text("left").contains(&format!("file system {file_system} (kept)")),
            "{failed}"
        );
        assert!(
            failed["details"]["cause"]
                .as_str()
                .is_some_and(|cause| cause.starts_with("`InstanceSecurityGroup` ")),
            "{failed}"
        );
    }

    rule("RevokeSecurityGroupIngress", &users[0]);
    rule("RevokeSecurityGroupEgress", &users[1]);
    let done = lab.json(&["destroy", "--local", "--yes"], 0);
    assert_eq!(done["kept"], json!([format!("file system {file_system}")]), "{done}");
    let listed = lab.json(&["storage", "list", "--local"], 0);
    assert_eq!(listed["file_systems"][0]["id"], file_system.as_str(), "{listed}");
    lab.end();
}
