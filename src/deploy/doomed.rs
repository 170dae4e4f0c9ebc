//! Changes that CloudFormation would begin and AWS would refuse, told before they begin.
//!
//! Such an update fails after the launch template has changed, so its way back replaces the instance: an outage for
//! nothing. CloudFormation makes the new resource before it removes the old one; what AWS allows once only cannot be
//! replaced so. Each rule here has a test in which the local cloud refuses the change when it is forced.

use super::network::{Network, Place};
use crate::model::{Engine, Topology};
use crate::stack::Way;
use crate::topology::{self, Anchored};
use std::collections::BTreeMap;

/// A change that would fail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doom {
    /// Key of the configuration that asks for it; `None` when no key does.
    pub key: Option<&'static str>,
    /// A few words for the place where the key stands.
    pub label: String,
    /// Which resources refuse it, by their logical ids, and why; a line for each reason.
    pub why: Vec<String>,
    /// What to do instead.
    pub instead: String,
}

/// What only the account and the configuration can tell about a change.
#[derive(Debug, Clone, Copy)]
pub(super) struct Circumstances<'a> {
    /// Topology that makes the queue manager highly available.
    pub topology: Topology,
    /// Engine of the queue manager.
    pub engine: Engine,
    /// Key of the configuration that chooses the network; `None` when it is left to choose.
    pub network_key: Option<&'static str>,
    /// Subnets of the stack that are there no longer, so that nothing stands in them.
    pub gone: &'a [String],
}

/// What is sure to fail of the step from a deployed stack's parameters to others, the subnets and zones of the two in the
/// same order.
pub(super) fn dooms(
    old: &BTreeMap<String, String>,
    new: &BTreeMap<String, String>,
    circumstances: Circumstances<'_>,
) -> Vec<Doom> {
    let mut found = Vec::new();
    if let (Some(old), Some(new)) = (Network::of(old), Network::of(new)) {
        found.extend(network(&old, &new, circumstances));
    }
    found.extend(scheme(old, new, circumstances));
    found
}

const ELSEWHERE: &str =
    "for a different network, deploy a separate stack (--stack NAME), which starts on its own file system";

fn network(old: &Network, new: &Network, circumstances: Circumstances<'_>) -> Option<Doom> {
    let network_key = circumstances.network_key;
    let anchored = topology::of(circumstances.topology).anchored();
    match (old, new) {
        (
            Network::Existing { vpc, places },
            Network::Existing {
                vpc: other,
                places: wanted,
            },
        ) => {
            if vpc != other {
                return Some(Doom {
                    key: network_key,
                    label: format!("in {other}, but the stack is in {vpc}"),
                    why: other_vpc(vpc, other, anchored),
                    instead: format!("specify {vpc} or two of its subnets; {ELSEWHERE}"),
                });
            }
            same_zone(places, wanted, circumstances)
        }
        (Network::Existing { vpc, .. }, Network::Own { .. }) => Some(Doom {
            key: network_key,
            label: format!("the stack is in {vpc}"),
            why: other_vpc(vpc, "a new one", anchored),
            instead: format!("specify {vpc} or two of its subnets; {ELSEWHERE}"),
        }),
        (Network::Own { cidr, zones }, Network::Existing { .. }) => Some(Doom {
            key: network_key,
            label: "the stack has its own network".into(),
            why: vec![format!(
                "`Vpc`: the stack would remove its own network, which contains {}",
                listed(&standing(anchored))
            )],
            instead: format!(
                "set `network.cidr: {cidr}` and `network.zones: [{}]` again; {ELSEWHERE}",
                zones.join(", ")
            ),
        }),
        (Network::Own { cidr, .. }, Network::Own { cidr: other, .. }) if cidr != other => Some(Doom {
            key: Some("network.cidr"),
            label: format!("the stack's network is {cidr}"),
            why: [
                vec![format!(
                    "`Vpc`: the range of a VPC cannot change from {cidr} to {other}, so a new VPC would be created"
                )],
                other_vpc("the stack's own VPC", "a new one", anchored),
            ]
            .concat(),
            instead: format!("set `network.cidr: {cidr}` again; {ELSEWHERE}"),
        }),
        (Network::Own { zones, .. }, Network::Own { zones: wanted, .. }) => {
            let moved = zones.iter().zip(wanted).enumerate().filter(|(_, (was, is))| was != is);
            let why: Vec<String> = moved
                .map(|(index, (was, is))| {
                    format!(
                        "`Subnet{}`: a subnet cannot change its zone, and a new one in {is} would have the range of \
                         the one in {was}",
                        index + 1
                    )
                })
                .collect();
            (!why.is_empty()).then(|| Doom {
                key: Some("network.zones"),
                label: format!("the stack's network is in {}", zones.join(" and ")),
                why,
                instead: format!("set `network.zones: [{}]` again, or remove the key", zones.join(", ")),
            })
        }
    }
}

