//! What may be asked of an agent through Systems Manager.
//!
//! IAM tells documents apart and not the values of their parameters, so each class of verbs is a document of its own. The document in the
//! template, the side that sends commands and the agent's command line are all made from this one list.

/// What a document lets its caller do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// Looking, which changes nothing.
    Read,
    /// Faults, and the queues of a failover test.
    Test,
    /// What an operator does in the course of things.
    Operate,
    /// A person's word on who may write.
    Fence,
}

impl Class {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Read, Self::Test, Self::Operate, Self::Fence];

    /// Its word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Test => "test",
            Self::Operate => "operate",
            Self::Fence => "fence",
        }
    }

    /// What it lets its caller do, for people.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Read => "Reads status, phase marks, depth of the test queues, connections, and fence; read-only",
            Self::Test => "Injects faults; defines and deletes the queues of a failover test",
            Self::Operate => "Pauses and resumes the queue manager, and moves it to the standby",
            Self::Fence => "Decides that a previous owner is gone, or that a copied or empty file system may be used",
        }
    }

    /// Its verbs.
    pub fn verbs(self) -> impl Iterator<Item = Verb> {
        Verb::ALL.into_iter().filter(move |verb| verb.class() == self)
    }
}

/// Exit code of an agent, and of a document's script, for a verb that its version does not know.
pub const UNKNOWN_VERB: i32 = 2;

/// The parameter of a document that says which verb.
pub const COMMAND: &str = "Command";

/// The parameter of [`Class::Read`] with the first line of the answer that is wanted, from 1.
///
/// Systems Manager returns 24,000 characters at most. Pages begin at lines, since one that is cut within a character cannot be put
/// together again; and the document cuts them, not the agent, so that an agent of an earlier version has them too.
pub const FROM_LINE: &str = "FromLine";

/// The parameter of [`Class::Read`] with the first byte of that line, from 1: for a line that is longer than a page.
///
/// It is sent for the rest of such a line alone, since a document of an earlier version refuses it.
pub const FROM_BYTE: &str = "FromByte";

/// Where in an answer a page begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageStart {
    /// Its line, from 1.
    pub line: usize,
    /// Bytes of that line that were had already.
    pub had: usize,
}

impl PageStart {
    /// The first page.
    pub const FIRST: Self = Self { line: 1, had: 0 };

    /// How much of a page can be kept, and where the next one begins; `None` when this is the last.
    ///
    /// A page is kept up to its last line break; without one, up to its last character of one byte, behind which a cut character may
    /// stand. One that has neither cannot be told from one that was cut anywhere, and nothing of it is kept.
    pub fn next(self, page: &str) -> Option<(usize, Self)> {
        // The line break at the end may have been taken for white space on the way.
        if page.len() + 1 < PAGE_BYTES {
            return None;
        }
        if let Some(end) = page.rfind('\n') {
            let line = self.line + page[..=end].matches('\n').count();
            return Some((end + 1, Self { line, had: 0 }));
        }
        let kept = page.rfind(|c: char| c.is_ascii()).map_or(0, |end| end + 1);
        let had = self.had + kept;
        Some((kept, Self { had, ..self }))
    }
}

/// The most bytes of one page.
pub const PAGE_BYTES: usize = 20_000;

/// What a parameter that is a number looks like.
pub const NUMBER_PATTERN: &str = "^[0-9]{1,19}$";

/// What every other parameter looks like: nothing that a shell reads otherwise than it stands there.
pub const ARGUMENT_PATTERN: &str = "^[A-Za-z0-9._:-]{1,64}$";

/// A parameter of a verb.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parameter {
    /// A point in time, in nanoseconds since 1970.
    Since,
    /// A [`crate::FaultOrder`].
    Fault,
    /// An instance.
    PreviousOwner,
    /// A file system.
    FileSystem,
}

impl Parameter {
    /// Its name in the document.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Since => "Since",
            Self::Fault => "Fault",
            Self::PreviousOwner => "PreviousOwner",
            Self::FileSystem => "FileSystem",
        }
    }

    /// What it is when it is not given: a verb that needs it refuses that.
    pub const fn default(self) -> &'static str {
        match self {
            Self::Since => "0",
            _ => "none",
        }
    }

    /// What it looks like.
    pub const fn pattern(self) -> &'static str {
        match self {
            Self::Since => NUMBER_PATTERN,
            _ => ARGUMENT_PATTERN,
        }
    }
}

