//! What the pages promise: their command lines are run as they are written, or the table says why not.

mod commands;

use crate::support::judge::tool;
use crate::support::{Lab, Said, json_call, root, said};
use commands::{Line, here, of_page};
use serde_json::Value;
use std::os::unix::fs::symlink;
use std::path::Path;

/// A user with `mqaws` on the search path, and with the folders of the repository that the pages name.
fn reader() -> Lab {
    let lab = Lab::new();
    std::fs::create_dir(lab.path("bin")).expect("a folder");
    symlink(env!("CARGO_BIN_EXE_mqaws"), lab.path("bin/mqaws")).expect("a link");
    for folder in ["examples", "templates"] {
        symlink(root().join(folder), lab.path(folder)).expect("a link");
    }
    lab
}

/// Runs a line in the user's shell, as it is written; where a person would be asked, the answer is yes.
#[track_caller]
fn run(lab: &Lab, line: &Line) -> Said {
    let mut command = lab.command_of(Path::new("/bin/sh"), &["-c", &line.text]);
    let path = std::env::var("PATH").unwrap_or_default();
    command
        .env("PATH", format!("{}:{path}", lab.path("bin").display()))
        .env("MQAWS_YES", "true")
        .env("AWS_PAGER", "")
        .env("AWS_EC2_METADATA_DISABLED", "true");
    if lab.dir().join("lab.json").exists() {
        let record = lab.record();
        command
            .env("AWS_ENDPOINT_URL", record.endpoint)
            .env("AWS_DEFAULT_REGION", record.region)
            .env("AWS_ACCESS_KEY_ID", record.access_key_id)
            .env("AWS_SECRET_ACCESS_KEY", record.secret_access_key);
    }
    let said = lab.started(command).wait();
    assert_eq!(said.code, Some(line.exit), "{}: {}: {said}", line.page, line.text);
    said
}

/// The same line with other values than those that stand for the reader's own.
fn with(line: &Line, values: &[(&str, &str)]) -> Line {
    let mut own = line.clone();
    for (written, value) in values {
        assert!(
            own.text.contains(written),
            "{}: `{}` has no {written}",
            line.page,
            line.text
        );
        own.text = own.text.replace(written, value);
    }
    own
}

/// Everything of the tour that needs no account.
#[test]
fn the_tour_goes_as_it_is_written() {
    let lab = reader();
    let lines = here("docs/tour.md", "the_tour_goes_as_it_is_written");
    assert!(lines.len() > 12, "{lines:?}");
    for line in &lines {
        let said = run(&lab, line);
        lab.demand(&[&line.text], &said, line.exit);
    }
    assert!(lines.iter().any(|line| line.exit == 10), "the test can fail");
    assert_eq!(lab.of_instances(), Vec::<String>::new());
}

/// The other pages that need nothing but the local cloud, each after what it takes for granted.
#[test]
fn what_the_pages_show_of_the_local_cloud_goes_as_it_is_written() {
    let lab = reader();
    let lines = |page: &str| here(page, "what_the_pages_show_of_the_local_cloud_goes_as_it_is_written");
    for line in lines("docs/local-cloud.md") {
        run(&lab, &line);
    }
    let copy = |from: &str, to: &str| std::fs::copy(lab.path(from), lab.path(to)).map(drop).expect(from);
    let page = lines("docs/pipeline.md");
    let (test, compare): (Vec<Line>, Vec<Line>) = page.into_iter().partition(|line| !line.text.contains(" compare "));
    assert_eq!((test.len(), compare.len()), (3, 2));
    for line in &test[..2] {
        run(&lab, line);
    }
    for file in ["junit.xml", "summary.md", "report.html", "report.json"] {
        assert!(lab.path("failover").join(file).exists(), "{file}");
    }
    // A second test, to compare it with the first.
    run(&lab, &test[1]);
    copy("failover/report.json", "before.json");
    copy("failover/report-2.json", "after.json");
    for line in &compare {
        run(&lab, line);
    }
    copy("before.json", "report.json");
    std::fs::write(lab.path("measured.yaml"), "ec2.launch: [31, 44]\n").expect("a file");
    for page in [
        "docs/slo.md",
        "docs/failover-testing.md",
        "docs/configuration.md",
        "docs/image.md",
    ] {
        for line in lines(page) {
            run(&lab, &line);
        }
    }
    run(&lab, &test[2]);
    for line in lines("README.md") {
        run(&lab, &line);
    }
}

/// What an operator asks the agent on an instance.
#[test]
fn the_agent_answers_as_the_pages_say() {
    let lab = reader();
    lab.run(&["deploy", "--local", "--yes"], 0);
    let status = lab.json(&["status", "--local"], 0);
    let instance = lab.instance(status["writer"]["instance"].as_str().expect("a writer"));
    for page in ["docs/fencing.md", "docs/troubleshooting.md"] {
        for line in here(page, "the_agent_answers_as_the_pages_say") {
            let args: Vec<&str> = line.text.split_whitespace().skip(1).collect();
            let mut command = lab.command_of(&instance.join("opt/mqm/bin/mqaws-agent"), &args);
            command.env_clear().env("MQAWS_LAB_ROOT", &instance);
            let said = said(&mut command);
            assert_eq!(said.code, Some(line.exit), "{page}: {}: {said}", line.text);
        }
    }
    lab.run(&["status", "--local", "--wait", "paused"], 0);
    lab.end();
}

