//! How sizes are written.

/// A size in megabytes (10^6 bytes): `0.4 MB`, `212 MB`.
pub fn megabytes(bytes: u64) -> String {
    let megabytes = bytes as f64 / 1e6;
    match megabytes {
        _ if bytes == 0 => "0 MB".into(),
        m if m < 10.0 => format!("{m:.1} MB"),
        m => format!("{m:.0} MB"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_in_megabytes() {
        assert_eq!(megabytes(0), "0 MB");
        assert_eq!(megabytes(412_345), "0.4 MB");
        assert_eq!(megabytes(212_000_000), "212 MB");
    }
}
