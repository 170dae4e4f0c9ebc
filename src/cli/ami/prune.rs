//! The verb `ami prune`: removes old images that nothing uses, with their snapshots.

use super::super::local::Start;
use super::super::plan::place;
use super::super::settings::{self, Settings};
use super::super::words::row;
use super::super::{CliError, Context, Failure, Outcome};
use super::list::about;
use super::{document, parameters};
use crate::image::ImageError;
use crate::image::ports::OwnImage;
use crate::image::prune::{Choice, Pruned, look, prune};
use crate::remedy::ExitKind;
use serde_json::json;

/// Arguments of `ami prune`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  mqaws ami prune --keep 3\n  mqaws ami prune --keep 1 --yes --output json\n\nConsiders only images with the tag mqaws:image. Never removes an image that is used by an instance, a launch template, a launch configuration, or the parameter for deployments, that is shared with another account, or that is still being created."
)]
pub(super) struct Args {
    /// Number of images to keep for each engine, newest first
    #[arg(long, value_name = "COUNT")]
    keep: usize,
}

/// Shows what would go, asks, looks again, and removes it.
///
/// # Errors
/// [`ImageError::Aws`] before anything is removed, [`ImageError::NotPruned`] when something is left; not confirmed.
pub(super) fn run(context: &Context, args: Args) -> Outcome {
    if context.global().local {
        return Err(CliError::Usage {
            message: "cannot prune images in the local cloud: it does not build images".into(),
            hint: Some("remove --local (or unset the variable MQAWS_LOCAL)".into()),
        }
        .into());
    }
    let loaded = settings::load(context, &Settings::default())?;
    let interrupt = context.interrupt()?;
    let output = context.output();
    context.block_on(async {
        let clients = context.clients(&loaded.deployment, Start::Never).await?;
        let identity = interrupt.or(clients.identity()).await?;
        let choice = interrupt.or(look(&clients, &parameters(), args.keep)).await?;
        output.say(format!("mqaws ami prune: {}\n", place(&clients, &identity)));
        show(context, &choice);
        let mut pruned = Vec::new();
        let mut stayed = Vec::new();
        let mut waiting = Vec::new();
        if !choice.go.is_empty() {
            context.confirm(&question(choice.go.len()))?;
            // Somebody may have started one while the question stood.
            let now = interrupt.or(look(&clients, &parameters(), args.keep)).await?;
            for image in choice.go {
                if interrupt.requested() {
                    waiting.push(image.id);
                    continue;
                }
                match now.go.iter().find(|still| still.id == image.id) {
                    Some(still) => {
                        let done = prune(&clients, still.clone()).await;
                        output.data(told(&done));
                        pruned.push(done);
                    }
                    None => stayed.push(image),
                }
            }
        }
        for image in &stayed {
            output.data(about("kept", image, ": it is now in use, or already deleted"));
        }
        finish(&pruned, &waiting)?;
        if output.is_json() {
            let kept = choice.stay.iter().map(|(image, why)| {
                let mut shown = document(image);
                shown["why"] = json!(why.to_string());
                shown
            });
            let kept: Vec<_> = kept.collect();
            output.document(&json!({
                "schema": "mqaws.ami-prune/1", "region": clients.region(), "account": identity.account, "keep": args.keep,
                "removed": pruned.iter().filter(|p| p.kept.is_none()).map(removed).collect::<Vec<_>>(),
                "kept": kept, "stayed": stayed.iter().map(|image| &image.id).collect::<Vec<_>>(),
            }));
        }
        Ok(ExitKind::Success)
    })
}

fn question(count: usize) -> String {
    match count {
        1 => "This permanently deletes 1 image and its snapshots. Continue?".to_owned(),
        n => format!("This permanently deletes {n} images and their snapshots. Continue?"),
    }
}

