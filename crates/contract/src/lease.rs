//! When a host gives itself up, and how long its successor waits: one pair, so that the second is always the longer.

use std::time::Duration;

/// T: a host resets itself when its lock was not proved to be held for this long.
///
/// Long enough that a file system which stands still for some seconds costs nothing; short against the time that a zone's
/// loss costs anyway. The agent's own choice, measured on no account.
pub const SELF_RESET: Duration = Duration::from_secs(30);

/// What the wait of a successor has beyond lease and T.
///
/// Covers the period of the look that notices T (a quarter of a second), the reset itself, requests that are still on
/// their way to the server, and clocks that differ by up to a tenth over the whole wait. Assumed, not measured.
pub const MARGIN: Duration = Duration::from_secs(15);

/// What the lease of EFS is taken to be when nobody says otherwise: AWS documents none, and this is the default of a Linux NFS server.
pub const ASSUMED: Duration = Duration::from_secs(90);

/// How long the previous owner's sign of life must not change before a start with the proof `lease`.
pub const fn wait(lease: Duration) -> Duration {
    lease.saturating_add(SELF_RESET).saturating_add(MARGIN)
}
