//! From settings to a node's process, and why one ended.

use super::{AGAIN, ANSWER, APPEAR, COMMAND, Service, first_line, shared, transient};
use crate::rabbitmq::definitions;
use crate::rabbitmq::settings::{self, Settings};
use crate::service::{Engine, EngineFailure, FailureKind};
use mqaws_files::AtomicWrite;
use rustix::fs::{Mode, OFlags, open};
use rustix::process::geteuid;
use secrecy::ExposeSecret;
use std::fs::{self, File, Permissions};
use std::io;
use std::net::{IpAddr, TcpListener, TcpStream};
use std::os::unix::fs::{PermissionsExt as _, fchown};
use std::path::Path;
use std::time::Instant;

/// How much of the node's log is looked at for why it ended.
const TAIL: usize = 64 << 10;

impl Service {
    /// Starts the node and returns its process.
    pub(super) fn start_node(&self, address: IpAddr) -> Result<i32, EngineFailure> {
        let settings = self.settings_at(address);
        self.prepare(&settings)?;
        self.name_members()?;
        let mapper = self.port_mapper(address)?;
        let output = self.run(&settings.start(mapper, unused()?))?;
        if output.code != 0 {
            let said = first_line(&output.text);
            return Err(transient(format!("rabbitmq-server exit {}: {said}", output.code)));
        }
        let deadline = Instant::now() + APPEAR;
        loop {
            match self.controller() {
                Ok(Some(pid)) => return Ok(pid),
                Ok(None) if Instant::now() < deadline => std::thread::sleep(AGAIN),
                Ok(None) => return Err(self.ended()),
                Err(error) => return Err(EngineFailure::transient(&error)),
            }
        }
    }

    /// Makes the node's directories on this host. Its user reads the settings, and owns what it writes: whoever is that user must not be
    /// able to put anything else in the place of what is written or given away here.
    pub(super) fn make_directories(&self) -> io::Result<()> {
        let own = geteuid().as_raw();
        let readers = self.run_as.map(|(_, group)| (own, group));
        make_directory(&self.places.settings, readers)?;
        for dir in [&self.places.home, &self.places.logs] {
            make_directory(dir, self.run_as)?;
        }
        Ok(())
    }

