//! From what was given to a deployment: every value checked alone, by the row of its key.

use serde_json::{Map, Value};

use super::error::Violation;
use super::place::Place;
use super::read::{Given, Reader, Text};
use crate::model::keys::{self, Key, Kind, Rule, Values, Wrong};
use crate::model::{Cidr, Deployment};

impl Reader {
    /// The deployment that was given, with defaults in place of what is wrong or absent.
    pub(super) fn deployment(&mut self) -> Deployment {
        let mut values = Values::defaults();
        for key in keys::keys() {
            let Some(given) = self.given.get(key.path) else {
                continue;
            };
            let (value, wrong) = take(key, given);
            self.violations.extend(wrong);
            if let Some(value) = value {
                values.set(key, value);
            }
        }
        let deployment = values.clone().deployment().unwrap_or_else(|error| {
            let message = format!("invalid configuration: {error}");
            self.refuse(Violation::new("", message, Place::Default));
            Deployment::default()
        });
        self.combinations(&deployment, &values);
        deployment
    }
}

/// The value of a key, as far as it can be used, and what is wrong with it.
fn take(key: &Key, given: &Given) -> (Option<Value>, Vec<Violation>) {
    match (key.kind, given) {
        (kind, Given::Scalar((text, place))) => match kind.value(key.path, text) {
            Ok(value) => {
                let wrong = prefix(key, &value);
                let wrong = wrong.map(|wrong| wrong.at(key.path, place.clone()));
                (Some(value), wrong.into_iter().collect())
            }
            Err(wrong) => (None, vec![wrong.at(key.path, place.clone())]),
        },
        (Kind::Map { key: name, value, max }, Given::Map(entries, place)) => {
            map(key.path, (name, value, max), entries, place)
        }
        (_, Given::List(texts, place)) => list(key, texts, place),
        // Another shape was refused when it was read.
        (_, Given::Map(..)) => (None, Vec::new()),
    }
}

/// What is wrong with the prefix of a range that has bounds for it.
fn prefix(key: &Key, value: &Value) -> Option<Wrong> {
    let Kind::Range { of, min, max } = key.kind else {
        return None;
    };
    let range: Cidr = value.as_str()?.parse().ok()?;
    (!(min..=max).contains(&range.prefix())).then(|| {
        Wrong::new(
            format!("the range of {of} must have a prefix from {min} to {max}, found {range}"),
            format!("specify a range such as {}", key.line.example),
        )
    })
}

fn list(key: &Key, texts: &[Text], place: &Place) -> (Option<Value>, Vec<Violation>) {
    let path = key.path;
    let (mut values, mut wrong): (Vec<Value>, Vec<Violation>) = (Vec::new(), Vec::new());
    for (text, place) in texts {
        match key.kind.value(path, text) {
            Ok(value) => values.push(value),
            Err(error) => wrong.push(error.at(path, place.clone())),
        }
    }
    if !wrong.is_empty() {
        return (None, wrong);
    }
    let mut refuse = |message: String, hint: &str| wrong.push(Wrong::new(message, hint).at(path, place.clone()));
    let twice = values
        .iter()
        .enumerate()
        .find(|(index, value)| values[..*index].contains(value))
        .and_then(|(_, value)| value.as_str());
    match key.kind {
        Kind::Pair { what, .. } => {
            let hint = format!("specify two {what}s in two availability zones");
            match (values.len(), twice) {
                (2, None) => {}
                (2, Some(_)) => refuse(format!("`{path}` contains the same {what} twice"), &hint),
                (several, _) => refuse(format!("`{path}` must contain two {what}s, found {several}"), &hint),
            }
            (wrong.is_empty().then(|| values.into()), wrong)
        }
        Kind::Ranges { min, max } => {
            if !(min..=max).contains(&values.len()) {
                let message = format!("`{path}` must contain {min} to {max} ranges, found {}", values.len());
                let few = values.len() < min;
                refuse(
                    message,
                    if few {
                        "specify the ranges of your clients, such as 10.0.0.0/16"
                    } else {
                        "combine adjacent ranges"
                    },
                );
            }
            if let Some(twice) = twice {
                refuse(format!("`{path}` contains {twice} twice"), "remove one of them");
            }
            (Some(values.into()), wrong)
        }
        _ => (None, wrong),
    }
}

fn map(
    path: &str,
    (name, value, max): (Rule, Rule, usize),
    entries: &[(Text, Text)],
    place: &Place,
) -> (Option<Value>, Vec<Violation>) {
    let (mut values, mut wrong) = (Map::new(), Vec::new());
    for (at, ((key, key_place), (text, text_place))) in entries.iter().enumerate() {
        let path = format!("{path}.{key}");
        let before = entries[..at].iter().map(|((before, _), _)| before);
        if let Some(same) = before.rev().find(|before| before.eq_ignore_ascii_case(key)) {
            let message = match same == key {
                true => format!("`{path}` is specified twice"),
                false => format!("`{path}` and `{same}` are the same key in IAM, which ignores case"),
            };
            wrong.push(Wrong::new(message, "remove one of them").at(&path, key_place.clone()));
            continue;
        }
        match ((name.check)(&path, key), (value.check)(&path, text)) {
            (Ok(key), Ok(text)) => {
                values.insert(key, text.into());
            }
            (key, text) => {
                wrong.extend(key.err().map(|error| error.at(&path, key_place.clone())));
                wrong.extend(text.err().map(|error| error.at(&path, text_place.clone())));
            }
        }
    }
    if entries.len() > max {
        let message = format!("`{path}` must have at most {max} entries, found {}", entries.len());
        wrong.push(Wrong::new(message, "remove some").at(path, place.clone()));
    }
    (Some(values.into()), wrong)
}
