//! The command line as clap sees it.

use super::{
    ami, completions, demo, deploy, destroy, environment, failover, failover_test, init, lab, man, plan, render,
    settings, slo, status, storage, validate,
};
use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Deploy highly available queue managers on AWS, inject faults under load, and measure RPO and RTO
#[derive(Debug, Parser)]
#[command(
    name = "mqaws",
    version,
    max_term_width = 100,
    mut_args(settings::declared),
    propagate_version = true,
    subcommand_required = true,
    arg_required_else_help = true,
    after_help = "Examples:\n  mqaws demo                          try it on this machine, without an AWS account\n  mqaws init                          write an annotated mqaws.yaml\n  mqaws plan --region eu-west-1       show what a deployment would change\n  mqaws deploy --region eu-west-1     deploy a queue manager"
)]
pub struct Cli {
    /// Options of every verb.
    #[command(flatten)]
    pub global: Global,
    /// The verb.
    #[command(subcommand)]
    pub command: Command,
}

/// Options of every verb.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// Configuration file, - for standard input [default: mqaws.yaml, if it exists]
    #[arg(
        long,
        short = 'c',
        global = true,
        env = "MQAWS_CONFIG",
        value_name = "FILE",
        hide_env = true
    )]
    pub config: Option<PathBuf>,
    /// The key `region`.
    #[arg(long, global = true, env = "MQAWS_REGION", hide_env = true)]
    pub region: Option<String>,
    /// The key `profile`.
    #[arg(long, global = true, env = "MQAWS_PROFILE", hide_env = true)]
    pub profile: Option<String>,
    /// Endpoint of an AWS-compatible service, used for all calls
    #[arg(long, global = true, env = "MQAWS_ENDPOINT_URL", value_name = "URL", hide_env = true)]
    pub endpoint_url: Option<String>,
    /// Use the local cloud of this machine
    #[arg(long, global = true, env = "MQAWS_LOCAL", action = ArgAction::SetTrue, value_parser = environment::boolean, hide_env = true)]
    pub local: bool,
    /// Output format: text, or json for one document with a `schema` field
    #[arg(
        long,
        global = true,
        env = "MQAWS_OUTPUT",
        value_enum,
        default_value_t,
        value_name = "FORM",
        hide_env = true,
        hide_possible_values = true
    )]
    pub output: Format,
    /// When to use color: auto (on a terminal), always, or never; honors NO_COLOR
    #[arg(
        long,
        global = true,
        env = "MQAWS_COLOR",
        value_enum,
        default_value_t,
        value_name = "WHEN",
        hide_env = true,
        hide_possible_values = true
    )]
    pub color: Color,
    /// Do not show progress
    #[arg(long, global = true, env = "MQAWS_NO_PROGRESS", action = ArgAction::SetTrue, value_parser = environment::boolean, hide_env = true)]
    pub no_progress: bool,
    /// Answer yes to every question
    #[arg(long, short = 'y', global = true, env = "MQAWS_YES", action = ArgAction::SetTrue, value_parser = environment::boolean, hide_env = true)]
    pub yes: bool,
    /// Log more: -v progress of mqaws, -vv its API calls, -vvv everything
    #[arg(long, short = 'v', global = true, env = "MQAWS_VERBOSE", action = ArgAction::Count, hide_env = true)]
    pub verbose: u8,
    /// Print results and errors only
    #[arg(long, short = 'q', global = true, env = "MQAWS_QUIET", action = ArgAction::SetTrue, value_parser = environment::boolean, hide_env = true)]
    pub quiet: bool,
}

/// Output format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Format {
    /// For people
    #[default]
    Text,
    /// One JSON document with a `schema` field
    Json,
}

/// When to use color.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Color {
    /// On a terminal
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Try it: deploy and fail over in a temporary local cloud
    Demo(demo::Args),
    /// Write an annotated configuration file
    Init(init::Args),
    /// Write the CloudFormation template
    Render(render::Args),
    /// Check the configuration, offline
    Validate(validate::Args),
    /// Show what a deployment would change
    Plan(plan::Args),
    /// Deploy a queue manager, or update a deployment
    Deploy(deploy::Args),
    /// Show the state of a deployment
    Status(status::Args),
    /// Move the queue manager to another host, as planned maintenance
    Failover(failover::Args),
    /// Inject faults under load and measure RPO and RTO
    FailoverTest(Box<failover_test::Args>),
    /// Determine whether measured outages meet an availability objective
    Slo(slo::Args),
    /// Delete a stack; its file system is kept
    Destroy(destroy::Args),
    /// List and delete kept file systems
    Storage(storage::Args),
    /// Build and manage the images that instances start from
    Ami(ami::Args),
    /// Start, stop, and inspect the local cloud
    Lab(lab::Args),
    /// Print a completion script for a shell
    Completions(completions::Args),
    /// Print the manual page
    Man(man::Args),
}
