//! One record of the log: `length u32 | crc u32 | kind u8 | epoch u64 | sequence u64 | queue length u16 | queue | body`.
//!
//! Numbers are little-endian; length and checksum are of everything behind them. The epoch of the owner who wrote it is in
//! every record, so that a second writer can be seen in the data.

/// What a record says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// An owner begins to write, or a new segment begins; the sequence is the next free one.
    Start,
    /// A message was put.
    Put,
    /// A message was taken for good.
    Taken,
}

impl Kind {
    fn byte(self) -> u8 {
        match self {
            Self::Start => b'S',
            Self::Put => b'P',
            Self::Taken => b'T',
        }
    }

    fn from_byte(byte: u8) -> Option<Self> {
        Some(match byte {
            b'S' => Self::Start,
            b'P' => Self::Put,
            b'T' => Self::Taken,
            _ => return None,
        })
    }
}

/// A record as it is read: queue and body are parts of the file's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Record<'a> {
    pub(crate) kind: Kind,
    pub(crate) epoch: u64,
    pub(crate) sequence: u64,
    pub(crate) queue: &'a str,
    pub(crate) body: &'a [u8],
}

const HEAD: usize = 8;
const FIXED: usize = 1 + 8 + 8 + 2;

/// What lies at a place of the log.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next<'a> {
    /// A whole record and how many bytes it takes.
    Record(Record<'a>, usize),
    /// The end of the file.
    End,
    /// Something else: a torn tail, or damage.
    Torn,
}

impl Record<'_> {
    /// Appends the record to a buffer.
    pub(crate) fn encode(&self, buffer: &mut Vec<u8>) {
        let start = buffer.len();
        buffer.extend_from_slice(&[0; HEAD]);
        buffer.push(self.kind.byte());
        buffer.extend_from_slice(&self.epoch.to_le_bytes());
        buffer.extend_from_slice(&self.sequence.to_le_bytes());
        let queue = u16::try_from(self.queue.len()).expect("names of queues are short");
        buffer.extend_from_slice(&queue.to_le_bytes());
        buffer.extend_from_slice(self.queue.as_bytes());
        buffer.extend_from_slice(self.body);
        let payload = &buffer[start + HEAD..];
        let length = u32::try_from(payload.len()).expect("messages are at most 100 MB");
        let crc = crc32fast::hash(payload);
        buffer[start..start + 4].copy_from_slice(&length.to_le_bytes());
        buffer[start + 4..start + HEAD].copy_from_slice(&crc.to_le_bytes());
    }
}

/// Reads what lies at the beginning of these bytes.
pub(crate) fn next(bytes: &[u8]) -> Next<'_> {
    if bytes.is_empty() {
        return Next::End;
    }
    decode(bytes).map_or(Next::Torn, |(record, length)| Next::Record(record, length))
}

fn decode(bytes: &[u8]) -> Option<(Record<'_>, usize)> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let (crc, rest) = rest.split_first_chunk::<4>()?;
    let length = u32::from_le_bytes(*length) as usize;
    let payload = rest.get(..length)?;
    if length < FIXED || crc32fast::hash(payload) != u32::from_le_bytes(*crc) {
        return None;
    }
    let (kind, rest) = payload.split_first()?;
    let (epoch, rest) = rest.split_first_chunk::<8>()?;
    let (sequence, rest) = rest.split_first_chunk::<8>()?;
    let (queue, rest) = rest.split_first_chunk::<2>()?;
    let (queue, body) = rest.split_at_checked(usize::from(u16::from_le_bytes(*queue)))?;
    let record = Record {
        kind: Kind::from_byte(*kind)?,
        epoch: u64::from_le_bytes(*epoch),
        sequence: u64::from_le_bytes(*sequence),
        queue: std::str::from_utf8(queue).ok()?,
        body,
    };
    Some((record, HEAD + length))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_was_written_comes_back(epoch: u64, sequence: u64, queue in "[A-Z.]{0,48}", body: Vec<u8>, tail: Vec<u8>) {
            let record = Record { kind: Kind::Put, epoch, sequence, queue: &queue, body: &body };
            let mut bytes = Vec::new();
            record.encode(&mut bytes);
            let length = bytes.len();
            bytes.extend(tail);
            prop_assert_eq!(next(&bytes), Next::Record(record, length));
        }

        #[test]
        fn any_cut_and_any_flipped_bit_is_seen(body: Vec<u8>, at: prop::sample::Index, bit in 0..8u32) {
            let mut bytes = Vec::new();
            Record { kind: Kind::Taken, epoch: 7, sequence: 9, queue: "Q", body: &body }.encode(&mut bytes);
            let cut = at.index(bytes.len());
            prop_assert_eq!(next(&bytes[..cut]), if cut == 0 { Next::End } else { Next::Torn });
            bytes[cut] ^= 1 << bit;
            prop_assert_eq!(next(&bytes), Next::Torn);
        }

        #[test]
        fn any_bytes_are_read(bytes: Vec<u8>) {
            let _ = next(&bytes);
        }
    }
}
