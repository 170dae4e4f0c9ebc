//! What each package may contain, as cargo resolves it. That nothing names what it must not is the compiler's business: these
//! are the declarations that it goes by. And who names a topology: nobody but its folder, the table, and the configuration. And which
//! room of the failover test names which.

mod rooms;

use crate::judge::root;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Packages that are linked into one of ours, each with its features.
fn linked(package: &str, features: &[&str]) -> BTreeMap<String, String> {
    let output = Command::new(env!("CARGO"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["tree", "--offline", "--edges", "normal", "--prefix", "none"])
        .args(["--format", "{p}|{f}", "--package", package])
        .args(features)
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let mut found = BTreeMap::new();
    for line in text.lines() {
        let (name, features) = line.split_once('|').expect("the format");
        let name = name.split(' ').next().unwrap_or_default();
        if name != package {
            found.insert(name.to_owned(), features.trim_end_matches(" (*)").to_owned());
        }
    }
    found
}

/// Those of the workspace.
fn ours(packages: &BTreeMap<String, String>) -> Vec<&str> {
    let ours = |name: &&str| *name == "mqaws" || name.starts_with("mqaws-");
    packages.keys().map(String::as_str).filter(ours).collect()
}

fn is_sdk(package: &str) -> bool {
    package.starts_with("aws-sdk-") || package == "aws-config"
}

#[test]
fn each_package_is_built_from_those_below_it() {
    for (package, may) in [
        ("mqaws-contract", &[][..]),
        ("mqaws-files", &[]),
        ("mqaws-engine", &["mqaws-contract", "mqaws-files"]),
        ("mqaws-agent", &["mqaws-contract", "mqaws-engine", "mqaws-files"]),
        // a server on the other side of HTTP: starts agents and engines as processes, by name
        ("mqaws-lab", &[]),
        ("mqaws-standin", &["mqaws-contract", "mqaws-engine", "mqaws-files"]),
    ] {
        assert_eq!(ours(&linked(package, &[])), may, "{package}");
    }
    let library = linked("mqaws", &["--no-default-features"]);
    assert_eq!(ours(&library), ["mqaws-contract"], "the library without features");
    let ports = linked("mqaws", &["--no-default-features", "--features", "ports"]);
    assert_eq!(
        ours(&ports),
        ["mqaws-contract", "mqaws-files"],
        "deployments and failover tests"
    );
    let program = linked("mqaws", &[]);
    assert!(
        program.contains_key("aws-sdk-ec2") && program.contains_key("clap"),
        "{program:?}"
    );
    assert_eq!(
        ours(&program).len(),
        6,
        "the program has everything: {:?}",
        ours(&program)
    );
}

#[test]
fn only_the_program_has_an_sdk_and_the_agent_no_runtime() {
    for (package, features) in [
        ("mqaws-agent", &[][..]),
        ("mqaws", &["--no-default-features"]),
        ("mqaws-lab", &[]),
        ("mqaws-standin", &[]),
        ("mqaws", &["--no-default-features", "--features", "lab-agent"]),
        ("mqaws", &["--no-default-features", "--features", "ports"]),
    ] {
        let linked = linked(package, features);
        assert!(linked.contains_key("serde"), "{package}: {linked:?}");
        let sdk: Vec<&String> = linked.keys().filter(|p| is_sdk(p) || *p == "clap").collect();
        assert!(sdk.is_empty(), "{package} {features:?} contains {sdk:?}");
    }
    for (package, features) in [("mqaws-agent", &[][..]), ("mqaws", &["--no-default-features"])] {
        // The signature's types come with tokio's locks, and with nothing that runs a future.
        let tokio = linked(package, features).remove("tokio").unwrap_or_default();
        let parts: Vec<&str> = tokio
            .split(',')
            .filter(|f| !["", "default", "sync"].contains(f))
            .collect();
        assert!(
            parts.is_empty(),
            "{package} contains of an asynchronous runtime {parts:?}"
        );
    }
}

/// The files of ours below a folder, by their paths in the repository.
fn files(folder: &str) -> Vec<PathBuf> {
    let root = root();
    let mut found = Vec::new();
    let mut folders = vec![root.join(folder)];
    while let Some(folder) = folders.pop() {
        for path in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            match path.is_dir() {
                true => folders.push(path),
                false => found.push(path.strip_prefix(root).unwrap().to_owned()),
            }
        }
    }
    found
}

