//! A stream that remembers when the other side was last heard: what a connection's end is noticed by says little about when it ended.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Instant;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// When the other side was last heard.
#[derive(Debug, Clone)]
pub(super) struct Heard(Arc<Mutex<Instant>>);

impl Heard {
    /// The time.
    pub(super) fn at(&self) -> Instant {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The stream.
#[derive(Debug)]
pub(super) struct Listening<S> {
    stream: S,
    heard: Heard,
}

impl<S> Listening<S> {
    /// Listens to a stream; it counts as heard now.
    pub(super) fn to(stream: S) -> (Self, Heard) {
        let heard = Heard(Arc::new(Mutex::new(Instant::now())));
        let listening = Self {
            stream,
            heard: heard.clone(),
        };
        (listening, heard)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Listening<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        let result = Pin::new(&mut this.stream).poll_read(cx, buf);
        if buf.filled().len() > before {
            *this.heard.0.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        }
        result
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Listening<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
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
    use std::time::Duration;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    #[tokio::test]
    async fn only_what_is_read_counts_and_silence_and_the_end_do_not() {
        let (mut far, near) = tokio::io::duplex(64);
        let (mut near, heard) = Listening::to(near);
        let first = heard.at();
        near.write_all(b"hello").await.unwrap();
        assert_eq!(heard.at(), first);
        far.write_all(b"yes").await.unwrap();
        let mut answer = [0; 3];
        near.read_exact(&mut answer).await.unwrap();
        let answered = heard.at();
        assert!(answered > first);
        drop(far);
        let end = tokio::time::timeout(Duration::from_secs(10), near.read(&mut answer)).await;
        assert_eq!((end.unwrap().unwrap(), heard.at()), (0, answered));
    }
}
