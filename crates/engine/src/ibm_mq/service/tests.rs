use super::*;
use crate::Root;
use crate::ibm_mq::data_path;
use std::io;
use std::net::{IpAddr, Ipv4Addr, TcpListener};
use std::sync::Mutex;

/// A host below this root where no process is an engine's.
fn host(root: impl Into<PathBuf>, runner: Arc<dyn Runner>) -> Host {
    Host {
        root: Root::new(root),
        runner,
        processes: Processes::new(&IbmMq, "QMNONE", Some(("MQAWS_TEST_MARK", "nobody"))),
        run_as: None,
        own: Vec::new(),
        waited: |_, _| (),
    }
}

/// Answers by the name of the command and keeps the command lines.
#[derive(Default)]
struct Script {
    answers: Mutex<Vec<(&'static str, i32, &'static str)>>,
    lines: Mutex<Vec<String>>,
}

impl Runner for Script {
    fn run(&self, command: &Command) -> Result<Output, RunError> {
        let name = command.name();
        self.lines.lock().expect("lines").push(command.to_string());
        let mut answers = self.answers.lock().expect("answers");
        let Some(at) = answers.iter().position(|(n, ..)| *n == name) else {
            return Err(RunError::TimedOut {
                command: name,
                after: CHECK,
                text: String::new(),
                reaped: true,
            });
        };
        let (_, code, text) = answers.remove(at);
        Ok(Output {
            code,
            text: text.to_owned(),
            elapsed: Duration::ZERO,
        })
    }
}

fn config(port: u16) -> AgentConfig {
    let file = include_str!("../../../../../tests/fixtures/agent.json");
    let mut config: AgentConfig = serde_json::from_str(file).expect("a configuration");
    config.ports.set(&engine::MQ, port);
    config
}

fn engine(answers: &[(&'static str, i32, &'static str)], port: u16) -> (Service, Arc<Script>) {
    let script = Arc::new(Script {
        answers: Mutex::new(answers.to_vec()),
        lines: Mutex::default(),
    });
    let mq = Service::new(&config(port), host("/lab/i/i-1", script.clone()));
    (mq, script)
}

const VERSION: &str = "Name:        IBM MQ stand-in\nVersion:     1.0.0.0\n";

#[test]
fn data_decides_between_creating_and_making_known() {
    let cases = [
        (DataState::Absent, 72, "crtmqm", "created"),
        (DataState::Present, 72, "addmqinf", "made known"),
        (DataState::Present, 0, "dspmqinf", "known"),
    ];
    for (data, known, last, how) in cases {
        let answers = [
            ("dspmqver", 0, VERSION),
            ("crtmqdir", 10, ""),
            ("dspmqinf", known, ""),
            ("crtmqm", 0, ""),
            ("addmqinf", 0, ""),
        ];
        let (mq, script) = engine(&answers, 1);
        let info = mq.adopt(data).expect("adopted");
        assert_eq!((info.how.as_str(), info.stand_in), (how, true));
        let lines = script.lines.lock().expect("lines");
        assert!(lines.last().expect("a command").starts_with(last), "{lines:?}");
    }
}

#[test]
fn a_host_that_waits_is_told_of_the_queue_manager_and_creates_tunes_and_starts_nothing() {
    for (known, how) in [(72, "made known"), (0, "known")] {
        let answers = [
            ("dspmqver", 0, VERSION),
            ("crtmqdir", 10, ""),
            ("dspmqinf", known, ""),
            ("addmqinf", 0, ""),
        ];
        let (mq, script) = engine(&answers, 1);
        assert_eq!(mq.register().expect("registered").how, how);
        let lines = script.lines.lock().expect("lines");
        let names: Vec<&str> = lines.iter().filter_map(|line| line.split(' ').next()).collect();
        let all = ["dspmqver", "crtmqdir", "dspmqinf", "addmqinf"];
        assert_eq!(names, all[..if known == 0 { 3 } else { 4 }]);
        assert!(lines[1].ends_with("-s"), "no queue manager's directories: {lines:?}");
    }
}

