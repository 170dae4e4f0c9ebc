//! Memory of the ledger, its window, and what it learns late.

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
    // A window of 1000 messages, and of 15 000 that may come again: they take their room in doublings, never in proportion to the run.
    assert!(
        ledger.window_bytes() < 4096 * 120 + 15_000 * 192,
        "{} bytes",
        ledger.window_bytes()
    );
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

/// What the broker knew before this side did is put right when this side learns of it.
#[test]
fn an_end_that_is_noticed_late_takes_its_accusations_back() {
    let run = RunId(9);
    let mut ledger = Ledger::new(run, &[true], SECOND);
    for seq in 0..10 {
        ledger.sent(MessageId { producer: 0, seq }, 1, 0, 0);
    }
    let [a, b, c] = [(0, 1), (1, 1), (0, 2)].map(|(consumer, connection)| Link { consumer, connection });
    let get = |ledger: &mut Ledger, seq, link: Link, redelivered| {
        let header = Header {
            run,
            id: MessageId { producer: 0, seq },
            connection: 1,
            sent_ns: 0,
        };
        ledger.receive(&Arrival {
            consumer: link.consumer,
            connection: link.connection,
            body: &header.body(0),
            redelivered,
            durable: true,
            at_ns: SECOND,
        });
    };
    ledger.opened(a);
    ledger.opened(b);
    for (seq, link, redelivered) in [(0, a, false), (5, b, false), (0, b, true), (2, b, false)] {
        get(&mut ledger, seq, link, redelivered);
    }
    let shown = |ledger: &Ledger| {
        let tally = ledger.tally();
        let extra = (tally.extra_flagged, tally.extra_unflagged, tally.extra_unexplained);
        (extra, tally.reordered, tally.order_not_judged)
    };
    assert_eq!(shown(&ledger), ((0, 0, 1), 1, 0));
    assert_eq!(ledger.tally().max_displacement, 3);
    ledger.ended(a, SECOND);
    assert_eq!(shown(&ledger), ((1, 0, 0), 0, 1));
    // The same message once more, from a connection that lives.
    ledger.opened(c);
    get(&mut ledger, 0, c, true);
    assert_eq!(shown(&ledger), ((1, 0, 1), 0, 1));
}

/// A message that is sent again may come as often as it was sent; more than that needs a lost connection.
#[test]
fn a_message_that_was_sent_again_may_come_again() {
    let run = RunId(1);
    let mut ledger = Ledger::new(run, &[true], SECOND);
    let id = |seq| MessageId { producer: 0, seq };
    let copy = |ledger: &mut Ledger, seq, connection, consumer| {
        let header = Header {
            run,
            id: id(seq),
            connection,
            sent_ns: 0,
        };
        let body = header.body(0);
        ledger.receive(&Arrival {
            consumer,
            connection: 1,
            body: &body,
            redelivered: false,
            durable: true,
            at_ns: SECOND,
        })
    };
    for seq in 0..3 {
        ledger.sent(id(seq), 1, 0, 0);
    }
    assert_eq!(ledger.abandon(0, 1), [id(0), id(1), id(2)]);
    for (seq, outcome) in [Outcome::Acked, Outcome::NotSent, Outcome::Failed]
        .into_iter()
        .enumerate()
    {
        ledger.sent_again(id(seq as u64), 2, 0, 2);
        ledger.outcome(id(seq as u64), outcome, 3);
    }
    // Both copies of the first, in any order; then one of them once more, on a connection that lives.
    assert_eq!(copy(&mut ledger, 0, 2, 0), Received::First(id(0)));
    assert_eq!(copy(&mut ledger, 0, 1, 1), Received::Again(id(0)));
    assert_eq!(
        (ledger.tally().extra_sent_again, ledger.tally().extra_unexplained),
        (1, 0)
    );
    assert_eq!(copy(&mut ledger, 0, 1, 0), Received::Again(id(0)));
    assert_eq!(
        (ledger.tally().extra_sent_again, ledger.tally().extra_unexplained),
        (1, 1)
    );
    // What did not leave, or was refused, the second time may have arrived the first time.
    assert_eq!(copy(&mut ledger, 1, 1, 0), Received::First(id(1)));
    assert_eq!(copy(&mut ledger, 2, 1, 0), Received::First(id(2)));
    let tally = ledger.tally();
    // One of the three did not leave.
    assert_eq!((tally.sent_again, tally.unexpected, tally.extra()), (2, 0, 2));
    assert_eq!((ledger.acked(), ledger.received()), (1, 3));
}
