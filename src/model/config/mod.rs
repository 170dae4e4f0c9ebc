//! Reading `mqaws.yaml`: file, then `MQAWS_*` variables, then flags, in that order of growing weight.
//!
//! [`read`] is the entry point. It reports every violation at once, each with its place: file, line and column with an
//! excerpt, or the name of the variable or flag. It reads no file and no environment itself.

mod combinations;
mod error;
mod image;
mod overrides;
mod place;
mod read;
mod tree;
mod values;

pub use super::keys::{Key, boolean, keys, variable, wrong_variable};
pub use error::{ConfigError, Violation};
pub use overrides::Overrides;
pub use place::{Place, Source};
pub use read::{Loaded, read};

#[cfg(test)]
mod tests;
