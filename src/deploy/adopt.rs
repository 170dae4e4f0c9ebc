//! A kept file system becomes a new stack's own, with the messages on it.
//!
//! CloudFormation adopts by a change set of its own, an import, which holds the file system and nothing else: no output, and
//! of its properties what EFS says of it, so that the change set after it finds nothing to replace. That one is the usual
//! one, with the whole template. Between the two the stack stands with the file system alone, and keeps it whatever happens.

mod error;

pub use error::AdoptError;

use super::error::DeployError;
use super::execute::{Settled, execute};
use super::plan::{Consent, Plan, abandon, plan};
use super::ports::{Blueprint, Made, Stacks, Storage};
use super::storage::{KeptStorage, STACK_ID_TAG, name_in, untagged};
use super::watch::{Observer, Pace, Step, Stop};
use crate::model::{FileSystemId, PerformanceMode, keys};
use crate::observe::ports::{Readings, Stack};
use crate::stack::{ADOPTED_BY_TAG, QUEUE_MANAGER_PARAMETER, QUEUE_MANAGER_TAG, STACK_TAG};
use crate::topology::FILE_SYSTEM;
use mqaws_contract::lease;
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// What a deployment wants of the file system that it adopts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adopts {
    /// Id.
    pub file_system: FileSystemId,
    /// Logical id that it has in the template.
    pub logical: String,
    /// Performance mode of the template, which an existing one cannot change.
    pub performance_mode: PerformanceMode,
    /// Key of the template, which an existing one cannot change either.
    pub kms_key: Option<String>,
    /// What the lease of its last owner is taken to be; `None` when the engine may not start on its end.
    pub lease: Option<Duration>,
    /// Other resources of the template, those that a condition may leave out included.
    pub rest: usize,
}

/// A file system that a plan adopts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Adoption {
    /// What it is, and whose data it holds.
    #[serde(flatten)]
    pub storage: KeptStorage,
    /// Which proof the first start on it can be expected to have, and what happens without.
    pub proof: String,
    /// Resources that are made around it.
    pub rest: usize,
}

/// Checks that the file system can be adopted, before anything is made; also returns the blueprint of the import.
///
/// # Errors
/// [`AdoptError`], [`DeployError::Unknown`], [`DeployError::Aws`].
pub(super) async fn prepare<C: Readings + Stacks>(
    cloud: &C,
    blueprint: &Blueprint,
    adopts: &Adopts,
) -> Result<(Adoption, Blueprint), DeployError> {
    let id = adopts.file_system.as_str();
    let unknown = || DeployError::Unknown {
        key: "storage.file_system",
        what: "file system",
        id: id.to_owned(),
        source: None,
    };
    let all = cloud.file_systems().await?;
    let storage = all.into_iter().find(|one| one.id == id).ok_or_else(unknown)?;
    let file_system = || id.to_owned();
    if let Some(stack) = cloud.holder(&adopts.file_system).await? {
        return Err(AdoptError::InUse {
            file_system: file_system(),
            stack,
        }
        .into());
    }
    let read = cloud.file_system(id).await?.ok_or_else(unknown)?;
    if !read.mount_targets.is_empty() {
        let targets = read.mount_targets.into_iter();
        return Err(AdoptError::MountTargets {
            file_system: file_system(),
            targets: targets.map(|(zone, state)| format!("{zone} ({state})")).collect(),
        }
        .into());
    }
    fits(&storage, adopts)?;
    let maker = match storage.tags.get(STACK_ID_TAG) {
        Some(arn) => cloud.stack(arn).await?,
        None => None,
    };
    if let Some(has) = maker.as_ref().and_then(own_key).filter(|_| adopts.kms_key.is_none()) {
        return Err(AdoptError::Differs {
            file_system: file_system(),
            key: "storage.kms_key",
            has: has.clone(),
            wanted: "the account's own key".into(),
        }
        .into());
    }
    let kept = kept(&storage, maker.as_ref());
    if let Some(holds) = kept
        .queue_manager
        .as_ref()
        .filter(|holds| **holds != blueprint.queue_manager)
    {
        return Err(AdoptError::OtherQueueManager {
            file_system: file_system(),
            holds: holds.clone(),
            meant: blueprint.queue_manager.clone(),
        }
        .into());
    }
    let adoption = Adoption {
        storage: kept,
        proof: proof(left_by(&storage), adopts.lease),
        rest: adopts.rest,
    };
    Ok((adoption, import(blueprint, adopts, &storage)))
}

