//! The direction of dependencies between modules, read from the sources; and what each feature set may contain, read
//! from `cargo tree`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Which modules a module may name. Only `cli` and the executables may name everything.
const MAY_NAME: &[(&str, &[&str])] = &[
    ("model", &["remedy"]),
    ("template", &["remedy"]),
    ("render", &["remedy", "model", "template"]),
    ("fence", &["remedy", "model"]),
    ("agent", &["remedy", "model", "engine", "fence", "aws"]),
    ("observe", &["remedy", "model", "aws"]),
    ("deploy", &["remedy", "model", "template", "render", "observe", "aws"]),
    ("failover", &["remedy", "model", "observe", "aws"]),
    ("image", &["remedy", "model", "render", "aws"]),
    // adapters implement ports, which their users declare
    (
        "aws",
        &[
            "remedy", "model", "render", "agent", "fence", "deploy", "observe", "failover", "image",
        ],
    ),
];

/// Modules that name everything.
const EDGE: &[&str] = &["cli", "bin"];

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Finding {
    /// A module names one that it may not.
    Names { place: String, from: String, to: String },
    /// A path climbs out of the crate's top modules by `super`.
    Climbs { place: String },
    /// The SDK outside `aws`.
    Sdk { place: String },
    /// Unsafe code.
    Unsafe { place: String },
    /// A module that the table does not know.
    Unknown { place: String, module: String },
}

/// Words and punctuation of a source, without comments, strings and character literals.
fn tokens(source: &str) -> Vec<(usize, String)> {
    let bytes: Vec<char> = source.chars().collect();
    let (mut at, mut line) = (0, 1);
    let mut found = Vec::new();
    let starts = |at: usize, text: &str| text.chars().enumerate().all(|(i, c)| bytes.get(at + i) == Some(&c));
    while at < bytes.len() {
        let c = bytes[at];
        let raw = (c == 'r' || c == 'b') && {
            let rest: String = bytes[at..].iter().take(6).collect();
            let rest = rest.trim_start_matches('b').trim_start_matches('r');
            rest.trim_start_matches('#').starts_with('"')
        };
        if starts(at, "//") {
            while at < bytes.len() && bytes[at] != '\n' {
                at += 1;
            }
        } else if starts(at, "/*") {
            let mut depth = 0;
            loop {
                if starts(at, "/*") {
                    depth += 1;
                    at += 2;
                } else if starts(at, "*/") {
                    depth -= 1;
                    at += 2;
                } else {
                    line += usize::from(bytes.get(at) == Some(&'\n'));
                    at += 1;
                }
                if depth == 0 || at >= bytes.len() {
                    break;
                }
            }
        } else if raw || c == '"' {
            let is_raw = bytes[at] == 'r' || bytes.get(at + 1) == Some(&'r');
            let mut hashes = 0;
            while bytes[at] != '"' {
                hashes += usize::from(bytes[at] == '#');
                at += 1;
            }
            at += 1;
            let close: String = std::iter::once('"').chain(std::iter::repeat_n('#', hashes)).collect();
            while at < bytes.len() && !starts(at, &close) {
                line += usize::from(bytes[at] == '\n');
                at += if bytes[at] == '\\' && !is_raw { 2 } else { 1 };
            }
            at += close.len();
        } else if c == '\'' {
            // a character literal, or a lifetime
            let literal = bytes.get(at + 1) == Some(&'\\') || bytes.get(at + 2) == Some(&'\'');
            at += 1;
            if literal {
                at += if bytes[at] == '\\' { 2 } else { 1 };
                while at < bytes.len() && bytes[at] != '\'' {
                    at += 1;
                }
                at += 1;
            }
        } else if c.is_alphanumeric() || c == '_' {
            let from = at;
            while at < bytes.len() && (bytes[at].is_alphanumeric() || bytes[at] == '_') {
                at += 1;
            }
            found.push((line, bytes[from..at].iter().collect()));
        } else {
            line += usize::from(c == '\n');
            if starts(at, "::") {
                found.push((line, "::".into()));
                at += 1;
            } else if !c.is_whitespace() {
                found.push((line, c.to_string()));
            }
            at += 1;
        }
    }
    found
}

