//! The rooms of the failover test: which of them may name which, and that what is measured knows no effect.

use super::{files, text};
use std::collections::BTreeSet;
use std::path::Path;

const FAILOVER: &str = "src/failover";

/// Each room with what it may name of the failover test. `drive` has the effects and may name everything.
const ROOMS: [(&str, &[&str]); 5] = [
    ("measure", &["measure"]),
    ("clients", &["clients", "measure"]),
    ("report", &["report", "measure", "scenario"]),
    ("slo", &["slo", "report", "measure"]),
    ("page", &["page", "slo", "report", "measure", "scenario"]),
];

/// What has an effect, or reads a clock.
const EFFECTS: [&str; 11] = [
    "std::env",
    "std::fs",
    "std::io",
    "std::net",
    "std::path",
    "std::process",
    "std::thread",
    "Instant",
    "SystemTime",
    "tokio::",
    "async ",
];

/// A source without its comments.
fn code(source: &str) -> String {
    let code = source.lines().map(|line| line.split("//").next().unwrap_or_default());
    code.collect::<Vec<_>>().join("\n")
}

/// Words, `::`, and everything else a character each.
fn tokens(code: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = code.trim_start();
    while let Some(first) = rest.chars().next() {
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        let end = match () {
            () if is_word(first) => rest.find(|c| !is_word(c)).unwrap_or(rest.len()),
            () if rest.starts_with("::") => 2,
            () => first.len_utf8(),
        };
        found.push(&rest[..end]);
        rest = rest[end..].trim_start();
    }
    found
}

/// Adds the paths that begin at the front of `tokens`, each below `prefix`, those in braces one by one; returns what follows them.
fn paths<'a, 'b>(tokens: &'b [&'a str], prefix: &[&'a str], found: &mut Vec<Vec<&'a str>>) -> &'b [&'a str] {
    match tokens {
        ["{", rest @ ..] => {
            let mut rest = rest;
            while !matches!(rest, [] | ["}", ..]) {
                let next = paths(rest, prefix, found);
                rest = match next {
                    [",", after @ ..] => after,
                    _ if next.len() == rest.len() => &rest[1..],
                    _ => next,
                };
            }
            rest.get(1..).unwrap_or_default()
        }
        [word, "::", rest @ ..] => paths(rest, &[prefix, &[*word]].concat(), found),
        [word, rest @ ..] => {
            found.push([prefix, &[*word]].concat());
            rest
        }
        [] => tokens,
    }
}

/// What a file names of the failover test, by the first word behind `crate::failover`.
fn named(path: &Path, source: &str) -> BTreeSet<String> {
    let code = code(source);
    let (body, tests) = code.split_once("#[cfg(test)]\nmod tests {").unwrap_or((&code, ""));
    let file = path.strip_prefix("src").unwrap().with_extension("");
    let mut module: Vec<&str> = file.iter().map(|part| part.to_str().unwrap()).collect();
    module.retain(|part| *part != "mod");
    let mut named = BTreeSet::new();
    for (text, below) in [(body, None), (tests, Some("tests"))] {
        let here: Vec<&str> = module.iter().copied().chain(below).collect();
        let tokens = tokens(text);
        let starts = (0..tokens.len()).filter(|&at| {
            let is_start = ["crate", "super"].contains(&tokens[at]) && tokens.get(at + 1) == Some(&"::");
            is_start && (at == 0 || tokens[at - 1] != "::")
        });
        let mut found = Vec::new();
        for at in starts {
            paths(&tokens[at..], &[], &mut found);
        }
        for path in found {
            let up = path.iter().take_while(|word| **word == "super").count();
            let base = if up > 0 {
                &here[..here.len().saturating_sub(up)]
            } else {
                &[]
            };
            let whole: Vec<&str> = base.iter().copied().chain(path[up.max(1)..].iter().copied()).collect();
            if whole.first() == Some(&"failover") {
                named.insert(whole.get(1).unwrap_or(&"failover").to_string());
            }
        }
    }
    named
}

/// What a room names and may not.
fn beyond(room: &str, may: &[&str], path: &Path, source: &str) -> Vec<String> {
    let named = named(path, source)
        .into_iter()
        .filter(|name| !may.contains(&name.as_str()));
    named
        .map(|name| format!("{} of {room} names {name}", path.display()))
        .collect()
}

fn effects(source: &str) -> Vec<&'static str> {
    let code = code(source);
    EFFECTS.into_iter().filter(|effect| code.contains(effect)).collect()
}

#[test]
fn each_room_of_the_failover_test_names_those_below_it() {
    for (room, may) in ROOMS {
        let files = files(&format!("{FAILOVER}/{room}"));
        assert!(files.len() > 4, "{room}: {files:?}");
        let beyond: Vec<String> = files
            .iter()
            .flat_map(|path| beyond(room, may, path, &text(path)))
            .collect();
        assert!(beyond.is_empty(), "{beyond:#?}");
    }
}

#[test]
fn what_is_measured_and_what_follows_from_it_know_no_effect() {
    let folders = ["measure", "slo", "page"].map(|room| files(&format!("{FAILOVER}/{room}")));
    let is_test = |path: &Path| path.ends_with("tests.rs");
    for path in folders.into_iter().flatten().filter(|path| !is_test(path)) {
        let found = effects(&text(&path));
        assert!(found.is_empty(), "{}: {found:?}", path.display());
    }
}

#[test]
fn a_planted_way_through_a_wall_is_found() {
    let path = Path::new("src/failover/measure/gap.rs");
    let tests = "use super::ledger::Ledger;\n#[cfg(test)]\nmod tests {\n";
    for (source, names) in [
        ("use crate::failover::drive::round::Round;".to_owned(), &["drive"][..]),
        ("use super::super::report::Run;".to_owned(), &["report"]),
        (
            "use crate::{failover::clients::{client, tls::{self, Tls}}, model::Topology};".to_owned(),
            &["clients"],
        ),
        (
            "fn a() -> super::super::drive::Stop { crate::failover::report::schema() }".to_owned(),
            &["drive", "report"],
        ),
        // What a room has may not come by another name either.
        (
            "use crate::failover::{self, FailoverError};".to_owned(),
            &["FailoverError", "self"],
        ),
        ("use super::super::*;".to_owned(), &["*"]),
        (format!("{tests}use super::super::id::RunId;\n}}"), &[]),
        (format!("{tests}use super::super::super::drive::run;\n}}"), &["drive"]),
        (
            "use super::{ledger, pack::State};\nuse crate::model::agent::mark; // crate::failover::drive".to_owned(),
            &[],
        ),
        ("let drive = report.drive(super::report);".to_owned(), &[]),
    ] {
        let beyond = beyond("measure", &["measure"], path, &source);
        let expected: Vec<String> = names
            .iter()
            .map(|name| format!("{} of measure names {name}", path.display()))
            .collect();
        assert_eq!(beyond, expected, "{source}");
    }
    for (source, found) in [
        ("let now = std::time::Instant::now();", &["Instant"][..]),
        ("pub async fn a(path: &std::path::Path)", &["std::path", "async "]),
        ("/// Nothing here waits for tokio::time.\nuse std::time::Duration;", &[]),
    ] {
        assert_eq!(effects(source), found, "{source}");
    }
}
