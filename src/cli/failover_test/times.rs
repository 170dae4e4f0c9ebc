//! Times on the command line.

use std::time::Duration;

/// Longest time that any part of a test may be given.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// Reads a time within bounds: with less, a test measures nothing, or finds lost what it did not wait for.
pub(crate) fn at_least(least: &'static str) -> impl Fn(&str) -> Result<Duration, String> + Clone {
    move |text| {
        let time = time(text)?;
        match time >= self::time(least)? && time <= LONGEST {
            true => Ok(time),
            false => Err(format!("must be a duration from {least} to 24h")),
        }
    }
}

/// `30s`, `1.5m`, `200ms`, `2h`, or a number of seconds.
pub(crate) fn time(text: &str) -> Result<Duration, String> {
    let split = text.trim_end_matches(|c: char| c.is_ascii_alphabetic()).len();
    let (number, unit) = text.split_at(split);
    let scale = match unit {
        "ms" => 0.001,
        "" | "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        _ => return Err(format!("invalid unit `{unit}`: must be ms, s, m, or h")),
    };
    let number: f64 = number
        .trim()
        .parse()
        .map_err(|_| "must be a duration such as 30s or 2m".to_owned())?;
    Duration::try_from_secs_f64(number * scale).map_err(|_| "must be a duration such as 30s or 2m".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read() {
        for (text, millis) in [
            ("30s", 30_000),
            ("1.5m", 90_000),
            ("200ms", 200),
            ("2h", 7_200_000),
            ("7", 7000),
        ] {
            assert_eq!(time(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for text in ["", "s", "3 days", "-1s", "1e400", "1e300h", "nan", "infs"] {
            assert!(time(text).is_err(), "{text}");
        }
    }

    #[test]
    fn times_that_measure_nothing_are_refused() {
        let baseline = at_least("1s");
        assert_eq!(baseline("1s"), Ok(Duration::from_secs(1)));
        for text in ["0", "0s", "999ms", "25h", "1e300s"] {
            assert!(baseline(text).is_err(), "{text}");
        }
        assert_eq!(baseline("0s").unwrap_err(), "must be a duration from 1s to 24h");
        let test = |words: &[&str]| {
            use clap::Parser;
            let words = [&["mqaws", "failover-test"], words].concat();
            crate::cli::args::Cli::try_parse_from(words)
                .map(drop)
                .map_err(|e| e.to_string())
        };
        for flag in [
            "--baseline",
            "--settle",
            "--recovery-timeout",
            "--drain-timeout",
            "--drain-idle",
            "--max-rto",
        ] {
            let refused = test(&[flag, "0s"]).unwrap_err();
            assert!(
                refused.contains(flag) && refused.contains("must be a duration from"),
                "{refused}"
            );
        }
        assert_eq!(test(&["--recovery-timeout", "200ms", "--max-rto", "1500ms"]), Ok(()));
    }
}
