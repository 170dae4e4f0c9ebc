//! The network that a deployed stack is in, and what of it stays when it is deployed again.

use super::ports::Subnet;
use super::standing::is_ours;
use crate::observe::ports::Stack;
use std::collections::BTreeMap;

/// Where a deployed stack is, by its parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Network {
    /// In a network that was there before.
    Existing {
        /// Id of the VPC.
        vpc: String,
        /// The two subnets, in the template's order.
        places: [Place; 2],
    },
    /// In a network of its own.
    Own {
        /// Range of the VPC.
        cidr: String,
        /// The two zones, in the template's order.
        zones: [String; 2],
    },
}

/// A subnet with its availability zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// Id of the subnet.
    pub subnet: String,
    /// Name of the zone.
    pub zone: String,
}

impl Network {
    /// Reads a stack's parameters; `None` when they are not those of one of our templates.
    pub(super) fn of(parameters: &BTreeMap<String, String>) -> Option<Self> {
        let value = |name: &str| parameters.get(name).filter(|v| !v.is_empty()).cloned();
        let zones = [value("AvailabilityZone1")?, value("AvailabilityZone2")?];
        if let Some(cidr) = value("VpcCidr") {
            return Some(Self::Own { cidr, zones });
        }
        let [first, second] = zones;
        let place = |subnet, zone| Place { subnet, zone };
        Some(Self::Existing {
            vpc: value("VPC")?,
            places: [place(value("Subnet1")?, first), place(value("Subnet2")?, second)],
        })
    }
}

/// The parameters of a stack of ours whose resources stand, or are being made.
pub(super) fn standing(stack: &Stack) -> Option<&BTreeMap<String, String>> {
    let status = stack.status.0.as_str();
    let goes = status.starts_with("DELETE_") || status.starts_with("ROLLBACK_");
    let stands = !goes && !stack.status.is_review() && !stack.status.is_dead();
    (stands && is_ours(stack)).then_some(&stack.parameters)
}

/// A list whose order means nothing, in the order of an earlier one: what stays keeps its position as far as the list
/// is long enough, what is new takes the positions that are free.
pub(super) fn in_order_of<T: PartialEq>(earlier: &[T], list: Vec<T>) -> Vec<T> {
    let mut rest = list;
    let mut slots: Vec<Option<T>> = rest.iter().map(|_| None).collect();
    for (slot, item) in slots.iter_mut().zip(earlier) {
        *slot = rest.iter().position(|other| other == item).map(|at| rest.remove(at));
    }
    let mut rest = rest.into_iter();
    slots
        .into_iter()
        .filter_map(|slot| slot.or_else(|| rest.next()))
        .collect()
}

/// As [`in_order_of`], for the two subnets or zones of a deployment.
pub(super) fn pair_in_order_of(earlier: &[String; 2], pair: [String; 2]) -> [String; 2] {
    let crossed = pair[0] == earlier[1] || pair[1] == earlier[0];
    let [first, second] = pair;
    if crossed { [second, first] } else { [first, second] }
}

/// Subnets that a deployment takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Choice {
    /// The two subnets, in the template's order.
    pub subnets: [Subnet; 2],
    /// What the stack has and the VPC has no longer.
    pub gone: Vec<Place>,
}

