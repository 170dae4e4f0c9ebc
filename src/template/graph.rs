//! Who refers to whom: references to nothing, references that a section does not allow, and cycles.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::document::Template;
use super::value::{Function, Value};

/// How one thing refers to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ReferenceKind {
    /// `Ref`, or a placeholder of `Fn::Sub` without a dot.
    Ref,
    /// `Fn::GetAtt`, or a placeholder of `Fn::Sub` with a dot.
    GetAtt,
    /// A condition, by attribute, `Fn::If` or `Condition`.
    Condition,
    /// `DependsOn`.
    DependsOn,
    /// `Fn::FindInMap`.
    Mapping,
    /// `Fn::ValueOf`.
    Parameter,
}

impl fmt::Display for ReferenceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ref => "parameter or resource",
            Self::GetAtt | Self::DependsOn => "resource",
            Self::Condition => "condition",
            Self::Mapping => "mapping",
            Self::Parameter => "parameter",
        })
    }
}

/// Something that CloudFormation would refuse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Inconsistency {
    /// A reference to something that the document does not have.
    Dangling {
        /// Path of the reference.
        at: String,
        /// How it refers.
        kind: ReferenceKind,
        /// What it names.
        target: String,
    },
    /// A reference to a resource where only parameters exist yet: in conditions and rules.
    TooEarly {
        /// Path of the reference.
        at: String,
        /// The resource.
        target: String,
    },
    /// Resources or conditions that need each other; the first is named again at the end.
    Cycle {
        /// Names along the cycle.
        through: Vec<String>,
    },
}

impl fmt::Display for Inconsistency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dangling { at, kind, target } => write!(f, "`{at}` refers to an unknown {kind}: `{target}`"),
            Self::TooEarly { at, target } => {
                write!(f, "`{at}` refers to resource `{target}`, which is not created yet")
            }
            Self::Cycle { through } => write!(f, "circular dependency: {}", through.join(" -> ")),
        }
    }
}

/// Everything that [`Template::check`] found, at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inconsistencies(pub Vec<Inconsistency>);

impl fmt::Display for Inconsistencies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("; ")?;
            }
            fault.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for Inconsistencies {}

/// Whether CloudFormation itself gives this parameter.
pub fn is_pseudo_parameter(name: &str) -> bool {
    matches!(
        name,
        "AWS::AccountId"
            | "AWS::NotificationARNs"
            | "AWS::NoValue"
            | "AWS::Partition"
            | "AWS::Region"
            | "AWS::StackId"
            | "AWS::StackName"
            | "AWS::URLSuffix"
    )
}

/// Names between `${` and `}` of a text for `Fn::Sub`, without the escaped `${!…}`.
pub fn sub_placeholders(text: &str) -> impl Iterator<Item = &str> {
    text.split("${").skip(1).filter_map(|rest| {
        let (name, _) = rest.split_once('}')?;
        (!name.starts_with('!')).then_some(name.trim())
    })
}

struct Reference {
    at: String,
    kind: ReferenceKind,
    target: String,
}

impl Template {
    /// Finds references to nothing, references that come too early, and cycles.
    ///
    /// # Errors
    /// [`Inconsistencies`] with all of them.
    pub fn check(&self) -> Result<(), Inconsistencies> {
        let mut faults = Vec::new();
        let mut conditions = BTreeMap::new();
        for (name, value) in &self.conditions {
            let found = references(&format!("Conditions.{name}"), value);
            self.judge(&found, true, &mut faults);
            conditions.insert(name.as_str(), targets(&found, &[ReferenceKind::Condition], |_| true));
        }
        for (name, rule) in &self.rules {
            let values = rule
                .condition
                .iter()
                .chain(rule.assertions.iter().map(|assertion| &assertion.assert));
            for value in values {
                self.judge(&references(&format!("Rules.{name}"), value), true, &mut faults);
            }
        }
        let mut resources = BTreeMap::new();
        for (name, resource) in &self.resources {
            let at = format!("Resources.{name}");
            let mut found = Vec::new();
            for (key, value) in &resource.properties {
                walk(&format!("{at}.Properties.{key}"), value, &mut found);
            }
            for (key, value) in [
                ("CreationPolicy", &resource.creation_policy),
                ("UpdatePolicy", &resource.update_policy),
                ("Metadata", &resource.metadata),
            ] {
                if let Some(value) = value {
                    walk(&format!("{at}.{key}"), value, &mut found);
                }
            }
            found.extend(named(
                &at,
                "Condition",
                ReferenceKind::Condition,
                resource.condition.iter(),
            ));
            found.extend(named(
                &at,
                "DependsOn",
                ReferenceKind::DependsOn,
                resource.depends_on.iter(),
            ));
            self.judge(&found, false, &mut faults);
            let kinds = [ReferenceKind::Ref, ReferenceKind::GetAtt, ReferenceKind::DependsOn];
            resources.insert(
                name.as_str(),
                targets(&found, &kinds, |target| self.resources.contains_key(target)),
            );
        }
        for (name, output) in &self.outputs {
            let at = format!("Outputs.{name}");
            let mut found = references(&at, &output.value);
            if let Some(export) = &output.export {
                walk(&format!("{at}.Export"), export, &mut found);
            }
            found.extend(named(
                &at,
                "Condition",
                ReferenceKind::Condition,
                output.condition.iter(),
            ));
            self.judge(&found, false, &mut faults);
        }
        faults.extend([&conditions, &resources].into_iter().filter_map(|edges| cycle(edges)));
        if faults.is_empty() {
            Ok(())
        } else {
            Err(Inconsistencies(faults))
        }
    }

