//! What is known of RabbitMQ before there is a host or a queue manager.

use super::places;
use super::service::Service;
use super::settings::{MARK, NAMES_MARK, SERVER};
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

/// The user that the package makes.
const USER: &str = "rabbitmq";
/// Erlang's machine, which is the node.
const MACHINE: &str = "beam.smp";
/// Files of which a node's database has one or the other, by its version.
const DATABASE: [&str; 2] = ["schema.DAT", "coordination"];

/// RabbitMQ.
#[derive(Debug, Clone, Copy)]
pub struct RabbitMq;

/// What an image of RabbitMQ holds.
pub(crate) const IMAGE: ImageParts = ImageParts {
    kind: EngineKind::of(&engine::RABBITMQ),
    name: engine::RABBITMQ.name,
    user: USER,
    commands: &["rabbitmq-server", "rabbitmqctl"],
    licence: false,
    programs: &[(
        "openssl",
        "which the agent needs to read certificates",
        "install openssl",
    )],
    settings: &[],
    units: &["rabbitmq-server.service"],
    secrets: &["/var/lib/rabbitmq/.erlang.cookie"],
    leftovers: &[],
};

impl Product for RabbitMq {
    fn kind(&self) -> EngineKind {
        EngineKind::of(&engine::RABBITMQ)
    }

    fn user(&self) -> &'static str {
        USER
    }

    /// Whatever names this queue manager behind a word of ours: the command that starts its node, the machine that runs it, and the one
    /// that changes files of a node that does not run.
    fn identify<'a>(&self, args: &[&'a str], queue_manager: &str) -> Option<ProcessKind<'a>> {
        let first = args.first()?;
        let name = first.rsplit('/').next().unwrap_or(first);
        let marked = |mark| args.windows(2).any(|pair| pair[0] == mark && pair[1] == queue_manager);
        let node = marked(MARK);
        (node || marked(NAMES_MARK)).then_some(ProcessKind {
            name,
            controller: node && name == MACHINE,
        })
    }

    fn writes(&self, command: &Command) -> bool {
        command
            .args
            .iter()
            .any(|arg| arg == NAMES_MARK || Path::new(arg).ends_with(SERVER))
    }

    fn directories(&self, mount: &Path, queue_manager: &str) -> Vec<PathBuf> {
        vec![places::base(mount, queue_manager)]
    }

    fn data(&self, mount: &Path, queue_manager: &str) -> io::Result<DataState> {
        let node = places::node(mount, queue_manager);
        if !node.try_exists()? {
            return Ok(DataState::Absent);
        }
        for file in DATABASE {
            if node.join(file).try_exists()? {
                return Ok(DataState::Present);
            }
        }
        Ok(DataState::HalfCreated)
    }

    fn order(&self) -> Order {
        engine::RABBITMQ.order
    }

    /// It locks none of its files: of two brokers on one directory, the last writer wins, and nobody is told.
    fn lease(&self) -> LeaseRule {
        LeaseRule::Refuse
    }

    fn certificate_label(&self, queue_manager: &str) -> String {
        queue_manager.to_lowercase()
    }

    fn engine(&self, config: &AgentConfig, host: Host) -> Arc<dyn Engine> {
        Arc::new(Service::new(config, host))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_told_from_the_commands_and_from_other_nodes() {
        let machine = "/usr/lib/erlang/erts-13.1.5/bin/beam.smp";
        let cases: [(&[&str], Option<(&str, bool)>); 7] = [
            (
                &[
                    machine, "-W", "w", "--", "-s", "rabbit", "boot", MARK, "QM1", "-noinput",
                ],
                Some(("beam.smp", true)),
            ),
            (&[machine, "-W", "w", "--", MARK, "QM10"], None),
            (
                &[machine, "-B", "--", "-run", "escript", "start", "-extra", "rabbitmqctl"],
                None,
            ),
            (
                &[
                    "/bin/sh",
                    "/usr/lib/rabbitmq/bin/rabbitmq-server",
                    "-detached",
                    MARK,
                    "QM1",
                ],
                Some(("sh", false)),
            ),
            (
                &[machine, "--", "-noinput", NAMES_MARK, "QM1", "-eval", "text"],
                Some(("beam.smp", false)),
            ),
            (&["/usr/lib/erlang/bin/epmd", "-daemon"], None),
            (&[], None),
        ];
        for (args, expected) in cases {
            let found = RabbitMq.identify(args, "QM1").map(|kind| (kind.name, kind.controller));
            assert_eq!(found, expected, "{args:?}");
        }
    }

    #[test]
    fn a_directory_without_a_database_is_no_queue_manager() {
        let mount = tempfile::tempdir().expect("a directory");
        let state = || RabbitMq.data(mount.path(), "QM1").expect("looked");
        assert_eq!(state(), DataState::Absent);
        let node = places::node(mount.path(), "QM1");
        std::fs::create_dir_all(&node).expect("made");
        assert_eq!(state(), DataState::HalfCreated);
        std::fs::write(node.join("schema.DAT"), "").expect("written");
        assert_eq!(state(), DataState::Present);
    }

    #[test]
    fn commands_that_change_the_data_run_behind_the_fence() {
        let start =
            Command::new("/usr/bin/env").args(["-u", "X", "/usr/lib/rabbitmq/bin/rabbitmq-server", "-detached"]);
        assert!(RabbitMq.writes(&start));
        let names = Command::new("/usr/lib/erlang/bin/erl").args(["-noinput", NAMES_MARK, "QM1"]);
        assert!(RabbitMq.writes(&names));
        assert!(!RabbitMq.writes(&Command::new("/usr/lib/rabbitmq/bin/rabbitmqctl").arg("list_queues")));
    }
}
