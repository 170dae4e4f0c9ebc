//! What was put and what came back: every id in four bits, full records only around the fault and for anomalies.
//!
//! Times are nanoseconds since the round began, on one monotonic clock. Nothing here waits, reads a clock or fails.

pub use super::entry::{Arrival, Outcome, PutRecord, Receipt, Received, Tally};
use super::id::{BadBody, Header, MessageId, RunId};
use super::pack::{Packed, State};
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
    recovered_ns: Option<u64>,
    highest: HashMap<(u32, u32, u32, u32), u64>,
    highest_ever: HashMap<(u32, u32), u64>,
    acked: u64,
    received: u64,
    reconnected: bool,
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
            recovered_ns: None,
            highest: HashMap::new(),
            highest_ever: HashMap::new(),
            acked: 0,
            received: 0,
            reconnected: false,
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

    /// The client's word on an attempt.
    pub fn outcome(&mut self, id: MessageId, outcome: Outcome, at_ns: u64) {
        let Some(mut record) = self.open.remove(&id) else {
            return;
        };
        let state = State::from(outcome);
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

    /// The connection of a producer is gone: what has no outcome stays unknown.
    pub fn abandon(&mut self, producer: u32, at_ns: u64) {
        let mut left: Vec<MessageId> = self.open.keys().filter(|id| id.producer == producer).copied().collect();
        left.sort_unstable();
        for id in left {
            self.outcome(id, Outcome::Unknown, at_ns);
        }
    }

    /// A consumer has a message. Call it before the message is accepted: an accepted message that was not written down would look lost.
    pub fn receive(&mut self, arrival: &Arrival<'_>) -> Received {
        self.reconnected |= arrival.connection > 1;
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
        if !first {
            match (arrival.redelivered, self.reconnected) {
                (true, _) => self.tally.extra_flagged += 1,
                (false, true) => self.tally.extra_unflagged += 1,
                (false, false) => self.tally.extra_unexplained += 1,
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

    /// Bytes of memory for the records of the window and the anomalies.
    #[must_use]
    pub fn window_bytes(&self) -> usize {
        (self.puts.capacity() + self.anomalies.capacity() + self.open.capacity()) * size_of::<PutRecord>()
            + (self.receipts.capacity() + self.repeated.capacity()) * size_of::<Receipt>()
    }

    fn judge_order(&mut self, header: &Header, arrival: &Arrival<'_>) {
        let id = header.id;
        let lane = (arrival.consumer, arrival.connection, id.producer, header.connection);
        let highest = self.highest.entry(lane).or_insert(id.seq);
        let behind = highest.saturating_sub(id.seq);
        *highest = (*highest).max(id.seq);
        let ever = self
            .highest_ever
            .entry((arrival.consumer, id.producer))
            .or_insert(id.seq);
        let behind_ever = ever.saturating_sub(id.seq);
        *ever = (*ever).max(id.seq);
        if behind > 0 && !arrival.redelivered {
            self.tally.reordered += 1;
            self.tally.max_displacement = self.tally.max_displacement.max(behind);
        } else if behind_ever > 0 {
            self.tally.reordered_across_reconnect += 1;
        }
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
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn ids_take_at_most_two_bytes_and_records_only_the_window() {
        let run = RunId(1);
        let mut ledger = Ledger::new(run, &[true], SECOND);
        let messages = 200_000u64;
        for seq in 0..messages {
            let (id, now) = (MessageId { producer: 0, seq }, seq * 1_000_000);
            ledger.sent(id, 1, now, now);
            ledger.outcome(id, Outcome::Acked, now + 1000);
            let body = Header {
                run,
                id,
                connection: 1,
                sent_ns: now,
            }
            .body(0);
            let arrival = Arrival {
                consumer: 0,
                connection: 1,
                body: &body,
                redelivered: false,
                durable: true,
                at_ns: now + 2000,
            };
            assert_eq!(ledger.receive(&arrival), Received::First(id));
        }
        assert!(ledger.id_bytes() as u64 <= messages * 2, "{} bytes", ledger.id_bytes());
        assert!(ledger.puts().count() <= 1001 && ledger.receipts().count() <= 1001);
        // A window of 1000 messages: records take their room in doublings, never in proportion to the run.
        assert!(ledger.window_bytes() < 4096 * 120, "{} bytes", ledger.window_bytes());
        assert_eq!((ledger.acked(), ledger.received()), (messages, messages));
    }

    #[test]
    fn the_window_stays_around_the_fault() {
        let mut ledger = Ledger::new(RunId(1), &[true], 2 * SECOND);
        for seq in 0..100u64 {
            let now = seq * SECOND;
            if seq == 50 {
                ledger.fault_at(now);
            }
            if seq == 60 {
                ledger.recovered_at(now);
            }
            let id = MessageId { producer: 0, seq };
            ledger.sent(id, 1, now, now);
            let outcome = if seq % 10 == 0 { Outcome::Failed } else { Outcome::Acked };
            ledger.outcome(id, outcome, now);
        }
        let mut kept: Vec<u64> = ledger.puts().map(|put| put.id.seq).collect();
        kept.sort_unstable();
        let expected: Vec<u64> = (0..100)
            .filter(|seq| (48..=62).contains(seq) || seq % 10 == 0)
            .collect();
        assert_eq!(kept, expected);
    }

    #[test]
    fn order_is_judged_within_connections() {
        let run = RunId(9);
        let mut ledger = Ledger::new(run, &[true], SECOND);
        for seq in 0..10 {
            ledger.sent(MessageId { producer: 0, seq }, 1, 0, 0);
        }
        let mut got = |seq, connection, redelivered| {
            let body = Header {
                run,
                id: MessageId { producer: 0, seq },
                connection: 1,
                sent_ns: 0,
            }
            .body(0);
            ledger.receive(&Arrival {
                consumer: 0,
                connection,
                body: &body,
                redelivered,
                durable: true,
                at_ns: 0,
            });
        };
        got(0, 1, false);
        got(5, 1, false);
        got(2, 1, false); // behind by 3 on the same connection
        got(3, 2, false); // behind only across the reconnect
        got(6, 2, false);
        got(4, 2, true); // a redelivery may come late
        assert_eq!(ledger.tally().reordered, 1);
        assert_eq!(ledger.tally().max_displacement, 3);
        assert_eq!(ledger.tally().reordered_across_reconnect, 2);
    }
}
