//! The command lines of the pages, and what runs each of them: a line of which nobody says so fails the test.

use crate::support::root;
use std::path::Path;

/// A command line of a page.
#[derive(Debug, Clone)]
pub(super) struct Line {
    /// The page.
    pub page: String,
    /// The line as it stands there, without its comment.
    pub text: String,
    /// The code with which the page says that it exits.
    pub exit: i32,
}

/// What runs a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    /// A test of this module, which takes the line from the page.
    Here(&'static str),
    /// A test of another file that does the same by other words.
    By(&'static str, &'static str),
    /// Nothing, and why.
    Not(&'static str),
}
use How::{By, Here, Not};

const TOUR: How = Here("the_tour_goes_as_it_is_written");
const PAGES: How = Here("what_the_pages_show_of_the_local_cloud_goes_as_it_is_written");
const AGENT: How = Here("the_agent_answers_as_the_pages_say");
const CLI: How = Here("commands_of_the_aws_cli_go_as_they_are_written");
const ACCOUNT: How = Not("requires an AWS account; the verb is run with --local");

/// What runs the lines of a page that begin so; a line belongs to its first row.
const HOW: &[(&str, &str, How)] = &[
    ("README.md", "cargo run -- demo", By("scripts/test", "mqaws -- demo")),
    ("README.md", "scripts/test", Not("is what runs the tests")),
    ("README.md", "mqaws init", PAGES),
    ("README.md", "mqaws validate", PAGES),
    (
        "README.md",
        "mqaws ami build",
        By(
            "tests/lab/ami.rs",
            "fn a_build_ends_with_an_image_its_tags_and_the_parameter",
        ),
    ),
    ("README.md", "mqaws", ACCOUNT),
    (
        "docs/applications.md",
        "mqaws deploy",
        By("tests/lab/docs.rs", "fn an_application_connects_as_the_page_says"),
    ),
    ("docs/applications.md", "aws secretsmanager get-secret-value", CLI),
    (
        "docs/applications.md",
        "python3 examples/put_get.py",
        By("tests/lab/docs.rs", "fn an_application_connects_as_the_page_says"),
    ),
    ("docs/configuration.md", "MQAWS_NETWORK_CLIENTS=", PAGES),
    ("docs/configuration.md", "aws cloudformation create-stack", CLI),
    (
        "docs/failover-testing.md",
        "mqaws failover-test --local --faults all --dry-run",
        PAGES,
    ),
    (
        "docs/failover-testing.md",
        "mqaws failover-test --local --faults all",
        By("tests/lab/failover.rs", "fn every_fault"),
    ),
    ("docs/failover-testing.md", "mqaws failover-test", PAGES),
    (
        "docs/fencing.md",
        "mqaws-agent fence operator",
        By(
            "tests/lab/fence.rs",
            "fn a_lost_owner_that_ec2_never_confirms_is_outwaited",
        ),
    ),
    (
        "docs/fencing.md",
        "mqaws-agent fence copy",
        By(
            "tests/lab/fence.rs",
            "fn a_queue_manager_on_a_copy_leaves_the_original_alone_and_starts_when_a_person_names_it",
        ),
    ),
    (
        "docs/fencing.md",
        "mqaws-agent fence create",
        By(
            "tests/lab/fence.rs",
            "fn a_file_system_that_is_found_empty_gets_no_new_queue_manager_until_a_person_names_it",
        ),
    ),
    ("docs/fencing.md", "mqaws-agent fence", AGENT),
    ("docs/hosts.md", "", CLI),
    ("docs/image.md", "mqaws ami manifest", PAGES),
    (
        "docs/image.md",
        "mqaws ami build",
        By(
            "tests/lab/ami.rs",
            "fn a_build_ends_with_an_image_its_tags_and_the_parameter",
        ),
    ),
    ("docs/image.md", "packer init", Not("loads a plugin from the internet")),
    (
        "docs/image.md",
        "packer build",
        By(
            "tests/lab/ami.rs",
            "fn a_build_ends_with_an_image_its_tags_and_the_parameter",
        ),
    ),
    ("docs/local-cloud.md", "mqaws", PAGES),
    ("docs/permissions.md", "aws ssm send-command", CLI),
    ("docs/pipeline.md", "mqaws", PAGES),
    (
        "docs/rabbitmq.md",
        "mqaws",
        By(
            "tests/lab/rabbitmq.rs",
            "fn it_is_deployed_restarted_in_place_failed_over_and_destroyed_with_its_data_kept",
        ),
    ),
    (
        "docs/slo.md",
        "mqaws failover-test --rounds 30",
        Not("60 rounds take many minutes; fewer are run by the page of the pipeline"),
    ),
    ("docs/slo.md", "mqaws", PAGES),
    ("docs/tour.md", "cargo run -- demo", By("scripts/test", "mqaws -- demo")),
    (
        "docs/tour.md",
        "mqaws failover-test --stack mqaws-qm1 --yes --account",
        ACCOUNT,
    ),
    ("docs/tour.md", "mqaws", TOUR),
    ("docs/troubleshooting.md", "mqaws-agent", AGENT),
];

/// Words with which a command line begins; whatever else is in a block is output, or a file.
fn is_command(word: &str) -> bool {
    let programs = [
        "mqaws",
        "mqaws-agent",
        "aws",
        "cargo",
        "eval",
        "openssl",
        "packer",
        "printf",
        "python3",
        "rm",
        "scripts/test",
        "umask",
    ];
    programs.contains(&word) || word.starts_with("MQAWS_") && word.contains('=')
}

/// The command lines in the fenced blocks of a page.
pub(super) fn of_page(page: &str) -> Vec<Line> {
    let text = std::fs::read_to_string(root().join(page)).expect(page);
    let blocks = text.split("\n```").skip(1).step_by(2);
    // The first line of a block names its language.
    let blocks = blocks.filter(|block| {
        let language = block.lines().next().unwrap_or_default();
        ["", "text", "console", "sh"].contains(&language)
    });
    let mut found = Vec::new();
    for block in blocks {
        let mut open = String::new();
        for line in block.lines().skip(1) {
            let line = line.trim_start_matches("$ ").trim();
            let (code, comment) = line.split_once(" #").unwrap_or((line, ""));
            open.push_str(code.trim_end_matches('\\').trim());
            open.push(' ');
            if code.ends_with('\\') {
                continue;
            }
            let text = std::mem::take(&mut open).trim().to_owned();
            let mut words = text.split_whitespace();
            let first = words.next().unwrap_or_default();
            // What a command prints begins with its name too.
            if !is_command(first) || words.next().is_some_and(|word| word.ends_with(':')) {
                continue;
            }
            let exit = comment.split_once("exits with ");
            found.push(Line {
                page: page.to_owned(),
                text,
                exit: exit.map_or(0, |(_, code)| code.parse().expect("an exit code")),
            });
        }
    }
    found
}

/// README.md and the pages in `docs/`, in the order of their names.
pub(super) fn pages() -> Vec<String> {
    let entries = std::fs::read_dir(root().join("docs")).expect("pages").flatten();
    let names = entries.map(|entry| entry.file_name().into_string().expect("a name"));
    let mut pages: Vec<String> = names
        .filter(|name| Path::new(name).extension().is_some_and(|end| end == "md"))
        .map(|name| format!("docs/{name}"))
        .collect();
    pages.sort();
    pages.insert(0, "README.md".to_owned());
    pages
}

fn row(line: &Line) -> Option<usize> {
    HOW.iter()
        .position(|(page, begin, _)| *page == line.page && line.text.starts_with(begin))
}

/// The lines of a page that the test of this name is to run.
pub(super) fn here(page: &str, test: &str) -> Vec<Line> {
    let mut lines = of_page(page);
    lines.retain(|line| row(line).is_some_and(|row| HOW[row].2 == Here(known(test))));
    assert!(!lines.is_empty(), "{page} has no line for {test}");
    lines
}

fn known(test: &str) -> &'static str {
    let names = HOW.iter().filter_map(|(_, _, how)| match how {
        Here(name) => Some(*name),
        _ => None,
    });
    let mut names = names.filter(|name| *name == test);
    names.next().unwrap_or_else(|| panic!("no row names {test}"))
}

