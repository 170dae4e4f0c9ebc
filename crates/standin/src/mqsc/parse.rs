//! Reads a statement of MQSC: words and `KEY(value)` pairs. Its lines are read by [`mqaws_contract::mqsc`].

/// One statement.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Statement {
    /// First word, in upper case.
    pub(crate) verb: String,
    /// Second word, in upper case.
    pub(crate) object: String,
    /// Its value in parentheses.
    pub(crate) name: Option<String>,
    /// The other pairs, keys in upper case.
    pub(crate) pairs: Vec<(String, String)>,
    /// The other words, in upper case.
    pub(crate) words: Vec<String>,
}

/// The text up to which a statement was understood.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct SyntaxError(pub String);

impl Statement {
    pub(super) fn parse(text: &str) -> Result<Self, SyntaxError> {
        let mut items = Vec::new();
        let mut at = 0;
        while let Some(start) = text[at..]
            .find(|c: char| !c.is_whitespace() && c != ',')
            .map(|o| at + o)
        {
            let end = text[start..]
                .find(|c: char| c == '(' || c.is_whitespace())
                .map_or(text.len(), |o| start + o);
            let word = &text[start..end];
            let wrong = || SyntaxError(text[..end].trim().to_owned());
            if word.is_empty() || !word.chars().all(|c| c.is_ascii_alphanumeric()) {
                return Err(wrong());
            }
            // Blanks between a word and its parenthesis are allowed.
            let gap = text[end..]
                .find(|c: char| !c.is_whitespace())
                .map_or(text.len(), |o| end + o);
            at = end;
            let mut value = None;
            if text[gap..].starts_with('(') {
                let close = closing(text, gap).ok_or_else(|| SyntaxError(text.trim().to_owned()))?;
                value = Some(unquoted(&text[gap + 1..close]).ok_or_else(|| SyntaxError(text[..=close].to_owned()))?);
                at = close + 1;
            }
            items.push((word.to_ascii_uppercase(), value));
        }
        let mut items = items.into_iter();
        let wrong = || SyntaxError(text.trim().to_owned());
        let Some((verb, None)) = items.next() else {
            return Err(wrong());
        };
        let mut statement = Self {
            verb,
            ..Self::default()
        };
        if let Some((object, name)) = items.next() {
            (statement.object, statement.name) = (object, name);
        }
        for (word, value) in items {
            match value {
                Some(value) => statement.pairs.push((word, value)),
                None => statement.words.push(word),
            }
        }
        Ok(statement)
    }

    pub(super) fn get(&self, key: &str) -> Option<&str> {
        self.pairs.iter().find(|(k, _)| k == key).map(|(_, v)| v.as_str())
    }

    pub(super) fn has(&self, word: &str) -> bool {
        self.words.iter().any(|w| w == word)
    }
}

/// The parenthesis that closes the one at `open`, outside quotes.
fn closing(text: &str, open: usize) -> Option<usize> {
    let (mut depth, mut quoted) = (0_u32, false);
    for (at, c) in text[open..].char_indices() {
        match c {
            '\'' => quoted = !quoted,
            '(' if !quoted => depth += 1,
            ')' if !quoted => {
                depth -= 1;
                if depth == 0 {
                    return Some(open + at);
                }
            }
            _ => {}
        }
    }
    None
}

/// A value without quotes, a list joined by commas: `'a','b'` is `a,b`. What is not quoted is in upper case.
fn unquoted(text: &str) -> Option<String> {
    let mut out = String::new();
    let mut chars = text.trim().chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\'' => loop {
                match chars.next()? {
                    '\'' if chars.peek() == Some(&'\'') => {
                        chars.next();
                        out.push('\'');
                    }
                    '\'' => break,
                    c => out.push(c),
                }
            },
            c if c.is_whitespace() => {}
            c => out.extend(c.to_uppercase()),
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use mqaws_contract::mqsc::{Line, lines};
    use proptest::prelude::*;

    #[test]
    fn statements() {
        let s =
            Statement::parse("define ql('Mixed.q') descr('it''s (a) test') maxdepth( 50 ) userlist('a','b') replace")
                .unwrap();
        assert_eq!(
            (s.verb.as_str(), s.object.as_str(), s.name.as_deref()),
            ("DEFINE", "QL", Some("Mixed.q"))
        );
        assert_eq!(s.get("DESCR"), Some("it's (a) test"));
        assert_eq!((s.get("MAXDEPTH"), s.get("USERLIST")), (Some("50"), Some("a,b")));
        assert!(s.has("REPLACE") && !s.has("NOREPLACE"));
        let s = Statement::parse("ping qmgr").unwrap();
        assert_eq!((s.verb.as_str(), s.object.as_str(), s.name), ("PING", "QMGR", None));
        let s = Statement::parse("DISPLAY QLOCAL (app.*) CURDEPTH").unwrap();
        assert_eq!(s.name.as_deref(), Some("APP.*"));
        for wrong in ["DEFINE QL(A", "DEFINE QL('A)", "DEFINE (A)", "(A)", "DEFINE QL(A) !"] {
            assert!(Statement::parse(wrong).is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in "(\\PC|\\n|['()+ -]){0,120}") {
            for line in lines(&text) {
                if let Line::Statement(statement) = line {
                    let _ = Statement::parse(&statement);
                }
            }
        }

        #[test]
        fn values_come_back_from_their_quotes(value in "[ -~]{0,30}") {
            let text = format!("ALTER QMGR DESCR('{}')", value.replace('\'', "''"));
            let statement = Statement::parse(&text).unwrap();
            prop_assert_eq!(statement.get("DESCR"), Some(value.as_str()));
        }
    }
}
