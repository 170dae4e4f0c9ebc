//! MQSC as both sides read it: lines into statements, and what is wrong with a file of them before any queue manager sees it.

mod objects;

use crate::Mistake;
use objects::{Object, object};

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

/// A character of a statement and where it stands.
#[derive(Debug, Clone, Copy)]
struct Placed {
    c: char,
    line: usize,
    column: usize,
}

/// The part of a line that belongs to its statement.
fn placed(line: usize, text: &str) -> impl Iterator<Item = Placed> + '_ {
    let trimmed = text.trim();
    let lead = text.chars().take_while(|c| c.is_whitespace()).count();
    let part = trimmed
        .strip_suffix(['+', '-'])
        .unwrap_or_else(|| trimmed.trim_end_matches(';'));
    let column = move |(c, column)| Placed { c, line, column };
    part.chars().zip(lead + 1..).map(column)
}

/// What would make `runmqsc` refuse or pass over a part of the text; attributes are not looked at.
pub fn mistakes(text: &str) -> Vec<Mistake> {
    let mut found: Vec<Mistake> = (1..)
        .zip(text.lines())
        .flat_map(|(at, line)| of_line(at, line))
        .collect();
    let (mut at, mut chars, mut last) = (0, Vec::new(), String::new());
    for line in lines(text) {
        match line {
            Line::Silent(_) => at += 1,
            Line::Part { text, first } => {
                at += 1;
                if first {
                    chars.clear();
                }
                chars.extend(placed(at, &text));
                last = text;
            }
            Line::Statement(statement) => {
                found.extend(of_statement(&chars));
                let mark = last.trim_end();
                if mark.ends_with(['+', '-']) {
                    found.push(Mistake {
                        line: at,
                        column: mark.chars().count(),
                        width: 1,
                        what: "the last command continues on the next line, which does not exist".to_owned(),
                        hint: "remove the continuation mark, or add the missing line".to_owned(),
                        certain: true,
                    });
                }
                let silent = |line: &str| line.trim().is_empty() || line.trim().starts_with('*');
                if ends(&statement) && !text.lines().skip(at).all(silent) {
                    let what = format!("`{}` ends the commands, but other commands follow", statement.trim());
                    found.extend(mistake(word(&chars, 0), what, "remove it, or the commands after it"));
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
    let mistake = |column: usize, width, what, hint: &str| Mistake {
        line: at,
        column,
        width,
        what,
        hint: hint.to_owned(),
        certain: true,
    };
    if length > LONGEST_LINE {
        let what = format!("the line has {length} characters, but MQSC accepts at most {LONGEST_LINE}");
        let hint = "split it: a `+` at the end of a line continues on the next line";
        return Some(mistake(LONGEST_LINE + 1, 1, what, hint));
    }
    let what = "the line contains a control character".to_owned();
    odd.map(|odd| mistake(odd + 1, 1, what, "remove it"))
}

/// A mistake at characters of a statement, if there are any.
fn mistake(place: &[Placed], what: impl Into<String>, hint: impl Into<String>) -> Option<Mistake> {
    let first = place.first()?;
    Some(Mistake {
        line: first.line,
        column: first.column,
        width: place.iter().filter(|one| one.line == first.line).count(),
        what: what.into(),
        hint: hint.into(),
        certain: true,
    })
}

/// The word of a statement that begins at a character or behind it.
fn word(statement: &[Placed], from: usize) -> &[Placed] {
    let rest = &statement[from..];
    let start = rest.iter().position(|one| !one.c.is_whitespace()).unwrap_or(rest.len());
    let rest = &rest[start..];
    let end = rest.iter().position(|one| one.c == '(' || one.c.is_whitespace());
    &rest[..end.unwrap_or(rest.len())]
}

fn text(place: &[Placed]) -> String {
    place.iter().map(|one| one.c).collect()
}

fn of_statement(placed: &[Placed]) -> Option<Mistake> {
    let statement = text(placed);
    if statement.trim().is_empty() || ends(&statement) {
        return None;
    }
    let lead = statement.chars().take_while(|c| c.is_whitespace()).count();
    let verb = word(placed, 0);
    let shown = |place: &[Placed]| -> String { text(place).chars().take(40).collect() };
    let upper = text(verb).to_ascii_uppercase();
    // An abbreviation that is not known here is left to the queue manager.
    if upper.len() < 3 || !VERBS.iter().any(|known| known.starts_with(&upper)) {
        let place = if verb.is_empty() { &placed[lead..=lead] } else { verb };
        let what = format!("unknown MQSC command `{}`", shown(verb));
        return mistake(place, what, "use a command such as DEFINE, ALTER, SET, or START");
    }
    if let Some(unbalanced) = unbalanced(placed) {
        return Some(unbalanced);
    }
    let about = word(placed, lead + verb.len());
    if about.is_empty() {
        let what = format!("`{}` has no object", shown(verb));
        return mistake(verb, what, "add one, such as QLOCAL(APP.REQUEST)");
    }
    let unknown = format!("unknown MQSC object `{}`", shown(about));
    match object(&text(about)) {
        Object::Known => {}
        Object::MeantFor(meant) => return mistake(about, unknown, format!("did you mean `{meant}`?")),
        Object::Unknown => {
            let hint = "check its spelling; mqaws passes it to the queue manager as it is";
            let mistake = mistake(about, unknown, hint)?;
            return Some(Mistake {
                certain: false,
                ..mistake
            });
        }
    }
    let name = statement.split_once('(').map_or("", |(_, name)| name.trim_start());
    let own = name.trim_start_matches('\'').to_ascii_uppercase().starts_with("MQAWS.");
    let what = "object names `MQAWS.*` are reserved for mqaws";
    own.then(|| mistake(verb, what, "choose a different name")).flatten()
}

/// The first quote or parenthesis of a command that has no other side.
fn unbalanced(statement: &[Placed]) -> Option<Mistake> {
    let (mut open, mut quote) = (Vec::new(), None);
    let mut rest = statement.iter().peekable();
    while let Some(one) = rest.next() {
        match (one.c, quote) {
            ('\'', None) => quote = Some(*one),
            // Two are one within it.
            ('\'', Some(_)) if rest.next_if(|next| next.c == '\'').is_some() => {}
            ('\'', Some(_)) => quote = None,
            ('(', None) => open.push(*one),
            (')', None) if open.pop().is_none() => {
                let what = "this parenthesis closes none that is open";
                return mistake(&[*one], what, "remove it, or add the opening one");
            }
            _ => {}
        }
    }
    // All behind an open quote is in it.
    if let Some(quote) = quote {
        let hint = "add the closing quote; a quote within quotes is written twice";
        return mistake(&[quote], "this quote is not closed", hint);
    }
    mistake(
        &open.into_iter().take(1).collect::<Vec<_>>(),
        "this parenthesis is not closed",
        "add the closing one",
    )
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
                &[(1, 14), (2, 9), (3, 18)],
            ),
            ("DEFINE QLOCAL(A)\n\u{7}\n", &[(2, 1)]),
            (&long, &[(1, 2049)]),
            ("DEFINE QLOCAL('MQAWS.X')", &[(1, 1)]),
            // An object that is misspelled, also on a line of its own.
            ("DEFINE QLOCAL(A)\n  DEFINE QLOCL(B)\n", &[(2, 10)]),
            ("DEFINE +\n   QLCOAL(A)\n", &[(2, 4)]),
            ("DEFINE\n", &[(1, 1)]),
            // The quote, wherever it stands; what follows is within it.
            ("DEFINE QLOCAL('A) +\n  DESCR('x')\n", &[(2, 11)]),
            ("DEFINE QLOCAL(A) +\n  DESCR('it''s +\n  MAXDEPTH(5)\n", &[(2, 9)]),
            ("DEFINE QLOCAL(A) DESCR((x)\n", &[(1, 23)]),
        ] {
            let found: Vec<_> = mistakes(text).iter().map(|m| (m.line, m.column)).collect();
            assert_eq!(found, places, "{text}: {:?}", mistakes(text));
        }
    }

    #[test]
    fn what_is_not_known_here_may_be_known_to_the_queue_manager() {
        let said = |text: &str| -> Vec<(String, bool)> {
            let found = mistakes(text).into_iter();
            found
                .map(|mistake| (format!("{}: {}", mistake.what, mistake.hint), mistake.certain))
                .collect()
        };
        let meant = "unknown MQSC object `QLOCL`: did you mean `QLOCAL`?";
        assert_eq!(said("DEF QLOCL(A)"), [(meant.to_owned(), true)]);
        let passed = "unknown MQSC object `NEWKIND`: check its spelling; mqaws passes it to the queue manager as it is";
        assert_eq!(said("DEF NEWKIND(A)"), [(passed.to_owned(), false)]);
    }

    proptest! {
        #[test]
        fn any_text_is_looked_at(text in "(\\PC|\n|['()+ -]){0,120}") {
            let _ = mistakes(&text);
        }
    }
}
