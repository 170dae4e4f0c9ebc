//! The agent's command line, as SSM and people run it. Data goes to standard output as JSON, errors to standard error.

mod decision;
mod fault;
mod fence;
pub(crate) mod fetch;
mod order;

pub(crate) use decision::DecisionFile;
pub use fault::Guard;
pub(crate) use order::OperatorOrder;

use super::doctor;
use super::duty::{self, Duties};
use super::faults;
use super::layout::Layout;
use super::marks::{Marks, unix_nanos};
use super::status::{self, StatusFile};
use crate::fence::Word;
use crate::model::QueueManagerName;
use crate::model::agent::{AgentConfig, AgentState, AgentStatus, STATUS_STALE_SECONDS};
use crate::remedy::chain;
use crate::signed::{Client, Object};
use mqaws_contract::InstanceFault;
use mqaws_contract::verb::Verb;
use mqaws_engine::{Engine, Product, Products, processes};
use serde::Serialize;
use std::ffi::OsString;
use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

/// The command lines.
fn usage() -> String {
    let faults = InstanceFault::ALL.map(|fault| match fault.lasts() {
        true => format!("{}:MILLISECONDS", fault.name()),
        false => fault.name().to_owned(),
    });
    let faults = faults.join(" | ");
    format!(
        "\
usage: mqaws-agent [run]
       mqaws-agent status --json
       mqaws-agent marks --since UNIX_NANOSECONDS
       mqaws-agent connections
       mqaws-agent fence [--json]
       mqaws-agent fence operator PREVIOUS_OWNER
       mqaws-agent fence copy ORIGINAL_FILE_SYSTEM
       mqaws-agent fence create EMPTY_FILE_SYSTEM
       mqaws-agent pause [--reason TEXT]
       mqaws-agent resume
       mqaws-agent failover [--unready]
       mqaws-agent fault {faults} | heal
       mqaws-agent probe define | depth | delete
       mqaws-agent doctor --image [--json]
       mqaws-agent fetch s3://BUCKET/KEY FILE [--sha256 HEX]
       mqaws-agent --version
example: mqaws-agent status --json"
    )
}

/// The agent's configuration on this host, whose topology has a duty.
///
/// # Errors
/// In words.
pub(crate) fn config(layout: &Layout, duties: Duties) -> Result<AgentConfig, String> {
    let path = layout.config();
    let text = fs::read(&path).map_err(|e| format!("cannot read {}: {e}", path.display()))?;
    let config: AgentConfig =
        serde_json::from_slice(&text).map_err(|e| format!("cannot read {}: {e}", path.display()))?;
    if config.schema != AgentConfig::SCHEMA {
        return Err(format!(
            "{}: the schema `{}` is not {}",
            path.display(),
            config.schema,
            AgentConfig::SCHEMA
        ));
    }
    QueueManagerName::new(config.queue_manager.as_str()).map_err(|e| format!("{}: {e}", path.display()))?;
    duty::find(duties, &config.topology).map_err(|e| format!("{}: topology: {e}", path.display()))?;
    Ok(config)
}

/// The agent's configuration on this host, and the engine that it names.
///
/// # Errors
/// In words.
pub fn product(
    layout: &Layout,
    engines: Products,
    duties: Duties,
) -> Result<(AgentConfig, &'static dyn Product), String> {
    let config = config(layout, duties)?;
    let refused = |error: &dyn std::fmt::Display| format!("{}: {error}", layout.config().display());
    let product = mqaws_engine::find(engines, &config.engine.kind).map_err(|error| refused(&error))?;
    match config.engine.kind.facts().and_then(|facts| config.ports.missing(facts)) {
        Some(missing) => Err(refused(&format!("missing field `{missing}`"))),
        None => Ok((config, product)),
    }
}

/// Where a command runs.
pub struct Place<'a> {
    /// Where things are on this host.
    pub layout: &'a Layout,
    /// Who may inject faults.
    pub guard: &'a Guard,
    /// The engines that it can run.
    pub engines: Products,
    /// What it can do, by topology.
    pub duties: Duties,
    /// This program, and the arguments that lead to the agent's verbs.
    pub own: &'a [OsString],
}

