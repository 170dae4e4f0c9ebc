//! The driver: command lines of one installation of IBM MQ, and what their outputs say.

use std::{ffi::OsString, path::PathBuf, time::Duration};

use crate::{Command, Output, RunError};
use mqaws_contract::remedy::{ExitKind, Remedy};

use super::{
    command::{CreateQueueManager, EndOptions, QueueManagerInfo, Show, StartOptions},
    dspmq::{self, QueueManager},
    exit::{DisplayExit, StartExit},
    messages, mqsc,
    version::Version,
};

/// One installation of IBM MQ on this host, or the lab's stand-in for one.
///
/// It only builds command lines and reads outputs; [`crate::Runner`] runs them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Driver {
    bin_dir: PathBuf,
    env: Vec<(OsString, OsString)>,
    run_as: Option<(u32, u32)>,
    deadline: Duration,
}

/// What went wrong with a command of the engine.
#[derive(Debug, thiserror::Error)]
pub enum DriverError {
    /// There is no exit code; see the source.
    #[error("the engine's command returned no result")]
    Run(#[from] RunError),
    /// The command ended with a code that is no success here.
    #[error("`{command}` failed, {exit}{}", .said.as_deref().map(|s| format!(", {s}")).unwrap_or_default())]
    Failed {
        /// Name of the command.
        command: &'static str,
        /// The exit code and what it means.
        exit: String,
        /// The exit code.
        code: i32,
        /// The line that says why, as the engine printed it.
        said: Option<String>,
    },
    /// The command succeeded, but its output does not hold what it must.
    #[error("the output of `{command}` has no {missing}")]
    Unreadable {
        /// Name of the command.
        command: &'static str,
        /// What was looked for.
        missing: &'static str,
    },
}

impl DriverError {
    /// A failure from an output: the exit code's meaning and the engine's own line.
    pub(crate) fn failed(command: &'static str, exit: impl std::fmt::Display, output: &Output) -> Self {
        Self::Failed {
            command,
            exit: exit.to_string(),
            code: output.code,
            said: messages::reason(&output.text),
        }
    }
}

impl Remedy for DriverError {
    fn exit(&self) -> ExitKind {
        match self {
            Self::Run(source) => source.exit(),
            _ => ExitKind::Remote,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Run(source) => source.hint(),
            Self::Failed { said: Some(said), .. } if said.contains("AMQ7128E") => {
                Some("the license is not accepted in the image: accept it with `setmqprd` on each boot".to_owned())
            }
            Self::Failed {
                command: "strmqm",
                code: 3,
                ..
            } => Some(
                "an earlier crtmqm was killed before it completed, and the leftovers contain no messages: delete the queue \
                 manager's data and log directories on the shared file system; the next instance then creates it"
                    .to_owned(),
            ),
            _ => None,
        }
    }
}

impl Driver {
    /// The installation whose commands are in `bin_dir`, `/opt/mqm/bin` by default.
    pub fn new(bin_dir: impl Into<PathBuf>) -> Self {
        Self {
            bin_dir: bin_dir.into(),
            env: Vec::new(),
            run_as: None,
            deadline: Duration::from_secs(60),
        }
    }

    /// Adds a variable to the environment of every command.
    #[must_use]
    pub fn env(mut self, key: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        let key = key.into();
        self.env.retain(|(k, _)| *k != key);
        self.env.push((key, value.into()));
        self
    }

    /// Runs every command as this user and group, `mqm` on a real host.
    #[must_use]
    pub(crate) fn run_as(mut self, uid: u32, gid: u32) -> Self {
        self.run_as = Some((uid, gid));
        self
    }

    /// The deadline of commands that have none of their own.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    fn command<S: Into<OsString>>(&self, name: &str, args: impl IntoIterator<Item = S>) -> Command {
        Command {
            env: self.env.clone(),
            run_as: self.run_as,
            args: args.into_iter().map(Into::into).collect(),
            ..Command::new(self.bin_dir.join(name)).deadline(self.deadline)
        }
    }

    /// `crtmqm`: see [`super::CreateExit`].
    pub fn create(&self, what: &CreateQueueManager) -> Command {
        self.command("crtmqm", what.args()).deadline(Duration::from_secs(300))
    }

    /// `strmqm`: see [`StartExit`]. The command returns when the queue manager runs; replaying its log may take minutes.
    pub fn start(&self, name: &str, options: StartOptions) -> Command {
        let mut args = Vec::new();
        if options.permit_standby {
            args.push("-x");
        }
        if options.no_services {
            args.push("-ns");
        }
        args.push(name);
        self.command("strmqm", args).deadline(Duration::from_secs(900))
    }

    /// `endmqm`: see [`super::EndExit`]. With a target time the deadline is that time and half a minute.
    pub fn end(&self, name: &str, options: EndOptions) -> Command {
        let deadline = options.target.map_or(self.deadline, |t| t + Duration::from_secs(30));
        self.command("endmqm", options.args(name)).deadline(deadline)
    }

