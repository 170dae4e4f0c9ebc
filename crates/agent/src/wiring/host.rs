//! A real host's wiring: the machine's own mount, units, accounts and reset.

use super::{Wiring, executable, imds, run_command, run_keeper};
use crate::agent::clock::main_begins;
use crate::agent::commands::Guard;
use crate::agent::duty::DUTIES;
use crate::agent::host::{HostAccounts, HostMount, KeeperUnit, MountTarget, Network, Programs, Systemd, accounts};
use crate::agent::keeper::protocol::KeeperConfig;
use crate::agent::keeper::{FencedRunner, Keeper};
use crate::agent::layout::Layout;
use crate::agent::ports::{HostReset, LockPlace};
use crate::fence::{Lock, NfsLock};
use crate::model::agent::AgentConfig;
use crate::remedy::Remedy;
use crate::remedy::chain;
use crate::signed::{CallError, Client, Imds, dns_suffix};
use mqaws_engine::Product;
use std::ffi::OsString;
use std::io;
use std::net::{IpAddr, ToSocketAddrs};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

/// The port of NFS; only there because a name is looked up together with one.
const NFS_PORT: u16 = 2049;

/// The shipped agent. `reset` resets this machine; only the keeper is given it.
pub fn main(args: Vec<OsString>, reset: Arc<dyn HostReset>) -> ExitCode {
    main_begins();
    let layout = Layout::new("/");
    let wiring = Wiring {
        mark: None,
        guard: Guard::Tag(imds()),
        engines: mqaws_engine::PRODUCTS,
        duties: DUTIES,
        runner: |layout, product| Arc::new(FencedRunner(Keeper::new(&layout.keeper_socket()), product)),
        own: executable(),
        run_as: |product| accounts::ids(product.user()),
        lock,
        layout,
    };
    match args.first().and_then(|a| a.to_str()) {
        Some("__keeper") => match Systemd::from_env() {
            Ok(init) => {
                stay_in_memory();
                run_keeper(&wiring, Arc::new(init), |_| reset)
            }
            Err(error) => {
                eprintln!("error: the service manager's socket: {error}");
                ExitCode::from(3)
            }
        },
        _ => run_command(&wiring, &args, |config, product| agent(&wiring, config, product)),
    }
}

/// The lock on the file system that this host mounts.
fn lock(config: &KeeperConfig, token: &str) -> io::Result<Box<dyn Lock>> {
    match config.lock {
        LockPlace::Nfs { lease_ms } => {
            let lease = Duration::from_millis(lease_ms);
            let lock = NfsLock::new(
                &config.mount,
                &config.queue_manager,
                config.instance.as_str(),
                token,
                lease,
            );
            Ok(Box::new(lock.only_on_nfs()))
        }
        LockPlace::Lease { .. } => Err(io::Error::other("a lease server exists only in the local cloud")),
    }
}

/// The guard must run also when the disk that holds its program hangs.
///
/// What is there now, program and libraries, is read and stays. What comes later is memory without a file behind it, which no
/// disk has to bring: it stays from its first use on, for otherwise each thread's stack and heap would be filled up whole.
fn stay_in_memory() {
    use rustix::mm::{MlockAllFlags, mlockall};
    let locked =
        mlockall(MlockAllFlags::CURRENT).and_then(|()| mlockall(MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT));
    if let Err(error) = locked {
        eprintln!("warning: the keeper's pages are not locked in memory: {error}");
    }
}

fn agent(wiring: &Wiring, config: AgentConfig, product: &'static dyn Product) -> Result<(), String> {
    (wiring.run_as)(product)?;
    let programs = Programs::of_the_host();
    let network = Surroundings {
        imds: imds(),
        client: wiring.client(&config),
    };
    let suffix = dns_suffix(&config.region);
    let mounter = HostMount::new(
        &config,
        suffix,
        wiring.layout.clone(),
        programs.clone(),
        Box::new(network),
    )?;
    let spawner = KeeperUnit::new(wiring.layout.clone(), programs.clone());
    let init = Systemd::from_env().map_err(|e| format!("the service manager's socket: {e}"))?;
    wiring.run(
        config,
        product,
        Arc::new(mounter),
        Arc::new(HostAccounts::new(programs)),
        Arc::new(spawner),
        Arc::new(init),
    )
}

/// The network of a real instance.
struct Surroundings {
    imds: Imds,
    client: Client,
}

impl Network for Surroundings {
    fn here(&self) -> Result<(String, String), String> {
        let need = |name| self.imds.need(name).map_err(|e| chain(&e));
        Ok((need("instance-id")?, need("placement/availability-zone")?))
    }

    fn resolve(&self, name: &str) -> Result<Vec<IpAddr>, String> {
        let found = (name, NFS_PORT).to_socket_addrs().map_err(|e| e.to_string())?;
        Ok(found.map(|a| a.ip()).collect())
    }

    fn mount_targets(&self, file_system: &str) -> Result<Vec<MountTarget>, String> {
        let words = |error: CallError| match error.hint() {
            Some(hint) => format!("{}; {hint}", error.line()),
            None => error.line(),
        };
        let targets = self.client.mount_targets(file_system).map_err(words)?;
        Ok(targets
            .into_iter()
            .map(|t| MountTarget {
                zone: t.zone,
                address: t.address,
                state: t.state,
            })
            .collect())
    }
}
