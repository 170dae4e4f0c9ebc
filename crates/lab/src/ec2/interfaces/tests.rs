//! Interfaces as records, and the launches that name them. How a group launches with one is told with the groups.

use super::super::catalog::SEEDED_IMAGE;
use super::super::templates;
use super::*;
use crate::api::{Caller, Cloud};
use crate::ec2::Ec2;

const OCTET: u8 = 76;

fn subnet(state: &State, letter: char) -> String {
    let mut subnets = state.objects.of_kind(Kind::Subnet);
    let found = subnets.find(|(_, o)| o.text("availabilityZone").ends_with(letter));
    found.expect("a subnet in each zone").0.clone()
}

fn made(state: &mut State, more: Value) -> Result<Value, ApiError> {
    let mut params = json!({"SubnetId": subnet(state, 'b')});
    for (key, value) in more.as_object().into_iter().flatten() {
        params[key] = value.clone();
    }
    create(state, OCTET, &params).map(|answer| answer["networkInterface"].clone())
}

#[test]
fn an_interface_has_an_address_of_its_zone_that_nothing_else_gets() {
    let mut state = State::new("eu-west-1");
    let first = made(
        &mut state,
        json!({"PrivateIpAddress": "127.76.11.5", "Description": "one"}),
    )
    .expect("made");
    assert_eq!(
        (&first["status"], &first["availabilityZone"], &first["privateIpAddress"]),
        (&json!("available"), &json!("eu-west-1b"), &json!("127.76.11.5"))
    );
    assert_eq!(first["groupSet"][0]["groupName"], "default");
    let second = made(&mut state, json!({})).expect("made");
    let third = made(&mut state, json!({})).expect("made");
    assert_eq!(second["privateIpAddress"], "127.76.11.4");
    assert_eq!(third["privateIpAddress"], "127.76.11.6", "not the one that is taken");
    for (more, code) in [
        (json!({"PrivateIpAddress": "127.76.11.5"}), "InvalidIPAddress.InUse"),
        (json!({"PrivateIpAddress": "127.76.10.5"}), "InvalidParameterValue"),
        (json!({"PrivateIpAddress": "127.76.11.250"}), "InvalidParameterValue"),
        (json!({"PrivateIpAddress": "172.31.16.5"}), "InvalidParameterValue"),
        (json!({"SubnetId": "subnet-0"}), "InvalidSubnetID.NotFound"),
        (json!({"SecurityGroupId": ["sg-0"]}), "InvalidGroup.NotFound"),
        (json!({"InterfaceType": "efa"}), "UnsupportedOperation"),
        (json!({"SecondaryPrivateIpAddressCount": 1}), "UnknownParameter"),
    ] {
        assert_eq!(
            made(&mut state, more.clone()).expect_err("refused").code,
            code,
            "{more}"
        );
    }
    let id = first["networkInterfaceId"].clone();
    delete(&mut state.objects, &json!({"NetworkInterfaceId": id})).expect("deleted");
    let gone = describe(&state, &json!({"NetworkInterfaceId": [id]})).expect_err("gone");
    assert_eq!(gone.code, "InvalidNetworkInterfaceID.NotFound");
    assert_eq!(
        zone_of("eu-west-1", OCTET, Ipv4Addr::new(127, 76, 12, 4)).as_deref(),
        Some("eu-west-1c")
    );
    for other in [[127, 77, 10, 4], [127, 76, 1, 4], [127, 76, 13, 4], [10, 76, 10, 4]] {
        assert_eq!(zone_of("eu-west-1", OCTET, other.into()), None, "{other:?}");
    }
}

#[test]
fn attributes_change_one_at_a_time() {
    let mut state = State::new("eu-west-1");
    let id = made(&mut state, json!({})).expect("made")["networkInterfaceId"].clone();
    let vpc = state.shown(Kind::Vpc)[0]["vpcId"].clone();
    let group = json!({"GroupName": "g", "GroupDescription": "g", "VpcId": vpc});
    let group = super::super::groups::create(&mut state.objects, &group).expect("a group")["groupId"].clone();
    for (more, member, expected) in [
        (json!({"Description": {"Value": "d"}}), "description", json!("d")),
        (
            json!({"SourceDestCheck": {"Value": "false"}}),
            "sourceDestCheck",
            json!(false),
        ),
        (
            json!({"SecurityGroupId": [group]}),
            "groupSet",
            json!([{"groupId": group, "groupName": "g"}]),
        ),
    ] {
        let mut params = more.clone();
        params["NetworkInterfaceId"] = id.clone();
        modify(&mut state, &params).expect("modified");
        assert_eq!(state.shown(Kind::NetworkInterface)[0][member], expected, "{more}");
    }
    let both = json!({"NetworkInterfaceId": id, "Description": {"Value": "d"}, "SourceDestCheck": {"Value": true}});
    assert_eq!(
        modify(&mut state, &both).expect_err("two").code,
        "InvalidParameterCombination"
    );
    let places = places(&state);
    assert!(
        places
            .iter()
            .any(|(_, groups)| groups == &[group.as_str().expect("an id")]),
        "{places:?}"
    );
}

