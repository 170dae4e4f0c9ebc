//! The open frame, on its way to the client: it tells half of the idle time-out.
//!
//! The acceptor drops a client that was silent for exactly the time that it tells. A client that sends its heartbeats at just
//! that time, as it may, would be dropped whenever one of them is a little later than the one before. AMQP therefore wants a peer
//! to tell half of the time that it enforces, and the acceptor has one setting for both.

use fe2o3_amqp_types::performatives::Open;

/// Bytes before the body of a frame: size, offset, type and channel.
const HEADER: usize = 8;

/// Replaces the open frame among what is written.
#[derive(Debug, Default)]
pub(super) struct Opening {
    /// The frame as it goes out, once it was seen.
    frame: Option<Vec<u8>>,
    /// How much of it is written.
    written: usize,
}

impl Opening {
    /// What is written instead of these bytes; no longer than they are.
    pub(super) fn instead_of<'b>(&'b mut self, bytes: &'b [u8]) -> &'b [u8] {
        let frame = match &mut self.frame {
            Some(frame) => frame,
            empty => match halved(bytes) {
                Some(frame) => empty.insert(frame),
                None => return bytes,
            },
        };
        match frame.get(self.written..) {
            Some(rest @ [_, ..]) => rest,
            _ => bytes,
        }
    }

    /// So many of those bytes were written.
    pub(super) fn wrote(&mut self, count: usize) {
        if let Some(frame) = &self.frame {
            self.written = (self.written + count).min(frame.len());
        }
    }
}

/// The open frame at the start of the bytes, when there is one, with half of its idle time-out and no other length.
fn halved(bytes: &[u8]) -> Option<Vec<u8>> {
    let size = u32::from_be_bytes(*bytes.first_chunk()?);
    let frame = bytes.get(..usize::try_from(size).ok()?)?;
    let [2, 0, _, _, 0, 0x53, 0x10, ..] = frame.get(4..)? else {
        return None;
    };
    let mut open: Open = serde_amqp::from_slice(frame.get(HEADER..)?).ok()?;
    open.idle_time_out = open.idle_time_out.map(|millis| millis / 2);
    let halved = [&frame[..HEADER], &serde_amqp::to_vec(&open).ok()?].concat();
    (halved.len() == frame.len()).then_some(halved)
}
