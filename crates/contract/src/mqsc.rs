//! MQSC as both sides read it: lines into statements, and what is wrong with a file of them before any queue manager sees it.

/// A line of the input and what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// A comment or an empty line.
    Silent(String),
    /// A line that begins a statement, or goes on with one.
    Part {
        /// The line as it was written.
        text: String,
        /// Whether it begins the statement.
        first: bool,
    },
    /// The statement that ends with the line before.
    Statement(String),
}

/// Splits an input into lines and statements; reading stops behind `END`.
pub fn lines(text: &str) -> Vec<Line> {
    let mut out = Vec::new();
    let mut open: Option<String> = None;
    for line in text.lines() {
        let trimmed = line.trim();
        if open.is_none() && (trimmed.is_empty() || trimmed.starts_with('*')) {
            out.push(Line::Silent(line.to_owned()));
            continue;
        }
        out.push(Line::Part {
            text: line.to_owned(),
            first: open.is_none(),
        });
        let mut statement = open.take().unwrap_or_default();
        if let Some(part) = trimmed.strip_suffix('+') {
            // A plus goes on with the first character of the next line that is no blank.
            statement.push_str(part);
            open = Some(statement);
        } else if let Some(part) = trimmed.strip_suffix('-') {
            statement.push_str(part);
            open = Some(statement);
        } else {
            statement.push_str(trimmed.trim_end_matches(';'));
            let end = ends(&statement);
            out.push(Line::Statement(statement));
            if end {
                return out;
            }
        }
    }
    if let Some(statement) = open {
        out.push(Line::Statement(statement));
    }
    out
}

/// Whether a statement ends the input.
fn ends(statement: &str) -> bool {
    ["END", "QUIT", "STOP"].contains(&statement.trim().to_ascii_uppercase().as_str())
}

/// Most characters of a line.
const LONGEST_LINE: usize = 2048;

/// What statements begin with, on any platform. Most have an abbreviation, such as `DEF` or `DIS`.
const VERBS: [&str; 19] = [
    "ALTER", "ARCHIVE", "BACKUP", "CLEAR", "DEFINE", "DELETE", "DISPLAY", "MOVE", "PING", "PURGE", "RECOVER",
    "REFRESH", "RESET", "RESOLVE", "RESUME", "SET", "START", "STOP", "SUSPEND",
];

/// What is wrong with a file, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// Characters that it is about.
    pub width: usize,
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub hint: &'static str,
}

/// What would make `runmqsc` refuse or pass over a part of the text; attributes are not looked at.
pub fn mistakes(text: &str) -> Vec<Mistake> {
    let mut found: Vec<Mistake> = (1..)
        .zip(text.lines())
        .flat_map(|(at, line)| of_line(at, line))
        .collect();
    let (mut at, mut start, mut last) = (0, (0, String::new()), String::new());
    for line in lines(text) {
        match line {
            Line::Silent(_) => at += 1,
            Line::Part { text, first } => {
                at += 1;
                if first {
                    start = (at, text.clone());
                }
                last = text;
            }
            Line::Statement(statement) => {
                let column = start.1.chars().take_while(|c| c.is_whitespace()).count() + 1;
                let mistake = |width: usize, what: String, hint| Mistake {
                    line: start.0,
                    column,
                    width,
                    what,
                    hint,
                };
                found.extend(of_statement(&statement, mistake));
                let mark = last.trim_end();
                if mark.ends_with(['+', '-']) {
                    found.push(Mistake {
                        line: at,
                        column: mark.chars().count(),
                        width: 1,
                        what: "the last command continues on the next line, which does not exist".to_owned(),
                        hint: "remove the continuation mark, or add the missing line",
                    });
                }
                let silent = |line: &str| line.trim().is_empty() || line.trim().starts_with('*');
                if ends(&statement) && !text.lines().skip(at).all(silent) {
                    let word = statement.trim().to_owned();
                    let what = format!("`{word}` ends the commands, but other commands follow");
                    found.push(mistake(
                        word.chars().count(),
                        what,
                        "remove it, or the commands after it",
                    ));
                }
            }
        }
    }
    found.sort_by_key(|mistake| (mistake.line, mistake.column));
    // What is wrong with the line itself says all of a command that is there.
    found.dedup_by_key(|mistake| (mistake.line, mistake.column));
    found
}

