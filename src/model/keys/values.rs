//! Values by key, and the deployment that they make.

use std::sync::LazyLock;

use serde_json::{Map, Value};

use super::key::{Key, Otherwise};
use super::kind::Shape;
use super::table::keys;
use crate::model::{Deployment, QueueManagerName, StackName};

/// Values of keys, below each other as in the file.
#[derive(Debug, Clone)]
pub(in crate::model) struct Values(Map<String, Value>);

impl Values {
    /// The value of every key that has one when nobody gives it.
    pub(in crate::model) fn defaults() -> Self {
        static DEFAULTS: LazyLock<Values> = LazyLock::new(|| {
            let mut values = Values(Map::new());
            for key in keys() {
                // A deployment has every section, also one without values.
                let (section, _) = key.split();
                if !section.is_empty() {
                    values.0.entry(section).or_insert_with(|| Map::new().into());
                }
                if let Otherwise::Value(text) = key.default {
                    let value = default(key, text).expect("the default of the table obeys its rule");
                    values.set(key, value);
                }
            }
            values
        });
        DEFAULTS.clone()
    }

    /// Takes a value for a key.
    pub(in crate::model) fn set(&mut self, key: &Key, value: Value) {
        let (section, name) = key.split();
        let at = match section {
            "" => Some(&mut self.0),
            section => self
                .0
                .entry(section)
                .or_insert_with(|| Map::new().into())
                .as_object_mut(),
        };
        if let Some(at) = at {
            at.insert(name.to_owned(), value);
        }
    }

    /// The value of a key.
    pub(in crate::model) fn get(&self, path: &str) -> Option<&Value> {
        let mut steps = path.split('.');
        let first = self.0.get(steps.next()?)?;
        steps.try_fold(first, |value, step| value.get(step))
    }

    /// The deployment of these values, each of which has been checked.
    ///
    /// # Errors
    /// A value that does not fit into the field of its key.
    pub(in crate::model) fn deployment(mut self) -> Result<Deployment, serde_json::Error> {
        if !self.0.contains_key("stack") {
            let name = self.get("queue_manager.name").cloned().unwrap_or_default();
            let name: QueueManagerName = serde_json::from_value(name)?;
            let stack = StackName::default_of(&name).to_string();
            self.0.insert("stack".to_owned(), stack.into());
        }
        serde_json::from_value(self.0.into())
    }
}

/// The value that a text of the table means.
fn default(key: &Key, text: &str) -> Option<Value> {
    let value = |text: &str| key.kind.value(key.path, text).ok();
    match key.kind.shape() {
        Shape::Scalar => value(text),
        Shape::List => text.split(',').map(value).collect::<Option<Vec<_>>>().map(Value::from),
        Shape::Map => None,
    }
}

impl Key {
    /// Its value in a deployment that is written as JSON.
    pub fn of<'a>(&self, deployment: &'a Value) -> Option<&'a Value> {
        let value = self
            .path
            .split('.')
            .try_fold(deployment, |value, step| value.get(step))?;
        (!value.is_null()).then_some(value)
    }
}
