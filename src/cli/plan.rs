//! The verb `plan`: what a deployment would change, without changing it.

mod bound;

use super::choose::pace;
use super::failover_test::time;
use super::local::Start;
use super::settings::{self, Placed, Settings};
use super::view::View;
use super::words::row;
use super::{CliError, Context, Failure, Interrupt, Outcome};
use crate::aws::{Clients, Identity};
use crate::deploy::review::Line;
use crate::deploy::stake::{KeptStorage, Rename};
use crate::deploy::{
    self, Adoption, Blueprint, Consent, Effect, NoWayBack, Pace, Plan, Renewal, Review, Stop, Unusable,
};
use crate::model::Deployment;
use crate::model::config::Loaded;
use crate::remedy::ExitKind;
use crate::stack::QUEUE_MANAGER_PARAMETER;
use crate::topology::FILE_SYSTEM;
use anstyle::AnsiColor;
use serde::Serialize;
use std::path::PathBuf;
use std::time::Duration;

/// Arguments of `plan`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  mqaws plan --region eu-west-1\n  mqaws plan --local --output json\n  mqaws plan --set storage.performance_mode=maxIO\n  mqaws plan --rto --rto-values measured.yaml"
)]
pub struct Args {
    /// Values that override the file
    #[command(flatten)]
    pub settings: Settings,
    /// Allow this replacement: the logical ID of a file system, or QueueManagerName
    #[arg(long, value_name = "LOGICAL_ID")]
    pub allow_replace: Vec<String>,
    /// Start on a new, empty file system although a previous one is kept
    #[arg(long)]
    pub new_storage: bool,
    /// Maximum time to wait for the change set [default: 5m, 60s in the local cloud]
    #[arg(long, value_name = "TIME", value_parser = time, conflicts_with = "rto")]
    pub timeout: Option<Duration>,
    /// Show the model of an outage, term by term, instead of the changes; does not access an AWS account
    #[arg(long)]
    pub rto: bool,
    /// File with measured values of parameters of the model, such as ec2.launch: 41.5
    #[arg(long, value_name = "FILE", requires = "rto")]
    pub rto_values: Option<PathBuf>,
}

/// Shows what a deployment would change; leaves no change set behind.
///
/// # Errors
/// Those of [`deploy::plan`] and of [`Plan::check`].
pub fn run(context: &Context, args: Args) -> Outcome {
    if args.rto {
        return bound::run(context, &args);
    }
    let loaded = settings::load(context, &args.settings)?.deployable()?;
    replaceable(&args.allow_replace, &loaded.deployment)?;
    let interrupt = context.interrupt()?;
    context.block_on(async {
        let clients = context.clients(&loaded.deployment, Start::Never).await?;
        // The stack that a failed deployment left is evidence, and to plan is no reason to remove it.
        let consent = Consent {
            new_storage: args.new_storage,
            clear: false,
        };
        let pace = pace(&clients).within(args.timeout);
        let made = make(context, &clients, &loaded, false, (consent, pace), &interrupt).await?;
        deploy::abandon(&clients, &made.plan, pace).await?;
        interrupt.remains(None);
        let at_stake = made.plan.check(&args.allow_replace);
        let output = context.output();
        if output.is_json() && at_stake.is_ok() {
            output.document(&made.document(&clients));
        }
        output.data(made.text(&clients));
        at_stake?;
        output.say("nothing was changed");
        Ok(ExitKind::Success)
    })
}

/// Refuses permission for what no deployment replaces: a name with a slip in it would permit nothing, and say nothing.
///
/// # Errors
/// [`CliError::Usage`].
pub(super) fn replaceable(allowed: &[String], deployment: &Deployment) -> Result<(), Failure> {
    let template = crate::render::template(deployment)?;
    let resources = template.resources.iter();
    let systems = resources.filter(|(_, resource)| resource.kind == FILE_SYSTEM);
    let mut known: Vec<&str> = systems.map(|(logical, _)| logical.as_str()).collect();
    known.push(QUEUE_MANAGER_PARAMETER);
    match allowed.iter().find(|name| !known.contains(&name.as_str())) {
        None => Ok(()),
        Some(name) => Err(CliError::Usage {
            message: format!("invalid value `{name}` for --allow-replace"),
            hint: Some(format!("to allow a replacement, specify {}", known.join(" or "))),
        }
        .into()),
    }
}

