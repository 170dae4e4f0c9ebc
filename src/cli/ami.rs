//! The verb `ami`: the image that instances start from.

mod build;
mod list;
mod manifest;
mod prune;

use super::settings::{Settings, load};
use super::{Context, Failure, Outcome};
use crate::image::ports::OwnImage;
use crate::model::config::{Loaded, Place};
use crate::model::{self, Package};
use crate::render::packer::tags;
use clap::Subcommand;
use clap::builder::{PossibleValue, PossibleValuesParser};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// Arguments of `ami`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  mqaws ami manifest                         the Packer template of the configuration\n  mqaws ami manifest --engine rabbitmq --for packer-1.6\n  mqaws ami manifest --write packer          the template and its scripts, for use without mqaws\n  mqaws ami build --accept-licence           build the image; the next deployment uses it\n  mqaws ami list\n  mqaws ami prune --keep 3                   remove all but the newest three, except images in use\n\nThe keys of `image` in mqaws.yaml define the image; see docs/image.md."
)]
pub struct Args {
    #[command(subcommand)]
    verb: AmiVerb,
}

#[derive(Debug, Subcommand)]
enum AmiVerb {
    /// Write the Packer template
    Manifest(manifest::Args),
    /// Build an AMI with Packer and publish its ID for deployments
    Build(build::Args),
    /// List the images that mqaws built
    List(list::Args),
    /// Remove old images that are not in use
    Prune(prune::Args),
}

/// Flags that take precedence over the configuration file; any other key can be given with `--set`.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct ImageSettings {
    /// Engine that the image contains [default: ibm-mq]
    #[arg(long, value_parser = PossibleValuesParser::new(engines()), value_name = "ENGINE", help_heading = "Configuration")]
    pub engine: Option<String>,
    /// Any key of the configuration file, such as image.subnet=subnet-0123456789abcdef0
    #[arg(long, value_name = "KEY=VALUE", help_heading = "Configuration")]
    pub set: Vec<String>,
}

/// The engines that an image can hold.
fn engines() -> Vec<PossibleValue> {
    model::Engine::all()
        .map(|engine| PossibleValue::new(engine.as_str()).help(engine.facts().line.trim_end_matches('.')))
        .collect()
}

/// Runs the verb.
///
/// # Errors
/// Those of the verb below it.
pub fn run(context: &Context, args: Args) -> Outcome {
    match args.verb {
        AmiVerb::Manifest(args) => manifest::run(context, args),
        AmiVerb::Build(args) => build::run(context, args),
        AmiVerb::List(args) => list::run(context, args),
        AmiVerb::Prune(args) => prune::run(context, args),
    }
}

/// Reads the configuration, with the paths of packages made absolute: Packer runs elsewhere.
///
/// # Errors
/// As [`load`].
fn configuration(context: &Context, settings: &ImageSettings) -> Result<Loaded, Failure> {
    let engine = settings.engine.as_ref().map(|word| format!("image.engine={word}"));
    let settings = Settings {
        set: engine.into_iter().chain(settings.set.iter().cloned()).collect(),
        ..Settings::default()
    };
    let mut loaded = load(context, &settings)?;
    let path = context.config_path();
    let folder = path.as_deref().and_then(Path::parent).unwrap_or(Path::new(""));
    let absolute = |loaded: &Loaded, key: &str, file: &str| {
        let path = match loaded.place(key) {
            Place::File { .. } => folder.join(file),
            _ => PathBuf::from(file),
        };
        std::path::absolute(&path).unwrap_or(path).display().to_string()
    };
    if let Some(Package::File(file)) = &loaded.deployment.image.package {
        loaded.deployment.image.package = Some(Package::File(absolute(&loaded, "image.package", file)));
    }
    if let Some(file) = &loaded.deployment.image.efs_utils_package {
        loaded.deployment.image.efs_utils_package = Some(absolute(&loaded, "image.efs_utils_package", file));
    }
    Ok(loaded)
}

/// The parameters that name an image, one for each engine.
fn parameters() -> Vec<String> {
    model::Engine::all().map(crate::stack::image_parameter).collect()
}

/// `2026-11-18 03:12 UTC`, or that nobody says.
fn made_at(image: &OwnImage) -> String {
    match image.created {
        Some(at) => at.strftime("%Y-%m-%d %H:%M UTC").to_string(),
        None => "of unknown age".to_owned(),
    }
}

/// What an image holds: `ibm-mq 9.4.0.11, agent 0.1.0, 2026-11-18 03:12 UTC`.
fn contents(image: &OwnImage) -> String {
    let tag = |key| image.tag(key).unwrap_or("?");
    format!(
        "{} {}, agent {}, {}",
        tag(tags::IMAGE),
        tag(tags::ENGINE_VERSION),
        tag(tags::AGENT_VERSION),
        made_at(image)
    )
}

/// An image as JSON.
fn document(image: &OwnImage) -> Value {
    json!({
        "id": image.id, "name": image.name, "state": image.state, "created": image.created.map(|at| at.to_string()),
        "engine": image.engine(), "engine_version": image.tag(tags::ENGINE_VERSION),
        "agent_version": image.tag(tags::AGENT_VERSION), "build": image.tag(tags::BUILD),
        "tags": image.tags, "snapshots": image.snapshots,
    })
}
