//! What is wrong with a file of the user's own definitions, before any queue manager sees it.

/// What is wrong with a file, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// Characters that it is about.
    pub width: usize,
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub hint: String,
    /// Whether it is wrong on every queue manager; another one may know what is not known here.
    pub certain: bool,
}
