//! The verb `render`: the template, offline and in milliseconds.

use super::settings::{Settings, load};
use super::{Context, Outcome};
use crate::model::Deployment;
use crate::remedy::ExitKind;
use crate::render::{self, RenderError, Resolved};
use clap::ValueEnum;
use serde_json::{Value, json};

/// Arguments of `render`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  mqaws render > template.yaml               the template for CloudFormation\n  mqaws render --format json --queue-manager ORDERS\n  mqaws render --output json | jq .parameters\n\nDoes not access an AWS account: values that depend on the account (default VPC, zones, image) remain parameters without a default."
)]
pub struct Args {
    /// Configuration beside the file.
    #[command(flatten)]
    pub settings: Settings,
    /// Format of the template
    #[arg(long, value_enum, default_value_t, value_name = "FORM")]
    pub format: Form,
}

/// Format of the template.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Form {
    /// YAML with short tags such as !Ref
    #[default]
    Yaml,
    /// JSON
    Json,
}

/// Runs the verb.
///
/// # Errors
/// A configuration that breaks a rule; [`RenderError`].
pub fn run(context: &Context, args: Args) -> Outcome {
    let deployment = load(context, &args.settings)?.deployable()?.deployment;
    if context.output().is_json() {
        context.output().document(&document(&deployment, args.format)?);
    } else {
        context.output().raw(&text(&deployment, args.format)?);
    }
    Ok(ExitKind::Success)
}

/// The template as text.
///
/// # Errors
/// [`RenderError`].
pub fn text(deployment: &Deployment, form: Form) -> Result<String, RenderError> {
    match form {
        Form::Yaml => render::body(deployment),
        Form::Json => Ok(render::template(deployment)?.to_json()?),
    }
}

/// Template, parameters as far as the deployment knows them, and stack tags in one document, schema `mqaws.render/1`.
///
/// # Errors
/// [`RenderError`].
pub fn document(deployment: &Deployment, form: Form) -> Result<Value, RenderError> {
    Ok(json!({
        "schema": "mqaws.render/1",
        "stack": deployment.stack,
        "template": text(deployment, form)?,
        "parameters": render::known_parameters(deployment, &Resolved::default()),
        "tags": render::stack_tags(deployment),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::Template;

    #[test]
    fn both_forms_are_one_template() {
        let deployment = Deployment::default();
        let yaml = Template::from_yaml(&text(&deployment, Form::Yaml).unwrap()).unwrap();
        let json = Template::from_json(&text(&deployment, Form::Json).unwrap()).unwrap();
        assert_eq!(yaml, json);
    }

    #[test]
    fn document_holds_only_parameters_that_are_known() {
        let document = document(&Deployment::default(), Form::Yaml).unwrap();
        assert_eq!(document["schema"], "mqaws.render/1");
        assert_eq!(document["parameters"]["QueueManagerName"], "QM1");
        assert!(document["parameters"].get("AMI").is_none());
        assert_eq!(document["tags"]["mqaws:stack"], "mqaws-qm1");
    }
}