/// Runs one command. `client` makes calls to AWS, in the region of the environment or of the instance.
pub fn run(
    words: &[&str],
    place: &Place<'_>,
    engine: impl FnOnce(&'static dyn Product, &AgentConfig) -> Arc<dyn Engine>,
    client: impl FnOnce() -> Result<Client, String>,
) -> ExitCode {
    let Place { layout, engines, .. } = *place;
    let configured = || {
        let (config, product) = product(layout, engines, place.duties)?;
        let engine = engine(product, &config);
        Ok((config, engine))
    };
    let result = match words {
        ["doctor", "--image", options @ ..] if matches!(options, [] | ["--json"]) => {
            return examine(layout, !options.is_empty());
        }
        ["fetch", address, file, options @ ..] if matches!(options, [] | ["--sha256", _]) => {
            return match client() {
                Ok(client) => get(&client, address, file, options.get(1).copied()),
                Err(why) => {
                    eprintln!("error: {why}");
                    ExitCode::from(4)
                }
            };
        }
        // Shorter for people at a terminal.
        ["status"] => status_of(layout).and_then(|s| print(&s)),
        ["marks"] => marks(layout, "0"),
        ["fence"] => fence::inspect(layout, false),
        ["pause", "--reason", why] => order::pause(layout, Some(why)),
        // What a fault starts that lasts.
        ["heal-after", millis, until] => faults::heal_after(layout, millis, until),
        ["--version" | "-V"] => {
            println!("mqaws-agent {}", env!("CARGO_PKG_VERSION"));
            Ok(())
        }
        ["--help" | "-h" | "help"] => {
            println!("{}", usage());
            Ok(())
        }
        words if let Some((verb, argument)) = Verb::parse(words) => match verb {
            Verb::Status => status_of(layout).and_then(|s| print(&s)),
            Verb::Marks => marks(layout, argument),
            Verb::Fence => fence::inspect(layout, true),
            Verb::Operator => decision::decide(layout, &Word::Gone(argument.into())),
            Verb::Copy => decision::decide(layout, &Word::Copy(argument.to_owned())),
            Verb::Create => decision::decide(layout, &Word::Create(argument.to_owned())),
            Verb::Pause => order::pause(layout, None),
            Verb::Resume => order::resume(layout),
            Verb::Failover => order::fail_over(layout, false),
            Verb::FailoverUnready => order::fail_over(layout, true),
            Verb::Define => configured().and_then(|(_, engine)| print(&engine.probe_define()?)),
            Verb::Depth => configured().and_then(|(_, engine)| print(&engine.probe_depth()?)),
            Verb::Delete => configured().and_then(|(_, engine)| print(&engine.probe_delete()?)),
            Verb::Connections => configured().and_then(|(_, engine)| print(&engine.connections()?)),
            Verb::Fault => fault::obey(place, argument, configured),
        },
        words => match engines.iter().find_map(|engine| engine.own_command(words)) {
            Some(ran) => ran.map(|said| println!("{said}")),
            None => {
                eprintln!("{}", usage());
                return ExitCode::from(2);
            }
        },
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("error: {why}");
            ExitCode::from(4)
        }
    }
}

fn print(value: &impl Serialize) -> Result<(), String> {
    let text = serde_json::to_string(value).map_err(|e| e.to_string())?;
    writeln!(io::stdout(), "{text}").map_err(|e| format!("write: {e}"))
}

/// Exit 3 for an image that is not what it should be.
fn examine(layout: &Layout, json: bool) -> ExitCode {
    let report = doctor::examine(layout.root().as_path());
    let printed = match json {
        true => print(&report),
        false => write!(io::stdout(), "{report}").map_err(|e| format!("write: {e}")),
    };
    match printed {
        Ok(()) if report.findings.is_empty() => ExitCode::SUCCESS,
        Ok(()) => ExitCode::from(3),
        Err(why) => {
            eprintln!("error: {why}");
            ExitCode::from(4)
        }
    }
}

