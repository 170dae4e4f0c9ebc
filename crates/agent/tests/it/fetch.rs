//! `mqaws-agent fetch` against moto's S3, which checks signatures and permissions as S3 does, with the credentials of a role
//! that a double of the metadata service hands out.
//!
//! moto comes from the Python environment `MQAWS_TEST_VENV`, which `scripts/test` makes; without it the test says that it was
//! skipped, or fails under `MQAWS_REQUIRE_TOOLS=1`.

use crate::judge::{script, venv};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

const REGION: &str = "eu-west-1";
const BUCKET: &str = "packages";
/// Whatever a signature could get wrong in a path.
const KEY: &str = "a folder/IBM+MQ (9.4) ü~.tar.gz";
/// Three parts, the last of which is short.
const LENGTH: usize = (4 << 20) + 4321;
const PATIENCE: Duration = Duration::from_secs(120);

struct Moto(Child);

impl Drop for Moto {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn clean(program: impl AsRef<std::ffi::OsStr>, home: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .env_clear()
        .env("HOME", home)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdin(Stdio::null());
    command
}

fn moto(venv: &Path, home: &Path) -> (Moto, String) {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut command = clean(venv.join("bin/moto_server"), home);
    command.args(["-H", "127.0.0.1", "-p", &port.to_string()]);
    let moto = Moto(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    let deadline = Instant::now() + PATIENCE;
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(Instant::now() < deadline, "moto does not listen");
        std::thread::sleep(Duration::from_millis(50));
    }
    (moto, format!("http://127.0.0.1:{port}"))
}

/// A double of the metadata service, version 2, for the life of the test.
fn metadata(credentials: Value) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let document = serde_json::json!({
        "Code": "Success", "AccessKeyId": credentials["AccessKeyId"], "SecretAccessKey": credentials["SecretAccessKey"],
        "Token": credentials["SessionToken"], "Expiration": credentials["Expiration"],
    });
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut lines = BufReader::new(&stream).lines().map_while(Result::ok);
            let request = lines.next().unwrap_or_default();
            let token = lines
                .take_while(|line| !line.is_empty())
                .any(|line| line.ends_with("a-token"));
            let answer = match request.rsplit_once(' ').map_or("", |(line, _)| line) {
                "PUT /latest/api/token" => "a-token".to_owned(),
                "GET /latest/meta-data/iam/security-credentials/" if token => "build".to_owned(),
                "GET /latest/meta-data/iam/security-credentials/build" if token => document.to_string(),
                "GET /latest/meta-data/placement/region" if token => REGION.to_owned(),
                _ => String::new(),
            };
            let status = if answer.is_empty() { "404 Not Found" } else { "200 OK" };
            let head = format!(
                "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                answer.len()
            );
            let _ = (&stream).write_all((head + &answer).as_bytes());
        }
    });
    address
}

struct Host {
    dir: tempfile::TempDir,
    s3: String,
    metadata: String,
}

impl Host {
    fn fetch(&self, address: &str, more: &[&str]) -> Output {
        let mut agent = clean(env!("CARGO_BIN_EXE_mqaws-agent"), self.dir.path());
        agent
            .env("AWS_ENDPOINT_URL_S3", &self.s3)
            .env("AWS_ENDPOINT_URL", "http://127.0.0.1:9");
        agent.env("AWS_EC2_METADATA_SERVICE_ENDPOINT", &self.metadata);
        agent
            .arg("fetch")
            .arg(address)
            .arg(self.file())
            .args(more)
            .output()
            .unwrap()
    }

    fn file(&self) -> PathBuf {
        self.dir.path().join("package")
    }

    fn refused(&self, address: &str, more: &[&str], code: i32, said: &[&str]) {
        let done = self.fetch(address, more);
        let text = String::from_utf8_lossy(&done.stderr);
        assert_eq!(done.status.code(), Some(code), "{address}: {text}");
        for part in said {
            assert!(text.contains(part), "{part}: {text}");
        }
        let left: Vec<_> = fs::read_dir(self.dir.path())
            .unwrap()
            .map(|e| e.unwrap().file_name())
            .collect();
        assert!(
            !left.iter().any(|name| name.to_string_lossy().starts_with("package")),
            "{left:?}"
        );
    }
}

#[test]
fn an_object_is_fetched_whole_with_the_instances_role_or_not_at_all() {
    let Some(venv) = venv("fetch") else { return };
    let dir = tempfile::tempdir().unwrap();
    let (_moto, s3) = moto(&venv, dir.path());
    let mut seed = clean(venv.join("bin/python"), dir.path());
    seed.arg(script("seed_objects.py"));
    let seeded = seed
        .args([&s3, REGION, BUCKET, KEY, &LENGTH.to_string()])
        .output()
        .unwrap();
    assert!(seeded.status.success(), "{}", String::from_utf8_lossy(&seeded.stderr));
    let credentials: Value = serde_json::from_slice(&seeded.stdout).unwrap();
    let host = Host {
        dir,
        s3,
        metadata: metadata(credentials.clone()),
    };

    let bytes: Vec<u8> = (0..LENGTH).map(|n| u8::try_from(n * n % 251).unwrap()).collect();
    let sha256 = hex::encode(Sha256::digest(&bytes));
    let address = format!("s3://{BUCKET}/{KEY}");
    let nothing = "0".repeat(64);
    host.refused(
        &address,
        &["--sha256", &nothing],
        3,
        &[&sha256, &nothing, "hint: the download was discarded"],
    );
    host.refused(&format!("s3://{BUCKET}/absent"), &[], 4, &["NoSuchKey"]);
    host.refused(&format!("s3://{BUCKET}/empty"), &[], 4, &["hint: the object is empty"]);
    host.refused(
        &format!("s3://others/{KEY}"),
        &[],
        4,
        &["AccessDenied", "hint: the instance role must allow s3:GetObject"],
    );
    host.refused("https://packages/key", &[], 2, &["s3://BUCKET/KEY"]);

    // That moto judges the signature is part of the proof.
    let mut forged = credentials;
    forged["SecretAccessKey"] = "x".repeat(40).into();
    let forger = Host {
        dir: tempfile::tempdir().unwrap(),
        s3: host.s3.clone(),
        metadata: metadata(forged),
    };
    forger.refused(&address, &[], 4, &["SignatureDoesNotMatch"]);

    let done = host.fetch(&address, &["--sha256", &sha256.to_uppercase()]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    assert!(
        fs::read(host.file()).unwrap() == bytes,
        "what was fetched is what was put"
    );
    let told: Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!(
        (told["bytes"].as_u64(), told["sha256"].as_str()),
        (Some(LENGTH as u64), Some(sha256.as_str()))
    );
}
