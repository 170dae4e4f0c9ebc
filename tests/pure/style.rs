//! The most mechanical rules of `docs/style.md`: words that no text for users has, in the literals of the sources, on the pages and in the help.

use crate::joins;
use crate::judge::root;
use std::path::{Path, PathBuf};

/// Words that are not used, in any case, with what to write instead.
const WORDS: [(&str, &str); 58] = [
    ("is no", "invalid X, or: X does not exist"),
    ("knows no", "does not support"),
    ("needs no", "does not require"),
    ("nobody", "who: mqaws, the agent, an operator, another principal"),
    ("somebody", "who: mqaws, the agent, an operator, another principal"),
    ("anybody", "who: mqaws, the agent, an operator, another principal"),
    ("someone", "who: mqaws, the agent, an operator, another principal"),
    ("whoever", "who: mqaws, the agent, an operator, another principal"),
    ("licence", "license"),
    ("colour", "color"),
    ("behaviour", "behavior"),
    ("signalled", "signaled"),
    ("cancelled", "canceled"),
    ("recognised", "recognized"),
    ("outweigh", "are more than"),
    ("proves nothing", "is inconclusive"),
    ("proved nothing", "was inconclusive"),
    ("a person", "who: mqaws, the agent, an operator, another principal"),
    ("holds", "contains, has"),
    ("go on", "continue"),
    ("goes on", "continues"),
    ("goes first", "takes precedence"),
    ("let go", "release"),
    ("letting go", "releasing"),
    ("all the same", "anyway"),
    ("nevertheless", "anyway"),
    ("for want of", "because there is no"),
    ("is none", "is not one, does not exist"),
    ("is over", "has ended, has expired"),
    ("nothing of", "does not include"),
    ("says nothing", "does not show"),
    ("says something", "requires"),
    ("does not go with", "cannot be combined with"),
    ("do not go with", "cannot be combined with"),
    ("lost sight", "cannot follow"),
    ("is not known", "is unknown"),
    ("are not known", "are unknown"),
    ("if you mean it", "to do it anyway, run"),
    ("is there a way", "check the path"),
    ("name one", "specify one"),
    ("name a", "specify a"),
    ("name an", "specify an"),
    ("tells", "shows, to check, run"),
    ("knows", "supports, has"),
    ("wants", "requires"),
    ("stands", "supports, withstands"),
    ("needs no leave", "does not require permission"),
    ("honour", "honor"),
    ("favour", "favor"),
    ("centre", "center"),
    ("catalogue", "catalog"),
    ("artefact", "artifact"),
    ("labelled", "labeled"),
    ("modelled", "modeled"),
    ("authorised", "authorized"),
    ("initialised", "initialized"),
    ("serialised", "serialized"),
    ("analyse", "analyze"),
];

/// Words that are written otherwise within a sentence.
const CAPITALS: [(&str, &str); 9] = [
    ("id", "ID"),
    ("ids", "IDs"),
    ("ssh", "SSH"),
    ("ca", "CA"),
    ("tls", "TLS"),
    ("Valid values", "valid values"),
    ("Region", "region"),
    ("Stack", "stack"),
    ("Change set", "change set"),
];

/// Names with which an error may begin; every other one begins in lowercase.
const NAMES: [&str; 5] = ["AZRebalance", "CloudFormation", "Packer", "Packer's", "Template"];

/// What an error does not begin with: it says `cannot read`, where the attempt alone would read as an order.
const ORDERS: [&str; 14] = [
    "add", "copy", "create", "delete", "fetch", "list", "lock", "make", "mount", "open", "read", "send", "start",
    "write",
];

/// English all the same.
const GOOD: [&str; 4] = ["there is no", "is no longer", "holds the lock", "holds another lock"];

