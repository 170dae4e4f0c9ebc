//! A whole policy document.

use super::statement::Statement;
use serde_json::Value;

/// What a policy belongs to, which decides what it must and must not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A role, or a permissions boundary: resources, no principals.
    Identity,
    /// A resource, such as a file system: principals; it may leave out which resource.
    Resource,
    /// A role's trust policy: principals, no resources. Checked for form, never decided on.
    Trust,
}

/// Why a document is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(pub String);

impl Malformed {
    /// The refusal without a reason, in IAM's words.
    pub(super) fn syntax() -> Self {
        Self("Syntax errors in policy.".to_owned())
    }
}

/// A policy document; the empty one, which no text gives, allows nothing.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Document {
    pub(super) statements: Vec<Statement>,
}

impl Document {
    /// Reads a document strictly.
    ///
    /// # Errors
    /// [`Malformed`] for another form, and for everything that could not be evaluated.
    pub fn parse(text: &str, kind: Kind) -> Result<Self, Malformed> {
        let Ok(Value::Object(document)) = serde_json::from_str(text) else {
            return Err(Malformed("This policy contains invalid Json".to_owned()));
        };
        if document
            .keys()
            .any(|k| !["Version", "Id", "Statement"].contains(&k.as_str()))
        {
            return Err(Malformed::syntax());
        }
        let variables = match document.get("Version").map(|v| v.as_str().unwrap_or_default()) {
            Some("2012-10-17") => true,
            // The version of a document that names none.
            Some("2008-10-17") | None => false,
            Some(_) => return Err(Malformed::syntax()),
        };
        let statements: Vec<&Value> = match document.get("Statement") {
            Some(Value::Array(all)) if !all.is_empty() => all.iter().collect(),
            Some(one @ Value::Object(_)) => vec![one],
            _ => return Err(Malformed::syntax()),
        };
        let statements: Vec<Statement> = statements
            .into_iter()
            .map(|s| Statement::parse(s, kind, variables))
            .collect::<Result<_, _>>()?;
        let mut sids: Vec<&String> = statements.iter().filter_map(|s| s.sid.as_ref()).collect();
        sids.sort();
        if sids.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(Malformed(
                "Statement IDs (SID) in a single policy must be unique.".to_owned(),
            ));
        }
        Ok(Self { statements })
    }
}
