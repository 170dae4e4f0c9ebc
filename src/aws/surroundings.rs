//! Networks, zones and parameters: what a deployment's defaults come from.

use super::clients::Clients;
use super::sdk_error::wrap;
use crate::cloud::AwsError;
use crate::deploy::ports::{Image, Subnet, Surroundings};
use crate::render::packer::tags::ENGINE_VERSION;
use aws_sdk_ec2 as ec2;
use aws_sdk_ssm as ssm;
use ec2::types::{Filter, LocationType};

impl Surroundings for Clients {
    async fn default_vpc(&self) -> Result<Option<String>, AwsError> {
        let call = ec2::Client::new(self.config())
            .describe_vpcs()
            .filters(filter("is-default", "true"));
        let answer = wrap("ec2:DescribeVpcs", call.send().await).map_err(|e| e.at(self.endpoint(), self.region()))?;
        Ok(answer.vpcs().first().and_then(|v| v.vpc_id()).map(str::to_owned))
    }

    async fn subnets(&self, vpc: &str) -> Result<Vec<Subnet>, AwsError> {
        let call = ec2::Client::new(self.config())
            .describe_subnets()
            .filters(filter("vpc-id", vpc));
        let answer = wrap("ec2:DescribeSubnets", call.send().await)?;
        Ok(answer.subnets().iter().filter_map(subnet).collect())
    }

    async fn subnets_by_id(&self, ids: &[String]) -> Result<Vec<Subnet>, AwsError> {
        let call = ec2::Client::new(self.config())
            .describe_subnets()
            .set_subnet_ids(Some(ids.to_vec()));
        let answer = wrap("ec2:DescribeSubnets", call.send().await)?;
        Ok(answer.subnets().iter().filter_map(subnet).collect())
    }

    async fn zones(&self) -> Result<Vec<String>, AwsError> {
        // Local zones and Wavelength zones have neither EFS nor network load balancers.
        let call = ec2::Client::new(self.config())
            .describe_availability_zones()
            .filters(filter("state", "available"))
            .filters(filter("zone-type", "availability-zone"));
        let answer = wrap("ec2:DescribeAvailabilityZones", call.send().await)?;
        let mut zones: Vec<String> = answer
            .availability_zones()
            .iter()
            .filter_map(|z| z.zone_name().map(str::to_owned))
            .collect();
        zones.sort();
        Ok(zones)
    }

    async fn offered_in(&self, instance_type: &str) -> Result<Vec<String>, AwsError> {
        let pages = ec2::Client::new(self.config())
            .describe_instance_type_offerings()
            .location_type(LocationType::AvailabilityZone)
            .filters(filter("instance-type", instance_type))
            .into_paginator()
            .items()
            .send();
        let offerings: Vec<_> = wrap("ec2:DescribeInstanceTypeOfferings", pages.collect().await)?;
        let mut zones: Vec<String> = offerings
            .iter()
            .filter_map(|offering| offering.location().map(str::to_owned))
            .collect();
        zones.sort();
        Ok(zones)
    }

    async fn image(&self, image: &str) -> Result<Image, AwsError> {
        let call = ec2::Client::new(self.config()).describe_images().image_ids(image);
        let answer = wrap("ec2:DescribeImages", call.send().await)?;
        let found = answer.images().first();
        let mut tags = found.into_iter().flat_map(|image| image.tags());
        Ok(Image {
            root_device: found.and_then(|image| image.root_device_name()).map(str::to_owned),
            engine_version: tags
                .find(|tag| tag.key() == Some(ENGINE_VERSION))
                .and_then(|tag| tag.value())
                .map(str::to_owned),
        })
    }

    async fn parameter(&self, name: &str) -> Result<Option<String>, AwsError> {
        let call = ssm::Client::new(self.config()).get_parameter().name(name);
        match wrap("ssm:GetParameter", call.send().await) {
            Err(error) if error.is_not_found() => Ok(None),
            other => Ok(other?.parameter().and_then(|p| p.value()).map(str::to_owned)),
        }
    }
}

fn filter(name: &str, value: &str) -> Filter {
    Filter::builder().name(name).values(value).build()
}

fn subnet(subnet: &ec2::types::Subnet) -> Option<Subnet> {
    Some(Subnet {
        id: subnet.subnet_id()?.to_owned(),
        vpc: subnet.vpc_id()?.to_owned(),
        zone: subnet.availability_zone()?.to_owned(),
        default: subnet.default_for_az().unwrap_or(false),
    })
}
