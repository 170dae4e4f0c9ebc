//! Who calls, and whom a policy with a `Principal` names.

use super::document::{Kind, Malformed};
use serde_json::Value;

/// Who makes a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Caller {
    /// Nobody that is known: an NFS client that mounts without IAM.
    Anonymous,
    /// A role, through a session of it.
    Role(RoleSession),
}

/// A session of a role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleSession {
    /// Account of the role.
    pub account: String,
    /// ARN of the role, `arn:aws:iam::000000000000:role/r`.
    pub role: String,
    /// ARN of the session, `arn:aws:sts::000000000000:assumed-role/r/i-1`.
    pub session: String,
}

/// How a statement names its principal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Principal {
    /// `*`
    Everyone,
    /// An account, by its id or its root: who is in it, if their own policies agree.
    Account(String),
    /// A role.
    Role(String),
    /// A session of a role.
    Session(String),
    /// A user, a service, an identity provider: nobody who calls in the local cloud.
    Other(String),
}

/// In which way a statement names the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Naming {
    /// Through the account: denies, but allows nothing by itself.
    Account,
    /// Through the role, or as everybody: within the permissions boundary.
    Role,
    /// By the session: whatever the permissions boundary says.
    Session,
}

impl Principal {
    /// In which way it names the caller; `None` when it does not.
    pub(super) fn names(&self, caller: &Caller) -> Option<Naming> {
        let session = match (self, caller) {
            (Principal::Everyone, _) => return Some(Naming::Role),
            (_, Caller::Anonymous) => return None,
            (_, Caller::Role(session)) => session,
        };
        match self {
            Principal::Everyone => Some(Naming::Role),
            Principal::Account(id) => (*id == session.account).then_some(Naming::Account),
            Principal::Role(arn) => (*arn == session.role).then_some(Naming::Role),
            Principal::Session(arn) => (*arn == session.session).then_some(Naming::Session),
            Principal::Other(_) => None,
        }
    }
}

/// Reads the `Principal` element.
///
/// # Errors
/// Another form, or a principal that IAM does not know.
pub(super) fn parse(element: &Value, kind: Kind) -> Result<Vec<Principal>, Malformed> {
    let invalid = |what: &str| Malformed(format!("Invalid principal in policy: {what}"));
    let entries = match element {
        Value::String(text) if text == "*" => return Ok(vec![Principal::Everyone]),
        Value::Object(entries) if !entries.is_empty() => entries,
        other => return Err(invalid(&other.to_string())),
    };
    let mut principals = Vec::new();
    for (name, values) in entries {
        let values = super::statement::texts(values).ok_or_else(|| invalid(&values.to_string()))?;
        for value in values {
            principals.push(match name.as_str() {
                "AWS" => named(&value).ok_or_else(|| invalid(&format!("\"AWS\":\"{value}\"")))?,
                "Service" if value.contains('.') => Principal::Other(value),
                "Federated" if kind == Kind::Trust => Principal::Other(value),
                _ => return Err(invalid(&format!("\"{name}\":\"{value}\""))),
            });
        }
    }
    Ok(principals)
}

fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit())
}

fn named(value: &str) -> Option<Principal> {
    if value == "*" {
        return Some(Principal::Everyone);
    }
    if is_account(value) {
        return Some(Principal::Account(value.to_owned()));
    }
    let parts: Vec<&str> = value.splitn(6, ':').collect();
    let ["arn", _, service, "", account, resource] = parts.as_slice() else {
        return None;
    };
    // IAM knows no wildcard in a principal but the whole `*`.
    if !is_account(account) || value.contains(['*', '?']) {
        return None;
    }
    let owned = value.to_owned();
    match (*service, resource.split('/').collect::<Vec<_>>().as_slice()) {
        ("iam", ["root"]) => Some(Principal::Account((*account).to_owned())),
        ("iam", ["role", .., name]) if !name.is_empty() => Some(Principal::Role(owned)),
        ("iam", ["user", .., name]) if !name.is_empty() => Some(Principal::Other(owned)),
        ("sts", ["assumed-role", role, name]) if !role.is_empty() && !name.is_empty() => {
            Some(Principal::Session(owned))
        }
        _ => None,
    }
}
