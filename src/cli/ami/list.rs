//! The verb `ami list`: the images of this account that mqaws built.

use super::super::local::Start;
use super::super::plan::place;
use super::super::settings::{self, Settings};
use super::super::words::row;
use super::super::{Context, Outcome};
use super::{contents, document, parameters};
use crate::image::ImageError;
use crate::image::ports::{Images, OwnImage};
use crate::remedy::ExitKind;
use serde_json::json;
use std::collections::BTreeMap;

/// Arguments of `ami list`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  mqaws ami list --region eu-west-1\n  mqaws ami list --output json | jq -r '.images[].id'\n\nLists images with the tag mqaws:image only."
)]
pub(super) struct Args {}

/// Lists them, the newest first, with the parameter that names one.
///
/// # Errors
/// [`ImageError::Aws`].
pub(super) fn run(context: &Context, _: Args) -> Outcome {
    let loaded = settings::load(context, &Settings::default())?;
    let interrupt = context.interrupt()?;
    context.block_on(async {
        let clients = context.clients(&loaded.deployment, Start::Never).await?;
        let identity = interrupt.or(clients.identity()).await?;
        let (images, named) = interrupt.or(read(&clients)).await?;
        let output = context.output();
        if output.is_json() {
            let images = images.iter().map(|image| {
                let mut shown = document(image);
                shown["parameters"] = json!(named.get(&image.id).cloned().unwrap_or_default());
                shown
            });
            output.document(&json!({
                "schema": "mqaws.ami-list/1", "region": clients.region(), "account": identity.account,
                "local": clients.is_local(), "images": images.collect::<Vec<_>>(),
            }));
        }
        if images.is_empty() {
            output.data(format!("no images built by mqaws in {}", place(&clients, &identity)));
            if !clients.is_local() {
                output.say(format!("\n{}", context.next(&["mqaws ami build"])));
            }
            return Ok(ExitKind::Success);
        }
        output.say(format!("mqaws ami list: {}\n", place(&clients, &identity)));
        for image in &images {
            output.data(lines(image, named.get(&image.id).map_or(&[], Vec::as_slice)));
        }
        Ok(ExitKind::Success)
    })
}

type Named = BTreeMap<String, Vec<String>>;

async fn read<C: Images>(cloud: &C) -> Result<(Vec<OwnImage>, Named), ImageError> {
    let mut images = cloud.own_images().await?;
    images.sort_by(|a, b| (b.created, &b.id).cmp(&(a.created, &a.id)));
    let mut named = Named::new();
    for parameter in parameters() {
        if let Some(image) = cloud.image_parameter(&parameter).await? {
            named.entry(image).or_default().push(parameter);
        }
    }
    Ok((images, named))
}

fn lines(image: &OwnImage, parameters: &[String]) -> String {
    let state = match image.is_available() {
        true => String::new(),
        false => format!(", {}", image.state),
    };
    let mut lines = vec![format!("  {:<21}  {}{state}", image.id, contents(image))];
    for parameter in parameters {
        lines.push(format!("  {:<21}  used for deployments: {parameter}", ""));
    }
    lines.push(format!("  {:<21}  {}", "", image.name));
    lines.join("\n")
}

/// A line about one image, below a label.
pub(super) fn about(label: &str, image: &OwnImage, more: &str) -> String {
    row(label, format!("{}  {}{more}", image.id, contents(image)))
}
