//! The table of partitions against the one that AWS publishes, as botocore has it.

use crate::judge::venv;
use mqaws::model::{Region, TopicArn, ZoneName};
use mqaws_contract::Partition;
use serde_json::Value;
use std::process::Command;

const PUBLISHED: &str =
    "import botocore.session, json; print(json.dumps(botocore.session.Session().get_data('partitions')))";

fn published(test: &str) -> Option<Vec<Value>> {
    let python = venv(test)?.join("bin/python");
    let output = Command::new(python).args(["-c", PUBLISHED]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let mut all: Value = serde_json::from_slice(&output.stdout).unwrap();
    Some(all["partitions"].as_array_mut().unwrap().drain(..).collect())
}

#[test]
fn every_partition_is_known_as_aws_publishes_it() {
    let Some(published) = published("every_partition_is_known_as_aws_publishes_it") else {
        return;
    };
    let mut regions = 0;
    for partition in &published {
        let id = partition["id"].as_str().unwrap();
        let own = Partition::named(id).unwrap_or_else(|| panic!("{id} is missing"));
        assert_eq!(own.dns_suffix, partition["outputs"]["dnsSuffix"], "{id}");
        // `^eusc\-(de)\-\w+\-\d+$` to `eusc-de`; a single group holds the alternatives.
        let regex = partition["regionRegex"].as_str().unwrap().replace('\\', "");
        let heads = regex.strip_prefix('^').and_then(|rest| rest.strip_suffix("-w+-d+$"));
        assert_eq!(heads.unwrap().replace(['(', ')'], ""), own.regions, "{id}");
        for region in partition["regions"].as_object().unwrap().keys() {
            if region.ends_with("-global") {
                continue;
            }
            regions += 1;
            assert!(own.has(region), "{id} has {region}");
            assert!(Region::new(region.as_str()).is_ok(), "{region}");
            assert!(ZoneName::new(format!("{region}a")).is_ok(), "{region}");
            let topic = format!("arn:{id}:sns:{region}:123456789012:t");
            assert!(TopicArn::new(topic.as_str()).is_ok(), "{topic}");
        }
    }
    assert!(regions > 40, "{regions}");
    assert_eq!(published.len(), Partition::ALL.len(), "some are no longer published");
}