/// A plan with what it was made from.
pub(super) struct PlannedDeployment {
    pub blueprint: Blueprint,
    pub plan: Plan,
    pub identity: Identity,
    pub chosen: Vec<String>,
    /// Name of the user's own file of definitions.
    pub definitions: Option<String>,
}

/// The plan as JSON.
#[derive(Debug, Serialize)]
pub(super) struct Document<'a> {
    schema: &'static str,
    stack: &'a str,
    region: &'a str,
    account: &'a str,
    local: bool,
    fresh: bool,
    summary: String,
    changes: &'a Review,
    rename: &'a Option<Rename>,
    kept_storage: &'a [KeptStorage],
    adopts: &'a Option<Adoption>,
    paused: &'a [String],
    no_way_back: &'a Option<NoWayBack>,
    unusable: &'a Option<Unusable>,
    renewal: &'a Option<Renewal>,
    chosen: &'a [String],
}

/// Makes a change set for a deployment and reads it.
pub(super) async fn make(
    context: &Context,
    clients: &Clients,
    loaded: &Loaded,
    protect: bool,
    (consent, pace): (Consent, Pace),
    interrupt: &Interrupt,
) -> Result<PlannedDeployment, Failure> {
    // Missing or expired credentials and an endpoint that is not there are found here, at once.
    let identity = interrupt.or(clients.identity()).await?;
    let blueprint = async {
        let made = deploy::blueprint(clients, &loaded.deployment, protect).await;
        made.map_err(|error| Placed::new(loaded, error))
    };
    let (blueprint, chosen) = interrupt.or(blueprint).await?;
    let mut view = View::new(context.progress(), "plan", &blueprint.stack);
    let stop = Stop::new(interrupt.receiver());
    // A review that nobody waits for any more stays: a stack without a resource when there was none, a change set else.
    interrupt.remains(format!(
        "possibly a change set of stack {0} in {1}, and that stack without resources; to check, run `mqaws status --stack {0}`",
        blueprint.stack,
        clients.region()
    ));
    let plan = deploy::plan(clients, &blueprint, consent, pace, &stop, &mut view).await;
    let plan = plan.map_err(|error| Placed::new(loaded, error))?;
    view.rest();
    Ok(PlannedDeployment {
        blueprint,
        plan,
        identity,
        chosen,
        definitions: loaded
            .deployment
            .queue_manager
            .definitions
            .as_ref()
            .map(|own| own.file.clone()),
    })
}

impl PlannedDeployment {
    pub(super) fn document<'a>(&'a self, clients: &'a Clients) -> Document<'a> {
        Document {
            schema: "mqaws.plan/1",
            stack: &self.plan.stack,
            region: clients.region(),
            account: &self.identity.account,
            local: clients.is_local(),
            fresh: self.plan.fresh,
            summary: self.plan.review.summary(),
            changes: &self.plan.review,
            rename: &self.plan.rename,
            kept_storage: &self.plan.kept,
            adopts: &self.plan.adopts,
            paused: &self.plan.paused,
            no_way_back: &self.plan.no_way_back,
            unusable: &self.plan.unusable,
            renewal: &self.plan.renewal,
            chosen: &self.chosen,
        }
    }

    /// The review for people, every line of it.
    pub(super) fn text(&self, clients: &Clients) -> String {
        let place = place(clients, &self.identity);
        let mut text = format!("mqaws plan: {}, {place}\n\n", self.plan.stack);
        let told: Vec<String> = self
            .chosen
            .iter()
            .map(|c| row("chosen", c))
            .chain(self.kept())
            .chain(self.adopts())
            .chain(self.order())
            .chain(self.warnings())
            .collect();
        for line in &told {
            text += &format!("{line}\n");
        }
        if !told.is_empty() {
            text.push('\n');
        }
        match self.plan.is_empty() && self.plan.rename.is_none() {
            true => text + "  no changes\n",
            false => text + &self.lines() + &format!("\n  {}\n", self.plan.review.summary()),
        }
    }

    /// What is at stake, then one line for each resource.
    pub(super) fn lines(&self) -> String {
        let rename = self.plan.rename.as_ref().map(|Rename { from, to, .. }| {
            let text = format!("{from} → {to}: MAKES THE DATA OF {from} INACCESSIBLE");
            effect(Effect::Replace, "queue manager", &text)
        });
        rename.unwrap_or_default() + &lines(&self.plan.review)
    }

