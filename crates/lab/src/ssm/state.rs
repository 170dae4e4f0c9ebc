//! What Systems Manager knows.

use super::commands::Command;
use super::documents::Document;
use super::parameters::Parameter;
use indexmap::IndexMap;

/// Everything that Systems Manager knows.
pub(super) struct State {
    /// Commands by id, oldest first.
    pub(crate) commands: IndexMap<String, Command>,
    /// Documents of the account by name.
    pub(crate) documents: IndexMap<String, Document>,
    /// Parameters by name.
    pub(crate) parameters: IndexMap<String, Parameter>,
}
