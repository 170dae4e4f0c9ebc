//! `mqaws-agent fetch`: an object of S3 onto the disk with the instance's role, for a host that is becoming an image.

use crate::remedy::Remedy;
use crate::signed::{CallError, Client, Object};
use mqaws_files::{AtomicWrite, PendingFile};
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// What one call asks for, bytes.
const PART: u64 = 2 << 20;

/// What was fetched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Fetched {
    /// Where it is now.
    pub(crate) file: PathBuf,
    /// Length.
    pub(crate) bytes: u64,
    /// SHA-256 of what was written, hexadecimal.
    pub(crate) sha256: String,
}

/// Why nothing was fetched.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
    /// S3 gave nothing.
    #[error("cannot fetch s3://{bucket}/{key}", bucket = object.bucket, key = object.key)]
    Call {
        /// What was asked for.
        object: Object,
        /// Why.
        #[source]
        source: CallError,
    },
    /// The file could not be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// What came is not what was wanted.
    #[error("the SHA-256 is {found}, not {wanted}")]
    Checksum {
        /// Of what came.
        found: String,
        /// As the caller said.
        wanted: String,
    },
}

impl FetchError {
    /// What to do about it.
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::Call { source, .. } if source.code() == Some("InvalidRange") => {
                Some("the object is empty".to_owned())
            }
            Self::Call { source, .. } => source.hint(),
            Self::Write { .. } => Some("check that the folder exists and has space for the object".to_owned()),
            Self::Checksum { .. } => {
                Some("the download was discarded; upload the object again, or correct the checksum".to_owned())
            }
        }
    }
}

/// Reads an object part by part into `file`, which appears only when it is whole and, with `wanted`, has that SHA-256.
///
/// # Errors
/// [`FetchError`]; then nothing is left of it.
pub(crate) fn fetch(
    client: &Client,
    object: &Object,
    file: &Path,
    wanted: Option<&str>,
) -> Result<Fetched, FetchError> {
    let mut part = AtomicWrite::to(file).durable().begin().map_err(written(file))?;
    let (bytes, sha256) = into(client, object, &mut part, file)?;
    if let Some(wanted) = wanted
        && !wanted.eq_ignore_ascii_case(&sha256)
    {
        let wanted = wanted.to_owned();
        return Err(FetchError::Checksum { found: sha256, wanted });
    }
    part.commit().map_err(written(file))?;
    Ok(Fetched {
        file: file.to_owned(),
        bytes,
        sha256,
    })
}

fn written(path: &Path) -> impl Fn(io::Error) -> FetchError {
    move |source| FetchError::Write {
        path: path.to_owned(),
        source,
    }
}

fn into(client: &Client, object: &Object, out: &mut PendingFile, path: &Path) -> Result<(u64, String), FetchError> {
    let mut digest = Sha256::new();
    let (mut at, mut etag) = (0, None::<String>);
    loop {
        let got = client
            .object_part(object, at, PART, etag.as_deref())
            .map_err(|source| FetchError::Call {
                object: object.clone(),
                source,
            })?;
        out.write_all(&got.bytes).map_err(written(path))?;
        digest.update(&got.bytes);
        at += got.bytes.len() as u64;
        etag = Some(got.etag);
        if at >= got.total {
            break;
        }
    }
    Ok((at, hex::encode(digest.finalize())))
}
