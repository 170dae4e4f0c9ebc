//! Paths of Unix sockets, however long.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// The most bytes that the kernel takes for the address of a socket.
const MOST: usize = 107;

/// A path by which a Unix socket can be bound, or connected to, for as long as this value lives.
///
/// The kernel limits the address of a socket, not the path of its file. A longer path is therefore replaced by one through the open folder of
/// the socket.
#[derive(Debug)]
pub struct SocketPath {
    path: PathBuf,
    _folder: Option<File>,
}

impl SocketPath {
    /// That of the socket at `path`, in a folder that exists.
    ///
    /// # Errors
    /// When the folder of a long path cannot be opened.
    pub fn of(path: &Path) -> io::Result<Self> {
        let (Some(folder), Some(name), true) = (
            path.parent(),
            path.file_name(),
            path.as_os_str().as_bytes().len() > MOST,
        ) else {
            return Ok(Self {
                path: path.to_owned(),
                _folder: None,
            });
        };
        let folder = File::open(folder)?;
        let open = PathBuf::from(format!("/proc/self/fd/{}", folder.as_raw_fd()));
        Ok(Self {
            path: open.join(name),
            _folder: Some(folder),
        })
    }
}

impl AsRef<Path> for SocketPath {
    fn as_ref(&self) -> &Path {
        &self.path
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::{UnixListener, UnixStream};

    #[test]
    fn a_socket_is_bound_and_connected_to_at_a_path_of_any_length() {
        let dir = tempfile::tempdir().expect("a directory");
        for length in [1, 60, 150, 250] {
            let folder = dir.path().join("x".repeat(length));
            std::fs::create_dir(&folder).expect("a folder");
            let socket = folder.join("s");
            let listener = UnixListener::bind(SocketPath::of(&socket).expect("a path")).expect("bound");
            assert!(socket.exists());
            UnixStream::connect(SocketPath::of(&socket).expect("a path")).expect("connected");
            listener.accept().expect("accepted");
            assert_eq!(UnixStream::connect(&socket).is_ok(), socket.as_os_str().len() <= MOST);
        }
        let nowhere = dir.path().join("y".repeat(150)).join("s");
        assert_eq!(
            SocketPath::of(&nowhere).expect_err("no folder").kind(),
            io::ErrorKind::NotFound
        );
    }
}
