//! The owner record.

use super::proof::Proof;
use crate::model::{AsWritten, InstanceId, checked};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Schema of the record that this version writes.
pub const SCHEMA: &str = "mqaws.owner/1";

/// Number of a start of the engine on this data: rises by one with each, starts at 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Epoch(pub u64);

impl Epoch {
    /// The epoch of the next start.
    pub(crate) fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

checked!(
    /// Id of one life of a kernel.
    BootId,
    "boot ID",
    "1 to 64 letters, digits, and hyphens",
    "3c0f1a52-8f6e-4d3b-9a51-2b7c64d0e1f8",
    "^[A-Za-z0-9-]{1,64}$",
    |text| (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
);

/// This host, in this life of its kernel.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ThisHost {
    /// EC2 instance id.
    pub instance: InstanceId,
    /// The kernel's boot id.
    pub boot: BootId,
}

/// A host, in one life of its kernel, as a record names it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Writer {
    /// EC2 instance id.
    pub instance: AsWritten<InstanceId>,
    /// The kernel's boot id; changes with every boot.
    pub boot: AsWritten<BootId>,
}

/// Who owns the data: `<mount>/.mqaws/<QM>/owner-<epoch>.json`, the one of the highest epoch; written only under the lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnerRecord {
    /// [`SCHEMA`].
    pub schema: String,
    /// Queue manager that the data belongs to.
    pub queue_manager: String,
    /// Id of the file system that the record was written on; absent in records of versions that did not note it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_system: Option<String>,
    /// Epoch of the last start.
    pub epoch: Epoch,
    /// Who owns the data.
    pub owner: Writer,
    /// The keeper that wrote the record: one token for each keeper process.
    pub keeper: String,
    /// Sign of life: rises while the keeper lives. A successor times it by its own clock, never by wall time.
    #[serde(default)]
    pub alive: u64,
    /// True once the owner has stopped its engine, seen it gone, and lets go.
    #[serde(default)]
    pub released: bool,
    /// Why the last start was safe.
    pub proof: Proof,
    /// When the proof was obtained, RFC 3339 UTC.
    pub at: String,
    /// Engine that last wrote the data, in its own words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine_version: Option<String>,
    /// Instances in a row that gave up without having served; the breaker against endless replacement.
    #[serde(default)]
    pub condemned: u32,
    /// Whether the queue manager ever served: data that was there and is not is no reason to create new data.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub served: bool,
}

/// Why a record cannot be used. Never read as "there is none".
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// Not JSON of the right shape.
    #[error("the owner record is damaged")]
    Damaged(#[source] serde_json::Error),
    /// A schema that this version does not know.
    #[error("the owner record has schema `{0}`, but this version supports `{SCHEMA}`")]
    Schema(String),
    /// The record of another queue manager.
    #[error("the owner record belongs to queue manager {0}")]
    Foreign(String),
    /// The file of one epoch holds the record of another.
    #[error("the file contains the owner record of epoch {0}")]
    OtherEpoch(Epoch),
}

impl OwnerRecord {
    /// Reads a record; fields of later writers are ignored.
    ///
    /// # Errors
    /// All of [`RecordError`].
    pub fn parse(text: &[u8], queue_manager: &str) -> Result<Self, RecordError> {
        #[derive(Deserialize)]
        struct Head {
            schema: String,
        }
        let head: Head = serde_json::from_slice(text).map_err(RecordError::Damaged)?;
        if head.schema != SCHEMA {
            return Err(RecordError::Schema(head.schema));
        }
        let record: Self = serde_json::from_slice(text).map_err(RecordError::Damaged)?;
        if record.queue_manager != queue_manager {
            return Err(RecordError::Foreign(record.queue_manager));
        }
        Ok(record)
    }

    /// The record as a line of JSON.
    pub(crate) fn to_line(&self) -> Vec<u8> {
        // Strings, numbers and booleans only: nothing here can fail to serialize.
        let mut line = serde_json::to_vec(self).unwrap_or_default();
        line.push(b'\n');
        line
    }

