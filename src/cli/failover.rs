//! The verb `failover`.

use super::choose::pace;
use super::deploy::no_stack;
use super::failover_test::{heal_command, time};
use super::local::Start;
use super::plan::place;
use super::settings::{self, Settings};
use super::view::{View, timed};
use super::words::row;
use super::{Context, Failure, Outcome};
use crate::deploy::{Move, MoveError, Stop, carry_out_move, prepare_move};
use crate::failover::{self, FailoverError};
use crate::remedy::ExitKind;
use crate::topology::PlannedMove;
use serde_json::json;
use std::time::{Duration, Instant};

/// Arguments of `failover`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  mqaws failover --region eu-west-1\n  mqaws failover --local --yes\n  mqaws failover --stack mqaws-orders --timeout 10m --yes --output json"
)]
pub struct Args {
    /// Name of the stack [default: as configured, `mqaws-qm1`]
    #[arg(long, value_name = "NAME")]
    pub stack: Option<String>,
    /// Proceed even if no standby is ready: an outage until a host can start the queue manager
    #[arg(long)]
    pub without_standby: bool,
    /// Maximum time to wait until the queue manager serves again
    #[arg(long, value_name = "TIME", value_parser = time, default_value = "10m")]
    pub timeout: Duration,
}

/// Moves the queue manager to another host, in order.
///
/// # Errors
/// Those of [`prepare_move`] and [`carry_out_move`]; no such stack; not confirmed.
pub fn run(context: &Context, args: Args) -> Outcome {
    let loaded = settings::load(context, &Settings::of_stack(args.stack))?;
    let name = loaded.deployment.stack.to_string();
    let interrupt = context.interrupt()?;
    let stop = Stop::new(interrupt.receiver());
    let output = context.output();
    context.block_on(async {
        let clients = context.clients(&loaded.deployment, Start::Never).await?;
        let identity = interrupt.or(clients.identity()).await?;
        interrupt
            .or(settings::same_queue_manager(&clients, &loaded, "failover"))
            .await?;
        let heal = heal_command(context, &name);
        let reading = async {
            let (region, local) = (clients.region(), clients.is_local());
            let planned = prepare_move(&clients, &name, region, local, args.without_standby).await;
            match planned {
                Ok(None) => Ok::<_, Failure>(None),
                Ok(planned) => {
                    failover::untested(&clients, &name, &heal).await?;
                    Ok(planned)
                }
                Err(error) => Err(explained(error, failover::untested(&clients, &name, &heal).await)),
            }
        };
        let planned = interrupt.or(reading).await?;
        let planned = planned.ok_or_else(|| no_stack(&name, &clients))?;
        output.say(format!("mqaws failover: {name}, {}\n", place(&clients, &identity)));
        let Move { queue_manager, from, .. } = &planned;
        let to = match (&planned.to, planned.how) {
            (Some(to), _) => format!(" to {to}, which is ready"),
            (None, PlannedMove::HandOver) => ", and no standby is ready".to_owned(),
            (None, PlannedMove::Relaunch) => " to an instance that Auto Scaling launches".to_owned(),
        };
        output.say(row("moves", format!("{queue_manager} from {from}{to}")));
        output.say(row("costs", cost(&planned)));
        context.confirm_name("Moving the queue manager", &name)?;
        // Once more: a test may have begun while a user was asked.
        interrupt.or(failover::untested(&clients, &name, &heal)).await?;
        let began = Instant::now();
        interrupt.remains(planned.remains());
        let mut view = View::new(context.progress(), "move", queue_manager);
        let moved = carry_out_move(&clients, &planned, args.timeout, pace(&clients), &stop, &mut view).await?;
        view.rest();
        interrupt.remains(None);
        let elsewhere = moved.to != moved.from.as_str();
        if output.is_json() {
            output.document(&json!({
                "schema": "mqaws.move/1", "stack": name, "queue_manager": queue_manager, "region": clients.region(),
                "local": clients.is_local(), "moved": elsewhere, "from": moved.from, "to": moved.to, "epoch": moved.epoch,
                "proof": moved.proof, "seconds": (began.elapsed().as_secs_f64() * 1000.0).round() / 1000.0,
            }));
        }
        let proof = moved.proof.as_deref().unwrap_or("unknown");
        let serves = format!("{queue_manager} serves on {}, epoch {}, proof: {proof}", moved.to, moved.epoch);
        output.data(timed(&row(if elsewhere { "moved" } else { "stayed" }, serves), began.elapsed()));
        Ok(match elsewhere {
            true => ExitKind::Success,
            // It is back where it was: nobody took over.
            false => ExitKind::NoRecovery,
        })
    })
}

/// Why nothing can be moved: a test that is under way, or was cut short, explains a stack that does not serve. That it could not be asked for
/// explains nothing.
fn explained(error: MoveError, tested: Result<(), FailoverError>) -> Failure {
    match tested {
        Err(busy @ FailoverError::Busy { .. }) => busy.into(),
        Ok(()) | Err(_) => error.into(),
    }
}

/// What clients notice of it.
fn cost(planned: &Move) -> &'static str {
    match (planned.how, &planned.to) {
        (PlannedMove::HandOver, Some(_)) => {
            "one short outage: clients are disconnected and reconnect to the other host"
        }
        (PlannedMove::HandOver, None) => "an outage until a host can start the queue manager",
        (PlannedMove::Relaunch, _) => {
            "an outage for the launch, the boot, and the start of another instance: minutes on AWS"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_test_takes_the_place_of_why_nothing_can_be_moved() {
        let stack = || "mqaws-qm1".to_owned();
        let why = || MoveError::NotServing {
            stack: stack(),
            state: "starting".into(),
        };
        let busy = FailoverError::Busy {
            stack: stack(),
            holder: "ann".into(),
            over: true,
            heal: "mqaws failover-test heal".into(),
        };
        for (tested, told) in [
            (Ok(()), "not `serving`"),
            (Err(FailoverError::PlaceGone), "not `serving`"),
            (Err(busy), "marked as under test by ann"),
        ] {
            let text = explained(why(), tested).text();
            assert!(text.contains(told), "{text}");
        }
    }
}
