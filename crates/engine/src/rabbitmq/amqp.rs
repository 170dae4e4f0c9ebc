//! AMQP 0-9-1, as little of it as asks a broker whether it serves and how deep a queue is. Each call blocks, up to a deadline.
//!
//! A frame is a type, a channel, a length, that many bytes, and `0xCE`; a method is the numbers of its class and of itself, then its
//! arguments.

use secrecy::{ExposeSecret, SecretString};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

const HEADER: &[u8] = b"AMQP\0\0\x09\x01";
const METHOD: u8 = 1;
const FRAME_END: u8 = 0xCE;
/// More than any answer that is expected here.
const LARGEST: u32 = 1 << 20;

/// Class and number of a method.
type Method = (u16, u16);
const START: Method = (10, 10);
const START_OK: Method = (10, 11);
const TUNE: Method = (10, 30);
const TUNE_OK: Method = (10, 31);
const OPEN: Method = (10, 40);
const OPEN_OK: Method = (10, 41);
const CLOSE: Method = (10, 50);
const CLOSE_OK: Method = (10, 51);
const CHANNEL_OPEN: Method = (20, 10);
const CHANNEL_OPEN_OK: Method = (20, 11);
const CHANNEL_CLOSE: Method = (20, 40);
const QUEUE_DECLARE: Method = (50, 10);
const QUEUE_DECLARE_OK: Method = (50, 11);
const QUEUE_DELETE: Method = (50, 40);
const QUEUE_DELETE_OK: Method = (50, 41);
/// The words of what a broker says of a queue that is not there, and of a user whom it does not know.
const NOT_FOUND: u16 = 404;
const ANOTHER: u16 = 406;
const REFUSED: u16 = 403;

/// Why a broker did not answer as it should.
#[derive(Debug, thiserror::Error)]
pub(super) enum AmqpError {
    /// It does not accept, does not answer in time, or ended the connection.
    #[error("no AMQP answer: {0}")]
    Io(#[from] io::Error),
    /// It speaks something else.
    #[error("no AMQP 0-9-1: {0}")]
    Protocol(&'static str),
    /// It said no.
    #[error("{text}")]
    Said {
        /// Its code.
        code: u16,
        /// Its words.
        text: String,
    },
}

impl AmqpError {
    /// Whether the broker says that there is no such queue.
    pub(super) fn is_not_found(&self) -> bool {
        matches!(self, Self::Said { code: NOT_FOUND, .. })
    }

    /// Whether the broker says that there is a queue of this name that is not as it was declared.
    pub(super) fn is_another(&self) -> bool {
        matches!(self, Self::Said { code: ANOTHER, .. })
    }

    /// Whether the broker does not know this user, or not by this password.
    pub(super) fn is_refused(&self) -> bool {
        matches!(self, Self::Said { code: REFUSED, .. })
    }
}

/// A queue, as its process says it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Queue {
    /// Messages that wait; those that consumers have and did not acknowledge are not among them.
    pub(super) waiting: u32,
    /// Consumers.
    pub(super) consumers: u32,
}

/// A connection with one channel.
#[derive(Debug)]
pub(super) struct Client {
    stream: TcpStream,
    deadline: Instant,
}

impl Client {
    /// Opens a connection and a channel in the virtual host `/`; it and all that is asked on it end within a time.
    ///
    /// # Errors
    /// [`AmqpError`].
    pub(super) fn open(
        to: SocketAddr,
        user: &str,
        password: &SecretString,
        within: Duration,
    ) -> Result<Self, AmqpError> {
        let deadline = Instant::now() + within;
        let stream = TcpStream::connect_timeout(&to, within)?;
        stream.set_nodelay(true)?;
        let mut client = Self { stream, deadline };
        client.stream.set_write_timeout(Some(within))?;
        client.stream.write_all(HEADER)?;
        client.expect(START)?;
        let mut arguments = Arguments::default();
        // Without this a broker ends the connection without a word when it refuses a user.
        arguments.long(&capabilities());
        arguments.short("PLAIN");
        arguments.long(format!("\0{user}\0{}", password.expose_secret()).as_bytes());
        arguments.short("en_US");
        client.send(0, START_OK, &arguments)?;
        let tune = client.expect(TUNE)?;
        let mut arguments = Arguments::default();
        // Channels and frames as it wants them, and no heartbeats: this connection is over before one is due.
        arguments
            .0
            .extend(tune.get(..6).ok_or(AmqpError::Protocol("a short method"))?);
        arguments.number(0);
        client.send(0, TUNE_OK, &arguments)?;
        let mut arguments = Arguments::default();
        arguments.short("/");
        arguments.short("");
        arguments.0.push(0);
        client.send(0, OPEN, &arguments)?;
        client.expect(OPEN_OK)?;
        let mut arguments = Arguments::default();
        arguments.short("");
        client.send(1, CHANNEL_OPEN, &arguments)?;
        client.expect(CHANNEL_OPEN_OK)?;
        Ok(client)
    }

    /// Asks for a queue that is there.
    ///
    /// # Errors
    /// [`AmqpError`].
    pub(super) fn queue(&mut self, name: &str) -> Result<Queue, AmqpError> {
        const PASSIVE: u8 = 1;
        self.declared(name, PASSIVE, &[])
    }

    /// Defines a durable classic queue, unless it is there as such.
    ///
    /// # Errors
    /// [`AmqpError`].
    pub(super) fn define(&mut self, name: &str) -> Result<Queue, AmqpError> {
        const DURABLE: u8 = 2;
        let mut table = Arguments::default();
        table.short("x-queue-type");
        table.0.push(b'S');
        table.long(b"classic");
        self.declared(name, DURABLE, &table.0)
    }