    /// The file system that the record was written on, when it lies on another one: on a copy of it, where its owner is not.
    pub(crate) fn original(&self, file_system: &str) -> Option<&str> {
        self.file_system.as_deref().filter(|own| *own != file_system)
    }

    /// Whether `other` is the same claim: sign of life, release and later notes aside.
    pub(crate) fn same_claim(&self, other: &Self) -> bool {
        self.epoch == other.epoch && self.keeper == other.keeper && self.owner == other.owner
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::model::agent::ProofKind;
    use proptest::prelude::*;

    pub(crate) fn sample() -> OwnerRecord {
        OwnerRecord {
            schema: SCHEMA.into(),
            queue_manager: "QM1".into(),
            file_system: Some("fs-1".into()),
            epoch: Epoch(3),
            owner: Writer {
                instance: "i-0a".into(),
                boot: "b".into(),
            },
            keeper: "k".into(),
            alive: 9,
            released: false,
            proof: Proof {
                kind: ProofKind::Terminated,
                previous: Some("i-09".into()),
            },
            at: "2026-01-01T00:00:00Z".into(),
            engine_version: None,
            condemned: 0,
            served: false,
        }
    }

    #[test]
    fn reads_what_it_writes_and_what_later_versions_add() {
        let record = sample();
        assert_eq!(OwnerRecord::parse(&record.to_line(), "QM1").expect("own"), record);
        let text = r#"{"schema":"mqaws.owner/1","queue_manager":"QM1","epoch":7,"owner":{"instance":"i-1","boot":"x","rack":4},
            "keeper":"t","proof":{"kind":"moon-phase","previous":"i-0"},"at":"","new_field":[1]}"#;
        let read = OwnerRecord::parse(text.as_bytes(), "QM1").expect("tolerant");
        assert_eq!(read.proof.kind, ProofKind::Other("moon-phase".into()));
        assert!(!read.released);
        assert_eq!(read.original("fs-1"), None, "written by a version that did not note it");
    }

    #[test]
    fn a_record_of_another_file_system_is_a_copy() {
        assert_eq!(sample().original("fs-1"), None);
        assert_eq!(sample().original("fs-2"), Some("fs-1"));
    }

    #[test]
    fn what_cannot_be_read_is_an_error_never_an_absence() {
        let cases: [(&[u8], &str); 5] = [
            (b"", "damaged"),
            (b"{", "damaged"),
            (br#"{"schema":"mqaws.owner/2"}"#, "mqaws.owner/2"),
            (br#"{"schema":"mqaws.owner/1","epoch":1}"#, "damaged"),
            (&sample().to_line(), "belongs to queue manager QM1"),
        ];
        for (text, expected) in cases {
            let error = OwnerRecord::parse(text, "QM2").expect_err("refused").to_string();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn ids_that_are_none_are_kept_byte_for_byte() {
        let line = String::from_utf8(sample().to_line()).expect("text");
        assert!(line.contains(r#""owner":{"instance":"i-0a","boot":"b"}"#) && line.contains(r#""previous":"i-09""#));
        for odd in ["", "i-", "i-0a/../x", "mi-0a", "fs-1", "i-0a\u{a0}"] {
            let line = line
                .replace("i-0a", odd)
                .replace("i-09", odd)
                .replace(r#":"b""#, r#":"b b""#);
            let read = OwnerRecord::parse(line.as_bytes(), "QM1").expect(odd);
            assert_eq!((read.owner.instance.id(), read.owner.boot.id()), (None, None), "{odd}");
            assert_eq!(read.to_line(), line.as_bytes(), "{odd}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = OwnerRecord::parse(&bytes, "QM1");
        }

        #[test]
        fn a_torn_record_is_never_read(cut in 0usize..200) {
            let line = sample().to_line();
            let cut = cut.min(line.len().saturating_sub(2));
            prop_assert!(OwnerRecord::parse(&line[..cut], "QM1").is_err());
        }
    }
}