    /// What the change does to an operator's order, and what it does to the data for good, with its label.
    pub(super) fn warnings(&self) -> impl Iterator<Item = String> {
        let paused = self.plan.paused.iter().map(|instance| {
            format!("the queue manager is paused on {instance}; no instance starts it until `mqaws-agent resume`")
        });
        let for_good = self.plan.no_way_back.iter().map(ToString::to_string);
        let unusable = self.plan.unusable.iter().map(ToString::to_string);
        paused
            .chain(for_good)
            .chain(unusable)
            .map(|words| row("warning", words))
    }

    /// Which member's instance is replaced last, or that nobody knows which should be, with its label.
    pub(super) fn order(&self) -> impl Iterator<Item = String> {
        let known = self.plan.renewal.iter().map(|Renewal { last, instance }| {
            format!("{last} last, where {instance} is active: replacing instances means one short outage")
        });
        let unknown = self
            .plan
            .unordered
            .then(|| "no instance is known to be active: replacing instances may mean two short outages".to_owned());
        known.chain(unknown).map(|words| row("order", words))
    }

    /// The file system that the stack adopts, what its first start can prove, and what is made afterwards.
    pub(super) fn adopts(&self) -> impl Iterator<Item = String> {
        let adopts = self.plan.adopts.iter();
        adopts.flat_map(|Adoption { storage, proof, rest }| {
            [
                row("adopts", storage.to_string()),
                row("proof", proof),
                row(
                    "then",
                    format!("the rest of the stack around it, up to {rest} resources"),
                ),
            ]
        })
    }

    /// File systems of before that stay unused, each with its label.
    pub(super) fn kept(&self) -> impl Iterator<Item = String> {
        let kept = self.plan.kept.iter();
        kept.map(|storage| row("kept", format!("{storage}; it remains unused")))
    }
}

/// Where a stack is, in words: `eu-west-1, account 000000000000 (local cloud)`.
pub(super) fn place(clients: &Clients, identity: &Identity) -> String {
    let local = if clients.is_local() { " (local cloud)" } else { "" };
    format!("{}, account {}{local}", clients.region(), identity.account)
}

/// One line for each resource; one in all for those whose change only follows from others.
fn lines(review: &Review) -> String {
    let line = |line: &Line| {
        let text = if line.text.is_empty() || line.effect == Effect::Add {
            &line.kind
        } else {
            &line.text
        };
        effect(line.effect, &line.logical, text)
    };
    let (follow, own): (Vec<&Line>, Vec<&Line>) = review.lines.iter().partition(|l| l.follows);
    let mut text: String = own.into_iter().map(line).collect();
    match follow.as_slice() {
        [] => {}
        [one] => text += &line(one),
        all => {
            text += &effect(
                Effect::Change,
                &format!("{} more", all.len()),
                "only tags, or values that follow from other changes",
            );
        }
    }
    text
}

fn effect(effect: Effect, logical: &str, text: &str) -> String {
    let (symbol, word, color) = match effect {
        Effect::Add => ("+", "add", AnsiColor::Green),
        Effect::Import => ("=", "adopt", AnsiColor::Green),
        Effect::Change => ("~", "change", AnsiColor::Yellow),
        Effect::Replace => ("!", "replace", AnsiColor::Red),
        Effect::Remove => ("-", "remove", AnsiColor::Red),
    };
    let style = color.on_default();
    format!("  {style}{symbol} {word:<8}{style:#} {logical:<25} {text}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn consequences_are_one_line() {
        let line = |logical: &str, follows| Line {
            effect: Effect::Change,
            logical: logical.into(),
            kind: "AWS::EC2::SecurityGroup".into(),
            text: "Tags".into(),
            data: false,
            follows,
        };
        let told = |lines: Vec<Line>| anstream::adapter::strip_str(&super::lines(&Review { lines })).to_string();
        assert_eq!(
            told(vec![line("A", true), line("B", false), line("C", true)]),
            "  ~ change   B                         Tags\n  \
             ~ change   2 more                    only tags, or values that follow from other changes\n"
        );
        assert_eq!(
            told(vec![line("A", true)]),
            "  ~ change   A                         Tags\n"
        );
    }
}
