//! Images, what uses them, and what a build leaves.

use super::clients::Clients;
use super::sdk_error::wrap;
use super::stacks::none_is_fine;
use crate::cloud::AwsError;
use crate::deploy::ports::Surroundings;
use crate::image::Temporary;
use crate::image::ports::{Images, Left, OwnImage, Use, Uses};
use crate::model::{AmiId, SnapshotId, SourceImage};
use crate::render::packer::tags;
use aws_sdk_autoscaling as autoscaling;
use aws_sdk_ec2 as ec2;
use aws_sdk_ssm as ssm;
use ec2::types::{Filter, ImageAttributeName};
use std::collections::BTreeSet;

/// Pages of one listing; an account with more launch templates or images than 200 pages hold is not one that this can judge.
const MOST_PAGES: usize = 200;
/// Ids in one filter; EC2 takes 200 values.
const VALUES: usize = 200;

/// Takes pages until there is no further one.
macro_rules! pages {
    ($action:literal, $call:expr, $take:expr) => {{
        let mut token: Option<String> = None;
        let mut count = 0;
        loop {
            let page = wrap($action, $call.set_next_token(token.take()).send().await)?;
            #[allow(clippy::redundant_closure_call)]
            ($take)(&page);
            token = page.next_token().filter(|t| !t.is_empty()).map(str::to_owned);
            count += 1;
            match token {
                None => break,
                Some(_) if count < MOST_PAGES => {}
                Some(_) => return Err(AwsError::unreadable($action, "last page")),
            }
        }
    }};
}

impl Clients {
    /// Id and root device of the image that an image is made from, as Packer finds it: of several the newest; `None` when there
    /// is none, and for a parameter, which has to be read first.
    ///
    /// # Errors
    /// [`AwsError`].
    pub async fn source_image(&self, source: &SourceImage) -> Result<Option<(String, Option<String>)>, AwsError> {
        let call = self.ec2().describe_images();
        let call = match source {
            SourceImage::Ami(id) => call.image_ids(id.as_str()),
            SourceImage::Parameter(_) => return Ok(None),
            SourceImage::Filter { owner, name } => ["name", "virtualization-type", "root-device-type"]
                .into_iter()
                .zip([name.as_str(), "hvm", "ebs"])
                .fold(call.owners(owner.as_str()), |call, (filter, value)| {
                    call.filters(Filter::builder().name(filter).values(value).build())
                }),
        };
        let answer = match wrap("ec2:DescribeImages", call.send().await) {
            Err(error) if error.is_not_found() => return Ok(None),
            other => other?,
        };
        let newest = answer.images().iter().max_by_key(|image| image.creation_date());
        Ok(newest.and_then(|image| {
            let device = image.root_device_name().map(str::to_owned);
            Some((image.image_id()?.to_owned(), device))
        }))
    }

    pub(super) fn ec2(&self) -> ec2::Client {
        ec2::Client::new(self.config())
    }

    async fn instances_of(&self, images: &[String], uses: &mut Uses) -> Result<(), AwsError> {
        for some in images.chunks(VALUES) {
            let filter = Filter::builder()
                .name("image-id")
                .set_values(Some(some.to_vec()))
                .build();
            pages!(
                "ec2:DescribeInstances",
                self.ec2().describe_instances().filters(filter.clone()),
                |page: &ec2::operation::describe_instances::DescribeInstancesOutput| {
                    for instance in page.reservations().iter().flat_map(|r| r.instances()) {
                        if let (Some(id), Some(image), false) = (
                            instance.instance_id(),
                            instance.image_id(),
                            is_in(instance, &["terminated"]),
                        ) {
                            add(uses, image, Use::Instance(id.to_owned()));
                        }
                    }
                }
            );
        }
        Ok(())
    }

    /// Every version of every launch template; one may name its image by a parameter.
    async fn templates_with(&self, images: &BTreeSet<&str>, uses: &mut Uses) -> Result<(), AwsError> {
        let mut templates = Vec::new();
        pages!(
            "ec2:DescribeLaunchTemplates",
            self.ec2().describe_launch_templates(),
            |page: &ec2::operation::describe_launch_templates::DescribeLaunchTemplatesOutput| {
                templates.extend(
                    page.launch_templates()
                        .iter()
                        .filter_map(|t| t.launch_template_id().map(str::to_owned)),
                );
            }
        );
        for template in templates {
            let mut versions = Vec::new();
            pages!(
                "ec2:DescribeLaunchTemplateVersions",
                self.ec2()
                    .describe_launch_template_versions()
                    .launch_template_id(&template),
                |page: &ec2::operation::describe_launch_template_versions::DescribeLaunchTemplateVersionsOutput| {
                    for version in page.launch_template_versions() {
                        let image = version.launch_template_data().and_then(|data| data.image_id());
                        versions.extend(
                            image.map(|image| (version.version_number().unwrap_or_default(), image.to_owned())),
                        );
                    }
                }
            );
            for (number, named) in versions {
                let image = match named.strip_prefix("resolve:ssm:") {
                    Some(parameter) => self.parameter(parameter).await?,
                    None => Some(named),
                };
                if let Some(image) = image.filter(|image| images.contains(image.as_str())) {
                    add(
                        uses,
                        &image,
                        Use::LaunchTemplate(format!("{template} version {number}")),
                    );
                }
            }
        }
        Ok(())
    }

