//! What holds for every topology, and what their tests share.

use super::*;

/// A change of one property, as CloudFormation tells it; `replacement` is `True`, `False` or `Conditional`.
pub(crate) fn change(kind: &str, action: &str, replacement: Option<&str>, property: &str) -> Change {
    Change {
        logical: kind.rsplit("::").next().unwrap_or_default().into(),
        physical: None,
        kind: kind.into(),
        action: action.into(),
        replacement: replacement.map(Into::into),
        policy: None,
        details: vec![Detail {
            attribute: "Properties".into(),
            name: Some(property.into()),
            before: Some("a".into()),
            after: Some("b".into()),
            recreation: None,
            cause: None,
            dynamic: false,
        }],
    }
}

/// The same, with values that are known only when it is carried out.
pub(crate) fn dynamic(mut change: Change) -> Change {
    change.details.iter_mut().for_each(|d| d.dynamic = true);
    change
}