/// Names directly after `crate::`, those of a group included.
fn heads(tokens: &[(usize, String)]) -> Vec<(usize, String)> {
    match tokens.first().map(|t| t.1.as_str()) {
        Some("{") => {
            let (mut depth, mut found, mut head) = (0, Vec::new(), true);
            for (line, token) in tokens {
                match token.as_str() {
                    "{" => depth += 1,
                    "}" => depth -= 1,
                    "," if depth == 1 => head = true,
                    _ if head && depth == 1 => {
                        found.push((*line, token.clone()));
                        head = false;
                    }
                    _ => {}
                }
                if depth == 0 {
                    break;
                }
            }
            found
        }
        Some(_) => vec![tokens[0].clone()],
        None => Vec::new(),
    }
}

/// Everything that is wrong in one file; `path` is relative to `src`.
fn judge(path: &str, source: &str) -> BTreeSet<Finding> {
    let parts: Vec<&str> = path
        .trim_end_matches(".rs")
        .split('/')
        .filter(|p| *p != "mod")
        .collect();
    let module = parts[0];
    let allowed = MAY_NAME.iter().find(|(m, _)| *m == module).map(|(_, may)| *may);
    let edge = EDGE.contains(&module) || module == "lib";
    let mut found = BTreeSet::new();
    if allowed.is_none() && !edge {
        found.insert(Finding::Unknown {
            place: path.into(),
            module: module.into(),
        });
    }
    let tokens = tokens(source);
    // depth of braces at which inline modules were opened
    let (mut braces, mut inline) = (0, Vec::new());
    for (i, (line, token)) in tokens.iter().enumerate() {
        let place = || format!("{path}:{line}");
        let next = |n: usize| tokens.get(i + n).map_or("", |t| t.1.as_str());
        let before = if i == 0 { "" } else { tokens[i - 1].1.as_str() };
        match token.as_str() {
            "{" => braces += 1,
            "}" => {
                braces -= 1;
                inline.retain(|depth| *depth <= braces);
            }
            "mod" if next(2) == "{" => inline.push(braces + 1),
            "unsafe" => drop(found.insert(Finding::Unsafe { place: place() })),
            sdk if sdk.starts_with("aws_sdk_") && module != "aws" => {
                found.insert(Finding::Sdk { place: place() });
            }
            "crate" | "mqaws" if next(1) == "::" && (token == "crate" || module == "bin") && !edge => {
                for (line, name) in heads(&tokens[i + 2..]) {
                    if name != module
                        && MAY_NAME.iter().any(|(m, _)| *m == name) | EDGE.contains(&name.as_str())
                        && !allowed.is_some_and(|may| may.contains(&name.as_str()))
                    {
                        found.insert(Finding::Names {
                            place: format!("{path}:{line}"),
                            from: module.into(),
                            to: name,
                        });
                    }
                }
            }
            "super" if before != "::" => {
                let mut climbed = 1;
                while next(climbed * 2 - 1) == "::" && next(climbed * 2) == "super" {
                    climbed += 1;
                }
                if climbed >= parts.len() + inline.len() && !edge {
                    found.insert(Finding::Climbs { place: place() });
                }
            }
            _ => {}
        }
    }
    found
}

fn sources(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).expect("a readable directory") {
        let path = entry.expect("a readable entry").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn modules_depend_in_one_direction() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    assert!(files.len() > 50, "only {} files read", files.len());
    let mut found = BTreeSet::new();
    for file in files {
        let source = std::fs::read_to_string(&file).unwrap();
        found.extend(judge(&file.strip_prefix(&root).unwrap().to_string_lossy(), &source));
    }
    let lines: Vec<String> = found.iter().map(|f| format!("{f:?}")).collect();
    assert!(found.is_empty(), "{}", lines.join("\n"));
}

