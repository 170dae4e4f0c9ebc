//! Texts with wildcards and policy variables, and ARNs with both.

use super::context::Context;
use super::document::Malformed;
use super::keys;

/// A text that may hold `*`, `?` and `${key}` or `${key, 'default'}`; `${*}`, `${?}` and `${$}` are the characters
/// themselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pattern(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Glyph(Glyph),
    Variable { key: String, default: Option<String> },
}

/// One character of a pattern whose variables have their values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Glyph {
    Char(char),
    One,
    Many,
}

/// What is special in a text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Special {
    /// `*` and `?` are wildcards.
    pub(crate) wildcards: bool,
    /// `${…}` is a variable: not in documents of version 2008-10-17.
    pub(crate) variables: bool,
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// A variable that is not closed, or of a key that no request has.
    pub(super) fn parse(text: &str, special: Special) -> Result<Self, Malformed> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            if special.variables
                && let Some(inner) = rest.strip_prefix("${")
            {
                let Some((name, after)) = inner.split_once('}') else {
                    return Err(Malformed(format!("The variable in {text} is not closed.")));
                };
                pieces.push(variable(name)?);
                rest = after;
                continue;
            }
            pieces.push(Piece::Glyph(match c {
                '*' if special.wildcards => Glyph::Many,
                '?' if special.wildcards => Glyph::One,
                c => Glyph::Char(c),
            }));
            rest = &rest[c.len_utf8()..];
        }
        Ok(Self(pieces))
    }

    /// The pattern with the values of its variables; `None` when the request lacks one.
    fn resolve(&self, context: &Context) -> Option<Vec<Glyph>> {
        let mut glyphs = Vec::with_capacity(self.0.len());
        for piece in &self.0 {
            match piece {
                Piece::Glyph(glyph) => glyphs.push(*glyph),
                Piece::Variable { key, default } => {
                    // A value is never a wildcard, whatever is in it.
                    let value = context.single(key).or(default.as_deref())?;
                    glyphs.extend(value.chars().map(Glyph::Char));
                }
            }
        }
        Some(glyphs)
    }

    /// Whether the whole text matches.
    pub(super) fn matches(&self, text: &str, context: &Context) -> bool {
        self.resolve(context)
            .is_some_and(|glyphs| matches(&glyphs, &chars(text)))
    }

    /// Whether the whole text matches in any case.
    pub(super) fn matches_any_case(&self, text: &str, context: &Context) -> bool {
        let fold = |glyph: Glyph| match glyph {
            Glyph::Char(c) => Glyph::Char(c.to_ascii_lowercase()),
            other => other,
        };
        self.resolve(context).is_some_and(|glyphs| {
            let glyphs: Vec<Glyph> = glyphs.into_iter().map(fold).collect();
            matches(&glyphs, &chars(&text.to_ascii_lowercase()))
        })
    }

    /// Whether an ARN matches: part by part, but a `*` at the end also matches everything that follows.
    pub(super) fn matches_arn(&self, arn: &str, context: &Context) -> bool {
        let Some(glyphs) = self.resolve(context) else {
            return false;
        };
        let mut wanted: Vec<&[Glyph]> = glyphs.splitn(ARN_PARTS, |g| *g == Glyph::Char(':')).collect();
        let Some(last) = wanted.pop() else { return false };
        let arn = chars(arn);
        let mut rest = arn.as_slice();
        for part in &wanted {
            let Some(end) = rest.iter().position(|c| *c == ':') else {
                return false;
            };
            if !matches(part, &rest[..end]) {
                return false;
            }
            rest = &rest[end + 1..];
        }
        let whole = wanted.len() + 1 == ARN_PARTS || last.last() == Some(&Glyph::Many);
        (whole || !rest.contains(&':')) && matches(last, rest)
    }
}

/// `arn:partition:service:region:account:resource`.
const ARN_PARTS: usize = 6;

fn chars(text: &str) -> Vec<char> {
    text.chars().collect()
}

fn variable(inner: &str) -> Result<Piece, Malformed> {
    if let "*" | "?" | "$" = inner {
        let c = inner.chars().next().unwrap_or('$');
        return Ok(Piece::Glyph(Glyph::Char(c)));
    }
    let (key, default) = match inner.split_once(',') {
        None => (inner.trim(), None),
        Some((key, default)) => {
            let quoted = default.trim().strip_prefix('\'').and_then(|d| d.strip_suffix('\''));
            let Some(quoted) = quoted else {
                return Err(Malformed(format!(
                    "The default value of the variable ${{{inner}}} is not quoted."
                )));
            };
            (key.trim(), Some(quoted.to_owned()))
        }
    };
    if !keys::is_known(key) {
        return Err(Malformed(format!(
            "The variable ${{{key}}} is not supported by the local cloud."
        )));
    }
    Ok(Piece::Variable {
        key: key.to_owned(),
        default,
    })
}

