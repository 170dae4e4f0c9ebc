//! What each place says of a key, with what its row says filled in.

use super::find::variable;
use super::key::{Flag, Key, Otherwise, Topologies};
use super::kind::{Kind, Shape};
use crate::model::Engine;
use mqaws_contract::engine::AMQP;

impl Key {
    /// What it is, for the JSON Schema and wherever there are no other words.
    pub fn description(&self) -> String {
        let only = self.only().map(|only| format!(" {only}")).unwrap_or_default();
        format!("{}{only}", self.fill(self.help))
    }

    /// The comment above its line in the annotated file.
    pub fn comment_text(&self) -> String {
        self.fill(self.line.comment.unwrap_or(self.help))
    }

    /// What its line in the annotated file shows while it is commented out.
    pub fn example_text(&self) -> String {
        match (self.default, self.kind.shape()) {
            (Otherwise::Value(value), Shape::List) => format!("[{}]", value.replace(',', ", ")),
            (Otherwise::Value(value), _) => value.to_owned(),
            _ => self.line.example.to_owned(),
        }
    }

    /// The help of its flag.
    pub fn flag_text(&self, flag: &Flag) -> String {
        self.fill(flag.help)
    }

    /// The description of its parameter.
    pub fn parameter_text(&self) -> Option<String> {
        self.parameter.map(|parameter| self.fill(parameter.help))
    }

    /// Its row in the documentation: key, variable, default, what it is.
    pub fn row(&self) -> String {
        let default = match self.default {
            Otherwise::Value(value) => code(&value.split(',').collect::<Vec<_>>()).join(", "),
            Otherwise::Words(words) => words.to_owned(),
            Otherwise::Nothing => "none".to_owned(),
        };
        let words = match self.kind {
            Kind::Word(words) => alternatives(&words().iter().map(|word| format!("`{word}`")).collect::<Vec<_>>()),
            _ => String::new(),
        };
        let mut text = self.fill(&self.page.unwrap_or(self.help).replace("{words}", &words));
        if let Some(only) = self.only() {
            text = format!("{text} {only}");
        }
        if let Some(flag) = self.flag {
            text = format!("{text} Flag `--{}`.", flag.name);
        }
        format!("| `{}` | `{}` | {default} | {text} |", self.path, variable(self.path))
    }

    /// That not every topology knows it.
    fn only(&self) -> Option<String> {
        match self.topologies {
            Topologies::All => None,
            Topologies::Only(these) => {
                let words: Vec<&str> = these.iter().map(|topology| topology.as_str()).collect();
                Some(format!("Only with topology {}.", code(&words).join(" or ")))
            }
        }
    }

    fn fill(&self, text: &str) -> String {
        let engine = Engine::default().facts();
        let amqp = engine.endpoint(&AMQP);
        let (bounds, max) = match self.kind {
            Kind::Integer { min, max } => (format!("{min} to {max}"), max.to_string()),
            Kind::Range { min, max, .. } => (format!("{min} to {max}"), max.to_string()),
            Kind::Ranges { min, max } => (format!("{min} to {max}"), max.to_string()),
            Kind::Map { max, .. } => (String::new(), max.to_string()),
            _ => (String::new(), String::new()),
        };
        let words = match self.kind {
            Kind::Word(words) => alternatives(&words()),
            _ => String::new(),
        };
        let default = match self.default {
            Otherwise::Value(value) => value.replace(',', ", "),
            Otherwise::Words(_) | Otherwise::Nothing => String::new(),
        };
        let rule = self.kind.rule().map_or("", |rule| rule.words);
        text.replace("{bounds}", &bounds)
            .replace("{max}", &max)
            .replace("{default}", &default)
            .replace("{words}", &words)
            .replace("{rule}", rule)
            .replace("{port}", &engine.endpoints[0].port.to_string())
            .replace(
                "{amqp_port}",
                &amqp.map_or_else(String::new, |amqp| amqp.port.to_string()),
            )
    }
}

fn code(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| format!("`{word}`")).collect()
}

/// `a`, `a or b`, `a, b or c`.
fn alternatives<T: AsRef<str>>(words: &[T]) -> String {
    let words: Vec<&str> = words.iter().map(AsRef::as_ref).collect();
    match words.split_last() {
        Some((last, [])) => (*last).to_owned(),
        Some((last, others)) => format!("{} or {last}", others.join(", ")),
        None => String::new(),
    }
}
