//! Identity of a message: what the body says, and whether what came back is what was sent.

use std::fmt;

/// First four bytes of every body.
const MAGIC: [u8; 4] = *b"MQAW";

/// Bytes of the header in front of the filler.
pub const HEADER_BYTES: usize = 40;

/// Identity of one round: a random number, so that leftovers of other rounds are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RunId(pub u64);

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// Identity of one attempt within a round; an id is put once and never again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId {
    /// Producer, from 0.
    pub producer: u32,
    /// Slot of that producer, from 0, without holes.
    pub seq: u64,
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.producer, self.seq)
    }
}

/// What a body says about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// The round.
    pub run: RunId,
    /// The attempt.
    pub id: MessageId,
    /// Number of the producer's connection, from 1; order is only promised within one.
    pub connection: u32,
    /// When it was handed to the client, nanoseconds since the round began.
    pub sent_ns: u64,
}

/// Why a body is not one of this test's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadBody {
    /// It does not begin as ours do.
    NotOurs,
    /// It begins as ours do, but the checksum does not fit.
    Corrupt,
}

impl Header {
    /// A body of `size` bytes, at least [`HEADER_BYTES`]; the checksum covers the filler too.
    #[must_use]
    pub fn body(&self, size: usize) -> Vec<u8> {
        let size = size.max(HEADER_BYTES);
        let mut body = Vec::with_capacity(size);
        body.extend_from_slice(&MAGIC);
        body.extend_from_slice(&self.run.0.to_be_bytes());
        body.extend_from_slice(&self.id.producer.to_be_bytes());
        body.extend_from_slice(&self.connection.to_be_bytes());
        body.extend_from_slice(&self.id.seq.to_be_bytes());
        body.extend_from_slice(&self.sent_ns.to_be_bytes());
        body.extend_from_slice(&[0; 4]);
        let salt = self.id.seq as u8;
        body.extend((HEADER_BYTES..size).map(|at| (at as u8) ^ salt));
        let sum = checksum(&body);
        body[36..40].copy_from_slice(&sum.to_be_bytes());
        body
    }

    /// Reads a body back.
    ///
    /// # Errors
    /// [`BadBody::NotOurs`] when it is some other program's message, [`BadBody::Corrupt`] when it is ours and changed on the way.
    pub fn read(body: &[u8]) -> Result<Self, BadBody> {
        if body.get(..4) != Some(&MAGIC[..]) {
            return Err(BadBody::NotOurs);
        }
        if body.len() < HEADER_BYTES || checksum(body).to_be_bytes() != body[36..40] {
            return Err(BadBody::Corrupt);
        }
        let u32_at = |at: usize| body[at..at + 4].iter().fold(0u32, |n, b| (n << 8) | u32::from(*b));
        let u64_at = |at: usize| body[at..at + 8].iter().fold(0u64, |n, b| (n << 8) | u64::from(*b));
        Ok(Self {
            run: RunId(u64_at(4)),
            id: MessageId {
                producer: u32_at(12),
                seq: u64_at(20),
            },
            connection: u32_at(16),
            sent_ns: u64_at(28),
        })
    }
}

fn checksum(body: &[u8]) -> u32 {
    let mut sum = crc32fast::Hasher::new();
    sum.update(&body[..36]);
    sum.update(&body[40..]);
    sum.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_body_reads_back_as_written(run: u64, producer: u32, seq: u64, connection: u32, sent_ns: u64, size in 0usize..3000) {
            let header = Header { run: RunId(run), id: MessageId { producer, seq }, connection, sent_ns };
            let body = header.body(size);
            prop_assert_eq!(body.len(), size.max(HEADER_BYTES));
            prop_assert_eq!(Header::read(&body), Ok(header));
        }

        #[test]
        fn any_changed_byte_is_found(seq: u64, at in 4usize..200, flip in 1u8..) {
            let header = Header { run: RunId(7), id: MessageId { producer: 1, seq }, connection: 1, sent_ns: 5 };
            let mut body = header.body(200);
            body[at] ^= flip;
            prop_assert_eq!(Header::read(&body), Err(BadBody::Corrupt));
        }
    }

    #[test]
    fn other_bodies_are_not_ours() {
        for body in [&b""[..], b"MQA", b"hello", &[0; 64]] {
            assert_eq!(Header::read(body), Err(BadBody::NotOurs));
        }
        assert_eq!(Header::read(b"MQAW and too short"), Err(BadBody::Corrupt));
    }
}
