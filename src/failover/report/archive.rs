//! The ledger file: every id of a test in four bits, so that the account can be counted again without the report.
//!
//! A line `mqaws.ledger/1`, then for each round a line of JSON and the bits of each book one after the other.

use crate::failover::measure::account::{Account, Drain};
use crate::failover::measure::ledger::{Book, Ledger, Tally};
use crate::failover::measure::pack::Packed;
use mqaws_files::{AtomicWrite, PendingFile};
use serde::{Deserialize, Serialize};
use std::path::Path;

const MAGIC: &[u8] = b"mqaws.ledger/1\n";

/// Why a ledger file cannot be counted.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// It cannot be read.
    #[error("could not read the ledger: {0}")]
    Read(std::io::Error),
    /// It is not one, or it is damaged.
    #[error("not a complete ledger: {0}")]
    Damaged(String),
}

/// One round of a ledger file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recount {
    /// Identity of the round.
    pub run_id: String,
    /// The account, counted from the bits.
    pub account: Account,
}

#[derive(Debug, Serialize, Deserialize)]
struct Head {
    run_id: String,
    drain: Drain,
    tally: Tally,
    books: Vec<BookHead>,
}

#[derive(Debug, Serialize, Deserialize)]
struct BookHead {
    persistent: bool,
    ids: u64,
    crc32: u32,
}

/// One round as it stands in the file.
#[must_use]
pub fn entry(ledger: &Ledger, drain: Drain) -> Vec<u8> {
    let books = ledger.books();
    let head = Head {
        run_id: ledger.run().to_string(),
        drain,
        tally: ledger.tally().clone(),
        books: books
            .iter()
            .map(|book| BookHead {
                persistent: book.persistent,
                ids: book.ids.len(),
                crc32: crc32fast::hash(book.ids.as_bytes()),
            })
            .collect(),
    };
    let mut entry = serde_json::to_vec(&head).unwrap_or_default();
    entry.push(b'\n');
    for book in books {
        entry.extend_from_slice(book.ids.as_bytes());
    }
    entry
}

/// Begins a file with the rounds of a test, which replaces none.
///
/// # Errors
/// When it cannot be written whole; then nothing new is left there.
pub fn begin(path: &Path, entries: &[Vec<u8>]) -> std::io::Result<PendingFile> {
    use std::io::Write as _;
    let mut file = AtomicWrite::to(path).fresh().durable().begin()?;
    for part in [MAGIC].into_iter().chain(entries.iter().map(Vec::as_slice)) {
        file.write_all(part)?;
    }
    Ok(file)
}

/// Whether a file begins as a ledger does; one that cannot be read does not.
#[must_use]
pub fn is_ledger(path: &Path) -> bool {
    use std::io::Read as _;
    let mut head = Vec::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(MAGIC.len() as u64).read_to_end(&mut head));
    read.is_ok() && head == MAGIC
}

/// Counts a ledger file again, from nothing but its bits.
///
/// # Errors
/// [`ArchiveError`].
pub fn recount(path: &Path) -> Result<Vec<Recount>, ArchiveError> {
    let bytes = std::fs::read(path).map_err(ArchiveError::Read)?;
    let damaged = |what: &str| ArchiveError::Damaged(what.to_owned());
    let mut rest = bytes
        .strip_prefix(MAGIC)
        .ok_or_else(|| damaged("the header is missing"))?;
    let mut rounds = Vec::new();
    while !rest.is_empty() {
        let end = rest
            .iter()
            .position(|byte| *byte == b'\n')
            .ok_or_else(|| damaged("a line is not terminated"))?;
        let head: Head = serde_json::from_slice(&rest[..end]).map_err(|error| damaged(&error.to_string()))?;
        rest = &rest[end + 1..];
        let mut books = Vec::new();
        for book in &head.books {
            let bytes = usize::try_from(book.ids.div_ceil(2)).map_err(|_| damaged("too many IDs"))?;
            let (bits, after) = rest.split_at_checked(bytes).ok_or_else(|| damaged("it is truncated"))?;
            if crc32fast::hash(bits) != book.crc32 {
                return Err(damaged("a checksum does not match"));
            }
            let ids = Packed::from_bytes(bits.to_vec(), book.ids).ok_or_else(|| damaged("too few bits"))?;
            books.push(Book {
                persistent: book.persistent,
                ids,
            });
            rest = after;
        }
        rounds.push(Recount {
            run_id: head.run_id,
            account: Account::count(&books, head.tally, head.drain),
        });
    }
    Ok(rounds)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failover::measure::id::{MessageId, RunId};
    use crate::failover::measure::ledger::Outcome;

    #[test]
    fn a_ledger_counts_the_same_again_and_damage_is_found() {
        let mut ledger = Ledger::new(RunId(5), &[true, false], 0);
        for seq in 0..1001 {
            let id = MessageId {
                producer: (seq % 2) as u32,
                seq: seq / 2,
            };
            ledger.sent(id, 1, seq, seq);
            ledger.outcome(
                id,
                [Outcome::Acked, Outcome::Unknown, Outcome::Failed][(seq % 3) as usize],
                seq,
            );
        }
        let account = Account::of(&ledger, Drain::IdleOut);
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ledger.bin");
        let entry = entry(&ledger, Drain::IdleOut);
        begin(&path, &[entry.clone(), entry]).unwrap().commit().unwrap();
        let again = recount(&path).unwrap();
        assert_eq!(again.len(), 2);
        assert!(
            again
                .iter()
                .all(|round| round.account == account && round.run_id == ledger.run().to_string())
        );
        assert!(begin(&path, &[]).unwrap().commit().is_err(), "never overwritten");

        let good = std::fs::read(&path).unwrap();
        for at in [0, good.len() / 4, good.len() - 1] {
            let mut bad = good.clone();
            bad[at] ^= 0x10;
            std::fs::write(&path, &bad).unwrap();
            assert!(recount(&path).is_err(), "byte {at} changed");
        }
        std::fs::write(&path, &good[..good.len() - 1]).unwrap();
        assert!(recount(&path).is_err(), "cut off");
    }
}
