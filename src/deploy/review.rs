//! What a change set would do, and whether it may.

use super::cause::GROUP;
use super::kept::FILE_SYSTEM;
use super::ports::{Change, Detail};
use serde::Serialize;
use std::collections::BTreeMap;

/// What happens to a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// It is created.
    Add,
    /// It is changed in place.
    Change,
    /// A new one takes its place, or may do so.
    Replace,
    /// It is removed.
    Remove,
}

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
    /// Whether data are at stake: the resource is a file system that would be replaced or deleted.
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
    /// Reads a change set's changes.
    pub fn of(changes: &[Change]) -> Self {
        let relaunch = changes
            .iter()
            .any(|change| renews_the_template(change) || moves_the_group(change));
        let mut lines: Vec<Line> = changes.iter().map(|change| line(change, relaunch)).collect();
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

    /// Logical ids of file systems that would be replaced or deleted without having been named.
    pub fn data_at_stake(&self, allowed: &[String]) -> Vec<&Line> {
        self.lines
            .iter()
            .filter(|l| l.data && !allowed.contains(&l.logical))
            .collect()
    }

    /// `23 to add, 0 to change, 0 to replace`; removals only when there are any.
    pub fn summary(&self) -> String {
        let removed = match self.count(Effect::Remove) {
            0 => String::new(),
            n => format!(", {n} to remove"),
        };
        format!(
            "{} to add, {} to change, {} to replace{removed}",
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
        Effect::Change => 2,
        Effect::Add => 3,
    }
}

fn line(change: &Change, relaunch: bool) -> Line {
    let effect = effect(change);
    let data = change.kind == FILE_SYSTEM && matches!(effect, Effect::Replace | Effect::Remove);
    let mut parts: Vec<String> = change.details.iter().filter_map(property).collect();
    parts.dedup();
    let meaning = meaning(change, effect, relaunch);
    let passed_on = |d: &Detail| d.dynamic || d.attribute == "Tags";
    let follows = effect == Effect::Change
        && meaning.is_none()
        && !change.details.is_empty()
        && change.details.iter().all(passed_on);
    parts.extend(meaning);
    Line {
        effect,
        logical: change.logical.clone(),
        kind: change.kind.clone(),
        text: parts.join("; "),
        data,
        follows,
    }
}

/// Whether a change is sure to make a new version of a launch template, and so new instances. One that takes its values
/// from other resources may come to the same version as before, and one of its tags always does.
fn renews_the_template(change: &Change) -> bool {
    let certain = |d: &Detail| !d.dynamic && names(d, "LaunchTemplateData");
    change.kind == "AWS::EC2::LaunchTemplate" && change.details.iter().any(certain)
}

/// Whether a change is sure to give the group other subnets, which replaces its instance wherever it is.
fn moves_the_group(change: &Change) -> bool {
    change.kind == GROUP
        && change
            .details
            .iter()
            .any(|d| !d.dynamic && names(d, "VPCZoneIdentifier"))
}

fn effect(change: &Change) -> Effect {
    match (change.action.as_str(), change.replacement.as_deref()) {
        ("Add" | "Import", _) => Effect::Add,
        ("Remove", _) => Effect::Remove,
        // A rolling update replaces the group's instances, never the group.
        (_, Some("Conditional")) if change.kind == GROUP && only_rolls(change) => Effect::Change,
        // Conditional: CloudFormation finds out while it works. What is not known to be harmless is not.
        (_, None | Some("False")) => Effect::Change,
        _ => Effect::Replace,
    }
}

fn property(detail: &Detail) -> Option<String> {
    let name = detail.name.as_deref().unwrap_or(&detail.attribute);
    let short = name.rsplit('/').next().unwrap_or(name);
    Some(match (&detail.before, &detail.after) {
        (Some(before), Some(after)) if before != after => format!("{short} {} → {}", brief(before), brief(after)),
        (None, Some(after)) if !after.is_empty() => format!("{short} → {}", brief(after)),
        _ => short.to_owned(),
    })
    .filter(|text| !text.is_empty())
}

/// Adds the values of parameters where CloudFormation tells only that a parameter causes a change.
pub(super) fn complete(changes: &mut [Change], old: &BTreeMap<String, String>, new: &BTreeMap<String, String>) {
    for detail in changes.iter_mut().flat_map(|c| &mut c.details) {
        let named = |name: &Option<String>| name.clone().filter(|n| old.contains_key(n) && new.contains_key(n));
        let parameter = named(&detail.cause).or_else(|| named(&detail.name));
        if let Some(parameter) = parameter.filter(|_| detail.before.is_none() && detail.after.is_none()) {
            detail.before = old.get(&parameter).cloned();
            detail.after = new.get(&parameter).cloned();
        }
    }
}

/// Values may be whole documents, such as user data.
fn brief(value: &str) -> String {
    const MOST: usize = 40;
    match value.chars().count() {
        n if n <= MOST => value.to_owned(),
        _ => format!("{}…", value.chars().take(MOST).collect::<String>()),
    }
}

fn meaning(change: &Change, effect: Effect, relaunch: bool) -> Option<String> {
    let kept = change.policy.as_deref().is_some_and(|p| p.contains("Retain"));
    // Whatever is not said to be certain is found out by CloudFormation while it works.
    let certain = change.replacement.as_deref() == Some("True");
    let either = |sure, perhaps| if certain { sure } else { perhaps };
    Some(
        match (change.kind.as_str(), effect) {
            (FILE_SYSTEM, Effect::Replace) => either(
                "REPLACES the file system: all messages stay on the old one, which is kept",
                "MAY REPLACE the file system: all messages would stay on the old one, which is kept",
            ),
            (FILE_SYSTEM, Effect::Remove) if kept => "leaves the stack: the file system is kept, but no longer used",
            (FILE_SYSTEM, Effect::Remove) => "DELETES the file system with all messages",
            (GROUP, Effect::Change) if relaunch && rolls(change) => {
                "replaces its instance: one planned outage, about 60-180 s"
            }
            (GROUP, Effect::Change) if rolls(change) => {
                "may replace its instance, if the launch template comes to a new version: then one planned outage"
            }
            (GROUP, Effect::Replace) => either(
                "replaced: an outage until the new one serves",
                "may be replaced: then an outage until the new one serves",
            ),
            ("AWS::ElasticLoadBalancingV2::LoadBalancer", Effect::Replace) => either(
                "replaced: clients need the new DNS name",
                "may be replaced: then clients need the new DNS name",
            ),
            ("AWS::SecretsManager::Secret", Effect::Replace) => either(
                "replaced: clients need the new password",
                "may be replaced: then clients need the new password",
            ),
            (_, Effect::Replace) => either("replaced", "may be replaced"),
            (_, Effect::Remove) => "removed",
            _ => return None,
        }
        .to_owned(),
    )
}

/// Whether a property of a group is one whose change begins a rolling update.
fn is_rolled(detail: &Detail) -> bool {
    names(detail, "LaunchTemplate") || names(detail, "VPCZoneIdentifier")
}

fn rolls(change: &Change) -> bool {
    change.details.iter().any(is_rolled)
}

fn only_rolls(change: &Change) -> bool {
    let mut properties = change.details.iter().filter(|d| d.attribute == "Properties");
    rolls(change) && properties.all(is_rolled)
}

fn names(detail: &Detail, property: &str) -> bool {
    detail.name.as_deref().is_some_and(|n| n.contains(property))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(kind: &str, action: &str, replacement: Option<&str>, property: &str) -> Change {
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
            let review = Review::of(&[change("AWS::EFS::FileSystem", action, replacement, "PerformanceMode")]);
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
        let review = Review::of(&[
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

    fn dynamic(mut change: Change) -> Change {
        change.details.iter_mut().for_each(|d| d.dynamic = true);
        change
    }

    #[test]
    fn lines_say_what_a_change_means() {
        let text = |c: Change| Review::of(&[c]).lines[0].text.clone();
        for (replacement, name, words) in [
            (
                "True",
                "LaunchConfigurationName",
                "LaunchConfigurationName a → b; replaced: an outage until",
            ),
            (
                "Conditional",
                "LaunchConfigurationName",
                "LaunchConfigurationName a → b; may be replaced: then an outage",
            ),
            (
                "Conditional",
                "VPCZoneIdentifier",
                "VPCZoneIdentifier a → b; replaces its instance: one planned outage",
            ),
        ] {
            let group = change(GROUP, "Modify", Some(replacement), name);
            assert!(text(group).starts_with(words), "{replacement}");
        }
        let balancer = change(
            "AWS::ElasticLoadBalancingV2::LoadBalancer",
            "Modify",
            Some("Conditional"),
            "Subnets",
        );
        assert!(text(balancer).contains("may be replaced: then clients need the new DNS name"));
        let storage = |replacement| change(FILE_SYSTEM, "Modify", Some(replacement), "PerformanceMode");
        assert!(text(storage("True")).contains("PerformanceMode a → b; REPLACES the file system"));
        assert!(text(storage("Conditional")).contains("MAY REPLACE the file system"));
    }

    #[test]
    fn outage_is_certain_only_when_the_launch_template_is() {
        let group = dynamic(change(GROUP, "Modify", Some("Conditional"), "LaunchTemplate"));
        let template = |name| change("AWS::EC2::LaunchTemplate", "Modify", Some("False"), name);
        let mut tags = template("Tags");
        tags.details[0].attribute = "Tags".into();
        for (changes, sure) in [
            (vec![template("LaunchTemplateData"), group.clone()], true),
            (
                vec![template("/Properties/LaunchTemplateData/InstanceType"), group.clone()],
                true,
            ),
            // As of a switch that is only a tag: ids of other resources, which stay what they were.
            (
                vec![tags.clone(), dynamic(template("LaunchTemplateData")), group.clone()],
                false,
            ),
            (vec![tags, group.clone()], false),
            (vec![group], false),
        ] {
            let review = Review::of(&changes);
            let line = review.lines.iter().find(|l| l.kind == GROUP).expect("a line");
            let words = if sure {
                "; replaces its instance: one planned outage"
            } else {
                "; may replace its instance"
            };
            assert!(line.text.contains(words), "{changes:?}: {}", line.text);
            assert_eq!((line.effect, line.follows), (Effect::Change, false));
        }
    }

    #[test]
    fn what_only_follows_is_told_apart() {
        let kind = "AWS::EC2::SecurityGroup";
        let mut tags = change(kind, "Modify", Some("False"), "Tags");
        tags.details[0].attribute = "Tags".into();
        let follows = |c: Change| Review::of(&[c]).lines[0].follows;
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
            Review::of(&changes).lines[0]
                .text
                .starts_with("PerformanceMode generalPurpose → maxIO; REPLACES")
        );
    }

    #[test]
    fn long_values_are_cut() {
        assert_eq!(brief(&"x".repeat(100)).chars().count(), 41);
    }
}
