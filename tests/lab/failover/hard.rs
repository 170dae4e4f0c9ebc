//! Faults that break hard: each is injected, seen, and healed, and service comes back as the topology says.

use super::files;
use crate::support::judge::{HOSTS, skip};
use crate::support::{Lab, STACK, own_call, request, runs, until, wait};
use mqaws::failover::port::TestBed;
use mqaws::observe::Readings;
use rustix::process::Signal;
use serde_json::{Value, json};

/// Short load around each fault: a few seconds a fault.
const SHORT: [&str; 6] = ["--baseline", "1s", "--settle", "1s", "--recovery-timeout", "90s"];

fn tested(lab: &Lab, faults: &[&str], code: i32) -> Value {
    let named = faults.iter().flat_map(|fault| ["--fault", fault]);
    let args: Vec<&str> = named.chain(SHORT).collect();
    lab.failover(&args, code)
}

/// Every round saw its fault and lost nothing, every fault was answered as the topology says, and nobody wrote beside another.
fn stood(lab: &Lab, report: &Value) {
    for run in runs(report) {
        let fault = &run["fault"];
        assert_eq!(
            (&fault["verified"], &run["ledger"]["lost"]),
            (&json!(true), &json!(0)),
            "{fault}"
        );
    }
    let summary = report["summary"]["faults"].as_array().unwrap();
    for row in summary {
        assert_eq!(row["measured"], json!([row["expected"]]), "{}", row["fault"]);
    }
    let data = files(&lab.dir().join("fs"), "qm.ini");
    let audit = mqaws_standin::audit(data[0].parent().unwrap()).unwrap();
    assert!(!audit.interleaved, "two writers: {audit:?}");
}

#[test]
fn a_process_or_the_storage_that_fails_for_a_while_is_stood_in_place() {
    let lab = Lab::deployed(&[]);
    let faults = [
        "kill-agent",
        "stall-storage",
        "reset-connections",
        "idle-timeout",
        "kill-keeper",
        "cut-storage",
        "hang-host",
    ];
    let report = tested(&lab, &faults, 0);
    stood(&lab, &report);
    let ways: Vec<&Value> = report["summary"]["faults"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| &row["expected"]["by"])
        .collect();
    assert_eq!(
        json!(ways),
        json!([
            "unnoticed",
            "unnoticed",
            "reconnect",
            "reconnect",
            "in place",
            "in place",
            "in place"
        ])
    );
}

#[test]
fn a_host_that_loses_its_power_is_replaced_on_the_word_of_ec2_also_when_the_api_is_down() {
    let lab = Lab::deployed(&[]);
    let report = tested(&lab, &["power-off-host", "api-down"], 0);
    stood(&lab, &report);
    for run in runs(&report) {
        assert_eq!(
            run["served_after"]["proof"], "terminated",
            "nothing was released: {}",
            run["fault"]
        );
    }
    let down = &runs(&report)[1]["fault"]["evidence"];
    assert!(
        down.as_str().unwrap().contains("API calls of instances refused"),
        "{down}"
    );
}

#[test]
fn a_host_that_is_cut_off_comes_back_and_is_alone() {
    let lab = Lab::new();
    let said = lab.spawn(&["lab", "up", "--hosts", "namespace"]).wait();
    if said.code != Some(0) {
        let why = said.err.lines().next().unwrap_or_default();
        return skip(HOSTS, "namespaces: cuts", why);
    }
    lab.run(&["deploy", "--local", "--yes", "--config", &Lab::example()], 0);
    let report = tested(&lab, &["cut-one-way", "cut-host", "cut-zone"], 0);
    stood(&lab, &report);
}

/// What a killed test leaves frozen is healed at once by the command, and nothing of it remains.
#[test]
fn heal_thaws_what_a_killed_test_left_frozen() {
    let lab = Lab::deployed(&[]);
    let test = lab.spawn(&["failover-test", "--local", "--fault", "hang-host", "--baseline", "1s"]);
    let frozen = until("the host hangs", || files(&lab.dir().join("i"), "fault.json").pop());
    let text = std::fs::read_to_string(&frozen).unwrap();
    let lasting: Value = serde_json::from_str(&text).unwrap();
    let pids: Vec<i64> = lasting["stopped"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_i64)
        .collect();
    assert!(pids.len() >= 3, "agent, keeper, and queue manager: {text}");
    test.signal(Signal::KILL);
    test.wait();
    let healed = lab.run(&["failover-test", "heal", "--local"], 0);
    assert!(healed.out.contains("healed") && !frozen.exists(), "{healed}");
    let stopped = |pid: &i64| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.rsplit(')')
            .next()
            .is_some_and(|rest| rest.trim_start().starts_with('T'))
    };
    assert!(!pids.iter().any(stopped), "{pids:?}");
}

