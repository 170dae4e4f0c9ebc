//! The agent of a lab instance: the real one, wired to the doubles of a host that is a set of processes below a root directory.
//!
//! It needs `MQAWS_LAB_ROOT` and knows no way to reset a machine.

mod lease;

pub use lease::LeaseLock;

use crate::remedy::chain;
use mqaws_agent::Systemd;
use mqaws_agent::commands::Guard;
use mqaws_agent::duty::{DUTIES, Duties};
use mqaws_agent::fence::{Folder, Lock};
use mqaws_agent::keeper::protocol::KeeperConfig;
use mqaws_agent::layout::Layout;
use mqaws_agent::ports::{Accounts, HostReset, KeeperSpawner, LockPlace, Mounter};
use mqaws_agent::signed::{HttpTransport, Imds, Transport};
use mqaws_agent::wiring::{Wiring, executable, imds, run_command, run_keeper};
use mqaws_contract::UnknownWord;
use mqaws_contract::agent::{AgentConfig, MountMethod, StorageConfig};
use mqaws_engine::processes::Processes;
use mqaws_engine::{PRODUCTS, Product, Products, runner};
use mqaws_standin::lab_accounts;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::json;
use std::ffi::OsString;
use std::fs;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;
use std::time::Duration;

/// Variable that holds an instance's root, and the mark of its processes.
const ROOT: &str = "MQAWS_LAB_ROOT";

/// The agent of a lab instance, with the engines that the shipped one has; refuses to run without `MQAWS_LAB_ROOT`.
pub fn main(args: Vec<OsString>) -> ExitCode {
    main_with(PRODUCTS, DUTIES, args)
}

/// [`main`] with these engines and these duties.
pub fn main_with(engines: Products, duties: Duties, args: Vec<OsString>) -> ExitCode {
    let Some(wiring) = wiring(engines, duties) else {
        return refuse();
    };
    run_command(&wiring, &args, |config, product| agent(&wiring, config, product))
}

/// The keeper of a lab instance.
pub fn keeper_main(args: Vec<OsString>) -> ExitCode {
    keeper_main_with(PRODUCTS, args)
}

/// [`keeper_main`] with these engines.
pub fn keeper_main_with(engines: Products, _args: Vec<OsString>) -> ExitCode {
    // A keeper guards, whatever the duty of the agent that started it.
    let Some(wiring) = wiring(engines, DUTIES) else {
        return refuse();
    };
    match Systemd::from_env() {
        Ok(init) => run_keeper(&wiring, Arc::new(init), |engine| Arc::new(KillEngine(engine))),
        Err(error) => {
            eprintln!("error: the socket of the lab's watchdog: {error}");
            ExitCode::FAILURE
        }
    }
}

fn wiring(engines: Products, duties: Duties) -> Option<Wiring> {
    let root = std::env::var(ROOT).ok().filter(|r| r.starts_with('/') && r.len() > 1)?;
    Some(Wiring {
        layout: Layout::new(&root),
        mark: Some((ROOT.to_owned(), root)),
        guard: Guard::Lab {
            // Metadata on an address of the machine's is how a process without a network of its own reaches them.
            own_network: std::env::var_os("AWS_EC2_METADATA_SERVICE_ENDPOINT").is_none(),
        },
        engines,
        duties,
        runner: |_, _| Arc::new(runner::ProcessRunner),
        own: executable().into_iter().chain(["__agent".into()]).collect(),
        run_as: |_| Err("a lab instance has no users".to_owned()),
        lock,
    })
}

/// The lock at the lease server of the local cloud.
fn lock(config: &KeeperConfig, token: &str) -> io::Result<Box<dyn Lock>> {
    match config.lock {
        LockPlace::Lease { address, lease_ms } => {
            let folder = Folder::new(&config.mount, &config.queue_manager).below_mount()?;
            let path = format!("{}/lock", folder.display());
            let lease = Duration::from_millis(lease_ms);
            let (file_system, instance) = (&config.file_system, config.instance.as_str());
            Ok(Box::new(LeaseLock::new(
                address,
                file_system,
                &path,
                instance,
                token,
                lease,
            )))
        }
        LockPlace::Nfs { .. } => Err(io::Error::other("a lab instance mounts no NFS")),
    }
}

fn refuse() -> ExitCode {
    eprintln!("error: this is the agent of a lab instance, but {ROOT} does not specify one");
    eprintln!("hint: it is started by `mqaws lab up` and a deployment; on a real host, run the released `mqaws-agent`");
    ExitCode::from(3)
}

fn agent(wiring: &Wiring, config: AgentConfig, product: &'static dyn Product) -> Result<(), String> {
    let mounter = LabMount {
        endpoint: std::env::var("AWS_ENDPOINT_URL").map_err(|_| "AWS_ENDPOINT_URL is not set".to_owned())?,
        file_system: config.storage.file_system.clone(),
        options: mount_options(&config.storage).map_err(|e| format!("storage.mount_with: {e}"))?,
        point: wiring.layout.mount(&config),
        imds: imds(),
    };
    // The lab watches its hosts as systemd does.
    let init = Systemd::from_env().map_err(|e| format!("the socket of the lab's watchdog: {e}"))?;
    let accounts = LabAccounts(wiring.layout.root().as_path().to_owned());
    wiring.run(
        config,
        product,
        Arc::new(mounter),
        Arc::new(accounts),
        Arc::new(SpawnKeeper),
        Arc::new(init),
    )
}

