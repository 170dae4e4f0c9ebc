//! From text and overrides to a deployment, with every violation on the way.

use indexmap::IndexMap;

use super::error::{ConfigError, Violation};
use super::overrides::{Override, Overrides};
use super::place::{Place, Source, Spot};
use super::tree::{self, Content, Node};
use crate::model::keys::{self, Shape};
use crate::model::{Definitions, Deployment, Engine};
use mqaws_contract::{EngineFacts, Mistake, clipped};

/// A deployment that was read, and where its values came from.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The deployment.
    pub deployment: Deployment,
    /// What is allowed but rarely meant.
    pub warnings: Vec<Violation>,
    places: IndexMap<String, Place>,
}

impl From<Deployment> for Loaded {
    /// A deployment that nobody wrote down: no value has a place.
    fn from(deployment: Deployment) -> Self {
        Self {
            deployment,
            warnings: Vec::new(),
            places: IndexMap::new(),
        }
    }
}

impl Loaded {
    /// Where the value of a key came from; [`Place::Default`] when nobody gave one.
    pub fn place(&self, key: &str) -> Place {
        self.places.get(key).cloned().unwrap_or(Place::Default)
    }

    /// The same with the text of the definitions' file, when one is named; `read` gets its name and whether that stands in
    /// the configuration file, beside which it then lies.
    ///
    /// # Errors
    /// [`ConfigError`] when it cannot be read, or holds what the agent could not be given.
    pub fn with_definitions(
        mut self,
        read: impl Fn(&str, bool) -> std::io::Result<String>,
    ) -> Result<Self, ConfigError> {
        const KEY: &str = "queue_manager.definitions";
        let Some(named) = self.deployment.queue_manager.definitions.take() else {
            return Ok(self);
        };
        let beside_the_file = matches!(self.place(KEY), Place::File { .. });
        let engine = self.deployment.engine.facts();
        let given =
            read(&named.file, beside_the_file).map_err(|error| format!("cannot read `{}`: {error}", named.file));
        match given.and_then(|text| named.with_text(text)) {
            Ok(definitions) => {
                let (violations, warnings) = mistakes(KEY, engine, &definitions);
                if let Some(error) = ConfigError::of(violations) {
                    return Err(error);
                }
                self.warnings.extend(warnings);
                self.deployment.queue_manager.definitions = Some(definitions);
                Ok(self)
            }
            Err(why) => {
                let hint = format!(
                    "specify a text file of {}, at most 8 KiB, relative to the configuration file",
                    engine.definitions_language
                );
                Err(self.violation(KEY, why).hint(hint).into())
            }
        }
    }

    /// The same, if this version can deploy what it says.
    ///
    /// # Errors
    /// [`ConfigError`] with every engine that cannot be deployed yet, or that is not the queue manager's.
    pub fn deployable(self) -> Result<Self, ConfigError> {
        let Deployment { engine, image, .. } = &self.deployment;
        let mut violations = Vec::new();
        let runs: Vec<String> = Engine::all()
            .filter(|engine| engine.facts().runs)
            .map(|engine| format!("`{}`", engine.as_str()))
            .collect();
        let not_yet = |engine: &Engine| format!("engine `{}` cannot be deployed yet", engine.as_str());
        if !engine.facts().runs {
            let message = format!("{}: this version has no driver for it", not_yet(engine));
            violations.push(
                self.violation("engine", message)
                    .hint(format!("use {}", runs.join(" or "))),
            );
        }
        if self.place("image.engine") != Place::Default && image.engine != *engine {
            let (holds, key) = (image.engine.as_str(), "image.engine");
            let message = match image.engine.facts().runs {
                true => format!("`{key}` is `{holds}`, but `engine` is `{}`", engine.as_str()),
                false => format!("{}: only images of it can be built", not_yet(&image.engine)),
            };
            let hint =
                format!("remove `{key}` to deploy; to build such an image, run `mqaws ami build --engine {holds}`");
            violations.push(self.violation(key, message).hint(hint));
        }
        match ConfigError::of(violations) {
            Some(error) => Err(error),
            None => Ok(self),
        }
    }

    /// A violation at the place of a key, for what only an account can tell.
    pub fn violation(&self, key: &str, message: impl Into<String>) -> Violation {
        Violation::new(key, message, self.place(key))
    }
}