/// Chooses two subnets in different zones from those of a VPC; `None` when there are not two zones.
///
/// What a deployed stack has is kept as long as the VPC has it, whatever else the VPC has. In place of what is gone, and
/// for a stack that is not there yet: the zones of before first, then the others by name, and in each the zone's default
/// subnet before others, then by id. The answer does not depend on the order of `subnets`.
pub(super) fn choose(deployed: Option<&[Place; 2]>, mut subnets: Vec<Subnet>) -> Option<Choice> {
    let places: &[Place] = deployed.map_or(&[], |places| places.as_slice());
    let mut taken: [Option<Subnet>; 2] = [None, None];
    let mut gone = Vec::new();
    for (slot, place) in taken.iter_mut().zip(places) {
        *slot = subnets.iter().find(|s| s.id == place.subnet).cloned();
        if slot.is_none() {
            gone.push(place.clone());
        }
    }
    let is_taken = |subnet: &Subnet| taken.iter().flatten().any(|t| t.zone == subnet.zone);
    subnets.retain(|subnet| !is_taken(subnet));
    let before = |subnet: &Subnet| places.iter().any(|p| p.zone == subnet.zone);
    subnets.sort_by(|a, b| (!before(a), &a.zone, !a.default, &a.id).cmp(&(!before(b), &b.zone, !b.default, &b.id)));
    subnets.dedup_by(|a, b| a.zone == b.zone);
    let missing = taken.iter().filter(|t| t.is_none()).count();
    let mut new: Vec<Subnet> = subnets.into_iter().take(missing).collect();
    // A zone that had its subnet at the second position gets the new one there.
    if let ([first, second], [_, last]) = (new.as_mut_slice(), places)
        && first.zone == last.zone
    {
        std::mem::swap(first, second);
    }
    let mut new = new.into_iter();
    let [first, second] = taken.map(|slot| slot.or_else(|| new.next()));
    Some(Choice {
        subnets: [first?, second?],
        gone,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn subnet(id: &str, zone: &str) -> Subnet {
        Subnet {
            id: id.into(),
            vpc: "vpc-1".into(),
            zone: zone.into(),
            default: false,
        }
    }

    fn places(first: (&str, &str), second: (&str, &str)) -> [Place; 2] {
        [first, second].map(|(subnet, zone)| Place {
            subnet: subnet.into(),
            zone: zone.into(),
        })
    }

    fn ids(choice: &Choice) -> [&str; 2] {
        [&choice.subnets[0].id, &choice.subnets[1].id]
    }

    #[test]
    fn parameters_tell_the_network() {
        let parameters = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
            pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
        };
        let zones = [("AvailabilityZone1", "z-a"), ("AvailabilityZone2", "z-b")];
        let existing = [("VPC", "vpc-1"), ("Subnet1", "s-1"), ("Subnet2", "s-2")];
        assert_eq!(
            Network::of(&parameters(&[&zones[..], &existing].concat())),
            Some(Network::Existing {
                vpc: "vpc-1".into(),
                places: places(("s-1", "z-a"), ("s-2", "z-b")),
            })
        );
        assert_eq!(
            Network::of(&parameters(&[&zones[..], &[("VpcCidr", "10.0.0.0/16")]].concat())),
            Some(Network::Own {
                cidr: "10.0.0.0/16".into(),
                zones: ["z-a".into(), "z-b".into()],
            })
        );
        for lacking in [&zones[..], &existing, &[], &[&zones[..], &existing[..2]].concat()] {
            assert_eq!(Network::of(&parameters(lacking)), None, "{lacking:?}");
        }
    }

    #[test]
    fn what_is_gone_is_chosen_anew_and_nothing_else() {
        let deployed = places(("s-2", "z-b"), ("s-3", "z-c"));
        for (there, expected, gone) in [
            // Whatever sorts before it.
            (
                vec![("s-1", "z-a"), ("s-2", "z-b"), ("s-3", "z-c"), ("s-0", "z-b")],
                Some(["s-2", "s-3"]),
                vec![],
            ),
            // The zone of before, though another sorts first.
            (
                vec![("s-1", "z-a"), ("s-2", "z-b"), ("s-9", "z-c")],
                Some(["s-2", "s-9"]),
                vec!["s-3"],
            ),
            (
                vec![("s-1", "z-a"), ("s-9", "z-b"), ("s-3", "z-c")],
                Some(["s-9", "s-3"]),
                vec!["s-2"],
            ),
            // Another zone, where the zone of before has none.
            (
                vec![("s-1", "z-a"), ("s-2", "z-b"), ("s-4", "z-b")],
                Some(["s-2", "s-1"]),
                vec!["s-3"],
            ),
            // What is left keeps its zone to itself.
            (vec![("s-2", "z-b"), ("s-4", "z-b")], None, vec![]),
            // Both are gone: each position keeps its zone.
            (
                vec![("s-8", "z-c"), ("s-9", "z-b"), ("s-1", "z-a")],
                Some(["s-9", "s-8"]),
                vec!["s-2", "s-3"],
            ),
            (
                vec![("s-8", "z-c"), ("s-1", "z-a")],
                Some(["s-1", "s-8"]),
                vec!["s-2", "s-3"],
            ),
            (
                vec![("s-9", "z-b"), ("s-1", "z-a")],
                Some(["s-9", "s-1"]),
                vec!["s-2", "s-3"],
            ),
            (vec![], None, vec![]),
        ] {
            let subnets = there.iter().map(|(id, zone)| subnet(id, zone)).collect();
            let choice = choose(Some(&deployed), subnets);
            assert_eq!(choice.as_ref().map(ids), expected, "{there:?}");
            if let Some(choice) = choice {
                let found: Vec<&str> = choice.gone.iter().map(|p| p.subnet.as_str()).collect();
                assert_eq!(found, gone, "{there:?}");
            }
        }
    }

    #[test]
    fn order_is_kept_as_far_as_it_can_be() {
        for (earlier, list, expected) in [
            ("ab", "ba", "ab"),
            ("ab", "bc", "cb"),
            ("ab", "ca", "ac"),
            ("ab", "cd", "cd"),
            ("abc", "ca", "ac"),
            ("abc", "cb", "cb"),
            ("ab", "dbca", "abdc"),
            ("aab", "baa", "aab"),
            ("", "ba", "ba"),
            ("ab", "", ""),
        ] {
            let found = in_order_of(&earlier.chars().collect::<Vec<_>>(), list.chars().collect());
            assert_eq!(found.into_iter().collect::<String>(), expected, "{earlier} {list}");
        }
        let pair = |a: &str, b: &str| [a.to_owned(), b.to_owned()];
        for (list, expected) in [
            (pair("a", "b"), pair("a", "b")),
            (pair("b", "a"), pair("a", "b")),
            (pair("b", "c"), pair("c", "b")),
            (pair("c", "a"), pair("a", "c")),
            (pair("c", "d"), pair("c", "d")),
        ] {
            assert_eq!(pair_in_order_of(&pair("a", "b"), list.clone()), expected, "{list:?}");
        }
    }

    #[test]
    fn only_a_stack_of_ours_that_stands_is_kept_to() {
        let stack = |status: &str, ours: bool| Stack {
            name: "mqaws-qm1".into(),
            id: "arn".into(),
            status: crate::observe::ports::StackStatus(status.into()),
            reason: None,
            created: jiff::Timestamp::UNIX_EPOCH,
            outputs: BTreeMap::new(),
            parameters: [("VPC".to_owned(), "vpc-1".to_owned())].into(),
            tags: [(
                crate::stack::STACK_TAG.to_owned(),
                if ours { "mqaws-qm1" } else { "x" }.to_owned(),
            )]
            .into(),
            protected: false,
        };
        for (status, stands) in [
            ("CREATE_COMPLETE", true),
            ("CREATE_IN_PROGRESS", true),
            ("UPDATE_COMPLETE", true),
            ("UPDATE_ROLLBACK_COMPLETE", true),
            ("UPDATE_ROLLBACK_FAILED", true),
            ("UPDATE_IN_PROGRESS", true),
            ("REVIEW_IN_PROGRESS", false),
            ("ROLLBACK_COMPLETE", false),
            ("ROLLBACK_IN_PROGRESS", false),
            ("CREATE_FAILED", false),
            ("DELETE_COMPLETE", false),
            ("DELETE_IN_PROGRESS", false),
        ] {
            assert_eq!(standing(&stack(status, true)).is_some(), stands, "{status}");
            assert_eq!(standing(&stack(status, false)), None, "{status}");
        }
    }

    /// Subnets of a VPC in up to five zones, with ids of their own.
    fn vpc() -> impl Strategy<Value = Vec<Subnet>> {
        let one = ("[0-9a-f]{4}", 0..5_u8, any::<bool>());
        proptest::collection::btree_map(one.0, (one.1, one.2), 0..12).prop_map(|all| {
            let made = all.into_iter().map(|(id, (zone, default))| Subnet {
                default,
                ..subnet(&format!("subnet-{id}"), &format!("z-{zone}"))
            });
            made.collect()
        })
    }

    proptest! {
        #[test]
        fn more_subnets_in_any_order_change_nothing_for_a_deployed_stack(all in vpc(), few in 0..12_usize, seed in any::<u64>()) {
            let before: Vec<Subnet> = all.iter().take(few).cloned().collect();
            let Some(first) = choose(None, before) else { return Ok(()) };
            let deployed = first.subnets.clone().map(|s| Place { subnet: s.id, zone: s.zone });
            let mut now = all;
            now.sort_by_key(|s| (s.id.bytes().fold(seed, |h, b| h.wrapping_mul(0x100_0000_01b3) ^ u64::from(b)), s.id.clone()));
            let again = choose(Some(&deployed), now).expect("it was there before");
            prop_assert_eq!(again, Choice { subnets: first.subnets, gone: vec![] });
        }

        #[test]
        fn choice_is_two_zones_of_the_vpc_whatever_its_order(all in vpc(), old in vpc()) {
            let deployed = choose(None, old).map(|c| c.subnets.map(|s| Place { subnet: s.id, zone: s.zone }));
            let mut back = all.clone();
            back.reverse();
            let choice = choose(deployed.as_ref(), all.clone());
            prop_assert_eq!(&choice, &choose(deployed.as_ref(), back));
            if let Some(choice) = choice {
                prop_assert_ne!(&choice.subnets[0].zone, &choice.subnets[1].zone);
                for (index, subnet) in choice.subnets.iter().enumerate() {
                    prop_assert!(all.contains(subnet));
                    let kept = deployed.as_ref().map(|d| d[index].subnet == subnet.id);
                    let gone = deployed.as_ref().map(|d| choice.gone.contains(&d[index]));
                    prop_assert_eq!(kept, gone.map(|g| !g));
                }
            }
        }

        #[test]
        fn order_is_all_that_changes(earlier in "[a-e]{0,6}", list in "[a-e]{0,6}") {
            let sorted = |text: &[char]| { let mut all = text.to_vec(); all.sort_unstable(); all };
            let (earlier, list): (Vec<char>, Vec<char>) = (earlier.chars().collect(), list.chars().collect());
            let found = in_order_of(&earlier, list.clone());
            prop_assert_eq!(sorted(&found), sorted(&list));
            if sorted(&list) == sorted(&earlier) {
                prop_assert_eq!(&found, &earlier);
            }
            // Once it is deployed so, it stays so.
            prop_assert_eq!(in_order_of(&found, list), found);
        }
    }
}
