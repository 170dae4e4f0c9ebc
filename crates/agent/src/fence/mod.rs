//! Who may write: owner record, proofs, the lock port.
//!
//! A queue manager's data has at most one writer. Three things keep that:
//!
//! 1. the [`Lock`] on the shared file system, held by the keeper for as long as anything of the engine can write;
//! 2. the [`OwnerRecord`] beside the data: who wrote last, under which [`Epoch`], and whether it let go;
//! 3. a [`Proof`], found by an [`Inquiry`] and written down with every start, that the previous owner writes no more; on a copy
//!    of its file system, that a person means to start there.
//!
//! The decision is pure: [`Inquiry`] says what to ask next and what the answers add up to. An error in an answer is
//! neither "gone" nor "alive". Effects are at the edges: [`RecordStore`] reads and writes the record,
//! [`NfsLock`] is the lock on an NFSv4 file system; the local cloud brings its own. [`conformance`] is what every
//! lock must do.

mod conformance;
mod folder;
mod inquiry;
mod lock;
mod nfs;
mod proof;
mod record;
mod standby;
mod store;
mod times;
mod word;

pub use crate::model::agent::ProofKind;
pub use conformance::{Bench, conformance, conformance_of_living_hosts};
pub use folder::Folder;
pub use inquiry::{
    Answer, CloudState, DataState, Inquiry, InquiryPolicy, Inspection, LeaseRule, Next, RecordView, Refusal,
};
pub use lock::{Lock, LockError, LockPlace};
pub use nfs::{NfsLock, is_full};
pub use proof::Proof;
pub use record::{BootId, Epoch, OwnerRecord, RecordError, SCHEMA, ThisHost, Writer};
pub use standby::StandbyNote;
pub(crate) use standby::{OwnerSeen, SIGHTED, STAND_BACK, Standbys};
pub use store::{RecordStore, StoreError};
pub use times::{LeaseTimes, MARGIN, SELF_RESET};
pub use word::{CreateWord, DecisionRefused, Word};
