//! Shapes of EC2's wire: singular list names in requests, `…Set` in answers.

use crate::api::{ApiError, list};
use serde_json::{Map, Value, json};

/// Plural member names, as CloudFormation and the API models spell them, and the name that the wire has.
const SINGULAR: [(&str, &str); 18] = [
    ("BlockDeviceMappings", "BlockDeviceMapping"),
    ("Filters", "Filter"),
    ("GroupIds", "GroupId"),
    ("Groups", "Groups"),
    ("ImageIds", "ImageId"),
    ("InstanceIds", "InstanceId"),
    ("NetworkInterfaceIds", "NetworkInterfaceId"),
    ("NetworkInterfaces", "NetworkInterface"),
    ("Resources", "ResourceId"),
    ("RouteTableIds", "RouteTableId"),
    ("SecurityGroupIds", "SecurityGroupId"),
    ("SecurityGroups", "SecurityGroup"),
    ("SubnetIds", "SubnetId"),
    ("TagSpecifications", "TagSpecification"),
    ("Tags", "Tag"),
    ("VolumeIds", "VolumeId"),
    ("VpcEndpointIds", "VpcEndpointId"),
    ("VpcIds", "VpcId"),
];

/// The same parameters under the names of the wire: calls from inside the cloud may use the models' plural names.
pub(super) fn canonical(value: Value) -> Value {
    match value {
        Value::Object(map) => Value::Object(
            map.into_iter()
                .map(|(key, value)| {
                    let name = SINGULAR
                        .iter()
                        .find(|(plural, _)| *plural == key)
                        .map_or(key.clone(), |(_, singular)| (*singular).to_owned());
                    (name, canonical(value))
                })
                .collect(),
        ),
        Value::Array(items) => Value::Array(items.into_iter().map(canonical).collect()),
        other => other,
    }
}

/// Refuses keys of a nested structure that EC2 does not have there.
///
/// # Errors
/// `UnknownParameter` with the path.
pub(super) fn only_nested(value: &Value, path: &str, known: &[&str]) -> Result<(), ApiError> {
    let unknown = value
        .as_object()
        .and_then(|map| map.keys().find(|key| !known.contains(&key.as_str())));
    match unknown {
        None => Ok(()),
        Some(key) => Err(ApiError::new(
            "UnknownParameter",
            format!("The parameter {path}.{key} is not recognized"),
        )),
    }
}

/// An answer's spelling of a request's structure: first letter small, lists named as answers name them.
pub(super) fn answer_names(value: &Value) -> Value {
    match value {
        Value::Object(map) => Value::Object(
            map.iter()
                .map(|(key, value)| (answer_name(key, value), answer_names(value)))
                .collect(),
        ),
        Value::Array(items) => Value::Array(items.iter().map(answer_names).collect()),
        other => other.clone(),
    }
}

fn answer_name(key: &str, value: &Value) -> String {
    let small = {
        let mut letters = key.chars();
        match letters.next() {
            Some(first) => first.to_ascii_lowercase().to_string() + letters.as_str(),
            None => String::new(),
        }
    };
    match key {
        "Groups" => "groupSet".to_owned(),
        _ if value.is_array() => format!("{small}Set"),
        _ => small,
    }
}

/// A list of tags as answers have them.
pub(super) fn tag_set<'a>(tags: impl IntoIterator<Item = (&'a String, &'a String)>) -> Value {
    tags.into_iter()
        .map(|(key, value)| json!({"key": key, "value": value}))
        .collect()
}

/// Key and value pairs of a `Tag` list.
///
/// # Errors
/// `InvalidParameterValue` for a tag without a key, or with a reserved one.
pub(super) fn tags_of(value: &Value) -> Result<Vec<(String, String)>, ApiError> {
    list(value, "Tag")
        .iter()
        .map(|tag| {
            only_nested(tag, "Tag", &["Key", "Value"])?;
            let key = tag["Key"].as_str().unwrap_or_default().to_owned();
            if key.is_empty() || key.len() > 127 {
                return Err(ApiError::new(
                    "InvalidParameterValue",
                    "Tag keys must be between 1 and 127 characters",
                ));
            }
            Ok((key, tag["Value"].as_str().unwrap_or_default().to_owned()))
        })
        .collect()
}

/// A structure of an answer.
pub(super) fn body(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plural_names_become_those_of_the_wire_at_every_depth() {
        let given = json!({"TagSpecifications": [{"ResourceType": "vpc", "Tags": [{"Key": "a", "Value": "b"}]}]});
        let expected = json!({"TagSpecification": [{"ResourceType": "vpc", "Tag": [{"Key": "a", "Value": "b"}]}]});
        assert_eq!(canonical(given), expected);
    }

    #[test]
    fn answers_have_small_first_letters_and_sets() {
        let given = json!({"ImageId": "ami-1", "BlockDeviceMapping": [{"Ebs": {"Encrypted": "true"}}]});
        let expected = json!({"imageId": "ami-1", "blockDeviceMappingSet": [{"ebs": {"encrypted": "true"}}]});
        assert_eq!(answer_names(&given), expected);
    }
}