/// Exit 3 for what the caller named wrongly, 4 for what S3 or the disk refused.
fn get(client: &Client, address: &str, file: &str, sha256: Option<&str>) -> ExitCode {
    let Some(object) = Object::parse(address) else {
        eprintln!("error: invalid object address `{address}`\nhint: must have the form s3://BUCKET/KEY");
        return ExitCode::from(2);
    };
    match fetch::fetch(client, &object, Path::new(file), sha256) {
        Ok(fetched) => match print(&fetched) {
            Ok(()) => ExitCode::SUCCESS,
            Err(why) => {
                eprintln!("error: {why}");
                ExitCode::from(4)
            }
        },
        Err(error) => {
            eprintln!("error: {}", chain(&error));
            if let Some(hint) = error.hint() {
                eprintln!("hint: {hint}");
            }
            ExitCode::from(match error {
                fetch::FetchError::Checksum { .. } => 3,
                _ => 4,
            })
        }
    }
}

fn marks(layout: &Layout, since: &str) -> Result<(), String> {
    let since: i64 = since
        .parse()
        .map_err(|_| format!("invalid value `{since}`: must be a number of nanoseconds"))?;
    let marks = Marks::new(layout.marks());
    for mark in marks.since(since).map_err(|e| format!("cannot read the marks: {e}"))? {
        print(&mark)?;
    }
    Ok(())
}

