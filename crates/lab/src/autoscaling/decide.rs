//! What a group does next, as a pure function of what it is.

/// Where an instance is in its life in the group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub(crate) enum Phase {
    Pending,
    PendingWait,
    PendingProceed,
    InService,
    Terminating,
    TerminatingWait,
    TerminatingProceed,
}

impl Phase {
    /// AWS's word.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Phase::Pending => "Pending",
            Phase::PendingWait => "Pending:Wait",
            Phase::PendingProceed => "Pending:Proceed",
            Phase::InService => "InService",
            Phase::Terminating => "Terminating",
            Phase::TerminatingWait => "Terminating:Wait",
            Phase::TerminatingProceed => "Terminating:Proceed",
        }
    }

    /// Whether the instance counts towards the desired capacity: it is on its way in, or in.
    pub(crate) fn is_active(self) -> bool {
        matches!(
            self,
            Phase::Pending | Phase::PendingWait | Phase::PendingProceed | Phase::InService
        )
    }
}

/// One instance, or one launch that has no instance yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Member {
    /// Instance id, or the launch's own id before there is an instance.
    pub(crate) id: String,
    /// Zone.
    pub(crate) zone: String,
    /// Phase.
    pub(crate) phase: Phase,
    /// False once a health check or a user said so.
    pub(crate) healthy: bool,
    /// Order of launches.
    pub(crate) launched: u64,
    /// Whether scale-in leaves it alone.
    pub(crate) protected: bool,
}

/// What is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct View {
    /// MinSize.
    pub(crate) min: u32,
    /// MaxSize.
    pub(crate) max: u32,
    /// DesiredCapacity.
    pub(crate) desired: u32,
    /// Zones of the group in its own order.
    pub(crate) zones: Vec<String>,
    /// Instances and launches.
    pub(crate) members: Vec<Member>,
    /// Suspended processes.
    pub(crate) suspended: Vec<String>,
    /// Zone of the instance that was lost last.
    pub(crate) lost_zone: Option<String>,
    /// Zones in which a launch failed lately; avoided while there is another.
    pub(crate) failing_zones: Vec<String>,
}

/// Why a step is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Why {
    /// The instance is unhealthy.
    Unhealthy,
    /// The group has more instances than desired: from, to.
    TooMany(u32, u32),
    /// The group has fewer instances than desired: from, to.
    TooFew(u32, u32),
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// Begin the termination of a member.
    Terminate {
        /// Its id.
        id: String,
        /// Why.
        why: Why,
    },
    /// Launch one instance.
    Launch {
        /// Zone.
        zone: String,
        /// Why; [`Why::Unhealthy`] when it replaces an unhealthy one.
        why: Why,
    },
}

/// Decides the next steps; taking all of them and asking again gives nothing more until something changes.
pub(crate) fn decide(view: &View) -> Vec<Step> {
    let suspended = |process: &str| view.suspended.iter().any(|p| p == process);
    let mut steps = Vec::new();
    let mut active: Vec<&Member> = view.members.iter().filter(|m| m.phase.is_active()).collect();
    let mut replaced = 0;
    let mut lost_zone = view.lost_zone.clone();
    if !suspended("ReplaceUnhealthy") && !suspended("Terminate") {
        for member in active.iter().filter(|m| !m.healthy) {
            replaced += 1;
            lost_zone = Some(member.zone.clone());
            steps.push(Step::Terminate {
                id: member.id.clone(),
                why: Why::Unhealthy,
            });
        }
        active.retain(|m| m.healthy);
    }
    let target = view.desired.clamp(view.min, view.max.max(view.min)).min(view.max);
    let mut have = u32::try_from(active.len()).unwrap_or(u32::MAX);
    let mut zones: Vec<String> = active.iter().map(|m| m.zone.clone()).collect();
    while have < target && !suspended("Launch") {
        let Some(zone) = choose_zone(view, &zones, lost_zone.as_deref()) else {
            break;
        };
        let why = if replaced > 0 {
            replaced -= 1;
            Why::Unhealthy
        } else {
            Why::TooFew(have, have + 1)
        };
        zones.push(zone.clone());
        have += 1;
        steps.push(Step::Launch { zone, why });
    }
    while have > target && !suspended("Terminate") {
        let Some(position) = choose_victim(&active) else {
            break;
        };
        let member = active.remove(position);
        steps.push(Step::Terminate {
            id: member.id.clone(),
            why: Why::TooMany(have, have - 1),
        });
        have -= 1;
    }
    steps
}

