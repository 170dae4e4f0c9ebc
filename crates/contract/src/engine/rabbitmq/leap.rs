//! Which series of RabbitMQ takes the data of which.

use crate::engine::version::level;

/// The first two numbers of a version.
type Series = (u32, u32);

/// Each supported series with those whose data it takes besides its own.
const TAKES: [(Series, &[Series]); 8] = [
    ((3, 10), &[]),
    ((3, 11), &[(3, 10)]),
    ((3, 12), &[(3, 11)]),
    ((3, 13), &[(3, 12)]),
    ((4, 0), &[(3, 13)]),
    ((4, 1), &[(3, 13), (4, 0)]),
    ((4, 2), &[(3, 13), (4, 0), (4, 1)]),
    ((4, 3), &[(4, 2)]),
];

/// Why `this` must not open what `last` wrote, which is older, both as they are displayed.
pub(super) fn leaps(this: &str, last: &str) -> Option<String> {
    let (this, last) = (level(this)?, level(last)?);
    let ([a, b, ..], [c, d, ..]) = (this.as_slice(), last.as_slice()) else {
        return None;
    };
    let (to, from) = ((*a, *b), (*c, *d));
    let (_, taken) = TAKES.iter().find(|(series, _)| *series == to)?;
    if to <= from || taken.contains(&from) {
        return None;
    }
    let between: Vec<String> = taken.iter().map(|(major, minor)| format!("{major}.{minor}")).collect();
    let shown = |numbers: &[u32]| numbers.iter().map(u32::to_string).collect::<Vec<_>>().join(".");
    Some(format!(
        "the data was last written by RabbitMQ {}, and {} takes data of {} only: it would not start, or would migrate the data with no way back; upgrade to {} first",
        shown(&last),
        shown(&this),
        between.join(" and "),
        between.last().map_or("a version between them", String::as_str),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_some_versions_may_follow_each_other_on_the_same_data() {
        let why = |this: &str, last: &str| leaps(&format!("RabbitMQ {this}"), &format!("RabbitMQ {last}"));
        for (this, last) in [
            ("3.10.9", "3.10.8"),
            ("3.10.8", "3.10.8"),
            ("4.0.5", "3.13.7"),
            ("4.2.1", "4.0.5"),
            ("4.3.6", "4.2.1"),
            // Older ones are refused by another rule.
            ("3.10.8", "4.3.6"),
            // What is not known is not refused.
            ("5.0.0", "4.3.6"),
            ("next", "4.3.6"),
        ] {
            assert_eq!(why(this, last), None, "{last} to {this}");
        }
        let refused = why("4.3.6", "4.0.5").expect("refused");
        assert!(
            refused.contains("takes data of 4.2 only") && refused.ends_with("upgrade to 4.2 first"),
            "{refused}"
        );
        assert!(why("4.0.5", "3.10.8").is_some_and(|why| why.ends_with("upgrade to 3.13 first")));
        // The tag of an image names the version alone, and perhaps not all of it.
        assert!(leaps("4.3", "RabbitMQ 4.0.5 (untested with mqaws)").is_some());
    }
}
