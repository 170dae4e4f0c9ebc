//! That a row is enough.

use super::*;
use crate::model::config::{Loaded, Overrides, Place, Source, read};
use crate::model::{Deployment, Engine, Topology, json_schema};
use serde_json::{Value, json};

/// A value that a key may have: its default, or the example of its line.
fn sample(key: &Key) -> (String, Value) {
    let text = key.example_text();
    let text = text.trim_matches(['[', ']', '"']);
    match key.kind.shape() {
        Shape::Scalar => (text.to_owned(), key.kind.value(key.path, text).unwrap()),
        Shape::List => {
            let values = text.split(", ").map(|text| key.kind.value(key.path, text).unwrap());
            (text.to_owned(), values.collect::<Vec<_>>().into())
        }
        Shape::Map => {
            let (name, value) = text.split_once(": ").unwrap();
            (format!("{name}={value}"), json!({ name: value }))
        }
    }
}

fn load(text: &str) -> Loaded {
    let source = Source { name: "m.yaml", text };
    read(Some(source), &Overrides::none()).unwrap()
}

#[test]
fn every_key_has_a_field_that_its_value_fills() {
    for key in keys() {
        let (_, value) = sample(key);
        let mut values = Values::defaults();
        if key.path == "network.zones" {
            values.set(find("network.cidr").unwrap(), "10.20.0.0/16".into());
        }
        values.set(key, value.clone());
        let deployment = serde_json::to_value(values.deployment().unwrap()).unwrap();
        assert_eq!(key.of(&deployment), Some(&value), "{}", key.path);
    }
}

#[test]
fn every_key_has_a_variable_that_is_read() {
    for key in keys() {
        let name = variable(key.path);
        let place = Place::Variable(name.clone());
        let seen = match read(None, &Overrides::none().variables([(name, sample(key).0)])) {
            Ok(loaded) => loaded.place(key.path) == place,
            // What it needs beside it is not there.
            Err(error) => error.violations().iter().all(|violation| violation.place == place),
        };
        assert!(seen, "{}", key.path);
    }
}

#[test]
fn every_key_has_a_property_of_the_schema_with_its_words() {
    let schema = json_schema();
    for key in keys() {
        let (section, name) = key.split();
        let at = match section {
            "" => &schema,
            section => {
                let of = schema["properties"][section]["$ref"].as_str().unwrap();
                schema.pointer(of.trim_start_matches('#')).unwrap()
            }
        };
        let property = &at["properties"][name];
        assert_eq!(property["description"], key.description(), "{}", key.path);
        if let (Otherwise::Value(text), Shape::Scalar) = (key.default, key.kind.shape()) {
            assert_eq!(property["default"], key.kind.value(key.path, text).unwrap());
        }
        if let Kind::Word(words) = key.kind {
            let of = property.to_string();
            let of = of.split("#/$defs/").nth(1).unwrap().split('"').next().unwrap();
            let told: Vec<&Value> = schema["$defs"][of]["oneOf"].as_array().unwrap().iter().collect();
            let told: Vec<&str> = told.iter().map(|word| word["const"].as_str().unwrap()).collect();
            assert_eq!(told, words(), "{}", key.path);
        }
    }
}

#[test]
fn no_text_of_a_row_is_left_unfilled() {
    for key in keys() {
        let flag = key.flag.map(|flag| key.flag_text(&flag)).unwrap_or_default();
        let parameter = key.parameter_text().unwrap_or_default();
        for text in [key.description(), key.comment_text(), key.row(), flag, parameter] {
            assert!(!text.contains(['{', '}']), "{}: {text}", key.path);
        }
        assert!(!key.example_text().is_empty(), "{}: shows nothing", key.path);
    }
}

#[test]
fn the_first_words_are_what_the_types_begin_with() {
    let deployment = Deployment::default();
    assert_eq!(deployment.topology, Topology::default());
    assert_eq!(deployment.engine, Engine::default());
    assert_eq!(deployment.image.engine, Engine::default());
}

#[test]
fn a_key_of_the_tests_is_read_described_and_kept_from_other_topologies() {
    let key = find("endpoint.toy_seconds").unwrap();
    assert_eq!(variable(key.path), "MQAWS_ENDPOINT_TOY_SECONDS");
    let loaded = load("topology: toy\nendpoint: {toy_seconds: 9}\n");
    assert_eq!(loaded.deployment.endpoint.toy_seconds, 9);
    assert_eq!(load("topology: toy\n").deployment.endpoint.toy_seconds, 7);

    let refused = |text| {
        let source = Source { name: "m.yaml", text };
        let error = read(Some(source), &Overrides::none()).unwrap_err();
        let [one] = error.violations() else {
            panic!("{error:?}");
        };
        (
            one.place.short().unwrap(),
            one.message.clone(),
            one.hint.clone().unwrap_or_default(),
        )
    };
    let expected = (
        "m.yaml:2:25",
        "`endpoint.toy_seconds` must be a whole number from 3 to 33, found `34`",
        "",
    );
    let (place, message, hint) = refused("topology: toy\nendpoint: {toy_seconds: 34}\n");
    assert_eq!((place.as_str(), message.as_str(), hint.as_str()), expected);
    let expected = (
        "m.yaml:1:25",
        "`endpoint.toy_seconds` cannot be combined with topology `single`",
        "remove it, or use topology `toy`",
    );
    let (place, message, hint) = refused("endpoint: {toy_seconds: 9}\n");
    assert_eq!((place.as_str(), message.as_str(), hint.as_str()), expected);
    let (_, message, hint) = refused("endpoint: {toy_second: 9}\n");
    assert_eq!(message, "unsupported key `toy_second` in `endpoint`");
    assert_eq!(hint, "did you mean `toy_seconds`?");

    let property = &json_schema()["$defs"]["Endpoint"]["properties"]["toy_seconds"];
    let expected = json!({
        "type": "integer",
        "format": "uint32",
        "minimum": 3,
        "description": "For how long the toy plays, 3 to 33 s. Only with topology `toy`.",
        "maximum": 33,
        "default": 7,
    });
    assert_eq!(property.to_string(), expected.to_string());
    assert_eq!(
        key.row(),
        "| `endpoint.toy_seconds` | `MQAWS_ENDPOINT_TOY_SECONDS` | `7` | For how long the toy plays, 3 to 33 s. Only \
         with topology `toy`. Flag `--toy-seconds`. |"
    );
}