/// Refuses a file system that the template would have to replace, or that is on its way.
fn fits(storage: &Storage, adopts: &Adopts) -> Result<(), AdoptError> {
    let file_system = || storage.id.clone();
    let unfit = |why: String| {
        Err(AdoptError::Unfit {
            file_system: file_system(),
            why,
        })
    };
    let made = &storage.made;
    if storage.state != "available" {
        return unfit(format!("its state is `{}`", storage.state));
    }
    if !made.encrypted {
        return unfit("it is not encrypted at rest, which mqaws requires".into());
    }
    if let Some(zone) = &made.zone {
        return unfit(format!(
            "it is a One Zone file system in {zone}, but the data must be reachable from two zones"
        ));
    }
    let differs = |key, has: &str, wanted: &str| {
        Err(AdoptError::Differs {
            file_system: file_system(),
            key,
            has: has.to_owned(),
            wanted: wanted.to_owned(),
        })
    };
    let wanted = adopts.performance_mode.as_str();
    if made.performance_mode != wanted {
        return differs("storage.performance_mode", &made.performance_mode, wanted);
    }
    // An alias does not tell which key it stands for.
    let named = adopts.kms_key.as_deref().filter(|key| !key.contains("alias/"));
    match (named, &made.kms_key) {
        (Some(wanted), Some(has)) if last(has) != last(wanted) => differs("storage.kms_key", has, wanted),
        _ => Ok(()),
    }
}

/// The key that the stack of before named for its file system. What EFS tells of one that is encrypted by the account's own key
/// is the ARN of a key too, so it does not tell the two apart.
fn own_key(maker: &Stack) -> Option<&String> {
    let parameter = keys::find("storage.kms_key")?.parameter?;
    maker.parameters.get(parameter.name).filter(|key| !key.is_empty())
}

/// The id in the ARN of a key.
fn last(key: &str) -> &str {
    key.rsplit('/').next().unwrap_or(key)
}

/// Name of the stack that left a file system, as its tags tell.
fn left_by(storage: &Storage) -> Option<&str> {
    let tagged = storage.tags.get(STACK_TAG).map(String::as_str);
    tagged.or_else(|| storage.tags.get(STACK_ID_TAG).and_then(|arn| name_in(arn)))
}

fn kept(storage: &Storage, maker: Option<&Stack>) -> KeptStorage {
    let tagged = storage.tags.get(QUEUE_MANAGER_TAG).map(|value| untagged(value));
    KeptStorage {
        id: storage.id.clone(),
        bytes: storage.bytes,
        queue_manager: tagged.or_else(|| maker.and_then(super::stake::deployed).map(str::to_owned)),
        stack: left_by(storage).unwrap_or("unknown").to_owned(),
        created: storage.created,
    }
}

/// What a first start can be expected to prove, in words. The record that decides is on the file system, where only an
/// instance reads it.
fn proof(of_stack: Option<&str>, lease: Option<Duration>) -> String {
    let clean = match of_stack {
        Some(stack) => {
            format!(
                "`clean` if stack {stack}, to which it belonged, stopped the queue manager in an orderly way, as `destroy` does"
            )
        }
        None => "its previous stack is unknown; `clean` if that stack stopped the queue manager in an orderly way"
            .to_owned(),
    };
    let otherwise = match lease.map(lease::wait) {
        Some(wait) => format!(
            "`terminated` if EC2 still lists the owner, or `lease`, for which a start waits {} s",
            wait.as_secs()
        ),
        None => "`terminated` if EC2 still lists the owner, or `operator`: a start waits until an operator decides"
            .to_owned(),
    };
    format!("{clean}; otherwise {otherwise}")
}

