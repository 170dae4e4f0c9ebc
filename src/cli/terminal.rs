//! What reaches a terminal: every text that people read goes through here, whoever wrote it.

use mqaws_contract::is_obeyed;
use std::borrow::Cow;

/// The text with everything that a terminal obeys as escapes, but for ends of lines, tabs, and our own colors and weights.
pub(super) fn shown(text: &str) -> Cow<'_, str> {
    if !text.contains(is_strange) {
        return text.into();
    }
    let mut quoted = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(letter) = rest.chars().next() {
        let length = match style(rest) {
            0 if is_strange(letter) => {
                quoted.extend(letter.escape_unicode());
                letter.len_utf8()
            }
            0 => {
                quoted.push(letter);
                letter.len_utf8()
            }
            style => {
                quoted.push_str(&rest[..style]);
                style
            }
        };
        rest = &rest[length..];
    }
    quoted.into()
}

/// The same of a JSON document, in whose strings alone such characters can be.
pub(super) fn shown_json(text: &str) -> Cow<'_, str> {
    if !text.contains(is_strange) {
        return text.into();
    }
    let mut quoted = String::with_capacity(text.len());
    for letter in text.chars() {
        match is_strange(letter) {
            true => quoted += &format!("\\u{:04x}", u32::from(letter)),
            false => quoted.push(letter),
        }
    }
    quoted.into()
}

fn is_strange(letter: char) -> bool {
    !matches!(letter, '\n' | '\t') && is_obeyed(letter)
}

/// How long the change of color or weight is that the text begins with; 0 for none.
fn style(text: &str) -> usize {
    let Some(parameters) = text.strip_prefix("\u{1b}[") else {
        return 0;
    };
    let end = parameters.find(|letter: char| !letter.is_ascii_digit() && letter != ';');
    match end {
        Some(end) if parameters[end..].starts_with('m') => "\u{1b}[".len() + end + 1,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_shown_and_our_own_colors_stay() {
        for (text, expected) in [
            ("plain\ttext\n", "plain\ttext\n"),
            ("\u{1b}[1;31mred\u{1b}[0m", "\u{1b}[1;31mred\u{1b}[0m"),
            ("\u{1b}[2J", "\\u{1b}[2J"),
            ("\u{1b}]0;title\u{7}", "\\u{1b}]0;title\\u{7}"),
            ("no\rfail", "no\\u{d}fail"),
            ("\u{202e}gnp.exe\u{2069}ü", "\\u{202e}gnp.exe\\u{2069}ü"),
            ("\u{9b}31m", "\\u{9b}31m"),
            ("\u{1b}[", "\\u{1b}["),
        ] {
            assert_eq!(shown(text), expected, "{text:?}");
        }
        let json = serde_json::to_string_pretty(&serde_json::json!({"a": "x\u{202e}y\u{85}\u{1b}"})).unwrap();
        let quoted = shown_json(&json);
        assert!(!quoted.contains(is_strange), "{quoted:?}");
        let read: serde_json::Value = serde_json::from_str(&quoted).unwrap();
        assert_eq!(read["a"], "x\u{202e}y\u{85}\u{1b}");
    }
}
