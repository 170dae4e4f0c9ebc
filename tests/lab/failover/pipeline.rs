//! The step of a pipeline: files for its page and its counters, annotations, limits for one fault.

use crate::support::{Lab, runs, until};
use rustix::process::Signal;
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt;

fn report(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn a_pipeline_learns_by_files_and_annotations_what_the_exit_code_says() {
    let lab = Lab::deployed(&[]);
    let args = [
        "failover-test",
        "--local",
        "--output",
        "json",
        "--rounds",
        "2",
        "--max-rto",
        "30s",
        "--max-rto",
        "kill-queue-manager=1ms",
        "--max-rto-p95",
        "2ms",
        "--junit",
        "made/junit.xml",
        "--markdown",
        "made/page.md",
        "--html",
        "made/page.html",
    ];
    let mut command = lab.command(&args);
    command
        .env("GITHUB_ACTIONS", "true")
        .env("GITHUB_STEP_SUMMARY", lab.path("summary"));
    fs::write(lab.path("summary"), "before\n").unwrap();
    fs::create_dir(lab.path("made")).unwrap();
    let said = lab.started(command).wait();
    // Every outage is over a limit of 1 ms, however busy this machine is; it may also have proved nothing.
    assert!([Some(12), Some(20)].contains(&said.code), "{said}");
    let document = report(&said.out);
    assert_eq!(document["limits"]["rto"].as_array().unwrap().len(), 2);
    let fault = &document["summary"]["faults"][0];
    assert_eq!(
        (&fault["fault"], &fault["rounds"]),
        (&"kill-queue-manager".into(), &2.into())
    );
    assert_eq!(runs(&document)[0]["thresholds"][7]["limit"], "0.001 s");
    assert_eq!(fault["rto"]["p95_is_worst"], true);

    let junit = fs::read_to_string(lab.path("made/junit.xml")).unwrap();
    assert!(
        junit.contains("<testcase name=\"rto.max\"") && junit.contains("<failure type=\"exit 12\""),
        "{junit}"
    );
    assert!(junit.contains("name=\"rto.p95\""), "{junit}");
    let page = fs::read_to_string(lab.path("made/page.md")).unwrap();
    assert!(page.contains("| kill-queue-manager | 2 |"), "{page}");
    let html = fs::read_to_string(lab.path("made/page.html")).unwrap();
    assert!(
        html.contains("Throughput") && html.contains("kill-queue-manager, round"),
        "{html}"
    );
    assert_eq!(
        fs::read_to_string(lab.path("summary")).unwrap(),
        format!("before\n{page}\n")
    );
    let annotation = "::error title=failover test failed::kill-queue-manager, round 1, rto.max: RTO ";
    assert!(said.err.contains(annotation), "{said}");
    for told in [&junit, &said.err, &said.out] {
        assert!(told.contains("exceeds the limit of 0.001 s"), "{told}");
    }
    assert!(page.contains("RTO of kill-queue-manager 0.001 s"), "{page}");

    // Found out before anything is broken.
    fs::create_dir(lab.path("folder")).unwrap();
    let refused = lab.run(&["failover-test", "--local", "--junit", "folder"], 3);
    assert!(refused.err.contains("cannot write `folder`"), "{refused}");

    for option in ["--junit", "--markdown", "--html"] {
        let refused = lab.run(&["failover-test", "--local", "--out", "fresh", option, "nowhere/x"], 3);
        assert!(refused.err.contains("folder `nowhere` does not exist"), "{refused}");
        let report = lab.run(&["failover-test", "report", "report.json", option, "nowhere/x"], 3);
        assert!(report.err.contains("folder `nowhere` does not exist"), "{report}");
    }
    let refused = lab.run(&["failover-test", "--local", "--out", "nowhere/reports"], 3);
    assert!(refused.err.contains("folder `nowhere` does not exist"), "{refused}");
    assert!(!lab.path("nowhere").exists() && !lab.path("fresh").exists());

    let ledger = lab.run(&["failover-test", "report", "ledger.bin"], 3);
    assert!(
        ledger.err.contains("it is a ledger of messages, not a report"),
        "{ledger}"
    );

    // The report shows the same again, and ends as the test did.
    let code = said.code.unwrap();
    let again = lab.run(
        &["failover-test", "report", "report.json", "--junit", "again.xml"],
        code,
    );
    assert!(again.out.contains("RTO") && again.out.contains("verdict"), "{again}");
    assert_eq!(fs::read_to_string(lab.path("again.xml")).unwrap(), junit);
    lab.run(
        &["failover-test", "report", "report.json", "--html", "again.html"],
        code,
    );
    assert_eq!(fs::read_to_string(lab.path("again.html")).unwrap(), html);
    // Opened by the desktop's own program, where there is a desktop; the file is written in any case.
    let tools = tempfile::tempdir().unwrap();
    let opener = tools.path().join("xdg-open");
    let opened = lab.path("opened");
    let script = format!(
        "#!/bin/sh\nprintf %s \"$1\" > '{0}.part' && mv '{0}.part' '{0}'\n",
        opened.display()
    );
    fs::write(&opener, script).unwrap();
    fs::set_permissions(&opener, fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", tools.path().display(), std::env::var("PATH").unwrap());
    let open = [
        "failover-test",
        "report",
        "report.json",
        "--html",
        "again.html",
        "--open",
    ];
    for display in ["", ":0"] {
        let mut command = lab.command(&open);
        command
            .env("PATH", &path)
            .env_remove("WAYLAND_DISPLAY")
            .env("DISPLAY", display);
        let said = lab.started(command).wait();
        let is_told = said
            .err
            .contains("cannot open again.html in a browser: this session has no desktop");
        assert_eq!((said.code, is_told), (Some(code), display.is_empty()), "{said}");
    }
    let page = until("the desktop to open the page", || fs::read_to_string(&opened).ok());
    assert_eq!(page, "again.html");
    if code == 12 {
        // Two rounds are too few to say that an objective is met.
        let answer = lab.run(&["slo", "report.json", "--require-slo"], 20);
        assert!(
            answer.out.starts_with("local cloud") && answer.out.contains("TOO FEW ROUNDS"),
            "{answer}"
        );
    }
    lab.end();
}

#[test]
fn a_test_that_is_broken_off_is_no_pass_in_its_files() {
    let lab = Lab::deployed(&[]);
    let args = ["--rounds", "50", "--junit", "junit.xml", "--markdown", "page.md"];
    let mut running = lab.spawn(&[&["failover-test", "--local"], &args[..]].concat());
    // The first round is done.
    running.until_out("RPO");
    running.signal(Signal::INT);
    assert_eq!(running.wait().code, Some(130));
    let junit = fs::read_to_string(lab.path("junit.xml")).unwrap();
    assert!(
        junit.contains("<testcase name=\"test.complete\"") && junit.contains("<error type=\"exit 130\""),
        "{junit}"
    );
    let page = fs::read_to_string(lab.path("page.md")).unwrap();
    assert!(
        page.contains("of 50 rounds: interrupted") && !page.contains(": PASS"),
        "{page}"
    );
    lab.end();
}

/// A pipeline that is canceled early must not look like one that was never tested.
#[test]
fn a_test_that_is_broken_off_in_its_first_round_writes_the_files_that_were_asked_for() {
    let lab = Lab::deployed(&[]);
    let args = ["--baseline", "60s", "--junit", "junit.xml", "--markdown", "page.md"];
    let mut running = lab.spawn(&[&["failover-test", "--local"], &args[..]].concat());
    running.until_out("  load ");
    running.signal(Signal::INT);
    assert_eq!(running.wait().code, Some(130));
    let junit = fs::read_to_string(lab.path("junit.xml")).unwrap();
    assert!(
        junit.contains("<testcase name=\"test.complete\"") && junit.contains("<error type=\"exit 130\""),
        "{junit}"
    );
    let page = fs::read_to_string(lab.path("page.md")).unwrap();
    assert!(page.contains("after 0 of 1 rounds: interrupted"), "{page}");
    assert_eq!(
        report(&fs::read_to_string(lab.path("report.json")).unwrap())["verdict"],
        "inconclusive"
    );
    lab.end();
}

#[test]
fn two_tests_are_compared_and_those_of_different_kinds_are_not() {
    let lab = Lab::deployed(&[]);
    let test = |more: &[&str]| lab.failover(&[&["--baseline", "1s", "--settle", "1s"], more].concat(), 0);
    test(&[]);
    test(&[]);
    test(&["--rate", "150"]);
    let few = lab.run(&["failover-test", "compare", "report.json", "report-2.json"], 20);
    assert!(
        few.out.contains("too few conclusive rounds") && few.out.contains("Wilcoxon"),
        "{few}"
    );
    let other = ["failover-test", "compare", "report.json", "report-3.json"];
    let refused = lab.run(&other, 3);
    assert!(refused.err.contains("load.rate: 200 in A, 150 in B"), "{refused}");
    let told = lab.run(&[&other[..], &["--allow-different"]].concat(), 20);
    assert!(told.out.contains("differs  load.rate"), "{told}");
    let same = lab.run(&["failover-test", "compare", "report.json", "report.json"], 3);
    assert!(same.err.contains("the same rounds"), "{same}");
    lab.end();
}
