//! What a change set would do, and whether it may.

use super::ports::{Change, Detail};
use crate::model::Topology;
use crate::topology::{self, Meaning};
use serde::Serialize;
use std::collections::BTreeMap;

mod changed;

pub use crate::topology::Effect;

/// One line of a review.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    /// What happens.
    pub effect: Effect,
    /// Logical id.
    pub logical: String,
    /// Resource type.
    pub kind: String,
    /// What changes, and what it means.
    pub text: String,
    /// Whether data are at stake: the resource holds messages, and would be replaced or deleted.
    pub data: bool,
    /// Whether the change only follows from others: tags, and values that come from what else changes.
    pub follows: bool,
}

/// What a change set would do; additions last, since they are the least surprising.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Review {
    /// One line for each resource.
    pub lines: Vec<Line>,
}

impl Review {
    /// Reads a change set's changes, which mean what the topology of the stack says.
    pub fn of(topology: Topology, changes: &[Change]) -> Self {
        let topology = topology::of(topology);
        let of_one = |change| line(change, topology.meaning(change, changes));
        let mut lines: Vec<Line> = changes.iter().map(of_one).collect();
        lines.sort_by_key(|l| (!l.data, order(l.effect)));
        Self { lines }
    }

    /// Whether nothing would change.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// How many resources have that effect.
    pub fn count(&self, effect: Effect) -> usize {
        self.lines.iter().filter(|l| l.effect == effect).count()
    }

    /// What holds messages and would be replaced or deleted without having been named.
    pub fn data_at_stake(&self, allowed: &[String]) -> Vec<&Line> {
        self.lines
            .iter()
            .filter(|l| l.data && !allowed.contains(&l.logical))
            .collect()
    }

    /// `23 to add, 0 to change, 0 to replace`; removals and adoptions only when there are any.
    pub fn summary(&self) -> String {
        let removed = match self.count(Effect::Remove) {
            0 => String::new(),
            n => format!(", {n} to remove"),
        };
        let imported = match self.count(Effect::Import) {
            0 => String::new(),
            n => format!("{n} to adopt, "),
        };
        format!(
            "{imported}{} to add, {} to change, {} to replace{removed}",
            self.count(Effect::Add),
            self.count(Effect::Change),
            self.count(Effect::Replace),
        )
    }
}

fn order(effect: Effect) -> u8 {
    match effect {
        Effect::Replace => 0,
        Effect::Remove => 1,
        Effect::Import => 2,
        Effect::Change => 3,
        Effect::Add => 4,
    }
}

fn line(change: &Change, meaning: Meaning) -> Line {
    let Meaning { effect, words, data } = meaning;
    let mut parts = changed::properties(&change.details);
    let passed_on = |d: &Detail| d.dynamic || d.attribute == "Tags";
    let follows = effect == Effect::Change
        && words.is_none()
        && !change.details.is_empty()
        && change.details.iter().all(passed_on);
    parts.extend(words.map(str::to_owned));
    Line {
        effect,
        logical: change.logical.clone(),
        kind: change.kind.clone(),
        text: parts.join("; "),
        data,
        follows,
    }
}

