//! A host of either kind, as EC2 sees it: it boots, it is shut down, its power is cut.

use super::console::Console;
use super::guest::GuestHost;
use super::process::ProcessHost;
use super::userdata::UserDataError;
use crate::api::Site;
use crate::network::{Interface, NetworkError};
use crate::reaper::{self, Own};
use std::io;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::process::Command;

/// Why a host could not be made or booted.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// A file or directory of the host could not be made.
    #[error("cannot create `{}`", .0.display())]
    Make(PathBuf, #[source] io::Error),
    /// The user data was refused.
    #[error("user data is rejected")]
    UserData(#[source] UserDataError),
    /// The program that runs virtual machines could not be run.
    #[error("cannot run `{}`", .0.display())]
    Run(PathBuf, #[source] io::Error),
}

/// What a host is made of.
#[derive(Debug, Clone)]
pub struct HostSpec {
    /// EC2 instance id.
    pub(crate) instance: String,
    /// Availability zone.
    pub(crate) zone: String,
    /// Address of the instance.
    pub(crate) address: Ipv4Addr,
    /// Network interface of the instance.
    pub(crate) interface: Interface,
    /// Whether the image holds the agent and the engine's commands.
    pub(crate) software: bool,
}

/// How a life of a host ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// It was told to stop, or has nothing to run and stays up.
    AsOrdered,
    /// Its power went off by itself.
    ByItself,
}

/// One host of the lab.
pub enum Host {
    /// A set of processes.
    Process(Arc<ProcessHost>),
    /// A virtual machine.
    Guest(GuestHost),
}

impl Host {
    /// Makes a host of the lab's kind; starts nothing.
    ///
    /// # Errors
    /// [`HostError::Make`] names the path.
    pub fn create(site: &Site, spec: &HostSpec) -> Result<Arc<Self>, HostError> {
        Ok(Arc::new(match &site.guests {
            Some(program) => Self::Guest(GuestHost::new(site, spec, program)),
            None => Self::Process(ProcessHost::create(site, spec)?),
        }))
    }

    /// The console.
    pub(crate) fn console(&self) -> &Console {
        match self {
            Self::Process(host) => host.console(),
            Self::Guest(host) => host.console(),
        }
    }

    /// EC2 instance id.
    pub fn instance(&self) -> &str {
        match self {
            Self::Process(host) => &host.instance,
            Self::Guest(host) => host.instance(),
        }
    }

    /// A command that runs a shell script on the host as root: what Systems Manager's agent does with it.
    pub(crate) fn shell(&self, script: &str) -> Command {
        match self {
            Self::Process(host) => {
                let mut command = host.command("/bin/sh");
                command.args(["-c", script]);
                command
            }
            Self::Guest(host) => host.shell(script),
        }
    }

    /// Starts a command of [`Host::shell`].
    ///
    /// # Errors
    /// As [`Command::spawn`].
    pub async fn spawn(&self, mut command: Command) -> io::Result<Own> {
        match self {
            Self::Process(host) => host.interface().spawn(command).await,
            Self::Guest(_) => reaper::spawn(&mut command),
        }
    }

    /// Unplugs the network cable (false) or plugs it in again; false when the host has none.
    ///
    /// # Errors
    /// `NetworkError`.
    pub(crate) async fn connect(&self, connected: bool) -> Result<bool, NetworkError> {
        match self {
            Self::Process(host) => host.connect(connected).await,
            Self::Guest(_) => Ok(false),
        }
    }

    /// Whether something on the host could answer a call. Of a virtual machine nobody knows.
    pub(crate) async fn is_reachable(&self) -> bool {
        match self {
            Self::Process(host) => {
                let host = host.clone();
                // It looks at every process of the machine.
                tokio::task::spawn_blocking(move || host.is_reachable())
                    .await
                    .unwrap_or(false)
            }
            Self::Guest(_) => true,
        }
    }

    /// Boots from user data in base64, and returns when the host has stopped, or when it has nothing to run.
    ///
    /// # Errors
    /// [`HostError`]; the console has the same text.
    pub(crate) async fn boot(&self, user_data: Option<&str>) -> Result<Ended, HostError> {
        match self {
            Self::Process(host) => host.boot(user_data).await.map(|()| Ended::AsOrdered),
            Self::Guest(host) => host.boot().await,
        }
    }

    /// Shuts the operating system down, then cuts the power; at the latest after EC2's limit.
    pub(crate) async fn shut_down(&self) {
        match self {
            Self::Process(host) => host.shut_down().await,
            Self::Guest(host) => host.shut_down().await,
        }
    }

    /// Cuts the power.
    pub(crate) async fn cut(&self) {
        match self {
            Self::Process(host) => host.cut().await,
            Self::Guest(host) => host.cut().await,
        }
    }

    /// Whether the host was asked to stop.
    pub(crate) fn is_stopping(&self) -> bool {
        match self {
            Self::Process(host) => host.is_stopping(),
            Self::Guest(host) => host.is_stopping(),
        }
    }

    /// Removes what the host kept on its disk; the console stays.
    pub(crate) async fn remove(&self) {
        match self {
            Self::Process(host) => host.remove(),
            Self::Guest(host) => host.remove().await,
        }
    }
}