    async fn configurations_with(&self, images: &BTreeSet<&str>, uses: &mut Uses) -> Result<(), AwsError> {
        let client = autoscaling::Client::new(self.config());
        pages!(
            "autoscaling:DescribeLaunchConfigurations",
            client.describe_launch_configurations(),
            |page: &autoscaling::operation::describe_launch_configurations::DescribeLaunchConfigurationsOutput| {
                for configuration in page.launch_configurations() {
                    let name = configuration.launch_configuration_name().unwrap_or_default();
                    if let Some(image) = configuration.image_id().filter(|image| images.contains(image)) {
                        add(uses, image, Use::LaunchConfiguration(name.to_owned()));
                    }
                }
            }
        );
        Ok(())
    }

    async fn shares_of(&self, image: &str, uses: &mut Uses) -> Result<(), AwsError> {
        let call = self.ec2().describe_image_attribute().image_id(image);
        let call = call.attribute(ImageAttributeName::LaunchPermission);
        let answer = match wrap("ec2:DescribeImageAttribute", call.send().await) {
            Err(error) if error.is_not_found() => return Ok(()),
            other => other?,
        };
        for permission in answer.launch_permissions() {
            let with = permission.user_id().map(|id| format!("account {id}"));
            let with = with
                .or_else(|| permission.organization_arn().map(str::to_owned))
                .or_else(|| permission.organizational_unit_arn().map(str::to_owned))
                .or_else(|| permission.group().map(|group| format!("group {}", group.as_str())));
            add(uses, image, Use::Shared(with.unwrap_or_else(|| "others".to_owned())));
        }
        Ok(())
    }

    async fn described(
        &self,
        call: ec2::operation::describe_images::builders::DescribeImagesFluentBuilder,
    ) -> Result<Vec<OwnImage>, AwsError> {
        let mut images = Vec::new();
        pages!(
            "ec2:DescribeImages",
            call.clone(),
            |page: &ec2::operation::describe_images::DescribeImagesOutput| {
                images.extend(page.images().iter().filter_map(image));
            }
        );
        Ok(images)
    }
}

impl Images for Clients {
    async fn image(&self, id: &str) -> Result<Option<OwnImage>, AwsError> {
        let call = self.ec2().describe_images().image_ids(id).owners("self");
        match self.described(call).await {
            Err(error) if error.is_not_found() => Ok(None),
            other => Ok(other?.into_iter().next()),
        }
    }

    async fn own_images(&self) -> Result<Vec<OwnImage>, AwsError> {
        let call = self.ec2().describe_images().owners("self");
        let call = call.include_deprecated(true).include_disabled(true);
        self.described(call.filters(filter("tag-key", tags::IMAGE))).await
    }

    async fn own_snapshots(&self, ids: &[String]) -> Result<BTreeSet<String>, AwsError> {
        let mut own = BTreeSet::new();
        for some in ids.chunks(VALUES) {
            let named = Filter::builder()
                .name("snapshot-id")
                .set_values(Some(some.to_vec()))
                .build();
            let call = self.ec2().describe_snapshots().owner_ids("self").filters(named);
            let call = call.filters(filter("tag-key", tags::IMAGE));
            pages!(
                "ec2:DescribeSnapshots",
                call.clone(),
                |page: &ec2::operation::describe_snapshots::DescribeSnapshotsOutput| {
                    own.extend(
                        page.snapshots()
                            .iter()
                            .filter_map(|s| s.snapshot_id().map(str::to_owned)),
                    );
                }
            );
        }
        Ok(own)
    }

    async fn uses(&self, images: &[String]) -> Result<Uses, AwsError> {
        let mut uses = Uses::new();
        let set = images.iter().map(String::as_str).collect();
        self.instances_of(images, &mut uses).await?;
        self.templates_with(&set, &mut uses).await?;
        self.configurations_with(&set, &mut uses).await?;
        for image in images {
            self.shares_of(image, &mut uses).await?;
        }
        Ok(uses)
    }

    async fn image_parameter(&self, name: &str) -> Result<Option<String>, AwsError> {
        self.parameter(name).await
    }

    async fn set_image_parameter(&self, name: &str, image: &str) -> Result<(), AwsError> {
        let call = ssm::Client::new(self.config()).put_parameter();
        let call = call.name(name).value(image).overwrite(true);
        let call = call
            .r#type(ssm::types::ParameterType::String)
            .data_type("aws:ec2:image");
        wrap("ssm:PutParameter", call.send().await).map(drop)
    }

