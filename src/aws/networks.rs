//! The networks of a region, for `init`.

use super::clients::Clients;
use super::sdk_error::wrap;
use crate::cloud::AwsError;
use aws_sdk_ec2 as ec2;

/// A VPC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vpc {
    /// Id.
    pub id: String,
    /// Value of the tag `Name`, or nothing.
    pub name: String,
    /// Address range.
    pub cidr: String,
    /// Whether it is the region's default VPC.
    pub default: bool,
    /// Its subnets.
    pub subnets: Vec<VpcSubnet>,
}

/// A subnet of a VPC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VpcSubnet {
    /// Id.
    pub id: String,
    /// Value of the tag `Name`, or nothing.
    pub name: String,
    /// Availability zone.
    pub zone: String,
    /// Address range.
    pub cidr: String,
}

impl Clients {
    /// The region's VPCs with their subnets, the default VPC first.
    ///
    /// # Errors
    /// Any [`AwsError`].
    pub async fn vpcs(&self) -> Result<Vec<Vpc>, AwsError> {
        let client = ec2::Client::new(self.config());
        let vpcs = wrap("ec2:DescribeVpcs", client.describe_vpcs().send().await)
            .map_err(|e| e.at(self.endpoint(), self.region()))?;
        let subnets = wrap("ec2:DescribeSubnets", client.describe_subnets().send().await)?;
        let mut found: Vec<Vpc> = vpcs
            .vpcs()
            .iter()
            .filter_map(|vpc| {
                let id = vpc.vpc_id()?;
                let own = subnets.subnets().iter().filter(|subnet| subnet.vpc_id() == Some(id));
                Some(Vpc {
                    id: id.to_owned(),
                    name: name(vpc.tags()),
                    cidr: vpc.cidr_block().unwrap_or_default().to_owned(),
                    default: vpc.is_default().unwrap_or(false),
                    subnets: own.filter_map(subnet).collect(),
                })
            })
            .collect();
        found.sort_by(|a, b| (!a.default, &a.id).cmp(&(!b.default, &b.id)));
        Ok(found)
    }
}

fn subnet(subnet: &ec2::types::Subnet) -> Option<VpcSubnet> {
    Some(VpcSubnet {
        id: subnet.subnet_id()?.to_owned(),
        name: name(subnet.tags()),
        zone: subnet.availability_zone()?.to_owned(),
        cidr: subnet.cidr_block().unwrap_or_default().to_owned(),
    })
}

fn name(tags: &[ec2::types::Tag]) -> String {
    let tag = tags.iter().find(|tag| tag.key() == Some("Name"));
    tag.and_then(|tag| tag.value()).unwrap_or_default().to_owned()
}
