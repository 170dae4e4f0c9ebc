//! What one key is: all that any of its places says of it.

use super::kind::Kind;
use crate::model::Topology;

/// A key of the file: its row in the table.
///
/// In its texts, `{bounds}`, `{max}`, `{default}`, `{words}` and `{rule}` stand for what the row says, `{port}` and `{amqp_port}` for the
/// engine's ports.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// Path, such as `network.subnets`: that of its field in a deployment, too.
    pub path: &'static str,
    /// What its values are.
    pub kind: Kind,
    /// What holds when nobody gives it.
    pub default: Otherwise,
    /// The topologies that know it.
    pub topologies: Topologies,
    /// What it is, in a line; for the JSON Schema, and for every place that has no words of its own.
    pub help: &'static str,
    /// Its line in the annotated file.
    pub line: Line,
    /// What the documentation says of it, when that is more.
    pub page: Option<&'static str>,
    /// Its flag, when it has one beside `--set`.
    pub flag: Option<Flag>,
    /// Its parameter in the template, when it has one of its own.
    pub parameter: Option<Parameter>,
}

/// What holds when nobody gives a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Otherwise {
    /// This value, as a variable would give it.
    Value(&'static str),
    /// What the documentation says in these words; the field is empty.
    Words(&'static str),
    /// Nothing.
    Nothing,
}

/// Topologies that know a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topologies {
    /// Every one.
    All,
    /// These alone.
    Only(&'static [Topology]),
}

impl Topologies {
    /// Whether a topology is among them.
    pub fn include(self, topology: Topology) -> bool {
        match self {
            Self::All => true,
            Self::Only(these) => these.contains(&topology),
        }
    }
}

/// How a key stands in the annotated file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line {
    /// The comment above it; empty for none, and the key's help when absent.
    pub comment: Option<&'static str>,
    /// Value of the line while it is commented out and there is no default.
    pub example: &'static str,
    /// Whether its text is quoted, since a YAML reader could take it for something else.
    pub quoted: bool,
    /// Whether it is written down even while it only says the default.
    pub always: bool,
}

/// A flag of the verbs that have a configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flag {
    /// Its name, without hyphens before it.
    pub name: &'static str,
    /// Name of its value; a boolean key's flag has none.
    pub value: &'static str,
    /// Its help.
    pub help: &'static str,
    /// Whether every verb has it.
    pub global: bool,
    /// Whether it stands before the other flags of its section.
    pub first: bool,
}

impl Flag {
    /// A flag that takes a value.
    pub(super) const fn new(name: &'static str, value: &'static str, help: &'static str) -> Self {
        Self {
            name,
            value,
            help,
            global: false,
            first: false,
        }
    }

    /// One that every verb has.
    pub(super) const fn global(self) -> Self {
        Self { global: true, ..self }
    }

    /// One that stands before the others of its section.
    pub(super) const fn first(self) -> Self {
        Self { first: true, ..self }
    }
}

/// A parameter of the template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parameter {
    /// Its logical id.
    pub name: &'static str,
    /// Its description.
    pub help: &'static str,
    /// Its type when it is one of AWS's own, whose value may be known only to the account; it then has no default.
    pub of: Option<&'static str>,
    /// The expression that values must match.
    pub pattern: Pattern,
    /// Its values for `true` and `false`.
    pub switch: (&'static str, &'static str),
    /// Its value when the key has none.
    pub absent: &'static str,
}

/// The expression that values of a parameter must match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pattern {
    /// None: CloudFormation leaves the check to the service.
    Unchecked,
    /// That of the key's rule; with nothing as an exception, when the key has no default.
    OfRule,
    /// Another one for the same rule.
    Own(&'static str),
}

impl Parameter {
    /// A parameter of the type that the key's kind says.
    pub(super) const fn new(name: &'static str, help: &'static str) -> Self {
        Self {
            name,
            help,
            of: None,
            pattern: Pattern::Unchecked,
            switch: ("true", "false"),
            absent: "",
        }
    }

    /// With a type of AWS's own.
    pub(super) const fn of(self, kind: &'static str) -> Self {
        Self { of: Some(kind), ..self }
    }

    /// With an expression for its values.
    pub(super) const fn pattern(self, pattern: Pattern) -> Self {
        Self { pattern, ..self }
    }

    /// With other words for `true` and `false`.
    pub(super) const fn switch(self, on: &'static str, off: &'static str) -> Self {
        Self {
            switch: (on, off),
            ..self
        }
    }

    /// With a value for a key that has none.
    pub(super) const fn absent(self, value: &'static str) -> Self {
        Self { absent: value, ..self }
    }
}

impl Key {
    /// A key without default that every topology knows.
    pub(super) const fn new(path: &'static str, kind: Kind, help: &'static str) -> Self {
        Self {
            path,
            kind,
            default: Otherwise::Nothing,
            topologies: Topologies::All,
            help,
            line: Line {
                comment: None,
                example: "",
                quoted: false,
                always: false,
            },
            page: None,
            flag: None,
            parameter: None,
        }
    }

    /// With a value for when nobody gives one.
    pub(super) const fn default(self, value: &'static str) -> Self {
        Self {
            default: Otherwise::Value(value),
            ..self
        }
    }

    /// With words for what holds when nobody gives it.
    pub(super) const fn otherwise(self, words: &'static str) -> Self {
        Self {
            default: Otherwise::Words(words),
            ..self
        }
    }

    /// With a comment above its line in the annotated file; empty for none.
    pub(super) const fn comment(self, comment: &'static str) -> Self {
        let line = Line {
            comment: Some(comment),
            ..self.line
        };
        Self { line, ..self }
    }

    /// With a value for its line in the annotated file.
    pub(super) const fn example(self, example: &'static str) -> Self {
        let line = Line { example, ..self.line };
        Self { line, ..self }
    }

    /// With quotation marks in the annotated file.
    pub(super) const fn quoted(self) -> Self {
        let line = Line {
            quoted: true,
            ..self.line
        };
        Self { line, ..self }
    }

    /// With a line in the annotated file that is never commented out.
    pub(super) const fn always(self) -> Self {
        let line = Line {
            always: true,
            ..self.line
        };
        Self { line, ..self }
    }

    /// With more to say in the documentation.
    pub(super) const fn page(self, page: &'static str) -> Self {
        Self {
            page: Some(page),
            ..self
        }
    }

    /// With a flag.
    pub(super) const fn flag(self, flag: Flag) -> Self {
        Self {
            flag: Some(flag),
            ..self
        }
    }

    /// With a parameter of the template.
    pub(super) const fn parameter(self, parameter: Parameter) -> Self {
        Self {
            parameter: Some(parameter),
            ..self
        }
    }

    /// The section that it is in, empty for the top of the file, and its name there.
    pub fn split(&self) -> (&'static str, &'static str) {
        self.path.split_once('.').unwrap_or(("", self.path))
    }
}
