//! A topology of tests alone: two members, one of which waits, and a file system that both reach. Nothing runs it on AWS.

use super::role::listed;
use super::{
    Anchored, Arbiter, Builder, Change, Cut, Effect, Engines, FILE_SYSTEM, Facts, Fault, GROUP, Meaning, Member,
    NOTICED, Restart, Role, Seen, Stand, Term, Topology,
};
use crate::model::Deployment;
use crate::model::agent::{AgentState, AgentStatus};
use crate::render::launch_template::launch_template;
use crate::render::role::{add as add_role, put_metrics, read_credentials};
use crate::render::{credentials, network};
use crate::stack::{References, Way, write_outputs};
use crate::template::{Resource, Template, Value, get_att, list, object, reference};

const MEMBERS: [Member; 2] = [Member { group: "GroupA" }, Member { group: "GroupB" }];

fn storage(template: &mut Template, deployment: &Deployment) {
    let open = object! { "GroupDescription" => "All", "VpcId" => network::vpc(deployment) };
    let data = object! { "Encrypted" => true };
    for (name, kind, properties) in [
        ("InstanceSecurityGroup", "AWS::EC2::SecurityGroup", open),
        // Where user data say that the data are.
        ("FileSystem", FILE_SYSTEM, data),
    ] {
        template
            .resources
            .insert(name.to_owned(), Resource::new(kind, properties));
    }
}

fn role(template: &mut Template, _: &Deployment) {
    add_role(template, list![read_credentials(), put_metrics()]);
}

fn traffic(template: &mut Template, deployment: &Deployment) {
    let balancer = object! { "Type" => "network", "Subnets" => list![reference("Subnet1"), reference("Subnet2")] };
    let kind = "AWS::ElasticLoadBalancingV2::LoadBalancer";
    template
        .resources
        .insert("Balancer".to_owned(), Resource::new(kind, balancer));
    for way in Way::all(deployment.engine) {
        way.add(template, deployment, "Balancer");
    }
}

fn members(template: &mut Template, deployment: &Deployment) {
    for (member, zone) in MEMBERS.iter().zip(1..) {
        let name = format!("{}Template", member.group);
        let group = object! {
            "MinSize" => "0",
            "MaxSize" => "1",
            "VPCZoneIdentifier" => list![reference(&format!("Subnet{zone}"))],
            "LaunchTemplate" => object! {
                "LaunchTemplateId" => reference(&name),
                "Version" => get_att(&name, "LatestVersionNumber"),
            },
            "TargetGroupARNs" => Value::List(Way::all(deployment.engine).take(1).map(|way| reference(&way.group())).collect()),
        };
        template.resources.insert(name, launch_template(deployment, member));
        template
            .resources
            .insert(member.group.to_owned(), Resource::new(GROUP, group));
    }
}

fn outputs(template: &mut Template, deployment: &Deployment) {
    let parts = References {
        load_balancer: "Balancer",
        members: &MEMBERS,
        storage: Some(reference("FileSystem")),
    };
    write_outputs(template, deployment, &parts);
}

/// The topology.
pub(super) struct Toy;

impl Topology for Toy {
    fn facts(&self) -> &'static Facts {
        &Facts {
            name: "toy",
            summary: "two instances, one of which waits",
            description: "a topology of tests",
            members: &MEMBERS,
            arbiter: Arbiter::OwnerRecord,
            engines: Engines::Any,
            alone: false,
        }
    }

    fn builders(&self) -> &'static [Builder] {
        &[
            network::add_vpc,
            storage,
            network::add_endpoints,
            credentials::add,
            role,
            traffic,
            members,
            outputs,
        ]
    }

    fn meaning(&self, change: &Change, _: &[Change]) -> Meaning {
        let usual = match change.kind.as_str() {
            FILE_SYSTEM => Meaning::of_file_system(change),
            _ => Meaning::usual(change),
        };
        let words = match (change.kind.as_str(), usual.effect) {
            (GROUP, Effect::Change | Effect::Replace) => Some("the members are renewed in turn: no outage"),
            _ => usual.words,
        };
        Meaning { words, ..usual }
    }

    fn anchored(&self) -> &'static Anchored {
        &Anchored {
            load_balancer: "Balancer",
            mount_targets: &[],
        }
    }

    fn keys(&self) -> &'static [(&'static str, &'static str)] {
        &[("/GroupATemplate/Properties", "instance.type")]
    }

    fn role(&self, agent: &AgentStatus) -> Role {
        match agent.current_state() {
            AgentState::Serving => Role::Active,
            AgentState::Other(word) if word == "waiting" => Role::Standby,
            _ => Role::Unknown,
        }
    }

    fn is_service(&self, roles: &[Role]) -> bool {
        roles.contains(&Role::Active) && roles.contains(&Role::Standby)
    }

    fn can_serve_without(&self, members: usize) -> bool {
        members < MEMBERS.len()
    }

    fn asked(&self, seen: &[Seen<'_>]) -> Result<Vec<usize>, String> {
        match seen.iter().filter(|one| one.is_in_service()).count() {
            2 => Ok((0..seen.len()).filter(|&index| seen[index].is_in_service()).collect()),
            _ => Err(format!("both members are wanted ({})", listed(seen))),
        }
    }

    fn serving(&self, agents: &[AgentStatus]) -> Result<usize, String> {
        let found = agents.iter().position(|one| self.role(one) == Role::Active);
        found.ok_or_else(|| "neither member serves".to_owned())
    }

    fn alarms(&self) -> &'static [&'static str] {
        &[]
    }

    fn stands(&self) -> &'static [Stand] {
        &[Stand {
            fault: Fault::KillQueueManager,
            by: Restart::Elsewhere,
            proofs: &[],
        }]
    }

    fn terms(&self) -> &'static [Term] {
        &[
            Term {
                name: "notice",
                until: Cut::First(NOTICED),
            },
            Term {
                name: "takeover",
                until: Cut::Start,
            },
        ]
    }
}
