//! The whole template.

use super::Standby;
use crate::model::{Deployment, Topology as Name};
use crate::render::{self, template};
use crate::template::Template;
use crate::topology::{Role, Topology};

/// A deployment of this topology.
pub(super) fn standby() -> Deployment {
    Deployment {
        topology: Name::of("standby").unwrap(),
        ..Deployment::default()
    }
}

#[test]
fn logical_ids_stay_what_they_are_in_deployed_stacks() {
    let template = template(&standby()).unwrap();
    let ids: Vec<&str> = template.resources.keys().map(String::as_str).collect();
    let expected = "LoadBalancerSecurityGroup InstanceSecurityGroup FileSystemSecurityGroup FileSystem MountTarget1 MountTarget2 \
         Credentials Role InstanceProfile LoadBalancer TargetGroup Listener AmqpTargetGroup AmqpListener LaunchTemplateA GroupA \
         LaunchTemplateB GroupB OutageAlarm OverlapAlarmA OverlapAlarmB TwoEnginesAlarm FenceAlarm CertificateAlarm StandbyAlarm \
         ReadDocument TestDocument OperateDocument FenceDocument";
    assert_eq!(ids, expected.split_whitespace().collect::<Vec<_>>());
}

#[test]
fn service_is_one_active_host_and_as_it_should_be_one_that_is_ready() {
    let given = |roles: &[Role]| (Standby.is_served(roles), Standby.is_service(roles));
    assert_eq!(given(&[Role::Active, Role::Standby]), (true, true));
    assert_eq!(given(&[Role::Active, Role::Unknown]), (true, false));
    assert_eq!(given(&[Role::Standby, Role::Starting]), (false, false));
}

#[test]
fn the_group_that_is_renewed_last_waits_for_the_other_one() {
    let waits = |text: &str, group: &str, other: &str| {
        let template = Template::from_yaml(text).unwrap();
        template.resources[group].depends_on.contains(&other.to_owned())
    };
    let usual = render::body(&standby()).unwrap();
    assert!(waits(&usual, "GroupB", "GroupA") && !waits(&usual, "GroupA", "GroupB"));
    assert_eq!(render::body_renewing_last(&standby(), "GroupB").unwrap(), usual);
    let turned = render::body_renewing_last(&standby(), "GroupA").unwrap();
    assert!(waits(&turned, "GroupA", "GroupB") && !waits(&turned, "GroupB", "GroupA"));
}