/// What is wrong with the definitions themselves, at its place in their file, and what may be.
fn mistakes(key: &str, engine: &EngineFacts, definitions: &Definitions) -> (Vec<Violation>, Vec<Violation>) {
    let source = Source {
        name: &definitions.file,
        text: &definitions.text,
    };
    let violation = |mistake: Mistake| {
        let spot = Spot {
            line: mistake.line,
            column: mistake.column,
            width: mistake.width,
        };
        Violation::new(key, mistake.what, source.place(spot)).hint(mistake.hint)
    };
    let found = (engine.mistakes)(&definitions.text).into_iter();
    let (certain, possible): (Vec<_>, Vec<_>) = found.partition(|mistake| mistake.certain);
    let violations = |mistakes: Vec<Mistake>| mistakes.into_iter().map(&violation).collect();
    (violations(certain), violations(possible))
}

/// A text and its place.
pub(super) type Text = (String, Place);

pub(super) enum Given {
    Scalar(Text),
    List(Vec<Text>, Place),
    Map(Vec<(Text, Text)>, Place),
}

impl Given {
    pub(super) fn place(&self) -> &Place {
        match self {
            Self::Scalar((_, place)) | Self::List(_, place) | Self::Map(_, place) => place,
        }
    }
}

/// Reads a deployment from a file, when there is one, and what was given beside it.
///
/// # Errors
/// [`ConfigError`] with every violation: text that is no YAML, unknown keys, values that break a rule, combinations that
/// do not go together.
pub fn read(source: Option<Source<'_>>, overrides: &Overrides) -> Result<Loaded, ConfigError> {
    let mut reader = Reader::default();
    if let Some(source) = source {
        let root = tree::parse(source)?;
        reader.section("", &root, source);
    }
    reader.beside(overrides);
    let places = reader
        .given
        .iter()
        .map(|(key, given)| (key.clone(), given.place().clone()))
        .collect();
    let deployment = reader.deployment();
    reader.violations.sort_by_key(|violation| violation.place.order());
    match ConfigError::of(reader.violations) {
        Some(error) => Err(error),
        None => Ok(Loaded {
            deployment,
            warnings: reader.warnings,
            places,
        }),
    }
}

/// What was given, and what is wrong with it so far.
#[derive(Default)]
pub(super) struct Reader {
    pub given: IndexMap<String, Given>,
    pub violations: Vec<Violation>,
    pub warnings: Vec<Violation>,
}

impl Reader {
    pub(super) fn refuse(&mut self, violation: Violation) {
        self.violations.push(violation);
    }

    fn section(&mut self, section: &str, node: &Node, source: Source<'_>) {
        let entries = match &node.content {
            Content::Nothing => return,
            Content::Map(entries) => entries,
            other => {
                let what = if section.is_empty() {
                    "the configuration file".to_owned()
                } else {
                    format!("`{section}`")
                };
                let message = format!("{what} must be a mapping, found {}", other.kind());
                let hint = format!("keys: {}", keys::below(section).join(", "));
                return self.refuse(Violation::new(section, message, source.place(node.spot)).hint(hint));
            }
        };
        let mut seen: Vec<&str> = Vec::new();
        for (name, spot, node) in entries {
            let place = source.place(*spot);
            let path = if section.is_empty() {
                name.clone()
            } else {
                format!("{section}.{name}")
            };
            if seen.contains(&name.as_str()) {
                let message = format!("duplicate key `{path}`");
                self.refuse(
                    Violation::new(&path, message, place)
                        .label("again")
                        .hint("remove one of them"),
                );
                continue;
            }
            seen.push(name);
            if let Some(key) = keys::find(&path) {
                self.value(&path, key.kind.shape(), node, source);
            } else if section.is_empty() && keys::below("").contains(&name.as_str()) {
                self.section(name, node, source);
            } else {
                self.unknown(section, name, place);
            }
        }
    }

    fn unknown(&mut self, section: &str, name: &str, place: Place) {
        let known = keys::below(section);
        if section.is_empty() && known.contains(&name) {
            let message = format!("`{name}` is a section and cannot have a value");
            let keys = keys::below(name)
                .iter()
                .map(|key| format!("{name}.{key}"))
                .collect::<Vec<_>>();
            let hint = format!("keys: {}", keys.join(", "));
            return self.refuse(Violation::new(name, message, place).hint(hint));
        }
        let hint = match keys::nearest(section, name) {
            Some(nearest) => format!("did you mean `{nearest}`?"),
            None => format!("known keys: {}", known.join(", ")),
        };
        let (path, within) = match section {
            "" => (name.to_owned(), "the configuration".to_owned()),
            _ => (format!("{section}.{name}"), format!("`{section}`")),
        };
        let message = format!("unsupported key `{}` in {within}", clipped(name));
        self.refuse(Violation::new(&path, message, place).label("unknown").hint(hint));
    }