#[test]
fn planted_violations_are_caught_and_innocent_words_are_not() {
    for (path, source, want) in [
        ("agent/x.rs", "use crate::cli::api;", "Names agent cli"),
        (
            "agent/x.rs",
            "use crate::{model::agent, deploy::{a, b}};",
            "Names agent deploy",
        ),
        ("observe/x.rs", "fn f() { crate::agent::run() }", "Names observe agent"),
        ("deploy/x.rs", "use crate::{\n    cli,\n};", "Names deploy cli"),
        ("failover/mod.rs", "use crate::cli::main;", "Names failover cli"),
        (
            "template/x.rs",
            "pub fn f(m: &crate::model::Model) {}",
            "Names template model",
        ),
        ("agent/x.rs", "use super::super::lab;", "Climbs"),
        (
            "image/a/b.rs",
            "mod tests { use super::super::super::super::agent; }",
            "Climbs",
        ),
        ("deploy/x.rs", "use aws_sdk_ec2::Client;", "Sdk"),
        ("cli/x.rs", "use aws_sdk_ec2::Client;", "Sdk"),
        ("fence/x.rs", "unsafe { f() }", "Unsafe"),
        ("extra/x.rs", "", "Unknown extra"),
        // allowed or only spoken of
        ("cli/x.rs", "use crate::image::api; use crate::aws::Clients;", ""),
        ("bin/mqaws.rs", "fn main() { mqaws_standin::main(v) }", ""),
        ("aws/x.rs", "use aws_sdk_ec2::Client; use crate::deploy::ports;", ""),
        (
            "agent/x.rs",
            "// use crate::lab;\n/* crate::cli /* unsafe */ */ const S: &str = \"crate::lab::x\";",
            "",
        ),
        (
            "agent/x.rs",
            "const S: &str = r#\"crate::lab \" unsafe\"#; const B: &[u8] = b\"unsafe\";",
            "",
        ),
        (
            "agent/x.rs",
            "fn f<'a>(c: char) -> bool { c == '\"' || c == '\\'' } use crate::fence::x;",
            "",
        ),
        (
            "image/a/b.rs",
            "use super::super::api; mod tests { use super::super::super::api; }",
            "",
        ),
        ("render/x.rs", "use crate::{model::{lab_name, x}, template};", ""),
    ] {
        let found: Vec<String> = judge(path, source)
            .iter()
            .map(|f| match f {
                Finding::Names { from, to, .. } => format!("Names {from} {to}"),
                Finding::Climbs { .. } => "Climbs".into(),
                Finding::Sdk { .. } => "Sdk".into(),
                Finding::Unsafe { .. } => "Unsafe".into(),
                Finding::Unknown { module, .. } => format!("Unknown {module}"),
            })
            .collect();
        assert_eq!(found.join(", "), want, "{path}: {source}");
    }
}

/// Packages of a feature set as cargo resolves it.
fn packages(features: &[&str]) -> BTreeSet<String> {
    let output = Command::new(env!("CARGO"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args([
            "tree",
            "--package",
            "mqaws",
            "--offline",
            "--edges",
            "normal",
            "--prefix",
            "none",
            "--format",
            "{p}",
        ])
        .args(features)
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    text.lines()
        .filter_map(|l| l.split(' ').next())
        .map(str::to_owned)
        .collect()
}

#[test]
fn feature_sets_hold_what_they_are_for() {
    let unwanted: BTreeMap<&str, fn(&str) -> bool> = BTreeMap::from([
        (
            "the SDK",
            (|p| p.starts_with("aws-sdk-") || p == "aws-config") as fn(&str) -> bool,
        ),
        ("an asynchronous runtime", |p| p == "tokio"),
        ("a command line parser", |p| p == "clap"),
    ]);
    for (features, without) in [
        (
            &["--no-default-features"][..],
            &["the SDK", "an asynchronous runtime", "a command line parser"][..],
        ),
        (
            &["--no-default-features", "--features", "agent"],
            &["the SDK", "a command line parser"],
        ),
    ] {
        let packages = packages(features);
        assert!(packages.contains("serde"), "{features:?}: {packages:?}");
        for what in without {
            let found: Vec<&String> = packages.iter().filter(|p| unwanted[what](p)).collect();
            assert!(found.is_empty(), "{features:?} contains {what}: {found:?}");
        }
    }
    let everything = packages(&[]);
    assert!(
        everything.contains("aws-sdk-ec2") && everything.contains("clap"),
        "the default set is the command line"
    );
}