#[test]
fn a_launch_names_an_interface_alone_and_as_the_primary_one() {
    let mut state = State::new("eu-west-1");
    let id = made(&mut state, json!({})).expect("made")["networkInterfaceId"].clone();
    let alone = json!({"NetworkInterfaceId": id, "DeviceIndex": "0"});
    for (wanted, more, code) in [
        (
            json!({"SubnetId": "subnet-1"}),
            json!({}),
            "InvalidParameterCombination",
        ),
        (
            json!({"SecurityGroupId": ["sg-1"]}),
            json!({}),
            "InvalidParameterCombination",
        ),
        (json!({"MaxCount": "2"}), json!({}), "InvalidParameterCombination"),
        (
            json!({"Placement": {"AvailabilityZone": "eu-west-1a"}}),
            json!({}),
            "InvalidParameterValue",
        ),
        (
            json!({}),
            json!({"SubnetId": "subnet-1"}),
            "InvalidParameterCombination",
        ),
        (json!({}), json!({"Groups": ["sg-1"]}), "InvalidParameterCombination"),
        (
            json!({}),
            json!({"DeleteOnTermination": true}),
            "InvalidParameterCombination",
        ),
        (json!({}), json!({"DeviceIndex": 1}), "InvalidParameterValue"),
        (
            json!({}),
            json!({"NetworkInterfaceId": "eni-0"}),
            "InvalidNetworkInterfaceID.NotFound",
        ),
    ] {
        let mut interface = alone.clone();
        for (key, value) in more.as_object().into_iter().flatten() {
            interface[key] = value.clone();
        }
        let refused = named(&state.objects, &wanted, &interface).err().map(|e| e.code);
        assert_eq!(refused.as_deref(), Some(code), "{wanted} {more}");
    }
    let there = json!({"Placement": {"AvailabilityZone": "eu-west-1b"}, "MaxCount": "1"});
    assert!(named(&state.objects, &there, &alone).expect("fits").is_some());
    take(&mut state.objects, id.as_str().expect("an id"), "i-1", "now");
    let busy = named(&state.objects, &there, &alone).err().expect("taken");
    assert_eq!(
        (busy.code.as_str(), busy.message),
        (
            "InvalidNetworkInterface.InUse",
            format!("Interface: [{}] in use.", id.as_str().expect("an id"))
        )
    );
    let refused = delete(&mut state.objects, &json!({"NetworkInterfaceId": id})).expect_err("in use");
    assert_eq!(refused.code, "InvalidParameterValue");
    release(&mut state, "i-1");
    assert!(named(&state.objects, &there, &alone).expect("free again").is_some());
    let data = json!({"LaunchTemplateName": "own", "LaunchTemplateData": {"NetworkInterface": [alone]}});
    templates::create(&mut state, &data).expect("templates may name one");
}

#[tokio::test]
async fn an_instance_with_a_kept_interface_has_its_address_and_says_so() {
    let cloud = Cloud::new("eu-west-1");
    cloud.add("ec2", Ec2::new("eu-west-1"));
    let call = async |action: &str, params: Value| cloud.call("ec2", action, params, Caller::Admin).await;
    let subnets = call("DescribeSubnets", json!({})).await.expect("shown");
    let subnet = &subnets["subnetSet"][2]["subnetId"];
    let made = call(
        "CreateNetworkInterface",
        json!({"SubnetId": subnet, "PrivateIpAddress": "127.76.12.99"}),
    );
    let id = made.await.expect("made")["networkInterface"]["networkInterfaceId"].clone();
    let run = json!({
        "ImageId": SEEDED_IMAGE, "InstanceType": "m6i.large", "MinCount": 1, "MaxCount": 1,
        "NetworkInterface": [{"NetworkInterfaceId": id, "DeviceIndex": 0}],
    });
    let started = call("RunInstances", run.clone()).await.expect("started");
    let instance = &started["instancesSet"][0];
    assert_eq!(
        (&instance["privateIpAddress"], &instance["subnetId"]),
        (&json!("127.76.12.99"), subnet)
    );
    let own = &instance["networkInterfaceSet"][0];
    assert_eq!(
        (&own["networkInterfaceId"], &own["attachment"]["deleteOnTermination"]),
        (&id, &json!(false))
    );
    let by_instance = json!({"Filter": [{"Name": "attachment.instance-id", "Value": [instance["instanceId"]]}]});
    let seen = call("DescribeNetworkInterfaces", by_instance).await.expect("shown");
    let seen = seen["networkInterfaceSet"].as_array().cloned().unwrap_or_default();
    assert_eq!(seen.len(), 1, "{seen:?}");
    assert_eq!(
        (&seen[0]["status"], &seen[0]["attachment"]["deviceIndex"]),
        (&json!("in-use"), &json!(0))
    );
    let again = call("RunInstances", run).await.expect_err("one instance at a time");
    assert_eq!(again.code, "InvalidNetworkInterface.InUse");
}
