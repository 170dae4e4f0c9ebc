//! Faults on this instance: each is injected, and then looked for.
//!
//! [`inject()`] does what an order says. What lasts ([`lasting`]) is written down before it is done, and heals by itself: a process of
//! its own on this host waits for the end of the fault, whatever becomes of who asked for it. [`heal`] ends it earlier.

mod cut;
mod inject;
mod lasting;

pub(crate) use inject::{Site, inject};
pub(crate) use lasting::{heal, heal_after};