/// A move that is cut short while the group wants no instance leaves it so; the command that cleans up gives the capacity back.
#[test]
fn heal_gives_back_the_capacity_that_a_killed_move_took() {
    let lab = Lab::deployed(&[]);
    let (record, clients) = (lab.record(), lab.clients());
    let target = wait(clients.target(STACK)).expect("a stack");
    let group = target.parts.members[0].group.clone();
    let status = lab.json(&["status", "--local"], 0);
    let instance = lab.instance(status["writer"]["instance"].as_str().expect("a writer"));
    let mut test = lab.spawn(&["failover-test", "--local", "--fault", "move", "--baseline", "3s"]);
    test.until_out("load");
    // The move waits for the instance to leave, and cannot see that it has.
    let blind = json!({"service": "autoscaling", "action": "DescribeAutoScalingGroups", "error": "InternalError"});
    own_call(&record, "inject", &blind).expect("blind");
    until("the instance leaves", || {
        let text = std::fs::read(instance.join("run/mqaws/status.json")).unwrap_or_default();
        let file: Value = serde_json::from_slice(&text).unwrap_or_default();
        (file["status"]["state"] != "serving").then_some(())
    });
    test.signal(Signal::KILL);
    test.wait();
    request(&record, "mqaws", ("DELETE", "/_mqaws/inject"), &[], String::new()).expect("sees again");
    let wanted = || wait(clients.group(&group)).expect("read").expect("a group").desired;
    assert_eq!(wanted(), 0, "nobody gave it back");

    // Nothing is moved, and nothing tested, before that is cleaned up.
    for verb in [&["failover", "--local", "--yes"][..], &["failover-test", "--local"]] {
        let refused = lab.run(verb, 3);
        assert!(refused.err.contains("failover-test heal"), "{refused}");
    }
    let healed = lab.run(&["failover-test", "heal", "--local"], 0);
    assert!(healed.out.contains("healed"), "{healed}");
    assert_eq!(wanted(), 1);
    let status = lab.json(&["status", "--local", "--wait", "serving", "--timeout", "60s"], 0);
    assert_eq!(status["writer"]["proof"]["kind"], "clean", "{status}");
}

/// With one instance a move is a launch: the group is taken to none and back to one.
#[test]
fn a_planned_move_of_a_single_instance_is_an_orderly_replacement() {
    let lab = Lab::deployed(&[]);
    let report = tested(&lab, &["move"], 0);
    stood(&lab, &report);
    assert_eq!(runs(&report)[0]["served_after"]["proof"], "clean", "{report}");
    let refused = lab.run(&["failover", "--local"], 2);
    assert!(refused.err.contains("requires confirmation"), "{refused}");
    assert!(refused.err.contains("an outage for the launch"), "{refused}");
    let done = lab.json(&["failover", "--local", "--yes", "--timeout", "120s"], 0);
    assert_eq!(
        (&done["moved"], &done["proof"]),
        (&json!(true), &json!("clean")),
        "{done}"
    );
    assert_ne!(done["from"], done["to"]);
    let document = done.as_object().unwrap();
    let mut fields: Vec<&str> = document.keys().map(String::as_str).collect();
    fields.sort_unstable();
    assert_eq!(
        fields,
        [
            "epoch",
            "from",
            "local",
            "moved",
            "proof",
            "queue_manager",
            "region",
            "schema",
            "seconds",
            "stack",
            "to"
        ]
    );
    assert_eq!(done["schema"], "mqaws.move/1");
    assert!(
        done["seconds"].as_f64() > Some(0.0) && done["epoch"].as_u64() > Some(1),
        "{done}"
    );
    let status = lab.json(&["status", "--local", "--wait", "serving", "--timeout", "60s"], 0);
    assert_eq!(status["writer"]["instance"], done["to"]);
    assert_eq!(status["blockers"], json!([]), "the group wants its instance again");
}

/// Who asks first is told what would be called, and what this place cannot have.
#[test]
fn a_dry_run_calls_nothing_and_a_place_says_what_it_cannot() {
    let lab = Lab::deployed(&[]);
    let plan = lab.json(&["failover-test", "--local", "--faults", "all", "--dry-run"], 0);
    let faults = plan["faults"].as_array().unwrap();
    let of = |name: &str| faults.iter().find(|one| one["fault"] == name).unwrap();
    let call = of("hang-host")["calls"][0].as_str().unwrap();
    assert!(
        call.contains("ssm:SendCommand") && call.contains("mqaws-agent fault hang-host:6000"),
        "{call}"
    );
    assert!(
        of("power-off-host")["calls"][0]
            .as_str()
            .unwrap()
            .contains("SkipOsShutdown")
    );
    let not_run: Vec<&str> = plan["not_run"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|one| one["fault"].as_str())
        .collect();
    assert_eq!(not_run, ["cut-one-way", "cut-host", "cut-zone", "fill-storage"]);
    let data = files(&lab.dir().join("fs"), "qm.ini");
    assert_eq!(
        mqaws_standin::audit(data[0].parent().unwrap()).unwrap().runs.len(),
        1,
        "nothing was broken"
    );

    // What it cannot have here, it says how to have in a local cloud beside this one.
    let said = lab.run(&["failover-test", "--local", "--faults", "all", "--dry-run"], 0);
    for command in [
        "mqaws deploy --local --hosts namespace",
        "mqaws failover-test --local --fault cut-one-way --fault cut-host --fault cut-zone",
    ] {
        assert!(said.out.contains(command), "{said}");
    }

    let refused = lab.run(&["failover-test", "--local", "--fault", "cut-host"], 3);
    assert!(
        refused
            .err
            .contains("cut-host is not possible here: needs --hosts namespace"),
        "{refused}"
    );
    assert!(
        refused.err.contains("start a local cloud whose hosts have a network"),
        "{refused}"
    );
}
