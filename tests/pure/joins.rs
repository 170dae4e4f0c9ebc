//! A search for raw joins: what is joined to a path is a literal, a constant or a `PathComponent`, or stands in the list
//! below with the reason why it cannot lead out of its folder.

use crate::judge::root;
use std::path::{Path, PathBuf};

/// File, what is joined there, and why it may be; a line for each place.
const ALLOWED: &str = r#"crates/agent/src/doctor/mod.rs | path.trim_start_matches('/') | paths that the checks name themselves
crates/agent/src/fence/folder.rs | &self.own | a PathComponent
crates/agent/src/fence/folder.rs | before | made of PathComponents, each checked
crates/agent/src/fence/folder.rs | below | made of the two above
crates/agent/src/fence/folder.rs | self.below_mount()? | made of the two above
crates/agent/src/fence/store.rs | format!("owner-{epoch}.json") | a number
crates/agent/src/host/mount.rs | &unit | escaped as systemd escapes a path: no `/`
crates/agent/src/host/programs.rs | name | names of programs in the source
crates/engine/src/ibm_mq/driver.rs | name | names of commands in the source
crates/engine/src/ibm_mq/stanza.rs | directory | a PathComponent
crates/engine/src/ibm_mq/places.rs | format!("{name}.p12") | a PathComponent with an end
crates/engine/src/rabbitmq/places.rs | format!("{NODE}.log") | a constant
crates/engine/src/rabbitmq/places.rs | name | names of files in the source
crates/engine/src/rabbitmq/product.rs | file | names of files in the source
crates/engine/src/rabbitmq/service.rs | settings::SERVER | a constant
src/cli/local/software.rs | inside | directories in the source
src/cli/local/software.rs | missing | directories in the source
src/cli/man.rs | name | names of verbs in the source
crates/engine/src/processes.rs | pid.to_string() | a number
crates/engine/src/processes.rs | pid.to_string() | a number
crates/engine/src/root.rs | name | parts of a path that cannot climb: see there
crates/files/src/socket.rs | name | the last part of the path itself
crates/lab/src/cloudformation/intrinsics.rs | separator | `Fn::Join` of texts, no path
crates/lab/src/ec2/volumes/disk.rs | format!("{MODEL}{serial}") | an id that the lab makes
crates/lab/src/ec2/volumes/disk.rs | instance | an id that the lab makes
crates/lab/src/ec2/volumes/disk.rs | self.id | an id that the lab makes
crates/lab/src/efs/file_systems.rs | &id | an id that the lab makes
crates/lab/src/home.rs | format!("mqaws-lab-{}", super::ids::hex(8)) | a random number
crates/lab/src/home.rs | format!("mqaws-{user}") | a number
crates/lab/src/home.rs | name | names of files in the source
crates/lab/src/instance/console.rs | format!("{instance}.console") | an id that the lab makes
crates/lab/src/instance/process.rs | &file.path | checked where user data are read: below the instance's root
crates/lab/src/instance/process.rs | &spec.instance | an id that the lab makes
crates/lab/src/instance/process.rs | &software.inside | checked where the lab's arguments are read: below the instance's root
crates/lab/src/instance/process.rs | command | names of commands in the source
crates/lab/src/instance/process.rs | d | words of the source
crates/lab/src/network/peer.rs | table | names of tables in the source
crates/standin/src/home.rs | directory | words of the source
crates/standin/src/home.rs | rest | the path itself, as the host sees it
crates/standin/src/home.rs | rest | the path itself, as the host sees it
crates/standin/src/log.rs | format!("{number:010}.log") | a number
src/cli/ami.rs | file | the user's own file, beside the user's own configuration
src/cli/ami/manifest.rs | file | names of templates in the source
src/cli/ami/manifest.rs | file.path | files that the program carries
src/cli/ami/manifest.rs | name | names of templates in the source
src/cli/reports.rs | format!(".mqaws-write-{}", std::process::id()) | a number
src/cli/reports.rs | name | a random number
src/cli/settings.rs | file | the user's own file, beside the user's own configuration
src/failover/report/conclude.rs | ledger | words of the source and a number
src/failover/report/conclude.rs | report | words of the source and a number
src/failover/drive/journal.rs | component(folder, format!("failover-{}.json", target.stack))? | makes a PathComponent
src/failover/drive/journal.rs | component(folder, name)? | makes a PathComponent
src/image/packer.rs | name | names of programs in the source
src/image/workshop.rs | below | words of the source
src/image/workshop.rs | format!("mqaws-ami-{run}") | time and a number
src/image/workshop.rs | name | names of files in the source
"#;

