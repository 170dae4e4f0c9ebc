//! `Filter` lists: which objects a Describe call shows.

use crate::api::{ApiError, list, texts};
use serde_json::Value;

/// One filter: any of the values, where `*` and `?` are wildcards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Filter {
    name: String,
    values: Vec<String>,
}

/// The filters of a request.
///
/// # Errors
/// `InvalidParameterValue` for a filter that this kind of object does not have.
pub(super) fn filters(params: &Value, known: &[(&str, &str)]) -> Result<Vec<Filter>, ApiError> {
    list(params, "Filter")
        .iter()
        .map(|filter| {
            super::wire::only_nested(filter, "Filter", &["Name", "Value", "Values"])?;
            let name = filter["Name"].as_str().unwrap_or_default().to_owned();
            let is_known = name.starts_with("tag:") || name == "tag-key" || known.iter().any(|(n, _)| *n == name);
            if !is_known {
                return Err(ApiError::new(
                    "InvalidParameterValue",
                    format!("The filter '{name}' is invalid"),
                ));
            }
            let mut values = texts(filter, "Value");
            values.extend(texts(filter, "Values"));
            Ok(Filter { name, values })
        })
        .collect()
}

/// Whether an object, as an answer shows it, passes all filters.
pub(super) fn passes(body: &Value, filters: &[Filter], known: &[(&str, &str)]) -> bool {
    filters.iter().all(|filter| {
        let have = if let Some(key) = filter.name.strip_prefix("tag:") {
            tag_values(body, key)
        } else if filter.name == "tag-key" {
            at(body, "tagSet.key")
        } else {
            known
                .iter()
                .filter(|(name, _)| *name == filter.name)
                .flat_map(|(_, path)| at(body, path))
                .collect()
        };
        filter
            .values
            .iter()
            .any(|pattern| have.iter().any(|value| matches(pattern, value)))
    })
}

fn tag_values(body: &Value, key: &str) -> Vec<String> {
    let tags = body["tagSet"].as_array().map(Vec::as_slice).unwrap_or_default();
    tags.iter()
        .filter(|tag| tag["key"].as_str() == Some(key))
        .filter_map(|tag| tag["value"].as_str().map(str::to_owned))
        .collect()
}

/// All scalars at a dotted path; lists on the way are flattened.
fn at(value: &Value, path: &str) -> Vec<String> {
    match value {
        Value::Array(items) => items.iter().flat_map(|item| at(item, path)).collect(),
        Value::Object(map) => {
            let (first, rest) = path.split_once('.').unwrap_or((path, ""));
            map.get(first).map(|next| at(next, rest)).unwrap_or_default()
        }
        Value::String(text) if path.is_empty() => vec![text.clone()],
        Value::Bool(_) | Value::Number(_) if path.is_empty() => vec![value.to_string()],
        _ => Vec::new(),
    }
}

/// Whether a text fits a pattern with the wildcards `*` (any text) and `?` (one character).
pub(super) fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t) = (0, 0);
    let mut last_star: Option<(usize, usize)> = None;
    while t < text.len() {
        if p < pattern.len() && pattern[p] == '*' {
            last_star = Some((p, t));
            p += 1;
        } else if p < pattern.len() && (pattern[p] == '?' || pattern[p] == text[t]) {
            p += 1;
            t += 1;
        } else if let Some((star, from)) = last_star {
            last_star = Some((star, from + 1));
            p = star + 1;
            t = from + 1;
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn wildcards_match_as_ec2s_do() {
        let cases = [
            ("abc", "abc", true),
            ("a*", "abc", true),
            ("*c", "abc", true),
            ("a?c", "abc", true),
            ("a?", "abc", false),
            ("*b*b", "abcb", true),
            ("", "a", false),
            ("*", "", true),
        ];
        for (pattern, text, expected) in cases {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn filters_are_anded_and_their_values_ored() {
        let known = [("vpc-id", "vpcId"), ("attachment.vpc-id", "attachmentSet.vpcId")];
        let body =
            json!({"vpcId": "vpc-1", "attachmentSet": [{"vpcId": "vpc-2"}], "tagSet": [{"key": "k", "value": "v"}]});
        let cases = [
            (json!([{"Name": "vpc-id", "Value": ["vpc-0", "vpc-1"]}]), true),
            (json!([{"Name": "attachment.vpc-id", "Value": ["vpc-2"]}]), true),
            (
                json!([{"Name": "vpc-id", "Value": ["vpc-1"]}, {"Name": "tag:k", "Value": ["w"]}]),
                false,
            ),
            (json!([{"Name": "tag-key", "Value": ["k"]}]), true),
        ];
        for (given, expected) in cases {
            let params = json!({"Filter": given});
            let parsed = filters(&params, &known).expect("known filters");
            assert_eq!(passes(&body, &parsed, &known), expected, "{params}");
        }
        assert!(filters(&json!({"Filter": [{"Name": "vpcid", "Value": ["x"]}]}), &known).is_err());
    }
}