    fn judge(&self, found: &[Reference], only_parameters: bool, faults: &mut Vec<Inconsistency>) {
        for Reference { at, kind, target } in found {
            let is_resource = self.resources.contains_key(target);
            let known = match kind {
                ReferenceKind::Ref => {
                    self.parameters.contains_key(target) || is_resource || is_pseudo_parameter(target)
                }
                ReferenceKind::GetAtt | ReferenceKind::DependsOn => is_resource,
                ReferenceKind::Condition => self.conditions.contains_key(target),
                ReferenceKind::Mapping => self.mappings.contains_key(target),
                ReferenceKind::Parameter => self.parameters.contains_key(target),
            };
            if !known {
                faults.push(Inconsistency::Dangling {
                    at: at.clone(),
                    kind: *kind,
                    target: target.clone(),
                });
            } else if only_parameters && is_resource && matches!(kind, ReferenceKind::Ref | ReferenceKind::GetAtt) {
                faults.push(Inconsistency::TooEarly {
                    at: at.clone(),
                    target: target.clone(),
                });
            }
        }
    }
}

fn named<'a>(at: &str, key: &str, kind: ReferenceKind, names: impl Iterator<Item = &'a String>) -> Vec<Reference> {
    names
        .map(|name| Reference {
            at: format!("{at}.{key}"),
            kind,
            target: name.clone(),
        })
        .collect()
}

fn targets(found: &[Reference], kinds: &[ReferenceKind], keep: impl Fn(&str) -> bool) -> BTreeSet<String> {
    found
        .iter()
        .filter(|reference| kinds.contains(&reference.kind) && keep(&reference.target))
        .map(|reference| reference.target.clone())
        .collect()
}

fn references(at: &str, value: &Value) -> Vec<Reference> {
    let mut found = Vec::new();
    walk(at, value, &mut found);
    found
}

fn walk(at: &str, value: &Value, found: &mut Vec<Reference>) {
    let mut note = |kind, target: &str| {
        found.push(Reference {
            at: at.to_owned(),
            kind,
            target: target.to_owned(),
        });
    };
    match value {
        Value::Null | Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::Str(_) => return,
        Value::List(entries) => {
            for (index, entry) in entries.iter().enumerate() {
                walk(&format!("{at}.{index}"), entry, found);
            }
            return;
        }
        Value::Map(entries) => {
            for (key, entry) in entries {
                walk(&format!("{at}.{key}"), entry, found);
            }
            return;
        }
        Value::Call(..) => {}
    }
    let Value::Call(function, argument) = value else { return };
    match (function, &**argument) {
        (Function::Ref, Value::Str(name)) => note(ReferenceKind::Ref, name),
        (Function::Condition, Value::Str(name)) => note(ReferenceKind::Condition, name),
        (Function::GetAtt, Value::Str(path)) => {
            note(
                ReferenceKind::GetAtt,
                path.split_once('.').map_or(path.as_str(), |(resource, _)| resource),
            );
        }
        (Function::GetAtt, Value::List(parts)) => {
            if let Some(Value::Str(name)) = parts.first() {
                note(ReferenceKind::GetAtt, name);
            }
        }
        (Function::If, Value::List(parts)) => {
            if let Some(Value::Str(name)) = parts.first() {
                note(ReferenceKind::Condition, name);
            }
        }
        (Function::FindInMap, Value::List(parts)) => {
            if let Some(Value::Str(name)) = parts.first() {
                note(ReferenceKind::Mapping, name);
            }
        }
        (Function::ValueOf, Value::List(parts)) => {
            if let Some(Value::Str(name)) = parts.first() {
                note(ReferenceKind::Parameter, name);
            }
        }
        (Function::Sub, Value::Str(text)) => sub_references(text, None, &mut note),
        (Function::Sub, Value::List(parts)) => {
            if let [Value::Str(text), variables] = parts.as_slice() {
                sub_references(text, Some(variables), &mut note);
            }
        }
        _ => {}
    }
    walk(at, argument, found);
}

fn sub_references(text: &str, variables: Option<&Value>, note: &mut impl FnMut(ReferenceKind, &str)) {
    for name in sub_placeholders(text).filter(|name| variables.is_none_or(|own| own.get(name).is_none())) {
        match name.split_once('.') {
            Some((resource, _)) => note(ReferenceKind::GetAtt, resource),
            None => note(ReferenceKind::Ref, name),
        }
    }
}

/// One cycle of a graph, when it has any.
fn cycle(edges: &BTreeMap<&str, BTreeSet<String>>) -> Option<Inconsistency> {
    // Names that still wait for another one; what can be made is taken away until nothing moves.
    let mut waiting: BTreeMap<&str, BTreeSet<&str>> = edges
        .iter()
        .map(|(name, needs)| (*name, needs.iter().map(String::as_str).collect()))
        .collect();
    loop {
        let free: Vec<&str> = waiting
            .iter()
            .filter(|(_, needs)| needs.iter().all(|need| !waiting.contains_key(need)))
            .map(|(name, _)| *name)
            .collect();
        if free.is_empty() {
            break;
        }
        for name in free {
            waiting.remove(name);
        }
    }
    // Everything left waits for something left, so walking on must come back.
    let mut path: Vec<&str> = vec![*waiting.keys().next()?];
    loop {
        let last = path.last()?;
        let next = *waiting.get(last)?.iter().find(|need| waiting.contains_key(*need))?;
        if let Some(start) = path.iter().position(|name| *name == next) {
            let through = path[start..]
                .iter()
                .chain([&next])
                .map(|name| (*name).to_owned())
                .collect();
            return Some(Inconsistency::Cycle { through });
        }
        path.push(next);
    }
}