#[test]
fn half_created_data_is_not_touched_until_somebody_has_cleared_it_away() {
    let dir = tempfile::tempdir().expect("tempdir");
    let answers = [
        ("dspmqver", 0, VERSION),
        ("crtmqdir", 10, ""),
        ("dspmqinf", 72, ""),
        ("crtmqm", 0, ""),
    ];
    let (mut mq, script) = engine(&answers, 1);
    (mq.linked, mq.mount) = (false, dir.path().to_owned());
    let own = data_path(&mq.dirs().data, "QM1");
    std::fs::create_dir_all(&own).expect("half of it");
    let failure = mq.adopt(DataState::HalfCreated).expect_err("half");
    assert_eq!(failure.kind, FailureKind::Shared);
    assert!(script.lines.lock().expect("lines").is_empty(), "nothing is touched");
    std::fs::remove_dir(&own).expect("cleared away");
    assert_eq!(mq.adopt(DataState::HalfCreated).expect("adopted").how, "created");
}

#[test]
fn with_a_certificate_nothing_is_defined_before_it_and_nothing_plain_after_it() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().expect("tempdir");
    let done = "AMQ8005I: done.\nOne MQSC command read.\nNo commands have a syntax error.\nAll valid MQSC commands were processed.\n";
    let script = Arc::new(Script {
        answers: Mutex::new(vec![("runmqsc", 0, done), ("runmqsc", 10, ""), ("runmqsc", 0, done)]),
        lines: Mutex::default(),
    });
    let mut config = AgentConfig {
        certificate: "arn".into(),
        ..config(1414)
    };
    config.ports.set(&engine::AMQP, 5672);
    let agent = || Service::new(&config, host(dir.path(), script.clone()));
    let mq = agent();
    let address = [127, 0, 0, 1].into();
    let failure = mq.define(address).expect_err("no certificate");
    assert!(
        failure.text.contains("definitions are not applied without it"),
        "{}",
        failure.text
    );
    assert!(script.lines.lock().expect("lines").is_empty());

    // No PKCS#12 file that anything could open: what is in it is not this test's matter.
    let secret = r#"{"pkcs12": "MAo=", "password": "s3cret"}"#.to_owned().into();
    let certificate = Certificate::parse(&secret, "QM1").expect("a certificate");
    assert_eq!(mq.install(&certificate), Ok(true));
    assert_eq!(agent().install(&certificate), Ok(true), "nobody has defined it");
    let file = dir.path().join("run/mqaws-tls/QM1.p12");
    let mode = |path: &Path| std::fs::metadata(path).expect("there").permissions().mode() & 0o777;
    assert_eq!((mode(&file), mode(file.parent().expect("dir"))), (0o600, 0o700));
    mq.define(address).expect("defined");
    let lines = script.lines.lock().expect("lines").clone();
    assert_eq!(lines, ["runmqsc -e QM1", "runmqsc QM1", "runmqsc QM1"]);
    assert_eq!(
        (mq.install(&certificate), agent().install(&certificate)),
        (Ok(false), Ok(false))
    );
}

#[test]
fn a_refused_key_repository_is_told_without_its_password() {
    let dir = tempfile::tempdir().expect("tempdir");
    let said = "AMQ8405I: Syntax error near ALTER QMGR KEYRPWD('s3cret')\nOne MQSC command read.\nOne command has a syntax error.\n";
    let script = Arc::new(Script {
        answers: Mutex::new(vec![("runmqsc", 10, said)]),
        lines: Mutex::default(),
    });
    let mut config = AgentConfig {
        certificate: "arn".into(),
        ..config(1414)
    };
    config.ports.set(&engine::AMQP, 5672);
    let mq = Service::new(&config, host(dir.path(), script.clone()));
    let secret = r#"{"pkcs12": "MAo=", "password": "s3cret"}"#.to_owned().into();
    mq.install(&Certificate::parse(&secret, "QM1").expect("a certificate"))
        .expect("installed");
    let failure = mq.define([127, 0, 0, 1].into()).expect_err("refused");
    assert!(
        failure.text.contains("AMQ8405") && !failure.text.contains("s3cret"),
        "{}",
        failure.text
    );
    let lines = script.lines.lock().expect("lines").clone();
    assert_eq!(lines, ["runmqsc -e QM1"], "the old one goes on: no channel is stopped");
}

