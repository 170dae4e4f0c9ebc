//! One condition of a statement: an operator, a key, and the values it is compared with.

use super::context::Context;
use super::document::{Kind, Malformed};
use super::keys;
use super::operator::{Comparison, Operator, Order, SetOperator};
use super::pattern::{Pattern, Special};
use serde_json::Value;

/// A condition.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Condition {
    operator: Operator,
    key: String,
    wanted: Values,
}

/// The values of a policy, read for their comparison.
#[derive(Debug, Clone, PartialEq)]
enum Values {
    Texts(Vec<Pattern>),
    Numbers(Vec<f64>),
    Dates(Vec<jiff::Timestamp>),
    Flags(Vec<bool>),
}

/// Reads the `Condition` element.
///
/// # Errors
/// Another form, an operator or a key that is not known here, a value that its operator cannot compare.
pub(super) fn parse(element: &Value, kind: Kind, variables: bool) -> Result<Vec<Condition>, Malformed> {
    let Value::Object(operators) = element else {
        return Err(Malformed::syntax());
    };
    let mut conditions = Vec::new();
    for (name, keys) in operators {
        let operator = Operator::parse(name)?;
        let Value::Object(keys) = keys else {
            return Err(Malformed::syntax());
        };
        for (key, values) in keys {
            let known = match kind {
                Kind::Trust => keys::is_known_to_trust(key),
                Kind::Identity | Kind::Resource => keys::is_known(key),
            };
            if !known {
                return Err(Malformed(format!(
                    "The local cloud does not support condition key {key}."
                )));
            }
            let wanted = wanted(operator.comparison, &texts(values)?, variables)
                .map_err(|why| Malformed(format!("The value of {name} on {key} is not valid: {}", why.0)))?;
            conditions.push(Condition {
                operator,
                key: key.clone(),
                wanted,
            });
        }
    }
    Ok(conditions)
}

fn texts(values: &Value) -> Result<Vec<String>, Malformed> {
    let one = |value: &Value| match value {
        Value::String(text) => Ok(text.clone()),
        Value::Bool(flag) => Ok(flag.to_string()),
        Value::Number(number) => Ok(number.to_string()),
        _ => Err(Malformed::syntax()),
    };
    match values {
        Value::Array(all) if all.is_empty() => Err(Malformed::syntax()),
        Value::Array(all) => all.iter().map(one).collect(),
        value => Ok(vec![one(value)?]),
    }
}

fn wanted(comparison: Comparison, texts: &[String], variables: bool) -> Result<Values, Malformed> {
    let bad = |text: &str| Malformed(text.to_owned());
    Ok(match comparison {
        Comparison::Text { .. } | Comparison::Arn => {
            let wildcards = matches!(comparison, Comparison::Arn | Comparison::Text { like: true, .. });
            let special = Special { wildcards, variables };
            let patterns: Result<_, _> = texts.iter().map(|t| Pattern::parse(t, special)).collect();
            Values::Texts(patterns?)
        }
        Comparison::Number(_) => {
            let numbers: Result<_, _> = texts.iter().map(|t| number(t).ok_or_else(|| bad(t))).collect();
            Values::Numbers(numbers?)
        }
        Comparison::Date(_) => {
            let dates: Result<_, _> = texts.iter().map(|t| date(t).ok_or_else(|| bad(t))).collect();
            Values::Dates(dates?)
        }
        Comparison::Flag | Comparison::Absence => {
            let flags: Result<_, _> = texts.iter().map(|t| flag(t).ok_or_else(|| bad(t))).collect();
            Values::Flags(flags?)
        }
    })
}

fn number(text: &str) -> Option<f64> {
    text.trim().parse().ok().filter(|n: &f64| n.is_finite())
}

fn flag(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    }
}

/// RFC 3339, a date alone, or seconds since 1970.
fn date(text: &str) -> Option<jiff::Timestamp> {
    if let Ok(seconds) = text.parse() {
        return jiff::Timestamp::from_second(seconds).ok();
    }
    text.parse().or_else(|_| format!("{text}T00:00:00Z").parse()).ok()
}

impl Condition {
    /// Whether the request fulfils it.
    pub(super) fn holds(&self, context: &Context) -> bool {
        let found = context.get(&self.key);
        if self.operator.comparison == Comparison::Absence {
            return matches!(&self.wanted, Values::Flags(flags) if flags.contains(&found.is_none()));
        }
        let Some(found) = found else {
            return match self.operator.set {
                Some(SetOperator::All) => true,
                Some(SetOperator::Any) => self.operator.if_exists,
                None => self.operator.if_exists || self.operator.negated,
            };
        };
        let passes = |value: &String| self.is_wanted(value, context) != self.operator.negated;
        match self.operator.set {
            Some(SetOperator::All) => found.iter().all(passes),
            Some(SetOperator::Any) => found.iter().any(passes),
            // A key of many values compared as one: IAM advises against it and does not say what it does. The strict reading.
            None => found.iter().all(passes),
        }
    }

    /// Whether the value is one of those in the policy.
    fn is_wanted(&self, value: &str, context: &Context) -> bool {
        match (&self.wanted, self.operator.comparison) {
            (Values::Texts(all), Comparison::Arn) => all.iter().any(|p| p.matches_arn(value, context)),
            (Values::Texts(all), Comparison::Text { any_case: true, .. }) => {
                all.iter().any(|p| p.matches_any_case(value, context))
            }
            (Values::Texts(all), _) => all.iter().any(|p| p.matches(value, context)),
            (Values::Numbers(all), Comparison::Number(order)) => is_ordered(order, number(value).as_ref(), all),
            (Values::Dates(all), Comparison::Date(order)) => is_ordered(order, date(value).as_ref(), all),
            (Values::Flags(all), _) => flag(value).is_some_and(|f| all.contains(&f)),
            _ => false,
        }
    }
}

fn is_ordered<T: PartialOrd>(order: Order, found: Option<&T>, wanted: &[T]) -> bool {
    found.is_some_and(|found| wanted.iter().any(|w| order.holds(found, w)))
}
