//! The certificate that clients see, as its secret holds it, and what `openssl` finds out about it.
//!
//! IBM MQ reads PKCS#12 files since 9.3.0 (its AMQP service nothing else since 9.4.0), so the secret holds one as
//! `openssl pkcs12 -export` makes it. Whether the password opens it and whether the label is in it is found out before the
//! engine starts: the engine would only say so in a log, at a client's first connection. The image's own `openssl` does the
//! looking; on an image without it the check is left out, and said to be.

use crate::{Command, Runner};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use jiff::Timestamp;
use jiff::fmt::strtime;
use secrecy::{ExposeSecret, SecretSlice, SecretString};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::path::Path;
use std::time::Duration;

/// Longest label: the length of IBM MQ's `CERTLABL`.
const LABEL: usize = 64;
/// Longest password; IBM's own limit is not known.
const PASSWORD: usize = 128;
/// The program that opens PKCS#12 files.
const OPENSSL: &str = "/usr/bin/openssl";
/// Longest run of it.
const DEADLINE: Duration = Duration::from_secs(20);

/// A certificate with its chain and private key.
#[derive(Debug, Clone)]
pub struct Certificate {
    pkcs12: SecretSlice<u8>,
    password: SecretString,
    label: String,
}

#[derive(Deserialize)]
struct Stored {
    pkcs12: String,
    password: String,
    #[serde(default)]
    label: Option<String>,
}

/// What was found in a PKCS#12 file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Examined {
    /// Labels of the certificates with a private key.
    pub(crate) labels: Vec<String>,
    /// When the first of them is over.
    pub(crate) until: Option<Timestamp>,
}

/// Why a PKCS#12 file was not examined, or must not be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Examination {
    /// It is not what it should be.
    Unusable(String),
    /// `openssl` is not there, or cannot read it, which says nothing of an engine that reads it itself.
    Unreadable(String),
    /// Nothing is known about it.
    LeftOut(String),
}

fn printable(text: &str) -> bool {
    text.bytes().all(|b| b == b' ' || b.is_ascii_graphic())
}

impl Certificate {
    /// Reads the text of a secret: `{"pkcs12": base64, "password": …, "label": …}`. Without a label it is the
    /// engine's default.
    ///
    /// # Errors
    /// In words, with the remedy and without any of the secret.
    pub fn parse(text: &SecretString, default_label: &str) -> Result<Self, String> {
        let shape = "store {\"pkcs12\": BASE64, \"password\": …, \"label\": …}";
        // The parser's message could quote the text: only the place is told.
        let stored: Stored = serde_json::from_str(text.expose_secret())
            .map_err(|e| format!("it is invalid at line {} column {}; {shape}", e.line(), e.column()))?;
        let compact: String = stored.pkcs12.split_whitespace().collect();
        let pkcs12 = BASE64_STANDARD
            .decode(compact)
            .map_err(|_| format!("its `pkcs12` is not base64; {shape}, with the file encoded by `base64 -w0`"))?;
        // A DER sequence; PEM, which IBM MQ does not read, begins with a dash.
        if pkcs12.first() != Some(&0x30) {
            return Err("its `pkcs12` is not a PKCS#12 file; create one with `openssl pkcs12 -export`".to_owned());
        }
        if !(1..=PASSWORD).contains(&stored.password.len()) || !printable(&stored.password) {
            return Err(format!(
                "its `password` must have 1 to {PASSWORD} printable ASCII characters; export the file with a different password"
            ));
        }
        let label = stored.label.unwrap_or_else(|| default_label.to_owned());
        if !(1..=LABEL).contains(&label.len()) || !printable(&label) {
            return Err(format!(
                "its `label` must have 1 to {LABEL} printable ASCII characters; specify a different one with `openssl pkcs12 -export -name`"
            ));
        }
        Ok(Self {
            pkcs12: pkcs12.into(),
            password: stored.password.into(),
            label,
        })
    }

    /// The PKCS#12 file.
    pub(crate) fn pkcs12(&self) -> &[u8] {
        self.pkcs12.expose_secret()
    }

    /// What opens it.
    pub(crate) fn password(&self) -> &SecretString {
        &self.password
    }

    /// Name of the certificate in it.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// Whether another is the same, by file, password and label.
    pub(crate) fn same(&self, other: &Self) -> bool {
        let digest = |c: &Self| {
            let mut digest = Sha256::new();
            for part in [c.pkcs12(), c.password.expose_secret().as_bytes(), c.label.as_bytes()] {
                digest.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
                digest.update(part);
            }
            digest.finalize()
        };
        digest(self) == digest(other)
    }

