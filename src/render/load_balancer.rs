//! The load balancer, and the ways through it.

use super::target::attribute;
use super::{network, tags};
use crate::model::Deployment;
use crate::stack::Way;
use crate::template::{Resource, Template, get_att, list, object, reference};

/// Logical ID of the network load balancer.
pub(crate) const LOAD_BALANCER: &str = "LoadBalancer";

/// Adds the load balancer and the ways through it.
pub(crate) fn add(template: &mut Template, deployment: &Deployment) {
    let balancer = object! {
        "Type" => "network",
        "Scheme" => reference("Scheme"),
        "Subnets" => list![reference("Subnet1"), reference("Subnet2")],
        // A load balancer that was made without a security group can never get one.
        "SecurityGroups" => list![get_att("LoadBalancerSecurityGroup", "GroupId")],
        "LoadBalancerAttributes" => list![
            // With one target, the zone without it would otherwise leave the DNS.
            attribute("load_balancing.cross_zone.enabled", "true"),
        ],
        "Tags" => tags(),
    };
    let mut balancer = Resource::new("AWS::ElasticLoadBalancingV2::LoadBalancer", balancer);
    if network::prerequisites(deployment).contains(&"DefaultRoute") {
        balancer = balancer.after(&["DefaultRoute"]);
    }
    template.resources.insert(LOAD_BALANCER.to_owned(), balancer);

    for way in Way::all(deployment.engine) {
        way.add(template, deployment, LOAD_BALANCER);
    }
}

#[cfg(test)]
mod tests {
    use crate::model::Deployment;
    use crate::render::template;
    use crate::template::{get_att, reference};

    #[test]
    fn both_ways_lead_from_the_balancer_to_the_group() {
        let template = template(&Deployment::default()).unwrap();
        let attached = template.resources["Group"].properties["TargetGroupARNs"]
            .as_list()
            .unwrap()
            .to_vec();
        for (index, (listener, group, port, when)) in [
            ("Listener", "TargetGroup", 1414, None),
            ("AmqpListener", "AmqpTargetGroup", 5672, Some("HasAmqp")),
        ]
        .into_iter()
        .enumerate()
        {
            let (listens, targets) = (&template.resources[listener], &template.resources[group]);
            assert_eq!(listens.properties["LoadBalancerArn"], reference("LoadBalancer"));
            let action = &listens.properties["DefaultActions"].as_list().unwrap()[0];
            assert_eq!(action.get("TargetGroupArn"), Some(&reference(group)));
            for resource in [listens, targets] {
                assert_eq!(resource.properties["Port"], port.into());
                assert_eq!(resource.condition.as_deref(), when);
            }
            assert!(format!("{:?}", attached[index]).contains(&format!("{:?}", reference(group))));
        }
        let balancer = &template.resources["LoadBalancer"].properties;
        let groups = balancer["SecurityGroups"].as_list().unwrap();
        assert_eq!(groups, [get_att("LoadBalancerSecurityGroup", "GroupId")]);
    }
}
