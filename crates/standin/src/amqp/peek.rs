//! A stream that reads along: what the acceptor does not tell is seen in the client's own frames.
//!
//! The acceptor hides the client's container id, which decides a takeover, and when a link gets credit, which decides whether
//! a message may be offered to it. The other way, the open frame is [changed](super::opening).

use std::{
    io,
    pin::Pin,
    sync::{Arc, OnceLock},
    task::{Context, Poll, ready},
};

use fe2o3_amqp_types::performatives::Open;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::Notify,
};

use super::opening::Opening;

/// What was seen.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// The container id of the client's open.
    pub(crate) container: OnceLock<String>,
    /// Told at every flow, which may bring credit.
    pub(crate) flow: Notify,
}

/// The stream.
#[derive(Debug)]
pub(super) struct Peek<S> {
    stream: S,
    frames: Frames,
    opening: Opening,
}

impl<S> Peek<S> {
    pub(super) fn new(stream: S) -> (Self, Arc<Seen>) {
        let seen = Arc::new(Seen::default());
        (
            Self {
                stream,
                frames: Frames {
                    seen: seen.clone(),
                    ..Frames::default()
                },
                opening: Opening::default(),
            },
            seen,
        )
    }
}

/// Largest open frame that is kept to be read; a longer one stays without its container id.
const OPEN: usize = 64 << 10;
/// Bytes of a frame that tell what it is: size, offset, type, channel, and the descriptor.
const ENOUGH: usize = 11;

/// Splits a byte stream into frames.
#[derive(Debug, Default)]
struct Frames {
    seen: Arc<Seen>,
    /// The beginning of the frame under way.
    head: Vec<u8>,
    /// Bytes of it that are passed over.
    skip: usize,
}

impl Frames {
    fn feed(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let skipped = self.skip.min(bytes.len());
            self.skip -= skipped;
            bytes = &bytes[skipped..];
            if bytes.is_empty() {
                return;
            }
            let wanted = self.wanted();
            let taken = (wanted - self.head.len()).min(bytes.len());
            self.head.extend_from_slice(&bytes[..taken]);
            bytes = &bytes[taken..];
            if self.head.len() == self.wanted() {
                self.whole();
            }
        }
    }

    /// Size of the frame under way; a protocol header is 8 bytes. Known from 8 bytes on.
    fn size(&self) -> Option<usize> {
        let first = self.head.first_chunk::<8>()?;
        if first.starts_with(b"AMQP") {
            return Some(8);
        }
        Some((u32::from_be_bytes([first[0], first[1], first[2], first[3]]) as usize).max(8))
    }

    /// How much of it is needed to go on.
    fn wanted(&self) -> usize {
        match self.size() {
            None => 8,
            Some(size) if self.head.len() >= ENOUGH && self.descriptor() == Some(0x10) && size <= OPEN => size,
            Some(size) => size.min(ENOUGH),
        }
    }

    /// Code of an AMQP performative in its usual form; the data begins behind a header of 8 bytes.
    fn descriptor(&self) -> Option<u8> {
        match self.head.get(4..ENOUGH)? {
            [2, 0, _, _, 0, 0x53, code] => Some(*code),
            _ => None,
        }
    }

    fn whole(&mut self) {
        let size = self.size().unwrap_or(self.head.len());
        match self.descriptor() {
            Some(0x10) if self.head.len() == size => {
                if let Ok(open) = serde_amqp::from_slice::<Open>(&self.head[8..]) {
                    let _ = self.seen.container.set(open.container_id);
                }
            }
            Some(0x13) => self.seen.flow.notify_waiters(),
            _ => {}
        }
        self.skip = size - self.head.len();
        self.head.clear();
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Peek<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        let result = Pin::new(&mut this.stream).poll_read(cx, buf);
        if matches!(result, Poll::Ready(Ok(()))) {
            this.frames.feed(&buf.filled()[before..]);
        }
        result
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Peek<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let bytes = this.opening.instead_of(buf);
        let count = ready!(Pin::new(&mut this.stream).poll_write(cx, bytes))?;
        this.opening.wrote(count);
        Poll::Ready(Ok(count))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn frame(kind: u8, body: &[u8]) -> Vec<u8> {
        let mut frame = u32::try_from(body.len() + 8).unwrap().to_be_bytes().to_vec();
        frame.extend([2, kind, 0, 0]);
        frame.extend(body);
        frame
    }

    fn conversation() -> Vec<u8> {
        let open = Open {
            container_id: "p0-1".to_owned(),
            hostname: None,
            max_frame_size: 65_536.into(),
            channel_max: 10.into(),
            idle_time_out: None,
            outgoing_locales: None,
            incoming_locales: None,
            offered_capabilities: None,
            desired_capabilities: None,
            properties: None,
        };
        let mut bytes = b"AMQP\x03\x01\x00\x00".to_vec();
        bytes.extend(frame(1, &[0, 0x53, 0x41, 0x45]));
        bytes.extend(b"AMQP\x00\x01\x00\x00");
        bytes.extend(frame(0, &serde_amqp::to_vec(&open).unwrap()));
        bytes.extend(frame(0, &[]));
        bytes.extend(frame(0, &[&[0, 0x53, 0x14], &[b'x'; 3000][..]].concat()));
        bytes.extend(frame(0, &[0, 0x53, 0x13, 0x45]));
        bytes
    }

    proptest! {
        #[test]
        fn the_container_id_is_seen_however_the_bytes_arrive(cuts in proptest::collection::vec(1..200_usize, 1..60)) {
            let bytes = conversation();
            let (mut peek, seen) = Peek::new(());
            let mut rest = &bytes[..];
            for cut in cuts.into_iter().cycle() {
                let (part, later) = rest.split_at(cut.min(rest.len()));
                peek.frames.feed(part);
                rest = later;
                if rest.is_empty() { break }
            }
            prop_assert_eq!(seen.container.get().map(String::as_str), Some("p0-1"));
            prop_assert!(peek.frames.head.is_empty() && peek.frames.skip == 0, "every frame was whole");
        }

        #[test]
        fn any_bytes_are_read(bytes: Vec<u8>) {
            Peek::new(()).0.frames.feed(&bytes);
        }
    }

    #[tokio::test]
    async fn a_flow_is_told() {
        let bytes = conversation();
        let (mut peek, seen) = Peek::new(());
        let told = seen.flow.notified();
        tokio::pin!(told);
        told.as_mut().enable();
        peek.frames.feed(&bytes);
        told.await;
    }
}