    fn declared(&mut self, name: &str, flags: u8, table: &[u8]) -> Result<Queue, AmqpError> {
        let mut arguments = Arguments::default();
        arguments.number(0);
        arguments.short(name);
        arguments.0.push(flags);
        arguments.long(table);
        self.send(1, QUEUE_DECLARE, &arguments)?;
        let answer = self.expect(QUEUE_DECLARE_OK)?;
        let numbers = answer.len().checked_sub(8).and_then(|at| answer.get(at..));
        let numbers = numbers.ok_or(AmqpError::Protocol("a short method"))?;
        let number = |at: usize| u32::from_be_bytes([numbers[at], numbers[at + 1], numbers[at + 2], numbers[at + 3]]);
        Ok(Queue {
            waiting: number(0),
            consumers: number(4),
        })
    }

    /// Deletes a queue with its messages.
    ///
    /// # Errors
    /// [`AmqpError`].
    pub(super) fn delete(&mut self, name: &str) -> Result<(), AmqpError> {
        let mut arguments = Arguments::default();
        arguments.number(0);
        arguments.short(name);
        arguments.0.push(0);
        self.send(1, QUEUE_DELETE, &arguments)?;
        self.expect(QUEUE_DELETE_OK).map(drop)
    }

    /// Says goodbye. A broker that does not answer is no reason to wait.
    pub(super) fn close(mut self) {
        let mut arguments = Arguments::default();
        arguments.number(200);
        arguments.short("done");
        arguments.number(0);
        arguments.number(0);
        let _ = self.send(0, CLOSE, &arguments).and_then(|()| self.expect(CLOSE_OK));
    }

    fn send(&mut self, channel: u16, (class, method): Method, arguments: &Arguments) -> Result<(), AmqpError> {
        let length = u32::try_from(arguments.0.len() + 4).unwrap_or(u32::MAX);
        let mut frame = vec![METHOD];
        frame.extend(channel.to_be_bytes());
        frame.extend(length.to_be_bytes());
        frame.extend(class.to_be_bytes());
        frame.extend(method.to_be_bytes());
        frame.extend(&arguments.0);
        frame.push(FRAME_END);
        Ok(self.stream.write_all(&frame)?)
    }

    /// The arguments of the method that must come next; what ends the connection or the channel instead is an error.
    fn expect(&mut self, expected: Method) -> Result<Vec<u8>, AmqpError> {
        loop {
            let mut head = [0; 7];
            self.read(&mut head)?;
            if head.starts_with(b"AMQP") {
                return Err(AmqpError::Protocol("it speaks another version"));
            }
            let length = u32::from_be_bytes([head[3], head[4], head[5], head[6]]);
            if length > LARGEST {
                return Err(AmqpError::Protocol("a frame is too long"));
            }
            let mut body = vec![0; length as usize + 1];
            self.read(&mut body)?;
            if body.pop() != Some(FRAME_END) {
                return Err(AmqpError::Protocol("a frame does not end"));
            }
            if head[0] != METHOD {
                // A heartbeat.
                continue;
            }
            let [c0, c1, m0, m1, arguments @ ..] = body.as_slice() else {
                return Err(AmqpError::Protocol("a short method"));
            };
            let got = (u16::from_be_bytes([*c0, *c1]), u16::from_be_bytes([*m0, *m1]));
            match got {
                got if got == expected => return Ok(arguments.to_vec()),
                CLOSE | CHANNEL_CLOSE => return Err(said(arguments)),
                // Such as that publishers are blocked: nothing is published here.
                _ => {}
            }
        }
    }

    fn read(&mut self, mut into: &mut [u8]) -> Result<(), AmqpError> {
        while !into.is_empty() {
            let rest = self.deadline.saturating_duration_since(Instant::now());
            if rest.is_zero() {
                return Err(io::Error::from(io::ErrorKind::TimedOut).into());
            }
            self.stream.set_read_timeout(Some(rest))?;
            match self.stream.read(into) {
                Ok(0) => return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
                Ok(n) => into = &mut into[n..],
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Err(io::Error::from(io::ErrorKind::TimedOut).into());
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

/// Code and words of a close.
fn said(arguments: &[u8]) -> AmqpError {
    match arguments {
        [c0, c1, length, rest @ ..] => AmqpError::Said {
            code: u16::from_be_bytes([*c0, *c1]),
            text: String::from_utf8_lossy(&rest[..rest.len().min(usize::from(*length))]).into_owned(),
        },
        _ => AmqpError::Protocol("a short method"),
    }
}

/// `{capabilities: {authentication_failure_close: true}}`.
fn capabilities() -> Vec<u8> {
    let mut inner = Arguments::default();
    inner.short("authentication_failure_close");
    inner.0.extend(b"t\x01");
    let mut table = Arguments::default();
    table.short("capabilities");
    table.0.push(b'F');
    table.long(&inner.0);
    table.0
}

/// Arguments of a method.
#[derive(Debug, Default)]
struct Arguments(Vec<u8>);

impl Arguments {
    fn number(&mut self, number: u16) {
        self.0.extend(number.to_be_bytes());
    }

    /// A text of at most 255 bytes.
    fn short(&mut self, text: &str) {
        let length = text.len().min(255);
        self.0.push(u8::try_from(length).unwrap_or(u8::MAX));
        self.0.extend(&text.as_bytes()[..length]);
    }

    /// Bytes with their length before them; a table is such.
    fn long(&mut self, bytes: &[u8]) {
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        self.0.extend(length.to_be_bytes());
        self.0.extend(bytes);
    }
}

#[cfg(test)]
mod tests;
