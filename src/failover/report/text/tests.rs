//! Words, numbers and lines.

use super::*;
use crate::failover::measure::limits::RtoLimit;
use crate::failover::measure::spread::Statistic;

#[test]
fn numbers_are_grouped() {
    for (number, text) in [
        (0, "0"),
        (999, "999"),
        (1000, "1\u{a0}000"),
        (12_345_678, "12\u{a0}345\u{a0}678"),
    ] {
        assert_eq!(grouped(number), text);
    }
}

#[test]
fn duplicates_say_what_explains_them() {
    let tally = |extra_flagged, extra_unflagged, extra_unexplained| Tally {
        extra_flagged,
        extra_unflagged,
        extra_unexplained,
        ..Tally::default()
    };
    for (tally, text) in [
        (tally(0, 0, 0), None),
        (tally(1, 0, 0), Some("1 duplicate after a lost connection, flagged")),
        (tally(0, 2, 0), Some("2 duplicates after a lost connection")),
        (tally(1, 2, 0), Some("3 duplicates after a lost connection, 1 flagged")),
        (tally(0, 0, 2), Some("2 duplicates without a lost connection")),
        (
            tally(3, 2, 1),
            Some("6 duplicates: 5 after a lost connection, 3 flagged; 1 without one"),
        ),
    ] {
        assert_eq!(duplicates(&tally).as_deref(), text);
    }
}

#[test]
fn paragraphs_break_between_words() {
    let mut text = String::new();
    line(
        &mut text,
        &format!("RTO      1.00 s   {}", "word ".repeat(40)),
        "                 ",
    );
    assert!(text.lines().count() > 2);
    assert!(text.lines().all(|line| line.chars().count() <= WIDTH));
    assert!(text.starts_with("           RTO      1.00 s   word word"));
    assert!(
        text.lines()
            .nth(1)
            .is_some_and(|line| line.starts_with("                 word"))
    );
}

#[test]
fn the_load_fits_a_line() {
    let text = load(&Load::default());
    assert_eq!(
        text,
        "  load     4 producers × 200 msg/s, 2 consumers, 1 KiB persistent, 2\u{a0}000 waiting\n"
    );
    assert!(text.chars().count() <= WIDTH + 1);
}

#[test]
fn what_failed_over_all_rounds_stands_beside_the_verdict_and_the_limits_above_it() {
    let mut report = super::super::samples::report(&[Some(1_000_000_000), Some(1_000_000_000)]);
    assert!(
        summary(&report).contains("  limits   RTO not limited · RPO 0 · duplicates explained by a lost connection\n"),
        "{}",
        summary(&report)
    );
    report.limits.rto = vec![RtoLimit {
        fault: None,
        of: Statistic::Median,
        max_ns: 20_000_000,
    }];
    report.count_by_fault();
    report.conclude();
    let text = summary(&report);
    assert!(text.contains("2 passed, 0 failed"), "{text}");
    assert!(text.contains("  limits   RTO median 0.020 s · RPO 0"), "{text}");
    assert!(
        text.contains("  verdict  FAIL (exit 12): kill-queue-manager, rto.median\n"),
        "{text}"
    );
}

#[test]
fn a_number_is_not_broken_at_the_end_of_a_line() {
    for filler in 0..20 {
        let mut text = String::new();
        let content = format!(
            "{}{} of {} slots not sent",
            "w ".repeat(25 + filler),
            grouped(590),
            grouped(5778)
        );
        line(&mut text, &content, "  ");
        assert!(text.contains("5\u{a0}778"), "{text}");
    }
}

/// A report is a file that anybody may have written.
#[test]
fn what_a_terminal_would_obey_is_shown_and_no_foreign_line_looks_like_ours() {
    let mut report = super::super::samples::report(&[Some(1_000_000_000)]);
    report.runs[0].warnings = vec!["a\u{202e}b \u{1b}[2Jc\n           FAIL".into()];
    report.runs[0].fault.evidence = "\u{9b}31m".into();
    report.assumptions = vec!["\u{2066}x".into()];
    let text = run(&report.runs[0]);
    assert!(text.contains("note: a\\u{202e}b \\u{1b}[2Jc"), "{text}");
    assert!(!text.contains("\n           FAIL"), "{text}");
    let all = text + &summary(&report);
    assert!(
        !all.chars()
            .any(|letter| letter != '\n' && mqaws_contract::is_obeyed(letter)),
        "{all:?}"
    );
}

#[test]
fn what_was_sent_again_is_told_with_the_duplicates_that_come_of_it() {
    let mut report = super::super::samples::report(&[Some(1)]);
    let sent = &mut report.runs[0].ledger.tally;
    (sent.sent_again, sent.extra_sent_again) = (12, 5);
    let line = rpo(&report.runs[0]);
    assert!(
        line.contains("12 sent again without a response: 5 of them are duplicates"),
        "{line}"
    );
    assert!(!line.contains("lost connection"), "{line}");
}
