//! The verb `init`: an annotated configuration file, filled from the account when it can be read.

use super::annotated::{Account, annotated};
use super::context::DEFAULT_FILE;
use super::local::{self, Start};
use super::settings::{Settings, judge_beside};
use super::suggestions::quoted;
use super::written::{self, NewFile};
use super::{CliError, Context, Failure, Outcome};
use crate::aws::{Choice, Clients};
use crate::model::Engine;
use crate::remedy::ExitKind;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Arguments of `init`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  mqaws init                                  write mqaws.yaml\n  mqaws init --region eu-west-1 --queue-manager ORDERS\n  mqaws init --offline -                      print it, without accessing an AWS account"
)]
pub struct Args {
    /// File to write, or - for standard output [default: --config, else mqaws.yaml]
    pub file: Option<PathBuf>,
    /// Replace the file if it exists
    #[arg(long)]
    pub force: bool,
    /// Do not access an AWS account
    #[arg(long)]
    pub offline: bool,
    /// Configuration to write down.
    #[command(flatten)]
    pub settings: Settings,
}

/// An account is only an offer: after this long, defaults are written without it.
const PATIENCE: Duration = Duration::from_secs(15);

/// Runs the verb.
///
/// # Errors
/// Flags that break a rule; a file that exists or cannot be written.
pub fn run(context: &Context, args: Args) -> Outcome {
    let deployment = judge_beside(context, &args.settings)??.deployment;
    let file = args
        .file
        .clone()
        .or_else(|| context.global().config.clone())
        .unwrap_or_else(|| "mqaws.yaml".into());
    let to_stdout = file == Path::new("-");
    if !to_stdout && !args.force && file.exists() {
        return Err(CliError::Precondition {
            message: format!("`{}` exists", file.display()),
            hint: Some("specify a different file, or replace this one with --force".into()),
        }
        .into());
    }
    let account = match args.offline {
        true => Err("no AWS account was accessed (--offline)".to_owned()),
        false => read_account(context, deployment.region.as_ref().map(ToString::to_string)),
    };
    let text = annotated(&deployment, account.as_ref().ok());
    if to_stdout {
        context.output().raw(&text);
    } else {
        // Without --force, a file that appeared meanwhile is kept as well.
        written::write(NewFile {
            path: file.clone(),
            content: text.as_bytes(),
            mode: None,
            replaces: args.force,
        })?;
    }
    let (read, why) = match &account {
        Ok(account) => (true, format!("it lists the networks in {}", account.region)),
        Err(why) => (false, format!("{why}; the file contains default values")),
    };
    if context.output().is_json() && !to_stdout {
        context.output().document(&json!({
            "schema": "mqaws.init/1",
            "file": file.display().to_string(),
            "account_read": read,
            "detail": why,
        }));
    } else if !to_stdout {
        let command = |verb: &str| match file.as_os_str() == DEFAULT_FILE {
            true => format!("mqaws {verb}"),
            false => format!("mqaws {verb} --config {}", quoted(&file.to_string_lossy())),
        };
        context.output().data(format!(
            "written: {}\n  {why}\nnext: edit it, then `{}` and `{}`\n",
            file.display(),
            command("validate"),
            command("plan")
        ));
    }
    Ok(ExitKind::Success)
}

/// Reads the account, or says why not, in words that follow "because".
fn read_account(context: &Context, region: Option<String>) -> Result<Account, String> {
    let global = context.global();
    let choice = Choice {
        region: global.region.clone().or(region),
        profile: global.profile.clone(),
        endpoint_url: global.endpoint_url.clone(),
    };
    let wait = context.progress().wait("reading the account");
    let outcome = context.block_on(async {
        let reading = async {
            let clients = match global.local {
                true => Clients::local(&local::cloud(context, Start::Never, Engine::default()).await?),
                false => Clients::load(&choice).await?,
            };
            let vpcs = clients.vpcs().await?;
            Ok::<_, Failure>(Account {
                region: clients.region().to_owned(),
                vpcs,
            })
        };
        Ok(tokio::time::timeout(PATIENCE, reading).await)
    });
    drop(wait);
    match outcome {
        Ok(Ok(Ok(account))) => Ok(account),
        Ok(Ok(Err(failure))) => Err(format!("the AWS account could not be accessed ({})", failure.error())),
        Ok(Err(_)) => Err(format!("AWS did not respond within {} s", PATIENCE.as_secs())),
        Err(failure) => Err(format!("the AWS account could not be accessed ({})", failure.error())),
    }
}