/// A verb of the agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// What the agent says of itself.
    Status,
    /// What happened when.
    Marks,
    /// How many messages are on the queues of a test.
    Depth,
    /// How many connections the queue manager has at this moment.
    Connections,
    /// Who may write, and what is waited for.
    Fence,
    /// Injects a fault.
    Fault,
    /// Defines the queues of a test.
    Define,
    /// Deletes them.
    Delete,
    /// Stops the queue manager until it is resumed.
    Pause,
    /// Ends a pause.
    Resume,
    /// Moves the queue manager to the host that is ready to take over.
    Failover,
    /// Lets go of it, whether a host is ready to take over or not.
    FailoverUnready,
    /// A previous owner is gone.
    Operator,
    /// This file system is a copy, and may be used.
    Copy,
    /// This file system is empty, and a queue manager may be created on it.
    Create,
}

impl Verb {
    /// All of them, by class.
    pub const ALL: [Self; 15] = [
        Self::Status,
        Self::Marks,
        Self::Depth,
        Self::Connections,
        Self::Fence,
        Self::Fault,
        Self::Define,
        Self::Delete,
        Self::Pause,
        Self::Resume,
        Self::Failover,
        Self::FailoverUnready,
        Self::Operator,
        Self::Copy,
        Self::Create,
    ];

    /// The document that has it.
    pub const fn class(self) -> Class {
        match self {
            Self::Status | Self::Marks | Self::Depth | Self::Connections | Self::Fence => Class::Read,
            Self::Fault | Self::Define | Self::Delete => Class::Test,
            Self::Pause | Self::Resume | Self::Failover | Self::FailoverUnready => Class::Operate,
            Self::Operator | Self::Copy | Self::Create => Class::Fence,
        }
    }

    /// Its word, the value of [`COMMAND`].
    pub const fn name(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::Marks => "marks",
            Self::Depth => "depth",
            Self::Connections => "connections",
            Self::Fence => "fence",
            Self::Fault => "fault",
            Self::Define => "define",
            Self::Delete => "delete",
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Failover => "failover",
            Self::FailoverUnready => "failover-unready",
            Self::Operator => "operator",
            Self::Copy => "copy",
            Self::Create => "create",
        }
    }

    /// Its words on the agent's command line; its parameter, if it has one, comes behind them.
    pub const fn words(self) -> &'static [&'static str] {
        match self {
            Self::Status => &["status", "--json"],
            Self::Marks => &["marks", "--since"],
            Self::Depth => &["probe", "depth"],
            Self::Connections => &["connections"],
            Self::Fence => &["fence", "--json"],
            Self::Fault => &["fault"],
            Self::Define => &["probe", "define"],
            Self::Delete => &["probe", "delete"],
            Self::Pause => &["pause"],
            Self::Resume => &["resume"],
            Self::Failover => &["failover"],
            Self::FailoverUnready => &["failover", "--unready"],
            Self::Operator => &["fence", "operator"],
            Self::Copy => &["fence", "copy"],
            Self::Create => &["fence", "create"],
        }
    }

    /// Its parameter.
    pub const fn parameter(self) -> Option<Parameter> {
        match self {
            Self::Marks => Some(Parameter::Since),
            Self::Fault => Some(Parameter::Fault),
            Self::Operator => Some(Parameter::PreviousOwner),
            Self::Copy | Self::Create => Some(Parameter::FileSystem),
            _ => None,
        }
    }

    /// The command line of the agent, with an argument as it is to stand there.
    pub fn command_line(self, argument: &str) -> String {
        let mut words = vec!["mqaws-agent"];
        words.extend(self.words());
        words.extend(self.parameter().map(|_| argument));
        words.join(" ")
    }

    /// The verb of an agent's command line, and its argument; empty when it has none.
    pub fn parse<'a>(words: &[&'a str]) -> Option<(Self, &'a str)> {
        Self::ALL.into_iter().find_map(|verb| {
            let argument = words.strip_prefix(verb.words())?;
            match (argument, verb.parameter()) {
                ([], None) => Some((verb, "")),
                ([one], Some(_)) => Some((verb, *one)),
                _ => None,
            }
        })
    }
}

/// A text that no document takes as a parameter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot send `{0}` to an agent: must be 1 to 64 letters, digits, and `.`, `_`, `:`, `-`")]
pub struct InvalidArgument(String);

/// A verb with its argument, as it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    verb: Verb,
    argument: String,
}

impl Request {
    /// A verb without an argument, or with its parameter's default.
    pub fn new(verb: Verb) -> Self {
        let argument = verb.parameter().map_or("", Parameter::default).to_owned();
        Self { verb, argument }
    }

    /// The marks since a point in time, in nanoseconds since 1970.
    pub fn marks(since_unix_ns: i64) -> Self {
        Self {
            verb: Verb::Marks,
            argument: since_unix_ns.max(0).to_string(),
        }
    }

