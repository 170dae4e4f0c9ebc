//! Text of somebody else in a message: only its beginning, so that the message fits a screen.

/// Most characters of it.
const LONGEST: usize = 60;

/// The text, or its first 60 characters and how many it has.
pub fn clipped(text: &str) -> std::borrow::Cow<'_, str> {
    match text.char_indices().nth(LONGEST) {
        None => text.into(),
        Some((end, _)) => format!("{}… ({} characters)", &text[..end], text.chars().count()).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_text_is_cut_and_short_text_is_not() {
        let most = "ü".repeat(LONGEST);
        assert_eq!(clipped(&most), most);
        assert_eq!(clipped(&format!("{most}x")), format!("{most}… (61 characters)"));
    }
}
