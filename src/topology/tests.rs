//! What holds for every topology, and what their tests share.

use super::fault::SAME_HOST;
use super::*;
use crate::model::agent::AgentStatus;
use crate::model::{Deployment, InstanceId};
use crate::render;
use crate::stack::Way;
use crate::template::Value;

/// Every topology, that of the tests too.
fn all() -> Vec<model::Topology> {
    let mut all: Vec<model::Topology> = model::Topology::all().collect();
    all.push(model::Topology::TOY);
    all
}

/// An instance's id.
pub(crate) fn instance(id: &str) -> InstanceId {
    InstanceId::new(id).unwrap()
}

/// What an agent in a state says.
pub(crate) fn agent(instance: &str, state: &str) -> AgentStatus {
    let status = serde_json::json!({
        "schema": "mqaws.agent-status/1", "agent_version": "0.1.0", "instance": instance, "zone": "eu-west-1a",
        "queue_manager": "QM1", "state": state, "since": "2026-11-18T03:12:09Z",
    });
    serde_json::from_value(status).unwrap()
}

#[test]
fn every_fault_is_stood_and_a_proof_is_wanted_where_an_engine_starts() {
    for name in model::Topology::all() {
        let stands = of(name).stands();
        let stood: Vec<Fault> = stands.iter().map(|stand| stand.fault).collect();
        assert_eq!(stood, Fault::ALL, "{name:?}");
        for stand in stands {
            let starts = matches!(stand.by, Restart::InPlace | Restart::Elsewhere);
            assert_eq!(!stand.proofs.is_empty(), starts, "{name:?}: {}", stand.fault);
            let in_place = stand.by == Restart::InPlace;
            assert_eq!(in_place, stand.proofs == SAME_HOST, "{name:?}: {}", stand.fault);
        }
    }
}

#[test]
fn words_name_one_topology_each() {
    for name in all() {
        assert_eq!(model::Topology::of(name.as_str()), Some(name));
    }
    assert_eq!(model::Topology::of("nothing"), None);
}

#[test]
fn facts_are_those_of_the_template() {
    for name in all() {
        let deployment = Deployment {
            topology: name,
            ..Deployment::default()
        };
        let (topology, template) = (of(name), render::template(&deployment).unwrap());
        let facts = topology.facts();
        let of_kind = |kind: &str| {
            let found = template.resources.iter().filter(|(_, resource)| resource.kind == kind);
            found.map(|(logical, _)| logical.as_str()).collect::<Vec<_>>()
        };
        let members: Vec<&str> = facts.members.iter().map(|member| member.group).collect();
        assert_eq!(of_kind(GROUP), members, "{name:?}");
        for member in &members {
            assert_eq!(
                template.resources[*member].properties["MaxSize"].as_str(),
                Some("1"),
                "{member}"
            );
        }
        assert!(facts.engines.take(deployment.engine), "{name:?}");
        match facts.arbiter {
            Arbiter::OwnerRecord => assert_eq!(of_kind(FILE_SYSTEM).len(), 1, "{name:?}: the record is on it"),
        }
        let anchored = topology.anchored();
        for way in Way::all(deployment.engine) {
            for logical in [way.listener(), way.group()] {
                assert!(template.resources.contains_key(&logical), "{name:?}: {logical}");
            }
        }
        for logical in (anchored.mount_targets.iter())
            .chain([&anchored.load_balancer])
            .chain(topology.alarms())
        {
            assert!(template.resources.contains_key(*logical), "{name:?}: {logical}");
        }
        let text = render::body(&deployment).unwrap();
        assert!(
            text.contains(&format!("mqaws {}: {}", name.as_str(), facts.description)),
            "{name:?}"
        );
    }
}

#[test]
fn a_member_tells_its_agent_which_it_is_on() {
    let deployment = Deployment {
        topology: model::Topology::TOY,
        ..Deployment::default()
    };
    let template = render::template(&deployment).unwrap();
    for member in of(model::Topology::TOY).facts().members {
        let data = &template.resources[&format!("{}Template", member.group)].properties["LaunchTemplateData"];
        let Some(Value::Call(_, text)) = data.get("UserData") else {
            panic!("no user data")
        };
        let text = format!("{text:?}");
        assert!(text.contains(&format!("group\\\": \\\"{}", member.group)), "{text}");
        assert!(text.contains("topology\\\": \\\"toy"), "{text}");
    }
    assert_eq!(render::stack_tags(&deployment)[crate::stack::TOPOLOGY_TAG], "toy");
    assert!(!render::stack_tags(&Deployment::default()).contains_key(crate::stack::TOPOLOGY_TAG));
}

/// A change of one property, as CloudFormation tells it; `replacement` is `True`, `False` or `Conditional`.
pub(crate) fn change(kind: &str, action: &str, replacement: Option<&str>, property: &str) -> Change {
    Change {
        logical: kind.rsplit("::").next().unwrap_or_default().into(),
        physical: None,
        kind: kind.into(),
        action: action.into(),
        replacement: replacement.map(Into::into),
        policy: None,
        details: vec![Detail {
            attribute: "Properties".into(),
            name: Some(property.into()),
            before: Some("a".into()),
            after: Some("b".into()),
            recreation: None,
            cause: None,
            dynamic: false,
        }],
    }
}

/// The same, with values that are known only when it is carried out.
pub(crate) fn dynamic(mut change: Change) -> Change {
    change.details.iter_mut().for_each(|d| d.dynamic = true);
    change
}