/// What the pages do with the AWS CLI, with the names of this local cloud instead of the reader's.
#[test]
fn commands_of_the_aws_cli_go_as_they_are_written() {
    let Some(aws) = tool("aws") else { return };
    let lab = reader();
    symlink(aws, lab.path("bin/aws")).expect("a link");
    lab.run(&["deploy", "--local", "--yes"], 0);
    let lines = |page: &str| here(page, "commands_of_the_aws_cli_go_as_they_are_written");
    let ask = |text: &str| {
        let line = Line {
            page: "this test".to_owned(),
            text: text.to_owned(),
            exit: 0,
        };
        run(&lab, &line).out.trim().to_owned()
    };
    let described =
        ask("aws cloudformation describe-stacks --stack-name mqaws-qm1 --query 'Stacks[0].Outputs' --output json");
    let outputs: Value = serde_json::from_str(&described).expect("JSON");
    let output = |key: &str| {
        let all = outputs.as_array().expect("outputs").iter();
        let found = all.into_iter().find(|output| output["OutputKey"] == key);
        found
            .and_then(|output| output["OutputValue"].as_str())
            .expect(key)
            .to_owned()
    };
    let status = lab.json(&["status", "--local"], 0);
    let instance = status["writer"]["instance"].as_str().expect("a writer");

    let secret = &lines("docs/applications.md")[0];
    let secret = run(
        &lab,
        &with(secret, &[(" ARN ", &format!(" {} ", output("CredentialsSecret")))]),
    );
    assert!(secret.out.contains("\"username\""), "{secret}");

    let sent = lines("docs/permissions.md");
    assert_eq!(sent.len(), 2);
    let operate = ("\"$OPERATE_DOCUMENT\"", output("OperateDocument"));
    run(&lab, &with(&sent[0], &[(operate.0, &operate.1), ("i-0123…", instance)]));
    lab.run(&["status", "--local", "--wait", "paused"], 0);
    let fence = ("\"$FENCE_DOCUMENT\"", output("FenceDocument"));
    let previous = ("i-0456…", "i-0123456789abcdef0");
    run(
        &lab,
        &with(&sent[1], &[(fence.0, &fence.1), ("i-0123…", instance), previous]),
    );

    // One shell, as a person has it.
    lab_certificate(&lab);
    let page = lines("docs/hosts.md");
    let all: Vec<&str> = page.iter().map(|line| line.text.as_str()).collect();
    let stored = ask(&all.join("\n"));
    assert!(stored.starts_with("arn:aws:secretsmanager:"), "{stored}");
    assert!(!lab.path("secret.json").exists());

    // The stack without mqaws.
    let vpc = ask("aws ec2 describe-vpcs --filters Name=is-default,Values=true --query 'Vpcs[0].VpcId' --output text");
    let subnet = |zone: &str| {
        ask(&format!(
            "aws ec2 describe-subnets --filters Name=vpc-id,Values={vpc} Name=availability-zone,Values={zone} \
             --query 'Subnets[0].SubnetId' --output text"
        ))
    };
    let image = lab.json(&["ami", "list", "--local"], 0);
    let image = image["images"][0]["id"].as_str().map_or_else(
        || ask("aws ec2 describe-images --query 'Images[0].ImageId' --output text"),
        str::to_owned,
    );
    let create = &lines("docs/configuration.md")[0];
    let values = [
        ("my-key", "lab"),
        ("vpc-0123456789abcdef0", &vpc),
        ("subnet-0123456789abcdef0", &subnet("eu-west-1a")),
        ("subnet-0fedcba9876543210", &subnet("eu-west-1b")),
        ("ami-0123456789abcdef0", &image),
    ];
    run(&lab, &with(create, &values));
    ask("aws cloudformation wait stack-create-complete --stack-name mqdev-efs");
    let status = lab.json(&["status", "--local", "--stack", "mqdev-efs", "--wait", "serving"], 0);
    assert_eq!(status["queue_manager"], "mqdev", "{status}");
    lab.end();
}

/// A certificate with its key and its chain, as an authority gives them.
fn lab_certificate(lab: &Lab) {
    let text = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=qm1.example.com -keyout mq.key -out mq.pem 2>&1 \
                && cp mq.pem chain.pem";
    let made = said(&mut lab.command_of(Path::new("/bin/sh"), &["-c", text]));
    assert_eq!(made.code, Some(0), "{made}");
}

#[test]
fn a_line_is_read_with_its_continuation_and_its_exit_code() {
    let tour = of_page("docs/tour.md");
    assert!(
        tour.iter().any(|line| line.exit == 10 && !line.text.contains('#')),
        "{tour:?}"
    );
    let configuration = of_page("docs/configuration.md");
    assert!(
        configuration
            .iter()
            .any(|line| line.text.ends_with("ParameterValue=eu-west-1b")),
        "{configuration:?}"
    );
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
