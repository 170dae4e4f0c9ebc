//! Words, numbers and lines.

use super::*;

#[test]
fn numbers_are_grouped() {
    for (number, text) in [(0, "0"), (999, "999"), (1000, "1 000"), (12_345_678, "12 345 678")] {
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
        "  load     4 producers × 200 msg/s, 2 consumers, 1 KiB persistent, 2 000 waiting\n"
    );
    assert!(text.chars().count() <= WIDTH + 1);
}