#[test]
fn what_a_failed_start_means() {
    use FailureKind::{Elsewhere, Final, Shared, Transient};
    let cases = [
        (3, "", Shared, "before it completed"),
        (
            71,
            "AMQ7128E: No license installed for this copy of IBM MQ.\n",
            Final,
            "AMQ7128E",
        ),
        (71, "AMQ6109S: An internal error has occurred.\n", Transient, "exit 71"),
        (31, "", Elsewhere, "exit 31"),
        (43, "", Elsewhere, "exit 43"),
        (16, "", Final, "exit 16"),
        (24, "", Transient, "exit 24"),
        (69, "", Transient, "exit 69"),
        (201, "", Transient, "exit 201"),
        (0, "", Transient, "no execution controller"),
    ];
    for (code, text, kind, words) in cases {
        let (mq, _) = engine(&[("strmqm", code, text)], 1);
        let failure = mq.start(7, IpAddr::V4(Ipv4Addr::LOCALHOST)).expect_err("no success");
        assert_eq!(failure.kind, kind, "{code}: {}", failure.text);
        assert!(failure.text.contains(words), "{code}: {}", failure.text);
    }
    let (mq, _) = engine(&[], 1);
    assert_eq!(
        mq.start(7, IpAddr::V4(Ipv4Addr::LOCALHOST))
            .expect_err("no answer")
            .kind,
        Transient
    );
}

#[test]
fn health_is_an_answer_on_both_ways_and_a_failed_check_is_no_verdict() {
    let pong = "     1 : PING QMGR\nAMQ8415I: Ping IBM MQ Queue Manager command complete.\nOne MQSC command read.\n\
                No commands have a syntax error.\nAll valid MQSC commands were processed.\n";
    let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
    let port = listener.local_addr().expect("address").port();
    let address = [127, 0, 0, 1].into();
    let (mq, _) = engine(&[("runmqsc", 0, pong)], port);
    assert_eq!(mq.check(address), Health::Well);
    let (mq, _) = engine(&[], port);
    assert!(matches!(mq.check(address), Health::Bad(why) if why.contains("did not exit within")));
    let (mq, _) = engine(
        &[("runmqsc", 20, "AMQ8146E: IBM MQ queue manager not available.\n")],
        port,
    );
    assert!(matches!(mq.check(address), Health::Bad(why) if why.contains("AMQ8146E")));
    drop(listener);
    let (mq, _) = engine(&[("runmqsc", 0, pong)], port);
    assert!(matches!(mq.check(address), Health::Bad(why) if why.contains("does not accept")));
    struct Broken;
    impl Runner for Broken {
        fn run(&self, command: &Command) -> Result<Output, RunError> {
            Err(RunError::CouldNotStart {
                command: command.name(),
                source: io::ErrorKind::OutOfMemory.into(),
            })
        }
    }
    let mq = Service::new(&config(port), host("/", Arc::new(Broken)));
    assert!(matches!(mq.check(address), Health::Unknown(_)));
}

#[test]
fn waiting_for_a_listener_ends_when_it_no_longer_matters() {
    let port = TcpListener::bind("127.0.0.1:0")
        .and_then(|l| l.local_addr())
        .expect("free")
        .port();
    let (mq, _) = engine(&[], port);
    let failure = mq.accept([127, 0, 0, 1].into(), &|| true).expect_err("stale");
    assert!(failure.text.contains("does not accept connections"));
}

