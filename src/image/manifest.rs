//! The file that Packer's post-processor `manifest` writes: what was made, by run.

use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// An image in a region.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct BuiltImage {
    /// Region.
    pub region: String,
    /// Id, `ami-…`.
    pub image: String,
}

/// Why a manifest says nothing.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// It is not what Packer writes.
    #[error("Packer's manifest is not valid")]
    Unreadable(#[from] serde_json::Error),
    /// An artifact is not `region:ami-…`.
    #[error("Packer's manifest contains the artifact `{0}`, which is not an image in a region")]
    Artifact(String),
}

#[derive(Deserialize)]
struct Document {
    #[serde(default)]
    builds: Vec<Build>,
    #[serde(default)]
    last_run_uuid: String,
}

#[derive(Deserialize)]
struct Build {
    #[serde(default)]
    artifact_id: String,
    #[serde(default)]
    packer_run_uuid: String,
    custom_data: Option<BTreeMap<String, String>>,
}

/// Images of the last run, each once; the file also keeps those of earlier runs, and names one image once for each chain of
/// post-processors. A build whose own data name another run of mqaws than `run` is not of this one either.
///
/// # Errors
/// [`ManifestError`].
pub fn made(text: &str, run: &str) -> Result<BTreeSet<BuiltImage>, ManifestError> {
    let document: Document = serde_json::from_str(text)?;
    let last = |build: &&Build| {
        let marked = build.custom_data.as_ref().and_then(|data| data.get("run"));
        build.packer_run_uuid == document.last_run_uuid && marked.is_none_or(|marked| marked == run)
    };
    let builds = document.builds.iter().filter(last);
    // several regions come in one id, joined by commas
    let ids = builds.flat_map(|build| build.artifact_id.split(','));
    ids.filter(|id| !id.is_empty()).map(artifact).collect()
}

fn artifact(id: &str) -> Result<BuiltImage, ManifestError> {
    match id.split_once(':') {
        Some((region, image)) if !region.is_empty() && image.starts_with("ami-") => Ok(BuiltImage {
            region: region.to_owned(),
            image: image.to_owned(),
        }),
        _ => Err(ManifestError::Artifact(id.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn build(run: &str, artifact: &str) -> Value {
        json!({"name": "mqaws", "builder_type": "amazon-ebs", "build_time": 1_795_724_954, "files": null,
               "artifact_id": artifact, "packer_run_uuid": run, "custom_data": {"run": "r1"}})
    }

    fn images(document: &Value) -> Result<Vec<String>, ManifestError> {
        let made = made(&document.to_string(), "r1")?;
        Ok(made.into_iter().map(|m| format!("{} {}", m.region, m.image)).collect())
    }

    #[test]
    fn only_this_runs_images_count_and_each_once() {
        let again = build("new", "eu-west-1:ami-2");
        let document = json!({
            "builds": [build("old", "eu-west-1:ami-1"), again, again, build("new", "eu-west-1:ami-2,us-east-1:ami-3")],
            "last_run_uuid": "new",
        });
        assert_eq!(images(&document).unwrap(), ["eu-west-1 ami-2", "us-east-1 ami-3"]);
    }

    #[test]
    fn another_run_of_mqaws_is_not_this_one() {
        let mut other = build("new", "eu-west-1:ami-2");
        other["custom_data"] = json!({"run": "r0"});
        let mut unmarked = build("new", "eu-west-1:ami-3");
        unmarked["custom_data"] = Value::Null;
        let document = json!({"builds": [other, unmarked], "last_run_uuid": "new"});
        assert_eq!(images(&document).unwrap(), ["eu-west-1 ami-3"]);
    }

    #[test]
    fn nothing_made_is_no_error_and_nonsense_is_one() {
        assert!(images(&json!({"builds": [], "last_run_uuid": ""})).unwrap().is_empty());
        assert!(images(&json!({"last_run_uuid": "x"})).unwrap().is_empty());
        let odd = json!({"builds": [build("n", "ami-1")], "last_run_uuid": "n"});
        assert!(matches!(images(&odd), Err(ManifestError::Artifact(id)) if id == "ami-1"));
        assert!(matches!(made("not json", "r1"), Err(ManifestError::Unreadable(_))));
    }
}
