//! Only an engine's own folder knows its name, its commands and its ports. What else names one is listed here, with the reason.

use crate::judge::root;
use std::collections::BTreeSet;
use std::path::PathBuf;

/// What a file names an engine by; in any case, and numbers as whole words.
const NAMES: [&str; 9] = [
    "ibm", "rabbit", "strmqm", "amqzxma0", "mqm", "conname", "amq7", "1414", "5672",
];

/// Folders of the engines, and the test double of one.
const FOLDERS: [&str; 6] = [
    "crates/contract/src/engine/ibm_mq.rs",
    "crates/contract/src/engine/rabbitmq",
    "crates/contract/src/engine/rabbitmq.rs",
    "crates/engine/src/ibm_mq",
    "crates/engine/src/rabbitmq",
    "crates/standin",
];

/// Files that name one all the same.
const ALLOWED: [(&str, &str); 20] = [
    // tables
    ("crates/contract/src/engine.rs", "the list of engines"),
    ("crates/engine/src/lib.rs", "the table of those with a driver"),
    ("crates/engine/src/image.rs", "the table of those with images"),
    // keys of the configuration, what is said of them, and examples
    ("src/cli/ami.rs", "the values of `--engine`"),
    ("src/cli/ami/build.rs", "an example"),
    ("src/cli/demo.rs", "says what the lab has in its place"),
    (
        "src/model/keys/deployment.rs",
        "what is said of a key, and a topology's name",
    ),
    ("src/model/keys/image.rs", "what is said of a key"),
    ("src/model/keys/storage.rs", "what is said of a key"),
    ("src/model/names.rs", "user names that are taken"),
    // words for people
    ("src/deploy/error/remedy.rs", "a hint"),
    ("src/failover/drive/error.rs", "a hint"),
    ("src/failover/drive/preface.rs", "says what the lab has in its place"),
    ("src/image/error.rs", "whose licence it is"),
    ("src/failover/clients/endpoint.rs", "an address as an example"),
    // known by another name in a later version
    (
        "src/render/packer/template.rs",
        "variables of the provisioning's scripts",
    ),
    // The lab knows nothing of the others, and keeps copies of its own.
    ("crates/lab/src/ec2/catalog.rs", "says what the lab has in its place"),
    ("crates/lab/src/ec2/images.rs", "says what the lab has in its place"),
    ("crates/lab/src/instance/process.rs", "the commands of an instance"),
    ("crates/lab/src/ssm/parameters.rs", "the parameter that names the image"),
];

/// The program's sources, relative to the project: no tests.
fn sources() -> Vec<PathBuf> {
    let mut folders = vec![root().join("src")];
    for package in std::fs::read_dir(root().join("crates")).unwrap() {
        folders.push(package.unwrap().path().join("src"));
    }
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for path in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            let tests = path.file_stem().is_some_and(|stem| stem == "tests");
            match path.is_dir() {
                _ if tests => {}
                true => folders.push(path),
                false if path.extension().is_some_and(|e| e == "rs") => {
                    found.push(path.strip_prefix(root()).unwrap().to_owned());
                }
                false => {}
            }
        }
    }
    found
}

/// What is compiled of a file: neither comments nor the tests at its end.
fn code(text: &str) -> String {
    let mut kept = Vec::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let of_tests = lines.peek().is_some_and(|next| next.ends_with("mod tests {"));
        if line == "#[cfg(test)]" && of_tests {
            break;
        }
        kept.extend((!line.trim_start().starts_with("//")).then_some(line));
    }
    kept.join("\n").to_lowercase()
}

fn names(code: &str, name: &str) -> bool {
    let digit = |c: Option<char>| c.is_some_and(|c| c.is_ascii_digit());
    let number = name.starts_with(|c: char| c.is_ascii_digit());
    code.match_indices(name).any(|(at, _)| {
        let (before, after) = (code[..at].chars().next_back(), code[at + name.len()..].chars().next());
        !number || !digit(before) && !digit(after)
    })
}

#[test]
fn only_an_engines_folder_and_the_tables_name_one() {
    let mut naming = BTreeSet::new();
    let mut seen = 0;
    for path in sources() {
        let own = FOLDERS.iter().any(|folder| path.starts_with(folder));
        let code = code(&std::fs::read_to_string(root().join(&path)).unwrap());
        let found = NAMES.into_iter().find(|name| names(&code, name));
        seen += usize::from(own && found.is_some());
        if let (Some(_), false) = (found, own) {
            naming.insert(path.to_str().unwrap().to_owned());
        }
    }
    assert!(seen > 10, "else this test would see nothing");
    let allowed: BTreeSet<String> = ALLOWED.iter().map(|(path, _)| (*path).to_owned()).collect();
    let more: Vec<&String> = naming.difference(&allowed).collect();
    assert!(more.is_empty(), "these name an engine: {more:?}");
    let less: Vec<&String> = allowed.difference(&naming).collect();
    assert!(
        less.is_empty(),
        "these name none any more, and need not be listed: {less:?}"
    );
}

#[test]
fn the_agent_names_no_engine_at_all() {
    assert!(ALLOWED.iter().all(|(path, _)| !path.starts_with("crates/agent")));
}