    /// A fault by its order.
    ///
    /// # Errors
    /// [`InvalidArgument`].
    pub fn fault(word: &str) -> Result<Self, InvalidArgument> {
        let known = |byte: u8| byte.is_ascii_alphanumeric() || b"._:-".contains(&byte);
        match (1..=64).contains(&word.len()) && word.bytes().all(known) {
            true => Ok(Self {
                verb: Verb::Fault,
                argument: word.to_owned(),
            }),
            false => Err(InvalidArgument(word.to_owned())),
        }
    }

    /// The document that it is sent with.
    pub fn class(&self) -> Class {
        self.verb.class()
    }

    /// The parameters of the document, for one page of the answer.
    pub fn parameters(&self, from: PageStart) -> Vec<(&'static str, String)> {
        let mut all = vec![(COMMAND, self.verb.name().to_owned())];
        all.extend(
            self.verb
                .parameter()
                .map(|parameter| (parameter.name(), self.argument.clone())),
        );
        if self.class() == Class::Read {
            all.push((FROM_LINE, from.line.to_string()));
            all.extend((from.had > 0).then(|| (FROM_BYTE, (from.had + 1).to_string())));
        }
        all
    }
}

impl std::fmt::Display for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.verb.command_line(&self.argument))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_line_is_read_as_the_verb_that_wrote_it() {
        for verb in Verb::ALL {
            let line = verb.command_line("i-1");
            let words: Vec<&str> = line.split(' ').skip(1).collect();
            let argument = verb.parameter().map_or("", |_| "i-1");
            assert_eq!(Verb::parse(&words), Some((verb, argument)), "{line}");
            let more = [&words[..], &["x"]].concat();
            assert_eq!(Verb::parse(&more), None, "{line} x");
            if verb.parameter().is_some() {
                assert_eq!(
                    Verb::parse(&words[..words.len() - 1]),
                    None,
                    "{line} without its argument"
                );
            }
        }
        assert_eq!(Verb::parse(&[]), None);
        assert_eq!(Request::marks(-5).to_string(), "mqaws-agent marks --since 0");
    }

    #[test]
    fn each_verb_is_in_one_document_under_one_word() {
        for class in Class::ALL {
            let names: Vec<&str> = class.verbs().map(Verb::name).collect();
            let mut once = names.clone();
            once.sort_unstable();
            once.dedup();
            assert!(!names.is_empty() && once.len() == names.len(), "{names:?}");
        }
        assert_eq!(
            Class::ALL.into_iter().flat_map(Class::verbs).collect::<Vec<_>>(),
            Verb::ALL
        );
    }

    #[test]
    fn a_page_that_another_one_follows_is_kept_as_far_as_it_is_whole() {
        let first = PageStart::FIRST;
        assert_eq!(first.next("a\nb\n"), None);
        let full = format!("a\n{}\nhalf", "a".repeat(PAGE_BYTES - 7));
        assert_eq!(first.next(&full), Some((PAGE_BYTES - 4, PageStart { line: 3, had: 0 })));
        // A line that is longer, with a character that was cut.
        let long = format!("{}\u{fffd}", "a".repeat(PAGE_BYTES - 2));
        let (kept, second) = first.next(&long).expect("another one");
        assert_eq!((kept, second), (PAGE_BYTES - 2, PageStart { line: 1, had: kept }));
        let sent = Request::new(Verb::Status).parameters(second);
        assert_eq!(
            sent[1..],
            [(FROM_LINE, "1".to_owned()), (FROM_BYTE, (kept + 1).to_string())]
        );
        let (kept, third) = second.next(&"b".repeat(PAGE_BYTES)).expect("another one");
        assert_eq!((kept, third.had), (PAGE_BYTES, 2 * PAGE_BYTES - 2));
        let ends = format!("{}\nmore", "c".repeat(PAGE_BYTES));
        assert_eq!(third.next(&ends), Some((PAGE_BYTES + 1, PageStart { line: 2, had: 0 })));
        assert_eq!(first.next(&"ü".repeat(PAGE_BYTES)).map(|(kept, _)| kept), Some(0));
    }

    #[test]
    fn nothing_that_a_shell_reads_is_sent() {
        for word in [
            "x;reboot",
            "$(id)",
            "a b",
            "a'b",
            "",
            "a\nb",
            "{{ssm:x}}",
            &"a".repeat(65),
        ] {
            assert!(Request::fault(word).is_err(), "{word}");
        }
        let sent = Request::fault("kill-queue-manager").expect("a word");
        assert_eq!(
            sent.parameters(PageStart::FIRST),
            [
                (COMMAND, "fault".to_owned()),
                ("Fault", "kill-queue-manager".to_owned())
            ]
        );
        assert_eq!(
            Request::marks(7).parameters(PageStart { line: 3, had: 0 }),
            [
                (COMMAND, "marks".to_owned()),
                ("Since", "7".to_owned()),
                (FROM_LINE, "3".to_owned())
            ]
        );
    }
}