/// The blueprint of the stack with the file system alone.
fn import(blueprint: &Blueprint, adopts: &Adopts, storage: &Storage) -> Blueprint {
    let Made {
        throughput,
        provisioned_mibps,
        performance_mode,
        ..
    } = &storage.made;
    let mut properties = Map::from_iter([
        ("Encrypted".to_owned(), json!(true)),
        ("PerformanceMode".to_owned(), json!(performance_mode)),
        ("ThroughputMode".to_owned(), json!(throughput)),
    ]);
    properties.extend(provisioned_mibps.map(|mibps| ("ProvisionedThroughputInMibps".to_owned(), json!(mibps))));
    properties.extend(adopts.kms_key.as_ref().map(|key| ("KmsKeyId".to_owned(), json!(key))));
    // Its own tags, as they are: with those of the stack to come, the next change set would find nothing to change, and
    // the file system would keep the tag by which another stack's role mounts it.
    let own = storage
        .tags
        .iter()
        .filter(|(key, _)| [STACK_TAG, QUEUE_MANAGER_TAG].contains(&key.as_str()));
    let own: Vec<Value> = own.map(|(key, value)| json!({ "Key": key, "Value": value })).collect();
    if !own.is_empty() {
        properties.insert("FileSystemTags".to_owned(), own.into());
    }
    let template = json!({
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": "mqaws: an adopted file system, before the rest of its stack",
        "Parameters": { QUEUE_MANAGER_PARAMETER: { "Type": "String" } },
        "Resources": { adopts.logical.as_str(): {
            "Type": FILE_SYSTEM,
            "DeletionPolicy": "Retain",
            "UpdateReplacePolicy": "Retain",
            "Properties": properties,
        } },
    });
    // The stack's tag would reach the file system, as it has it, only with a change: see above.
    let tags = blueprint
        .tags
        .iter()
        .filter(|(key, _)| key.starts_with("mqaws:") && *key != STACK_TAG);
    let mut tags: BTreeMap<String, String> = tags.map(|(key, value)| (key.clone(), value.clone())).collect();
    tags.insert(ADOPTED_BY_TAG.to_owned(), blueprint.stack.clone());
    Blueprint {
        template: template.to_string(),
        parameters: BTreeMap::from([(QUEUE_MANAGER_PARAMETER.to_owned(), blueprint.queue_manager.clone())]),
        tags,
        ..blueprint.clone()
    }
}

/// Refuses a stack that exists and has another file system than the one to adopt.
///
/// # Errors
/// [`AdoptError::OtherStorage`], [`DeployError::Aws`].
pub(super) async fn same_storage<C: Readings>(cloud: &C, stack: &Stack, adopts: &Adopts) -> Result<(), DeployError> {
    let resources = cloud.resources(&stack.id).await?;
    let mut there = resources.iter().filter(|r| r.kind == FILE_SYSTEM);
    match there
        .find(|r| r.logical == adopts.logical)
        .and_then(|r| r.physical.as_deref())
    {
        Some(id) if id == adopts.file_system.as_str() => Ok(()),
        has => Err(AdoptError::OtherStorage {
            stack: stack.name.clone(),
            has: has.map(str::to_owned),
            wanted: adopts.file_system.to_string(),
        }
        .into()),
    }
}

/// Executes a plan as [`execute`] does; one that adopts a file system is followed by that of everything around it.
///
/// # Errors
/// Those of [`execute`]; after the import, those of [`plan`] and of [`Plan::check`] too, with what stands.
pub async fn carry_out<C: Readings + Stacks>(
    cloud: &C,
    blueprint: &Blueprint,
    first: &Plan,
    pace: Pace,
    stop: &Stop,
    observer: &mut impl Observer,
) -> Result<Settled, DeployError> {
    let settled = execute(cloud, first, pace, stop, observer).await;
    let settled = settled.map_err(|error| match (&first.adopts, &error) {
        // A stack that owns its file system alone never serves, whoever waits for that.
        (Some(adoption), DeployError::StillWorking { .. }) => error.besides(format!(
            "stack {} is adopting file system {}; once that is done, run the same command again",
            first.stack, adoption.storage.id
        )),
        _ => error,
    })?;
    let Some(adoption) = &first.adopts else {
        return Ok(settled);
    };
    let id = &adoption.storage.id;
    observer.tell(Step::Note(format!(
        "the stack now owns file system {id}; deploying the remaining resources"
    )));
    let rest = async {
        let rest = plan(cloud, blueprint, Consent::default(), pace, stop, observer).await?;
        if let Err(error) = rest.check(&[]) {
            abandon(cloud, &rest, pace).await?;
            return Err(error);
        }
        execute(cloud, &rest, pace, stop, observer).await
    };
    let stands = || {
        format!(
            "stack {} has file system {id}; to continue, run the same command again",
            first.stack
        )
    };
    rest.await.map_err(|error| error.besides(stands()))
}
