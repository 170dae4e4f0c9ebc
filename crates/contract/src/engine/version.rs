//! The order of an engine's versions on the same data.

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
fn level(displayed: &str) -> Option<Vec<u32>> {
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
