//! What is known of IBM MQ before there is a host or a queue manager.

use super::places::DataDirs;
use super::service::Service;
use super::{data_path, tune};
use crate::Command;
use crate::image::ImageParts;
use crate::product::{LeaseRule, ProcessKind, Product};
use crate::service::{DataState, Engine, Host};
use mqaws_contract::EngineKind;
use mqaws_contract::agent::AgentConfig;
use mqaws_contract::engine::{self, Order};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The user that the package makes, as which its commands run.
const USER: &str = "mqm";
/// Commands that write to a queue manager's data. Others, `endmqm` and `runmqsc` among them, end by themselves.
const WRITERS: [&str; 4] = ["crtmqm", "strmqm", "dltmqm", tune::VERB];
/// Processes of a running queue manager whose names do not begin with `amq`.
const COMPANIONS: [&str; 2] = ["runmqlsr", "runmqchi"];
/// The execution controller.
const CONTROLLER: &str = "amqzxma0";

/// IBM MQ, or the lab's stand-in for it.
#[derive(Debug, Clone, Copy)]
pub struct IbmMq;

/// What an image of IBM MQ holds.
pub const IMAGE: ImageParts = ImageParts {
    kind: EngineKind::of(&engine::IBM_MQ),
    name: engine::IBM_MQ.name,
    user: USER,
    commands: &[
        "/opt/mqm/bin/crtmqm",
        "/opt/mqm/bin/strmqm",
        "/opt/mqm/bin/endmqm",
        "/opt/mqm/bin/dspmq",
        "/opt/mqm/bin/dltmqm",
        "/opt/mqm/bin/runmqsc",
        "/opt/mqm/bin/dspmqinf",
        "/opt/mqm/bin/addmqinf",
        "/opt/mqm/bin/dspmqver",
        "/opt/mqm/bin/crtmqdir",
        "/opt/mqm/bin/setmqprd",
    ],
    licence: true,
    programs: &[(
        "openssl",
        "which the agent needs to check certificates",
        "install openssl",
    )],
    settings: &["tmpfiles.d/mqaws.conf"],
    units: &[],
    secrets: &[],
    leftovers: &["mq_license_"],
};

impl Product for IbmMq {
    fn kind(&self) -> EngineKind {
        EngineKind::of(&engine::IBM_MQ)
    }