/// A lab's host reset: ends what can write on this one instance, and nothing else on the machine.
#[derive(Debug)]
pub struct KillEngine(pub Processes);

impl HostReset for KillEngine {
    fn reset(&self, why: &str) {
        match self.0.kill(Duration::from_secs(10)) {
            Ok(left) => tracing::warn!(why, left, "engine killed in place of a host reset"),
            Err(error) => tracing::error!(why, %error, "the engine's processes could not be listed"),
        }
    }
}

/// Options of a mount that a file system policy sees, as a real host mounts.
///
/// # Errors
/// [`UnknownWord`], for a way to mount that a real host would refuse as well.
pub fn mount_options(storage: &StorageConfig) -> Result<Vec<&'static str>, UnknownWord> {
    match &storage.mount_with {
        MountMethod::EfsUtils => Ok(vec!["tls", "iam"]),
        MountMethod::Nfs => Ok(Vec::new()),
        MountMethod::Other(word) => Err(MountMethod::unknown(word)),
    }
}

/// The double of `mount.efs`: a link to the file system's directory, with leave of the local cloud.
pub struct LabMount {
    /// URL of the local cloud.
    pub endpoint: String,
    /// File system id.
    pub file_system: String,
    /// Options of `mount.efs` that a file system policy sees: `tls`, `iam`.
    pub options: Vec<&'static str>,
    /// Where the link is made.
    pub point: PathBuf,
    /// Metadata of the instance that mounts.
    pub imds: Imds,
}

#[derive(Deserialize)]
struct Mounted {
    path: PathBuf,
    lease_address: SocketAddr,
    lease_ms: u64,
}

impl Mounter for LabMount {
    fn mount(&self) -> Result<LockPlace, String> {
        let token = self.imds.token().map_err(|e| chain(&e))?;
        let body = json!({"file_system": self.file_system, "options": self.options}).to_string();
        let request = http::Request::post(format!("{}/_mqaws/mount", self.endpoint.trim_end_matches('/')))
            .header("content-type", "application/json")
            .header("x-mqaws-instance-token", token)
            .body(body.into_bytes())
            .map_err(|e| e.to_string())?;
        let answer = HttpTransport::new().send(request).map_err(|e| chain(&e))?;
        if !answer.status().is_success() {
            let text = String::from_utf8_lossy(answer.body()).into_owned();
            return Err(format!("cannot mount {}: {} {text}", self.file_system, answer.status()));
        }
        let mounted: Mounted = serde_json::from_slice(answer.body()).map_err(|e| format!("mount: {e}"))?;
        self.link(&mounted)
            .map_err(|e| format!("link {}: {e}", self.point.display()))?;
        Ok(LockPlace::Lease {
            address: mounted.lease_address,
            lease_ms: mounted.lease_ms,
        })
    }
}

impl LabMount {
    fn link(&self, mounted: &Mounted) -> io::Result<()> {
        if fs::read_link(&self.point).is_ok_and(|to| to == mounted.path) {
            return Ok(());
        }
        if let Some(parent) = self.point.parent() {
            fs::create_dir_all(parent)?;
        }
        match fs::remove_file(&self.point) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        symlink(&mounted.path, &self.point)
    }
}

/// Accounts of a lab instance: the file that the stand-in asks in place of the operating system.
struct LabAccounts(PathBuf);

impl Accounts for LabAccounts {
    fn set(&self, user: &str, password: &SecretString) -> Result<(), String> {
        let mut accounts = lab_accounts::Accounts::read(&self.0).map_err(|e| chain(&e))?;
        if accounts.verify(user, password.expose_secret()) {
            return Ok(());
        }
        accounts
            .set(user, password.expose_secret())
            .map_err(|e| format!("derive the password's hash: {e}"))?;
        accounts.write(&self.0).map_err(|e| chain(&e))
    }
}

/// Starts the keeper by running this executable again.
struct SpawnKeeper;

impl KeeperSpawner for SpawnKeeper {
    fn spawn(&self, config: &str) -> io::Result<()> {
        spawn_keeper(config)
    }
}

/// Starts this executable as a keeper in a process group of its own, so that what ends the agent does not end it.
fn spawn_keeper(config: &str) -> io::Result<()> {
    let mut child = Command::new(std::env::current_exe()?)
        .arg("__keeper")
        .stdin(Stdio::piped())
        .process_group(0)
        .spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(config.as_bytes())?;
    }
    // Its end must be noticed, or it stays in the process table for as long as the agent lives.
    mqaws_agent::work::spawn("keeper-end", move || {
        let _ = child.wait();
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_way_to_mount_is_refused_as_on_a_real_host() {
        let options = |word: &str| {
            let storage = json!({"file_system": "fs-1", "mount": "/mnt/mqaws", "mount_with": word});
            mount_options(&serde_json::from_value(storage).expect("a storage"))
        };
        assert_eq!(options("efs-utils"), Ok(vec!["tls", "iam"]));
        assert_eq!(options("nfs"), Ok(Vec::new()));
        for word in ["smb", "", "NFS", "efs"] {
            let why = options(word).expect_err(word).to_string();
            assert!(
                why.contains(&format!("`{word}`")) && why.contains("`efs-utils`, `nfs`"),
                "{why}"
            );
        }
    }
}
