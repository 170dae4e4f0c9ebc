//! A queue in memory: first in, first out, with messages under way and places held for puts that are not safe yet.

use parking_lot::{Mutex, MutexGuard};
use std::{collections::VecDeque, sync::Arc};

use tokio::sync::Notify;

/// A message on a queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Message {
    /// Its place in the order of all messages.
    pub(crate) sequence: u64,
    /// The encoded AMQP message.
    pub(crate) body: Arc<[u8]>,
    /// Whether it is in the log.
    pub(crate) persistent: bool,
    /// How often it was given out without being taken; 1 after a restart, since nobody knows.
    pub(crate) delivery_count: u32,
}

/// A queue, shared by links, writer and commands.
#[derive(Debug)]
pub(crate) struct Queue {
    pub(crate) name: String,
    inner: Mutex<Inner>,
    /// Told whenever a message becomes available.
    pub(crate) available: Notify,
    /// Held by the link that offers a message: one that may come back must not be overtaken on another link meanwhile.
    pub(crate) offering: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct Inner {
    ready: VecDeque<Message>,
    under_way: u64,
    held: u64,
    max_depth: u64,
    deleted: bool,
}

/// The queue holds as many messages as it may.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Full;

impl Queue {
    pub(crate) fn new(name: &str, max_depth: u64) -> Self {
        let inner = Inner {
            max_depth,
            ..Inner::default()
        };
        Self {
            name: name.to_owned(),
            inner: Mutex::new(inner),
            available: Notify::new(),
            offering: tokio::sync::Mutex::new(()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock()
    }

    pub(crate) fn set_max_depth(&self, max_depth: u64) {
        self.lock().max_depth = max_depth;
    }

    /// Messages on the queue, also those given out and not taken yet.
    pub(crate) fn depth(&self) -> u64 {
        let inner = self.lock();
        inner.ready.len() as u64 + inner.under_way
    }

    /// Holds a place for a message that is not safe yet.
    pub(crate) fn hold(&self) -> Result<(), Full> {
        let mut inner = self.lock();
        if inner.ready.len() as u64 + inner.under_way + inner.held >= inner.max_depth {
            return Err(Full);
        }
        inner.held += 1;
        Ok(())
    }

    /// Puts a message into the place held for it.
    pub(crate) fn put(&self, message: Message) {
        let mut inner = self.lock();
        inner.held = inner.held.saturating_sub(1);
        inner.ready.push_back(message);
        drop(inner);
        self.available.notify_one();
    }

    /// Gives up a held place.
    pub(crate) fn let_go(&self) {
        let mut inner = self.lock();
        inner.held = inner.held.saturating_sub(1);
    }

    /// Gives out the first message.
    pub(crate) fn take(&self) -> Option<Message> {
        let mut inner = self.lock();
        let message = inner.ready.pop_front()?;
        inner.under_way += 1;
        Some(message)
    }

    /// A message given out is gone for good.
    pub(crate) fn taken(&self) {
        let mut inner = self.lock();
        inner.under_way = inner.under_way.saturating_sub(1);
    }

    /// A message given out comes back, to its old place in the order.
    pub(crate) fn give_back(&self, message: Message) {
        let mut inner = self.lock();
        inner.under_way = inner.under_way.saturating_sub(1);
        if !inner.deleted {
            let place = inner.ready.iter().take_while(|m| m.sequence < message.sequence).count();
            inner.ready.insert(place, message);
        }
        drop(inner);
        self.available.notify_one();
    }

    /// Empties the queue for its deletion; what is under way does not come back.
    pub(crate) fn clear_and_delete(&self) -> Vec<Message> {
        let mut inner = self.lock();
        inner.deleted = true;
        let messages = inner.ready.drain(..).collect();
        drop(inner);
        self.available.notify_waiters();
        messages
    }

    /// Empties the queue.
    pub(crate) fn clear(&self) -> Vec<Message> {
        self.lock().ready.drain(..).collect()
    }

    /// Whether the queue was deleted.
    pub(crate) fn is_deleted(&self) -> bool {
        self.lock().deleted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(sequence: u64) -> Message {
        Message {
            sequence,
            body: Arc::from([]),
            persistent: true,
            delivery_count: 0,
        }
    }

    fn order(queue: &Queue) -> Vec<u64> {
        std::iter::from_fn(|| queue.take()).map(|m| m.sequence).collect()
    }

    #[test]
    fn first_in_first_out_also_after_they_came_back_in_any_order() {
        let queue = Queue::new("Q", 100);
        for sequence in 1..=6 {
            queue.hold().unwrap();
            queue.put(message(sequence));
        }
        let out: Vec<Message> = (0..4).filter_map(|_| queue.take()).collect();
        for at in [2, 0, 3] {
            queue.give_back(out[at].clone());
        }
        queue.taken();
        assert_eq!(queue.depth(), 5);
        assert_eq!(order(&queue), [1, 3, 4, 5, 6]);
    }

    #[test]
    fn depth_counts_what_is_held_and_under_way() {
        let queue = Queue::new("Q", 2);
        queue.hold().unwrap();
        queue.hold().unwrap();
        assert_eq!(queue.hold(), Err(Full));
        queue.put(message(1));
        queue.let_go();
        queue.hold().unwrap();
        queue.put(message(2));
        queue.take().unwrap();
        assert_eq!((queue.depth(), queue.hold()), (2, Err(Full)));
        queue.taken();
        assert_eq!((queue.depth(), queue.hold()), (1, Ok(())));
    }

    #[test]
    fn a_deleted_queue_takes_nothing_back() {
        let queue = Queue::new("Q", 2);
        queue.hold().unwrap();
        queue.put(message(1));
        let out = queue.take().unwrap();
        assert!(queue.clear_and_delete().is_empty());
        queue.give_back(out);
        assert_eq!(queue.depth(), 0);
    }
}
