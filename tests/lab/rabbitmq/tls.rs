//! A certificate from Secrets Manager for RabbitMQ: judged by `openssl`, which is not ours.

use super::fence::Broker;
use super::{EXAMPLE, is_here};
use crate::support::{failing, root, runs, until};
use crate::tls::{NAME, Site, s_client};
use mqaws_engine::{Certificate, DataState};
use serde_json::json;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

/// What a broker answers to AMQP's greeting within TLS, as far as its first frame says what it is.
fn greeted(site: &Site, address: &str) -> Vec<u8> {
    let mut client = Command::new("openssl")
        .args([
            "s_client",
            "-quiet",
            "-verify_quiet",
            "-connect",
            address,
            "-servername",
            NAME,
        ])
        .args(["-verify_return_error", "-CAfile"])
        .arg(site.lab.path("ca.pem"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("openssl");
    // It ends with its input, so that stays open until the answer is there.
    let mut input = client.stdin.take().unwrap();
    input.write_all(b"AMQP\0\0\x09\x01").unwrap();
    input.flush().unwrap();
    let mut answer = vec![0; 11];
    let read = client.stdout.take().unwrap().read_exact(&mut answer);
    let _ = client.kill();
    let _ = client.wait();
    read.expect("an answer");
    answer
}

/// The serial number of the certificate that a server shows.
fn serial(address: &str) -> String {
    let shown = Command::new("openssl")
        .args(["s_client", "-connect", address, "-servername", NAME])
        .stdin(Stdio::null())
        .output()
        .expect("openssl");
    let mut read = Command::new("openssl")
        .args(["x509", "-noout", "-serial"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("openssl");
    read.stdin.take().unwrap().write_all(&shown.stdout).unwrap();
    let said = read.wait_with_output().expect("its words");
    String::from_utf8_lossy(&said.stdout).trim().to_owned()
}

#[test]
fn a_renewed_certificate_is_shown_without_a_restart() {
    if !is_here("a renewed certificate") {
        return;
    }
    let site = Site::start();
    let home = tempfile::Builder::new().prefix("mq").tempdir_in("/tmp").unwrap();
    let shared = home.path().join("shared");
    fs::create_dir_all(shared.join("TWICE/rabbitmq")).unwrap();
    let settings = json!({"amqp_port": 5671, "management_port": 15671, "certificate": "arn"});
    let broker = Broker::configured(home.path(), "a", &shared, "127.251.14.3", settings);
    let certificate = |serial: &str| {
        let text = site.certificate(serial, "1", &site.password);
        Certificate::parse(&text.into(), "any").unwrap()
    };
    let first = certificate("4711");
    assert!(broker.engine.install(&first).unwrap());
    broker.start(DataState::Absent);
    assert_eq!(serial("127.251.14.3:5671"), "serial=1267");
    let node = broker.engine.controller().unwrap();
    assert!(!broker.engine.install(&first).unwrap(), "it is there");
    let renewed = certificate("4712");
    assert!(broker.engine.install(&renewed).unwrap());
    broker.engine.define(broker.address).unwrap();
    for port in [5671, 15671] {
        assert_eq!(serial(&format!("127.251.14.3:{port}")), "serial=1268");
    }
    assert_eq!(broker.engine.controller().unwrap(), node);
    assert!(broker.engine.measure().certificate_days.is_some_and(|days| days > 0.0));
    site.lab.end();
}

#[test]
fn with_a_certificate_clients_get_in_by_tls_alone_and_tell_the_broker_from_another() {
    if !is_here("a broker with TLS") {
        return;
    }
    let site = Site::start();
    let lab = &site.lab;
    let secret = site.certificate("4711", "1", &site.password);
    let arn = site.store("mq-certificate", &secret);
    let example = root().join(EXAMPLE).display().to_string();
    let certificate = format!("tls.certificate={arn}");
    let config = ["--config", example.as_str()];
    let keys = ["--set", certificate.as_str()];
    let deployed = lab.json(&[&["deploy", "--local", "--yes"][..], &config, &keys].concat(), 0);
    let output = |name: &str| deployed["outputs"][name].as_str().unwrap().to_owned();
    let (amqp, management) = (output("AmqpEndpoint"), output("ManagementEndpoint"));
    assert!(amqp.ends_with(":5671") && management.ends_with(":15671"), "{deployed}");

    // Those who trust its authority get in, and nobody is taken for another.
    site.openssl(&[
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=another",
        "-keyout",
        "another.key",
        "-out",
        "another.pem",
    ]);
    for address in [&amqp, &management] {
        let (said, verified) = s_client(&site, address, NAME, "ca.pem");
        assert!(verified && said.contains("Verify return code: 0 (ok)"), "{said}");
        let (said, verified) = s_client(&site, address, NAME, "another.pem");
        assert!(!verified, "an authority that nobody named: {said}");
        let (said, verified) = s_client(&site, address, "other.example.com", "ca.pem");
        assert!(!verified, "another name: {said}");
    }
    // A method of the class `connection`, which is `start`.
    let answer = greeted(&site, &amqp);
    assert_eq!((answer[0], &answer[7..]), (1, &[0, 10, 0, 10][..]), "{answer:?}");
    let mut curl = Command::new("curl");
    let host = management.split(':').next().unwrap();
    curl.args(["-sS", "--connect-to", &format!("{NAME}:15671:{host}:15671"), "--cacert"])
        .arg(lab.path("ca.pem"))
        .arg(format!("https://{NAME}:15671/"));
    if let Ok(page) = curl.stdin(Stdio::null()).output() {
        assert!(String::from_utf8_lossy(&page.stdout).contains("RabbitMQ"), "{page:?}");
    }
    // Nothing is served without TLS.
    for (address, plain) in [(&amqp, 5672), (&management, 15672)] {
        let host = address.split(':').next().unwrap();
        assert!(TcpStream::connect((host, plain)).is_err(), "{plain}");
    }

    let status = until("its end", || {
        let said = lab.run(&[&["status", "--local"][..], &config].concat(), 0).text();
        said.contains("certificate expires in").then_some(said)
    });
    assert!(status.contains("amqps://") && status.contains("https://"), "{status}");
    // The failover test's clients tell it from another as well, and then test nothing.
    let test = ["failover-test", "--local", "--yes", "--fault", "kill-queue-manager"];
    let other = "--tls-server-name=other.example.com";
    for (trust, words) in [
        (&[][..], "unknown certificate authority"),
        (&["--ca-file", "another.pem"], "unknown certificate authority"),
        (&["--ca-file", "ca.pem", other], "not for other.example.com"),
    ] {
        let said = lab.run(&[&test[..], trust, &config].concat(), 3);
        assert!(
            said.err.contains("cannot verify the certificate") && said.err.contains(words),
            "{said}"
        );
    }
    // Killed under load, it loses nothing of those who came by TLS.
    let trusting = ["--ca-file", "ca.pem", "--tls-server-name", NAME];
    let report = lab.failover(&[&test[2..], &trusting, &config].concat(), 0);
    assert_eq!(failing(&report), Vec::<String>::new());
    let run = &runs(&report)[0];
    assert_eq!(
        (&report["driver"]["name"], &run["ledger"]["lost"]),
        (&json!("amqp091"), &json!(0)),
        "{run}"
    );
    assert!(report.to_string().contains(&format!("amqps://{amqp}")), "{report}");

    // The key is in one file, which the broker's user alone reads.
    let status = lab.json(&[&["status", "--local"][..], &config].concat(), 0);
    let host = lab.instance(status["writer"]["instance"].as_str().unwrap());
    let file = host.join("var/lib/mqaws/rabbitmq/tls.pem");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let key = fs::read_to_string(lab.path("qm.key")).unwrap();
    let key = key.lines().nth(3).unwrap();
    assert!(fs::read_to_string(&file).unwrap().contains(key));
    let told = |text: &str| text.contains(key) || text.contains(site.password.as_str());
    assert!(!told(&lab.processes().join("\n")));
    let settings = file.parent().unwrap();
    let logs = lab.dir().join("log");
    for dir in [settings, logs.as_path()] {
        for entry in fs::read_dir(dir).unwrap().flatten().map(|entry| entry.path()) {
            let text = fs::read(&entry).unwrap_or_default();
            assert!(
                entry == file || !told(&String::from_utf8_lossy(&text)),
                "{}",
                entry.display()
            );
        }
    }
    site.lab.end();
}