    /// `dltmqm`: see [`super::DeleteExit`]. Deletes the data.
    pub fn delete(&self, name: &str) -> Command {
        self.command("dltmqm", [name])
    }

    /// `dspmq -n`: all queue managers that this host knows, or one; see [`DisplayExit`].
    ///
    /// With `instances`, `-x`: each instance in a line of its own.
    pub fn display(&self, name: Option<&str>, show: Show, instances: bool) -> Command {
        let mut args = vec!["-n"];
        args.extend(name.iter().flat_map(|n| ["-m", n]));
        args.extend(match show {
            Show::Status => ["-o", "status"],
            Show::All => ["-o", "all"],
            Show::NativeHa => ["-o", "nativeha"],
        });
        if instances {
            args.push("-x");
        }
        self.command("dspmq", args).deadline(Duration::from_secs(20))
    }

    /// `runmqsc`: the commands go to its standard input; see [`super::MqscExit`] and [`mqsc::Report`].
    pub fn mqsc(&self, name: &str, commands: &str) -> Command {
        let mut text = commands.to_owned();
        if !text.ends_with('\n') {
            text.push('\n');
        }
        self.command("runmqsc", [name]).stdin(text)
    }

    /// `runmqsc -e`, which repeats none of the commands in its output: for those that hold a secret.
    pub(crate) fn mqsc_unechoed(&self, name: &str, commands: &str) -> Command {
        let mut command = self.mqsc(name, commands);
        command.args.insert(0, "-e".into());
        command
    }

    /// `runmqsc` with `PING QMGR`: the health check. A short deadline, since a queue manager that hangs never answers.
    pub fn ping(&self, name: &str) -> Command {
        self.mqsc(name, "PING QMGR").deadline(Duration::from_secs(5))
    }

    /// `dspmqinf -o stanza`: exit 0 says that this host knows the queue manager.
    pub fn display_info(&self, name: &str) -> Command {
        self.command("dspmqinf", ["-o", "stanza", name])
    }

    /// `addmqinf`: makes a queue manager known to this host.
    pub fn add_info(&self, info: &QueueManagerInfo) -> Command {
        self.command("addmqinf", info.args())
    }

    /// `crtmqdir -f -a`: makes the host's own directories; must come before `dspmqinf`.
    pub fn create_directories(&self) -> Command {
        self.command("crtmqdir", ["-f", "-a"])
    }

    /// `crtmqdir -f -s`: the same without a look at any queue manager, whose data may be another host's.
    pub fn create_system_directories(&self) -> Command {
        self.command("crtmqdir", ["-f", "-s"])
    }

    /// `dspmqver`: see [`Version`].
    pub fn version(&self) -> Command {
        self.command("dspmqver", [] as [&str; 0])
            .deadline(Duration::from_secs(20))
    }

    /// `setmqprd`: accepts the licence in that file. On every boot of every instance: a replaced instance has none.
    pub(crate) fn accept_licence(&self, file: impl Into<OsString>) -> Command {
        Command {
            // It changes the installation, which belongs to root (not confirmed).
            run_as: None,
            ..self.command("setmqprd", [file.into()])
        }
    }

    /// Reads the output of [`Self::start`].
    ///
    /// # Errors
    /// When the code is not one of success.
    pub fn started(output: &Output) -> Result<StartExit, DriverError> {
        let exit = StartExit::from_code(output.code);
        if exit.is_success() {
            Ok(exit)
        } else {
            Err(DriverError::failed("strmqm", exit, output))
        }
    }

    /// Reads the output of [`Self::display`] for one queue manager; `None` when this host does not know it.
    ///
    /// # Errors
    /// When the command failed for another reason, or the output does not show that queue manager.
    pub fn displayed(output: &Output, name: &str) -> Result<Option<QueueManager>, DriverError> {
        match DisplayExit::from_code(output.code) {
            exit if exit.is_report() => dspmq::parse(&output.text)
                .into_iter()
                .find(|q| q.name.as_deref() == Some(name))
                .map(Some)
                .ok_or(DriverError::Unreadable {
                    command: "dspmq",
                    missing: "line of the queue manager",
                }),
            DisplayExit::NameError => Ok(None),
            exit => Err(DriverError::failed("dspmq", exit, output)),
        }
    }

    /// Reads the output of [`Self::version`].
    ///
    /// # Errors
    /// When the command failed or names no product.
    pub fn versioned(output: &Output) -> Result<Version, DriverError> {
        if output.code != 0 {
            return Err(DriverError::failed("dspmqver", format!("exit {}", output.code), output));
        }
        Version::parse(&output.text).ok_or(DriverError::Unreadable {
            command: "dspmqver",
            missing: "version",
        })
    }

    /// Reads the output of [`Self::mqsc`]: every command must have succeeded.
    ///
    /// # Errors
    /// When a command failed, was not understood, or was not answered.
    pub fn processed(output: &Output) -> Result<mqsc::Report, mqsc::MqscError> {
        let report = mqsc::Report::parse(&output.text);
        report.check(output.code)?;
        Ok(report)
    }
}
