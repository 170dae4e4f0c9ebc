//! The verb `ami manifest`: the Packer template, offline.

use super::super::written::{self, NewFile};
use super::super::{CliError, Context, Failure, Outcome};
use super::{ImageSettings, configuration};
use crate::model::config::{ConfigError, Loaded};
use crate::remedy::{ExitKind, Remedy};
use crate::render::packer::{self, PROVISION, PackerTemplate, Rendering};
use clap::ValueEnum;
use serde_json::{Value, json};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Arguments of `ami manifest`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  mqaws ami manifest > mq.pkr.json\n  mqaws ami manifest --for packer-1.6 --write packer\n  mqaws ami manifest --set image.subnet=subnet-0123456789abcdef0 --output json | jq .required\n\nDoes not access an AWS account. The values of the configuration become the defaults of the variables."
)]
pub(super) struct Args {
    /// Version of Packer that the template is for
    #[arg(long = "for", value_enum, default_value_t, value_name = "PACKER")]
    pub packer: For,
    /// Write the template and its scripts into this folder instead of printing the template
    #[arg(long, value_name = "FOLDER")]
    pub write: Option<PathBuf>,
    /// Configuration beside the file.
    #[command(flatten)]
    pub settings: ImageSettings,
}

/// Which Packer a template is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum For {
    /// Packer 1.7 and later, with its plugins
    #[default]
    Current,
    /// Packer 1.6, which Debian ships
    #[value(name = "packer-1.6")]
    Packer16,
}

impl From<For> for Rendering {
    fn from(packer: For) -> Self {
        match packer {
            For::Current => Self::Current,
            For::Packer16 => Self::Packer16,
        }
    }
}

/// Runs the verb.
///
/// # Errors
/// A configuration that breaks a rule, or that this Packer cannot do; files that are there and say something else.
pub(super) fn run(context: &Context, args: Args) -> Outcome {
    let loaded = configuration(context, &args.settings)?;
    let rendering = Rendering::from(args.packer);
    let template = render(&loaded, rendering)?;
    let file = packer::file_name(loaded.deployment.image.engine, rendering);
    let text = template.to_json();
    if let Some(folder) = &args.write {
        write(folder, &file, &text)?;
    }
    let output = context.output();
    if output.is_json() {
        output.document(&document(&loaded, rendering, &template, args.write.as_deref())?);
    } else if let Some(folder) = &args.write {
        output.data(written(folder, &file, rendering, &template));
    } else {
        output.raw(&text);
    }
    if !output.is_json() {
        for (key, hint) in loaded.deployment.image_missing() {
            output.say(format!("required for a build: {key}: {hint}"));
        }
    }
    Ok(ExitKind::Success)
}

/// The template, or why there is none, at the place in the file that it is about.
pub(super) fn render(loaded: &Loaded, rendering: Rendering) -> Result<PackerTemplate, ConfigError> {
    packer::template(&loaded.deployment, rendering).map_err(|error| {
        let (key, label) = error.key();
        let violation = loaded.violation(key, error.to_string()).label(label);
        match error.hint() {
            Some(hint) => violation.hint(hint).into(),
            None => violation.into(),
        }
    })
}

/// Every file that belongs to a template: path, text, whether it is a program.
fn files<'a>(folder: &Path, name: &str, template: &'a str) -> Vec<(PathBuf, &'a str, bool)> {
    let scripts = folder.join("provision");
    let scripts = PROVISION
        .iter()
        .map(|file| (scripts.join(file.path), file.text, file.executable));
    std::iter::once((folder.join(name), template, false))
        .chain(scripts)
        .collect()
}

/// Writes them, unless one is there already and says something else.
fn write(folder: &Path, name: &str, template: &str) -> Result<(), Failure> {
    let file = |action, path: &Path, source| CliError::File {
        action,
        path: path.to_owned(),
        source,
    };
    let mut missing = Vec::new();
    for entry in files(folder, name, template) {
        match fs::read(&entry.0) {
            Ok(there) if there == entry.1.as_bytes() => {}
            Ok(_) => {
                return Err(CliError::Precondition {
                    message: format!("`{}` already exists with different content", entry.0.display()),
                    hint: Some("specify a different folder, or remove the files in this one".into()),
                }
                .into());
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => missing.push(entry),
            Err(error) => return Err(file("read", &entry.0, error).into()),
        }
    }
    let files: Vec<NewFile<'_>> = missing
        .into_iter()
        .map(|(path, text, executable)| NewFile {
            path,
            content: text.as_bytes(),
            mode: Some(if executable { 0o755 } else { 0o644 }),
            replaces: false,
        })
        .collect();
    Ok(written::write_into(folder, &files)?)
}

/// What was written, and what to do with it.
fn written(folder: &Path, file: &str, rendering: Rendering, template: &PackerTemplate) -> String {
    let variables: Vec<String> = template
        .required()
        .iter()
        .map(|name| format!("-var {name}=…"))
        .collect();
    let path = folder.join(file).display().to_string();
    let init = match rendering {
        Rendering::Current => format!("packer init {path} && "),
        Rendering::Packer16 => String::new(),
    };
    format!(
        "written: {}\n  and {} files in {}\nnext: {init}packer build {} {path}\n",
        path,
        PROVISION.len(),
        folder.join("provision").display(),
        variables.join(" "),
    )
}

/// Template, what must be given to it and where it was written, schema `mqaws.ami-manifest/1`.
fn document(
    loaded: &Loaded,
    rendering: Rendering,
    template: &PackerTemplate,
    folder: Option<&Path>,
) -> Result<Value, CliError> {
    let engine = loaded.deployment.image.engine;
    let file = packer::file_name(engine, rendering);
    let written = folder.map(|folder| {
        let paths = files(folder, &file, "").into_iter();
        paths.map(|(path, ..)| path.display().to_string()).collect::<Vec<_>>()
    });
    Ok(json!({
        "schema": "mqaws.ami-manifest/1",
        "engine": engine,
        "for": rendering.as_str(),
        "file": file,
        "required": template.required(),
        "missing": loaded.deployment.image_missing().iter().map(|(key, _)| key).collect::<Vec<_>>(),
        "template": serde_json::to_value(template).map_err(CliError::Json)?,
        "written": written,
    }))
}
