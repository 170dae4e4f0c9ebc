//! The JSON Schema of the file: types by their own word, keys by their rows.

use serde_json::{Map, Value};

use super::deployment::Deployment;
use super::keys::{Key, Kind, Shape, keys};

/// The JSON Schema of `mqaws.yaml`, for editors and other programs.
pub fn json_schema() -> Value {
    let mut schema = Value::from(schemars::schema_for!(Deployment));
    optional(&mut schema);
    let defaults = serde_json::to_value(Deployment::default()).unwrap_or_default();
    let root = &mut schema["properties"];
    for (section, default) in defaults.as_object().into_iter().flatten() {
        if default.is_object() {
            root[section]["default"] = default.clone();
        }
    }
    for key in keys() {
        if let Some(property) = property(&mut schema, key) {
            describe(property, key, key.of(&defaults));
        }
    }
    schema
}

/// No key is required, neither at the top nor in a section.
fn optional(schema: &mut Value) {
    let Some(schema) = schema.as_object_mut() else {
        return;
    };
    schema.shift_remove("required");
    for section in schema
        .get_mut("$defs")
        .and_then(Value::as_object_mut)
        .into_iter()
        .flatten()
    {
        optional(section.1);
    }
}

/// The property of a key: at the top, or in the type of its section.
fn property<'a>(schema: &'a mut Value, key: &Key) -> Option<&'a mut Map<String, Value>> {
    let (section, name) = key.split();
    let at = match section {
        "" => schema,
        section => {
            let of = schema["properties"][section]["$ref"].as_str()?.rsplit('/').next()?;
            let of = of.to_owned();
            schema.get_mut("$defs")?.get_mut(of)?
        }
    };
    at.get_mut("properties")?.get_mut(name)?.as_object_mut()
}

fn describe(property: &mut Map<String, Value>, key: &Key, default: Option<&Value>) {
    property.insert("description".to_owned(), key.description().into());
    let bounds: &[(&str, u64)] = match key.kind {
        Kind::Integer { min, max } => &[("minimum", min.into()), ("maximum", max.into())],
        Kind::Pair { .. } => &[("minItems", 2), ("maxItems", 2)],
        Kind::Ranges { min, max } => &[("minItems", min as u64), ("maxItems", max as u64)],
        Kind::Map { max, .. } => &[("maxProperties", max as u64)],
        Kind::Boolean | Kind::Word(_) | Kind::Text(_) | Kind::Range { .. } => &[],
    };
    for (word, bound) in bounds {
        property.insert((*word).to_owned(), (*bound).into());
    }
    if let (Some(default), Shape::Scalar) = (default, key.kind.shape()) {
        property.insert("default".to_owned(), default.clone());
    }
}
