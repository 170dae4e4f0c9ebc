//! What the commands can be asked for, as data; [`super::Driver`] turns it into command lines.

use std::{ffi::OsString, path::PathBuf, time::Duration};

/// The kind of the recovery log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogType {
    /// `-lc`: circular, the default.
    #[default]
    Circular,
    /// `-ll`: linear.
    Linear,
}

/// `crtmqm`: a new queue manager.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateQueueManager {
    /// Its name.
    pub(crate) name: String,
    /// `-md`: the directory under which its data directory is made.
    pub(crate) data_dir: PathBuf,
    /// `-ld`: the directory under which its log directory is made.
    pub(crate) log_dir: PathBuf,
    /// `-lc` or `-ll`.
    pub(crate) log_type: LogType,
    /// `-lf`: size of a log file in pages of 4 KiB.
    pub(crate) log_file_pages: Option<u32>,
    /// `-lp`: number of primary log files.
    pub(crate) primary_logs: Option<u32>,
    /// `-ls`: number of secondary log files.
    pub(crate) secondary_logs: Option<u32>,
    /// `-u`: name of the dead-letter queue.
    pub(crate) dead_letter_queue: Option<String>,
    /// `-oa`: `user` or `group`, the authorisation mode.
    pub(crate) authorisation: Option<String>,
    /// `-q`: whether it becomes the default queue manager of the host.
    pub(crate) default: bool,
}

impl CreateQueueManager {
    /// A queue manager with its data and log in two directories, IBM's dead-letter queue and user authorisation.
    pub fn new(name: impl Into<String>, data_dir: impl Into<PathBuf>, log_dir: impl Into<PathBuf>) -> Self {
        Self {
            name: name.into(),
            data_dir: data_dir.into(),
            log_dir: log_dir.into(),
            log_type: LogType::Circular,
            log_file_pages: None,
            primary_logs: None,
            secondary_logs: None,
            dead_letter_queue: Some("SYSTEM.DEAD.LETTER.QUEUE".to_owned()),
            authorisation: Some("user".to_owned()),
            default: false,
        }
    }

    pub(super) fn args(&self) -> Vec<OsString> {
        let mut args: Vec<OsString> = Vec::new();
        let mut pair = |flag: &str, value: OsString| args.extend([flag.into(), value]);
        pair("-md", self.data_dir.clone().into());
        pair("-ld", self.log_dir.clone().into());
        if let Some(pages) = self.log_file_pages {
            pair("-lf", pages.to_string().into());
        }
        if let Some(files) = self.primary_logs {
            pair("-lp", files.to_string().into());
        }
        if let Some(files) = self.secondary_logs {
            pair("-ls", files.to_string().into());
        }
        if let Some(queue) = &self.dead_letter_queue {
            pair("-u", queue.into());
        }
        if let Some(mode) = &self.authorisation {
            pair("-oa", mode.into());
        }
        args.push(match self.log_type {
            LogType::Circular => "-lc".into(),
            LogType::Linear => "-ll".into(),
        });
        if self.default {
            args.push("-q".into());
        }
        args.push(self.name.clone().into());
        args
    }
}

/// How `strmqm` starts a queue manager.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StartOptions {
    /// `-x`: become a standby when the queue manager is active elsewhere.
    pub(crate) permit_standby: bool,
    /// `-ns`: do not start the services and listeners of the queue manager.
    pub(crate) no_services: bool,
}

/// How fast `endmqm` ends a queue manager.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndMode {
    /// `-c`: controlled; the command returns at once.
    Controlled,
    /// `-w`: controlled, and the command waits for the end.
    Wait,
    /// `-i`: immediate: calls under way end, then clients are disconnected.
    Immediate,
    /// `-p`: pre-emptive: without regard for clients.
    Preemptive,
}

/// How `endmqm` ends a queue manager.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EndOptions {
    /// The mode.
    pub(crate) mode: EndMode,
    /// `-r`: tell reconnectable clients to reconnect; without it they do not try.
    pub(crate) reconnect: bool,
    /// `-s`: switch over to a standby or replica.
    pub(crate) switch_over: bool,
    /// `-x`: end the standby instance only.
    pub(crate) standby: bool,
    /// `-tp`: target time in whole seconds, after which the mode is escalated; that it goes as far as pre-emptive is
    /// unverified.
    pub(crate) target: Option<Duration>,
}

impl EndOptions {
    /// `-w -r -tp SECONDS`: the orderly stop after which clients reconnect.
    pub fn orderly(target: Duration) -> Self {
        Self {
            mode: EndMode::Wait,
            reconnect: true,
            switch_over: false,
            standby: false,
            target: Some(target),
        }
    }

    /// `-i -r -tp SECONDS`: the stop before another host starts it. A controlled one waits for applications that have nothing to end.
    pub fn moving(target: Duration) -> Self {
        Self {
            mode: EndMode::Immediate,
            ..Self::orderly(target)
        }
    }

    /// `-i`: the immediate stop.
    pub fn immediate() -> Self {
        Self {
            mode: EndMode::Immediate,
            reconnect: false,
            switch_over: false,
            standby: false,
            target: None,
        }
    }

    pub(super) fn args(self, name: &str) -> Vec<OsString> {
        let mut args: Vec<OsString> = Vec::new();
        if self.standby {
            args.push("-x".into());
        } else {
            args.push(match self.mode {
                EndMode::Controlled => "-c".into(),
                EndMode::Wait => "-w".into(),
                EndMode::Immediate => "-i".into(),
                EndMode::Preemptive => "-p".into(),
            });
            // Either of them, never both: the syntax excludes it.
            if self.switch_over {
                args.push("-s".into());
            } else if self.reconnect {
                args.push("-r".into());
            }
            if let Some(target) = self.target {
                args.extend(["-tp".into(), target.as_secs().max(1).to_string().into()]);
            }
        }
        args.push(name.into());
        args
    }
}

/// What `dspmq` shall show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Show {
    /// `-o status`: name and status.
    #[default]
    Status,
    /// `-o all`: every field, standby state and installation among them.
    All,
    /// `-o nativeha`: role, quorum and lag of Native HA.
    NativeHa,
}

/// An entry of `mqs.ini`: what `addmqinf` adds, so that a host knows a queue manager whose data is elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueManagerInfo {
    /// Name of the queue manager.
    pub name: String,
    /// Name of its directory, see [`PathComponent::of_queue_manager`](mqaws_contract::PathComponent::of_queue_manager).
    pub directory: String,
    /// Directory of the host's own state, `/var/mqm`.
    pub prefix: PathBuf,
    /// Where its data is, see [`super::data_path`].
    pub data_path: PathBuf,
}

impl QueueManagerInfo {
    pub(super) fn args(&self) -> Vec<OsString> {
        let value = |key: &str, value: &std::ffi::OsStr| {
            let mut text = OsString::from(format!("{key}="));
            text.push(value);
            [OsString::from("-v"), text]
        };
        let mut args: Vec<OsString> = vec!["-s".into(), "QueueManager".into()];
        args.extend(value("Name", self.name.as_ref()));
        args.extend(value("Directory", self.directory.as_ref()));
        args.extend(value("Prefix", self.prefix.as_os_str()));
        args.extend(value("DataPath", self.data_path.as_os_str()));
        args
    }
}
