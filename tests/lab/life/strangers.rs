//! What another user of the machine gets of a lab: nothing.

use super::{address_of, launch};
use crate::support::judge::{HOSTS, skip};
use crate::support::{Lab, listening, said, until};
use mqaws_lab::instance::METADATA_PORT;
use std::net::Ipv4Addr;
use std::process::{Command, Stdio};

/// An account that owns nothing.
const NOBODY: u32 = 65_534;

/// Sends a text to a port, as root or as nobody, and returns what comes back until the other end is silent or gone.
fn send(user: u32, address: Ipv4Addr, port: u16, text: &str) -> String {
    let script = r#"exec 3<>"/dev/tcp/$1/$2" && printf '%s' "$3" >&3 && timeout 3 cat <&3"#;
    let mut command = Command::new("setpriv");
    command
        .args([&format!("--reuid={user}"), &format!("--regid={user}"), "--clear-groups"])
        .args([
            "bash",
            "-c",
            script,
            "bash",
            &address.to_string(),
            &port.to_string(),
            text,
        ])
        .current_dir("/")
        .stdin(Stdio::null());
    said(&mut command).out
}

fn request(method: &str, path: &str, headers: &str) -> String {
    format!("{method} {path} HTTP/1.1\r\nHost: lab\r\nConnection: close\r\nContent-Length: 0\r\n{headers}\r\n")
}

/// The port of the lab's own address that is not its API: where locks are leased.
fn lease_port(lab: &Lab, own: Ipv4Addr, api: u16) -> u16 {
    let here = format!("tcp {:08X}:", u32::from_ne_bytes(own.octets()));
    let sockets = listening(lab.record().pid);
    let ports = sockets.iter().filter_map(|socket| socket.strip_prefix(&here));
    let mut ports = ports.map(|port| u16::from_str_radix(port, 16).expect("a port"));
    ports.find(|port| *port != api).expect("a lease server")
}

#[test]
fn another_user_gets_no_metadata_no_keys_no_lock_and_no_unsigned_answer() {
    if !rustix::process::geteuid().is_root() {
        return skip(HOSTS, "another user", "only root can become another user");
    }
    let lab = Lab::up(&[]);
    let record = lab.record();
    let instance = launch(&record);
    let host: Ipv4Addr = address_of(&record, &instance).parse().expect("an address");
    let root = rustix::process::geteuid().as_raw();

    let ttl = "X-aws-ec2-metadata-token-ttl-seconds: 60\r\n";
    let token = request("PUT", "/latest/api/token", ttl);
    let got = send(root, host, METADATA_PORT, &token);
    let (_, value) = got.rsplit_once("\r\n\r\n").expect("a token");
    assert_eq!(send(NOBODY, host, METADATA_PORT, &token), "");
    // Not even with a token that the instance got.
    let with = format!("X-aws-ec2-metadata-token: {}\r\n", value.trim());
    let keys = request("GET", "/latest/meta-data/iam/security-credentials/r", &with);
    assert!(send(root, host, METADATA_PORT, &keys).contains("SecretAccessKey"));
    assert_eq!(send(NOBODY, host, METADATA_PORT, &keys), "");

    let url = url::Url::parse(&record.endpoint).expect("a URL");
    let own: Ipv4Addr = url.host_str().and_then(|h| h.parse().ok()).expect("an address");
    let api = url.port().expect("a port");
    let leases = lease_port(&lab, own, api);
    let lock = "{\"op\":\"lock\",\"file_system\":\"fs-1\",\"path\":\"p\",\"instance\":\"i-1\",\"owner\":\"o\"}\n";
    assert_eq!(send(NOBODY, own, leases, lock), "");
    assert!(send(root, own, leases, lock).contains("lease_ms"));

    for path in ["health", "timing", "instances"] {
        let asked = request("GET", &format!("/_mqaws/{path}"), "");
        let answer = send(root, own, api, &asked);
        assert!(answer.starts_with("HTTP/1.1 200"), "{path}: {answer}");
        let answer = send(NOBODY, own, api, &asked);
        assert!(answer.starts_with("HTTP/1.1 403"), "{path}: {answer}");
    }
}

/// Requests that never end, more than another user is let have open: the lab's user does not notice.
#[test]
fn half_open_requests_of_another_user_stop_nobody() {
    if !rustix::process::geteuid().is_root() {
        return skip(HOSTS, "another user", "only root can become another user");
    }
    let lab = Lab::up(&[]);
    let url = url::Url::parse(&lab.record().endpoint).expect("a URL");
    let script = r#"ulimit -n 2048; for ((n = 10; n < 1310; n++)); do eval "exec $n<>/dev/tcp/$1/$2" && printf 'POST ' >&"$n"; done 2>/dev/null; echo full; sleep 60"#;
    let mut command = Command::new("setpriv");
    command
        .args([
            &format!("--reuid={NOBODY}"),
            &format!("--regid={NOBODY}"),
            "--clear-groups",
        ])
        .args(["bash", "-c", script, "bash"])
        .args([
            url.host_str().expect("a host"),
            &url.port().expect("a port").to_string(),
        ])
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    let mut flood = command.spawn().expect("setpriv");
    let mut first = String::new();
    let out = flood.stdout.take().expect("its output");
    std::io::BufRead::read_line(&mut std::io::BufReader::new(out), &mut first).expect("a word");
    let files = format!("/proc/{}/fd", lab.record().pid);
    // It lets go of them as it finds out whose they are.
    until("few of them are held", || {
        (std::fs::read_dir(&files).expect("its files").count() < 300).then_some(())
    });
    let status = lab.json(&["lab", "status"], 0);
    flood.kill().expect("ended");
    flood.wait().expect("ended");
    assert_eq!(first, "full\n");
    assert_eq!(status["schema"], "mqaws.lab-status/1");
}
