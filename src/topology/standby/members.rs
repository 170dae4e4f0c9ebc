//! The launch template and the group of each member, which keeps one instance in the member's zone.

use super::ids::{LAUNCH_TEMPLATES, MEMBERS, SUBNETS};
use crate::model::Deployment;
use crate::render::launch_template::launch_template;
use crate::render::member_group::member_group;
use crate::template::Template;

/// Adds the launch templates and the groups.
///
/// CloudFormation comes to the second group once the first one has signaled: a stack begins with one active host, and an
/// update never renews both at a time.
pub(super) fn add(template: &mut Template, deployment: &Deployment) {
    let mut before = None;
    for ((member, launched), subnet) in MEMBERS.iter().zip(LAUNCH_TEMPLATES).zip(SUBNETS) {
        let launch = launch_template(deployment, member);
        template.resources.insert(launched.to_owned(), launch);
        let mut group = member_group(deployment, launched, &[subnet]);
        if let Some(first) = before.replace(member.group) {
            group = group.after(&[first]);
        }
        template.resources.insert(member.group.to_owned(), group);
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::standby;
    use super::*;
    use crate::render::template;
    use crate::template::{Value, list, reference};

    #[test]
    fn each_group_is_bound_to_one_zone_and_signals_by_its_own_name() {
        let template = template(&standby()).unwrap();
        for ((member, launched), subnet) in MEMBERS.iter().zip(LAUNCH_TEMPLATES).zip(SUBNETS) {
            let group = &template.resources[member.group];
            assert_eq!(group.properties["MaxSize"].as_str(), Some("1"));
            assert_eq!(group.properties["VPCZoneIdentifier"], list![reference(subnet)]);
            let launch = group.properties["LaunchTemplate"].get("LaunchTemplateId");
            assert_eq!(launch, Some(&reference(launched)));
            let data = &template.resources[launched].properties["LaunchTemplateData"];
            let Some(Value::Call(_, text)) = data.get("UserData") else {
                panic!("no user data")
            };
            let told = format!("group\\\": \\\"{}", member.group);
            assert!(format!("{text:?}").contains(&told), "{text:?}");
        }
        assert!(template.resources["GroupB"].depends_on.contains(&"GroupA".to_owned()));
        let attached = |member: &str| template.resources[member].properties["TargetGroupARNs"].clone();
        assert_eq!(attached("GroupA"), attached("GroupB"), "both are behind each listener");
    }
}
