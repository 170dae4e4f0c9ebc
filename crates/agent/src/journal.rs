//! Logs in the journal's own protocol: each field of an event is a field of the entry.
//!
//! `journalctl -u mqaws-agent MQAWS_MARK=serving` then finds what a line of text would have to be searched for. The fields
//! are those of the events, in capitals, behind `MQAWS_`.

use std::fmt::{Debug, Write as _};
use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

/// Where the journal listens.
pub(crate) const SOCKET: &str = "/run/systemd/journal/socket";

/// Sends events to the journal.
pub(crate) struct Journal {
    socket: UnixDatagram,
    identifier: &'static str,
}

impl Journal {
    /// The journal behind this socket.
    ///
    /// # Errors
    /// When nothing listens there.
    pub(crate) fn connect(path: &Path, identifier: &'static str) -> io::Result<Self> {
        let socket = UnixDatagram::unbound()?;
        socket.connect(path)?;
        // A journal that does not read must not hold the agent; what does not fit is lost.
        socket.set_nonblocking(true)?;
        Ok(Self { socket, identifier })
    }
}

/// The priority of syslog.
fn priority(level: Level) -> u8 {
    match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        Level::DEBUG | Level::TRACE => 7,
    }
}

/// An entry under construction.
#[derive(Default)]
struct Entry {
    message: String,
    text: String,
    fields: Vec<u8>,
}

impl Entry {
    fn put(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            value.clone_into(&mut self.message);
            return;
        }
        let _ = write!(self.text, " {}={value}", field.name());
        let letter = |c: char| {
            if c.is_ascii_alphanumeric() {
                c.to_ascii_uppercase()
            } else {
                '_'
            }
        };
        let name: String = field.name().chars().map(letter).collect();
        append(&mut self.fields, &format!("MQAWS_{name}"), value);
    }
}

impl Visit for Entry {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value);
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.put(field, &crate::remedy::chain(value));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.put(field, &format!("{value:?}"));
    }
}

/// One field; a value with line breaks goes with its length before it.
fn append(out: &mut Vec<u8>, name: &str, value: &str) {
    out.extend(name.as_bytes());
    if value.contains('\n') {
        out.push(b'\n');
        out.extend((value.len() as u64).to_le_bytes());
    } else {
        out.push(b'=');
    }
    out.extend(value.as_bytes());
    out.push(b'\n');
}

impl<S: Subscriber> Layer<S> for Journal {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        let mut entry = Entry::default();
        event.record(&mut entry);
        let mut out = Vec::with_capacity(256);
        append(&mut out, "MESSAGE", &format!("{}{}", entry.message, entry.text));
        append(&mut out, "PRIORITY", &priority(*event.metadata().level()).to_string());
        append(&mut out, "SYSLOG_IDENTIFIER", self.identifier);
        append(&mut out, "MQAWS_MODULE", event.metadata().target());
        out.extend(&entry.fields);
        let _ = self.socket.send(&out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracing_subscriber::layer::SubscriberExt;

    #[test]
    fn an_event_is_an_entry_with_its_fields() {
        let dir = tempfile::tempdir().expect("tempdir");
        let path = dir.path().join("journal");
        let journal = UnixDatagram::bind(&path).expect("bind");
        let layer = Journal::connect(&path, "mqaws-agent").expect("connect");
        let subscriber = tracing_subscriber::registry().with(layer);
        tracing::subscriber::with_default(subscriber, || {
            tracing::warn!(mark = "serving", epoch = 3, why = "two\nlines", "mark");
        });
        let mut bytes = [0; 1024];
        let length = journal.recv(&mut bytes).expect("entry");
        let mut expected = b"MESSAGE\n".to_vec();
        let message = "mark mark=serving epoch=3 why=two\nlines";
        expected.extend((message.len() as u64).to_le_bytes());
        expected.extend(message.as_bytes());
        expected.extend(b"\nPRIORITY=4\nSYSLOG_IDENTIFIER=mqaws-agent\nMQAWS_MODULE=");
        expected.extend(module_path!().as_bytes());
        expected.extend(b"\nMQAWS_MARK=serving\nMQAWS_EPOCH=3\nMQAWS_WHY\n");
        expected.extend(9_u64.to_le_bytes());
        expected.extend(b"two\nlines\n");
        assert_eq!(
            String::from_utf8_lossy(&bytes[..length]),
            String::from_utf8_lossy(&expected)
        );
        assert!(Journal::connect(&dir.path().join("gone"), "x").is_err());
    }
}
