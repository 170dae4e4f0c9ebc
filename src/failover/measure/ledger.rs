//! What was put and what came back: every id in four bits, full records only around the fault and for anomalies.
//!
//! Times are nanoseconds since the round began, on one monotonic clock. Nothing here waits, reads a clock or fails.

use super::copies::{Copies, Copy};
pub use super::entry::{Arrival, Outcome, PutRecord, Receipt, Received, Tally};
use super::id::{BadBody, Header, MessageId, RunId};
use super::lane::{Lanes, Order};
use super::link::{Link, Pauses};
use super::pack::{Packed, State};
use super::repeat::{Explanation, Repeats};
use std::collections::{HashMap, VecDeque};

/// Anomalies kept in full; more are only counted.
const MAX_ANOMALIES: usize = 10_000;

/// One producer's ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Book {
    /// Whether its messages are persistent; others may be lost and are accounted apart.
    pub persistent: bool,
    /// States and receipts.
    pub ids: Packed,
}

/// The ledger of one round.
#[derive(Debug, Clone)]
pub struct Ledger {
    run: RunId,
    books: Vec<Book>,
    tally: Tally,
    open: HashMap<MessageId, PutRecord>,
    puts: VecDeque<PutRecord>,
    receipts: VecDeque<Receipt>,
    anomalies: Vec<PutRecord>,
    repeated: Vec<Receipt>,
    keep_ns: u64,
    fault_ns: Option<u64>,
    before_fault: Vec<u64>,
    recovered_ns: Option<u64>,
    lanes: Lanes,
    copies: Copies,
    repeats: Repeats,
    pauses: Pauses,
    highest_ever: HashMap<(u32, u32), u64>,
    acked: u64,
    received: u64,
}

impl Ledger {
    /// A ledger for producers that are persistent or not, keeping full records for `keep_ns` on either side of the fault.
    #[must_use]
    pub fn new(run: RunId, persistent: &[bool], keep_ns: u64) -> Self {
        Self {
            run,
            books: persistent
                .iter()
                .map(|&persistent| Book {
                    persistent,
                    ids: Packed::default(),
                })
                .collect(),
            tally: Tally::default(),
            open: HashMap::new(),
            puts: VecDeque::new(),
            receipts: VecDeque::new(),
            anomalies: Vec::new(),
            repeated: Vec::new(),
            keep_ns,
            fault_ns: None,
            before_fault: Vec::new(),
            recovered_ns: None,
            lanes: Lanes::default(),
            copies: Copies::default(),
            repeats: Repeats::default(),
            pauses: Pauses::default(),
            highest_ever: HashMap::new(),
            acked: 0,
            received: 0,
        }
    }

    /// The round.
    #[must_use]
    pub fn run(&self) -> RunId {
        self.run
    }

    /// One book a producer.
    #[must_use]
    pub fn books(&self) -> &[Book] {
        &self.books
    }

    /// The number of a producer's ids so far, and with it the next one that is free.
    #[must_use]
    pub fn attempted(&self, producer: u32) -> u64 {
        self.books.get(producer as usize).map_or(0, |book| book.ids.len())
    }

    /// What belongs to no single id.
    #[must_use]
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Acknowledged so far.
    #[must_use]
    pub fn acked(&self) -> u64 {
        self.acked
    }

