//! Foreign judges: what the lab answers, read by boto3 and the AWS CLI; what the client half sends, answered by ministack
//! and moto. They come from the Python environment `MQAWS_TEST_VENV`, which `scripts/test` makes.

use crate::support::judge::{clean, script, venv};
use crate::support::{self, Lab, Said, root, said, until};
use mqaws::aws::{Clients, LocalCloud};
use mqaws::deploy::ports::{Stacks, Surroundings};
use mqaws::model::InstanceId;
use mqaws::observe::ports::{REBALANCE, Readings};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command};

const REGION: &str = "eu-west-1";

fn run(command: &mut Command) -> Said {
    let said = said(command);
    assert_eq!(said.code, Some(0), "{command:?}: {said}");
    said
}

/// A server of the judges on a free port of loopback; ends with the test.
struct Server {
    child: Child,
    endpoint: String,
    home: tempfile::TempDir,
}

impl Server {
    fn start(set_up: impl Fn(&Path, u16) -> Command) -> Self {
        let home = tempfile::tempdir().expect("a directory");
        let free = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr());
        let port = free.expect("a free port").port();
        let log = std::fs::File::create(home.path().join("log")).expect("a log");
        let mut command = set_up(home.path(), port);
        command.stdout(log.try_clone().expect("a log")).stderr(log);
        let child = command.spawn().expect("the server starts");
        let mut server = Self {
            child,
            endpoint: format!("http://127.0.0.1:{port}"),
            home,
        };
        until("the server listens", || {
            let log = || std::fs::read_to_string(server.home.path().join("log")).unwrap_or_default();
            assert!(server.child.try_wait().expect("a child").is_none(), "{}", log());
            TcpStream::connect(("127.0.0.1", port)).ok()
        });
        server
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn the_judge_catches_planted_mistakes() {
    let Some(venv) = venv("the_judge_catches_planted_mistakes") else {
        return;
    };
    let home = tempfile::tempdir().unwrap();
    run(clean(venv.join("bin/python"), home.path()).arg(script("selftest.py")));
}

#[test]
fn boto3_and_the_aws_cli_read_every_answer_of_the_lab() {
    let Some(venv) = venv("boto3_and_the_aws_cli_read_every_answer_of_the_lab") else {
        return;
    };
    let lab = Lab::up(&[]);
    let template = root().join("templates/single.yaml");
    let mut judge = clean(venv.join("bin/python"), lab.home());
    judge
        .arg(script("lab.py"))
        .arg(lab.dir().join("lab.json"))
        .arg(template);
    let judged = said(&mut judge);
    if judged.code != Some(0) {
        let logs = said(&mut lab.command(&["lab", "logs"])).text();
        let tail: Vec<&str> = logs.lines().rev().take(40).collect();
        panic!("{judged}\nthe lab's last words, newest first:\n{}", tail.join("\n"));
    }
}

#[test]
fn moto_and_the_lab_say_the_same_of_volumes_and_interfaces() {
    let Some(venv) = venv("moto_and_the_lab_say_the_same_of_volumes_and_interfaces") else {
        return;
    };
    let lab = Lab::up(&[]);
    let say = |whom: &Path| {
        let mut judge = clean(venv.join("bin/python"), lab.home());
        let said = run(judge.arg(script("members_moto.py")).arg(whom));
        let lines: Vec<String> = said.out.lines().map(str::to_owned).collect();
        assert!(lines.len() > 15, "{said}");
        lines
    };
    assert_eq!(say(&lab.dir().join("lab.json")), say(Path::new("moto")));
}

#[test]
fn ministack_creates_updates_rolls_back_and_deletes_what_we_send() {
    let Some(venv) = venv("ministack_creates_updates_rolls_back_and_deletes_what_we_send") else {
        return;
    };
    let server = Server::start(|home, port| {
        let mut command = clean(venv.join("bin/python"), home);
        command
            .arg(script("ministack_server.py"))
            .env("BIND_HOST", "127.0.0.1")
            .env("GATEWAY_PORT", port.to_string())
            .env("AUTH", "true")
            .env("MINISTACK_REGION", REGION)
            .env("IOT_MTLS_ENABLED", "0")
            .env("SFTP_ENABLED", "0")
            .env("DOCKER_HOST", "unix:///nonexistent")
            .env("S3_DATA_DIR", home.join("s3"));
        command
    });
    let home = server.home.path();
    let mqaws = |args: &[&str]| {
        let mut command = clean(env!("CARGO_BIN_EXE_mqaws"), home);
        command.args(args).args([
            "--endpoint-url",
            &server.endpoint,
            "--region",
            REGION,
            "--yes",
            "--output",
            "json",
        ]);
        command
    };
    let aws = |args: &[&str]| {
        let mut command = clean(venv.join("bin/aws"), home);
        command
            .args([
                "--endpoint-url",
                &server.endpoint,
                "--region",
                REGION,
                "--output",
                "json",
            ])
            .args(args);
        command
    };
    let status = |stack: &str| {
        let stacks = run(&mut aws(&["cloudformation", "describe-stacks", "--stack-name", stack])).json();
        stacks["Stacks"][0]["StackStatus"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    let deploy = |more: &[&str]| {
        let common = ["deploy", "--until", "stack", "--ami", "ami-0abcdef1234567890"];
        mqaws(&[&common[..], more].concat())
    };

    run(&mut deploy(&[]));
    assert_eq!(status("mqaws-qm1"), "CREATE_COMPLETE");
    let stacks = run(&mut aws(&[
        "cloudformation",
        "describe-stacks",
        "--stack-name",
        "mqaws-qm1",
    ]))
    .json();
    let outputs = stacks["Stacks"][0]["Outputs"].as_array().unwrap();
    let output = |key: &str| {
        let found = outputs.iter().find(|o| o["OutputKey"] == key);
        found.unwrap_or_else(|| panic!("no output {key}"))["OutputValue"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let file_system = output("FileSystemId");
    assert_eq!(output("QueueManagerName"), "QM1");
    assert!(output("MqEndpoint").ends_with("(1414)"), "{}", output("MqEndpoint"));

    // no change is success and changes nothing; a change of the instance type leaves the file system alone
    run(&mut deploy(&[]));
    assert_eq!(status("mqaws-qm1"), "CREATE_COMPLETE");
    run(&mut deploy(&["--instance-type", "m6i.xlarge"]));
    assert_eq!(status("mqaws-qm1"), "UPDATE_COMPLETE");
    let find = ["efs", "describe-file-systems", "--file-system-id", &file_system];
    assert_eq!(
        run(&mut aws(&find)).json()["FileSystems"][0]["FileSystemId"],
        *file_system
    );

    let failed = support::said(&mut deploy(&["--stack", "fails-qm2", "--queue-manager", "QM2"]));
    let said = failed.text();
    assert_eq!(failed.code, Some(4), "{said}");
    assert!(
        said.contains("Received 0 SUCCESS signal(s) out of 1"),
        "the root cause in AWS's own words: {said}"
    );
    assert!(said.contains("Group"), "{said}");
    assert_eq!(status("fails-qm2"), "ROLLBACK_COMPLETE");

    run(&mut mqaws(&["destroy"]));
    let mut describe = aws(&["cloudformation", "describe-stacks", "--stack-name", "mqaws-qm1"]);
    let gone = support::said(&mut describe).text();
    assert!(gone.contains("does not exist"), "{gone}");
    let kept = run(&mut aws(&find)).json();
    assert_eq!(
        kept["FileSystems"][0]["FileSystemId"], *file_system,
        "the data outlives the stack"
    );

    let beside = support::said(&mut deploy(&[]));
    assert_eq!(beside.code, Some(3), "{beside}");
    let said = beside.json();
    let kept = said["details"]["kept"].as_str().unwrap_or_default();
    assert!(
        kept.contains(&file_system) && kept.contains("queue manager QM1, of stack mqaws-qm1"),
        "{said}"
    );
    run(&mut deploy(&["--new-storage"]));
    assert_eq!(status("mqaws-qm1"), "CREATE_COMPLETE");
}

#[test]
fn moto_and_our_adapters_agree_on_what_there_is() {
    let Some(venv) = venv("moto_and_our_adapters_agree_on_what_there_is") else {
        return;
    };
    let server = Server::start(|home, port| {
        let mut command = clean(venv.join("bin/moto_server"), home);
        command.args(["-H", "127.0.0.1", "-p", &port.to_string()]);
        command
    });
    let mut seed = clean(venv.join("bin/python"), server.home.path());
    seed.arg(script("seed_moto.py")).args([&server.endpoint, REGION]);
    let made = run(&mut seed).json();
    let made = |key: &str| made[key].clone();
    let word = |key: &str| made(key).as_str().unwrap().to_owned();
    let clients = Clients::local(&LocalCloud {
        endpoint: server.endpoint.clone(),
        region: REGION.into(),
        access_key_id: "test".into(),
        secret_access_key: "test".into(),
    });
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        assert_eq!(clients.identity().await.unwrap().account, "123456789012");

        let subnets = clients.subnets(&word("vpc")).await.unwrap();
        assert_eq!(subnets.len(), 2);
        for subnet in &subnets {
            assert_eq!(made("subnets")[&subnet.zone], *subnet.id);
        }
        let ids: Vec<String> = subnets.iter().map(|s| s.id.clone()).collect();
        assert_eq!(clients.subnets_by_id(&ids).await.unwrap().len(), 2);
        assert!(clients.default_vpc().await.unwrap().is_some());
        assert!(clients.zones().await.unwrap().contains(&"eu-west-1a".to_owned()));
        assert_eq!(
            clients.image(&word("image")).await.unwrap().root_device,
            Some(word("root_device"))
        );

        let file_system = clients.file_system(&word("file_system")).await.unwrap().unwrap();
        assert_eq!((file_system.state.as_str(), file_system.encrypted), ("available", true));
        assert_eq!(file_system.throughput, "elastic");
        let zones: Vec<&String> = file_system.mount_targets.keys().collect();
        assert_eq!(zones, made("subnets").as_object().unwrap().keys().collect::<Vec<_>>());
        assert!(clients.file_system("fs-0123456789abcdef0").await.unwrap().is_none());

        let balancer = clients.load_balancer(&word("balancer")).await.unwrap().unwrap();
        assert_eq!(
            (balancer.scheme, balancer.dns_name),
            ("internal".to_owned(), word("dns_name"))
        );
        let targets = clients.targets(&word("target_group")).await.unwrap();
        assert_eq!(
            targets.iter().map(|t| t.id.clone()).collect::<Vec<_>>(),
            [word("instance")]
        );
        assert_eq!(targets[0].port, 1414);

        let group = clients.group(&word("group")).await.unwrap().unwrap();
        assert_eq!((group.desired, group.members.len()), (1, 1));
        assert_eq!(
            (&group.members[0].instance, &group.members[0].zone),
            (&InstanceId::new(word("instance")).unwrap(), &word("zone"))
        );
        assert!(group.members[0].is_in_service() && group.suspended.is_empty());
        clients.suspend(&word("group"), &[REBALANCE]).await.unwrap();
        assert_eq!(
            clients.group(&word("group")).await.unwrap().unwrap().suspended,
            [REBALANCE]
        );
        assert!(clients.group("no-such-group").await.unwrap().is_none());
        assert!(clients.stack("no-such-stack").await.unwrap().is_none());
    });
}
