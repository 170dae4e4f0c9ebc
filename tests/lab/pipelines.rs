//! The pipelines of `examples/ci`: their files are what GitHub and GitLab take, and their steps go as they are written.

use crate::support::judge::{clean, tool};
use crate::support::{Lab, root, said};
use serde_json::Value;
use std::fs;
use std::path::Path;

/// What a pipeline runs, in its order.
struct Step {
    script: String,
    /// Whether it runs after a failed one too.
    always: bool,
}

fn example(name: &str) -> Value {
    let text = fs::read_to_string(root().join("examples/ci").join(name)).unwrap();
    serde_saphyr::from_str(&text).unwrap()
}

fn lines(list: &Value) -> impl Iterator<Item = String> {
    list.as_array()
        .unwrap()
        .iter()
        .map(|line| line.as_str().unwrap().to_owned())
}

/// The steps that are run, but for the installation: here it is the program of the tests.
fn of_github() -> Vec<Step> {
    let workflow = example("github-actions.yml");
    let steps = workflow["jobs"]["failover"]["steps"].as_array().unwrap();
    let run = steps
        .iter()
        .filter(|step| step["run"].is_string() && step["name"] != "Install");
    run.map(|step| Step {
        script: step["run"].as_str().unwrap().to_owned(),
        always: step["if"] == "always()",
    })
    .collect()
}

fn of_gitlab() -> Vec<Step> {
    let pipeline = example("gitlab-ci.yml");
    let job = &pipeline["failover"];
    let step = |always| move |script| Step { script, always };
    lines(&job["script"])
        .map(step(false))
        .chain(lines(&job["after_script"]).map(step(true)))
        .collect()
}

/// Runs steps as a runner does; returns the code of the first that failed, and what all of them said.
fn play(lab: &Lab, steps: &[Step], variables: &[(&str, &Path)]) -> (i32, String) {
    fs::copy(Lab::example(), lab.path("mqaws.yaml")).unwrap();
    let program = Path::new(env!("CARGO_BIN_EXE_mqaws")).parent().unwrap();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths([program.to_owned()].into_iter().chain(std::env::split_paths(&path))).unwrap();
    let (mut failed, mut all) = (0, String::new());
    for step in steps {
        if failed != 0 && !step.always {
            continue;
        }
        let once = || {
            let mut command = lab.command_of(Path::new("bash"), &["-e", "-o", "pipefail", "-c", &step.script]);
            command.env("PATH", &path);
            for (name, value) in variables {
                command.env(name, value);
            }
            lab.started(command).wait()
        };
        let mut said = once();
        for _ in 0..2 {
            // A busy machine that pauses a test proves nothing; that is asked again.
            if said.code == Some(20) {
                said = once();
            }
        }
        all += &said.text();
        if failed == 0 {
            failed = said.code.unwrap_or(-1);
        }
    }
    (failed, all)
}

#[test]
fn the_files_are_what_github_and_gitlab_take() {
    let Some(judge) = tool("check-jsonschema") else { return };
    for (schema, name) in [
        ("vendor.github-workflows", "github-actions.yml"),
        ("vendor.gitlab-ci", "gitlab-ci.yml"),
    ] {
        let home = tempfile::tempdir().unwrap();
        let file = root().join("examples/ci").join(name);
        let check = |file: &Path| {
            let mut command = clean(&judge, home.path());
            command.args(["--builtin-schema", schema]).arg(file);
            said(&mut command)
        };
        let said = check(&file);
        assert_eq!(said.code, Some(0), "{name}: {said}");
        let wrong = home.path().join("wrong.yml");
        let text = fs::read_to_string(&file).unwrap();
        fs::write(
            &wrong,
            text.replace("script:", "skript:").replace("runs-on:", "run-on:"),
        )
        .unwrap();
        assert_eq!(check(&wrong).code, Some(1), "{name}: the judge can say no");
    }
}

#[test]
fn the_steps_pass_and_keep_what_they_promise() {
    let lab = Lab::new();
    let summary = lab.path("summary");
    let (code, said) = play(
        &lab,
        &of_github(),
        &[("GITHUB_ACTIONS", Path::new("true")), ("GITHUB_STEP_SUMMARY", &summary)],
    );
    assert_eq!(code, 0, "{said}");
    assert!(!said.contains("::error"), "{said}");
    for kept in ["report.json", "ledger.bin", "junit.xml", "summary.md"] {
        assert!(lab.path("failover").join(kept).is_file(), "{kept}: {said}");
    }
    assert!(fs::read_to_string(summary).unwrap().contains("PASS"));
    assert_eq!(lab.of_instances(), Vec::<String>::new(), "the local cloud was ended");
}

#[test]
fn a_queue_manager_that_loses_messages_fails_the_job_and_its_files_are_kept() {
    let lab = Lab::up(&["--standin-defect", "ack-early"]);
    let (code, said) = play(&lab, &of_gitlab(), &[]);
    assert_eq!(code, 10, "{said}");
    let job = example("gitlab-ci.yml");
    let junit = job["failover"]["artifacts"]["reports"]["junit"].as_str().unwrap();
    let junit = fs::read_to_string(lab.path(junit)).unwrap();
    assert!(junit.contains("<failure type=\"exit 10\""), "{junit}");
    assert_eq!(lab.of_instances(), Vec::<String>::new(), "the local cloud was ended");
}

#[test]
fn a_configuration_comes_from_standard_input_and_a_shell_learns_of_the_local_cloud() {
    let lab = Lab::up(&[]);
    let mut command = lab.command(&["deploy", "--local", "--yes", "--config", "-", "--until", "stack"]);
    command.stdin(fs::File::open(Lab::example()).unwrap());
    let said = lab.started(command).wait();
    lab.demand(&["deploy", "--config", "-"], &said, 0);
    let mut command = lab.command(&["validate", "--config", "-"]);
    let wrong = lab.path("wrong");
    fs::write(&wrong, "stack: 1_2\n").unwrap();
    command.stdin(fs::File::open(&wrong).unwrap());
    let said = lab.started(command).wait();
    assert!(
        said.code == Some(3) && said.text().contains("standard input:1:8"),
        "{said}"
    );

    let program = env!("CARGO_BIN_EXE_mqaws");
    let script = format!("export AWS_PROFILE=mine; eval \"$('{program}' lab env)\"; env");
    let said = lab.started(lab.command_of(Path::new("sh"), &["-ec", &script])).wait();
    let record = lab.record();
    for line in [
        format!("AWS_ENDPOINT_URL={}", record.endpoint),
        format!("AWS_SECRET_ACCESS_KEY={}", record.secret_access_key),
        format!("AWS_REGION={}", record.region),
    ] {
        assert!(said.out.lines().any(|said| said == line), "{line}: {said}");
    }
    assert!(!said.out.contains("AWS_PROFILE"), "{said}");
    if let Some(aws) = tool("aws") {
        let aws = aws.display();
        let script = format!("eval \"$('{program}' lab env)\"; '{aws}' cloudformation describe-stacks --output json");
        let said = lab.started(lab.command_of(Path::new("sh"), &["-ec", &script])).wait();
        assert_eq!(said.json()["Stacks"][0]["StackName"], "mqaws-qm1", "{said}");
    }
    lab.end();
    let gone = Lab::new();
    gone.run(&["lab", "env"], 3);
}
