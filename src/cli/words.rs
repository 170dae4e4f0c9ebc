//! How durations and labelled lines are written.

use std::time::Duration;

/// A duration with the precision that is true: `0.33 s`, `1.9 s`, `67 s`, `4 min 5 s`, `3 d 4 h`.
pub fn duration(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    let whole = seconds.round() as u64;
    match whole {
        _ if seconds < 0.995 => format!("{seconds:.2} s"),
        _ if seconds < 9.95 => format!("{seconds:.1} s"),
        0..=119 => format!("{whole} s"),
        120..=7199 => two(whole / 60, "min", whole % 60, "s"),
        7200..=172_799 => two(whole / 3600, "h", whole % 3600 / 60, "min"),
        _ => two(whole / 86_400, "d", whole % 86_400 / 3600, "h"),
    }
}

fn two(large: u64, large_unit: &str, small: u64, small_unit: &str) -> String {
    match small {
        0 => format!("{large} {large_unit}"),
        _ => format!("{large} {large_unit} {small} {small_unit}"),
    }
}

/// A labelled line: two blanks, the label in eight columns, the text.
pub fn row(label: &str, text: impl AsRef<str>) -> String {
    format!("  {label:<8} {}", text.as_ref()).trim_end().to_owned()
}

/// Rows in columns as wide as their widest cell, with two blanks before and between them and none at the end of a line.
pub(super) fn table<const N: usize>(rows: &[[String; N]]) -> String {
    let width = |column: usize| {
        rows.iter()
            .map(|row| row[column].chars().count())
            .max()
            .unwrap_or_default()
    };
    let line = |row: &[String; N]| {
        let cells = row.iter().enumerate();
        let cells = cells.map(|(column, cell)| format!("  {cell:<width$}", width = width(column)));
        cells.collect::<String>().trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_true_precision() {
        for (millis, text) in [
            (0, "0.00 s"),
            (331, "0.33 s"),
            (996, "1.0 s"),
            (1_900, "1.9 s"),
            (9_960, "10 s"),
            (67_400, "67 s"),
            (119_400, "119 s"),
            (245_000, "4 min 5 s"),
            (7_200_000, "2 h"),
            (274_000_000, "3 d 4 h"),
        ] {
            assert_eq!(duration(Duration::from_millis(millis)), text);
        }
    }

    #[test]
    fn columns_stand_whatever_is_in_them() {
        let row = |cells: [&str; 3]| cells.map(str::to_owned);
        let rows = [
            row(["id", "state", "zone"]),
            row(["i-1", "ü", ""]),
            row(["i-12345", "pending", "a"]),
        ];
        assert_eq!(
            table(&rows),
            "  id       state    zone\n  i-1      ü\n  i-12345  pending  a"
        );
        assert_eq!(table::<2>(&[]), "");
    }

    #[test]
    fn rows_align() {
        assert_eq!(row("cloud", "http://x"), "  cloud    http://x");
        assert_eq!(row("", "more"), "           more");
    }
}
