//! Packer's machine-readable output: lines `time,target,type,data…`.
//!
//! Commas within a field are `%!(PACKER_COMMA)`, line ends `\n` and `\r`. Packer does not escape the backslash, so a text with
//! a backslash before an `n` reads as a line end; nothing but what people read depends on that.

/// Longest line that is kept whole, in bytes; what is longer is cut into several.
const LONGEST: usize = 1 << 20;

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Seconds since 1970 on the clock of the machine that runs Packer.
    pub at: Option<i64>,
    /// The build that the line is about, `amazon-ebs.mqaws`.
    pub target: Option<String>,
    /// What it says.
    pub entry: Entry,
}

/// What a line says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// What Packer would show a person.
    Ui {
        /// How it would show it.
        level: Level,
        /// The text, perhaps of several lines.
        text: String,
    },
    /// A fact about a thing that was made.
    Artifact {
        /// Number of the thing within its build.
        number: String,
        /// `id`, `builder-id`, `string`, `files-count`, `end` …
        key: String,
        /// The values.
        values: Vec<String>,
    },
    /// A build failed.
    Error(String),
    /// Packer's version.
    Version(String),
    /// Another type, or a line that is none of Packer's: kept as it came.
    Other {
        /// The type; empty for a line that is none of Packer's.
        kind: String,
        /// The data.
        data: Vec<String>,
    },
}

/// How Packer would show a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Level {
    /// A headline.
    Say,
    /// What a step prints.
    Message,
    /// An error, or what a step prints to standard error.
    Error,
    /// Something newer.
    Other(String),
}

impl Line {
    /// Reads one line, without its end.
    pub fn parse(text: &str) -> Self {
        let fields: Vec<&str> = text.split(',').collect();
        let at = fields.first().and_then(|at| at.parse().ok());
        let (Some(at), [_, target, kind, data @ ..]) = (at, fields.as_slice()) else {
            return Self {
                at: None,
                target: None,
                entry: Entry::Other {
                    kind: String::new(),
                    data: vec![text.to_owned()],
                },
            };
        };
        Self {
            at: Some(at),
            target: (!target.is_empty()).then(|| plain(target)),
            entry: entry(kind, data.iter().map(|field| plain(field)).collect()),
        }
    }

    /// What is worth keeping of the line in a log that people read.
    pub fn told(&self) -> String {
        match &self.entry {
            Entry::Ui { text, .. } => text.trim_matches('\n').to_owned(),
            Entry::Error(text) => format!("error: {text}"),
            Entry::Version(version) => format!("version {version}"),
            Entry::Artifact { number, key, values } => format!("artifact {number} {key} {}", values.join(" ")),
            Entry::Other { kind, data } => format!("{kind} {}", data.join(" ")).trim().to_owned(),
        }
    }
}

fn entry(kind: &str, data: Vec<String>) -> Entry {
    match (kind, data.as_slice()) {
        ("ui", [level, text]) => Entry::Ui {
            level: match level.as_str() {
                "say" => Level::Say,
                "message" => Level::Message,
                "error" => Level::Error,
                other => Level::Other(other.to_owned()),
            },
            text: text.clone(),
        },
        ("artifact", [number, key, values @ ..]) => Entry::Artifact {
            number: number.clone(),
            key: key.clone(),
            values: values.to_vec(),
        },
        ("error", [text, ..]) => Entry::Error(text.clone()),
        ("version", [version, ..]) => Entry::Version(version.clone()),
        _ => Entry::Other {
            kind: kind.to_owned(),
            data,
        },
    }
}

fn plain(field: &str) -> String {
    field
        .replace("%!(PACKER_COMMA)", ",")
        .replace("\\n", "\n")
        .replace("\\r", "\r")
}

/// Cuts a stream of bytes, which comes in pieces, into lines.
#[derive(Debug, Default)]
pub struct Lines {
    rest: Vec<u8>,
}

impl Lines {
    /// Takes a piece; returns the lines that are complete now.
    pub fn feed(&mut self, piece: &[u8]) -> Vec<Line> {
        let mut lines = Vec::new();
        for byte in piece {
            if *byte == b'\n' || self.rest.len() >= LONGEST {
                lines.extend(self.end());
            }
            if *byte != b'\n' {
                self.rest.push(*byte);
            }
        }
        lines
    }

    /// The last line, when it has no end.
    pub fn end(&mut self) -> Option<Line> {
        let bytes = std::mem::take(&mut self.rest);
        let text = String::from_utf8_lossy(&bytes);
        let text = text.trim_end_matches('\r');
        (!text.is_empty()).then(|| Line::parse(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ui(level: Level, text: &str) -> Entry {
        Entry::Ui {
            level,
            text: text.into(),
        }
    }

    #[test]
    fn what_packer_writes_is_read() {
        let mut lines = Lines::default();
        let text = "1795724954,,ui,say,==> amazon-ebs.mqaws: Connected to SSH!\n\
             1795724954,,ui,message,    amazon-ebs.mqaws: one%!(PACKER_COMMA) two\\nthree\\r\n\
             1795724971,,ui,error,Build 'amazon-ebs.mqaws' errored\n\
             1795724971,,error-count,1\n\
             1795724971,amazon-ebs.mqaws,error,Script exited\n\
             1795724954,amazon-ebs.mqaws,artifact,0,id,eu-west-1:ami-1%!(PACKER_COMMA)us-east-1:ami-2\n\
             1795724948,,version,1.6.6\n";
        let mut found = Vec::new();
        // in pieces that end in the middle of lines
        for piece in text.as_bytes().chunks(7) {
            found.extend(lines.feed(piece));
        }
        assert_eq!(lines.end(), None);
        let entries: Vec<Entry> = found.iter().map(|l| l.entry.clone()).collect();
        assert_eq!(
            entries,
            [
                ui(Level::Say, "==> amazon-ebs.mqaws: Connected to SSH!"),
                ui(Level::Message, "    amazon-ebs.mqaws: one, two\nthree\r"),
                ui(Level::Error, "Build 'amazon-ebs.mqaws' errored"),
                Entry::Other {
                    kind: "error-count".into(),
                    data: vec!["1".into()]
                },
                Entry::Error("Script exited".into()),
                Entry::Artifact {
                    number: "0".into(),
                    key: "id".into(),
                    values: vec!["eu-west-1:ami-1,us-east-1:ami-2".into()]
                },
                Entry::Version("1.6.6".into()),
            ]
        );
        assert_eq!(found[0].at, Some(1_795_724_954));
        assert_eq!(found[4].target.as_deref(), Some("amazon-ebs.mqaws"));
    }

    #[test]
    fn what_is_not_known_is_kept() {
        for (text, told) in [
            ("panic: runtime error", "panic: runtime error"),
            ("1,,ui,whisper,psst", "psst"),
            ("1,,ui,say", "ui say"),
            ("1,,novelty,a,b", "novelty a b"),
            ("1,,ui,say,\\n==> Wait completed", "==> Wait completed"),
        ] {
            assert_eq!(Line::parse(text).told(), told, "{text}");
        }
        assert_eq!(
            Line::parse("1,,ui,whisper,x").entry,
            ui(Level::Other("whisper".into()), "x")
        );
    }

    #[test]
    fn a_line_without_end_is_not_held_for_ever() {
        let mut lines = Lines::default();
        assert_eq!(lines.feed(&vec![b'x'; LONGEST + 1]).len(), 1);
        assert!(lines.end().is_some());
    }
}
