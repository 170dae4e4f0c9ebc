//! The three security groups, each of which admits only its neighbour.

use super::ids::{AMQP, MQ};
use crate::model::Deployment;
use crate::render::{client_parameter, network, only_if, tags, tcp};
use crate::template::{Resource, Template, Value, get_att, list, object, reference};

/// Adds the three groups.
pub(super) fn add(template: &mut Template, deployment: &Deployment) {
    let group = |words: &str, ingress: Value, egress: Option<Value>| {
        let mut properties = indexmap::IndexMap::from([
            ("GroupDescription".to_owned(), words.into()),
            ("VpcId".to_owned(), network::vpc(deployment)),
            ("SecurityGroupIngress".to_owned(), ingress),
        ]);
        if let Some(egress) = egress {
            properties.insert("SecurityGroupEgress".to_owned(), egress);
        }
        properties.insert("Tags".to_owned(), tags());
        Resource::new("AWS::EC2::SecurityGroup", Value::Map(properties))
    };
    let mut put = |name: &str, resource: Resource| template.resources.insert(name.to_owned(), resource);
    let (mq, amqp) = (MQ.port_of(deployment), AMQP.port_of(deployment));
    let mut clients = Vec::new();
    for index in 0..deployment.network.clients.len() {
        let range = || ("CidrIp", reference(&client_parameter(index)));
        clients.push(tcp(mq, range(), "MQ clients"));
        clients.push(only_if("HasAmqp", tcp(amqp, range(), "AMQP clients")));
    }
    // By port only: naming the instances' group here and this group there would be a circle.
    let anywhere = || ("CidrIp", Value::from("0.0.0.0/0"));
    let to_targets = list![
        tcp(mq, anywhere(), "Targets, MQ"),
        only_if("HasAmqp", tcp(amqp, anywhere(), "Targets, AMQP"))
    ];
    put(
        "LoadBalancerSecurityGroup",
        group("Load balancer: admits clients", Value::List(clients), Some(to_targets)),
    );

    let balancer = || ("SourceSecurityGroupId", get_att("LoadBalancerSecurityGroup", "GroupId"));
    let from_balancer = list![
        tcp(mq, balancer(), "Load balancer, MQ"),
        only_if("HasAmqp", tcp(amqp, balancer(), "Load balancer, AMQP")),
    ];
    // Its way out stays open: a queue manager's sender channels go wherever its partners are.
    put(
        "InstanceSecurityGroup",
        group("Instance: admits the load balancer", from_balancer, None),
    );

    let instance = ("SourceSecurityGroupId", get_att("InstanceSecurityGroup", "GroupId"));
    // An empty list would mean everything; a mount target opens no connection of its own.
    let nowhere = object! { "Description" => "None", "IpProtocol" => "-1", "CidrIp" => "127.0.0.1/32" };
    put(
        "FileSystemSecurityGroup",
        group(
            "File system: admits the instance",
            list![tcp(2049, instance, "Instance, NFS")],
            Some(list![nowhere]),
        ),
    );
}

#[cfg(test)]
mod tests {
    use crate::model::Deployment;
    use crate::render::template;
    use crate::render::tests::walk;

    #[test]
    fn each_security_group_admits_only_its_neighbour() {
        let template = template(&Deployment::default()).unwrap();
        let sources = |group: &str| {
            let mut found = Vec::new();
            walk(
                &template.resources[group].properties["SecurityGroupIngress"],
                &mut |value| {
                    for key in ["CidrIp", "SourceSecurityGroupId"] {
                        found.extend(value.get(key).map(|source| format!("{key} {source:?}")));
                    }
                },
            );
            found.sort();
            found.dedup();
            found
        };
        let group = |name: &str| {
            [format!(
                "SourceSecurityGroupId {:?}",
                crate::template::get_att(name, "GroupId")
            )]
        };
        assert_eq!(sources("InstanceSecurityGroup"), group("LoadBalancerSecurityGroup"));
        assert_eq!(sources("FileSystemSecurityGroup"), group("InstanceSecurityGroup"));
        assert_eq!(sources("LoadBalancerSecurityGroup").len(), 3, "the private ranges");
        let kinds: Vec<&str> = template
            .resources
            .values()
            .map(|resource| resource.kind.as_str())
            .collect();
        assert!(
            !kinds.contains(&"AWS::EC2::SecurityGroupIngress"),
            "rules stand inside their groups"
        );
    }
}
