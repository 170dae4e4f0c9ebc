//! The order of an engine's versions on the same data.

/// Which versions of an engine may follow which on the same data, all of them as they are displayed.
#[derive(Debug, Clone, Copy)]
pub struct Order {
    /// Whether the first is older than the second, which wrote the data last: then it cannot use the data. What names no version is not
    /// compared.
    pub is_older: fn(&str, &str) -> bool,
    /// Why data that the second wrote last must not be given to the first, which is newer; absent when they may.
    pub leaps: fn(&str, &str) -> Option<String>,
}

impl Default for Order {
    /// No version is older than another.
    fn default() -> Self {
        Self {
            is_older: |_, _| false,
            leaps: |_, _| None,
        }
    }
}

impl Order {
    /// Why an engine of this version must not be started on data that another version wrote last; absent when it may.
    pub fn refuses(&self, version: &str, last_writer: &str) -> Option<String> {
        if let Some(why) = (self.leaps)(version, last_writer) {
            return Some(why);
        }
        (self.is_older)(version, last_writer).then(|| {
            format!(
                "the data was last written by {last_writer}, but this image has {version}: data cannot be used with an older level; deploy an image with {last_writer} or newer"
            )
        })
    }
}

/// Whether an engine is of an older level than the one that wrote the data last, both as they are displayed.
///
/// A level is the first three numbers. Data are taken to a newer level by the engine that starts on them there, and not back; what
/// comes fourth, a fix pack, can be taken off again. Of a version that is known by two numbers, these alone are compared; what names
/// no level is not compared.
pub(super) fn is_older(engine: &str, last_writer: &str) -> bool {
    let (Some(engine), Some(writer)) = (level(engine), level(last_writer)) else {
        return false;
    };
    let differ = engine.iter().zip(&writer).find(|(own, last)| own != last);
    differ.is_some_and(|(own, last)| own < last)
}

/// Two or three numbers of the first word that begins with them: of `Product 9.4.0.11`, `[9, 4, 0]`.
pub(super) fn level(displayed: &str) -> Option<Vec<u32>> {
    displayed.split_whitespace().find_map(|word| {
        let mut parts = word.splitn(3, '.');
        let mut numbers = vec![parts.next()?.parse().ok()?, parts.next()?.parse().ok()?];
        // A package's revision follows without a dot.
        let third = parts.next().unwrap_or_default();
        let end = third.find(|c: char| !c.is_ascii_digit()).unwrap_or(third.len());
        numbers.extend(third[..end].parse::<u32>().ok());
        Some(numbers)
    })
}