fn text(path: &Path) -> String {
    std::fs::read_to_string(root().join(path)).unwrap()
}

#[test]
fn only_the_adapters_name_the_sdk() {
    let mut found = files("src");
    found.retain(|path| !path.starts_with("src/aws") && text(path).contains("aws_sdk_"));
    assert!(found.is_empty(), "{found:?}");
}

/// Every topology that there is or will be.
const TOPOLOGIES: [&str; 5] = ["single", "standby", "rabbitmq-cluster", "native-ha", "replicated-dr"];

/// Ways to name a topology. Its word alone is none: words such as `single` and `standby` are everybody's.
fn ways_to_name(topology: &str) -> Vec<String> {
    let parts = topology.split('-').map(|part| part[..1].to_uppercase() + &part[1..]);
    let variant: String = parts.collect();
    let module = topology.replace('-', "_");
    vec![
        format!("\"{topology}\""),
        format!("`{topology}`"),
        format!("· {topology}"),
        format!("mqaws {topology}"),
        format!("/{topology}.yaml"),
        format!("Topology::{variant}"),
        format!("topology::{module}"),
        format!("topology: {topology}"),
    ]
}

fn names_a_topology(text: &str) -> bool {
    let named = |topology: &str| ways_to_name(topology).iter().any(|way| text.contains(way));
    TOPOLOGIES.iter().any(|topology| named(topology))
}

#[test]
fn only_its_folder_the_table_and_the_configuration_name_a_topology() {
    let allowed = [
        // The word itself, those that are still to come, and the tests of both.
        "src/model/topology.rs",
        "src/model/config/tests/combinations.rs",
        "src/model/keys/deployment.rs",
        "src/model/keys/tests.rs",
        // The example that the demo runs.
        "src/cli/demo.rs",
        // What the agent is told; it does not go by it.
        "crates/contract/src/agent.rs",
        // The state of an agent that is ready to take over, in any topology in which one waits.
        "crates/contract/src/agent/state.rs",
        // The table by which it has its duty, and the duty of the first.
        "crates/agent/src/duty/table.rs",
    ];
    let is_outside = |path: &PathBuf| {
        // IBM MQ has a standby of its own, and neither of the two can be told of a topology.
        let others = ["src/topology", "crates/engine", "crates/standin"];
        let is_fixture = path.starts_with("crates/agent") && path.ends_with("tests.rs");
        !(is_fixture || others.iter().any(|folder| path.starts_with(folder)))
    };
    let rust = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "rs");
    let ours = files("src").into_iter().chain(files("crates"));
    let found: BTreeSet<PathBuf> = ours
        .filter(|path| rust(path) && is_outside(path) && names_a_topology(&text(path)))
        .collect();
    let allowed: BTreeSet<PathBuf> = allowed.into_iter().map(PathBuf::from).collect();
    assert_eq!(found, allowed, "ask `topology::of(name)` instead");
}

#[test]
fn names_of_topologies_are_found() {
    for line in [
        "match name { Topology::NativeHa => 1 }",
        "if word == \"standby\" {",
        "format!(\"{stack} · single · {place}\")",
        "use crate::topology::rabbitmq_cluster;",
    ] {
        assert!(names_a_topology(line), "{line}");
    }
    for line in [
        "/// A single value.",
        "QueueManagerStatus::RunningAsStandby",
        "mqaws::Topology::of(word)",
    ] {
        assert!(!names_a_topology(line), "{line}");
    }
    for topology in mqaws::model::Topology::all() {
        assert!(TOPOLOGIES.contains(&topology.as_str()), "{topology:?}");
    }
}

#[test]
fn every_package_forbids_unsafe_code() {
    let root = root();
    let mut manifests = vec![root.join("Cargo.toml")];
    let crates = std::fs::read_dir(root.join("crates")).unwrap();
    manifests.extend(crates.map(|entry| entry.unwrap().path().join("Cargo.toml")));
    assert_eq!(manifests.len(), 7);
    for manifest in manifests {
        let text = std::fs::read_to_string(&manifest).unwrap();
        assert!(text.contains("[lints]\nworkspace = true\n"), "{}", manifest.display());
    }
    let workspace = std::fs::read_to_string(root.join("Cargo.toml")).unwrap();
    assert!(workspace.contains("[workspace.lints.rust]\nunsafe_code = \"forbid\"\n"));
}
