//! The subset of cloud-init that a process host executes: `write_files`, and one `runcmd` that starts the agent's unit.

use serde::Deserialize;
use std::path::{Component, Path, PathBuf};

/// The only command that user data may run.
const START_AGENT: [&str; 4] = ["systemctl", "enable", "--now", "mqaws-agent.service"];

/// Why user data was refused.
#[derive(Debug, thiserror::Error)]
pub enum UserDataError {
    /// It is not base64, as EC2 wants it.
    #[error("user data is not base64")]
    Encoding(#[source] base64::DecodeError),
    /// It is not text.
    #[error("user data is not UTF-8")]
    NotText(#[source] std::string::FromUtf8Error),
    /// It does not begin with `#cloud-config`.
    #[error("user data does not begin with `#cloud-config`; a process host runs nothing else")]
    NotCloudConfig,
    /// A module or key that a process host does not execute, or no YAML at all.
    #[error("user data contains more than `write_files` and `runcmd`, or is not YAML")]
    Content(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A `runcmd` other than the start of the agent.
    #[error("`runcmd` {0} is not `systemctl enable --now mqaws-agent.service`; a process host runs nothing else")]
    Command(String),
    /// A path that leaves the instance's root.
    #[error("path `{0}` is not absolute, or is outside the root")]
    Path(String),
    /// Permissions that are not octal digits.
    #[error("permissions `{0}` of `{1}` are not octal")]
    Permissions(String, String),
    /// An encoding that is not supported.
    #[error("encoding `{0}` of `{1}` is not `b64`, `base64` or `text/plain`")]
    FileEncoding(String, String),
    /// Content that does not decode.
    #[error("content of `{0}` is not base64")]
    FileContent(String, #[source] base64::DecodeError),
}

/// A file that the boot writes, below the instance's root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FileToWrite {
    /// Path relative to the root.
    pub(crate) path: PathBuf,
    /// Content.
    pub(crate) content: Vec<u8>,
    /// Permission bits, 0644 when none were given.
    pub(crate) mode: u32,
}

/// What a boot does.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct BootPlan {
    /// Files to write, in order.
    pub(crate) files: Vec<FileToWrite>,
    /// Whether the agent's unit is started.
    pub(crate) start_agent: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CloudConfig {
    #[serde(default)]
    write_files: Vec<WriteFile>,
    #[serde(default)]
    runcmd: Vec<RunCommand>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WriteFile {
    path: String,
    #[serde(default)]
    content: String,
    permissions: Option<String>,
    owner: Option<String>,
    encoding: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum RunCommand {
    Words(Vec<String>),
    Line(String),
}

impl BootPlan {
    /// Reads user data as EC2 holds it, in base64.
    ///
    /// # Errors
    /// Every variant of [`UserDataError`].
    pub(crate) fn from_base64(encoded: &str) -> Result<Self, UserDataError> {
        let bytes = decode(encoded).map_err(UserDataError::Encoding)?;
        Self::parse(&String::from_utf8(bytes).map_err(UserDataError::NotText)?)
    }

    /// Reads user data as text.
    ///
    /// # Errors
    /// Every variant of [`UserDataError`] but `Encoding` and `NotText`.
    pub(crate) fn parse(text: &str) -> Result<Self, UserDataError> {
        if text.lines().next().map(str::trim_end) != Some("#cloud-config") {
            return Err(UserDataError::NotCloudConfig);
        }
        let config: CloudConfig =
            serde_saphyr::from_str(text).map_err(|e| UserDataError::Content(e.to_string().into()))?;
        let files = config.write_files.into_iter().map(file).collect::<Result<_, _>>()?;
        let mut start_agent = false;
        for command in config.runcmd {
            let words: Vec<String> = match command {
                RunCommand::Words(words) => words,
                RunCommand::Line(line) => line.split_whitespace().map(str::to_owned).collect(),
            };
            if words != START_AGENT || start_agent {
                return Err(UserDataError::Command(words.join(" ")));
            }
            start_agent = true;
        }
        Ok(Self { files, start_agent })
    }
}

fn decode(text: &str) -> Result<Vec<u8>, base64::DecodeError> {
    use base64::Engine;
    let compact: String = text.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    base64::engine::general_purpose::STANDARD.decode(compact)
}

fn file(spec: WriteFile) -> Result<FileToWrite, UserDataError> {
    // Accounts are a port of the agent; a process host has one user and keeps it.
    let _ = spec.owner;
    let content = match spec.encoding.as_deref() {
        None | Some("text/plain") => spec.content.into_bytes(),
        Some("b64" | "base64") => {
            decode(&spec.content).map_err(|e| UserDataError::FileContent(spec.path.clone(), e))?
        }
        Some(other) => return Err(UserDataError::FileEncoding(other.to_owned(), spec.path)),
    };
    let mode = match spec.permissions.as_deref() {
        None => 0o644,
        Some(text) => u32::from_str_radix(text.trim_start_matches("0o"), 8)
            .ok()
            .filter(|mode| *mode <= 0o7777)
            .ok_or_else(|| UserDataError::Permissions(text.to_owned(), spec.path.clone()))?,
    };
    Ok(FileToWrite {
        path: below_root(&spec.path)?,
        content,
        mode,
    })
}

fn below_root(path: &str) -> Result<PathBuf, UserDataError> {
    let mut components = Path::new(path).components();
    if components.next() != Some(Component::RootDir) {
        return Err(UserDataError::Path(path.to_owned()));
    }
    let rest: PathBuf = components.collect();
    let plain = rest.components().all(|c| matches!(c, Component::Normal(_)));
    if !plain || rest.as_os_str().is_empty() {
        return Err(UserDataError::Path(path.to_owned()));
    }
    Ok(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "#cloud-config\nwrite_files:\n  - path: /etc/mqaws/agent.json\n    permissions: '0640'\n    content: |\n      {\"a\": 1}\nruncmd:\n  - [systemctl, enable, --now, mqaws-agent.service]\n";

    #[test]
    fn the_subset_is_read() {
        let plan = BootPlan::parse(GOOD).expect("the subset is accepted");
        assert!(plan.start_agent);
        assert_eq!(plan.files.len(), 1);
        assert_eq!(plan.files[0].path, Path::new("etc/mqaws/agent.json"));
        assert_eq!(plan.files[0].content, b"{\"a\": 1}\n");
        assert_eq!(plan.files[0].mode, 0o640);
    }

    #[test]
    fn json_is_yaml_too_and_base64_is_undone() {
        use base64::Engine;
        let text = "#cloud-config\n{\"write_files\":[{\"path\":\"/x\",\"encoding\":\"b64\",\"content\":\"aGk=\"}]}";
        let encoded = base64::engine::general_purpose::STANDARD.encode(text);
        let plan = BootPlan::from_base64(&encoded).expect("JSON is accepted");
        assert_eq!(plan.files[0].content, b"hi");
        assert!(!plan.start_agent);
    }

    #[test]
    fn anything_else_is_refused() {
        let cases = [
            ("#!/bin/sh\nreboot\n", "cloud-config"),
            ("#cloud-config\npower_state: {mode: reboot}\n", "write_files"),
            ("#cloud-config\nruncmd: ['reboot -f']\n", "reboot -f"),
            (
                "#cloud-config\nruncmd: [[systemctl, enable, --now, sshd.service]]\n",
                "sshd",
            ),
            ("#cloud-config\nwrite_files: [{path: ../etc/passwd}]\n", "absolute"),
            (
                "#cloud-config\nwrite_files: [{path: /a/../../etc/passwd}]\n",
                "outside the root",
            ),
            ("#cloud-config\nwrite_files: [{path: /}]\n", "root"),
            ("#cloud-config\nwrite_files: [{path: /a, permissions: rw}]\n", "octal"),
            ("#cloud-config\nwrite_files: [{path: /a, encoding: gzip}]\n", "gzip"),
            ("#cloud-config\nwrite_files: [{path: /a, defer: true}]\n", "write_files"),
        ];
        for (text, expected) in cases {
            let error = BootPlan::parse(text).expect_err(text).to_string();
            assert!(error.contains(expected), "{text:?}: {error}");
        }
    }

    #[test]
    fn the_agent_is_started_once() {
        let twice = format!("{GOOD}  - [systemctl, enable, --now, mqaws-agent.service]\n");
        assert!(BootPlan::parse(&twice).is_err());
    }
}
