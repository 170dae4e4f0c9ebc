//! The source image, looked up before anything is launched.

use crate::aws::Clients;
use crate::cli::Failure;
use crate::deploy::ports::Surroundings;
use crate::model::SourceImage;
use crate::model::config::{ConfigError, Loaded};
use crate::render::packer::Rendering;

/// Looks the source image up: it must exist, and its root device must be the one that the template names, else the image
/// would have a second volume, and the first one the wrong size. A Packer that looks up no parameter is given the id.
///
/// # Errors
/// [`ConfigError`] with the place in the configuration, and those of AWS.
pub(super) async fn settle(clients: &Clients, loaded: &mut Loaded, rendering: Rendering) -> Result<(), Failure> {
    let wanted = loaded.deployment.image.source();
    let region = clients.region().to_owned();
    let refuse = |loaded: &Loaded, key: &str, what: String, hint: String| -> Failure {
        ConfigError::from(loaded.violation(key, what).hint(hint)).into()
    };
    let source = match &wanted {
        SourceImage::Parameter(parameter) => {
            let named = clients
                .parameter(parameter.as_str())
                .await?
                .and_then(|id| id.parse().ok());
            let Some(id) = named else {
                let what = format!("parameter {parameter} does not refer to an image in {region}");
                let hint = "specify a parameter that does, an image ID, or a filter".to_owned();
                return Err(refuse(loaded, "image.source", what, hint));
            };
            SourceImage::Ami(id)
        }
        other => other.clone(),
    };
    let Some((id, device)) = clients.source_image(&source).await? else {
        let what = format!("no image in {region} matches {wanted}");
        let hint = "specify a different image: an image ID, ssm:/NAME, or filter:OWNER/NAME".to_owned();
        return Err(refuse(loaded, "image.source", what, hint));
    };
    let named = loaded.deployment.image.root_device();
    if let Some(device) = device.filter(|device| *device != named.as_str()) {
        let what = format!("the root device of the source image {id} is {device}, not {named}");
        return Err(refuse(
            loaded,
            "image.root_device",
            what,
            format!("set `image.root_device: {device}`"),
        ));
    }
    if rendering == Rendering::Packer16 {
        loaded.deployment.image.source = Some(source);
    }
    Ok(())
}