    /// Writes what a start needs. Nothing in it is a password but the cookie's file and that of the agent's own user.
    fn prepare(&self, settings: &Settings<'_>) -> Result<(), EngineFailure> {
        let version = self.supported()?;
        let mirrored = version.series().is_some_and(|series| series.mirrored);
        let own = match fs::read_to_string(&self.places.own) {
            Ok(text) => Some(text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(shared(format!("read {}: {error}", self.places.own.display()))),
        };
        let unwritten = |error: io::Error| EngineFailure {
            kind: FailureKind::Transient,
            text: format!("write the settings of the node: {error}"),
        };
        self.make_directories().map_err(unwritten)?;
        let agent = definitions::password().map_err(unwritten)?;
        let mut state = self.state();
        let made = definitions::of_start(own.as_deref(), &agent, state.account.as_ref(), mirrored);
        let made = made
            .map_err(unwritten)?
            .map_err(|unusable| shared(unusable.to_string()))?;
        state.known = state.account.is_some();
        state.accepts = false;
        // A node that starts reads it.
        state.renewed = false;
        drop(state);
        let cookie = definitions::password().map_err(unwritten)?;
        let node = self.run_as;
        for (path, text, owner) in [
            (self.places.setting("rabbitmq.conf"), settings.conf().as_str(), node),
            (self.places.setting("enabled_plugins"), settings.plugins(), node),
            (self.places.setting("hosts"), settings.hosts().as_str(), node),
            (self.places.setting("definitions.json"), made.as_str(), node),
            (self.places.home.join(".erlang.cookie"), cookie.expose_secret(), node),
            (self.password_file(), agent.expose_secret(), None),
        ] {
            let written = AtomicWrite::to(&path).mode(0o600).owner(owner).write(text.as_bytes());
            written.map_err(unwritten)?;
        }
        Ok(())
    }

    /// The port of a port mapper that runs for this host: the last one's, if it is there, else a free one's.
    fn port_mapper(&self, address: IpAddr) -> Result<u16, EngineFailure> {
        let file = self.places.setting("epmd.port");
        let inside = settings::inside(address);
        let last = fs::read_to_string(&file).ok().and_then(|text| text.trim().parse().ok());
        let listens = |port: &u16| TcpStream::connect_timeout(&(inside, *port).into(), ANSWER).is_ok();
        if let Some(port) = last.filter(listens) {
            return Ok(port);
        }
        let port = unused()?;
        let output = self.run(&settings::port_mapper(&self.places, address, port).deadline(COMMAND))?;
        if output.code != 0 {
            return Err(transient(format!(
                "epmd exit {}: {}",
                output.code,
                first_line(&output.text)
            )));
        }
        let written = AtomicWrite::to(&file).write(port.to_string().as_bytes());
        written.map_err(|error| EngineFailure::transient(&error))?;
        Ok(port)
    }

    /// Why a node ended that was started.
    pub(super) fn ended(&self) -> EngineFailure {
        let log = fs::read(self.places.log()).unwrap_or_default();
        let tail = String::from_utf8_lossy(&log[log.len().saturating_sub(TAIL)..]).into_owned();
        let said = why(&tail);
        EngineFailure {
            // Another host would be given the same text.
            kind: match said.as_deref().is_some_and(|said| said.contains("definitions")) {
                true => FailureKind::Shared,
                false => FailureKind::Transient,
            },
            text: format!(
                "the node exited before it served: {}",
                said.unwrap_or_else(|| format!("see {}", self.places.log().display()))
            ),
        }
    }
}

/// A directory that no others may enter, and whose it is; what is there and is no directory, such as a link to one, is left as it is.
fn make_directory(dir: &Path, owner: Option<(u32, u32)>) -> io::Result<()> {
    if let Some(parent) = dir.parent() {
        fs::create_dir_all(parent)?;
    }
    match fs::create_dir(dir) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let only = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::RDONLY | OFlags::CLOEXEC;
    let opened = File::from(open(dir, only, Mode::empty())?);
    if let Some((user, group)) = owner {
        fchown(&opened, Some(user), Some(group))?;
    }
    opened.set_permissions(Permissions::from_mode(0o750))
}

/// A port that nobody has on this machine's own address. Others of the machine may have other nodes, so none is fixed.
fn unused() -> Result<u16, EngineFailure> {
    let bound = TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr());
    bound
        .map(|address| address.port())
        .map_err(|error| EngineFailure::transient(&error))
}

/// What the log's end says of a boot that failed.
fn why(tail: &str) -> Option<String> {
    let from = tail.rfind("BOOT FAILED")?;
    // `date time zone [error] <0.1.0> words`, and below the words a line of `=`.
    let words = |line: &str| line.split_once("> ").map_or(line, |(_, words)| words).trim().to_owned();
    let mut lines = tail[from..].lines().skip(1).map(words);
    lines.find(|line| !line.is_empty() && !line.chars().all(|c| c == '='))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_in_the_place_of_a_directory_gives_nothing_away() {
        let root = tempfile::tempdir().expect("a directory");
        let (theirs, home) = (root.path().join("etc"), root.path().join("rabbitmq/home"));
        fs::create_dir(&theirs).expect("made");
        fs::set_permissions(&theirs, Permissions::from_mode(0o700)).expect("set");
        let mode = |of: &Path| fs::metadata(of).expect("there").permissions().mode() & 0o777;
        make_directory(&home, None).expect("made");
        make_directory(&home, None).expect("again");
        assert_eq!(mode(&home), 0o750);
        fs::remove_dir(&home).expect("removed");
        std::os::unix::fs::symlink(&theirs, &home).expect("linked");
        make_directory(&home, None).expect_err("it is a link");
        assert_eq!(mode(&theirs), 0o700);
    }

    #[test]
    fn a_boot_that_failed_is_told_in_the_logs_own_words() {
        let log = "2026-01-01 00:00:00.1+00:00 [info] <0.1.0> up\n\
            2026-01-01 00:00:01.1+00:00 [error] <0.2.0> \n\
            2026-01-01 00:00:01.1+00:00 [error] <0.2.0> BOOT FAILED\n\
            2026-01-01 00:00:01.1+00:00 [error] <0.2.0> ===========\n\
            2026-01-01 00:00:01.1+00:00 [error] <0.2.0> ERROR: epmd error for host mqaws\n";
        assert_eq!(why(log).as_deref(), Some("ERROR: epmd error for host mqaws"));
        assert_eq!(why("all is well"), None);
    }
}
