//! A CloudFormation document as typed data; pure, and knows nothing of mqaws.
//!
//! Start with [`Template`]: build one, [`Template::check`] it, write it with [`Template::to_yaml`] or
//! [`Template::to_json`], read one with [`Template::from_yaml`] or [`Template::from_json`]; [`diff`] tells two apart.
//! Nothing here calls AWS, and nothing knows which properties a resource type has.

mod convert;
mod diff;
mod document;
mod graph;
mod json;
mod value;
mod yaml;

pub use diff::{Change, diff};
pub use document::{
    Assertion, DeletionPolicy, Output, Parameter, ParameterType, Resource, Rule, Template, TemplateError,
};
pub use graph::{Inconsistencies, Inconsistency, ReferenceKind, is_pseudo_parameter, sub_placeholders};
pub use json::{value_from_json, value_to_json};
pub use value::{Function, Value, get_att, if_, reference, sub, sub_with};
pub use yaml::{value_from_yaml, value_to_yaml};

pub(crate) use value::{list, object};

#[cfg(test)]
mod tests;
