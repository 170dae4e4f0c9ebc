//! GetRandomPassword.

use crate::api::{ApiError, ApiResult, flag, number, only, text};
use crate::ids;
use rand::RngExt;
use serde_json::{Value, json};

const LOWER: &str = "abcdefghijklmnopqrstuvwxyz";
const UPPER: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const DIGITS: &str = "0123456789";
const PUNCTUATION: &str = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";

/// A password of the classes asked for, from the thread's cryptographically secure generator.
///
/// # Errors
/// `InvalidParameterException` for a length outside 1 to 4096, or too short for one character of each class.
pub(super) fn random(params: &Value) -> ApiResult {
    only(
        params,
        &[
            "PasswordLength",
            "ExcludeCharacters",
            "ExcludeNumbers",
            "ExcludePunctuation",
            "ExcludeUppercase",
            "ExcludeLowercase",
            "IncludeSpace",
            "RequireEachIncludedType",
        ],
    )?;
    let invalid = |message: &str| ApiError::new("InvalidParameterException", message);
    let length = number(params, "PasswordLength").unwrap_or(32);
    if !(1..=4096).contains(&length) {
        return Err(invalid("Password length must be between 1 and 4096"));
    }
    let length = length.unsigned_abs() as usize;
    let excluded = text(params, "ExcludeCharacters").unwrap_or_default();
    let without = |name: &str| flag(params, name).unwrap_or_default();
    let mut classes: Vec<Vec<u8>> = Vec::new();
    for (off, alphabet) in [
        ("ExcludeLowercase", LOWER),
        ("ExcludeUppercase", UPPER),
        ("ExcludeNumbers", DIGITS),
        ("ExcludePunctuation", PUNCTUATION),
    ] {
        let left: Vec<u8> = alphabet
            .bytes()
            .filter(|b| !excluded.contains(char::from(*b)))
            .collect();
        if !without(off) && !left.is_empty() {
            classes.push(left);
        }
    }
    if without("IncludeSpace") && !excluded.contains(' ') {
        classes.push(vec![b' ']);
    }
    if classes.is_empty() {
        return Err(invalid("All characters are excluded"));
    }
    let each = flag(params, "RequireEachIncludedType").unwrap_or(true);
    if each && length < classes.len() {
        return Err(invalid("Password length is too short for the required character types"));
    }
    let all = classes.concat();
    let mut password: Vec<u8> = Vec::with_capacity(length);
    if each {
        for class in &classes {
            password.extend(ids::pick(1, class).bytes());
        }
    }
    password.extend(ids::pick(length - password.len(), &all).bytes());
    let mut rng = rand::rng();
    for at in (1..password.len()).rev() {
        password.swap(at, rng.random_range(0..=at));
    }
    Ok(json!({"RandomPassword": String::from_utf8_lossy(&password)}))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn password(params: Value) -> String {
        random(&params).unwrap()["RandomPassword"].as_str().unwrap().to_owned()
    }

    #[test]
    fn holds_what_was_asked_for() {
        for _ in 0..200 {
            let p = password(json!({"PasswordLength": 8, "ExcludePunctuation": true, "ExcludeCharacters": "abc"}));
            assert_eq!(p.len(), 8);
            assert!(p.chars().any(|c| c.is_ascii_lowercase()), "{p}");
            assert!(p.chars().any(|c| c.is_ascii_uppercase()), "{p}");
            assert!(p.chars().any(|c| c.is_ascii_digit()), "{p}");
            assert!(
                p.chars().all(|c| c.is_ascii_alphanumeric() && !"abc".contains(c)),
                "{p}"
            );
        }
        assert_eq!(password(json!({})).len(), 32);
        assert_ne!(password(json!({})), password(json!({})));
        for params in [json!({"PasswordLength": 0}), json!({"PasswordLength": 3})] {
            assert_eq!(random(&params).unwrap_err().code, "InvalidParameterException");
        }
    }
}
