//! The verb `destroy`.

use super::choose::pace;
use super::failover_test::{heal_command, time};
use super::local::Start;
use super::plan::place;
use super::settings::{self, Settings};
use super::view::{View, timed};
use super::words::row;
use super::{Context, Outcome};
use crate::deploy::{self, Stop};
use crate::failover;
use crate::remedy::ExitKind;
use serde_json::json;
use std::time::{Duration, Instant};

/// Arguments of `destroy`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  mqaws destroy --region eu-west-1\n  mqaws destroy --local --yes\n  mqaws destroy --stack mqaws-orders --unprotect"
)]
pub struct Args {
    /// Name of the stack [default: as configured, `mqaws-qm1`]
    #[arg(long, value_name = "NAME")]
    pub stack: Option<String>,
    /// Also delete a stack that is protected against deletion
    #[arg(long)]
    pub unprotect: bool,
    /// Maximum time to wait for the deletion, which continues afterwards [default: until it ends]
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub timeout: Option<Duration>,
}

/// Deletes a stack; its file system is kept and named.
///
/// # Errors
/// Those of [`deploy::find`] and [`deploy::destroy`]; not confirmed.
pub fn run(context: &Context, args: Args) -> Outcome {
    let loaded = settings::load(context, &Settings::of_stack(args.stack))?;
    let name = loaded.deployment.stack.to_string();
    let interrupt = context.interrupt()?;
    let stop = Stop::new(interrupt.receiver());
    let output = context.output();
    context.block_on(async {
        let clients = context.clients(&loaded.deployment, Start::Never).await?;
        let identity = interrupt.or(clients.identity()).await?;
        interrupt.or(settings::same_queue_manager(&clients, &loaded, "destroy")).await?;
        let Some(removal) = interrupt.or(deploy::find(&clients, &name, args.unprotect)).await? else {
            // An earlier run may have been killed before it could say so.
            let kept = interrupt.or(deploy::kept_of(&clients, &name)).await?;
            output.data(format!("stack {name} does not exist in {}; nothing to do", place(&clients, &identity)));
            kept.iter().for_each(|storage| output.data(row("kept", storage.to_string())));
            output.is_json().then(|| output.document(&json!({
                "schema": "mqaws.destroy/1", "stack": name, "region": clients.region(), "existed": false,
                "kept": kept.iter().map(|storage| format!("file system {}", storage.id)).collect::<Vec<_>>(),
            })));
            return Ok(ExitKind::Success);
        };
        let heal = heal_command(context, &name);
        interrupt.or(failover::untested(&clients, &name, &heal)).await?;
        output.say(format!("mqaws destroy: {name}, {}\n", place(&clients, &identity)));
        output.say(row("removes", match removal.resources {
            0 => "the stack, which has no resources".to_owned(),
            count => format!("{count} resources{}", instances(removal.instances)),
        }));
        for data in &removal.kept {
            output.say(row("keeps", format!("file system {data}, with all messages")));
        }
        context.confirm_name("Deleting the stack", &name)?;
        // Once more: a test may have begun while a user was asked.
        interrupt.or(failover::untested(&clients, &name, &heal)).await?;
        let began = Instant::now();
        let mut view = View::new(context.progress(), "stack", &name);
        let role = loaded.deployment.security.cloudformation_role.as_ref().map(ToString::to_string);
        let pace = pace(&clients).within(args.timeout);
        let kept = deploy::destroy(&clients, &removal, role.as_deref(), pace, &stop, &mut view).await?;
        view.rest();
        if output.is_json() {
            output.document(&json!({
                "schema": "mqaws.destroy/1", "stack": name, "region": clients.region(), "account": identity.account,
                "local": clients.is_local(), "existed": true, "kept": kept,
                "seconds": (began.elapsed().as_secs_f64() * 1000.0).round() / 1000.0,
            }));
        }
        output.data(timed(&row("removed", format!("stack {name}")), began.elapsed()));
        match kept.is_empty() {
            true => output.data(row("kept", "nothing")),
            false => output.data(row("kept", kept.join(", "))),
        }
        for data in removal.kept.iter().filter(|_| !clients.is_local() && !kept.is_empty()) {
            output.say(format!(
                "\nThe file system still incurs charges. To use it in a new deployment: `mqaws deploy --adopt-file-system {data}`; to delete it \
                 permanently: `mqaws storage delete {data}`"
            ));
        }
        Ok(ExitKind::Success)
    })
}

/// What goes with the groups.
fn instances(count: Option<usize>) -> String {
    match count {
        Some(0) => String::new(),
        Some(1) => " and the instance".to_owned(),
        Some(count) => format!(" and {count} instances"),
        None => " and any instances".to_owned(),
    }
}