/// Matches greedily from the left and goes back to the last `*`, which is enough for patterns of this kind.
fn matches(pattern: &[Glyph], text: &[char]) -> bool {
    let (mut at, mut read) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while read < text.len() {
        match pattern.get(at) {
            Some(Glyph::Many) => {
                star = Some((at, read));
                at += 1;
            }
            Some(Glyph::One) => {
                at += 1;
                read += 1;
            }
            Some(Glyph::Char(c)) if *c == text[read] => {
                at += 1;
                read += 1;
            }
            _ => {
                let Some((from, taken)) = star else { return false };
                star = Some((from, taken + 1));
                at = from + 1;
                read = taken + 1;
            }
        }
    }
    pattern[at..].iter().all(|g| *g == Glyph::Many)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ALL: Special = Special {
        wildcards: true,
        variables: true,
    };

    fn pattern(text: &str) -> Pattern {
        Pattern::parse(text, ALL).unwrap()
    }

    #[test]
    fn texts_match() {
        let context = Context::new()
            .with("aws:PrincipalTag/team", "a*b")
            .with("aws:userid", "u");
        for (text, value, expected) in [
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("a*c", "abbc", true),
            ("a*c", "abbd", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("*a*a", "baba", true),
            ("${*}", "*", true),
            ("${*}", "x", false),
            ("${$}{x}", "${x}", true),
            ("${aws:userid}/*", "u/x", true),
            ("${aws:PrincipalTag/team}", "a*b", true),
            ("${aws:PrincipalTag/team}", "axb", false),
            ("${aws:PrincipalTag/none}", "", false),
            ("${aws:PrincipalTag/none, 'all'}", "all", true),
        ] {
            assert_eq!(pattern(text).matches(value, &context), expected, "{text} {value}");
        }
        for text in ["${aws:userid", "${aws:nothing}", "${aws:userid, x}"] {
            assert!(Pattern::parse(text, ALL).is_err(), "{text}");
        }
        let old = Special {
            wildcards: true,
            variables: false,
        };
        assert!(
            Pattern::parse("${aws:nothing}", old)
                .unwrap()
                .matches("${aws:nothing}", &context)
        );
    }

    #[test]
    fn arns_match_part_by_part() {
        let group = "arn:aws:autoscaling:eu-west-1:1:autoScalingGroup:6a-1:autoScalingGroupName/g";
        for (text, arn, expected) in [
            ("*", group, true),
            ("arn:aws:*", group, true),
            ("arn:aws:autoscaling:*", group, true),
            (
                "arn:aws:autoscaling:*:1:autoScalingGroup:*:autoScalingGroupName/*",
                group,
                true,
            ),
            ("arn:*:autoScalingGroupName/g", group, false),
            (
                "arn:aws:autoscaling:*:autoScalingGroup:6a-1:autoScalingGroupName/g",
                group,
                false,
            ),
            ("arn:aws:autoscaling:eu-west-?:1:autoScalingGroup:*", group, true),
            ("arn:aws:autoscaling:eu-west-1:1", group, false),
            (
                "arn:aws:ec2:*:1:instance/*",
                "arn:aws:ec2:eu-west-1:1:instance/i-1",
                true,
            ),
            (
                "arn:aws:ec2:*:1:instance/*",
                "arn:aws:ec2:eu-west-1:2:instance/i-1",
                false,
            ),
            ("arn:aws:ec2:*:1:instance/*", "*", false),
            ("*", "*", true),
        ] {
            assert_eq!(
                pattern(text).matches_arn(arn, &Context::new()),
                expected,
                "{text} {arn}"
            );
        }
    }

    proptest! {
        /// A second implementation: a regular expression.
        #[test]
        fn wildcards_are_those_of_a_regular_expression(text in "[ab*?]{0,8}", value in "[ab]{0,10}") {
            let mut regex = String::from("^");
            for c in text.chars() {
                match c {
                    '*' => regex.push_str(".*"),
                    '?' => regex.push('.'),
                    c => regex.push(c),
                }
            }
            regex.push('$');
            let expected = regex::Regex::new(&regex).unwrap().is_match(&value);
            prop_assert_eq!(pattern(&text).matches(&value, &Context::new()), expected);
        }

        #[test]
        fn any_text_is_read_or_refused(text in ".{0,40}", value in ".{0,20}") {
            if let Ok(pattern) = Pattern::parse(&text, ALL) {
                pattern.matches(&value, &Context::new());
                pattern.matches_arn(&value, &Context::new());
            }
        }
    }
}
