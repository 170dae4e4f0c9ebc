//! Where things are on the instance: `var/mqm` under its root holds `mqs.ini` and what is local to the host.

use std::{
    ffi::OsStr,
    fs::{self, File},
    io,
    net::IpAddr,
    path::{Path, PathBuf},
};

use crate::engine::ibm_mq::{stanza, stanza::Stanza};
use mqaws_contract::PathComponent;
use mqaws_files::AtomicWrite;

/// The variable that names the root of the instance.
pub(crate) const ROOT_VARIABLE: &str = "MQAWS_LAB_ROOT";

/// One host's own state.
#[derive(Debug, Clone)]
pub(crate) struct Home {
    root: PathBuf,
}

/// A queue manager that this host knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) name: String,
    pub(crate) directory: String,
    pub(crate) data_path: PathBuf,
}

impl Home {
    /// The host that the environment names.
    pub(crate) fn from_environment() -> Option<Self> {
        Some(Self {
            root: std::env::var_os(ROOT_VARIABLE).filter(|r| !r.is_empty())?.into(),
        })
    }

    #[cfg(test)]
    pub(crate) fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Which host this is: process hosts share a kernel and differ in their roots, virtual machines share the root `/`.
    pub(crate) fn host(&self) -> String {
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        format!("{} {}", boot.trim(), self.root.display())
    }

    /// A path as the host itself sees it. What lands on the shared file system is read by other hosts, whose roots differ.
    pub(crate) fn seen_inside(&self, path: &Path) -> PathBuf {
        path.strip_prefix(&self.root)
            .map_or_else(|_| path.to_owned(), |rest| Path::new("/").join(rest))
    }

    /// Where a path that the host itself sees really is; one that was never under a root is taken as it is.
    pub(crate) fn resolve(&self, path: &Path) -> PathBuf {
        path.strip_prefix("/")
            .map(|rest| self.root.join(rest))
            .ok()
            .filter(|inside| inside.exists())
            .unwrap_or_else(|| path.to_owned())
    }

    pub(crate) fn var(&self) -> PathBuf {
        self.root.join("var/mqm")
    }

    fn mqs_ini(&self) -> PathBuf {
        self.var().join("mqs.ini")
    }

    /// The host's own directory of a queue manager: control socket and errors.
    pub(crate) fn local(&self, name: &str) -> PathBuf {
        self.var().join("qmgrs").join(PathComponent::of_queue_manager(name))
    }

    /// Makes the host's own directories.
    pub(crate) fn create_directories(&self) -> io::Result<()> {
        for directory in ["qmgrs", "errors", "log", "trace"] {
            fs::create_dir_all(self.var().join(directory))?;
        }
        Ok(())
    }

    pub(crate) fn read_ini(&self) -> io::Result<Vec<Stanza>> {
        match fs::read_to_string(self.mqs_ini()) {
            Ok(text) => Ok(stanza::parse(&text)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(e) => Err(e),
        }
    }

    /// Changes `mqs.ini`, one process at a time, whole or not at all.
    pub(crate) fn change_ini<T>(&self, change: impl FnOnce(&mut Vec<Stanza>) -> T) -> io::Result<T> {
        self.create_directories()?;
        let guard = File::create(self.var().join(".mqs.lock"))?;
        guard.lock()?;
        let mut stanzas = self.read_ini()?;
        let result = change(&mut stanzas);
        AtomicWrite::to(&self.mqs_ini())
            .durable()
            .write(stanza::write(&stanzas).as_bytes())?;
        Ok(result)
    }

    /// Every queue manager in `mqs.ini`.
    pub(crate) fn all(&self) -> io::Result<Vec<Known>> {
        Ok(self
            .read_ini()?
            .iter()
            .filter(|s| s.title == "QueueManager")
            .filter_map(known)
            .collect())
    }

    pub(crate) fn find(&self, name: &str) -> io::Result<Option<Known>> {
        Ok(self.all()?.into_iter().find(|k| k.name == name))
    }
}

fn known(stanza: &Stanza) -> Option<Known> {
    let name = stanza.get("Name")?.to_owned();
    let directory = stanza
        .get("Directory")
        .map_or_else(|| PathComponent::of_queue_manager(&name).into(), str::to_owned);
    Some(Known {
        directory,
        data_path: stanza.data_path()?,
        name,
    })
}

/// The address of the host, when the environment tells: instances of the lab share one kernel, so nothing else keeps one of
/// them from listening on the address of another.
pub(crate) fn own_address() -> Option<IpAddr> {
    address_of(&std::env::var_os("AWS_EC2_METADATA_SERVICE_ENDPOINT")?)
}

fn address_of(endpoint: &OsStr) -> Option<IpAddr> {
    let (_, rest) = endpoint.to_str()?.split_once("://")?;
    let authority = rest.split('/').next()?;
    authority
        .rsplit_once(':')
        .map_or(authority, |(host, _)| host)
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_on_shared_storage_is_found_from_another_root() {
        let dir = tempfile::tempdir().expect("a directory");
        let (first, second) = (Home::at(dir.path().join("a")), Home::at(dir.path().join("b")));
        std::fs::create_dir_all(second.root().join("mnt/mqaws/log")).expect("made");
        let written = first.seen_inside(&first.root().join("mnt/mqaws/log"));
        assert_eq!(written, Path::new("/mnt/mqaws/log"));
        assert_eq!(second.resolve(&written), second.root().join("mnt/mqaws/log"));
        assert_eq!(second.resolve(dir.path()), dir.path(), "never under a root");
    }

    #[test]
    fn mqs_ini_is_changed_and_read() {
        let root = tempfile::tempdir().unwrap();
        let home = Home::at(root.path());
        assert_eq!(home.find("A.B").unwrap(), None);
        home.change_ini(|stanzas| {
            stanzas.push(
                Stanza::new("QueueManager")
                    .with("Name", "A.B")
                    .with("Directory", "A!B")
                    .with("Prefix", "/x"),
            );
        })
        .unwrap();
        let found = home.find("A.B").unwrap().unwrap();
        assert_eq!(found.data_path, Path::new("/x/qmgrs/A!B"));
        assert!(home.local("A.B").ends_with("qmgrs/A!B"));
    }

    #[test]
    fn the_host_address_comes_from_the_metadata_endpoint() {
        for (endpoint, address) in [
            ("http://127.77.10.1:8169", Some([127, 77, 10, 1])),
            ("http://127.77.11.2:8169/", Some([127, 77, 11, 2])),
            ("http://localhost:8169", None),
            ("nonsense", None),
        ] {
            assert_eq!(address_of(endpoint.as_ref()), address.map(IpAddr::from), "{endpoint}");
        }
    }
}
