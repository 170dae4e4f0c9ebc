//! Conditions, and the functions that only rules have.

use super::super::references::{Reference, references};
use super::super::template::Template;
use super::{ApiError, Conditions, Facts, NoResources, Scope, error, plain};
use serde_json::Value;

/// Evaluates all conditions of a template.
///
/// # Errors
/// `ValidationError` for a malformed condition.
pub(crate) fn conditions(template: &Template, facts: &Facts) -> Result<Conditions, ApiError> {
    let mut facts = facts.clone();
    let mut left: Vec<&String> = template.conditions.keys().collect();
    // The template was checked for cycles, so every round settles at least one.
    while !left.is_empty() {
        let before = left.len();
        let mut later = Vec::new();
        for name in left {
            let value = &template.conditions[name];
            let ready = references(value).iter().all(|r| match r {
                Reference::Condition(other) => facts.conditions.contains_key(other),
                _ => true,
            });
            if ready {
                let scope = Scope {
                    template,
                    facts: &facts,
                    resources: &NoResources,
                };
                let holds = scope.condition(value)?;
                facts.conditions.insert(name.clone(), holds);
            } else {
                later.push(name);
            }
        }
        if later.len() == before {
            return Err(error("conditions depend on each other"));
        }
        left = later;
    }
    Ok(facts.conditions)
}

impl Scope<'_> {
    pub(super) fn named_condition(&self, name: &str) -> Result<bool, ApiError> {
        self.facts
            .conditions
            .get(name)
            .copied()
            .ok_or_else(|| error(format!("unresolved condition dependency {name} in Fn::If")))
    }

    /// Whether a condition holds; also the functions that only rules have.
    ///
    /// # Errors
    /// `ValidationError` for a malformed condition.
    pub(crate) fn condition(&self, value: &Value) -> Result<bool, ApiError> {
        let (function, inner) = match value.as_object().and_then(|m| m.iter().next()) {
            Some((function, inner)) => (function.as_str(), inner),
            None => return Err(error("every condition must be a boolean expression")),
        };
        let many = || -> Result<Vec<bool>, ApiError> {
            match inner {
                Value::Array(parts) if !parts.is_empty() => parts.iter().map(|p| self.condition(p)).collect(),
                _ => Err(error(format!("every {function} object requires a list of conditions"))),
            }
        };
        match function {
            "Condition" => self.named_condition(inner.as_str().unwrap_or_default()),
            "Fn::And" => Ok(many()?.into_iter().all(|c| c)),
            "Fn::Or" => Ok(many()?.into_iter().any(|c| c)),
            "Fn::Not" => Ok(!many()?.first().copied().unwrap_or_default()),
            "Fn::Equals" => {
                let (left, right) = self.pair(function, inner)?;
                Ok(plain(&left) == plain(&right))
            }
            "Fn::Contains" => {
                let (items, item) = self.pair(function, inner)?;
                Ok(items
                    .as_array()
                    .is_some_and(|all| all.iter().any(|i| plain(i) == plain(&item))))
            }
            "Fn::EachMemberIn" => {
                let (left, right) = self.pair(function, inner)?;
                let right = right.as_array().cloned().unwrap_or_default();
                Ok(left
                    .as_array()
                    .is_some_and(|all| all.iter().all(|i| right.iter().any(|r| plain(r) == plain(i)))))
            }
            "Fn::EachMemberEquals" => {
                let (items, item) = self.pair(function, inner)?;
                Ok(items
                    .as_array()
                    .is_some_and(|all| all.iter().all(|i| plain(i) == plain(&item))))
            }
            other => Err(error(format!("unsupported condition function {other}"))),
        }
    }
}
