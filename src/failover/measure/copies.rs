//! Messages that their producer sent again because it had no answer: each sending makes a copy, and each copy may come once.

use super::id::MessageId;
use std::collections::HashMap;

/// One sending of a message: a producer's connection carries an id at most once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Copy {
    /// The message.
    pub(super) id: MessageId,
    /// Number of the producer's connection.
    pub(super) connection: u32,
}

/// The sendings of one message, and which of them came.
#[derive(Debug, Clone, Default)]
struct Sendings {
    first_came: bool,
    again: Vec<(u32, bool)>,
}

/// The messages that were sent more than once; there are as few of them as an outage leaves without an answer.
#[derive(Debug, Clone, Default)]
pub(super) struct Copies(HashMap<MessageId, Sendings>);

impl Copies {
    /// A message is sent again; `came` when it was received before.
    pub(super) fn send(&mut self, copy: Copy, came: bool) {
        let sendings = self.0.entry(copy.id).or_insert_with(|| Sendings {
            first_came: came,
            again: Vec::new(),
        });
        sendings.again.push((copy.connection, false));
    }

    /// A copy did not leave; whether it was one of those that were sent again.
    pub(super) fn unsent(&mut self, copy: Copy) -> bool {
        let Some(sendings) = self.0.get_mut(&copy.id) else {
            return false;
        };
        let place = sendings
            .again
            .iter()
            .position(|again| *again == (copy.connection, false));
        place.map(|place| sendings.again.swap_remove(place)).is_some()
    }

    /// Whether a message was sent more than once.
    pub(super) fn has(&self, id: MessageId) -> bool {
        self.0.contains_key(&id)
    }

    /// A copy is received: whether it had not been before. `None` for a message that was sent once.
    pub(super) fn receive(&mut self, copy: Copy) -> Option<bool> {
        let sendings = self.0.get_mut(&copy.id)?;
        let again = sendings.again.iter_mut().find(|again| again.0 == copy.connection);
        let came = again.map_or(&mut sendings.first_came, |again| &mut again.1);
        Some(!std::mem::replace(came, true))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_sending_may_come_once() {
        let id = MessageId { producer: 0, seq: 7 };
        let copy = |connection| Copy { id, connection };
        let mut copies = Copies::default();
        assert_eq!(copies.receive(copy(1)), None);
        copies.send(copy(2), false);
        copies.send(copy(3), false);
        assert!(copies.has(id));
        for connection in [3, 1, 2] {
            assert_eq!(copies.receive(copy(connection)), Some(true));
            assert_eq!(copies.receive(copy(connection)), Some(false), "a second time");
        }
        let mut received = Copies::default();
        received.send(copy(2), true);
        assert_eq!(
            (received.receive(copy(1)), received.receive(copy(2))),
            (Some(false), Some(true))
        );
    }
}