/// Literals that may have such a word: source, word, and why.
const ALLOWED: &str = "\
crates/agent/src/doctor/mod.rs | licence | a field that programs read
crates/lab/src/autoscaling/control.rs | cancelled | a word of AWS
crates/lab/src/autoscaling/launching.rs | cancelled | a word of AWS
crates/lab/src/cloudformation/context.rs | cancelled | a word of AWS
crates/lab/src/cloudformation/describe.rs | id | a sentence of AWS
crates/lab/src/cloudformation/provision.rs | cancelled | a word of AWS
crates/lab/src/ec2/images.rs | id | a sentence of AWS
crates/lab/src/ec2/launch.rs | id | a sentence of AWS
crates/engine/src/ibm_mq/exit.rs | authorised | a word of IBM MQ
crates/standin/src/commands/display.rs | nothing of | what a double is not
crates/standin/src/commands/info.rs | licence | the name of a file
src/deploy/cause.rs | cancelled | a word of AWS
src/deploy/cause/launch.rs | id | a sentence of AWS
src/image/stages.rs | ssh | a line of Packer
";

/// A source without its items for tests alone, each replaced by as many empty lines.
fn without_tests(source: &str) -> String {
    const MARK: &str = "\n#[cfg(test)]\n";
    let mut kept = String::new();
    let mut rest = source;
    while let Some(at) = rest.find(MARK) {
        kept.push_str(&rest[..at]);
        let item = &rest[at + MARK.len()..];
        // An item of the outermost level ends with a semicolon, or with a brace in the first column.
        let declared = item.find(";\n").map(|end| end + 1);
        let block = item.find("\n}").map(|end| end + 2);
        let opens = item.find("{\n").unwrap_or(item.len());
        let end = match (declared, block) {
            (Some(end), _) if end < opens => end,
            (_, Some(end)) => end,
            _ => item.len(),
        };
        let lines = rest[at..at + MARK.len() + end].matches('\n').count();
        kept.push_str(&"\n".repeat(lines));
        rest = &item[end..];
    }
    kept + rest
}