#[test]
fn the_engine_is_told_a_name_of_the_data_that_is_the_same_on_every_lab_instance() {
    let dir = tempfile::tempdir().expect("tempdir");
    let mut lines = Vec::new();
    for instance in ["i-1", "i-2"] {
        let root = dir.path().join(instance);
        std::fs::create_dir_all(root.join("mnt")).expect("mnt");
        std::os::unix::fs::symlink(dir.path().join("fs/fs-1"), root.join("mnt/mqaws")).expect("link");
        let answers = [
            ("dspmqver", 0, VERSION),
            ("crtmqdir", 0, ""),
            ("dspmqinf", 72, ""),
            ("crtmqm", 0, ""),
        ];
        let script = Arc::new(Script {
            answers: Mutex::new(answers.to_vec()),
            lines: Mutex::default(),
        });
        let mq = Service::new(&config(1), host(&root, script.clone()));
        mq.adopt(DataState::Absent).expect("created");
        lines.push(script.lines.lock().expect("lines").last().cloned().expect("crtmqm"));
    }
    assert!(lines[0].contains("fs/fs-1/QM1/data"), "{lines:?}");
    assert_eq!(lines[0], lines[1]);
}

#[test]
fn the_users_definitions_are_applied_once_per_change_and_their_result_is_checked() {
    fn said(command: &str, answer: &str, summary: &str) -> &'static str {
        Box::leak(format!("     1 : {command}\n{answer}\nOne MQSC command read.\n{summary}").into_boxed_str())
    }
    const GOOD: &str = "No commands have a syntax error.\nAll valid MQSC commands were processed.\n";
    const BAD: &str = "No commands have a syntax error.\nOne valid MQSC command could not be processed.\n";
    let dir = tempfile::tempdir().expect("tempdir");
    let root = dir.path();
    let own = root.join("etc/mqaws/definitions.mqsc");
    std::fs::create_dir_all(own.parent().expect("dir")).expect("dir");
    std::fs::write(&own, "DEFINE QLOCAL(APP.A)\n").expect("definitions");
    // SHA-256 of that text.
    let digest = "7566eb48d7456f9135c3b053a1c7ddd4ea266d0740c577155f1b9d72bb767499";
    let done = said("DEFINE QLOCAL(APP.A)", "AMQ8006I: IBM MQ queue created.", GOOD);
    let none = said("DISPLAY", "AMQ8147E: IBM MQ object MQAWS.DEFINITIONS not found.", BAD);
    let marked =
        format!("AMQ8409I: Display Queue details.\n   QUEUE(MQAWS.DEFINITIONS)   TYPE(QLOCAL)\n   DESCR({digest})");
    let marked = said("DISPLAY", &marked, GOOD);
    let exists = said("DEFINE QLOCAL(APP.A)", "AMQ8150E: IBM MQ object already exists.", BAD);
    let define = |answers: &[(&'static str, i32, &'static str)]| {
        let script = Arc::new(Script {
            answers: Mutex::new(answers.to_vec()),
            lines: Mutex::default(),
        });
        let result = Service::new(&config(1), host(root, script.clone())).define([127, 0, 0, 1].into());
        let runs = script.lines.lock().expect("lines").len();
        (result, runs)
    };
    // The defaults, the question, the user's, the mark.
    let (result, runs) = define(&[
        ("runmqsc", 0, done),
        ("runmqsc", 10, none),
        ("runmqsc", 0, done),
        ("runmqsc", 0, done),
    ]);
    assert_eq!((result, runs), (Ok(()), 4));
    let (result, runs) = define(&[("runmqsc", 0, done), ("runmqsc", 0, marked)]);
    assert_eq!((result, runs), (Ok(()), 2), "nothing has changed");
    let (result, runs) = define(&[("runmqsc", 0, done), ("runmqsc", 10, none), ("runmqsc", 10, exists)]);
    let failure = result.expect_err("refused");
    assert_eq!((failure.kind, runs), (FailureKind::Shared, 3), "no mark");
    assert!(
        failure.text.starts_with("line 1 of the definitions: ") && failure.text.contains("AMQ8150E"),
        "{}",
        failure.text
    );
    std::fs::remove_file(&own).expect("remove");
    assert_eq!(define(&[("runmqsc", 0, done)]), (Ok(()), 1), "nobody has any");
}