    /// Takes a value of the file when it has the shape of its key.
    fn value(&mut self, path: &str, shape: Shape, node: &Node, source: Source<'_>) {
        let place = source.place(node.spot);
        let given = match (shape, &node.content) {
            (Shape::Scalar, Content::Nothing) => {
                let message = format!("`{path}` has no value");
                let hint = "specify a value, in quotes if it is the word null, or remove the key";
                return self.refuse(Violation::new(path, message, place).hint(hint));
            }
            // All that was in it is commented out.
            (Shape::List | Shape::Map, Content::Nothing) => return,
            (Shape::Scalar, Content::Scalar(text)) => Given::Scalar((text.clone(), place)),
            (Shape::List, Content::List(entries)) => {
                let mut texts = Vec::new();
                for entry in entries {
                    let place = source.place(entry.spot);
                    match &entry.content {
                        Content::Scalar(text) => texts.push((text.clone(), place)),
                        other => self.shape(path, "a list of single values", other.kind(), place),
                    }
                }
                Given::List(texts, place)
            }
            (Shape::Map, Content::Map(entries)) => {
                let mut texts: Vec<(Text, Text)> = Vec::new();
                for (name, spot, entry) in entries {
                    let place = source.place(*spot);
                    if texts.iter().any(|((known, _), _)| known == name) {
                        let message = format!("duplicate key `{path}.{name}`");
                        self.refuse(
                            Violation::new(path, message, place)
                                .label("again")
                                .hint("remove one of them"),
                        );
                        continue;
                    }
                    let at = source.place(entry.spot);
                    match &entry.content {
                        Content::Scalar(text) => texts.push(((name.clone(), place), (text.clone(), at))),
                        Content::Nothing => texts.push(((name.clone(), place), (String::new(), at))),
                        other => self.shape(&format!("{path}.{name}"), "one value", other.kind(), at),
                    }
                }
                Given::Map(texts, place)
            }
            (Shape::Scalar, other) => return self.shape(path, "one value", other.kind(), place),
            (Shape::List, other) => return self.shape(path, "a list", other.kind(), place),
            (Shape::Map, other) => return self.shape(path, "a map", other.kind(), place),
        };
        self.given.insert(path.to_owned(), given);
    }

    fn shape(&mut self, path: &str, expected: &str, found: &str, place: Place) {
        let message = format!("`{path}` must be {expected}, found {found}");
        self.refuse(Violation::new(path, message, place).hint(format!("specify {expected}")));
    }

    /// Takes what variables and flags give; lists and maps replace the file's, they are not joined.
    fn beside(&mut self, overrides: &Overrides) {
        for (at, entry) in overrides.entries.iter().enumerate() {
            let place = entry.place.clone();
            // A flag outweighs a variable; of two flags nobody knows which was meant.
            let flag = |place: &Place| matches!(place, Place::Flag(_));
            let again = |before: &Override| before.key == entry.key && flag(&before.place);
            if flag(&place) && overrides.entries[..at].iter().any(again) {
                let message = format!("`{}` is specified twice", entry.key);
                self.refuse(Violation::new(&entry.key, message, place).hint("remove one of the flags"));
                continue;
            }
            let parts = || entry.value.split(',').map(str::trim).filter(|part| !part.is_empty());
            let given = match keys::find(&entry.key).map(|key| key.kind.shape()) {
                None => {
                    let (section, name) = entry.key.rsplit_once('.').unwrap_or(("", &entry.key));
                    let (section, name) = if keys::below(section).is_empty() {
                        ("", entry.key.as_str())
                    } else {
                        (section, name)
                    };
                    self.unknown(section, name, place);
                    continue;
                }
                Some(Shape::Scalar) => Given::Scalar((entry.value.clone(), place)),
                Some(Shape::List) => Given::List(parts().map(|part| (part.to_owned(), place.clone())).collect(), place),
                Some(Shape::Map) => {
                    let mut texts = Vec::new();
                    for part in parts() {
                        match part.split_once('=') {
                            Some((key, _)) if texts.iter().any(|((known, _), _): &(Text, Text)| known == key) => {
                                let message = format!("`{}.{key}` is specified twice", entry.key);
                                self.refuse(
                                    Violation::new(&entry.key, message, place.clone()).hint("remove one of them"),
                                );
                            }
                            Some((key, value)) => {
                                texts.push(((key.to_owned(), place.clone()), (value.to_owned(), place.clone())));
                            }
                            None => self.shape(&entry.key, "comma-separated key=value pairs", part, place.clone()),
                        }
                    }
                    Given::Map(texts, place)
                }
            };
            self.given.insert(entry.key.clone(), given);
        }
    }
}
