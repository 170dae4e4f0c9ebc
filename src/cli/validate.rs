//! The verb `validate`: the configuration, offline, every mistake at once.

use super::settings::{Settings, judge, load};
use super::{Context, Outcome};
use crate::model::config::{Loaded, Place, Violation};
use crate::model::{Placement, json_schema};
use crate::remedy::ExitKind;
use crate::render;
use serde_json::{Value, json};

/// Arguments of `validate`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  mqaws validate\n  mqaws validate --config prod.yaml --output json\n  mqaws validate --schema > mqaws.schema.json   for editors\n\nDoes not access an AWS account; `mqaws plan` checks whether the VPC, subnets, and image exist."
)]
pub struct Args {
    /// Configuration beside the file.
    #[command(flatten)]
    pub settings: Settings,
    /// Print the JSON Schema of the configuration file instead
    #[arg(long, conflicts_with_all = ["stack", "queue-manager", "set"])]
    pub schema: bool,
}

/// Runs the verb.
///
/// # Errors
/// Every violation at once, exit 3; a template over CloudFormation's limit.
pub fn run(context: &Context, args: Args) -> Outcome {
    if args.schema {
        context.output().raw(&schema());
        return Ok(ExitKind::Success);
    }
    let file = context.config_name();
    if context.output().is_json() {
        let (document, exit) = match judge(context, &args.settings)?.and_then(Loaded::deployable) {
            Ok(loaded) => {
                render::body(&loaded.deployment)?;
                (accepted(file.as_deref(), &loaded), ExitKind::Success)
            }
            Err(error) => (refused(file.as_deref(), error.violations()), ExitKind::Precondition),
        };
        context.output().document(&document);
        return Ok(exit);
    }
    let loaded = load(context, &args.settings)?.deployable()?;
    let bytes = render::body(&loaded.deployment)?.len();
    context.output().data(summary(file.as_deref(), &loaded, bytes));
    Ok(ExitKind::Success)
}

/// The JSON Schema of the configuration file, with a newline at its end.
pub fn schema() -> String {
    format!("{:#}\n", json_schema())
}

fn summary(file: Option<&str>, loaded: &Loaded, bytes: usize) -> String {
    let deployment = &loaded.deployment;
    let what = file.unwrap_or("no file; defaults apply");
    let region = deployment
        .region
        .as_ref()
        .map_or("the region of your AWS configuration".to_owned(), ToString::to_string);
    let network = match &deployment.network.placement {
        Placement::Existing {
            subnets: [first, second],
            ..
        } => format!("{first} and {second}"),
        Placement::Choose { vpc: Some(vpc) } => format!("two subnets of {vpc}, chosen at deployment"),
        Placement::Choose { vpc: None } => "two subnets of the default VPC, chosen at deployment".to_owned(),
        Placement::New { cidr, .. } => format!("a new VPC, {cidr}"),
    };
    let tls = match &deployment.tls.certificate {
        Some(secret) => format!("1.2 or later, certificate in {secret}"),
        None => "none: client connections are not encrypted".to_owned(),
    };
    format!(
        "valid: {what}\n  stack    {} in {region}\n  manager  {}\n  network  {network}\n  TLS      {tls}\n  template {bytes} of {} bytes\nnot checked: values that depend on the account; to check them, run `mqaws plan`\n",
        deployment.stack,
        deployment.queue_manager.name,
        crate::stack::MOST_TEMPLATE_BYTES,
    )
}

fn accepted(file: Option<&str>, loaded: &Loaded) -> Value {
    json!({
        "schema": "mqaws.validate/1",
        "valid": true,
        "file": file,
        "deployment": loaded.deployment,
        "violations": [],
        "warnings": loaded.warnings.iter().map(told).collect::<Vec<_>>(),
    })
}

fn refused(file: Option<&str>, violations: &[Violation]) -> Value {
    json!({
        "schema": "mqaws.validate/1",
        "valid": false,
        "file": file,
        "deployment": null,
        "violations": violations.iter().map(told).collect::<Vec<_>>(),
        "warnings": [],
    })
}

fn told(violation: &Violation) -> Value {
    let (line, column) = match &violation.place {
        Place::File { line, column, .. } => (Some(line), Some(column)),
        _ => (None, None),
    };
    json!({
        "key": violation.key,
        "message": violation.message,
        "hint": violation.hint,
        "place": violation.place.short(),
        "line": line,
        "column": column,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::config::{Overrides, Source, read};

    #[test]
    fn violations_have_their_place_in_json() {
        let source = Source {
            name: "m.yaml",
            text: "stak: x\n",
        };
        let error = read(Some(source), &Overrides::none()).unwrap_err();
        let document = refused(Some("m.yaml"), error.violations());
        assert_eq!(document["valid"], false);
        assert_eq!(document["violations"][0]["line"], 1);
        assert_eq!(document["violations"][0]["hint"], "did you mean `stack`?");
    }

    #[test]
    fn summary_names_network_and_size() {
        let loaded = read(None, &Overrides::none().flag("network.cidr", "--set", "10.20.0.0/16")).unwrap();
        let text = summary(None, &loaded, 25_000);
        assert!(text.contains("a new VPC, 10.20.0.0/16"), "{text}");
        assert!(text.contains("25000 of 51200 bytes"), "{text}");
    }
}
