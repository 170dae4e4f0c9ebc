//! MQSC against a queue manager in this process; what it prints is read by the driver's own parser.

use std::sync::Arc;

use super::run;
use crate::{
    engine::ibm_mq::{
        Definitions, ObjectName, ProbeQueueDefinition,
        mqsc::{MqscError, Report},
    },
    standin::{
        broker::Broker,
        log::Log,
        network::Service,
        objects::{Kind, Objects},
        queue::Message,
        writer::Writer,
    },
};

struct Fixture {
    broker: Arc<Broker>,
    _directory: tempfile::TempDir,
    _runtime: tokio::runtime::Runtime,
}

fn fixture() -> Fixture {
    let directory = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let objects = Objects::defaults(directory.path(), "QM1", Some("SYSTEM.DEAD.LETTER.QUEUE"));
    let (log, replayed) = Log::open(&directory.path().join("log"), 1).unwrap();
    let writer = Writer::start(log, None, |e| panic!("{e}")).unwrap();
    let handle = runtime.handle().clone();
    let broker = Broker::new("QM1", directory.path(), None, objects, replayed, writer, handle);
    Fixture {
        broker,
        _directory: directory,
        _runtime: runtime,
    }
}

fn report(fixture: &Fixture, text: &str) -> (Report, u8, String) {
    let (printed, code) = run(&fixture.broker, text);
    (Report::parse(&printed), code, printed)
}

fn fine(fixture: &Fixture, text: &str) -> Report {
    let (report, code, printed) = report(fixture, text);
    assert_eq!(report.check(code.into()), Ok(()), "{printed}");
    report
}

fn wrong(fixture: &Fixture, text: &str, message: u16) {
    let (report, code, printed) = report(fixture, text);
    assert!(
        matches!(report.check(code.into()), Err(MqscError::Failed { .. })),
        "{printed}"
    );
    assert_eq!(
        (report.commands[0].messages[0].number, code),
        (message, 10),
        "{printed}"
    );
}

#[test]
fn the_default_definitions_are_understood_applied_and_kept() {
    let fixture = fixture();
    let user = ObjectName::new("mqapp").unwrap();
    let address = [127, 62, 1, 1].into();
    let text = Definitions::new(Some(address), 21_414, Some(25_672), user).mqsc();
    fine(&fixture, &text);
    assert_eq!(
        fixture.broker.network.running(Service::Listener)[0].1,
        (address, 21_414).into()
    );
    assert_eq!(
        fixture.broker.network.running(Service::Channel)[0].1,
        (address, 25_672).into()
    );
    fine(&fixture, &text);
    let objects = fixture.broker.objects();
    assert!(objects.may("mqapp", "MQAWS.PROBE.A.B", "PUT") && objects.may("mqapp", "APP.Q", "GET"));
    assert!(!objects.may("mqapp", "SYSTEM.DEAD.LETTER.QUEUE", "GET"));
    assert!(objects.is_open("MQAWS.AMQP") && !objects.is_open("SYSTEM.DEF.AMQP"));
    let kept = Objects::read(fixture._directory.path()).unwrap();
    assert_eq!(kept.value(Kind::Listener, "MQAWS.LISTENER", "CONTROL"), Some("QMGR"));
}

#[test]
fn a_channel_with_a_cipher_does_not_start_without_its_key_repository() {
    let fixture = fixture();
    fine(
        &fixture,
        "ALTER QMGR SSLKEYR('/nowhere/key.p12')\nALTER QMGR KEYRPWD('it''s s3cret')\nREFRESH SECURITY(*) TYPE(SSL)",
    );
    let (_, _, printed) = report(&fixture, "DISPLAY QMGR");
    assert!(
        printed.contains("KEYRPWD(********)") && !printed.contains("s3cret"),
        "{printed}"
    );
    let kept = std::fs::read_to_string(fixture._directory.path().join("objects.json")).unwrap();
    assert!(kept.contains("KEYRPWD") && !kept.contains("s3cret"), "{kept}");
    wrong(&fixture, "DEFINE CHANNEL(C) CHLTYPE(AMQP) SSLCIPH(NULL_MD5)", 8242);
    fine(
        &fixture,
        "DEFINE CHANNEL(C) CHLTYPE(AMQP) PORT(25673) LOCLADDR('127.62.1.4') SSLCIPH(ANY_TLS12_OR_HIGHER) REPLACE\n\
         START SERVICE(SYSTEM.AMQP.SERVICE) IGNSTATE(YES)",
    );
    wrong(&fixture, "START CHANNEL(C)", 9657);
    fine(&fixture, "ALTER QMGR SSLKEYR('/nowhere/key')");
    wrong(&fixture, "START CHANNEL(C)", 9657);
    assert_eq!(fixture.broker.network.running(Service::Channel), []);
    fine(
        &fixture,
        "ALTER CHANNEL(C) CHLTYPE(AMQP) SSLCIPH(' ')\nSTART CHANNEL(C)",
    );
    assert_eq!(fixture.broker.network.running(Service::Channel).len(), 1);
}

