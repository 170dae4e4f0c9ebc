//! The file as a tree whose every key and value knows its spot.

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{Location, Spanned};

use super::error::{ConfigError, Violation};
use super::place::{Source, Spot};

/// A value and its spot.
#[derive(Debug)]
pub(super) struct Node {
    pub content: Content,
    pub spot: Spot,
}

/// What a value is; a scalar is kept as it was written, so that `1E3`, `ON` and `0755` are the names they look like.
#[derive(Debug)]
pub(super) enum Content {
    Nothing,
    Scalar(String),
    List(Vec<Node>),
    Map(Vec<(String, Spot, Node)>),
}

impl Content {
    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Scalar(_) => "one value",
            Self::List(_) => "a list",
            Self::Map(_) => "a map",
        }
    }
}

/// Reads the whole text.
pub(super) fn parse(source: Source<'_>) -> Result<Node, ConfigError> {
    if source
        .text
        .lines()
        .all(|line| line.trim_start().starts_with('#') || line.trim().is_empty())
    {
        return Ok(Node {
            content: Content::Nothing,
            spot: Spot::default(),
        });
    }
    let options = serde_saphyr::options! {
        // With them, the reader refuses a file that has a hundred lines of comments in a row.
        emit_comments: false,
        // Twice the same key is told like every other mistake, with the place of the second.
        duplicate_keys: serde_saphyr::DuplicateKeyPolicy::PassThrough,
        non_finite_float_policy: serde_saphyr::NonFiniteFloatPolicy::PassThrough,
    };
    serde_saphyr::from_str_with_options::<Spanned<Raw>>(source.text, options)
        .map(|root| node(root, source))
        .map_err(|error| {
            let spot = error
                .location()
                .map(|location| Spot {
                    width: 1,
                    ..spot(location)
                })
                .unwrap_or_default();
            let plain = error.without_snippet().to_string();
            let message = plain.lines().next().unwrap_or_default();
            Violation::new("", format!("{} is not valid YAML", source.name), source.place(spot))
                .label(label(message))
                .hint("correct the YAML on this line; for a valid file to compare with, run `mqaws init -`")
                .into()
        })
}

/// What the reader of YAML says, without its place and without what its own functions are called.
fn label(message: &str) -> &str {
    let message = message.split(" at line ").next().unwrap_or(message);
    match message.starts_with("multiple YAML documents") {
        true => "the file contains more than one document; keep only one",
        false => message,
    }
}

fn spot(location: Location) -> Spot {
    let number = |value: u64| usize::try_from(value).unwrap_or(usize::MAX);
    Spot {
        line: number(location.line()),
        column: number(location.column()),
        width: number(location.span().len()),
    }
}

fn node(
    Spanned {
        value,
        referenced,
        defined,
    }: Spanned<Raw>,
    source: Source<'_>,
) -> Node {
    let spot = spot(referenced);
    let content = match value {
        Raw::Nothing => Content::Nothing,
        Raw::Text(text) => Content::Scalar(text),
        Raw::Other(shown) => Content::Scalar(slice(defined, source).unwrap_or(shown)),
        Raw::List(entries) => Content::List(entries.into_iter().map(|entry| node(entry, source)).collect()),
        Raw::Map(entries) => Content::Map(
            entries
                .into_iter()
                .map(|(key, entry)| (key.value, self::spot(key.referenced), node(entry, source)))
                .collect(),
        ),
    };
    let width = if matches!(content, Content::Scalar(_)) {
        spot.width
    } else {
        0
    };
    Node {
        content,
        spot: Spot { width, ..spot },
    }
}

/// The text of a plain scalar as it was written.
fn slice(location: Location, source: Source<'_>) -> Option<String> {
    let span = location.span();
    let start = usize::try_from(span.byte_offset()?).ok()?;
    let end = start.checked_add(usize::try_from(span.byte_len()?).ok()?)?;
    let text = source.text.get(start..end)?.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

enum Raw {
    Nothing,
    Text(String),
    Other(String),
    List(Vec<Spanned<Raw>>),
    Map(Vec<(Spanned<String>, Spanned<Raw>)>),
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a value, a list or a map")
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Nothing)
    }

    fn visit_none<E>(self) -> Result<Raw, E> {
        Ok(Raw::Nothing)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Raw, E> {
        Ok(Raw::Other(value.to_string()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Raw, E> {
        Ok(Raw::Other(value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Raw, E> {
        Ok(Raw::Other(value.to_string()))
    }

    fn visit_i128<E>(self, value: i128) -> Result<Raw, E> {
        Ok(Raw::Other(value.to_string()))
    }

    fn visit_u128<E>(self, value: u128) -> Result<Raw, E> {
        Ok(Raw::Other(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Raw, E> {
        Ok(Raw::Other(value.to_string()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Raw, E> {
        Ok(Raw::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Raw, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = access.next_element()? {
            entries.push(entry);
        }
        Ok(Raw::List(entries))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Raw, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = access.next_entry()? {
            entries.push(entry);
        }
        Ok(Raw::Map(entries))
    }
}
