//! Four bits a message: what became of the attempt, and how often it came back.

use serde::{Deserialize, Serialize};

/// What the client knows about one attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[repr(u8)]
pub enum State {
    /// Never left: the slot came due without a connection, or nothing was due yet.
    NotSent = 0,
    /// A definite no.
    Failed = 1,
    /// Sent, and no word since: it may be there or not.
    Unknown = 2,
    /// A definite yes: the broker has taken responsibility.
    Acked = 3,
}

impl State {
    fn of(bits: u8) -> Self {
        match bits & 3 {
            0 => Self::NotSent,
            1 => Self::Failed,
            2 => Self::Unknown,
            _ => Self::Acked,
        }
    }
}

/// Receipts are counted up to here; more are added up elsewhere.
pub const MAX_RECEIPTS: u8 = 3;

/// Memory is taken in steps of this many bytes, since doubling would waste half of it.
const STEP: usize = 16 * 1024;

/// States and receipt counts of dense ids, half a byte each.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Packed {
    bits: Vec<u8>,
    len: u64,
}

impl Packed {
    /// How many ids are known, used or not.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether no id is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes of memory taken.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bits.capacity()
    }

    /// State and receipts of an id; ids that were never used are not sent and not received.
    #[must_use]
    pub fn get(&self, seq: u64) -> (State, u8) {
        if seq >= self.len {
            return (State::NotSent, 0);
        }
        let nibble = self.bits[(seq / 2) as usize] >> ((seq % 2) * 4);
        (State::of(nibble), (nibble >> 2) & 3)
    }

    /// Sets the state of an id and keeps its receipts.
    pub fn set_state(&mut self, seq: u64, state: State) {
        self.grow(seq);
        let (_, receipts) = self.get(seq);
        self.put(seq, state as u8 | (receipts << 2));
    }

    /// Counts one receipt; returns how many there were before, at most [`MAX_RECEIPTS`].
    pub fn receive(&mut self, seq: u64) -> u8 {
        self.grow(seq);
        let (state, before) = self.get(seq);
        self.put(seq, state as u8 | ((before + 1).min(MAX_RECEIPTS) << 2));
        before
    }

    /// All ids in order.
    pub fn iter(&self) -> impl Iterator<Item = (u64, State, u8)> + '_ {
        (0..self.len).map(|seq| {
            let (state, receipts) = self.get(seq);
            (seq, state, receipts)
        })
    }

    /// The bits, for the ledger file.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bits
    }

    /// From the bits of a ledger file; `None` when they are too few for `len` ids.
    #[must_use]
    pub fn from_bytes(bits: Vec<u8>, len: u64) -> Option<Self> {
        (bits.len() as u64 == len.div_ceil(2)).then_some(Self { bits, len })
    }

    fn grow(&mut self, seq: u64) {
        if seq < self.len {
            return;
        }
        let bytes = (seq / 2 + 1) as usize;
        if bytes > self.bits.capacity() {
            let more = bytes.div_ceil(STEP) * STEP - self.bits.len();
            self.bits.reserve_exact(more);
        }
        self.bits.resize(bytes, 0);
        self.len = seq + 1;
    }

    fn put(&mut self, seq: u64, nibble: u8) {
        let shift = (seq % 2) * 4;
        let byte = &mut self.bits[(seq / 2) as usize];
        *byte = (*byte & !(0xf << shift)) | (nibble << shift);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        #[test]
        fn behaves_as_a_map(steps in prop::collection::vec((0u64..300, 0u8..5), 0..400)) {
            let mut packed = Packed::default();
            let mut map: BTreeMap<u64, (State, u8)> = BTreeMap::new();
            for (seq, step) in steps {
                let entry = map.entry(seq).or_insert((State::NotSent, 0));
                if step == 4 {
                    prop_assert_eq!(packed.receive(seq), entry.1.min(MAX_RECEIPTS));
                    entry.1 += 1;
                } else {
                    packed.set_state(seq, State::of(step));
                    entry.0 = State::of(step);
                }
            }
            for seq in 0..310 {
                let (state, receipts) = map.get(&seq).copied().unwrap_or((State::NotSent, 0));
                prop_assert_eq!(packed.get(seq), (state, receipts.min(MAX_RECEIPTS)));
            }
            prop_assert_eq!(packed.len(), map.keys().next_back().map_or(0, |last| last + 1));
            let again = Packed::from_bytes(packed.as_bytes().to_vec(), packed.len());
            prop_assert_eq!(again.as_ref(), Some(&packed));
        }
    }

    #[test]
    fn a_million_ids_take_half_a_byte_each() {
        let mut packed = Packed::default();
        for seq in 0..1_000_000 {
            packed.set_state(seq, State::Acked);
        }
        assert!(packed.bytes() < 500_000 + STEP, "{} bytes", packed.bytes());
    }
}