/// Adds the values of parameters where CloudFormation tells only that a parameter causes a change.
pub(super) fn complete(changes: &mut [Change], old: &BTreeMap<String, String>, new: &BTreeMap<String, String>) {
    for detail in changes.iter_mut().flat_map(|c| &mut c.details) {
        let named = |name: &Option<String>| name.clone().filter(|n| old.contains_key(n) && new.contains_key(n));
        let parameter = named(&detail.cause).or_else(|| named(&detail.name));
        if let Some(parameter) = parameter.filter(|_| detail.after.is_none()) {
            let name = detail.name.take().unwrap_or_default();
            detail.name = Some(match changed::short(&name) == parameter {
                true => name,
                false => format!("{name} {parameter}").trim().to_owned(),
            });
            detail.before = old.get(&parameter).cloned();
            detail.after = new.get(&parameter).cloned();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topology::tests::{change, dynamic};

    fn review(changes: &[Change]) -> Review {
        Review::of(Topology::default(), changes)
    }

    #[test]
    fn data_are_at_stake_unless_named() {
        for (action, replacement, at_stake) in [
            ("Add", None, false),
            ("Modify", Some("False"), false),
            ("Modify", Some("True"), true),
            ("Modify", Some("Conditional"), true),
            ("Modify", Some("SomethingNew"), true),
            ("Remove", None, true),
        ] {
            let review = review(&[change("AWS::EFS::FileSystem", action, replacement, "PerformanceMode")]);
            assert_eq!(
                !review.data_at_stake(&[]).is_empty(),
                at_stake,
                "{action} {replacement:?}"
            );
            assert!(review.data_at_stake(&["FileSystem".into()]).is_empty());
        }
    }

    #[test]
    fn summary_counts_effects() {
        let review = review(&[
            change("AWS::EC2::SecurityGroup", "Add", None, "x"),
            change("AWS::EC2::LaunchTemplate", "Modify", Some("False"), "ImageId"),
            change(
                "AWS::ElasticLoadBalancingV2::LoadBalancer",
                "Modify",
                Some("True"),
                "Scheme",
            ),
            change("AWS::CloudWatch::Alarm", "Remove", None, "x"),
        ]);
        assert_eq!(review.summary(), "1 to add, 1 to change, 1 to replace, 1 to remove");
        assert_eq!(review.lines[0].effect, Effect::Replace);
        assert_eq!(review.lines[3].effect, Effect::Add);
    }

    #[test]
    fn what_only_follows_is_told_apart() {
        let kind = "AWS::EC2::SecurityGroup";
        let mut tags = change(kind, "Modify", Some("False"), "Tags");
        tags.details[0].attribute = "Tags".into();
        let follows = |c: Change| review(&[c]).lines[0].follows;
        assert!(follows(tags));
        assert!(follows(dynamic(change(
            kind,
            "Modify",
            Some("False"),
            "SecurityGroupIngress"
        ))));
        assert!(!follows(change(kind, "Modify", Some("False"), "SecurityGroupIngress")));
        // What may be replaced is no mere consequence.
        assert!(!follows(dynamic(change(kind, "Modify", Some("Conditional"), "VpcId"))));
    }

    #[test]
    fn values_of_parameters_complete_a_change() {
        let mut changes = [change(
            "AWS::EFS::FileSystem",
            "Modify",
            Some("True"),
            "PerformanceMode",
        )];
        changes[0].details[0].before = None;
        changes[0].details[0].after = None;
        let with = |value: &str| BTreeMap::from([("PerformanceMode".to_owned(), value.to_owned())]);
        complete(&mut changes, &with("generalPurpose"), &with("maxIO"));
        assert!(
            review(&changes).lines[0]
                .text
                .starts_with("PerformanceMode generalPurpose → maxIO; REPLACES")
        );
    }

    /// CloudFormation tells of a value that comes from another resource as well that it is known later.
    #[test]
    fn value_of_a_parameter_is_told_with_its_name_where_that_of_the_property_is_not_known() {
        let mut template = change(
            "AWS::EC2::LaunchTemplate",
            "Modify",
            Some("False"),
            "LaunchTemplateData",
        );
        let mut tags = template.details[0].clone();
        (tags.attribute, tags.name) = ("Tags".into(), None);
        let mut sure = template.details[0].clone();
        (sure.cause, sure.before, sure.after) = (Some("InstanceType".into()), None, None);
        let mut follows = sure.clone();
        (follows.dynamic, follows.cause) = (true, Some("InstanceSecurityGroup.GroupId".into()));
        template.details = vec![tags, follows, sure];
        let with = |value: &str| BTreeMap::from([("InstanceType".to_owned(), value.to_owned())]);
        let mut changes = [template];
        complete(&mut changes, &with("m6i.large"), &with("m6i.xlarge"));
        let line = &review(&changes).lines[0];
        assert!(!line.follows, "an instance is replaced for it");
        assert_eq!(
            line.text,
            "Tags a → b; LaunchTemplateData InstanceType m6i.large → m6i.xlarge"
        );
    }
}
