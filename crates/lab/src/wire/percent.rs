//! Percent encoding as AWS uses it in paths, signatures and policy documents.

/// Encodes everything but letters, digits and `-._~`; `keep_slash` also keeps `/`.
pub fn escape(text: &str, keep_slash: bool) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            b'/' if keep_slash => out.push('/'),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// Undoes percent encoding; `+` stays.
pub fn unescape(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let code = (bytes[at] == b'%')
            .then(|| text.get(at + 1..at + 3))
            .flatten()
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match code {
            Some(code) => {
                out.push(code);
                at += 3;
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
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
