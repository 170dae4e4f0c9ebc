//! A certificate from Secrets Manager, from end to end: deployed, judged by programs of other people, failed over under load, and
//! refused in words when it cannot be read or used.

use crate::support::{self, Lab, Said, between, call, json_call, judge, said, until};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// The name in the certificate; nothing resolves it.
pub(crate) const NAME: &str = "mq.example.com";

/// A short failover test with TLS.
const FAILOVER: [&str; 8] = [
    "failover-test",
    "--local",
    "--ca-file",
    "ca.pem",
    "--rate",
    "50",
    "--backlog",
    "200",
];

/// A local cloud with a certificate authority beside it.
pub(crate) struct Site {
    pub(crate) lab: Lab,
    pub(crate) password: String,
}

impl Site {
    pub(crate) fn start() -> Self {
        let site = Self {
            lab: Lab::up(&[]),
            // A quote and a plus: MQSC has a meaning for both.
            password: format!("it's+{}", std::process::id()),
        };
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
            "/CN=authority",
            "-keyout",
            "ca.key",
            "-out",
            "ca.pem",
        ]);
        site
    }

    pub(crate) fn openssl(&self, args: &[&str]) {
        let made = said(Command::new("openssl").args(args).current_dir(self.lab.home()));
        assert_eq!(made.code, Some(0), "openssl {args:?}: {made}");
    }

    /// The text of a secret with a new certificate of this serial number, signed by the authority.
    pub(crate) fn certificate(&self, serial: &str, days: &str, password: &str) -> String {
        std::fs::write(self.lab.path("ext"), format!("subjectAltName=DNS:{NAME}\n")).unwrap();
        std::fs::write(self.lab.path("pw"), &self.password).unwrap();
        self.openssl(&[
            "req",
            "-new",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-subj",
            &format!("/CN={NAME}"),
            "-keyout",
            "qm.key",
            "-out",
            "qm.csr",
        ]);
        self.openssl(&[
            "x509",
            "-req",
            "-in",
            "qm.csr",
            "-CA",
            "ca.pem",
            "-CAkey",
            "ca.key",
            "-set_serial",
            serial,
            "-days",
            days,
            "-extfile",
            "ext",
            "-out",
            "qm.pem",
        ]);
        self.openssl(&[
            "pkcs12",
            "-export",
            "-inkey",
            "qm.key",
            "-in",
            "qm.pem",
            "-certfile",
            "ca.pem",
            "-name",
            "ibmwebspheremqqm1",
            "-passout",
            "file:pw",
            "-out",
            "qm.p12",
        ]);
        let file = BASE64_STANDARD.encode(std::fs::read(self.lab.path("qm.p12")).unwrap());
        json!({"pkcs12": file, "password": password}).to_string()
    }

    fn secrets_manager(&self, action: &str, body: &Value) -> Value {
        let target = format!("secretsmanager.{action}");
        json_call(&self.lab.record(), "secretsmanager", &target, body).unwrap()
    }

    /// Stores a secret; returns the file that names it.
    pub(crate) fn store(&self, name: &str, text: &str) -> String {
        let stored = self.secrets_manager("CreateSecret", &json!({"Name": name, "SecretString": text}));
        stored["ARN"].as_str().unwrap().to_owned()
    }

    fn configure(&self, arn: &str) {
        let text = format!("tls:\n  certificate: {arn}\n  server_name: {NAME}\n");
        std::fs::write(self.lab.path("mqaws.yaml"), text).unwrap();
    }

    /// Does something, and says whether an instance listened on a queue manager's port meanwhile.
    fn listened<T>(&self, work: impl FnOnce() -> T) -> (T, bool) {
        let endpoint = self.lab.record().endpoint;
        let address = endpoint.trim_start_matches("http://").split(':').next().unwrap();
        let octets: Vec<u8> = address.split('.').map(|o| o.parse().unwrap()).collect();
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let watcher = scope.spawn(|| {
                let mut seen = false;
                while !done.load(Ordering::SeqCst) {
                    seen |= listening(octets[1]);
                    std::thread::sleep(Duration::from_millis(2));
                }
                seen
            });
            let value = work();
            done.store(true, Ordering::SeqCst);
            (value, watcher.join().unwrap())
        })
    }
}

/// Whether an instance of the lab in 127.`lab`.0.0/16 listens on 1414 or 5672. Load balancers have 127.`lab`.1.0/24.
fn listening(lab: u8) -> bool {
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    table.lines().skip(1).any(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let Some((address, port)) = fields[1].split_once(':') else {
            return false;
        };
        let address = u32::from_str_radix(address, 16).unwrap().to_le_bytes();
        fields[3] == "0A" && ["0586", "1628"].contains(&port) && address[..2] == [127, lab] && address[2] >= 10
    })
}

/// Every regular file below a directory.
fn collect(dir: &Path, take: &mut dyn FnMut(&Path, &[u8])) {
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => collect(&path, take),
            Ok(kind) if kind.is_file() => take(&path, &std::fs::read(&path).unwrap_or_default()),
            _ => {}
        }
    }
}