    fn user(&self) -> &'static str {
        USER
    }

    fn identify<'a>(&self, args: &[&'a str], queue_manager: &str) -> Option<ProcessKind<'a>> {
        let name = |arg: &'a str| arg.rsplit('/').next().unwrap_or(arg);
        let mine = |n: &str| n.starts_with("amq") || COMPANIONS.contains(&n) || WRITERS.contains(&n);
        // Agents of the queue manager are started with `-mQM1` in one word, others with `-m QM1` in two.
        let names = |a: &str| a == queue_manager || a.strip_prefix("-m") == Some(queue_manager);
        // A queue manager may itself be named as a command is, or end in its name.
        let named_beside = |at: usize| (1..args.len()).any(|other| other != at && names(args[other]));
        // The lab's stand-in runs from one executable: its own name may be the second or third word.
        let first = args.iter().take(3).enumerate().map(|(at, arg)| (at, name(arg)));
        if let Some((_, name)) = first.into_iter().find(|(at, name)| mine(name) && named_beside(*at)) {
            let controller = name == CONTROLLER;
            return Some(ProcessKind { name, controller });
        }
        let java = args.iter().any(|a| a.contains("com.ibm.mq.MQXR"));
        (java && named_beside(0)).then_some(ProcessKind {
            name: "amqp-service",
            controller: false,
        })
    }

    fn writes(&self, command: &Command) -> bool {
        WRITERS.contains(&command.name().as_str()) || tune::is_tuning(command)
    }

    fn directories(&self, mount: &Path, queue_manager: &str) -> Vec<PathBuf> {
        let dirs = DataDirs::new(mount, queue_manager);
        vec![dirs.data, dirs.log]
    }

    /// A queue manager's directory without its `qm.ini` is what a creation leaves that was cut off.
    fn data(&self, mount: &Path, queue_manager: &str) -> io::Result<DataState> {
        let own = data_path(&DataDirs::new(mount, queue_manager).data, queue_manager);
        Ok(match (own.try_exists()?, own.join("qm.ini").try_exists()?) {
            (false, _) => DataState::Absent,
            (true, true) => DataState::Present,
            (true, false) => DataState::HalfCreated,
        })
    }

    fn order(&self) -> Order {
        engine::IBM_MQ.order
    }

    fn lease(&self) -> LeaseRule {
        LeaseRule::Allow
    }

    /// The one that it looks for by itself.
    fn certificate_label(&self, queue_manager: &str) -> String {
        format!("ibmwebspheremq{}", queue_manager.to_lowercase())
    }

    fn own_command(&self, words: &[&str]) -> Option<Result<String, String>> {
        let [tune::VERB, _, path] = words else { return None };
        let tuned = tune::tune(Path::new(path));
        Some(tuned.map(|changed| if changed { "changed" } else { "unchanged" }.to_owned()))
    }

    fn engine(&self, config: &AgentConfig, host: Host) -> Arc<dyn Engine> {
        Arc::new(Service::new(config, host))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identify<'a>(args: &[&'a str], queue_manager: &str) -> Option<(&'a str, bool)> {
        IbmMq
            .identify(args, queue_manager)
            .map(|role| (role.name, role.controller))
    }

    #[test]
    fn processes_by_their_command_lines() {
        let cases: [(&[&str], Option<(&str, bool)>); 15] = [
            (
                &["/opt/mqm/bin/amqzxma0", "-m", "QM1", "-u", "mqm"],
                Some(("amqzxma0", true)),
            ),
            (&["amqzmuc0", "-m", "QM1"], Some(("amqzmuc0", false))),
            (
                &["/usr/bin/mqaws", "__qmgr", "amqzxma0", "-m", "QM1"],
                Some(("amqzxma0", true)),
            ),
            (&["/opt/mqm/bin/runmqlsr", "-r", "-m", "QM1"], Some(("runmqlsr", false))),
            (&["/opt/mqm/bin/strmqm", "QM1"], Some(("strmqm", false))),
            (
                &[
                    "/usr/bin/mqaws",
                    "__agent",
                    "__tune",
                    "QM1",
                    "/mnt/mqaws/QM1/data/QM1/qm.ini",
                ],
                Some(("__tune", false)),
            ),
            (
                &[
                    "/usr/bin/java",
                    "-cp",
                    "x",
                    "com.ibm.mq.MQXRService.RunMQXRService",
                    "-m",
                    "QM1",
                ],
                Some(("amqp-service", false)),
            ),
            (&["/opt/mqm/bin/runmqsc", "QM1"], None),
            (&["/opt/mqm/bin/endmqm", "-i", "QM1"], None),
            (&["amqzxma0", "-m", "QM10"], None),
            // As a published listing of a running IBM MQ shows them.
            (&["/opt/mqm/bin/amqzlaa0", "-mQM1", "-fip0"], Some(("amqzlaa0", false))),
            (&["/opt/mqm/bin/amqfqpub", "-mQM1"], Some(("amqfqpub", false))),
            (&["/opt/mqm/bin/amqzlaa0", "-mQM10", "-fip0"], None),
            (&["vi", "amqzxma0.txt"], None),
            (&[""], None),
        ];
        for (args, expected) in cases {
            assert_eq!(identify(args, "QM1"), expected, "{args:?}");
        }
    }

    #[test]
    fn a_queue_managers_name_is_no_name_of_a_process() {
        for name in ["strmqm", "amqzxma0", "x/amqzxma0", "/strmqm", "crtmqm/__tune"] {
            assert_eq!(identify(&["/opt/mqm/bin/runmqsc", name], name), None, "{name}");
            assert_eq!(identify(&["/usr/bin/mqaws", "dspmq", name], name), None, "{name}");
            let started = identify(&["/opt/mqm/bin/strmqm", name], name);
            assert_eq!(started, Some(("strmqm", false)), "{name}");
            let runs = identify(&["/usr/bin/mqaws", "__qmgr", "amqzxma0", "-m", name], name);
            assert_eq!(runs, Some(("amqzxma0", true)), "{name}");
        }
    }
}
