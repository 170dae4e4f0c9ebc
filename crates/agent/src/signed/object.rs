//! Objects of S3, read in parts, so that no answer is larger than the others and each is repeated on its own.

use super::client::{Client, Unsigned, encode, query_error};
use super::endpoint::Service;
use super::error::CallError;

/// Where an object is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// Bucket.
    pub(crate) bucket: String,
    /// Key, without a leading slash.
    pub(crate) key: String,
}

impl Object {
    /// Reads an address of the form `s3://BUCKET/KEY`; `None` for any other.
    pub fn parse(address: &str) -> Option<Self> {
        let (bucket, key) = address.strip_prefix("s3://")?.split_once('/')?;
        (!bucket.is_empty() && !key.is_empty()).then(|| Self {
            bucket: bucket.to_owned(),
            key: key.to_owned(),
        })
    }

    /// The object as a path; the slashes of the key stay.
    fn path(&self) -> String {
        let key: Vec<String> = self.key.split('/').map(encode).collect();
        format!("{}/{}", encode(&self.bucket), key.join("/"))
    }
}

/// A part of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectPart {
    /// What was asked for, or less at the end of the object.
    pub(crate) bytes: Vec<u8>,
    /// Length of the whole object, bytes.
    pub(crate) total: u64,
    /// Names this version of the object.
    pub(crate) etag: String,
}

impl Client {
    /// Reads up to `length` bytes from `start`, at most 2 MiB a call. With `etag` only that version of the object will do.
    ///
    /// # Errors
    /// [`CallError`]; an object without a byte at `start` is `InvalidRange`.
    pub(crate) fn object_part(
        &self,
        object: &Object,
        start: u64,
        length: u64,
        etag: Option<&str>,
    ) -> Result<ObjectPart, CallError> {
        let action = "s3:GetObject";
        let range = format!("bytes={start}-{}", start + length.clamp(1, 2 << 20) - 1);
        let headers: Vec<(&str, &str)> = [("range", range.as_str())]
            .into_iter()
            .chain(etag.map(|etag| ("if-match", etag)))
            .collect();
        let request = Unsigned {
            service: Service::S3,
            method: "GET",
            path: object.path(),
            headers: &headers,
            body: &[],
        };
        let answer = self.call(action, &request, query_error)?;
        let header = |name: &str| answer.headers.get(name).and_then(|v| v.to_str().ok());
        let malformed = |what: &str| CallError::Malformed {
            action: action.to_owned(),
            what: what.to_owned(),
        };
        // bytes 0-9/443
        let place = header("content-range").and_then(|r| r.strip_prefix("bytes "));
        let (from, total) = place
            .and_then(|p| p.split_once('/'))
            .and_then(|(range, total)| Some((range.split_once('-')?.0.parse::<u64>().ok()?, total.parse().ok()?)))
            .ok_or_else(|| malformed("no Content-Range"))?;
        let etag = header("etag").ok_or_else(|| malformed("no ETag"))?.to_owned();
        if from != start || answer.body.is_empty() {
            return Err(malformed("a different part than requested"));
        }
        Ok(ObjectPart {
            bytes: answer.body,
            total,
            etag,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let object = |bucket: &str, key: &str| {
            Some(Object {
                bucket: bucket.into(),
                key: key.into(),
            })
        };
        for (address, expected) in [
            ("s3://packages/mq/9.4.tar.gz", object("packages", "mq/9.4.tar.gz")),
            ("s3://packages/", None),
            ("s3:///key", None),
            ("s3://packages", None),
            ("https://packages/key", None),
        ] {
            assert_eq!(Object::parse(address), expected, "{address}");
        }
        let odd = object("b", "a folder/IBM+MQ ü.tar.gz").expect("object");
        assert_eq!(odd.path(), "b/a%20folder/IBM%2BMQ%20%C3%BC.tar.gz");
    }
}