/// What `openssl s_client` says of a server, its exit code last.
pub(crate) fn s_client(site: &Site, address: &str, name: &str, authority: &str) -> (String, bool) {
    let mut command = Command::new("openssl");
    command
        .args([
            "s_client",
            "-connect",
            address,
            "-servername",
            name,
            "-verify_hostname",
            name,
        ])
        .args(["-verify_return_error", "-CAfile"])
        .arg(site.lab.path(authority));
    let said = said(command.stdin(Stdio::null()));
    (said.text(), said.code == Some(0))
}

/// Whether a server answers AMQP's own greeting without TLS.
fn speaks_plainly(address: &str) -> bool {
    let Ok(mut stream) = TcpStream::connect(address) else {
        return false;
    };
    stream.set_read_timeout(Some(Duration::from_secs(15))).unwrap();
    // SASL's header, as every AMQP 1.0 client with a password begins.
    stream.write_all(b"AMQP\x03\x01\x00\x00").unwrap();
    let mut answer = [0; 4];
    stream.read_exact(&mut answer).is_ok() && &answer == b"AMQP"
}

#[test]
fn clients_see_the_certificate_of_the_secret_and_nothing_else_is_served() {
    let site = Site::start();
    let lab = &site.lab;
    let secret = site.certificate("4711", "1", &site.password);
    site.configure(&site.store("mq-certificate", &secret));
    let (deployed, listened) = site.listened(|| lab.json(&["deploy", "--local"], 0));
    assert!(listened, "who watches for listeners sees these");
    let endpoint = deployed["outputs"]["AmqpEndpoint"].as_str().unwrap().to_owned();

    let (said, verified) = s_client(&site, &endpoint, NAME, "ca.pem");
    assert!(verified && said.contains("Verify return code: 0 (ok)"), "{said}");
    let (said, verified) = s_client(&site, &endpoint, "other.example.com", "ca.pem");
    assert!(!verified, "another name is not vouched for: {said}");
    assert!(!speaks_plainly(&endpoint), "nothing is served without TLS");
    proton(&site, &endpoint);

    let status = until("its end", || {
        let said = lab.run(&["status", "--local"], 0).text();
        said.contains("certificate expires in 1 d").then_some(said)
    });
    assert!(status.contains("amqps://") && status.contains("serving"), "{status}");

    for (args, words) in [
        (&["--ca-file", "qm.csr"][..], "CERTIFICATE REQUEST but no certificate"),
        (
            &["--ca-file", "ca.pem", "--tls-server-name", "other.example.com"],
            "other.example.com",
        ),
        (&[], "unknown certificate authority"),
        (&["--amqp-url", &format!("amqp://{endpoint}")], "could not"),
    ] {
        let said = lab.run(&[&["failover-test", "--local"], args].concat(), 3).text();
        assert!(said.contains(words), "{args:?}: {said}");
    }
    for fault in ["kill-queue-manager", "terminate-instance"] {
        let said = lab
            .run(&[&FAILOVER[..], &["--fault", fault, "--out", fault]].concat(), 0)
            .text();
        assert!(said.contains("verdict  PASS"), "{said}");
        let report = std::fs::read_to_string(lab.path(fault).join("report.json")).unwrap();
        assert!(report.contains(&format!("amqps://{endpoint}")), "{report}");
    }
    let (said, verified) = s_client(&site, &endpoint, NAME, "ca.pem");
    assert!(verified, "the replacement shows it too: {said}");
    no_secret_is_told(&site);
}

