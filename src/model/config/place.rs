//! Where a value came from, and how to show that place.

use std::fmt::Write;

/// The text of a configuration file and the name to show for it.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// Path as the user knows it.
    pub name: &'a str,
    /// The whole text.
    pub text: &'a str,
}

/// Most characters of a line that are shown.
const LONGEST_EXCERPT: usize = 120;

/// Characters of a longer one that are shown before the spot.
const BEFORE_THE_SPOT: usize = 40;

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A spot in the file.
    File {
        /// Path as the user knows it.
        name: String,
        /// Line, from 1.
        line: usize,
        /// Column in characters, from 1.
        column: usize,
        /// Characters that belong to the spot.
        width: usize,
        /// The line itself.
        excerpt: String,
    },
    /// An environment variable.
    Variable(String),
    /// A command line flag.
    Flag(String),
    /// Nothing that the user wrote.
    Default,
}

impl Place {
    /// `file:line:column`, or the name of the variable or flag; nothing for a default.
    pub fn short(&self) -> Option<String> {
        match self {
            Self::File { name, line, column, .. } => Some(format!("{name}:{line}:{column}")),
            Self::Variable(name) => Some(format!("variable {name}")),
            Self::Flag(name) => Some(format!("flag {name}")),
            Self::Default => None,
        }
    }

    /// Order in which places are told: the file from top to bottom, then variables and flags.
    pub(super) fn order(&self) -> (usize, usize) {
        match self {
            Self::File { line, column, .. } => (*line, *column),
            Self::Variable(_) | Self::Flag(_) => (usize::MAX, 0),
            Self::Default => (usize::MAX, 1),
        }
    }

    /// The place with an excerpt, the spot underlined and `label` beside it.
    pub fn long(&self, label: &str) -> Option<String> {
        let short = self.short()?;
        let Self::File {
            line,
            column,
            width,
            excerpt,
            ..
        } = self
        else {
            return Some(format!("   ╭─ {short}"));
        };
        let number = line.to_string();
        let gutter = " ".repeat(number.len());
        let mut out = String::new();
        // Of a long line, only what is around the spot.
        let skipped = match excerpt.chars().count() {
            ..=LONGEST_EXCERPT => 0,
            _ => column.saturating_sub(1 + BEFORE_THE_SPOT),
        };
        let column = column - skipped;
        let shown = excerpt.chars().skip(skipped).take(LONGEST_EXCERPT);
        // Tabs would move the underline, so the excerpt shows each as one space.
        let shown: String = shown.map(|c| if c == '\t' { ' ' } else { c }).collect();
        let shown = shown.trim_end();
        let rest = shown.chars().count().saturating_sub(column.saturating_sub(1));
        let width = (*width).min(rest).max(1);
        let _ = writeln!(out, " {gutter} ╭─ {short}");
        let _ = writeln!(out, " {number} │ {shown}");
        let underline = "─".repeat(width);
        let _ = write!(out, " {gutter} · {}{underline}", " ".repeat(column.saturating_sub(1)));
        if !label.is_empty() {
            let _ = write!(out, "  {label}");
        }
        Some(out)
    }
}

/// A spot in the text, from which a place can be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Spot {
    pub line: usize,
    pub column: usize,
    /// Characters; 0 for "up to the end of what stands on the line".
    pub width: usize,
}

impl Source<'_> {
    pub(super) fn place(&self, spot: Spot) -> Place {
        let excerpt = self
            .text
            .lines()
            .nth(spot.line.saturating_sub(1))
            .unwrap_or_default()
            .trim_end();
        let rest = excerpt.chars().skip(spot.column.saturating_sub(1)).collect::<String>();
        let rest = rest.split(" #").next().unwrap_or_default().trim_end().chars().count();
        let width = if spot.width == 0 { rest } else { spot.width.min(rest) };
        Place::File {
            name: self.name.to_owned(),
            line: spot.line.max(1),
            column: spot.column.max(1),
            width: width.max(1),
            excerpt: excerpt.to_owned(),
        }
    }
}
