//! The mark of a failover test: a tag on the group, `HOLDER until TIME`, renewed as long as the test goes on.

use super::clients::Clients;
use super::sdk_error::wrap;
use crate::cloud::AwsError;
use crate::failover::port::Turn;
use crate::stack::UNDER_TEST_TAG;
use aws_sdk_autoscaling as autoscaling;
use std::time::Duration;

/// How long a mark is good that is not renewed; an earlier version took four hours and did not renew it.
const LASTS: Duration = Duration::from_secs(15 * 60);

/// Between the two parts of the value.
const UNTIL: &str = " until ";

/// Reads the value of the tag.
pub(super) fn read(value: &str) -> Turn {
    let parts = value
        .rsplit_once(UNTIL)
        .and_then(|(holder, until)| Some((holder, until.parse().ok()?)));
    match parts {
        Some((holder, until)) => Turn {
            holder: holder.to_owned(),
            until: Some(until),
        },
        None => Turn {
            holder: value.to_owned(),
            until: None,
        },
    }
}

impl Clients {
    /// The mark on a group, however old.
    pub(super) async fn turn_of(&self, group: &str) -> Result<Option<Turn>, AwsError> {
        let call = autoscaling::Client::new(self.config())
            .describe_auto_scaling_groups()
            .auto_scaling_group_names(group);
        let answer = wrap("autoscaling:DescribeAutoScalingGroups", call.send().await)?;
        let tags = answer
            .auto_scaling_groups()
            .first()
            .map(|group| group.tags())
            .unwrap_or_default();
        let value = tags
            .iter()
            .find(|tag| tag.key() == Some(UNDER_TEST_TAG))
            .and_then(|tag| tag.value());
        Ok(value.map(read))
    }

    /// Marks a group from now on.
    pub(super) async fn mark_turn(&self, group: &str, holder: &str) -> Result<(), AwsError> {
        let value = format!("{holder}{UNTIL}{:.0}", jiff::Timestamp::now() + LASTS);
        let call = autoscaling::Client::new(self.config())
            .create_or_update_tags()
            .tags(tag(group).value(value).build());
        wrap("autoscaling:CreateOrUpdateTags", call.send().await).map(|_| ())
    }

    /// Takes the mark of a group away.
    pub(super) async fn unmark_turn(&self, group: &str) -> Result<(), AwsError> {
        let call = autoscaling::Client::new(self.config())
            .delete_tags()
            .tags(tag(group).build());
        wrap("autoscaling:DeleteTags", call.send().await).map(|_| ())
    }
}

fn tag(group: &str) -> autoscaling::types::builders::TagBuilder {
    autoscaling::types::Tag::builder()
        .key(UNDER_TEST_TAG)
        .resource_id(group)
        .resource_type("auto-scaling-group")
        .propagate_at_launch(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_ends_by_itself() {
        let now: jiff::Timestamp = "2026-01-01T12:00:00Z".parse().unwrap();
        for (value, holder, over) in [
            ("ann process 1 until 2026-01-01T13:00:00Z", "ann process 1", false),
            ("ann process 1 until 2026-01-01T11:00:00Z", "ann process 1", true),
            // What cannot be read is somebody's.
            ("ann", "ann", false),
            ("ann until noon", "ann until noon", false),
        ] {
            let turn = read(value);
            assert_eq!((turn.holder.as_str(), turn.is_over(now)), (holder, over), "{value}");
        }
    }
}
