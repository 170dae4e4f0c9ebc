//! CreateTags, DeleteTags and DescribeTags over every kind of record.

use super::filters;
use super::objects::{Kind, page};
use super::state::State;
use super::wire::tags_of;
use crate::api::{ApiError, ApiResult, only, texts};
use serde_json::{Value, json};

const FILTERS: [(&str, &str); 4] = [
    ("key", "key"),
    ("value", "value"),
    ("resource-id", "resourceId"),
    ("resource-type", "resourceType"),
];

/// CreateTags.
pub(super) fn create(state: &mut State, params: &Value) -> ApiResult {
    only(params, &["ResourceId", "Tag", "DryRun"])?;
    let tags = tags_of(params)?;
    if let Some((key, _)) = tags.iter().find(|(key, _)| key.starts_with("aws:")) {
        return Err(ApiError::new(
            "InvalidParameterValue",
            format!(
                "Value ( {key} ) for parameter key is invalid. Tag keys starting with 'aws:' are reserved for internal use"
            ),
        ));
    }
    let ids = texts(params, "ResourceId");
    for id in &ids {
        state.tags_mut(id)?;
    }
    for id in &ids {
        state.tags_mut(id)?.extend(tags.iter().cloned());
        state.tags_changed(id);
    }
    Ok(json!({"return": true}))
}

/// DeleteTags: a tag given with a value is deleted only when it has that value.
pub(super) fn delete(state: &mut State, params: &Value) -> ApiResult {
    only(params, &["ResourceId", "Tag", "DryRun"])?;
    let wanted: Vec<(String, Option<String>)> = crate::api::list(params, "Tag")
        .iter()
        .map(|tag| {
            let key = tag["Key"].as_str().unwrap_or_default().to_owned();
            (key, tag["Value"].as_str().map(str::to_owned))
        })
        .collect();
    for id in texts(params, "ResourceId") {
        state.tags_mut(&id)?.retain(|key, value| {
            let named = wanted
                .iter()
                .any(|(k, v)| k == key && v.as_ref().is_none_or(|v| v == value));
            let all = wanted.is_empty() && !key.starts_with("aws:");
            !(named || all)
        });
        state.tags_changed(&id);
    }
    Ok(json!({"return": true}))
}

/// DescribeTags.
pub(super) fn describe(state: &State, params: &Value) -> ApiResult {
    only(params, &["Filter", "MaxResults", "NextToken", "DryRun"])?;
    let wanted = filters::filters(params, &FILTERS)?;
    let rows: Vec<Value> = state
        .all_tags()
        .into_iter()
        .map(|(id, kind, key, value)| {
            json!({"resourceId": id, "resourceType": Kind::facts(kind).resource_type, "key": key, "value": value})
        })
        .filter(|row| filters::passes(row, &wanted, &FILTERS))
        .collect();
    let (rows, next) = page(rows, params)?;
    let mut answer = json!({"tagSet": rows});
    if let Some(next) = next {
        answer["nextToken"] = json!(next);
    }
    Ok(answer)
}