    /// Looks into the file, which is at this path.
    ///
    /// # Errors
    /// [`Examination`].
    pub(crate) fn examine(&self, runner: &dyn Runner, file: &Path) -> Result<Examined, Examination> {
        let opened = self.own(runner, file)?;
        let labels = labels(&opened);
        // GSKit and Java both look for it whatever its case.
        if !labels.iter().any(|l| l.eq_ignore_ascii_case(&self.label)) {
            return Err(Examination::Unusable(format!(
                "its `pkcs12` has no certificate `{}`, but {}; set `label` to the correct name, or export it with -name",
                self.label,
                match labels.as_slice() {
                    [] => "one without a name".to_owned(),
                    some => format!("`{}`", some.join("`, `")),
                },
            )));
        }
        let until = usable(runner, opened)?;
        Ok(Examined { labels, until })
    }

    /// What `openssl pkcs12` prints of the file with these options.
    fn opened(&self, runner: &dyn Runner, file: &Path, options: &[&str]) -> Result<String, Examination> {
        if !Path::new(OPENSSL).exists() {
            return Err(Examination::Unreadable(format!(
                "this host has no {OPENSSL}: install openssl in the image"
            )));
        }
        let open = Command::new(OPENSSL)
            .arg("pkcs12")
            .args(options)
            .args(["-passin", "stdin", "-in"])
            .arg(file)
            .stdin(format!("{}\n", self.password.expose_secret()))
            .deadline(DEADLINE);
        let opened = runner
            .run(&open)
            .map_err(|error| Examination::LeftOut(error.to_string()))?;
        if opened.code == 0 {
            return Ok(opened.text);
        }
        if opened.text.contains("invalid password") {
            return Err(Examination::Unusable(
                "its `password` does not match its `pkcs12`; store the password that was used for `openssl pkcs12 -export`"
                    .to_owned(),
            ));
        }
        let why = opened.text.lines().next().unwrap_or_default();
        Err(Examination::Unreadable(format!("openssl cannot read it: {why}")))
    }

    /// The certificate with the private key.
    fn own(&self, runner: &dyn Runner, file: &Path) -> Result<String, Examination> {
        let opened = self.opened(runner, file, &["-nokeys", "-clcerts"])?;
        match opened.contains("BEGIN CERTIFICATE") {
            true => Ok(opened),
            false => Err(Examination::Unusable(
                "its `pkcs12` contains no certificate with a private key; export both with `openssl pkcs12 -export -inkey`"
                    .to_owned(),
            )),
        }
    }
}

/// When a certificate is over, if it can be a server's.
fn usable(runner: &dyn Runner, certificate: String) -> Result<Option<Timestamp>, Examination> {
    let constraints = Command::new(OPENSSL)
        .args(["x509", "-noout", "-ext", "basicConstraints"])
        .stdin(certificate.clone())
        .deadline(DEADLINE);
    // An openssl that does not know the option tells nothing, and nothing is refused.
    let found = runner.run(&constraints).ok().filter(|o| o.code == 0);
    if found.is_some_and(|found| found.text.contains("CA:TRUE")) {
        return Err(Examination::Unusable(
                "its `pkcs12` contains the certificate of a certificate authority (CA:TRUE) as the server's own, which clients reject; \
                 issue one with basicConstraints CA:FALSE"
                    .to_owned(),
            ));
    }
    let dates = Command::new(OPENSSL)
        .args(["x509", "-noout", "-enddate"])
        .stdin(certificate)
        .deadline(DEADLINE);
    let until = runner.run(&dates).ok().filter(|o| o.code == 0);
    Ok(until.and_then(|o| end_date(&o.text)))
}

fn labels(text: &str) -> Vec<String> {
    let named = |line: &str| Some(line.trim().strip_prefix("friendlyName:")?.trim().to_owned());
    text.lines().filter_map(named).collect()
}

/// `notAfter=Nov 26 20:25:02 2027 GMT`.
fn end_date(text: &str) -> Option<Timestamp> {
    let date = text.lines().find_map(|line| line.strip_prefix("notAfter="))?;
    let date = strtime::parse("%b %d %H:%M:%S %Y GMT", date.trim()).ok()?;
    let date = date.to_datetime().ok()?;
    date.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|z| z.timestamp())
}

