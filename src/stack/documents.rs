//! The documents of Systems Manager of a stack.

use super::Output;
use mqaws_contract::verb::Class;
use std::collections::BTreeMap;

/// The documents of Systems Manager by which the agents of a stack are asked; a stack of an earlier version has none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Documents {
    stack: String,
    names: BTreeMap<Class, String>,
}

impl Documents {
    /// Those of a stack, each named by what its output and its logical id are called alike.
    pub fn new(stack: &str, name: impl Fn(&str) -> Option<String>) -> Self {
        let named = |class| Some((class, name(Output::document(class).name())?));
        Self {
            stack: stack.to_owned(),
            names: Class::ALL.into_iter().filter_map(named).collect(),
        }
    }

    /// The name of one.
    ///
    /// # Errors
    /// [`NoDocument`].
    pub fn of(&self, class: Class) -> Result<&str, NoDocument> {
        let found = self.names.get(&class).map(String::as_str);
        found.ok_or_else(|| NoDocument {
            stack: self.stack.clone(),
            class,
        })
    }
}

/// A stack without the document that is needed: an earlier version deployed it, or it does not allow faults.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("stack {stack} has no {}, the Systems Manager document for queries to its agents", Output::document(*.class).name())]
pub struct NoDocument {
    /// Name of the stack.
    pub stack: String,
    /// Which one.
    pub class: Class,
}

impl NoDocument {
    /// What to do about it.
    pub fn hint(&self) -> String {
        let Self { stack, class } = self;
        match class {
            Class::Test => format!("to add it, run `mqaws deploy --stack {stack} --allow-faults`"),
            _ => format!("to add it, run `mqaws deploy --stack {stack}`"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stack_without_a_document_is_to_be_deployed_first() {
        let documents = Documents::new("s", |name| {
            (name == "ReadDocument").then(|| "s-ReadDocument-1".to_owned())
        });
        assert_eq!(documents.of(Class::Read), Ok("s-ReadDocument-1"));
        let hint = |class| documents.of(class).unwrap_err().hint();
        assert_eq!(hint(Class::Operate), "to add it, run `mqaws deploy --stack s`");
        assert_eq!(
            hint(Class::Test),
            "to add it, run `mqaws deploy --stack s --allow-faults`"
        );
    }
}
