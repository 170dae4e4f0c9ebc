//! Why an image was not built, published or removed.

use super::left::Leftovers;
use super::manifest::ManifestError;
use super::packer::Version;
use super::stages::Failure;
use crate::cloud::AwsError;
use crate::remedy::{ExitKind, Remedy};
use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// Why an image was not built, published or removed.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// A call to AWS failed, before anything was changed.
    #[error(transparent)]
    Aws(#[from] AwsError),
    /// Keys that a build needs and nobody gave.
    #[error("the configuration is incomplete for a build")]
    Incomplete {
        /// Each key, with what to do about it.
        missing: Vec<(&'static str, String)>,
    },
    /// Nobody accepted the licence.
    #[error("the license of IBM MQ was not accepted")]
    Licence,
    /// The package cannot be read.
    #[error("cannot read the package `{}`", path.display())]
    Package {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The package is another one than the checksum says.
    #[error("the package `{}` does not match its checksum", path.display())]
    Checksum {
        /// The file.
        path: PathBuf,
        /// What was given.
        expected: String,
        /// What the file has.
        found: String,
    },
    /// The agent is none that the image can run.
    #[error("`{}` cannot be used as the agent of an image: {why}", path.display())]
    Agent {
        /// The file.
        path: PathBuf,
        /// What is wrong about it.
        why: String,
    },
    /// There is no Packer.
    #[error("{}", .named.as_ref().map_or_else(|| "Packer is not installed: no `packer` on PATH".to_owned(), |path| format!("`{}` is not an executable", path.display())))]
    NoPacker {
        /// The one that was named.
        named: Option<PathBuf>,
    },
    /// A program of that name is something else.
    #[error("`{}` does not respond like HashiCorp's Packer: {said}", path.display())]
    NotPacker {
        /// The program.
        path: PathBuf,
        /// What it said.
        said: String,
    },
    /// Packer is too old.
    #[error("`{}` is Packer {version}, but the templates require {} or newer", path.display(), Version::OLDEST)]
    PackerTooOld {
        /// The program.
        path: PathBuf,
        /// Its version.
        version: Version,
    },
    /// Packer could not reach the building machine.
    #[error("`image.connect: session-manager` requires `session-manager-plugin` on PATH")]
    NoSessionPlugin,
    /// The work directory or the log cannot be written.
    #[error("cannot {action} `{}`", path.display())]
    Work {
        /// What was attempted.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
    /// Packer cannot be run.
    #[error("cannot {action} Packer")]
    Run {
        /// What was attempted.
        action: &'static str,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
    /// Packer refused the template, before anything was launched.
    #[error("`packer {verb}` failed")]
    Refused {
        /// `init` or `validate`.
        verb: &'static str,
        /// Packer's last lines.
        said: Vec<String>,
        /// The log.
        log: PathBuf,
    },
    /// The build failed.
    #[error("the image was not built: {}", .stage.as_ref().map_or_else(|| "Packer failed before its first stage".to_owned(), |f| format!("`{}` failed after {}", f.stage, seconds(f.took))))]
    Failed {
        /// The stage that failed, when one had begun.
        stage: Option<Failure>,
        /// Packer's own reason.
        reason: Option<String>,
        /// Whether it was interrupted because its time was up.
        late: bool,
        /// The log.
        log: PathBuf,
        /// What is left.
        remains: Leftovers,
        /// Region of what is left.
        region: String,
    },
    /// Packer says that it ended well, and there is not one image.
    #[error("Packer ended without an error, but {why}")]
    NotMade {
        /// What is wrong.
        why: String,
        /// Why the manifest could not be read.
        #[source]
        source: Option<ManifestError>,
        /// The log.
        log: PathBuf,
        /// What is left.
        remains: Leftovers,
        /// Region of what is left.
        region: String,
    },
    /// The image was made, but deployments do not know it.
    #[error("image {image} was created, but parameter {parameter} does not refer to it")]
    NotPublished {
        /// The image.
        image: String,
        /// The parameter.
        parameter: String,
        /// Why in words, when no call failed.
        why: Option<String>,
        /// The call that failed.
        #[source]
        source: Option<AwsError>,
        /// Region of the image.
        region: String,
    },
    /// Some images or snapshots are left.
    #[error("some images or snapshots were not deleted")]
    NotPruned {
        /// What is left, with the reason.
        left: Vec<(String, String)>,
        /// Images that were removed with all their snapshots.
        gone: Vec<String>,
    },
    /// The user interrupted.
    #[error("interrupted")]
    Interrupted {
        /// The stage that was under way.
        stage: Option<String>,
        /// What is left.
        remains: Leftovers,
        /// The log, when Packer had begun.
        log: Option<PathBuf>,
        /// Region of what is left.
        region: String,
        /// Packer did not end in order.
        killed: bool,
    },
}

/// A duration in seconds, or in minutes when it is long.
pub(super) fn seconds(took: Duration) -> String {
    match took.as_secs() {
        0..=9 => format!("{:.1} s", took.as_secs_f64()),
        s @ 10..=119 => format!("{s} s"),
        s => format!("{} min", s / 60),
    }
}

/// Where Packer is got.
const GET_PACKER: &str = "install it from https://developer.hashicorp.com/packer/install, or on Debian with `apt install packer`; specify its path with --packer";

impl ImageError {
    fn log(&self) -> Option<&PathBuf> {
        match self {
            Self::Refused { log, .. } | Self::Failed { log, .. } | Self::NotMade { log, .. } => Some(log),
            Self::Interrupted { log, .. } => log.as_ref(),
            _ => None,
        }
    }

    fn remains(&self) -> Option<(&Leftovers, &str)> {
        match self {
            Self::Failed { remains, region, .. }
            | Self::NotMade { remains, region, .. }
            | Self::Interrupted { remains, region, .. } => Some((remains, region)),
            _ => None,
        }
    }
}

/// The remedy in a line `hint: …` of a script.
fn told_hint(line: &str) -> Option<String> {
    let hint = line.trim().strip_prefix("hint:")?;
    Some(hint.trim().to_owned())
}

impl Remedy for ImageError {
    fn exit(&self) -> ExitKind {
        match self {
            Self::Aws(error) => error.exit(),
            Self::Incomplete { .. }
            | Self::Licence
            | Self::Package { .. }
            | Self::Checksum { .. }
            | Self::Agent { .. }
            | Self::NoPacker { .. }
            | Self::NotPacker { .. }
            | Self::PackerTooOld { .. }
            | Self::NoSessionPlugin
            | Self::Work { .. }
            | Self::Run { .. }
            | Self::Refused { .. } => ExitKind::Precondition,
            Self::Failed { .. } | Self::NotMade { .. } | Self::NotPublished { .. } | Self::NotPruned { .. } => {
                ExitKind::Remote
            }
            Self::Interrupted { .. } => ExitKind::Interrupted,
        }
    }

    fn details(&self) -> Vec<(String, String)> {
        let mut details = Vec::new();
        let mut add = |label: &str, text: String| details.push((label.to_owned(), text));
        match self {
            Self::Incomplete { missing } => {
                let lines = missing.iter().map(|(key, what)| format!("`{key}`: {what}"));
                add("lacks", lines.collect::<Vec<_>>().join("\n"));
            }
            Self::Checksum { expected, found, .. } => {
                add("given", expected.clone());
                add("found", found.clone());
            }
            Self::Refused { said, .. } => add("said", said.join("\n")),
            Self::Failed { stage, reason, .. } => {
                let said = stage
                    .as_ref()
                    .map(|failure| failure.said.as_slice())
                    .unwrap_or_default();
                // The hint has a place of its own.
                let said = said.iter().map(String::as_str).filter(|line| told_hint(line).is_none());
                let mut said = said.collect::<Vec<_>>().join("\n");
                let reason = reason.as_ref().filter(|reason| !said.contains(reason.as_str()));
                if let Some(reason) = reason {
                    // A reason of many lines is said too, less its first ones.
                    if said.lines().all(|line| reason.contains(line.trim())) {
                        said.clear();
                    }
                    // Packer goes on to say which codes it would have taken: 0.
                    let first = reason.split(".Allowed exit codes").next().unwrap_or_default();
                    add("cause", first.to_owned());
                }
                if !said.is_empty() {
                    add("said", said);
                }
            }
            Self::NotPublished { why: Some(why), .. } => add("cause", why.clone()),
            Self::Interrupted { stage, killed, .. } => {
                if let Some(stage) = stage {
                    add("during", stage.clone());
                }
                if *killed {
                    add("packer", "killed because it did not exit".into());
                }
            }
            Self::NotPruned { left, gone } => {
                if !gone.is_empty() {
                    add("gone", gone.join(", "));
                }
                add(
                    "cause",
                    left.iter()
                        .map(|(what, why)| format!("{what}: {why}"))
                        .collect::<Vec<_>>()
                        .join("\n"),
                );
            }
            _ => {}
        }
        if let Some(log) = self.log() {
            add("log", log.display().to_string());
        }
        details
    }

    fn left(&self) -> Option<String> {
        match self {
            Self::NotPublished { image, .. } => Some(format!("image {image}, with its snapshots")),
            Self::NotPruned { left, .. } => {
                let names: Vec<&str> = left.iter().map(|(what, _)| what.as_str()).collect();
                Some(names.join(", "))
            }
            _ => match self.remains() {
                Some((remains, _)) => Some(remains.words()),
                None => Some("nothing was changed".into()),
            },
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Aws(error) => return error.hint(),
            Self::Incomplete { .. } => {
                "set it under `image:` in mqaws.yaml, or with --set KEY=VALUE; to see all keys, run `mqaws init -`".into()
            }
            Self::Licence => {
                "read the license in the package; if you accept it, add --accept-licence. There is no other way to accept it".into()
            }
            Self::Package { .. } => "check `image.package` and its permissions".into(),
            Self::Checksum { .. } => {
                "check that it is the intended file and was downloaded completely; `image.package_sha256` must be the checksum that its publisher states".into()
            }
            Self::Agent { .. } => {
                "specify the `mqaws-agent` of a release with --agent; to build one from source that runs in every image, use `scripts/release`"
                    .into()
            }
            Self::NoPacker { .. } | Self::PackerTooOld { .. } => GET_PACKER.into(),
            Self::NotPacker { .. } => format!(
                "if it is Packer, resolve the error that it reports; a different program named packer, such as cracklib's, may be first on PATH; {GET_PACKER}"
            ),
            Self::NoSessionPlugin => "install AWS's Session Manager plugin, or set `image.connect: ssh`".into(),
            Self::Work { .. } => "check the path, its permissions, and the free space; to move the work directory, set TMPDIR".into(),
            Self::Run { .. } => "the machine has run out of processes or memory; check `ulimit -u`".into(),
            Self::Refused { verb: "init", .. } => {
                "`packer init` downloads the Amazon plugin from github.com: check the network path to it (network, HTTPS_PROXY)".into()
            }
            Self::Refused { .. } => "correct the key of `image:` that Packer rejects; to see the template, run `mqaws ami manifest`".into(),
            Self::Failed { late: true, remains, region, .. } => {
                let longer = "to wait longer, use a longer --timeout".to_owned();
                remains.hint(region).map_or(longer.clone(), |remove| format!("{longer}\n{remove}"))
            }
            Self::Failed { stage, remains, region, .. } => {
                let told = stage.as_ref().and_then(|failure| failure.said.iter().rev().find_map(|line| told_hint(line)));
                match (told, remains.hint(region)) {
                    (Some(told), Some(remove)) => format!("{told}\n{remove}"),
                    (Some(one), None) | (None, Some(one)) => one,
                    (None, None) => "the log contains the complete output of Packer and the scripts; resolve the error, then build again".into(),
                }
            }
            Self::NotMade { remains, region, .. } => remains.hint(region).unwrap_or_else(|| "the log contains the output of Packer".into()),
            Self::NotPublished { image, parameter, source, region, .. } => {
                let by_hand = format!(
                    "deploy it with `mqaws deploy --ami {image}`, or publish it: `aws ssm put-parameter --region {region} --name {parameter} \
                     --type String --data-type aws:ec2:image --overwrite --value {image}`"
                );
                let first = source.as_ref().and_then(Remedy::hint);
                first.map_or(by_hand.clone(), |first| format!("{first}\n{by_hand}"))
            }
            Self::NotPruned { .. } => "resolve the cause, then run `mqaws ami prune` again".into(),
            Self::Interrupted { remains, region, .. } => return remains.hint(region),
        })
    }
}

#[cfg(test)]
mod tests;
