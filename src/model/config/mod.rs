//! Reading `mqaws.yaml`: file, then `MQAWS_*` variables, then flags, in that order of growing weight.
//!
//! [`read`] is the entry point. It reports every violation at once, each with its place: file, line and column with an
//! excerpt, or the name of the variable or flag. It reads no file and no environment itself.

mod build;
mod error;
mod image;
mod keys;
mod overrides;
mod place;
mod read;
mod tree;

pub use error::{ConfigError, Violation};
pub use keys::{KEYS, Key, KeyKind, meant_variable, variable};
pub use overrides::Overrides;
pub use place::{Place, Source};
pub use read::{Loaded, read};

#[cfg(test)]
mod tests;
