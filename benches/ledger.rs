//! The checker at work on a long test: writes a ledger of so many messages as a round does, counts it as the end of a round does, and
//! leaves the file for `mqaws failover-test verify`. `scripts/bench-ledger` runs both and times them.
//!
//!   ledger MESSAGES FILE

use mqaws::failover::archive::{begin, entry};
use mqaws::failover::measure::account::{Account, Drain};
use mqaws::failover::measure::id::{Header, MessageId, RunId};
use mqaws::failover::measure::ledger::{Arrival, Ledger, Outcome};
use mqaws::failover::measure::link::Link;
use std::error::Error;
use std::path::Path;
use std::time::Instant;

const RUN: RunId = RunId(7);
const PRODUCERS: u64 = 4;
const CONSUMERS: u32 = 2;

/// Between two messages at the default load of 800 a second.
const BEAT_NS: u64 = 1_250_000;

/// Full records are kept for this long on either side of the fault, as in a test.
const KEEP_NS: u64 = 30_000_000_000;

/// One message in this many has no answer, so that there is something to find.
const UNKNOWN: u64 = 100_003;

/// What a test writes down of every message, with a fault in the middle.
fn written(messages: u64) -> Ledger {
    let mut ledger = Ledger::new(RUN, &[true; PRODUCERS as usize], KEEP_NS);
    for consumer in 0..CONSUMERS {
        ledger.opened(Link {
            consumer,
            connection: 1,
        });
    }
    for number in 0..messages {
        let now = number * BEAT_NS;
        if number == messages / 2 {
            ledger.fault_at(now);
            ledger.recovered_at(now);
        }
        let id = MessageId {
            producer: (number % PRODUCERS) as u32,
            seq: number / PRODUCERS,
        };
        ledger.sent(id, 1, now, now);
        let outcome = match number % UNKNOWN {
            0 => Outcome::Unknown,
            _ => Outcome::Acked,
        };
        ledger.outcome(id, outcome, now + BEAT_NS);
        let header = Header {
            run: RUN,
            id,
            connection: 1,
            sent_ns: now,
        };
        ledger.receive(&Arrival {
            consumer: number as u32 % CONSUMERS,
            connection: 1,
            body: &header.body(0),
            redelivered: false,
            durable: true,
            at_ns: now + 2 * BEAT_NS,
        });
    }
    ledger
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let (Some(messages), Some(file)) = (args.next(), args.next()) else {
        // `cargo test --benches` calls it without any: there is nothing to measure.
        return Ok(());
    };
    let messages: u64 = messages.parse()?;
    let start = Instant::now();
    let ledger = written(messages);
    let writing = start.elapsed();
    let start = Instant::now();
    let account = Account::of(&ledger, Drain::Complete);
    let counting = start.elapsed();
    if account.lost != Some(0) || account.persistent.slots != messages {
        return Err(format!("miscounted: {account:?}").into());
    }
    begin(Path::new(&file), &[entry(&ledger, Drain::Complete)])?.commit()?;
    println!(
        r#"{{"writing_s": {}, "counting_s": {}}}"#,
        writing.as_secs_f64(),
        counting.as_secs_f64()
    );
    Ok(())
}
