//! A host that is a virtual machine, run by a program that whoever started the lab names.
//!
//! The lab knows nothing of kernels and disks. It runs `PROGRAM run INSTANCE ADDRESS ZONE`, which is the machine: standard
//! output is its console, and it ends when the power is off. `PROGRAM press INSTANCE` presses the power button,
//! `PROGRAM cut INSTANCE` cuts the power, `PROGRAM remove INSTANCE` throws the disk away, `PROGRAM shell INSTANCE ADDRESS
//! SCRIPT` stands for Systems Manager's agent in it, and `PROGRAM export FILE-SYSTEM DIRECTORY ADDRESS` serves a file system of
//! the lab over NFS at one more address.

use super::console::Console;
use super::host::{Ended, HostError, HostSpec};
use crate::api::Site;
use crate::process::LAB_MARK;
use crate::reaper;
use crate::timing::EC2_SHUTDOWN_LIMIT;
use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::process::Command;
use tokio::sync::watch;

/// How long a command of the program may take, `run` aside.
const COMMAND: Duration = Duration::from_secs(30);

/// A virtual machine of the lab.
pub struct GuestHost {
    spec: HostSpec,
    program: PathBuf,
    lab: String,
    console: Console,
    shutdown_limit: Duration,
    stopping: watch::Sender<bool>,
    running: watch::Sender<bool>,
}

impl GuestHost {
    pub(super) fn new(site: &Site, spec: &HostSpec, program: &Path) -> Self {
        Self {
            spec: spec.clone(),
            program: program.to_owned(),
            lab: site.id.clone(),
            console: Console::of(site, &spec.instance),
            // A kernel of its own shuts down in its own time, whatever the speed of the cloud.
            shutdown_limit: EC2_SHUTDOWN_LIMIT.aws,
            stopping: watch::Sender::new(false),
            running: watch::Sender::new(false),
        }
    }

    pub(super) fn console(&self) -> &Console {
        &self.console
    }

    pub(super) fn is_stopping(&self) -> bool {
        *self.stopping.borrow()
    }

    pub(super) fn instance(&self) -> &str {
        &self.spec.instance
    }

    pub(super) fn shell(&self, script: &str) -> Command {
        let mut command = self.command("shell");
        command.args([&self.spec.address.to_string(), script]);
        command
    }

    /// Runs the machine until its power is off. A reset of its own is no end: the program boots it again.
    pub(super) async fn boot(&self) -> Result<Ended, HostError> {
        let refused = |e| HostError::Run(self.program.clone(), e);
        let log = self.console.open().map_err(refused)?;
        let errors = log.try_clone().map_err(refused)?;
        self.console
            .print(&format!("power on: {} on {}", self.spec.instance, self.spec.address));
        let address = self.spec.address.to_string();
        let mut command = self.command("run");
        command.args([&address, &self.spec.zone]).stdout(log).stderr(errors);
        let mut machine = reaper::spawn(&mut command).map_err(refused)?;
        self.running.send_replace(true);
        // A machine that was cut before it was there has not been cut.
        if self.is_stopping() {
            self.order("cut").await;
        }
        let ended = machine.wait().await;
        self.running.send_replace(false);
        self.console.print(&match ended {
            Ok(status) => format!("power off: {status}"),
            Err(e) => format!("power off: {e}"),
        });
        Ok(match self.is_stopping() {
            true => Ended::AsOrdered,
            false => Ended::ByItself,
        })
    }

    /// Presses the power button; what is not off after EC2's limit is cut.
    pub(super) async fn shut_down(&self) {
        self.stopping.send_replace(true);
        self.console.print("shutdown: begins");
        self.order("press").await;
        let mut running = self.running.subscribe();
        // The sender lives as long as `self`, so what ends the wait is the machine or the limit.
        let _ = tokio::time::timeout(self.shutdown_limit, running.wait_for(|running| !running)).await;
        self.cut().await;
    }

    /// Cuts the power.
    pub(super) async fn cut(&self) {
        self.stopping.send_replace(true);
        self.order("cut").await;
        let mut running = self.running.subscribe();
        let _ = tokio::time::timeout(COMMAND, running.wait_for(|running| !running)).await;
    }

    pub(super) async fn remove(&self) {
        self.order("remove").await;
    }

    fn command(&self, verb: &str) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args([verb, &self.spec.instance])
            .env(LAB_MARK, &self.lab)
            .stdin(Stdio::null());
        command
    }

    async fn order(&self, verb: &str) {
        if let Err(error) = finish(&mut self.command(verb)).await {
            self.console.print(&format!("{verb}: {error}"));
        }
    }
}

/// Serves a file system over NFS at one more address.
///
/// # Errors
/// When the program does not run, fails, or takes too long; its own words where it has any.
pub(crate) async fn export(program: &Path, file_system: &str, directory: &Path, address: &str) -> io::Result<()> {
    let arguments: [&OsStr; 4] = [
        "export".as_ref(),
        file_system.as_ref(),
        directory.as_ref(),
        address.as_ref(),
    ];
    finish(Command::new(program).args(arguments).stdin(Stdio::null())).await
}

async fn finish(command: &mut Command) -> io::Result<()> {
    command.stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = reaper::spawn(command)?;
    let mut said = String::new();
    let ended = async {
        if let Some(stderr) = &mut child.stderr.take() {
            stderr.read_to_string(&mut said).await?;
        }
        child.wait().await
    };
    let status = tokio::time::timeout(COMMAND, ended)
        .await
        .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
    if status.success() {
        return Ok(());
    }
    Err(io::Error::other(format!("{status}: {}", said.trim())))
}