fn of_line(at: usize, line: &str) -> Option<Mistake> {
    let length = line.chars().count();
    let odd = line.chars().position(|c| c.is_control() && c != '\t');
    let mistake = |column: usize, width, what, hint| Mistake {
        line: at,
        column,
        width,
        what,
        hint,
    };
    if length > LONGEST_LINE {
        let what = format!("the line has {length} characters, but MQSC accepts at most {LONGEST_LINE}");
        let hint = "split it: a `+` at the end of a line continues on the next line";
        return Some(mistake(LONGEST_LINE + 1, 1, what, hint));
    }
    let what = "the line contains a control character".to_owned();
    odd.map(|odd| mistake(odd + 1, 1, what, "remove it"))
}

fn of_statement(statement: &str, mistake: impl Fn(usize, String, &'static str) -> Mistake) -> Option<Mistake> {
    let statement = statement.trim();
    let end = |c: char| c == '(' || c.is_whitespace();
    let verb = statement.split(end).next().unwrap_or_default();
    if statement.is_empty() || ends(statement) {
        return None;
    }
    let width = verb.chars().count().max(1);
    let upper = verb.to_ascii_uppercase();
    // An abbreviation that is not known here is left to the queue manager.
    if upper.len() < 3 || !VERBS.iter().any(|known| known.starts_with(&upper)) {
        let shown: String = verb.chars().take(40).collect();
        let what = format!("unknown MQSC command `{shown}`");
        return Some(mistake(
            width,
            what,
            "use a command such as DEFINE, ALTER, SET, or START",
        ));
    }
    let (mut depth, mut quoted) = (0_i64, false);
    for c in statement.chars() {
        match c {
            '\'' => quoted = !quoted,
            '(' if !quoted => depth += 1,
            ')' if !quoted => depth -= 1,
            _ => {}
        }
    }
    let unbalanced = match (quoted, depth) {
        (true, _) => "a quote of this command is not closed",
        (_, 1..) => "a parenthesis of this command is not closed",
        (_, ..=-1) => "this command has a closing parenthesis without an opening one",
        (_, 0) => {
            let name = statement.split_once('(').map_or("", |(_, name)| name.trim_start());
            let own = name.trim_start_matches('\'').to_ascii_uppercase().starts_with("MQAWS.");
            return own.then(|| {
                let what = "object names `MQAWS.*` are reserved for mqaws".to_owned();
                mistake(width, what, "choose a different name")
            });
        }
    };
    Some(mistake(width, unbalanced.to_owned(), "correct the command"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lines_comments_and_continuations() {
        let parsed = lines("* comment\n\nDEFINE QL(A) +\n  REPLACE\nPING QMGR;\nend\nPING QMGR\n");
        let statements = parsed.iter().filter_map(|l| match l {
            Line::Statement(s) => Some(s.as_str()),
            _ => None,
        });
        assert_eq!(
            statements.collect::<Vec<_>>(),
            ["DEFINE QL(A) REPLACE", "PING QMGR", "end"]
        );
        assert_eq!(parsed[0], Line::Silent("* comment".into()));
        assert_eq!(
            parsed[3],
            Line::Part {
                text: "  REPLACE".into(),
                first: false
            }
        );
    }

    #[test]
    fn what_runmqsc_would_refuse_or_pass_over_is_found_at_its_place() {
        let long = format!("DEFINE QLOCAL(A) DESCR('{}')", "x".repeat(2100));
        for (text, places) in [
            ("* fine\ndef ql(A) +\n  REPLACE\nDIS QMGR\nEND\n* bye\n\n", &[][..]),
            ("DEFINE QLOCAL(A)\n  FROBNICATE QLOCAL(B)\n", &[(2, 3)]),
            ("END\nDEFINE QLOCAL(A)\n", &[(1, 1)]),
            ("DEFINE QLOCAL(A)\n  REPLACE +\n", &[(2, 3), (2, 11)]),
            ("DEFINE QLOCAL(A) +\n", &[(1, 18)]),
            (
                "DEFINE QLOCAL(A\nDIS QMGR)\nALTER QMGR DESCR('x)\n",
                &[(1, 1), (2, 1), (3, 1)],
            ),
            ("DEFINE QLOCAL(A)\n\u{7}\n", &[(2, 1)]),
            (&long, &[(1, 2049)]),
            ("DEFINE QLOCAL('MQAWS.X')", &[(1, 1)]),
        ] {
            let found: Vec<_> = mistakes(text).iter().map(|m| (m.line, m.column)).collect();
            assert_eq!(found, places, "{text}: {:?}", mistakes(text));
        }
    }

    proptest! {
        #[test]
        fn any_text_is_looked_at(text in "(\\PC|\n|['()+ -]){0,120}") {
            let _ = mistakes(&text);
        }
    }
}
