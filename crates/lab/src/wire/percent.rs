//! Percent encoding as AWS uses it in paths, signatures and policy documents.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
const BUT_SLASH: &AsciiSet = &RESERVED.remove(b'/');

/// Encodes everything but letters, digits and `-._~`; `keep_slash` also keeps `/`.
pub(crate) fn escape(text: &str, keep_slash: bool) -> String {
    utf8_percent_encode(text, if keep_slash { BUT_SLASH } else { RESERVED }).to_string()
}

/// Undoes percent encoding; `+` stays.
pub fn unescape(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trips() {
        for text in ["a b/c", "{\"é\": [1, \"%41\"]}", "", "%", "%4", "100%é"] {
            assert_eq!(unescape(&escape(text, false)), text, "{text}");
        }
        assert_eq!(escape("a b/é", true), "a%20b/%C3%A9");
        assert_eq!(unescape("%zz%"), "%zz%");
    }
}