/// A client that is not ours puts and gets with TLS.
fn proton(site: &Site, endpoint: &str) {
    let Some(python) = judge::tool("python") else { return };
    let lab = &site.lab;
    let outputs = lab.json(&["status", "--local"], 0);
    let secret = outputs["clients"]["secret"].as_str().unwrap();
    let login = site.secrets_manager("GetSecretValue", &json!({"SecretId": secret}));
    let login: Value = serde_json::from_str(login["SecretString"].as_str().unwrap()).unwrap();
    let mut child = Command::new(python)
        .arg(judge::script("proton_tls.py"))
        .args([endpoint, NAME])
        .arg(lab.path("ca.pem"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("python");
    let words = format!(
        "{}\n{}\n",
        login["username"].as_str().unwrap(),
        login["password"].as_str().unwrap()
    );
    child.stdin.take().unwrap().write_all(words.as_bytes()).unwrap();
    let judged = Said::from(&child.wait_with_output().unwrap());
    assert_eq!(judged.code, Some(0), "{judged}");
    assert!(judged.text().contains("connected with TLS"), "{judged}");
}

/// Neither the key nor its password is where it does not belong.
fn no_secret_is_told(site: &Site) {
    let lab = &site.lab;
    let key = std::fs::read_to_string(lab.path("qm.key")).unwrap();
    let key = key.lines().nth(3).unwrap().to_owned();
    let file = BASE64_STANDARD.encode(std::fs::read(lab.path("qm.p12")).unwrap());
    for secret in [&site.password, &key, &file] {
        assert!(!lab.has_told(secret), "a verb printed it");
        let mut found = Vec::new();
        for part in [
            lab.dir(),
            lab.path("kill-queue-manager"),
            lab.path("terminate-instance"),
        ] {
            collect(&part, &mut |path, bytes| {
                if bytes.windows(secret.len()).any(|w| w == secret.as_bytes()) {
                    found.push(path.to_owned());
                }
            });
        }
        assert_eq!(found, Vec::<PathBuf>::new(), "files with it");
        let lines = lab.processes();
        assert!(lines.len() > 2, "{lines:?}");
        assert!(lines.iter().all(|line| !line.contains(secret)), "arguments with it");
    }
    let mut repositories = Vec::new();
    collect(&lab.dir(), &mut |path, _| {
        if path.extension().is_some_and(|e| e == "p12") {
            repositories.push(path.to_owned());
        }
    });
    assert!(!repositories.is_empty(), "the engine has one");
    for path in repositories {
        use std::os::unix::fs::PermissionsExt;
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
    }
}

#[test]
fn what_cannot_be_read_or_used_fails_the_deployment_in_words_and_nothing_listens() {
    let site = Site::start();
    let lab = &site.lab;
    let good = site.certificate("1", "1", &site.password);
    let wrong = site.certificate("2", "1", "another");
    let mislabelled = {
        let mut stored: Value = serde_json::from_str(&good).unwrap();
        stored["label"] = "other".into();
        stored.to_string()
    };
    let nowhere = "arn:aws:secretsmanager:eu-west-1:000000000000:secret:gone-AbCdEf".to_owned();
    for (arn, words) in [
        (nowhere, "ResourceNotFoundException"),
        (site.store("text", "no JSON"), "store {"),
        (site.store("wrong", &wrong), "does not match its `pkcs12`"),
        (
            site.store("other", &mislabelled),
            "no certificate `other`, but `ibmwebspheremqqm1`",
        ),
    ] {
        site.configure(&arn);
        let (said, listened) = site.listened(|| lab.run(&["deploy", "--local"], 4).text());
        assert!(said.contains(words), "{words}: {said}");
        assert!(!listened && !said.contains(&site.password), "{said}");
        lab.run(&["destroy", "--local", "--yes"], 0);
    }
}

#[test]
fn without_leave_to_read_it_a_deployment_fails_and_nothing_listens() {
    let site = Site::start();
    let lab = &site.lab;
    let arn = site.store("mq-certificate", &site.certificate("1", "1", &site.password));
    site.configure(&arn);
    // A boundary that grants everything but that secret: a statement of the role that does not count.
    let boundary = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "*", "Resource": "*"},
        {"Effect": "Deny", "Action": "secretsmanager:GetSecretValue", "Resource": arn},
    ]});
    let params = [
        ("Action", "CreatePolicy"),
        ("PolicyName", "boundary"),
        ("PolicyDocument", &boundary.to_string()),
    ];
    let made = call(&lab.record(), "iam", "2010-05-08", &params);
    let policy = between(&made, "Arn");
    let boundary = format!("security.permissions_boundary={policy}");
    let (said, listened) = site.listened(|| lab.run(&["deploy", "--local", "--set", &boundary], 4).text());
    assert!(!listened, "without its certificate nothing listens");
    assert!(
        said.contains("AccessDenied") && said.contains("secretsmanager:GetSecretValue"),
        "{said}"
    );
    assert!(said.contains("the instance role must allow"), "{said}");
}

#[test]
fn a_new_version_of_the_secret_is_shown_by_the_next_instance() {
    let site = Site::start();
    let lab = &site.lab;
    let arn = site.store("mq-certificate", &site.certificate("4711", "1", &site.password));
    site.configure(&arn);
    let deployed = lab.json(&["deploy", "--local"], 0);
    let endpoint = deployed["outputs"]["AmqpEndpoint"].as_str().unwrap().to_owned();
    let serial = || {
        let (said, _) = s_client(&site, &endpoint, NAME, "ca.pem");
        let pem = &said[said.find("-----BEGIN CERTIFICATE")?..];
        std::fs::write(lab.path("seen.pem"), pem).unwrap();
        let mut openssl = Command::new("openssl");
        openssl.args(["x509", "-noout", "-serial", "-in", "seen.pem"]);
        let seen = support::said(openssl.current_dir(lab.home()));
        Some(seen.text().trim().to_owned())
    };
    assert_eq!(serial().as_deref(), Some("serial=1267"));
    let renewed = site.certificate("4712", "1", &site.password);
    site.secrets_manager("PutSecretValue", &json!({"SecretId": arn, "SecretString": renewed}));
    lab.run(&[&FAILOVER[..], &["--fault", "mark-unhealthy"]].concat(), 0);
    until("the new certificate", || serial().filter(|s| s == "serial=1268"));
}