fn show(context: &Context, choice: &Choice) {
    let output = context.output();
    for (image, why) in &choice.stay {
        output.say(about("keeps", image, ""));
        output.say(row("", why.to_string()));
    }
    for image in &choice.go {
        output.say(about("removes", image, ""));
        output.say(row("", format!("with {}", snapshots(image))));
    }
    if choice.go.is_empty() {
        output.data(row("removes", "nothing"));
    }
}

fn snapshots(image: &OwnImage) -> String {
    let (foreign, own): (Vec<&str>, Vec<&str>) =
        (image.snapshots.iter().map(String::as_str)).partition(|id| image.foreign.contains(*id));
    let own = match own.as_slice() {
        [] => "no snapshot".to_owned(),
        some => format!("snapshot {}", some.join(", ")),
    };
    match foreign.as_slice() {
        [] => own,
        some => format!(
            "{own}; snapshot {} is kept because mqaws did not create it",
            some.join(", ")
        ),
    }
}

fn told(pruned: &Pruned) -> String {
    let id = &pruned.image.id;
    let text = match (&pruned.kept, pruned.snapshots_left.as_slice()) {
        (Some(why), _) => return row("not done", format!("{id}: {why}")),
        (None, []) => format!("{id}, {}", snapshots(&pruned.image)),
        (None, left) => {
            let left: Vec<&str> = left.iter().map(|(snapshot, _)| snapshot.as_str()).collect();
            format!("{id}, but not snapshot {}", left.join(", "))
        }
    };
    row("removed", text)
}

fn removed(pruned: &Pruned) -> serde_json::Value {
    json!({
        "id": pruned.image.id, "name": pruned.image.name, "snapshots": pruned.snapshots,
        "snapshots_kept": pruned.image.foreign,
    })
}

/// The error for what could not be removed, or for what a wish to stop left.
fn finish(pruned: &[Pruned], waiting: &[String]) -> Result<(), Failure> {
    let left: Vec<(String, String)> = pruned
        .iter()
        .flat_map(|one| {
            let image = one
                .kept
                .iter()
                .map(|why| (format!("image {}", one.image.id), why.clone()));
            let snapshots = one.snapshots_left.iter();
            image.chain(snapshots.map(|(id, why)| (format!("snapshot {id}"), why.clone())))
        })
        .collect();
    let gone = pruned.iter().filter(|one| one.is_whole());
    let gone: Vec<String> = gone.map(|one| one.image.id.clone()).collect();
    if !left.is_empty() {
        return Err(ImageError::NotPruned { left, gone }.into());
    }
    if !waiting.is_empty() {
        let mut words = waiting.join(", ");
        if !gone.is_empty() {
            words += &format!("; removed: {}", gone.join(", "));
        }
        return Err(CliError::Interrupted { left: Some(words) }.into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn pruned(id: &str, snapshots_left: &[&str]) -> Pruned {
        Pruned {
            image: OwnImage {
                id: id.into(),
                name: String::new(),
                state: "available".into(),
                created: None,
                tags: Default::default(),
                snapshots: Vec::new(),
                foreign: BTreeSet::new(),
            },
            kept: None,
            snapshots: Vec::new(),
            snapshots_left: snapshots_left
                .iter()
                .map(|id| ((*id).into(), "in use".into()))
                .collect(),
        }
    }

    #[test]
    fn one_document_tells_what_went_and_what_did_not() {
        let gone = pruned("ami-1", &[]);
        assert!(finish(std::slice::from_ref(&gone), &[]).is_ok());
        let failed = finish(&[gone.clone(), pruned("ami-2", &["snap-2"])], &[])
            .unwrap_err()
            .json();
        assert_eq!(
            failed["details"],
            json!({"gone": "ami-1", "cause": "snapshot snap-2: in use"})
        );
        assert_eq!(
            (&failed["left"], &failed["exit"]["code"]),
            (&json!("snapshot snap-2"), &json!(4))
        );
        let stopped = finish(&[gone], &["ami-3".into()]).unwrap_err().json();
        assert_eq!(
            (&stopped["left"], &stopped["exit"]["code"]),
            (&json!("ami-3; removed: ami-1"), &json!(130))
        );
    }
}
