//! `KEY(value)` lists, the form of `dspmq` and of MQSC.

/// An ordered list of `KEY(value)` pairs and bare words, as printed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Fields {
    /// The pairs in the order in which they were printed; keys as printed, values without the blanks at their ends.
    pub(crate) pairs: Vec<(String, String)>,
    /// Words without a value, such as `SHARE` or `NOTRIGGER`.
    pub(crate) words: Vec<String>,
}

impl Fields {
    /// Reads one text, over any white space. Parentheses are matched in pairs, since values nest them:
    /// `GRPADDR(10.99.0.71(9415),10.99.0.72(9415))`. A value that is never closed reaches to the end of the text.
    pub fn parse(text: &str) -> Self {
        let mut fields = Self::default();
        let mut rest = text.trim_start();
        while !rest.is_empty() {
            let end = rest.find(|c: char| c == '(' || c.is_whitespace()).unwrap_or(rest.len());
            let (word, after) = rest.split_at(end);
            rest = match after.strip_prefix('(') {
                Some(inner) => {
                    let (value, rest) = split_value(inner);
                    fields.pairs.push((word.to_owned(), value.trim().to_owned()));
                    rest
                }
                None => {
                    fields.words.push(word.to_owned());
                    after
                }
            }
            .trim_start();
        }
        fields
    }

    /// The first value under that key, in any case.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.pairs
            .iter()
            .find(|(k, _)| k.eq_ignore_ascii_case(key))
            .map(|(_, v)| v.as_str())
    }

    /// The key of the first pair.
    pub(crate) fn first_key(&self) -> Option<&str> {
        self.pairs.first().map(|(k, _)| k.as_str())
    }
}

/// Splits behind the parenthesis that closes a value.
fn split_value(text: &str) -> (&str, &str) {
    let mut depth = 1;
    for (at, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return (&text[..at], &text[at + 1..]);
        }
    }
    (text, "")
}

/// A yes-or-no field that may also say neither.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// `YES`, `Yes`, `yes`.
    Yes,
    /// `NO`, `No`, `no`.
    No,
    /// `Unknown`, or nothing.
    Unknown,
    /// Anything else, as printed.
    Other(String),
}

impl Answer {
    /// Reads a value in any case.
    pub fn parse(text: &str) -> Self {
        match text.to_ascii_lowercase().as_str() {
            "yes" => Self::Yes,
            "no" => Self::No,
            "unknown" | "" => Self::Unknown,
            _ => Self::Other(text.to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_nested_values_words_and_unfinished_text() {
        let fields = Fields::parse(" A(1)  b( x y )SHARE\tC(h(1414),i(1415)) D() E(un(closed");
        assert_eq!(fields.get("a"), Some("1"));
        assert_eq!(fields.get("B"), Some("x y"));
        assert_eq!(fields.get("C"), Some("h(1414),i(1415)"));
        assert_eq!(fields.get("D"), Some(""));
        assert_eq!(fields.get("E"), Some("un(closed"));
        assert_eq!(fields.words, ["SHARE"]);
        assert_eq!(fields.get("F"), None);
    }

    #[test]
    fn answers_in_any_case() {
        for (text, answer) in [
            ("YES", Answer::Yes),
            ("yes", Answer::Yes),
            ("No", Answer::No),
            ("Unknown", Answer::Unknown),
            ("", Answer::Unknown),
            ("perhaps", Answer::Other("perhaps".into())),
        ] {
            assert_eq!(Answer::parse(text), answer);
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in "\\PC{0,200}|[A-Z()\\s]{0,80}") {
            let fields = Fields::parse(&text);
            // Nothing is invented: every value is a part of the text.
            for (key, value) in &fields.pairs {
                prop_assert!(text.contains(key.as_str()) && text.contains(value.as_str()));
            }
        }

        #[test]
        fn what_was_printed_comes_back(pairs in proptest::collection::vec(("[A-Z]{1,8}", "[a-z0-9.:<>,-]{0,12}(\\([0-9]{1,4}\\))?"), 0..8)) {
            let text: String = pairs.iter().map(|(k, v)| format!("{k}({v})   ")).collect();
            prop_assert_eq!(Fields::parse(&text).pairs, pairs);
        }
    }
}