/// Logical ids of what stands in the network.
fn standing(anchored: &Anchored) -> Vec<String> {
    let all = std::iter::once(&anchored.load_balancer).chain(anchored.mount_targets);
    all.map(|logical| format!("`{logical}`")).collect()
}

/// `a, b and c`
fn listed(words: &[String]) -> String {
    match words {
        [first @ .., last] if !first.is_empty() => format!("{} and {last}", first.join(", ")),
        other => other.concat(),
    }
}

fn other_vpc(vpc: &str, other: &str, anchored: &Anchored) -> Vec<String> {
    let balancer = anchored.load_balancer;
    let mut why = vec![format!(
        "`{balancer}`: it belongs to {vpc}, and a load balancer cannot use subnets of a different VPC ({other})"
    )];
    if let [_, mounts @ ..] = standing(anchored).as_slice()
        && !mounts.is_empty()
    {
        why.push(format!(
            "{}: a file system has mount targets in one VPC at a time",
            mounts.join(", ")
        ));
    }
    why
}

/// Another subnet of a zone in which the stack has one already.
fn same_zone(places: &[Place; 2], wanted: &[Place; 2], circumstances: Circumstances<'_>) -> Option<Doom> {
    let stands = |place: &&Place| !circumstances.gone.contains(&place.subnet);
    let anchored = topology::of(circumstances.topology).anchored();
    let mut why = Vec::new();
    for new in wanted
        .iter()
        .filter(|new| places.iter().all(|old| old.subnet != new.subnet))
    {
        let Some((index, old)) = places
            .iter()
            .enumerate()
            .find(|(_, old)| old.zone == new.zone && stands(old))
        else {
            continue;
        };
        let (zone, old, new, balancer) = (&new.zone, &old.subnet, &new.subnet, anchored.load_balancer);
        why.push(format!(
            "`{balancer}`: in {zone} it uses {old}, and cannot use {new} in the same zone until it is detached from {old}"
        ));
        if let Some(target) = anchored.mount_targets.get(index) {
            why.push(format!(
                "`{target}`: a file system has one mount target for each zone, and the one in {new} would be created before the one in {old} \
                 is deleted"
            ));
        }
    }
    let [first, second] = places;
    (!why.is_empty()).then(|| Doom {
        key: circumstances.network_key,
        label: "a different subnet of the same zone".into(),
        why,
        instead: format!(
            "specify {} and {} again; or use a third zone: deploy with a subnet of that zone instead of the old one, \
             then with the new one. Each deployment replaces the instance: one planned outage",
            first.subnet, second.subnet
        ),
    })
}

