//! One writer at a time: data that several hosts can reach, and one instance that may write.
//!
//! [`SingleWriter`] opens the lock keeper, and asks for as long as it takes for a proof that the previous owner writes no more
//! ([`crate::fence`]); only then it claims the data and starts the engine. What it waits for is in [`policy::Policy`], and by
//! [`Succession`] what it does while another host has the lock.

mod core;
mod ending;
mod fencing;
mod handing;
mod pausing;
mod policy;
mod serving;
mod state;
#[cfg(test)]
mod tests;
mod waiting;

pub(crate) use core::SingleWriter;
#[cfg(test)]
pub(crate) use policy::Policy;
pub(crate) use policy::Succession;