mod pem;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runner::ProcessRunner;
    use std::process;

    fn secret(value: serde_json::Value) -> SecretString {
        value.to_string().into()
    }

    /// A file as the documentation says to make it, of a certificate that is over after these days.
    fn exported(name: &str, password: &str, is_authority: bool) -> Vec<u8> {
        let dir = tempfile::tempdir().expect("tempdir");
        let run = |args: &[&str]| {
            let done = process::Command::new(OPENSSL)
                .args(args)
                .current_dir(dir.path())
                .output();
            let done = done.expect("openssl");
            assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        };
        run(&[
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-keyout",
            "k.pem",
            "-out",
            "c.pem",
            "-days",
            "3",
            "-subj",
            "/CN=mq",
            "-addext",
            if is_authority {
                "basicConstraints=critical,CA:TRUE"
            } else {
                "basicConstraints=critical,CA:FALSE"
            },
        ]);
        std::fs::write(dir.path().join("pw"), password).expect("written");
        run(&[
            "pkcs12", "-export", "-inkey", "k.pem", "-in", "c.pem", "-name", name, "-passout", "file:pw", "-out",
            "k.p12",
        ]);
        std::fs::read(dir.path().join("k.p12")).expect("exported")
    }

    fn parsed(pkcs12: &[u8], password: &str, label: Option<&str>) -> Certificate {
        let stored =
            serde_json::json!({"pkcs12": BASE64_STANDARD.encode(pkcs12), "password": password, "label": label});
        Certificate::parse(&secret(stored), "ibmwebspheremqqm1").expect("a certificate")
    }

    fn examined(certificate: &Certificate) -> Result<Examined, Examination> {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), certificate.pkcs12()).expect("written");
        certificate.examine(&ProcessRunner, file.path())
    }

    #[test]
    fn what_is_no_certificate_is_told_without_quoting_it() {
        let wrong = [
            ("\"s3cret", "line 1 column 7"),
            (r#"{"pkcs12": "MAo=", "pasword": "s3cret"}"#, "line 1"),
            (r#"{"pkcs12": "s3cret!", "password": "x"}"#, "not base64"),
            (
                r#"{"pkcs12": "LS0tLS1CRUdJTg==", "password": "s3cret"}"#,
                "not a PKCS#12",
            ),
            (r#"{"pkcs12": "MAo=", "password": ""}"#, "`password`"),
            (r#"{"pkcs12": "MAo=", "password": "s3cret\n"}"#, "`password`"),
            (r#"{"pkcs12": "MAo=", "password": "s3cret", "label": ""}"#, "`label`"),
        ];
        for (text, words) in wrong {
            let why = Certificate::parse(&text.to_owned().into(), "QM1").expect_err(text);
            assert!(why.contains(words) && !why.contains("s3cret"), "{text}: {why}");
        }
    }

    #[test]
    fn the_default_label_is_ibms_and_nothing_is_shown() {
        let certificate = parsed(&[0x30, 1], "s3cret", None);
        assert_eq!(certificate.label(), "ibmwebspheremqqm1");
        assert!(!format!("{certificate:?}").contains("s3cret"));
        assert!(certificate.same(&certificate.clone()));
        assert!(!certificate.same(&parsed(&[0x30, 1], "s3cret", Some("other"))));
        assert!(!certificate.same(&parsed(&[0x30, 2], "s3cret", None)));
    }

    #[test]
    fn the_file_is_opened_with_the_password_and_its_label_and_end_are_read() {
        let file = exported("ibmwebspheremqqm1", "it's s3cret", false);
        let authority = exported("ibmwebspheremqqm1", "it's s3cret", true);
        let found = examined(&parsed(&file, "it's s3cret", None)).expect("examined");
        assert_eq!(found.labels, ["ibmwebspheremqqm1"]);
        let hours = (found.until.expect("an end").as_second() - Timestamp::now().as_second()) / 3600;
        assert!((70..=72).contains(&hours), "{hours}");
        for (certificate, words) in [
            (parsed(&file, "another", None), "does not match"),
            (parsed(&authority, "it's s3cret", None), "CA:TRUE"),
            (
                parsed(&file, "it's s3cret", Some("other")),
                "no certificate `other`, but `ibmwebspheremqqm1`",
            ),
        ] {
            match examined(&certificate) {
                Err(Examination::Unusable(why)) => assert!(why.contains(words), "{why}"),
                other => panic!("{words}: {other:?}"),
            }
        }
        let nothing = examined(&parsed(&[0x30, 0], "x", None));
        assert!(matches!(nothing, Err(Examination::Unreadable(_))), "{nothing:?}");
    }
}
