//! Text of somebody else in a message: only its beginning, so that the message fits a screen, and nothing that a terminal obeys.

/// Most characters of it.
const LONGEST: usize = 60;

/// The text, or its first 60 characters and how many it has; line breaks and other controls as escapes.
pub fn clipped(text: &str) -> std::borrow::Cow<'_, str> {
    let (shown, rest) = match text.char_indices().nth(LONGEST) {
        None if !text.contains(char::is_control) => return text.into(),
        None => (text, String::new()),
        Some((end, _)) => (&text[..end], format!("… ({} characters)", text.chars().count())),
    };
    let mut quoted = String::new();
    for letter in shown.chars() {
        match letter.is_control() {
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
    }

    #[test]
    fn long_text_is_cut_and_short_text_is_not() {
        let most = "ü".repeat(LONGEST);
        assert_eq!(clipped(&most), most);
        assert_eq!(clipped(&format!("{most}x")), format!("{most}… (61 characters)"));
    }
}