/// Another scheme makes another load balancer.
fn scheme(
    old: &BTreeMap<String, String>,
    new: &BTreeMap<String, String>,
    circumstances: Circumstances<'_>,
) -> Option<Doom> {
    let (was, is) = (old.get("Scheme")?, new.get("Scheme")?);
    if was == is {
        return None;
    }
    let is_on = |way: &Way| match way.parameter() {
        Some(name) => [old, new].iter().all(|of| of.get(name).is_some_and(|v| v == "true")),
        None => true,
    };
    let ways: Vec<Way> = Way::all(circumstances.engine).filter(is_on).collect();
    let listeners: Vec<String> = ways.iter().map(|way| format!("`{}`", way.listener())).collect();
    let groups: Vec<String> = ways.iter().map(|way| format!("`{}`", way.group())).collect();
    let (listeners, groups) = (listeners.join(", "), listed(&groups));
    let balancer = topology::of(circumstances.topology).anchored().load_balancer;
    Some(Doom {
        key: Some("endpoint.internal"),
        label: format!("the load balancer is {was}"),
        why: vec![format!(
            "{listeners}: a new load balancer, {is}, would be created before `{balancer}` is deleted, and a target group \
             ({groups}) can belong to only one load balancer at a time"
        )],
        instead: format!(
            "set `endpoint.internal: {}` again; for the other value, deploy a separate stack (--stack NAME), which starts on its own file \
             system",
            was == "internal"
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameters(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        let all = [("Scheme", "internal"), ("Amqp", "true")];
        let pairs = all.iter().chain(pairs);
        pairs.map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    fn existing(vpc: &str, first: (&str, &str), second: (&str, &str)) -> BTreeMap<String, String> {
        parameters(&[
            ("VPC", vpc),
            ("Subnet1", first.0),
            ("AvailabilityZone1", first.1),
            ("Subnet2", second.0),
            ("AvailabilityZone2", second.1),
        ])
    }

    fn own(cidr: &str, first: &str, second: &str) -> BTreeMap<String, String> {
        parameters(&[
            ("VpcCidr", cidr),
            ("AvailabilityZone1", first),
            ("AvailabilityZone2", second),
        ])
    }

    fn found(old: &BTreeMap<String, String>, new: &BTreeMap<String, String>, gone: &[&str]) -> Vec<Doom> {
        let gone: Vec<String> = gone.iter().map(|g| (*g).to_owned()).collect();
        let circumstances = Circumstances {
            topology: Topology::default(),
            engine: Engine::default(),
            network_key: Some("network.subnets"),
            gone: &gone,
        };
        dooms(old, new, circumstances)
    }

    #[test]
    fn what_must_fail_names_its_resources_its_key_and_a_way_out() {
        let stands = existing("vpc-1", ("a1", "z-a"), ("b1", "z-b"));
        let owns = own("10.0.0.0/16", "z-a", "z-b");
        for (old, new, resources, key, instead) in [
            (
                &stands,
                existing("vpc-2", ("a1", "z-a"), ("b1", "z-b")),
                &["LoadBalancer", "MountTarget1", "MountTarget2"][..],
                "network.subnets",
                "specify vpc-1 or two of its subnets",
            ),
            (
                &stands,
                own("10.0.0.0/16", "z-a", "z-b"),
                &["LoadBalancer", "MountTarget1", "MountTarget2"],
                "network.subnets",
                "specify vpc-1",
            ),
            (
                &owns,
                existing("vpc-2", ("a1", "z-a"), ("b1", "z-b")),
                &["Vpc", "LoadBalancer"],
                "network.subnets",
                "set `network.cidr: 10.0.0.0/16` and `network.zones: [z-a, z-b]` again",
            ),
            (
                &owns,
                own("10.1.0.0/16", "z-a", "z-b"),
                &["Vpc", "LoadBalancer", "MountTarget1"],
                "network.cidr",
                "set `network.cidr: 10.0.0.0/16` again",
            ),
            (
                &owns,
                own("10.0.0.0/16", "z-a", "z-c"),
                &["Subnet2"],
                "network.zones",
                "`network.zones: [z-a, z-b]`",
            ),
            (
                &stands,
                existing("vpc-1", ("a2", "z-a"), ("b1", "z-b")),
                &["LoadBalancer", "MountTarget1"],
                "network.subnets",
                "specify a1 and b1 again; or use a third zone",
            ),
            (
                &stands,
                existing("vpc-1", ("a1", "z-a"), ("b2", "z-b")),
                &["LoadBalancer", "MountTarget2"],
                "network.subnets",
                "third zone",
            ),
            // In a zone that the other one leaves in the same step.
            (
                &stands,
                existing("vpc-1", ("b2", "z-b"), ("c1", "z-c")),
                &["LoadBalancer", "MountTarget2"],
                "network.subnets",
                "third zone",
            ),
        ] {
            let dooms = found(old, &new, &[]);
            let [doom] = dooms.as_slice() else {
                panic!("{new:?}: {dooms:?}")
            };
            let why = doom.why.join("\n");
            for resource in resources {
                assert!(why.contains(&format!("`{resource}`")), "{resource}: {why}");
            }
            assert_eq!(doom.key, Some(key), "{new:?}");
            assert!(doom.instead.contains(instead), "{}", doom.instead);
        }
    }

    #[test]
    fn what_works_is_not_refused() {
        let stands = existing("vpc-1", ("a1", "z-a"), ("b1", "z-b"));
        for (new, gone) in [
            (stands.clone(), &[][..]),
            // One zone or both are left for others.
            (existing("vpc-1", ("a1", "z-a"), ("c1", "z-c")), &[]),
            (existing("vpc-1", ("c1", "z-c"), ("d1", "z-d")), &[]),
            // Nothing can stand in a subnet that is gone.
            (existing("vpc-1", ("a1", "z-a"), ("b2", "z-b")), &["b1"]),
        ] {
            assert_eq!(found(&stands, &new, gone), [], "{new:?}");
        }
        let owns = own("10.0.0.0/16", "z-a", "z-b");
        assert_eq!(found(&owns, &owns, &[]), []);
        assert_eq!(
            found(&BTreeMap::new(), &stands, &[]),
            [],
            "what cannot be read is no verdict"
        );
    }

    #[test]
    fn another_scheme_names_the_listeners_that_there_are() {
        let with = |scheme: &str, amqp: &str| {
            let mut all = existing("vpc-1", ("a1", "z-a"), ("b1", "z-b"));
            all.extend([("Scheme".into(), scheme.into()), ("Amqp".into(), amqp.into())]);
            all
        };
        for (amqp, now, named) in [
            ("true", "true", true),
            ("false", "true", false),
            ("true", "false", false),
        ] {
            let dooms = found(&with("internal", amqp), &with("internet-facing", now), &[]);
            let [doom] = dooms.as_slice() else { panic!("{dooms:?}") };
            assert_eq!(doom.key, Some("endpoint.internal"));
            assert!(
                doom.instead.starts_with("set `endpoint.internal: true` again"),
                "{}",
                doom.instead
            );
            let why = doom.why.join("\n");
            assert!(why.contains("`Listener`") && why.contains("`TargetGroup`"), "{why}");
            assert_eq!(why.contains("`AmqpListener`"), named, "{why}");
        }
        let back = found(&with("internet-facing", "true"), &with("internal", "true"), &[]);
        assert!(back[0].instead.starts_with("set `endpoint.internal: false` again"));
    }
}