    async fn left_of(&self, run: &str, temporary: &Temporary) -> Result<Left, AwsError> {
        let tag = filter(&format!("tag:{}", tags::BUILD), run);
        let mut left = Left::default();
        pages!(
            "ec2:DescribeInstances",
            self.ec2().describe_instances().filters(tag.clone()),
            |page: &ec2::operation::describe_instances::DescribeInstancesOutput| {
                let instances = page.reservations().iter().flat_map(|r| r.instances());
                let there = instances.filter(|i| !is_in(i, &["terminated", "shutting-down"]));
                left.instances
                    .extend(there.filter_map(|i| i.instance_id().map(str::to_owned)));
            }
        );
        pages!(
            "ec2:DescribeVolumes",
            self.ec2().describe_volumes().filters(tag.clone()),
            |page: &ec2::operation::describe_volumes::DescribeVolumesOutput| {
                // A volume that goes with a listed instance is not told apart from it.
                let goes = |v: &ec2::types::Volume| {
                    v.attachments().iter().any(|a| {
                        let listed = a.instance_id().is_some_and(|id| left.instances.iter().any(|i| i == id));
                        listed && a.delete_on_termination() != Some(false)
                    })
                };
                let there = page.volumes().iter().filter(|v| {
                    !goes(v)
                        && v.state()
                            .is_none_or(|state| !matches!(state.as_str(), "deleting" | "deleted"))
                });
                let there: Vec<String> = there.filter_map(|v| v.volume_id().map(str::to_owned)).collect();
                left.volumes.extend(there);
            }
        );
        let own = || self.ec2().describe_images().owners("self");
        let mut images = self.described(own().filters(tag.clone())).await?;
        if !temporary.images.is_empty() {
            let named = Filter::builder()
                .name("image-id")
                .set_values(Some(temporary.images.clone()));
            let named = self.described(own().filters(named.build())).await?;
            images.extend(named.into_iter().filter(|one| one.tag(tags::BUILD) != Some(run)));
        }
        pages!(
            "ec2:DescribeSnapshots",
            self.ec2().describe_snapshots().owner_ids("self").filters(tag.clone()),
            |page: &ec2::operation::describe_snapshots::DescribeSnapshotsOutput| {
                left.snapshots.extend(
                    page.snapshots()
                        .iter()
                        .filter_map(|s| s.snapshot_id().map(str::to_owned)),
                );
            }
        );
        let of_images = images.iter().flat_map(|image| image.snapshots.iter().cloned());
        left.snapshots.extend(of_images);
        left.snapshots.sort();
        left.snapshots.dedup();
        left.images = images.into_iter().map(|image| image.id).collect();
        if let Some(name) = &temporary.key_pair {
            let call = self.ec2().describe_key_pairs().filters(filter("key-name", name));
            let answer = wrap("ec2:DescribeKeyPairs", call.send().await)?;
            left.key_pairs.extend(
                answer
                    .key_pairs()
                    .iter()
                    .filter_map(|k| k.key_name().map(str::to_owned)),
            );
        }
        if let Some(name) = &temporary.security_group {
            let call = self
                .ec2()
                .describe_security_groups()
                .filters(filter("group-name", name));
            let answer = wrap("ec2:DescribeSecurityGroups", call.send().await)?;
            left.security_groups.extend(
                answer
                    .security_groups()
                    .iter()
                    .filter_map(|g| g.group_id().map(str::to_owned)),
            );
        }
        Ok(left)
    }

    async fn deregister(&self, image: &AmiId) -> Result<(), AwsError> {
        let call = self.ec2().deregister_image().image_id(image.as_str());
        none_is_fine(wrap("ec2:DeregisterImage", call.send().await).map(drop))
    }

    async fn delete_snapshot(&self, snapshot: &SnapshotId) -> Result<(), AwsError> {
        let call = self.ec2().delete_snapshot().snapshot_id(snapshot.as_str());
        none_is_fine(wrap("ec2:DeleteSnapshot", call.send().await).map(drop))
    }
}

fn filter(name: &str, value: &str) -> Filter {
    Filter::builder().name(name).values(value).build()
}

fn add(uses: &mut Uses, image: &str, by: Use) {
    uses.entry(image.to_owned()).or_default().insert(by);
}

fn is_in(instance: &ec2::types::Instance, states: &[&str]) -> bool {
    let state = instance.state().and_then(|state| state.name());
    state.is_some_and(|state| states.contains(&state.as_str()))
}

fn image(image: &ec2::types::Image) -> Option<OwnImage> {
    let tags = image
        .tags()
        .iter()
        .filter_map(|t| Some((t.key()?.to_owned(), t.value()?.to_owned())));
    let snapshots = image
        .block_device_mappings()
        .iter()
        .filter_map(|m| m.ebs()?.snapshot_id());
    Some(OwnImage {
        id: image.image_id()?.to_owned(),
        name: image.name().unwrap_or_default().to_owned(),
        state: image.state().map(|s| s.as_str().to_owned()).unwrap_or_default(),
        created: image.creation_date().and_then(|at| at.parse().ok()),
        tags: tags.collect(),
        snapshots: snapshots.map(str::to_owned).collect(),
        foreign: BTreeSet::new(),
    })
}