#[test]
fn a_moved_definition_moves_the_listener() {
    let fixture = fixture();
    let define = |address: &str| {
        format!(
            "DEFINE LISTENER(L) TRPTYPE(TCP) PORT(21415) IPADDR('{address}') CONTROL(QMGR) REPLACE\nSTART LISTENER(L) IGNSTATE(YES)"
        )
    };
    for address in ["127.62.1.2", "127.62.1.3"] {
        fine(&fixture, &define(address));
        let expected = format!("{address}:21415").parse().unwrap();
        assert_eq!(
            fixture.broker.network.running(Service::Listener),
            [("L".to_owned(), expected)]
        );
    }
    wrong(&fixture, "START LISTENER(L)", 8730);
    fine(&fixture, "STOP LISTENER(L)");
    wrong(&fixture, "DISPLAY LSSTATUS(*)", 8147);
}

#[test]
fn queues_are_defined_shown_altered_and_deleted() {
    let fixture = fixture();
    let queue = ProbeQueueDefinition::new("A").unwrap();
    fine(&fixture, &queue.define());
    fine(&fixture, &queue.define());
    assert_eq!(
        fine(&fixture, &queue.depth()).depths(),
        [("MQAWS.PROBE.A".to_owned(), 0)]
    );

    let open = fixture.broker.queue("MQAWS.PROBE.A").unwrap();
    open.hold().unwrap();
    open.put(Message {
        sequence: 1,
        body: Arc::from([]),
        persistent: false,
        delivery_count: 0,
    });
    assert_eq!(
        fine(&fixture, "DISPLAY QLOCAL('MQAWS.PROBE.*') CURDEPTH").depths()[0].1,
        1
    );
    assert_eq!(fine(&fixture, "DISPLAY QSTATUS('MQAWS.PROBE.A')").depths()[0].1, 1);
    fine(&fixture, "ALTER QLOCAL('MQAWS.PROBE.A') MAXDEPTH(1)");
    assert!(open.hold().is_err());
    let shown = fine(&fixture, "DISPLAY QLOCAL('MQAWS.PROBE.A') MAXDEPTH");
    assert_eq!(shown.objects().next().unwrap().get("MAXDEPTH"), Some("1"));
    wrong(&fixture, "DELETE QLOCAL('MQAWS.PROBE.A')", 8143);
    fine(&fixture, &queue.delete());
    wrong(&fixture, &queue.depth(), 8147);
    wrong(&fixture, "DEFINE QLOCAL(SYSTEM.DEAD.LETTER.QUEUE)", 8150);
}

#[test]
fn what_is_not_known_is_a_syntax_error() {
    let fixture = fixture();
    for text in [
        "DEFINE QLOCAL(Q) MAXDEPHT(5)",
        "DEFINE QLOCAL(Q) MAXDEPTH(many)",
        "DEFINE QREMOTE(Q) RNAME(R)",
        "DEFINE QLOCAL Q",
        "DEFINE CHANNEL(C) CHLTYPE(SDR)",
        "DEFINE LISTENER(L) TRPTYPE(LU62)",
        "FROBNICATE QMGR",
        "DEFINE QLOCAL('Q",
        "SET AUTHREC OBJTYPE(QUEUE) PRINCIPAL('u') AUTHADD(PUT)",
    ] {
        wrong(&fixture, text, 8405);
    }
}

#[test]
fn one_failure_does_not_hide_the_rest() {
    let fixture = fixture();
    let (report, code, printed) = report(
        &fixture,
        "* comment\nPING QMGR\nDISPLAY QLOCAL(NONE)\nDEFINE QLOCAL(A) +\n  MAXDEPTH(7)\nNONSENSE\nend\nPING QMGR\n",
    );
    assert_eq!(
        (report.read, report.syntax_errors, report.failed, code),
        (Some(4), Some(1), Some(1), 10),
        "{printed}"
    );
    assert!(fixture.broker.queue("A").is_some());
}

#[test]
fn processes_of_the_queue_manager_are_connected_too_and_have_no_channel() {
    let fixture = fixture();
    let counted = |fixture: &Fixture| {
        let status = fine(fixture, "DISPLAY QMSTATUS CONNS");
        let all = status.objects().next().unwrap().get("CONNS").unwrap().to_owned();
        (all, fine(fixture, "DISPLAY CONN(*) TYPE(CONN) CHANNEL").clients())
    };
    assert_eq!(counted(&fixture), ("6".to_owned(), Some(0)));
    let (first, _) = fixture.broker.network.enter("a", "MQAWS.AMQP");
    fixture.broker.network.enter("b", "MQAWS.AMQP");
    assert_eq!(counted(&fixture), ("8".to_owned(), Some(2)));
    fixture.broker.network.leave("a", first);
    assert_eq!(counted(&fixture), ("7".to_owned(), Some(1)));
}
