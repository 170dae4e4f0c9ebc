//! Mounts the shared file system on a real host: its name first, then its mount targets by address.
//!
//! Nothing here touches the file system itself; what is mounted is read from the kernel's list.

use super::identity;
use super::mount_unit::{self, Method};
use super::mountinfo::{self, Mounted};
use super::programs::{ProgramError, Programs};
use crate::agent::layout::Layout;
use crate::agent::ports::{LockPlace, Mounter};
use crate::agent::waits;
use crate::model::agent::AgentConfig;
use crate::remedy::chain;
use std::fs;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// How long the file system's own name may be unknown before mount targets are asked for by address. AWS says that a name
/// takes up to 90 s to appear; the address of a mount target is there before.
const NAME: Duration = Duration::from_secs(20);
/// Longest run of `systemctl start` for the mount, whose unit gives up after 60 s.
const START: Duration = Duration::from_secs(75);
/// Longest run of `systemctl daemon-reload`.
const RELOAD: Duration = Duration::from_secs(30);

/// One mount target of the file system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MountTarget {
    /// Its availability zone.
    pub(crate) zone: String,
    /// Its address.
    pub(crate) address: String,
    /// `available`, or another word of EFS.
    pub(crate) state: String,
}

/// What mounting asks of the world.
pub(crate) trait Network: Send + Sync {
    /// This instance's id and availability zone.
    ///
    /// # Errors
    /// In words.
    fn here(&self) -> Result<(String, String), String>;

    /// Addresses of a name.
    ///
    /// # Errors
    /// In words; a name that is unknown is an error.
    fn resolve(&self, name: &str) -> Result<Vec<IpAddr>, String>;

    /// The file system's mount targets, by EFS's word.
    ///
    /// # Errors
    /// In words.
    fn mount_targets(&self, file_system: &str) -> Result<Vec<MountTarget>, String>;
}

/// Mounts one file system at one point.
pub(crate) struct HostMount {
    layout: Layout,
    programs: Programs,
    network: Box<dyn Network>,
    method: Method,
    file_system: String,
    dns_name: String,
    /// As the host sees it, without the layout's root.
    point: String,
    lease: Duration,
    patience: Duration,
    began: Mutex<Option<Instant>>,
}

impl HostMount {
    /// The mount that the configuration asks for; `suffix` is the DNS suffix of the region's partition.
    ///
    /// # Errors
    /// In words, when this version cannot mount as the configuration says.
    pub(crate) fn new(
        config: &AgentConfig,
        suffix: &str,
        layout: Layout,
        programs: Programs,
        network: Box<dyn Network>,
    ) -> Result<Self, String> {
        let storage = &config.storage;
        Ok(Self {
            method: Method::of(&storage.mount_with).map_err(|e| format!("storage.mount_with: {e}"))?,
            file_system: storage.file_system.clone(),
            dns_name: format!("{}.efs.{}.{suffix}", storage.file_system, config.region),
            point: storage.mount.clone(),
            lease: storage
                .lease_seconds
                .map_or(mqaws_contract::lease::ASSUMED, |s| Duration::from_secs(s.into())),
            layout,
            programs,
            network,
            patience: NAME,
            began: Mutex::new(None),
        })
    }

    fn mounted(&self) -> Result<Option<Mounted>, String> {
        let path = self.layout.host("proc/self/mountinfo");
        let text = fs::read_to_string(&path).map_err(|e| format!("cannot read {}: {e}", path.display()))?;
        Ok(mountinfo::at(&text, self.point.as_ref()))
    }

    /// Says which mount is the agent's own, across its restarts; lost with the mount at a reboot.
    fn own(&self) -> PathBuf {
        self.layout.run().join("mounted")
    }

    fn mark_of(&self, mounted: &Mounted) -> String {
        format!("{} {}\n", mounted.device, self.file_system)
    }

    /// Whether what is mounted is this file system: by the agent's own note, or by its name.
    fn check(&self, mounted: &Mounted) -> Result<(), String> {
        let point = &self.point;
        mounted
            .fences()
            .map_err(|why| format!("{point} cannot be used: {why}"))?;
        let noted = fs::read_to_string(self.own()).is_ok_and(|own| own == self.mark_of(mounted));
        let named = mounted.source == format!("{}:/", self.dns_name);
        if noted || named {
            return Ok(());
        }
        Err(format!(
            "{point} cannot be used: {} is mounted there, but not by this agent: unmount it; the agent mounts {} itself",
            mounted.source, self.file_system
        ))
    }

