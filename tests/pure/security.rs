//! `docs/security.md` is held to: what checkov finds in the rendered templates is what has a reason there, no more and no less,
//! and the tests that are named there exist.

use crate::judge::{clean, root, tool};
use crate::template::bodies;
use mqaws::model::Deployment;
use mqaws::render;
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;

/// A check and the resource that fails it.
type Finding = (String, String);

/// What checkov finds in the templates of a folder.
fn found(program: &Path, folder: &Path) -> BTreeSet<Finding> {
    let home = tempfile::tempdir().unwrap();
    let output = clean(program, home.path())
        .args([
            "--framework",
            "cloudformation",
            "--skip-download",
            "--soft-fail",
            "--compact",
            "--output",
            "json",
        ])
        .arg("--directory")
        .arg(folder)
        .output()
        .unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    assert_eq!(report["summary"]["parsing_errors"], 0, "{report:#}");
    assert!(report["summary"]["passed"].as_u64() > Some(20), "{report:#}");
    let failed = report["results"]["failed_checks"].as_array().unwrap().iter();
    failed
        .map(|check| {
            let resource = check["resource"].as_str().unwrap();
            let logical = resource.rsplit('.').next().unwrap();
            (check["check_id"].as_str().unwrap().to_owned(), logical.to_owned())
        })
        .collect()
}

fn page() -> String {
    std::fs::read_to_string(root().join("docs/security.md")).unwrap()
}

/// The rows of the table in `docs/security.md`: a check, the resources that fail it, the reason.
fn exceptions() -> BTreeSet<Finding> {
    let mut all = BTreeSet::new();
    for row in page().lines().filter(|line| line.starts_with("| `CKV")) {
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        let [check, resources, reason] = cells.as_slice() else {
            panic!("three cells: {row}");
        };
        assert!(reason.len() > 40, "a reason: {row}");
        for resource in resources.split(", ") {
            let of = |cell: &str| cell.trim_matches('`').to_owned();
            assert!(all.insert((of(check), of(resource))), "twice: {row}");
        }
    }
    all
}

#[test]
fn checkov_finds_what_has_a_reason_and_nothing_else() {
    let Some(program) = tool("checkov") else { return };
    let folder = tempfile::tempdir().unwrap();
    for (name, body) in bodies() {
        let file = folder.path().join(format!("{name}.yaml"));
        std::fs::write(file, body).unwrap();
    }
    let (found, excepted) = (found(&program, folder.path()), exceptions());
    let new: Vec<_> = found.difference(&excepted).collect();
    assert!(new.is_empty(), "neither mended nor in docs/security.md: {new:?}");
    let old: Vec<_> = excepted.difference(&found).collect();
    assert!(old.is_empty(), "in docs/security.md, but not found any more: {old:?}");
}

#[test]
fn checkov_would_have_found_a_mistake() {
    let Some(program) = tool("checkov") else { return };
    let good = render::body(&Deployment::default()).unwrap();
    let bad = good.replacen("      Encrypted: true\n", "      Encrypted: false\n", 1);
    assert_ne!(good, bad);
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("bad.yaml"), bad).unwrap();
    let planted = ("CKV_AWS_42".to_owned(), "FileSystem".to_owned());
    assert!(!exceptions().contains(&planted));
    assert!(found(&program, folder.path()).contains(&planted));
}

/// A test is named as `FILE: NAME`.
#[test]
fn the_tests_that_the_threat_model_names_exist() {
    let page = page();
    let named: Vec<(&str, &str)> = page.split('`').filter_map(|text| text.split_once(".rs: ")).collect();
    assert!(named.len() > 15, "{named:?}");
    for (file, name) in named {
        let file = format!("{file}.rs");
        let text = std::fs::read_to_string(root().join(&file)).unwrap_or_else(|error| panic!("{file}: {error}"));
        let (before, _) = text
            .split_once(&format!("fn {name}("))
            .unwrap_or_else(|| panic!("{file} has no {name}"));
        let attributes: Vec<&str> = before.lines().rev().take(5).collect();
        assert!(
            attributes.iter().any(|line| line.contains("test")),
            "{file}: {name} is no test"
        );
    }
}
