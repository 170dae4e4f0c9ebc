//! The three security groups, each of which admits only its neighbour.

use super::{client_parameter, network, tags, tcp, tcp_ports};
use crate::model::Deployment;
use crate::stack::Way;
use crate::template::{Resource, Template, Value, get_att, list, object, reference};
use mqaws_contract::engine::CHECK_PORT;

/// Adds the three groups.
pub(crate) fn add(template: &mut Template, deployment: &Deployment) {
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
    // A rule for each way, of one neighbour.
    let rules = |neighbour: &dyn Fn() -> (&'static str, Value), words: &dyn Fn(&str) -> String| {
        let rule = |way: Way| way.only(tcp(way.port_value(), neighbour(), &words(way.protocol().name)));
        Way::all(deployment.engine).map(rule).collect::<Vec<_>>()
    };
    let clients = (0..deployment.network.clients.len()).flat_map(|index| {
        let range = move || ("CidrIp", reference(&client_parameter(index)));
        // Short, for there may be many ranges: of two ports side by side the load balancer listens on one.
        Way::all(deployment.engine).map(move |way| {
            let (from, to) = (way.tls_port().unwrap_or(way.port()), way.port());
            let words = format!("{} clients", way.protocol().name);
            way.only(tcp_ports(from.min(to), from.max(to), range(), &words))
        })
    });
    let clients = Value::List(clients.collect());
    // By port only: naming the instances' group here and this group there would be a circle.
    let anywhere = || ("CidrIp", Value::from("0.0.0.0/0"));
    let mut to_targets = rules(&anywhere, &|name| format!("Targets, {name}"));
    let checked = deployment.engine.facts().is_checked_by_agent();
    if checked {
        to_targets.push(tcp(CHECK_PORT, anywhere(), "Targets, health checks"));
    }
    put(
        "LoadBalancerSecurityGroup",
        group("Load balancer: admits clients", clients, Some(Value::List(to_targets))),
    );

    let balancer = || ("SourceSecurityGroupId", get_att("LoadBalancerSecurityGroup", "GroupId"));
    let mut from_balancer = rules(&balancer, &|name| format!("Load balancer, {name}"));
    if checked {
        from_balancer.push(tcp(CHECK_PORT, balancer(), "Load balancer, health checks"));
    }
    // Its way out stays open: a queue manager's sender channels go wherever its partners are.
    put(
        "InstanceSecurityGroup",
        group("Instance: admits the load balancer", Value::List(from_balancer), None),
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