    /// Different messages received so far.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.received
    }

    /// Attempts within the window, and the anomalies outside it that were kept, by time of their outcome.
    pub fn puts(&self) -> impl Iterator<Item = &PutRecord> {
        self.anomalies.iter().chain(self.puts.iter())
    }

    /// Receipts within the window, in order of time; repeated ones outside it come first.
    pub fn receipts(&self) -> impl Iterator<Item = &Receipt> {
        self.repeated.iter().chain(self.receipts.iter())
    }

    /// A slot came due and nothing was sent.
    pub fn missed(&mut self, id: MessageId) {
        if let Some(book) = self.books.get_mut(id.producer as usize) {
            book.ids.set_state(id.seq, State::NotSent);
        }
    }

    /// An attempt is handed to the client; from here on it may be there. Call it before the first byte can leave.
    pub fn sent(&mut self, id: MessageId, connection: u32, due_ns: u64, sent_ns: u64) {
        let Some(book) = self.books.get_mut(id.producer as usize) else {
            return;
        };
        book.ids.set_state(id.seq, State::Unknown);
        let record = PutRecord {
            id,
            connection,
            due_ns,
            sent_ns,
            done_ns: sent_ns,
            state: State::Unknown,
        };
        self.open.insert(id, record);
    }

    /// A message that has no answer is handed to the client once more, on another connection.
    pub fn sent_again(&mut self, id: MessageId, connection: u32, due_ns: u64, sent_ns: u64) {
        let Some(book) = self.books.get(id.producer as usize) else {
            return;
        };
        let came = book.ids.get(id.seq).1 > 0;
        self.copies.send(Copy { id, connection }, came);
        self.tally.sent_again += 1;
        self.sent(id, connection, due_ns, sent_ns);
    }

    /// The client's word on an attempt.
    pub fn outcome(&mut self, id: MessageId, outcome: Outcome, at_ns: u64) {
        let Some(mut record) = self.open.remove(&id) else {
            return;
        };
        let state = State::from(outcome);
        let copy = Copy {
            id,
            connection: record.connection,
        };
        if state == State::NotSent && self.copies.unsent(copy) {
            self.tally.sent_again -= 1;
        }
        let state = match state {
            // Whatever became of this copy, an earlier one may be there.
            state if state != State::Acked && self.copies.has(id) => State::Unknown,
            state => state,
        };
        self.books[id.producer as usize].ids.set_state(id.seq, state);
        self.acked += u64::from(state == State::Acked);
        record.done_ns = at_ns;
        record.state = state;
        if self.keeps(at_ns) {
            self.puts.push_back(record);
        } else if state != State::Acked {
            self.keep_anomaly(record);
        }
        self.trim(at_ns);
    }

    /// Due time of the first attempt without an outcome that was due after `since_ns`.
    #[must_use]
    pub fn first_open_ns(&self, producer: u32, since_ns: u64) -> Option<u64> {
        let open = self.open.values().filter(|put| put.id.producer == producer);
        open.map(|put| put.due_ns).filter(|&due| due > since_ns).min()
    }

    /// The connection of a producer is gone: what has no outcome stays unknown. Returns which those are.
    pub fn abandon(&mut self, producer: u32, at_ns: u64) -> Vec<MessageId> {
        let mut left: Vec<MessageId> = self.open.keys().filter(|id| id.producer == producer).copied().collect();
        left.sort_unstable();
        for id in &left {
            self.outcome(*id, Outcome::Unknown, at_ns);
        }
        left
    }

    /// A consumer has a connection.
    pub fn opened(&mut self, link: Link) {
        self.lanes.open(link);
    }

    /// The connection of a consumer is gone; the broker was last heard on it at `heard_ns`.
    pub fn ended(&mut self, link: Link, heard_ns: u64) {
        for flagged in self.repeats.end(link, heard_ns, &self.pauses) {
            self.tally.extra_unexplained -= 1;
            *self.tally.explained(flagged) += 1;
        }
        let not_judged = self.lanes.end(link, heard_ns, &self.pauses);
        self.tally.reordered -= not_judged;
        self.tally.order_not_judged += not_judged;
    }

    /// This process did not run for a time, so that it could neither hear nor settle anything.
    pub fn paused(&mut self, from_ns: u64, to_ns: u64) {
        self.pauses.add(from_ns, to_ns);
    }

    /// A consumer has a message. Call it right before the message is accepted: an accepted message that was not written down would look
    /// lost.
    pub fn receive(&mut self, arrival: &Arrival<'_>) -> Received {
        let header = match Header::read(arrival.body) {
            Err(BadBody::NotOurs) => {
                self.tally.foreign += 1;
                return Received::Foreign;
            }
            Err(BadBody::Corrupt) => {
                self.tally.corrupt += 1;
                return Received::Corrupt;
            }
            Ok(header) if header.run != self.run => {
                self.tally.foreign += 1;
                return Received::Foreign;
            }
            Ok(header) => header,
        };
        let id = header.id;
        let Some(book) = self.books.get_mut(id.producer as usize) else {
            self.tally.unexpected += 1;
            return Received::Unexpected;
        };
        if book.ids.get(id.seq).0 == State::NotSent {
            self.tally.unexpected += 1;
            return Received::Unexpected;
        }
        let before = book.ids.receive(id.seq);
        let first = before == 0;
        if first && book.persistent && !arrival.durable {
            self.tally.not_durable += 1;
        }
        let receipt = Receipt {
            id,
            consumer: arrival.consumer,
            connection: arrival.connection,
            at_ns: arrival.at_ns,
            sent_ns: header.sent_ns,
            first,
            redelivered: arrival.redelivered,
        };
        if self.keeps(arrival.at_ns) {
            self.receipts.push_back(receipt);
        } else if !first && self.repeated.len() < MAX_ANOMALIES {
            self.repeated.push(receipt);
        }
        self.trim(arrival.at_ns);
        let link = Link {
            consumer: arrival.consumer,
            connection: arrival.connection,
        };
        let flagged = arrival.redelivered;
        let copy = Copy {
            id,
            connection: header.connection,
        };
        let is_new = self.copies.receive(copy).unwrap_or(first);
        let ground = (self.repeats).deliver(copy, link, arrival.at_ns, !is_new, flagged, &self.pauses);
        if !first {
            match ground {
                _ if is_new => self.tally.extra_sent_again += 1,
                Explanation::LostConnection => *self.tally.explained(flagged) += 1,
                Explanation::None => self.tally.extra_unexplained += 1,
            }
            return Received::Again(id);
        }
        self.received += 1;
        self.judge_order(&header, arrival);
        Received::First(id)
    }

    /// The fault is about to be injected: full records are kept from here back, and from here on.
    pub fn fault_at(&mut self, at_ns: u64) {
        self.fault_ns = Some(at_ns);
        self.before_fault = self.books.iter().map(|book| book.ids.len()).collect();
    }

    /// How many slots of a producer had come due when the fault was injected; all of them when none was.
    pub(super) fn due_before_fault(&self, producer: usize) -> u64 {
        self.before_fault.get(producer).copied().unwrap_or(u64::MAX)
    }

    /// Service is back: full records are kept for one window more.
    pub fn recovered_at(&mut self, at_ns: u64) {
        self.recovered_ns = Some(at_ns);
    }

    /// Bytes of memory for ids, without the records of the window.
    #[must_use]
    pub fn id_bytes(&self) -> usize {
        self.books.iter().map(|book| book.ids.bytes()).sum()
    }

    /// Bytes of memory for the records of the window, the anomalies, and what may come again.
    #[must_use]
    pub fn window_bytes(&self) -> usize {
        (self.puts.capacity() + self.anomalies.capacity() + self.open.capacity()) * size_of::<PutRecord>()
            + (self.receipts.capacity() + self.repeated.capacity()) * size_of::<Receipt>()
            + self.repeats.bytes()
    }

    fn judge_order(&mut self, header: &Header, arrival: &Arrival<'_>) {
        let id = header.id;
        let link = Link {
            consumer: arrival.consumer,
            connection: arrival.connection,
        };
        let lane = (id.producer, header.connection);
        let order = (self.lanes).receive(link, lane, id.seq, arrival.redelivered, arrival.at_ns);
        let ever = self
            .highest_ever
            .entry((arrival.consumer, id.producer))
            .or_insert(id.seq);
        let behind_ever = ever.saturating_sub(id.seq);
        *ever = (*ever).max(id.seq);
        match order {
            Order::Late(behind) => {
                self.tally.reordered += 1;
                self.tally.max_displacement = self.tally.max_displacement.max(behind);
                return;
            }
            Order::NotJudged => self.tally.order_not_judged += 1,
            Order::Kept => {}
        }
        self.tally.reordered_across_reconnect += u64::from(behind_ever > 0);
    }

    fn keeps(&self, at_ns: u64) -> bool {
        self.recovered_ns
            .is_none_or(|recovered| at_ns <= recovered.saturating_add(self.keep_ns))
    }

    /// Before the fault the window moves along; after it, it only grows.
    fn trim(&mut self, now_ns: u64) {
        let since = self.fault_ns.unwrap_or(now_ns).saturating_sub(self.keep_ns);
        while let Some(record) = self.puts.front().copied().filter(|record| record.done_ns < since) {
            self.puts.pop_front();
            if record.state != State::Acked {
                self.keep_anomaly(record);
            }
        }
        while let Some(receipt) = self.receipts.front().copied().filter(|receipt| receipt.at_ns < since) {
            self.receipts.pop_front();
            if !receipt.first && self.repeated.len() < MAX_ANOMALIES {
                self.repeated.push(receipt);
            }
        }
    }

    fn keep_anomaly(&mut self, record: PutRecord) {
        if self.anomalies.len() < MAX_ANOMALIES {
            self.anomalies.push(record);
        }
    }
}

#[cfg(test)]
mod tests;
