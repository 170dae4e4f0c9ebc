//! Making an image known that was built elsewhere: the lab builds none, and its instances have no disks.

use super::Ec2;
use super::catalog::image;
use super::objects::Kind;
use crate::api::{ApiError, ApiResult, only, required};
use crate::server::Routes;
use serde_json::{Value, json};
use std::sync::Arc;

/// Adds `POST /_mqaws/images` with `{"image": ID, "name": NAME, "tags": {…}}`, for the administrator.
pub(super) fn add_routes(routes: &mut Routes, ec2: &Arc<Ec2>) {
    let ec2 = ec2.clone();
    routes.on("POST", "/_mqaws/images", move |_, request| {
        let ec2 = ec2.clone();
        async move { add(&ec2, &request.body) }
    });
}

/// Adds an image by the id that it has elsewhere. Instances of it are what those of the seeded image are: hosts of the lab
/// with the agent and the stand-in.
///
/// # Errors
/// `InvalidAMIID.Malformed`; `InvalidAMIID.Duplicate` for one that is there.
fn add(ec2: &Ec2, body: &Value) -> ApiResult {
    only(body, &["image", "name", "tags"])?;
    let (id, name) = (required(body, "image")?, required(body, "name")?);
    let digits = id.strip_prefix("ami-").unwrap_or_default();
    if !matches!(digits.len(), 8 | 17) || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(ApiError::new(
            "InvalidAMIID.Malformed",
            format!("Invalid id: \"{id}\" (expecting \"ami-...\")"),
        ));
    }
    let mut state = ec2.state();
    if state.objects.get(Kind::Image, &id).is_ok() {
        return Err(ApiError::new(
            "InvalidAMIID.Duplicate",
            format!("The image id '{id}' already exists"),
        ));
    }
    let mut made = image(
        &id,
        &name,
        "built elsewhere; here a host of the local cloud: agent and stand-in queue manager, no IBM MQ",
    );
    for (key, value) in body["tags"].as_object().into_iter().flatten() {
        made.tags
            .insert(key.clone(), value.as_str().unwrap_or_default().to_owned());
    }
    state.objects.insert(&id, made);
    Ok(json!({"image": id}))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{Caller, Cloud};

    #[tokio::test]
    async fn an_image_from_elsewhere_is_known_with_its_tags_and_only_once() {
        let ec2 = Ec2::new("eu-west-1");
        let cloud = Cloud::new("eu-west-1");
        cloud.add("ec2", ec2.clone());
        let body = json!({"image": "ami-0123456789abcdef0", "name": "mqaws-x", "tags": {"mqaws:image": "ibm-mq"}});
        add(&ec2, &body).expect("added");
        let filter = json!({"Owner": ["self"], "Filter": [{"Name": "tag-key", "Value": ["mqaws:image"]}]});
        let shown = cloud
            .call("ec2", "DescribeImages", filter, Caller::Admin)
            .await
            .expect("shown");
        // With the one that deployments start.
        let ids = shown["imagesSet"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|image| &image["imageId"]);
        assert_eq!(
            ids.collect::<Vec<_>>(),
            ["ami-0aa55ed1ab0000001", "ami-0123456789abcdef0"]
        );
        for (body, code) in [
            (body, "InvalidAMIID.Duplicate"),
            (json!({"image": "ami-1", "name": "x"}), "InvalidAMIID.Malformed"),
            (json!({"image": "ami-0123456789abcdef1"}), "MissingParameter"),
            (
                json!({"image": "ami-0123456789abcdef1", "name": "x", "disk": 1}),
                "UnknownParameter",
            ),
        ] {
            assert_eq!(add(&ec2, &body).expect_err("refused").code, code, "{body}");
        }
    }
}
