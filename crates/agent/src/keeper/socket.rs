//! One keeper on a host, behind a socket that is its owner's alone.

use super::client::Keeper;
use super::protocol::KeeperConfig;
use crate::agent::only;
use mqaws_files::SocketPath;
use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

/// How long another keeper, which has the file lock, may take to answer.
const OTHER: Duration = Duration::from_secs(5);

/// The one keeper's hold on the file beside the socket; none when another keeper answers.
///
/// A file that somebody else holds locked must not pass for a keeper: this host would then have no guard.
pub(super) fn only_one(config: &KeeperConfig) -> io::Result<Option<File>> {
    let path = config.socket.with_extension("lock");
    let file = only::open(&path)?;
    let deadline = Instant::now() + OTHER;
    loop {
        if only::lock(&file)? {
            return Ok(Some(file));
        }
        match Keeper::new(&config.socket).status() {
            Ok(_) => return Ok(None),
            // It may be about to listen, or about to end.
            Err(_) if Instant::now() < deadline => thread::sleep(Duration::from_millis(20)),
            Err(error) => {
                return Err(io::Error::other(format!(
                    "{} is locked by another process, but no keeper responds at {}: {error}; this host is not guarded until that lock is released (`fuser {}` shows the process)",
                    path.display(),
                    config.socket.display(),
                    path.display()
                )));
            }
        }
    }
}

/// A socket that only its owner may connect to from its first moment: it is made in a directory that nobody else may enter.
pub(super) fn listen(socket: &Path) -> io::Result<UnixListener> {
    let closed = socket.with_file_name(".new");
    let _ = fs::remove_dir_all(&closed);
    fs::DirBuilder::new().mode(0o700).create(&closed)?;
    let new = closed.join("s");
    let listener = UnixListener::bind(SocketPath::of(&new)?)?;
    fs::set_permissions(&new, Permissions::from_mode(0o600))?;
    // Under the file lock, a socket that is there is a dead keeper's.
    fs::rename(&new, socket)?;
    fs::remove_dir(&closed)?;
    Ok(listener)
}
