//! The toy's data: queues in memory, and a journal on the shared file system that makes persistent messages last.

use std::collections::{HashMap, VecDeque};
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;
use std::sync::{Arc, Mutex};

/// What connections share.
pub(super) type Shared = Arc<Mutex<Journal>>;

/// One message.
#[derive(Debug, Clone)]
pub(super) struct Message {
    pub id: u64,
    pub body: Vec<u8>,
    pub durable: bool,
    /// How often it was given out in vain.
    pub failed: u32,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<Message>,
    /// Given out and not accepted yet.
    out: u64,
}

/// The queues, and where they are written down: `put ID QUEUE HEX` and `got ID QUEUE`, one a line.
#[derive(Debug)]
pub(super) struct Journal {
    file: File,
    queues: HashMap<String, Queue>,
    next: u64,
}

impl Journal {
    /// Reads what is there; a last line that was cut off was never acknowledged.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().append(true).read(true).open(path)?;
        let mut journal = Self {
            file: file.try_clone()?,
            queues: HashMap::new(),
            next: 0,
        };
        for line in BufReader::new(file).lines() {
            let line = line?;
            match line.split(' ').collect::<Vec<_>>()[..] {
                ["put", id, queue, hex] => {
                    let (Ok(id), Some(body)) = (id.parse(), bytes(hex)) else {
                        continue;
                    };
                    journal.next = journal.next.max(id + 1);
                    let message = Message {
                        id,
                        body,
                        durable: true,
                        failed: 0,
                    };
                    journal.queue(queue).waiting.push_back(message);
                }
                ["got", id, queue] => {
                    let waiting = &mut journal.queue(queue).waiting;
                    waiting.retain(|message| message.id.to_string() != id);
                }
                _ => {}
            }
        }
        // So that a line that was cut off does not spoil the next one.
        writeln!(journal.file)?;
        Ok(journal)
    }

    fn queue(&mut self, name: &str) -> &mut Queue {
        self.queues.entry(name.to_owned()).or_default()
    }

    fn write(&mut self, line: &str) -> io::Result<()> {
        writeln!(self.file, "{line}")?;
        self.file.sync_data()
    }

    /// Takes a message in; a persistent one is on the disk when this returns.
    pub(super) fn put(&mut self, queue: &str, body: Vec<u8>, durable: bool) -> io::Result<()> {
        let id = self.next;
        self.next += 1;
        if durable {
            let hex: String = body.iter().map(|byte| format!("{byte:02x}")).collect();
            self.write(&format!("put {id} {queue} {hex}"))?;
        }
        let message = Message {
            id,
            body,
            durable,
            failed: 0,
        };
        self.queue(queue).waiting.push_back(message);
        Ok(())
    }

    /// Gives a message out.
    pub(super) fn take(&mut self, queue: &str) -> Option<Message> {
        let queue = self.queue(queue);
        let message = queue.waiting.pop_front()?;
        queue.out += 1;
        Some(message)
    }

    /// A message was accepted.
    pub(super) fn accepted(&mut self, queue: &str, message: &Message) -> io::Result<()> {
        self.queue(queue).out -= 1;
        match message.durable {
            true => self.write(&format!("got {} {queue}", message.id)),
            false => Ok(()),
        }
    }

    /// A message that was given out comes back to its place.
    pub(super) fn back(&mut self, queue: &str, mut message: Message) {
        message.failed += 1;
        let queue = self.queue(queue);
        queue.out -= 1;
        let before = queue.waiting.partition_point(|one| one.id < message.id);
        queue.waiting.insert(before, message);
    }

    /// Messages on a queue, given out or not.
    pub(super) fn depth(&mut self, queue: &str) -> u64 {
        let queue = self.queue(queue);
        queue.waiting.len() as u64 + queue.out
    }

    /// Empties a queue.
    pub(super) fn clear(&mut self, queue: &str) -> io::Result<()> {
        while let Some(message) = self.take(queue) {
            self.accepted(queue, &message)?;
        }
        Ok(())
    }
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    let digits = |at: usize| u8::from_str_radix(hex.get(at..at + 2)?, 16).ok();
    (0..hex.len()).step_by(2).map(digits).collect()
}
