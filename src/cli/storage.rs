//! The verb `storage`: file systems that stacks left, with their messages.

use super::local::Start;
use super::plan::place;
use super::settings::{self, Settings};
use super::words::{duration, row, table};
use super::{CliError, Context, Outcome};
use crate::deploy;
use crate::deploy::stake::KeptStorage;
use crate::model::FileSystemId;
use crate::observe::megabytes;
use crate::remedy::ExitKind;
use clap::Subcommand;
use jiff::Timestamp;
use serde_json::json;
use std::time::Duration;

/// Arguments of `storage`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  mqaws storage list --region eu-west-1\n  mqaws deploy --adopt-file-system fs-0123456789abcdef0\n  mqaws storage delete fs-0123456789abcdef0"
)]
pub struct Args {
    #[command(subcommand)]
    verb: StorageVerb,
}

#[derive(Debug, Subcommand)]
enum StorageVerb {
    /// List the kept file systems, with size, age, and queue manager
    List,
    /// Delete a kept file system, with all messages on it
    Delete {
        /// ID of the file system
        #[arg(value_name = "ID")]
        id: String,
    },
}

/// Runs the verb.
///
/// # Errors
/// A call that did not succeed, those of [`deploy::deletable`]; not confirmed.
pub fn run(context: &Context, args: Args) -> Outcome {
    match args.verb {
        StorageVerb::List => list(context),
        StorageVerb::Delete { id } => delete(context, &id),
    }
}

fn list(context: &Context) -> Outcome {
    let loaded = settings::load(context, &Settings::default())?;
    let interrupt = context.interrupt()?;
    context.block_on(async {
        let clients = context.clients(&loaded.deployment, Start::Never).await?;
        let identity = interrupt.or(clients.identity()).await?;
        let kept = interrupt.or(deploy::kept_everywhere(&clients)).await?;
        let output = context.output();
        if output.is_json() {
            output.document(&json!({
                "schema": "mqaws.storage-list/1", "region": clients.region(), "account": identity.account,
                "local": clients.is_local(), "file_systems": kept,
            }));
        }
        let place = place(&clients, &identity);
        let Some(newest) = kept.first() else {
            output.data(format!("no kept file systems in {place}"));
            return Ok(ExitKind::Success);
        };
        output.say(format!("mqaws storage list: {place}\n"));
        output.data(table(&rows(&kept)));
        let (adopt, delete) = (
            match &newest.queue_manager {
                Some(name) => format!("mqaws deploy --adopt-file-system {} --queue-manager {name}", newest.id),
                None => format!("mqaws deploy --adopt-file-system {}", newest.id),
            },
            format!("mqaws storage delete {}", newest.id),
        );
        output.say(format!("\n{}", context.next(&[&adopt, &delete])));
        Ok(ExitKind::Success)
    })
}

/// A head, and a row for each file system.
fn rows(kept: &[KeptStorage]) -> Vec<[String; 5]> {
    let head = ["file system", "queue manager", "stack", "size", "age"].map(str::to_owned);
    let row = |one: &KeptStorage| {
        [
            one.id.clone(),
            one.queue_manager.clone().unwrap_or_else(|| "unknown".to_owned()),
            one.stack.clone(),
            megabytes(one.bytes),
            age(one).map_or_else(|| "unknown".to_owned(), duration),
        ]
    };
    [head].into_iter().chain(kept.iter().map(row)).collect()
}

fn age(kept: &KeptStorage) -> Option<Duration> {
    let age = Timestamp::now().duration_since(kept.created?);
    Duration::try_from(age).ok()
}

/// What it is, and how old.
fn line(kept: &KeptStorage) -> String {
    match age(kept) {
        Some(age) => format!("{kept}, {} ago", duration(age)),
        None => kept.to_string(),
    }
}

fn delete(context: &Context, id: &str) -> Outcome {
    let id = FileSystemId::new(id).map_err(|invalid| CliError::Usage {
        message: invalid.to_string(),
        hint: Some("to list the kept file systems, run `mqaws storage list`".into()),
    })?;
    let loaded = settings::load(context, &Settings::default())?;
    let interrupt = context.interrupt()?;
    let output = context.output();
    context.block_on(async {
        let clients = context.clients(&loaded.deployment, Start::Never).await?;
        let identity = interrupt.or(clients.identity()).await?;
        let kept = interrupt.or(deploy::deletable(&clients, &id)).await?;
        output.say(format!("mqaws storage delete: {}\n", place(&clients, &identity)));
        output.say(row("deletes", line(&kept)));
        let name = kept.queue_manager.as_deref().unwrap_or(kept.id.as_str());
        context.confirm_name("Permanently deleting the file system and all messages on it", name)?;
        deploy::delete_kept(&clients, &id).await?;
        if output.is_json() {
            output.document(&json!({
                "schema": "mqaws.storage-delete/1", "region": clients.region(), "account": identity.account,
                "local": clients.is_local(), "deleted": kept,
            }));
        }
        output.data(row("deleted", format!("file system {id}")));
        Ok(ExitKind::Success)
    })
}
