//! The program `ip` of iproute2, which makes and changes what is in a namespace.

use super::NetworkError;
use super::namespace::Namespace;
use std::io;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;

/// Where the program is looked for: an ordinary user's PATH often lacks `sbin`.
const PATH: &str = "/usr/sbin:/sbin:/usr/bin:/bin";
/// How long a batch of commands may take on a busy machine.
const LIMIT: Duration = Duration::from_secs(30);

/// Carries out commands in a namespace, one a line, until one fails; `what` they make is named in the error.
///
/// # Errors
/// [`NetworkError::Program`] when it does not run, [`NetworkError::Refused`] with its own words.
pub(super) async fn batch(namespace: &Namespace, what: &str, commands: &str) -> Result<(), NetworkError> {
    let refused = |source| NetworkError::Refused {
        what: what.to_owned(),
        source,
    };
    let mut command = Command::new("ip");
    command
        .args(["-batch", "-"])
        .env_clear()
        .env("PATH", PATH)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    let mut child = namespace.spawn(command).await.map_err(NetworkError::Program)?;
    let mut said = String::new();
    let ended = async {
        if let Some(mut stdin) = child.stdin.take() {
            stdin.write_all(commands.as_bytes()).await?;
        }
        if let Some(mut stderr) = child.stderr.take() {
            stderr.read_to_string(&mut said).await?;
        }
        child.wait().await
    };
    let status = tokio::time::timeout(LIMIT, ended)
        .await
        .map_err(|_| refused(io::ErrorKind::TimedOut.into()))?
        .map_err(refused)?;
    match status.success() {
        true => Ok(()),
        false => Err(refused(io::Error::other(said.trim().replace('\n', "; ")))),
    }
}
