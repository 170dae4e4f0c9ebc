//! Instances: processes with a root directory of their own, or virtual machines; boot, console, metadata, end.
//!
//! Nothing here knows EC2's states; `ec2` calls [`Host::boot`], [`Host::shut_down`] and [`Host::cut`] at its own times.
//! No process host can reset or halt the machine: it gets the lab's environment and the user's own rights. A virtual
//! machine ([`guest`]) can reset itself and nothing else.

mod console;
pub(crate) mod guest;
mod host;
mod link_local;
mod metadata;
mod process;
mod userdata;

pub use console::Console;
pub use host::{Ended, Host, HostError, HostSpec};
pub use link_local::{Directory, serve_guests};
pub use metadata::{Facts, PORT as METADATA_PORT, serve as serve_metadata};
