//! Text of somebody else in a message: only its beginning, so that the message fits a screen, and nothing that a terminal obeys.

/// Most characters of it.
const LONGEST: usize = 60;

/// Whether a terminal obeys this character, or shows others elsewhere than they stand because of it.
pub fn is_obeyed(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The text with everything that a terminal obeys as escapes, but for the ends of its lines.
pub fn plain(text: &str) -> std::borrow::Cow<'_, str> {
    let obeyed = |letter: char| letter != '\n' && is_obeyed(letter);
    if !text.contains(obeyed) {
        return text.into();
    }
    let mut quoted = String::new();
    for letter in text.chars() {
        match obeyed(letter) {
            true => quoted.extend(letter.escape_unicode()),
            false => quoted.push(letter),
        }
    }
    quoted.into()
}

/// The text, or its first 60 characters and how many it has; line breaks and other controls as escapes.
pub fn clipped(text: &str) -> std::borrow::Cow<'_, str> {
    let (shown, rest) = match text.char_indices().nth(LONGEST) {
        None if !text.contains(is_obeyed) => return text.into(),
        None => (text, String::new()),
        Some((end, _)) => (&text[..end], format!("… ({} characters)", text.chars().count())),
    };
    let mut quoted = String::new();
    for letter in shown.chars() {
        match is_obeyed(letter) {
            true => quoted.extend(letter.escape_default()),
            false => quoted.push(letter),
        }
    }
    (quoted + &rest).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_shown() {
        assert_eq!(clipped("\u{1b}[31mred\n2"), "\\u{1b}[31mred\\n2");
        assert_eq!(clipped("a\u{202e}b"), "a\\u{202e}b");
        assert_eq!(plain("a\nb"), "a\nb");
        assert_eq!(plain("\u{9b}2J\n\u{202e}x\u{2069}"), "\\u{9b}2J\n\\u{202e}x\\u{2069}");
    }

    #[test]
    fn long_text_is_cut_and_short_text_is_not() {
        let most = "ü".repeat(LONGEST);
        assert_eq!(clipped(&most), most);
        assert_eq!(clipped(&format!("{most}x")), format!("{most}… (61 characters)"));
    }
}