/// The zone with the fewest active instances; among equals not the one that just lost an instance, then the group's order.
fn choose_zone(view: &View, taken: &[String], lost: Option<&str>) -> Option<String> {
    let rank = |zone: &String| {
        (
            view.failing_zones.contains(zone),
            taken.iter().filter(|t| *t == zone).count(),
            lost == Some(zone.as_str()),
        )
    };
    view.zones.iter().min_by_key(|zone| rank(zone)).cloned()
}

/// The oldest unprotected instance of the zone that has the most, as the default termination policy begins.
fn choose_victim(active: &[&Member]) -> Option<usize> {
    let in_zone = |zone: &str| active.iter().filter(|m| m.zone == zone).count();
    active
        .iter()
        .enumerate()
        .filter(|(_, m)| !m.protected)
        .max_by_key(|(_, m)| (in_zone(&m.zone), std::cmp::Reverse(m.launched)))
        .map(|(position, _)| position)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn member(id: &str, zone: &str, phase: Phase, healthy: bool) -> Member {
        Member {
            id: id.to_owned(),
            zone: zone.to_owned(),
            phase,
            healthy,
            launched: 0,
            protected: false,
        }
    }

    fn group_of_one(members: Vec<Member>) -> View {
        View {
            min: 0,
            max: 1,
            desired: 1,
            zones: vec!["a".to_owned(), "b".to_owned()],
            members,
            ..View::default()
        }
    }

    #[test]
    fn a_replacement_is_launched_with_the_termination_and_in_the_other_zone() {
        let view = group_of_one(vec![member("i-1", "a", Phase::InService, false)]);
        let expected = vec![
            Step::Terminate {
                id: "i-1".to_owned(),
                why: Why::Unhealthy,
            },
            Step::Launch {
                zone: "b".to_owned(),
                why: Why::Unhealthy,
            },
        ];
        assert_eq!(decide(&view), expected);
    }

    #[test]
    fn an_instance_that_terminates_does_not_hold_back_its_replacement() {
        let mut view = group_of_one(vec![member("i-1", "a", Phase::TerminatingWait, false)]);
        view.lost_zone = Some("a".to_owned());
        let steps = decide(&view);
        assert!(
            matches!(&steps[..], [Step::Launch { zone, why: Why::TooFew(0, 1) }] if zone == "b"),
            "{steps:?}"
        );
    }

    #[test]
    fn suspended_processes_do_nothing() {
        let unhealthy = group_of_one(vec![member("i-1", "a", Phase::InService, false)]);
        let cases = [
            (vec!["ReplaceUnhealthy"], 0),
            (vec!["Terminate"], 0),
            (vec!["Launch"], 1),
            (vec!["AZRebalance"], 2),
        ];
        for (suspended, steps) in cases {
            let mut view = unhealthy.clone();
            view.suspended = suspended.iter().map(|p| (*p).to_owned()).collect();
            assert_eq!(decide(&view).len(), steps, "{suspended:?}");
        }
    }

    #[test]
    fn scale_in_takes_from_the_fullest_zone_and_spares_the_protected() {
        let mut members = vec![
            member("i-1", "a", Phase::InService, true),
            member("i-2", "a", Phase::InService, true),
            member("i-3", "b", Phase::InService, true),
        ];
        members[0].protected = true;
        members[1].launched = 5;
        let view = View {
            max: 3,
            desired: 2,
            ..group_of_one(members)
        };
        let steps = decide(&view);
        assert!(
            matches!(&steps[..], [Step::Terminate { id, why: Why::TooMany(3, 2) }] if id == "i-2"),
            "{steps:?}"
        );
    }

    #[test]
    fn a_zone_where_launches_fail_is_avoided_while_there_is_another() {
        let mut view = group_of_one(Vec::new());
        view.failing_zones = vec!["a".to_owned()];
        assert!(matches!(&decide(&view)[..], [Step::Launch { zone, .. }] if zone == "b"));
        view.zones = vec!["a".to_owned()];
        assert!(matches!(&decide(&view)[..], [Step::Launch { zone, .. }] if zone == "a"));
    }

    #[derive(Debug, Clone)]
    enum Happening {
        Desired(u32),
        Max(u32),
        Unhealthy(usize),
        Advance(usize),
        Suspend(bool),
        Nothing,
    }

    fn happening() -> impl Strategy<Value = Happening> {
        prop_oneof![
            (0..5u32).prop_map(Happening::Desired),
            (0..4u32).prop_map(Happening::Max),
            (0..8usize).prop_map(Happening::Unhealthy),
            (0..8usize).prop_map(Happening::Advance),
            any::<bool>().prop_map(Happening::Suspend),
            Just(Happening::Nothing),
        ]
    }

    /// What the control loop does with steps, without time.
    fn apply(view: &mut View, steps: &[Step], count: &mut u64) {
        for step in steps {
            match step {
                Step::Terminate { id, .. } => {
                    let member = view.members.iter_mut().find(|m| m.id == *id).expect("a known member");
                    assert!(member.phase.is_active(), "terminated twice: {id}");
                    member.phase = Phase::Terminating;
                    view.lost_zone = Some(member.zone.clone());
                }
                Step::Launch { zone, .. } => {
                    *count += 1;
                    let mut new = member(&format!("i-{count}"), zone, Phase::Pending, true);
                    new.launched = *count;
                    view.members.push(new);
                }
            }
        }
    }

    fn active(view: &View) -> u32 {
        u32::try_from(view.members.iter().filter(|m| m.phase.is_active()).count()).expect("few")
    }

    proptest! {
        #[test]
        fn launches_never_exceed_the_maximum_and_the_group_settles(happenings in proptest::collection::vec(happening(), 0..60)) {
            let mut view = View { min: 0, max: 1, desired: 1, zones: vec!["a".to_owned(), "b".to_owned()], ..View::default() };
            let mut count = 0;
            for happening in happenings {
                match happening {
                    Happening::Desired(n) => view.desired = n.min(view.max),
                    Happening::Max(n) => { view.max = n; view.desired = view.desired.min(n); }
                    Happening::Unhealthy(n) => if let Some(m) = view.members.get_mut(n) { m.healthy = false },
                    Happening::Advance(n) => if let Some(m) = view.members.get_mut(n) {
                        match m.phase {
                            Phase::Pending => m.phase = Phase::InService,
                            Phase::Terminating => { view.members.remove(n); }
                            _ => {}
                        }
                    },
                    Happening::Suspend(true) => view.suspended = vec!["Launch".to_owned()],
                    Happening::Suspend(false) => view.suspended.clear(),
                    Happening::Nothing => {}
                }
                let before = active(&view);
                let steps = decide(&view);
                let launches = steps.iter().any(|s| matches!(s, Step::Launch { .. }));
                apply(&mut view, &steps, &mut count);
                let now = active(&view);
                prop_assert!(!launches || now <= view.max, "{now} active, maximum {}", view.max);
                prop_assert!(now <= view.max || now <= before, "grew beyond the maximum: {before} to {now}");
                prop_assert!(decide(&view).is_empty(), "steps taken, yet more to do: {:?}", decide(&view));
                if view.suspended.is_empty() {
                    prop_assert_eq!(now, view.desired);
                }
                // What exists beyond the maximum is on its way out: the documented overlap, nothing else.
                let all = u32::try_from(view.members.len()).expect("few");
                let leaving = all - now;
                prop_assert!(all <= view.max + leaving);
            }
        }
    }
}
