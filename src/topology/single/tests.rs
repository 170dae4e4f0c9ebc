//! The whole template.

use crate::model::Deployment;
use crate::render::template;

#[test]
fn logical_ids_stay_what_they_are_in_deployed_stacks() {
    let template = template(&Deployment::default()).unwrap();
    let ids: Vec<&str> = template.resources.keys().map(String::as_str).collect();
    let expected = "LoadBalancerSecurityGroup InstanceSecurityGroup FileSystemSecurityGroup FileSystem MountTarget1 MountTarget2 \
         Credentials Role InstanceProfile LoadBalancer TargetGroup Listener AmqpTargetGroup AmqpListener LaunchTemplate Group \
         OutageAlarm OverlapAlarm TwoEnginesAlarm FenceAlarm CertificateAlarm";
    assert_eq!(ids, expected.split_whitespace().collect::<Vec<_>>());
}
