//! Reading what a user names: regular files and the null device only, up to a bound, as UTF-8.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

/// Why a file is not the text that it should be.
#[derive(Debug)]
pub enum TextError {
    /// It cannot be read.
    Read(io::Error),
    /// It is a directory, a pipe or a device.
    NotAFile,
    /// It has more bytes than this.
    TooLong(u64),
    /// It is UTF-16.
    Utf16,
    /// This line, from 1, is not UTF-8.
    NotUtf8(usize),
}

impl TextError {
    /// What to do.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Read(_) => "check the path and its permissions",
            Self::NotAFile => "specify a regular file",
            Self::TooLong(_) => "specify a different file, or shorten this one",
            Self::Utf16 => "convert it with `iconv -f UTF-16 -t UTF-8`",
            Self::NotUtf8(_) => "convert it with `iconv -t UTF-8` and its current encoding, such as `-f ISO-8859-1`",
        }
    }
}

impl std::fmt::Display for TextError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Read(error) => error.fmt(f),
            Self::NotAFile => f.write_str("it is not a regular file"),
            Self::TooLong(limit) => write!(f, "it has more than {limit} bytes"),
            Self::Utf16 => f.write_str("it is UTF-16, not UTF-8"),
            Self::NotUtf8(line) => write!(f, "line {line} is not UTF-8"),
        }
    }
}

impl std::error::Error for TextError {}

/// What people name who want an empty file.
const NULL_DEVICE: &str = "/dev/null";

/// Opens a file for reading; a pipe or a device, which might never end, is an error. The null device is an empty file.
///
/// # Errors
/// When it cannot be opened, or is no regular file.
pub fn open_regular(path: &Path) -> io::Result<File> {
    // Asked before it is opened as well: to open a pipe waits for its writer.
    let ends = |metadata: fs::Metadata| metadata.is_file() || path == Path::new(NULL_DEVICE);
    if !ends(fs::metadata(path)?) {
        return Err(io::Error::other(TextError::NotAFile));
    }
    let file = File::open(path)?;
    match ends(file.metadata()?) {
        true => Ok(file),
        false => Err(io::Error::other(TextError::NotAFile)),
    }
}

/// Reads a whole text of at most `limit` bytes, without a byte order mark at its beginning.
///
/// # Errors
/// [`TextError`].
pub fn read_text(path: &Path, limit: u64) -> Result<String, TextError> {
    let file = open_regular(path).map_err(|error| match error.downcast::<TextError>() {
        Ok(error) => error,
        Err(error) => TextError::Read(error),
    })?;
    read_text_from(file, limit)
}

/// Reads a whole text of at most `limit` bytes from what is open, as [`read_text`] does from a file.
///
/// # Errors
/// [`TextError`].
pub fn read_text_from(source: impl Read, limit: u64) -> Result<String, TextError> {
    let mut bytes = Vec::new();
    source
        .take(limit + 1)
        .read_to_end(&mut bytes)
        .map_err(TextError::Read)?;
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err(TextError::Utf16);
    }
    if bytes.len() as u64 > limit {
        return Err(TextError::TooLong(limit));
    }
    let mut text = String::from_utf8(bytes).map_err(|error| {
        let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        TextError::NotUtf8(valid.iter().filter(|byte| **byte == b'\n').count() + 1)
    })?;
    if text.starts_with('\u{feff}') {
        text.drain(..'\u{feff}'.len_utf8());
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8], limit: u64) -> Result<String, TextError> {
        let dir = tempfile::tempdir().expect("tempdir");
        let path = dir.path().join("file");
        fs::write(&path, bytes).expect("written");
        read_text(&path, limit)
    }

    #[test]
    fn what_is_no_bounded_text_is_refused_by_what_it_is() {
        assert!(read(b"\xef\xbb\xbftext", 7).is_ok_and(|text| text == "text"));
        assert!(matches!(read(b"12345", 4), Err(TextError::TooLong(4))));
        assert!(matches!(read(b"\xff\xfea\0", 9), Err(TextError::Utf16)));
        assert!(matches!(read(b"one\nz\xfcrich\n", 90), Err(TextError::NotUtf8(2))));
        let refused = |path: &str| read_text(Path::new(path), 9);
        assert!(refused(NULL_DEVICE).is_ok_and(|text| text.is_empty()));
        assert!(matches!(refused("/dev/zero"), Err(TextError::NotAFile)));
        assert!(matches!(refused("/"), Err(TextError::NotAFile)));
        assert!(matches!(refused("/nowhere/at/all"), Err(TextError::Read(_))));
    }
}
