//! What the pages promise: the tour is run line by line as it is written, and every other command line of the pages is one that there is.

use crate::support::json_call;
use crate::support::{Lab, root};
use std::path::PathBuf;

/// Command lines of `mqaws` in the fenced blocks of a page, each with the code with which it says that it exits.
fn commands(text: &str) -> Vec<(Vec<String>, i32)> {
    let blocks = text.split("\n```").skip(1).step_by(2);
    let lines = blocks.flat_map(|block| block.lines().skip(1).map(str::trim));
    let mut found = Vec::new();
    let mut open = String::new();
    for line in lines {
        let (line, comment) = line.split_once(" #").unwrap_or((line, ""));
        open.push_str(line.trim_end_matches('\\'));
        if line.ends_with('\\') {
            continue;
        }
        let words: Vec<String> = std::mem::take(&mut open)
            .split_whitespace()
            .map(str::to_owned)
            .collect();
        let exit = comment
            .split_once("exits with ")
            .map_or(0, |(_, code)| code.parse().expect("an exit code"));
        if words.first().is_some_and(|word| word == "mqaws") {
            found.push((words[1..].to_vec(), exit));
        }
    }
    found
}

fn page(name: &str) -> String {
    std::fs::read_to_string(root().join(name)).expect(name)
}

/// Everything of the tour that needs no account.
#[test]
fn the_tour_goes_as_it_is_written() {
    let lab = Lab::new();
    let tour = page("docs/tour.md");
    let (local, _) = tour.split_once("## 4. On an account").expect("its sections");
    let lines = commands(local);
    assert!(lines.len() > 12, "{lines:?}");
    for (words, exit) in &lines {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let mut command = lab.command(&words);
        // A person would be asked.
        command.env("MQAWS_YES", "true");
        let said = lab.started(command).wait();
        lab.demand(&words, &said, *exit);
    }
    assert!(lines.iter().any(|(_, exit)| *exit == 10), "the test can fail");
    assert_eq!(lab.of_instances(), Vec::<String>::new());
}

#[test]
fn every_command_line_of_the_pages_is_one_that_there_is() {
    let pages = std::fs::read_dir(root().join("docs")).expect("pages").flatten();
    let pages = pages.map(|entry| entry.path()).chain([root().join("README.md")]);
    let pages: Vec<PathBuf> = pages
        .filter(|path| path.extension().is_some_and(|end| end == "md"))
        .collect();
    let mut read = 0;
    for path in &pages {
        for (words, _) in commands(&std::fs::read_to_string(path).expect("a page")) {
            let line = words.join(" ");
            // What a command prints begins with its name too, and a bracket is around what may be left out.
            if words[0].ends_with(':') || line.contains(['[', '<', '|', '…', '$']) {
                continue;
            }
            read += 1;
            let all = ["mqaws".to_owned()].into_iter().chain(words);
            if let Err(error) = mqaws::cli::command().try_get_matches_from(all) {
                assert!(!error.use_stderr(), "{}: mqaws {line}: {error}", path.display());
            }
        }
    }
    assert!(read > 30, "only {read} command lines");
}

/// The page for applications: its definitions, its secret, and its client, which is another implementation of AMQP.
#[test]
fn an_application_connects_as_the_page_says() {
    let Some(python) = crate::standin::proton("an_application_connects_as_the_page_says") else {
        return;
    };
    let lab = Lab::new();
    let definitions = format!(
        "queue_manager.definitions={}",
        root().join("examples/orders.mqsc").display()
    );
    lab.run(&["deploy", "--local", "--yes", "--set", &definitions], 0);
    let status = lab.run(&["status", "--local"], 0).out;
    let line = |start: &str| {
        let found = status.lines().map(str::trim).find(|line| line.starts_with(start));
        found.unwrap_or_else(|| panic!("{start} in {status}")).to_owned()
    };
    assert_eq!(line("channel: "), "channel: MQAWS.SVRCONN");
    let secret = line("user and password: secret ");
    let secret = secret.rsplit(' ').next().expect("an ARN");
    let answer = json_call(
        &lab.record(),
        "secretsmanager",
        "secretsmanager.GetSecretValue",
        &serde_json::json!({"SecretId": secret}),
    );
    let answer = answer.expect("a secret");
    let secret: serde_json::Value = serde_json::from_str(answer["SecretString"].as_str().expect("text")).expect("JSON");
    let word = |key: &str| secret[key].as_str().unwrap_or_else(|| panic!("{key}")).to_owned();
    let put = |queue: &str| {
        std::process::Command::new(&python)
            .arg(root().join("examples/put_get.py"))
            .args([&line("amqp://"), queue])
            .env("MQ_USER", word("username"))
            .env("MQ_PASSWORD", word("password"))
            .output()
            .expect("Python")
    };
    for queue in ["APP.ORDERS", "BILLING.IN"] {
        let done = put(queue);
        let said = String::from_utf8_lossy(&done.stdout);
        assert_eq!(said, format!("put to {queue} and got again: order 1\n"), "{done:?}");
    }
    let refused = put("SYSTEM.DEFAULT.LOCAL.QUEUE");
    assert!(
        String::from_utf8_lossy(&refused.stderr).contains("amqp:unauthorized-access"),
        "{refused:?}"
    );
}
