//! The keys of the file, each declared once.
//!
//! A [`Key`] is a row of the table: path, kind with bounds, default, topologies, and what is said of it. From the row come the reader's
//! check, the `MQAWS_*` variable, the flag, the line of the annotated file, the JSON Schema's property, the template's parameter and the
//! row of `docs/configuration.md`. A value goes into the field of [`Deployment`](super::Deployment) that has the path of its key.

mod deployment;
mod find;
mod image;
mod key;
mod kind;
mod network;
mod security;
mod storage;
mod table;
mod text;
mod values;

pub(in crate::model) use find::{below, nearest};
pub use find::{meant_variable, variable};
pub use key::{Flag, Key, Line, Otherwise, Parameter, Pattern, Topologies};
pub(in crate::model) use kind::Wrong;
pub use kind::{Kind, Rule, Shape, boolean, wrong_variable};
pub use table::{find, keys};
pub(in crate::model) use values::Values;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod toy;
