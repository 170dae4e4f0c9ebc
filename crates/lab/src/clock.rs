//! Time as the services write it.

use jiff::Timestamp;

/// Now, as `2026-11-21T22:25:08.123Z`.
pub(crate) fn now_iso() -> String {
    iso(Timestamp::now())
}

/// A moment as `2026-11-21T22:25:08.123Z`.
pub(crate) fn iso(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

/// Seconds since 1970 as RFC 3339 text; the fraction is left out when it is zero.
pub(crate) fn iso_seconds(seconds: f64) -> String {
    Timestamp::from_millisecond((seconds * 1000.0).round() as i64).map_or_else(|_| String::new(), |at| at.to_string())
}

/// RFC 3339 text as seconds since 1970.
pub(crate) fn parse_iso(text: &str) -> Option<f64> {
    text.parse::<Timestamp>()
        .ok()
        .map(|at| at.as_millisecond() as f64 / 1000.0)
}

/// Seconds since 1970 with milliseconds, as the JSON protocols send timestamps.
pub(crate) fn now_seconds() -> f64 {
    Timestamp::now().as_millisecond() as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_seconds_agree() {
        assert_eq!(parse_iso("1970-01-01T00:00:01.500Z"), Some(1.5));
        assert_eq!(iso_seconds(1.5), "1970-01-01T00:00:01.5Z");
        assert_eq!(
            parse_iso(&now_iso()).map(|s| (s - now_seconds()).abs() < 5.0),
            Some(true)
        );
        assert_eq!(parse_iso("yesterday"), None);
    }
}