/// The agent's own last status, unless the agent is gone or hangs: then that is the status.
fn status_of(layout: &Layout) -> Result<AgentStatus, String> {
    let path = layout.status();
    match status::read(&path) {
        Ok(file) => Ok(judged(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err("the agent has not written a status yet: check that mqaws-agent.service is started".to_owned())
        }
        Err(error) => Err(format!("cannot read {}: {error}", path.display())),
    }
}

fn judged(file: StatusFile) -> AgentStatus {
    let mut status = file.status;
    let seconds_since =
        |unix_ns: i64| u64::try_from(unix_nanos().saturating_sub(unix_ns) / 1_000_000_000).unwrap_or_default();
    status.measured_seconds = file.measured_unix_ns.map(seconds_since);
    let alive = !matches!(processes::state(file.pid), None | Some('Z'));
    if !alive && status.state != AgentState::Stopped {
        // What has become of the queue manager since, nobody here can tell: it may serve, and another host may.
        status.last_error = Some(format!("the agent is not running; its last state was {}", status.state));
        status.state = AgentState::Unknown;
    } else if alive {
        let age = seconds_since(file.written_unix_ns);
        status.age_seconds = Some(age);
        if age > STATUS_STALE_SECONDS {
            status.last_error = Some(format!("the agent has not renewed its status for {age} s"));
        }
    }
    status
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::duty::DUTIES;

    #[test]
    fn the_usage_tells_of_every_verb() {
        for word in Verb::ALL.iter().flat_map(|verb| verb.words()) {
            assert!(usage().contains(word), "{word}");
        }
    }

    #[test]
    fn a_status_tells_how_old_its_measurement_is() {
        let written = |measured: serde_json::Value| {
            let status = serde_json::json!({
                "schema": AgentStatus::SCHEMA, "agent_version": "1", "instance": "i-1", "zone": "z", "queue_manager": "QM1",
                "state": "serving", "since": "", "connections": 6,
            });
            let mut file =
                serde_json::json!({"pid": std::process::id(), "written_unix_ns": unix_nanos(), "status": status});
            if !measured.is_null() {
                file["measured_unix_ns"] = measured;
            }
            judged(serde_json::from_value(file).expect("a status file"))
        };
        let before = unix_nanos() - 70_500_000_000;
        assert_eq!(written(before.into()).measured_seconds, Some(70));
        // The file of an agent of an earlier version, which goes on while the command is new.
        assert_eq!(written(serde_json::Value::Null).measured_seconds, None);
    }

    #[test]
    fn an_agent_that_does_not_run_is_not_stopped_but_unknown() {
        let said = |state: &str| {
            let status = serde_json::json!({
                "schema": AgentStatus::SCHEMA, "agent_version": "1", "instance": "i-1", "zone": "z", "queue_manager": "QM1",
                "state": state, "since": "",
            });
            // Of a process that cannot be.
            let file = serde_json::json!({"pid": i32::MAX, "written_unix_ns": unix_nanos(), "status": status});
            let status = judged(serde_json::from_value(file).expect("a status file"));
            (status.state, status.last_error)
        };
        let (state, why) = said("serving");
        assert_eq!(state, AgentState::Unknown);
        assert!(why.is_some_and(|why| why.contains("not running") && why.contains("serving")));
        // It said so itself before it ended.
        assert_eq!(said("stopped"), (AgentState::Stopped, None));
    }

    #[test]
    fn an_engine_or_a_topology_that_this_version_does_not_know_is_refused_with_those_that_it_does() {
        let dir = tempfile::tempdir().expect("tempdir");
        let layout = Layout::new(dir.path());
        fs::create_dir_all(layout.config().parent().expect("a folder")).expect("folder");
        let known = mqaws_engine::PRODUCTS[0].kind().to_string();
        let first = DUTIES[0].topology;
        let configured = |topology: &str, kind: &str| {
            let text = serde_json::json!({
                "schema": AgentConfig::SCHEMA, "stack": "s", "region": "eu-west-1", "group": "G", "hook": "h",
                "queue_manager": "QM1", "topology": topology, "engine": {"kind": kind, "bin_dir": "/opt"},
                "storage": {"file_system": "fs-1", "mount": "/mnt/mqaws"}, "credentials": "arn", "mq_port": 1,
                "metrics_namespace": "mqaws/s",
            });
            fs::write(layout.config(), text.to_string()).expect("configuration");
            product(&layout, mqaws_engine::PRODUCTS, DUTIES).map(|(_, product)| product.kind())
        };
        assert_eq!(
            configured(first, &known).map(|kind| kind.to_string()),
            Ok(known.clone())
        );
        for kind in ["activemq", "toy", ""] {
            let why = configured(first, kind).expect_err(kind);
            assert!(
                why.contains(&format!("`{kind}`")) && why.contains(&format!("`{known}`")),
                "{why}"
            );
        }
        let why = configured("double", &known).expect_err("unknown");
        let text = fs::read_to_string(layout.config()).expect("configuration");
        fs::write(
            layout.config(),
            text.replace("double", first).replace("mq_port", "port"),
        )
        .expect("configuration");
        let less = product(&layout, mqaws_engine::PRODUCTS, DUTIES).expect_err("without its port");
        assert!(less.contains("missing field `mq_port`"), "{less}");
        assert!(why.contains("`double`") && why.contains(&format!("`{first}`")), "{why}");
    }

    #[test]
    fn a_configuration_whose_queue_manager_cannot_be_one_is_refused() {
        let dir = tempfile::tempdir().expect("tempdir");
        let layout = Layout::new(dir.path());
        fs::create_dir_all(layout.config().parent().expect("a folder")).expect("folder");
        for (name, fits) in [
            ("QM1", true),
            ("../../x", true),
            ("", false),
            ("-m", false),
            ("a b", false),
            ("a\nb", false),
        ] {
            let text = serde_json::json!({
                "schema": AgentConfig::SCHEMA, "stack": "s", "region": "eu-west-1", "group": "G", "hook": "h",
                "queue_manager": name, "topology": DUTIES[0].topology, "engine": {"kind": "ibm-mq", "bin_dir": "/opt/mqm/bin"},
                "storage": {"file_system": "fs-1", "mount": "/mnt/mqaws"}, "credentials": "arn", "mq_port": 1414,
                "metrics_namespace": "mqaws/s",
            });
            fs::write(layout.config(), text.to_string()).expect("configuration");
            let read = config(&layout, DUTIES);
            assert_eq!(read.is_ok(), fits, "{name:?}: {:?}", read.err());
        }
    }
}
