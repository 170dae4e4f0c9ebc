//! Messages of the commands: `AMQnnnnX` ids, and the sentences that commands print on their way.

use std::path::PathBuf;

/// Severity of a message, from the letter behind its number. Releases before 9.1 print none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Severity {
    /// `I`
    Information,
    /// `W`
    Warning,
    /// `E`
    Error,
    /// `S`
    Severe,
    /// `T`
    Terminating,
}

impl Severity {
    fn from_letter(letter: char) -> Option<Self> {
        Some(match letter {
            'I' => Self::Information,
            'W' => Self::Warning,
            'E' => Self::Error,
            'S' => Self::Severe,
            'T' => Self::Terminating,
            _ => return None,
        })
    }
}

/// A message with an id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The number, such as 7128.
    pub number: u16,
    /// The severity, when printed.
    pub severity: Option<Severity>,
    /// The text behind the id up to the end of the line.
    pub text: String,
}

impl Message {
    /// Finds the first id in a line.
    pub fn find(line: &str) -> Option<Self> {
        for (at, _) in line.match_indices("AMQ") {
            let rest = &line[at + 3..];
            let Some(number) = rest.get(..4).filter(|d| d.bytes().all(|b| b.is_ascii_digit())) else {
                continue;
            };
            let mut rest = &rest[4..];
            let severity = rest.chars().next().and_then(Severity::from_letter);
            if severity.is_some() {
                rest = &rest[1..];
            }
            if let (Some(text), Ok(number)) = (rest.strip_prefix(':'), number.parse()) {
                return Some(Self {
                    number,
                    severity,
                    text: text.trim().to_owned(),
                });
            }
        }
        None
    }

    /// The id as printed: `AMQ7128E`, or `AMQ7128` of an old release.
    pub fn id(&self) -> String {
        let letter = match self.severity {
            Some(Severity::Information) => "I",
            Some(Severity::Warning) => "W",
            Some(Severity::Error) => "E",
            Some(Severity::Severe) => "S",
            Some(Severity::Terminating) => "T",
            None => "",
        };
        format!("AMQ{:04}{letter}", self.number)
    }

    /// Whether the message alone says that something failed.
    pub(crate) fn is_error(&self) -> bool {
        matches!(
            self.severity,
            Some(Severity::Error | Severity::Severe | Severity::Terminating)
        )
    }
}

/// All messages with an id, in order.
pub fn messages(text: &str) -> Vec<Message> {
    text.lines().filter_map(Message::find).collect()
}

/// The line of an output that best says why a command failed: the first error with an id, else the last line.
pub fn reason(text: &str) -> Option<String> {
    let error = text.lines().find(|l| Message::find(l).is_some_and(|m| m.is_error()));
    let line = error.or_else(|| text.lines().rev().find(|l| !l.trim().is_empty()))?;
    Some(line.trim().to_owned())
}

/// A sentence that a command prints on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// `IBM MQ queue manager 'QM' starting.`
    Starting(String),
    /// `IBM MQ queue manager 'QM' started using V9.4.5.0.`
    Started {
        /// Name of the queue manager.
        name: String,
        /// Version without its `V`.
        version: String,
    },
    /// `Waiting for queue manager 'QM' to end.`
    WaitingForEnd(String),
    /// `IBM MQ queue manager 'QM' ending.`
    Ending(String),
    /// `IBM MQ queue manager 'QM' ended.`
    Ended(String),
    /// `IBM MQ queue manager created.`, with the name in the DR/HA form.
    Created(Option<String>),
    /// `Directory 'DIR' created.`
    DirectoryCreated(PathBuf),
    /// `The queue manager is associated with installation 'NAME'.`
    Installation(String),
    /// `Default objects statistics : 84 created. 0 replaced. 0 failed.`
    DefaultObjects {
        /// Number created.
        created: u32,
        /// Number replaced.
        replaced: u32,
        /// Number failed.
        failed: u32,
    },
    /// `Replicated data queue manager enabled.`
    ReplicationEnabled,
    /// `Replicated data queue manager disabled.`
    ReplicationDisabled,
    /// `Secondary queue manager created on 'HOST'.`
    SecondaryCreated(String),
    /// `Command 'PATH' run with sudo.`, the trailer of RDQM commands.
    RunWithSudo(PathBuf),
    /// Any other line, as printed.
    Other(String),
}

impl Progress {
    /// Reads one line.
    pub fn parse(line: &str) -> Self {
        let line = line.trim();
        Self::known(line).unwrap_or_else(|| Self::Other(line.to_owned()))
    }

    fn known(line: &str) -> Option<Self> {
        let (before, name, after) = quoted(line).unwrap_or((line, "", ""));
        let owned = name.to_owned();
        Some(match (before, after) {
            ("IBM MQ queue manager", "starting.") => Self::Starting(owned),
            ("IBM MQ queue manager", "ending.") => Self::Ending(owned),
            ("IBM MQ queue manager", "ended.") => Self::Ended(owned),
            ("IBM MQ queue manager", "created.") => Self::Created(Some(owned)),
            ("IBM MQ queue manager created.", "") => Self::Created(None),
            ("IBM MQ queue manager", after) => {
                let version = after.strip_prefix("started using V")?.strip_suffix('.')?;
                Self::Started {
                    name: owned,
                    version: version.to_owned(),
                }
            }
            ("Waiting for queue manager", "to end.") => Self::WaitingForEnd(owned),
            ("Directory", "created.") => Self::DirectoryCreated(name.into()),
            ("The queue manager is associated with installation", ".") => Self::Installation(owned),
            ("Replicated data queue manager enabled.", "") => Self::ReplicationEnabled,
            ("Replicated data queue manager disabled.", "") => Self::ReplicationDisabled,
            ("Secondary queue manager created on", ".") => Self::SecondaryCreated(owned),
            ("Command", "run with sudo.") => Self::RunWithSudo(name.into()),
            (line, "") => {
                let counts = line.strip_prefix("Default objects statistics :")?;
                let mut numbers = counts.split_whitespace().filter_map(|word| word.parse().ok());
                Self::DefaultObjects {
                    created: numbers.next()?,
                    replaced: numbers.next()?,
                    failed: numbers.next()?,
                }
            }
            _ => return None,
        })
    }
}

/// Splits `before 'name' after`.
fn quoted(line: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = line.split_once('\'')?;
    let (name, after) = rest.split_once('\'')?;
    Some((before.trim(), name, after.trim()))
}

/// The status of a control process in a line of systemd, `Control process exited, code=exited status=71`.
pub fn control_process_status(line: &str) -> Option<i32> {
    let (_, rest) = line.split_once("Control process exited, code=exited")?;
    let (_, status) = rest.split_once("status=")?;
    let digits: String = status.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}