#[test]
fn every_command_line_of_the_pages_is_run_or_says_why_not() {
    let mut used = vec![false; HOW.len()];
    let mut unsaid = Vec::new();
    let mut run = 0;
    for page in pages() {
        for line in of_page(&page) {
            match row(&line) {
                None => unsaid.push(format!("{page}: {}", line.text)),
                Some(row) => {
                    used[row] = true;
                    run += usize::from(!matches!(HOW[row].2, Not(_)));
                }
            }
        }
    }
    assert_eq!(
        unsaid,
        Vec::<String>::new(),
        "say in HOW what runs them, or why nothing can"
    );
    assert!(run > 50, "only {run} lines are run");
    let source = |path: &str| std::fs::read_to_string(root().join(path)).expect(path);
    for ((page, begin, how), used) in HOW.iter().zip(used) {
        assert!(used, "{page} has no line `{begin}`");
        let (path, words) = match how {
            Here(test) => ("tests/lab/docs.rs", format!("fn {test}()")),
            By(path, words) => (*path, (*words).to_owned()),
            Not(why) => {
                assert!(!why.is_empty());
                continue;
            }
        };
        assert!(
            source(path).contains(&words),
            "{page}, `{begin}`: {path} has no `{words}`"
        );
    }
}

#[test]
fn every_command_line_of_mqaws_on_the_pages_is_one_that_there_is() {
    let mut read = 0;
    for line in pages().iter().flat_map(|page| of_page(page)) {
        let words: Vec<&str> = line.text.split_whitespace().collect();
        if words[0] != "mqaws" {
            continue;
        }
        read += 1;
        if let Err(error) = mqaws::cli::command().try_get_matches_from(words) {
            assert!(!error.use_stderr(), "{}: {}: {error}", line.page, line.text);
        }
    }
    assert!(read > 30, "only {read} command lines");
}