    /// Mounts by the file system's name, or by the address of a mount target.
    fn attempt(&self, address: Option<&str>) -> Result<(), String> {
        let unit = mount_unit::name(&self.point);
        let text = mount_unit::text(self.method, &self.file_system, &self.dns_name, address, &self.point);
        let path = self.layout.host("run/systemd/system").join(&unit);
        let failed = |what: &str, error: std::io::Error| format!("cannot {what} {}: {error}", path.display());
        if let Some(dir) = path.parent() {
            fs::create_dir_all(dir).map_err(|e| failed("create the directory of", e))?;
        }
        let before = fs::read_to_string(&path).ok();
        fs::write(&path, &text).map_err(|e| failed("write", e))?;
        let run = |args: &[&str], deadline| self.programs.must(&self.programs.command("systemctl", args, deadline));
        // A unit that systemd has not read yet it reads by itself; a reload takes a good part of a second.
        if before.is_some_and(|before| before != text) {
            run(&["daemon-reload"], RELOAD).map_err(|e| chain(&e))?;
        }
        let mut started = run(&["start", &unit], START);
        if started.as_ref().is_err_and(ProgramError::knows_no_unit) {
            run(&["daemon-reload"], RELOAD).map_err(|e| chain(&e))?;
            started = run(&["start", &unit], START);
        }
        started.map_err(|e| format!("{}; `journalctl -u {unit}` says more", chain(&e)))?;
        let mounted = self
            .mounted()?
            .ok_or_else(|| format!("systemd started {unit}, but nothing is mounted at {}", self.point))?;
        mounted
            .fences()
            .map_err(|why| format!("{} cannot be used: {why}", self.point))?;
        fs::create_dir_all(self.layout.run())
            .and_then(|()| fs::write(self.own(), self.mark_of(&mounted)))
            .map_err(|e| format!("note the mount in {}: {e}", self.own().display()))?;
        tracing::info!(source = mounted.source, address, "mounted");
        Ok(())
    }

    /// Mount targets that are available, those of this zone first.
    fn targets(&self, zone: &str) -> Result<Vec<MountTarget>, String> {
        let asked = || self.network.mount_targets(&self.file_system);
        let mut targets = waits::on(|| "elasticfilesystem:DescribeMountTargets".to_owned(), asked)?;
        targets.retain(|t| t.state == "available" && t.address.parse::<IpAddr>().is_ok());
        targets.sort_by_key(|t| t.zone != zone);
        if targets.is_empty() {
            return Err(format!("{} has no available mount target", self.file_system));
        }
        Ok(targets)
    }

    fn mount_somehow(&self) -> Result<(), String> {
        let (instance, zone) = waits::on(|| "the metadata service".to_owned(), || self.network.here())?;
        identity::set(&self.layout, &self.programs, &instance)?;
        let began = *self
            .began
            .lock()
            .unwrap_or_else(|e| e.into_inner())
            .get_or_insert_with(Instant::now);
        let mut failures = Vec::new();
        match waits::on(
            || "the name service".to_owned(),
            || self.network.resolve(&self.dns_name),
        ) {
            Ok(_) => match self.attempt(None) {
                Ok(()) => return Ok(()),
                Err(why) => failures.push(why),
            },
            Err(why) if began.elapsed() < self.patience => {
                return Err(format!("waiting for the name {}: {why}", self.dns_name));
            }
            Err(why) => failures.push(format!("cannot resolve the name {}: {why}", self.dns_name)),
        }
        match self.targets(&zone) {
            Err(why) => failures.push(why),
            Ok(targets) => {
                for target in targets {
                    tracing::warn!(
                        address = target.address,
                        zone = target.zone,
                        why = failures.last(),
                        "mount by address"
                    );
                    match self.attempt(Some(&target.address)) {
                        Ok(()) => return Ok(()),
                        Err(why) => failures.push(format!("{} in {}: {why}", target.address, target.zone)),
                    }
                }
            }
        }
        Err(format!("cannot mount {}: {}", self.file_system, failures.join("; ")))
    }
}

impl Mounter for HostMount {
    fn mount(&self) -> Result<LockPlace, String> {
        match self.mounted()? {
            Some(mounted) => self.check(&mounted)?,
            None => self.mount_somehow()?,
        }
        Ok(LockPlace::Nfs {
            lease_ms: u64::try_from(self.lease.as_millis()).unwrap_or(u64::MAX),
        })
    }
}

#[cfg(test)]
mod tests;