/// The argument that begins behind an opening parenthesis, without blanks around it and a comma at its end.
fn argument(text: &str) -> &str {
    let (mut depth, mut quoted, mut escaped) = (1, false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '(' if !quoted => depth += 1,
            ')' if !quoted => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return text[..at].trim().trim_end_matches(',');
        }
    }
    text
}

/// Whether nothing from outside is in it. A thread is joined with nothing.
fn is_harmless(argument: &str) -> bool {
    let literal = argument.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    let text = argument.trim_start_matches('&');
    argument.is_empty()
        || literal.is_some_and(|inside| !inside.replace("\\\"", "").contains('"'))
        || text
            .chars()
            .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
        || text.starts_with("PathComponent::")
}

/// Line and argument of every join of a source that is not plainly harmless; tests at its end and comments are left out.
fn raw_joins(source: &str) -> Vec<(usize, String)> {
    let source = source.split("\n#[cfg(test)]\nmod ").next().unwrap_or_default();
    let mut found = Vec::new();
    for method in [".join(", ".with_file_name("] {
        for (at, _) in source.match_indices(method) {
            let line = source[..at].matches('\n').count();
            let comment = source
                .lines()
                .nth(line)
                .is_some_and(|line| line.trim_start().starts_with("//"));
            let argument = argument(&source[at + method.len()..]);
            if !comment && !is_harmless(argument) {
                found.push((line + 1, argument.split_whitespace().collect::<Vec<_>>().join(" ")));
            }
        }
    }
    found
}

/// The sources below a directory, without those of tests.
pub(super) fn sources(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).expect("a readable directory") {
        let path = entry.expect("a readable entry").path();
        if path.is_dir() && !path.ends_with("tests") {
            sources(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") && !path.ends_with("tests.rs") {
            found.push(path);
        }
    }
}

#[test]
fn nothing_from_outside_is_joined_to_a_path_as_it_is() {
    let root = root();
    let mut files = Vec::new();
    sources(&root.join("src"), &mut files);
    for package in std::fs::read_dir(root.join("crates")).expect("a readable directory") {
        sources(&package.expect("a readable entry").path().join("src"), &mut files);
    }
    assert!(files.len() > 50, "only {} files read", files.len());
    let mut allowed: Vec<Vec<&str>> = ALLOWED.lines().map(|line| line.split(" | ").collect()).collect();
    let told = |entry: &Vec<&str>| entry.len() == 3 && !entry[2].is_empty();
    assert!(allowed.iter().all(told), "file | what | why");
    let mut raw = Vec::new();
    for path in files {
        let source = std::fs::read_to_string(&path).expect("a source");
        let file = path
            .strip_prefix(root)
            .expect("below src")
            .to_string_lossy()
            .into_owned();
        for (line, argument) in raw_joins(&source) {
            match allowed
                .iter()
                .position(|entry| entry[..2] == [file.as_str(), argument.as_str()])
            {
                Some(known) => drop(allowed.remove(known)),
                None => raw.push(format!("{file}:{line}: {argument}")),
            }
        }
    }
    assert!(
        raw.is_empty(),
        "make it a PathComponent, or say why it cannot lead out of its folder:\n{}",
        raw.join("\n")
    );
    assert!(allowed.is_empty(), "allowed and not there any more: {allowed:?}");
}

#[test]
fn a_planted_raw_join_is_found_and_harmless_ones_are_not() {
    for (source, found) in [
        ("mount.join(queue_manager)", &["queue_manager"][..]),
        ("mount.join(&self.name).join(\"data\")", &["&self.name"]),
        ("dir.join(format!(\"{stack}.json\"))", &["format!(\"{stack}.json\")"]),
        ("dir\n    .join(\n        name.trim(),\n    )", &["name.trim()"]),
        ("path.with_file_name(stack)", &["stack"]),
        ("a.join(name)\n#[cfg(test)]\nmod tests { b.join(n) }", &["name"]),
        // A text that only begins with a literal.
        (
            "dir.join(\"a\".to_owned() + name + \"b\")",
            &["\"a\".to_owned() + name + \"b\""],
        ),
        ("mount.join(PathComponent::of_queue_manager(name)).join(\"log\")", &[]),
        ("dir.join(PathComponent::new(format!(\"look-{keeper}\"))?)", &[]),
        (
            "dir.join(MARK); list.join(\", (\"); list.join(\"\\\"\"); thread.join()",
            &[],
        ),
        ("// dir.join(name)", &[]),
    ] {
        let raw = raw_joins(source);
        let raw: Vec<&str> = raw.iter().map(|(_, argument)| argument.as_str()).collect();
        assert_eq!(raw, found, "{source}");
    }
}