/// The text of every string literal of a source with its line; comments, characters, and items for tests alone are left out.
fn literals(source: &str) -> Vec<(usize, String)> {
    let source = &without_tests(source);
    let (mut found, mut at) = (Vec::new(), 0);
    while let Some(rest) = source.get(at..).filter(|rest| !rest.is_empty()) {
        let line = || source[..at].matches('\n').count() + 1;
        let named = source[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
        let hashes = rest
            .strip_prefix('r')
            .map(|rest| rest.len() - rest.trim_start_matches('#').len());
        let raw = hashes.filter(|hashes| !named && rest[1 + hashes..].starts_with('"'));
        at += match () {
            () if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            () if let Some(hashes) = raw => {
                let (begin, close) = (hashes + 2, format!("\"{}", "#".repeat(hashes)));
                let length = rest[begin..].find(&close).expect("a literal ends");
                found.push((line(), rest[begin..begin + length].to_owned()));
                begin + length + close.len()
            }
            () if rest.starts_with('"') => {
                let mut escaped = false;
                let closes = |c: char| {
                    let closes = c == '"' && !escaped;
                    escaped = c == '\\' && !escaped;
                    closes
                };
                let length = rest[1..].find(closes).expect("a literal ends");
                found.push((line(), joined(&rest[1..=length])));
                length + 2
            }
            // A character; what else an apostrophe begins is a lifetime.
            () if rest.starts_with("'\\") => 3 + rest[3..].find('\'').unwrap_or_default() + 1,
            () if rest.starts_with('\'') && rest.chars().nth(2) == Some('\'') => {
                2 + rest.chars().nth(1).map_or(0, char::len_utf8)
            }
            () => rest.chars().next().map_or(1, char::len_utf8),
        };
    }
    found
}

/// A literal of several lines in one.
fn joined(literal: &str) -> String {
    let mut lines = literal.split("\\\n");
    let first = lines.next().unwrap_or_default().to_owned();
    lines.fold(first, |text, line| text + line.trim_start())
}

/// A text without what is not prose: what is in backticks, or filled in.
fn prose(text: &str) -> String {
    let outside = |text: &str, open: char, close: char| {
        let mut parts = text.split(open);
        let first = parts.next().unwrap_or_default().to_owned();
        let after = |part: &str| {
            part.split_once(close)
                .map_or_else(String::new, |(_, rest)| rest.to_owned())
        };
        parts.fold(first, |all, part| all + "_" + &after(part))
    };
    let quoted = text.split('`').step_by(2).collect::<Vec<_>>().join("_");
    outside(&quoted, '{', '}')
}

/// The words of a text that break the rules, with what to write instead.
fn broken(text: &str) -> Vec<(&'static str, &'static str)> {
    let text = prose(text);
    let mut lower = text.to_lowercase();
    for good in GOOD {
        lower = lower.replace(good, "_");
    }
    let inside = |c: char| c.is_alphanumeric() || "_-./=".contains(c);
    let ends = |after: &str| !after.strip_prefix(['.', ',']).unwrap_or(after).starts_with(inside);
    let stands = |word: &str| {
        let mut places = lower.match_indices(word);
        places.any(|(at, _)| !lower[..at].ends_with(inside) && ends(&lower[at + word.len()..]))
    };
    let within = |word: &str| {
        let mut places = text.match_indices(word);
        places.any(|(at, _)| text[..at].ends_with(' ') && ends(&text[at + word.len()..]))
    };
    let words = WORDS.into_iter().filter(|(word, _)| stands(word));
    words
        .chain(CAPITALS.into_iter().filter(|(word, _)| within(word)))
        .collect()
}

#[test]
fn texts_for_users_have_no_words_that_the_style_excludes() {
    let mut sources = Vec::new();
    for folder in ["src", "crates"] {
        joins::sources(&root().join(folder), &mut sources);
    }
    sources.sort();
    let rows: Vec<Vec<&str>> = ALLOWED.lines().map(|row| row.split(" | ").collect()).collect();
    let (mut used, mut found) = (vec![false; rows.len()], Vec::new());
    for path in sources {
        let name = path.strip_prefix(root()).expect("below").display().to_string();
        for (line, text) in literals(&std::fs::read_to_string(&path).expect("a source")) {
            for (word, instead) in broken(&text) {
                match rows.iter().position(|row| row[..2] == [name.as_str(), word]) {
                    Some(row) => used[row] = true,
                    None => found.push(format!("{name}:{line}: `{word}` in \"{text}\": {instead}")),
                }
            }
        }
    }
    assert_eq!(found, Vec::<String>::new(), "see docs/style.md");
    let unused: Vec<_> = rows.iter().zip(used).filter(|(_, used)| !used).collect();
    assert!(unused.is_empty(), "nothing needs the exceptions {unused:?}");
}

/// What an error breaks of the rules for its form, if it breaks any.
fn malformed(error: &str) -> Option<&'static str> {
    let first = error.split([' ', ':']).next().unwrap_or_default();
    let begins_high = error.starts_with(|c: char| c.is_ascii_uppercase());
    match () {
        () if error.ends_with('.') => Some("has a period at its end"),
        () if begins_high && !NAMES.contains(&first) => Some("begins with a capital"),
        () if ORDERS.contains(&first) => Some("begins with what was attempted: cannot ..."),
        () => None,
    }
}

