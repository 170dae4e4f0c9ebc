//! Markup whose texts are only texts.

/// The style sheet: one for a screen in light and dark, for paper and for a phone.
const STYLE: &str = include_str!("page.css");

/// Markup as it is written.
#[derive(Debug, Default)]
pub(super) struct Html(String);

impl Html {
    /// Opens an element of this class; none when it is empty.
    pub(super) fn open(&mut self, element: &str, class: &str) {
        match class {
            "" => self.0 += &format!("<{element}>"),
            class => self.0 += &format!("<{element} class=\"{class}\">"),
        }
    }

    /// Closes an element.
    pub(super) fn close(&mut self, element: &str) {
        self.0 += &format!("</{element}>\n");
    }

    /// A text.
    pub(super) fn text(&mut self, text: &str) {
        self.0 += &escaped(text);
    }

    /// An element with a text.
    pub(super) fn element(&mut self, element: &str, class: &str, text: &str) {
        self.open(element, class);
        self.text(text);
        self.close(element);
    }

    /// A paragraph of this program's own words, in which commands stand between backticks.
    pub(super) fn paragraph(&mut self, class: &str, words: &str) {
        self.open("p", class);
        for (place, part) in words.split('`').enumerate() {
            match place % 2 {
                0 => self.text(part),
                _ => self.0 += &format!("<code>{}</code>", escaped(part)),
            }
        }
        self.close("p");
    }

    /// A picture that was drawn here, with its caption and the colors that it explains.
    pub(super) fn picture(&mut self, caption: &str, keys: &[(&str, &str)], picture: &str) {
        self.open("figure", "");
        self.open("figcaption", "");
        self.element("b", "", caption);
        for (class, text) in keys {
            self.element("span", &format!("key {class}"), text);
        }
        self.close("figcaption");
        self.0 += picture;
        self.close("figure");
    }

    /// A table: the head, and the rows. Cells of columns from `numbers` on are numbers.
    pub(super) fn table(&mut self, head: &[&str], numbers: usize, rows: &[Vec<String>]) {
        self.open("div", "wide");
        self.open("table", "");
        self.open("thead", "");
        self.row("th", numbers, head.iter().copied());
        self.close("thead");
        self.open("tbody", "");
        for row in rows {
            self.row("td", numbers, row.iter().map(String::as_str));
        }
        self.close("tbody");
        self.close("table");
        self.close("div");
    }

    fn row<'a>(&mut self, cell: &str, numbers: usize, texts: impl Iterator<Item = &'a str>) {
        self.open("tr", "");
        for (column, text) in texts.enumerate() {
            self.element(cell, if column >= numbers { "n" } else { "" }, text);
        }
        self.close("tr");
    }

    /// A list.
    pub(super) fn list<'a>(&mut self, lines: impl IntoIterator<Item = &'a str>) {
        self.open("ul", "");
        for line in lines {
            self.element("li", "", line);
        }
        self.close("ul");
    }

    /// The whole file. A browser that obeys the policy loads and runs nothing, whatever is in it.
    pub(super) fn document(&self, title: &str) -> String {
        format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"color-scheme\" content=\"light dark\">\n<title>{}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n{}</body>\n</html>\n",
            escaped(title),
            self.0
        )
    }
}

/// A text that is only text: no markup, no control character, and nothing that changes the direction of what follows.
pub(super) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => safe.push('\u{fffd}'),
            c if c.is_control() => safe.push(' '),
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_only_a_text() {
        let text = escaped("<img src=x onerror=\"a('b')\">&\n\u{202e}\u{7}");
        assert_eq!(
            text,
            "&lt;img src=x onerror=&quot;a(&#39;b&#39;)&quot;&gt;&amp; \u{fffd} "
        );
    }
}
