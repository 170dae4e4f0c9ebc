//! A broker that hangs: its port accepts connections for ever, so the load balancer asks the agent, which asks the broker.

use super::{EXAMPLE, is_here};
use crate::support::{Lab, between, call, root, until};
use mqaws_contract::engine::{CHECK_PATH, CHECK_PORT};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;

/// What the load balancer says of the targets of a port, and where it checks them.
struct Targets {
    group: String,
}

impl Targets {
    fn of(lab: &Lab, port: u16) -> (Self, String) {
        let groups = call(
            &lab.record(),
            "elasticloadbalancing",
            "2015-12-01",
            &[("Action", "DescribeTargetGroups")],
        );
        let traffic = format!("<Port>{port}</Port>");
        let found = groups
            .split("<TargetGroupArn>")
            .find(|one| one.contains(&traffic))
            .unwrap_or_else(|| panic!("no group of port {port}: {groups}"));
        let found = format!("<TargetGroupArn>{found}");
        let group = between(&found, "TargetGroupArn");
        (Self { group }, found)
    }

    fn state(&self, lab: &Lab) -> String {
        let asked = [
            ("Action", "DescribeTargetHealth"),
            ("TargetGroupArn", self.group.as_str()),
        ];
        let said = call(&lab.record(), "elasticloadbalancing", "2015-12-01", &asked);
        between(&said, "State")
    }

    fn until(&self, lab: &Lab, state: &str) {
        until(&format!("the target is {state}"), || {
            (self.state(lab) == state).then_some(())
        });
    }
}

fn status_of(host: &Path) -> Value {
    let text = fs::read(host.join("run/mqaws/status.json")).unwrap_or_default();
    serde_json::from_slice::<Value>(&text).unwrap_or_default()["status"].clone()
}

/// The process of Erlang's machine that is the node.
fn node(lab: &Lab) -> Pid {
    let mark = "beam.smp";
    let each = fs::read_dir("/proc").unwrap().flatten();
    let own = lab.dir().display().to_string();
    let mut pids = each.filter_map(|entry| {
        let pid: i32 = entry.file_name().to_str()?.parse().ok()?;
        let line = fs::read_to_string(entry.path().join("cmdline")).ok()?;
        let name = line.split('\0').next()?.rsplit('/').next()?;
        let environment = fs::read(entry.path().join("environ")).ok()?;
        let of_the_lab = String::from_utf8_lossy(&environment).contains(&own);
        (name == mark && of_the_lab).then_some(pid)
    });
    Pid::from_raw(pids.next().expect("a node")).unwrap()
}

#[test]
fn a_broker_that_hangs_is_unhealthy_by_the_agents_word_and_is_killed_and_started_again() {
    if !is_here("a broker that hangs") {
        return;
    }
    let lab = Lab::up(&[]);
    let config = root().join(EXAMPLE).display().to_string();
    lab.run(&["deploy", "--local", "--yes", "--config", &config], 0);
    let status = lab.json(&["status", "--local", "--config", &config], 0);
    let host = lab.instance(status["writer"]["instance"].as_str().unwrap());
    let (amqp, described) = Targets::of(&lab, 5672);
    for (part, expected) in [
        ("HealthCheckProtocol", "HTTP".to_owned()),
        ("HealthCheckPort", CHECK_PORT.to_string()),
        ("HealthCheckPath", CHECK_PATH.to_owned()),
    ] {
        assert_eq!(between(&described, part), expected, "{described}");
    }
    amqp.until(&lab, "healthy");
    let (management, _) = Targets::of(&lab, 15672);
    management.until(&lab, "healthy");
    assert_eq!(status_of(&host)["restarts"], 0);

    let first = node(&lab);
    kill_process(first, Signal::STOP).unwrap();
    // The kernel accepts for it, which is all that a check of the connection sees.
    let broker = fs::read_to_string(host.join("var/lib/mqaws/rabbitmq/rabbitmq.conf")).unwrap();
    let bound = broker
        .lines()
        .find_map(|line| line.strip_prefix("listeners.tcp.1 = "))
        .unwrap();
    let bound: SocketAddr = bound.parse().unwrap();
    TcpStream::connect_timeout(&bound, Duration::from_secs(10)).expect("accepted");
    amqp.until(&lab, "unhealthy");
    until("it is killed and started again", || {
        let said = status_of(&host);
        (said["restarts"] == 1 && said["state"] == "serving").then_some(())
    });
    assert_ne!(node(&lab), first);
    amqp.until(&lab, "healthy");
    lab.end();
}
