//! The entries of the ledger: attempts, receipts, and what belongs to no single id.

use super::id::MessageId;
use super::pack::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The client's word on one attempt, as a driver reports it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// A definite positive: accepted.
    Acked,
    /// A definite negative: rejected, released, modified.
    Failed,
    /// No word after the first byte may have left.
    Unknown,
    /// It never left this process.
    NotSent,
}

impl From<Outcome> for State {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Acked => Self::Acked,
            Outcome::Failed => Self::Failed,
            Outcome::Unknown => Self::Unknown,
            Outcome::NotSent => Self::NotSent,
        }
    }
}

/// Full record of one attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PutRecord {
    /// The attempt.
    pub id: MessageId,
    /// Connection number of the producer.
    pub connection: u32,
    /// When its slot was due.
    pub due_ns: u64,
    /// When it was handed to the client.
    pub sent_ns: u64,
    /// When its outcome was known, or given up.
    pub done_ns: u64,
    /// What became of it.
    pub state: State,
}

/// Full record of one receipt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Receipt {
    /// The message.
    pub id: MessageId,
    /// Which consumer got it.
    pub consumer: u32,
    /// Connection number of that consumer.
    pub connection: u32,
    /// When the consumer had it, before it accepted it.
    pub at_ns: u64,
    /// When the producer had handed it to its client, from the body.
    pub sent_ns: u64,
    /// Whether it is the first receipt of this id.
    pub first: bool,
    /// Whether the broker flagged it as redelivered.
    pub redelivered: bool,
}

/// What a receipt turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Received {
    /// The first of its id.
    First(MessageId),
    /// One more of its id.
    Again(MessageId),
    /// Of this round, but never attempted.
    Unexpected,
    /// Of another round or another program.
    Foreign,
    /// Changed on the way.
    Corrupt,
}

/// Receipts that belong to no attempt, and what was seen of order and repetition.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Tally {
    /// Of this round, never attempted.
    pub unexpected: u64,
    /// Of another round or another program.
    pub foreign: u64,
    /// Changed on the way.
    pub corrupt: u64,
    /// Receipts beyond the first, flagged as redelivered, that a lost connection explains: it had the message, not yet settled or settled
    /// less than 5 s before its end.
    pub extra_flagged: u64,
    /// Receipts beyond the first, without a flag, that a lost connection explains.
    pub extra_unflagged: u64,
    /// Receipts beyond the first that nothing explains, flagged or not: the connection that had the message was alive, or the message was
    /// settled on it long before its end.
    pub extra_unexplained: u64,
    /// Receipts of a message that was received before, as another copy: the producer had no answer and sent it again.
    #[serde(default)]
    pub extra_sent_again: u64,
    /// Messages that a producer sent again because it had no answer.
    #[serde(default)]
    pub sent_again: u64,
    /// First receipts that came after a later message of the same producer connection, on one consumer connection, with nothing that
    /// explains it.
    pub reordered: u64,
    /// First receipts that came after a later message in the same way, and are not judged: flagged as redelivered, or another consumer's
    /// connection ended since the later one came.
    #[serde(default)]
    pub order_not_judged: u64,
    /// First receipts out of order only across a reconnect, or flagged as redelivered.
    pub reordered_across_reconnect: u64,
    /// Largest distance of a reordered message.
    pub max_displacement: u64,
    /// First receipts of persistent producers whose durable flag had got lost.
    pub not_durable: u64,
}

impl Tally {
    /// Receipts beyond the first that a lost connection explains, flagged as redelivered or not.
    pub(super) fn explained(&mut self, flagged: bool) -> &mut u64 {
        match flagged {
            true => &mut self.extra_flagged,
            false => &mut self.extra_unflagged,
        }
    }

    /// All receipts beyond the first.
    #[must_use]
    pub fn extra(&self) -> u64 {
        self.extra_flagged + self.extra_unflagged + self.extra_unexplained + self.extra_sent_again
    }
}

/// A delivery as a driver hands it over, before it is settled.
#[derive(Debug, Clone, Copy)]
pub struct Arrival<'a> {
    /// Which consumer, from 0.
    pub consumer: u32,
    /// Connection number of that consumer, from 1.
    pub connection: u32,
    /// Body as received.
    pub body: &'a [u8],
    /// Whether the broker flagged it as redelivered.
    pub redelivered: bool,
    /// Whether the broker says that it is persistent.
    pub durable: bool,
    /// When it was received.
    pub at_ns: u64,
}