#[test]
fn errors_are_statements_in_lowercase() {
    let mut sources = Vec::new();
    for folder in ["src", "crates"] {
        joins::sources(&root().join(folder), &mut sources);
    }
    let (mut seen, mut found) = (0, Vec::new());
    for path in sources {
        let source = std::fs::read_to_string(&path).expect("a source");
        let lines: Vec<&str> = source.lines().collect();
        for (line, text) in literals(&source) {
            // The attribute stands on the line of its text, or alone on the one before.
            let own = lines[line - 1].trim_start().starts_with("#[error(\"");
            if !(own || line > 1 && lines[line - 2].trim() == "#[error(") {
                continue;
            }
            seen += 1;
            if let Some(why) = malformed(&text) {
                found.push(format!("{}:{line}: \"{text}\" {why}", path.display()));
            }
        }
    }
    assert!(seen > 150, "only {seen} errors");
    assert_eq!(found, Vec::<String>::new(), "see docs/style.md");
    for bad in ["Cannot read it", "read {path}", "the file is damaged."] {
        assert!(malformed(bad).is_some(), "{bad}");
    }
    for good in [
        "cannot read {path}",
        "CloudFormation rejected it",
        "{action}: {code}",
        "readable text",
    ] {
        assert_eq!(malformed(good), None, "{good}");
    }
}

/// What is shown on a page as it is printed or typed is no prose of ours.
fn without_blocks(page: &str) -> String {
    let mut code = false;
    let lines = page.lines().map(|line| {
        let fence = line.trim_start().starts_with("```");
        code ^= fence;
        if code || fence { "" } else { line }
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn pages_and_help_have_none_either() {
    let pages = std::fs::read_dir(root().join("docs")).expect("pages");
    let mut pages: Vec<PathBuf> = pages.map(|entry| entry.expect("a page").path()).collect();
    // The page of the rules has the words as examples.
    pages.retain(|path| path.extension().is_some_and(|e| e == "md") && !path.ends_with("style.md"));
    pages.push(root().join("README.md"));
    let read = |path: &Path| std::fs::read_to_string(path).expect("a page");
    let mut texts: Vec<(PathBuf, String)> = pages
        .into_iter()
        .map(|path| (path.clone(), without_blocks(&read(&path))))
        .collect();
    let help = root().join("tests/cmd/help.md");
    texts.push((help.clone(), read(&help).replace("```", "")));
    let found: Vec<String> = (texts.iter())
        .flat_map(|(path, text)| text.lines().enumerate().map(move |(number, line)| (path, number, line)))
        .flat_map(|(path, number, line)| {
            let word = move |(word, instead)| format!("{}:{}: `{word}`: {instead}", path.display(), number + 1);
            broken(line).into_iter().map(word)
        })
        .collect();
    assert_eq!(found, Vec::<String>::new(), "see docs/style.md");
}

#[test]
fn planted_words_are_found_and_what_is_no_text_for_users_is_not() {
    let source = r##"
// nobody
fn say<'a>(id: &'a str) -> String {
    let quote = ('"', '\'', "`x` is no subnet id");
    let long = "the stack is fine, but some\
                body else's";
    let raw = r#"Whoever "colours" it"#;
    format!("{licence} --accept-licence behaviour")
}

#[cfg(test)]
mod more;

#[cfg(test)]
fn out() -> &'static str {
    "nobody"
}

const IN: &str = "somebody";

#[cfg(test)]
mod tests {
    const OUT: &str = "nobody";
}
"##;
    let found: Vec<(usize, Vec<&str>)> = literals(source)
        .into_iter()
        .map(|(line, text)| (line, broken(&text).into_iter().map(|(word, _)| word).collect()))
        .filter(|(_, words): &(usize, Vec<&str>)| !words.is_empty())
        .collect();
    assert_eq!(
        found,
        [
            (4, vec!["is no", "id"]),
            (5, vec!["somebody"]),
            (7, vec!["whoever"]),
            (8, vec!["behaviour"]),
            (19, vec!["somebody"])
        ]
    );
    for good in [
        "there is no queue manager of that name",
        "it is no longer protected",
        "set `licence`",
        "{id} exists",
        "a subnet ID",
        "fs-0123-id",
    ] {
        assert_eq!(broken(good), [], "{good}");
    }
    for bad in [
        "Nobody owns it.",
        "the instance id, which",
        "use ssh to connect",
        "it needs no account",
    ] {
        assert_eq!(broken(bad).len(), 1, "{bad}");
    }
}
