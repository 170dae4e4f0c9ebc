//! Names of keys and of their variables: which there are, and which one was meant.

use super::key::Key;
use super::table::keys;

/// Names that may stand below `section`, which is empty for the top of the file.
pub(in crate::model) fn below(section: &str) -> Vec<&'static str> {
    let mut names: Vec<&'static str> = keys()
        .filter_map(|key| match section {
            "" => Some(key.path),
            _ => key.path.strip_prefix(section)?.strip_prefix('.'),
        })
        .map(|rest| rest.split('.').next().unwrap_or(rest))
        .collect();
    names.dedup();
    names
}

/// The key that the user may have meant by `name` below `section`: the nearest there, or one of that name elsewhere.
pub(in crate::model) fn nearest(section: &str, name: &str) -> Option<String> {
    let close = |candidate: &&str| {
        let distance = strsim::damerau_levenshtein(name, candidate);
        (distance * 3 <= candidate.len().max(3)).then_some(distance)
    };
    // No key is nearly as long, and to compare a text of any length takes its time.
    if name.len() > 100 {
        return None;
    }
    let here = below(section);
    if let Some(best) = here
        .iter()
        .filter(|name| close(name).is_some())
        .min_by_key(|name| close(name))
    {
        return Some((*best).to_owned());
    }
    let whole = keys()
        .map(|key| key.path)
        .filter(|path| close(path).is_some())
        .min_by_key(|path| close(path));
    if let (true, Some(path)) = (section.is_empty(), whole) {
        return Some(path.to_owned());
    }
    let last = |key: &Key| key.path.rsplit('.').next().unwrap_or(key.path);
    let elsewhere = keys().find(|key| last(key) == name || key.path == name);
    let below_itself = keys().find(|key| section.is_empty() && key.path.ends_with(&format!("_{name}")));
    elsewhere.or(below_itself).map(|key| key.path.to_owned())
}

/// Name of the environment variable of a key: `MQAWS_` and the path in capitals, dots as underscores.
pub fn variable(path: &str) -> String {
    format!("MQAWS_{}", path.replace('.', "_").to_ascii_uppercase())
}

/// The known variable that an unknown one was perhaps meant to be; `others` are those that are no keys.
pub fn meant_variable(name: &str, others: &[&str]) -> Option<String> {
    if !name.starts_with("MQAWS_") {
        return None;
    }
    let known = keys().map(|key| variable(key.path));
    let known = known.chain(others.iter().map(|other| (*other).to_owned()));
    // Two letters: names that differ by more are rather somebody else's.
    let near = known.map(|known| (strsim::damerau_levenshtein(name, &known), known));
    near.min()
        .filter(|(distance, _)| (1..=2).contains(distance))
        .map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_variable_is_recognised_and_a_foreign_one_left_alone() {
        for (name, meant) in [
            ("MQAWS_STORAGE_BCKUP", Some("MQAWS_STORAGE_BACKUP")),
            ("MQAWS_REGOIN", Some("MQAWS_REGION")),
            ("MQAWS_LOCL", Some("MQAWS_LOCAL")),
            ("MQAWS_REGION", None),
            ("MQAWS_LOCAL", None),
            ("MQAWS_OUR_OWN_THING", None),
            ("AWS_REGOIN", None),
        ] {
            assert_eq!(meant_variable(name, &["MQAWS_LOCAL"]).as_deref(), meant, "{name}");
        }
    }
}
