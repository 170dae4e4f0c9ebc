//! Just enough of AMQP 1.0's frames: where one ends, which performative it carries, and how it is written again.

use fe2o3_amqp_types::messaging::Header;
use std::io::{self, Read};

/// Codes of the performatives that the relay looks into.
pub(super) const ATTACH: u8 = 0x12;
pub(super) const FLOW: u8 = 0x13;
pub(super) const TRANSFER: u8 = 0x14;
pub(super) const DISPOSITION: u8 = 0x15;

/// The header section of a message.
const HEADER: u8 = 0x70;

/// One frame, or the eight bytes of a protocol header.
pub(super) struct Frame {
    pub bytes: Vec<u8>,
}

impl Frame {
    /// Reads the next frame; `None` at the end of the stream.
    pub(super) fn read(stream: &mut impl Read) -> io::Result<Option<Self>> {
        let mut bytes = vec![0; 8];
        if let Err(error) = stream.read_exact(&mut bytes) {
            return match error.kind() {
                io::ErrorKind::UnexpectedEof => Ok(None),
                _ => Err(error),
            };
        }
        if !bytes.starts_with(b"AMQP") {
            let size = u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) as usize;
            bytes.resize(size.max(8), 0);
            stream.read_exact(&mut bytes[8..])?;
        }
        Ok(Some(Self { bytes }))
    }

    /// Code of its performative; `None` for protocol headers, heartbeats and SASL.
    pub(super) fn code(&self) -> Option<u8> {
        match self.bytes.get(4..11)? {
            [2, 0, _, _, 0, 0x53, code] => Some(*code),
            _ => None,
        }
    }

    /// The performative and what follows it.
    pub(super) fn parts(&self) -> (&[u8], &[u8]) {
        split(&self.bytes[8..])
    }

    /// A frame of the same channel with another performative and payload.
    pub(super) fn with(&self, performative: &[u8], payload: &[u8]) -> Self {
        let size = 8 + performative.len() + payload.len();
        let mut bytes = u32::try_from(size).unwrap().to_be_bytes().to_vec();
        bytes.extend_from_slice(&self.bytes[4..8]);
        bytes.extend_from_slice(performative);
        bytes.extend_from_slice(payload);
        Self { bytes }
    }
}

/// The message with a header that says how often it was delivered before.
pub(super) fn delivered_before(payload: &[u8], times: u32) -> Vec<u8> {
    let (header, rest) = match payload.get(..3) {
        Some([0, 0x53, HEADER]) => split(payload),
        _ => (&payload[..0], payload),
    };
    let mut header: Header = serde_amqp::from_slice(header).unwrap_or_default();
    header.delivery_count = times;
    let mut message = serde_amqp::to_vec(&header).unwrap();
    message.extend_from_slice(rest);
    message
}

/// Splits behind the described list at the beginning.
fn split(bytes: &[u8]) -> (&[u8], &[u8]) {
    let end = match bytes[3] {
        0xc0 => 5 + usize::from(bytes[4]),
        0xd0 => 8 + u32::from_be_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]) as usize,
        _ => 4,
    };
    bytes.split_at(end)
}
