//! Instances as real processes: a root directory, an address, a boot from user data, a unit that is restarted, an end.
//!
//! Nothing here knows EC2's states; `ec2` calls [`Host::boot`], [`Host::shut_down`] and [`Host::cut`] at its own times.
//! No process started here can reset or halt the machine: it gets the lab's environment and the user's own rights.

mod host;
mod metadata;
mod userdata;

pub use host::{Host, HostError, HostSpec, MAX_LAB_DIR};
pub use metadata::{Facts, PORT as METADATA_PORT, serve as serve_metadata};
pub use userdata::{BootPlan, FileToWrite, UserDataError};