#[test]
fn connections_are_asked_of_the_engine_and_a_failure_is_not_a_number() {
    struct Answers(i32, &'static str);
    impl Runner for Answers {
        fn run(&self, _: &Command) -> Result<Output, RunError> {
            Ok(Output {
                code: self.0,
                text: self.1.to_owned(),
                elapsed: Duration::ZERO,
            })
        }
    }
    let asked = |code, text| Service::new(&config(1), host("/", Arc::new(Answers(code, text)))).connections();
    let head = "     1 : DISPLAY CONN(*) TYPE(CONN) CHANNEL\n";
    let count = |words: &str| {
        let text: &'static str = format!("{head}{words}One MQSC command read.\nNo commands have a syntax error.\nAll valid MQSC commands were processed.\n").leak();
        asked(0, text).map(|report| report.connections)
    };
    let shown = |id: &str, channel: &str| {
        format!(
            "AMQ8276I: Display Connection details.\n   CONN({id})                \n   EXTCONN(414D5143514D31202020202020202020)\n   TYPE(CONN)                            \n{channel}"
        )
    };
    let own = shown("6147BA6800010040", "   CHANNEL( )\n") + &shown("6147BA6800020040", "");
    assert_eq!(count(&own), Ok(Some(0)), "runmqsc, and a process of the queue manager");
    let client = |id: &str| shown(id, "   CHANNEL(APP.SVRCONN)                    CLIENTID( )\n");
    let twice = own + &client("6147BA6800DD0740") + &client("6147BA6800D90740") + &client("6147BA6800DD0740");
    assert_eq!(count(&twice), Ok(Some(2)), "a connection that is shown twice is one");
    let none = "AMQ8276I: Display Connection details.\n   TYPE(CONN)\n";
    assert_eq!(count(none), Ok(None), "runmqsc is connected itself");
    let why = asked(20, "AMQ8146E: IBM MQ queue manager not available.\n").expect_err("not available");
    assert!(why.contains("AMQ8146E"), "{why}");
}

#[test]
fn a_check_that_hangs_in_the_kernel_is_counted_and_never_joined_by_another() {
    struct Stuck(Mutex<u32>);
    impl Runner for Stuck {
        fn run(&self, command: &Command) -> Result<Output, RunError> {
            *self.0.lock().expect("count") += 1;
            Err(RunError::TimedOut {
                command: command.name(),
                after: CHECK,
                text: String::new(),
                reaped: false,
            })
        }
    }
    let stuck = Arc::new(Stuck(Mutex::new(0)));
    let mut mq = Service::new(&config(1), host("/", stuck.clone()));
    let address = [127, 0, 0, 1].into();
    // No count of these condemns: the machine counts only what is bad.
    assert!(matches!(mq.check(address), Health::Unknown(why) if why.contains("could not be killed with SIGKILL")));
    mq.left_behind = || 1;
    assert!(matches!(mq.check(address), Health::Unknown(why) if why.contains("1 commands")));
    assert_eq!(mq.measure(), Measures::default());
    assert_eq!(*stuck.0.lock().expect("count"), 1, "nothing was started beside it");
}

#[test]
fn a_check_that_did_not_end_is_followed_by_one_with_more_time() {
    struct Slow(Mutex<Vec<Duration>>, Duration);
    impl Runner for Slow {
        fn run(&self, command: &Command) -> Result<Output, RunError> {
            self.0.lock().expect("deadlines").push(command.deadline);
            if command.deadline >= self.1 {
                return Ok(Output {
                    code: 20,
                    text: String::new(),
                    elapsed: self.1,
                });
            }
            Err(RunError::TimedOut {
                command: command.name(),
                after: command.deadline,
                text: String::new(),
                reaped: true,
            })
        }
    }
    let slow = Arc::new(Slow(Mutex::default(), CHECK * 3));
    let mq = Service::new(&config(1), host("/", slow.clone()));
    for _ in 0..4 {
        mq.check([127, 0, 0, 1].into());
    }
    let deadlines = slow.0.lock().expect("deadlines");
    assert_eq!(*deadlines, [CHECK, CHECK * 2, CHECK * 4, CHECK], "the third answered");
}
