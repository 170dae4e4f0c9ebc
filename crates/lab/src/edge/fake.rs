//! A scripted EC2 for the tests of load balancers and file systems.

use crate::api::{ApiError, ApiResult, Call, Cloud, Service, texts, unknown_action};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

/// Two subnets `subnet-a` and `subnet-b` in zones a and b of `vpc-1`, group `sg-1`, and the instances one adds, all with the profile `p`.
#[derive(Default)]
pub(crate) struct FakeEc2 {
    instances: Mutex<BTreeMap<String, (String, String, String)>>,
    pub(crate) failing: Mutex<bool>,
}

impl FakeEc2 {
    /// A cloud with this EC2.
    pub(crate) fn cloud() -> (Arc<Cloud>, Arc<Self>) {
        let cloud = Cloud::new("eu-west-1");
        let ec2 = Arc::new(Self::default());
        cloud.add("ec2", ec2.clone());
        (cloud, ec2)
    }

    /// Adds or changes an instance: id, address, zone letter, state.
    pub(crate) fn set(&self, id: &str, address: &str, zone: &str, state: &str) {
        let facts = (address.to_owned(), format!("eu-west-1{zone}"), state.to_owned());
        self.instances.lock().unwrap().insert(id.to_owned(), facts);
    }

    fn answer(&self, call: &Call) -> ApiResult {
        if *self.failing.lock().unwrap() {
            return Err(ApiError::new("InternalError", "An internal error has occurred").status(500));
        }
        match call.action.as_str() {
            "DescribeInstances" => {
                let instances = self.instances.lock().unwrap();
                let mut found = Vec::new();
                for id in texts(&call.params, "InstanceId") {
                    let Some((address, zone, state)) = instances.get(&id) else {
                        return Err(ApiError::new(
                            "InvalidInstanceID.NotFound",
                            format!("The instance ID '{id}' does not exist"),
                        ));
                    };
                    found.push(json!({
                        "instanceId": id, "vpcId": "vpc-1", "privateIpAddress": address,
                        "placement": { "availabilityZone": zone }, "instanceState": { "name": state },
                        "iamInstanceProfile": { "arn": "arn:aws:iam::000000000000:instance-profile/p" },
                    }));
                }
                Ok(json!({ "reservationSet": [{ "instancesSet": found }] }))
            }
            "DescribeSubnets" => {
                let found: Vec<Value> = texts(&call.params, "SubnetId")
                    .iter()
                    .filter_map(|id| {
                        let (zone, vpc, net) = match id.as_str() {
                            "subnet-a" => ("a", "vpc-1", 1),
                            "subnet-a2" => ("a", "vpc-1", 3),
                            "subnet-b" => ("b", "vpc-1", 2),
                            "subnet-other" => ("b", "vpc-2", 4),
                            _ => return None,
                        };
                        Some(json!({
                            "subnetId": id, "vpcId": vpc, "availabilityZone": format!("eu-west-1{zone}"),
                            "availabilityZoneId": format!("euw1-az{}", if zone == "a" { 1 } else { 2 }),
                            "cidrBlock": format!("10.0.{net}.0/24"),
                        }))
                    })
                    .collect();
                Ok(json!({ "subnetSet": found }))
            }
            "DescribeVpcs" => Ok(json!({ "vpcSet": [{ "vpcId": "vpc-1" }, { "vpcId": "vpc-2" }] })),
            "DescribeSecurityGroups" => Ok(json!({ "securityGroupInfo": [{ "groupId": "sg-1", "vpcId": "vpc-1" }] })),
            _ => Err(unknown_action(call)),
        }
    }
}

impl Service for FakeEc2 {
    fn call(self: Arc<Self>, _: Arc<Cloud>, call: Call) -> Pin<Box<dyn Future<Output = ApiResult> + Send>> {
        Box::pin(async move { self.answer(&call) })
    }
}
