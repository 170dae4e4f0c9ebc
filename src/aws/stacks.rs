//! CloudFormation, and what CloudFormation cannot express, for `deploy`.

use super::clients::Clients;
use super::sdk_error::wrap;
use super::time;
use crate::cloud::AwsError;
use crate::deploy::Adopts;
use crate::deploy::finding::Finding;
use crate::deploy::ports::{
    Blueprint, Change, ChangeSet, ChangeSetIds, Detail, Event, GroupUsers, Launch, Listed, Made, SetKind, Stacks,
    Storage, Termination,
};
use crate::model::{FileSystemId, InstanceId, StackId};
use crate::topology::FILE_SYSTEM;
use autoscaling::types::Activity;
use aws_sdk_autoscaling as autoscaling;
use aws_sdk_cloudformation as cloudformation;
use aws_sdk_ec2::types::Filter;
use aws_sdk_efs as efs;
use cloudformation::types::{
    Capability, ChangeSetType, OperationEvent, Parameter, ResourceChange, ResourceToImport, StackEvent, StackResource,
    Tag,
};
use jiff::Timestamp;
use std::collections::BTreeSet;

impl Clients {
    pub(super) fn cloudformation(&self) -> cloudformation::Client {
        cloudformation::Client::new(self.config())
    }

    /// Activities of a group that began from an instant on, oldest first; also those of a group that is gone.
    async fn activities(&self, group: &str, from: Timestamp) -> Result<Vec<Activity>, AwsError> {
        let began = |a: &Activity| a.start_time().and_then(time);
        let mut activities = Vec::new();
        let mut token = None;
        loop {
            let call = autoscaling::Client::new(self.config())
                .describe_scaling_activities()
                .auto_scaling_group_name(group)
                .include_deleted_groups(true)
                .set_next_token(token);
            let page = wrap("autoscaling:DescribeScalingActivities", call.send().await)?;
            // Pages are newest first: the first old activity ends the reading.
            let older = page.activities().iter().any(|a| began(a).is_some_and(|at| at < from));
            token = page.next_token().map(str::to_owned);
            let read = page.activities.unwrap_or_default().into_iter();
            activities.extend(read.filter(|a| began(a).is_some_and(|at| at >= from)));
            if older || token.is_none() {
                activities.reverse();
                return Ok(activities);
            }
        }
    }
}

impl Stacks for Clients {
    async fn create_change_set(
        &self,
        blueprint: &Blueprint,
        name: &str,
        kind: SetKind,
    ) -> Result<ChangeSetIds, AwsError> {
        const ACTION: &str = "cloudformation:CreateChangeSet";
        let (kind, imported) = match (kind, &blueprint.adopts) {
            (SetKind::Create, _) => (ChangeSetType::Create, None),
            (SetKind::Update, _) => (ChangeSetType::Update, None),
            (SetKind::Import, adopts) => (ChangeSetType::Import, adopts.as_ref().map(imported)),
        };
        let parameters = blueprint
            .parameters
            .iter()
            .map(|(key, value)| Parameter::builder().parameter_key(key).parameter_value(value).build());
        let tags = blueprint
            .tags
            .iter()
            .map(|(key, value)| Tag::builder().key(key).value(value).build());
        let answer = self
            .cloudformation()
            .create_change_set()
            .stack_name(&blueprint.stack)
            .change_set_name(name)
            .change_set_type(kind)
            .client_token(name)
            .template_body(&blueprint.template)
            .capabilities(Capability::CapabilityIam)
            .set_parameters(Some(parameters.collect()))
            .set_tags(Some(tags.collect()))
            .set_role_arn(blueprint.role.clone())
            .set_resources_to_import(imported.map(|one| vec![one]))
            .send()
            .await;
        let answer = wrap(ACTION, answer).map_err(|e| e.at(self.endpoint(), self.region()))?;
        let lacks = |what| AwsError::unreadable(ACTION, what);
        Ok(ChangeSetIds {
            change_set: answer.id().ok_or_else(|| lacks("Id"))?.to_owned(),
            stack: answer.stack_id().ok_or_else(|| lacks("StackId"))?.to_owned(),
        })
    }

    async fn change_set(&self, id: &str) -> Result<ChangeSet, AwsError> {
        let mut found: Option<ChangeSet> = None;
        let mut token = None;
        loop {
            let call = self.cloudformation().describe_change_set().change_set_name(id);
            let call = call.include_property_values(true).set_next_token(token);
            let page = wrap("cloudformation:DescribeChangeSet", call.send().await)?;
            let changes = page.changes().iter().filter_map(|c| c.resource_change()).map(change);
            let set = found.get_or_insert_with(|| ChangeSet {
                status: page.status().map(|s| s.as_str().to_owned()).unwrap_or_default(),
                reason: page.status_reason().map(str::to_owned),
                created: page.creation_time().and_then(time),
                changes: Vec::new(),
            });
            set.changes.extend(changes);
            token = page.next_token().map(str::to_owned);
            if token.is_none() {
                return found.ok_or_else(|| AwsError::unreadable("cloudformation:DescribeChangeSet", "page"));
            }
        }
    }

    async fn change_sets(&self, stack: &str) -> Result<Vec<Listed>, AwsError> {
        let mut ids = Vec::new();
        let mut token = None;
        loop {
            let call = self.cloudformation().list_change_sets().stack_name(stack);
            let page = wrap("cloudformation:ListChangeSets", call.set_next_token(token).send().await)?;
            ids.extend(
                page.summaries()
                    .iter()
                    .filter_map(|s| s.change_set_id().map(str::to_owned)),
            );
            token = page.next_token().map(str::to_owned);
            if token.is_none() {
                break;
            }
        }
        let mut listed = Vec::new();
        for change_set in ids {
            let call = self.cloudformation().describe_change_set().change_set_name(&change_set);
            let described = match wrap("cloudformation:DescribeChangeSet", call.send().await) {
                // It went since it was listed.
                Err(error) if error.is_not_found() => continue,
                other => other?,
            };
            let tags = described.tags().iter();
            let tags = tags.filter_map(|t| Some((t.key()?.to_owned(), t.value().unwrap_or_default().to_owned())));
            listed.push(Listed {
                tags: tags.collect(),
                change_set,
            });
        }
        Ok(listed)
    }

    async fn findings(&self, change_set: &str) -> Result<Vec<Finding>, AwsError> {
        let mut findings = Vec::new();
        let mut token = None;
        loop {
            let call = self.cloudformation().describe_events().change_set_name(change_set);
            let page = wrap("cloudformation:DescribeEvents", call.set_next_token(token).send().await)?;
            findings.extend(page.operation_events().iter().filter_map(finding));
            token = page.next_token().map(str::to_owned);
            if token.is_none() {
                return Ok(findings);
            }
        }
    }

    async fn execute(&self, change_set: &str, token: &str) -> Result<(), AwsError> {
        let call = self.cloudformation().execute_change_set().change_set_name(change_set);
        wrap(
            "cloudformation:ExecuteChangeSet",
            call.client_request_token(token).send().await,
        )
        .map(drop)
    }

    async fn delete_change_set(&self, change_set: &str) -> Result<(), AwsError> {
        let call = self.cloudformation().delete_change_set().change_set_name(change_set);
        none_is_fine(wrap("cloudformation:DeleteChangeSet", call.send().await).map(drop))
    }

    async fn delete_stack(&self, stack: &StackId, role: Option<&str>, token: &str) -> Result<(), AwsError> {
        let call = self
            .cloudformation()
            .delete_stack()
            .stack_name(stack.as_str())
            .client_request_token(token);
        let call = call.set_role_arn(role.map(str::to_owned));
        none_is_fine(wrap("cloudformation:DeleteStack", call.send().await).map(drop))
    }

    async fn cancel_update(&self, stack: &str) -> Result<(), AwsError> {
        let call = self.cloudformation().cancel_update_stack().stack_name(stack);
        wrap("cloudformation:CancelUpdateStack", call.send().await).map(drop)
    }

    async fn events(&self, stack: &str, from: Timestamp) -> Result<Vec<Event>, AwsError> {
        let mut events = Vec::new();
        let mut token = None;
        loop {
            let call = self
                .cloudformation()
                .describe_stack_events()
                .stack_name(stack)
                .set_next_token(token);
            let page = wrap("cloudformation:DescribeStackEvents", call.send().await)?;
            let read: Vec<Event> = page.stack_events().iter().filter_map(event).collect();
            // Pages are newest first: the first old event ends the reading.
            let older = read.iter().any(|e| e.at < from);
            events.extend(read.into_iter().filter(|e| e.at >= from));
            token = page.next_token().map(str::to_owned);
            if older || token.is_none() {
                // Events of one instant keep the order that the service gave them.
                events.reverse();
                return Ok(events);
            }
        }
    }

    async fn protect(&self, stack: &str, on: bool) -> Result<(), AwsError> {
        let call = self.cloudformation().update_termination_protection().stack_name(stack);
        let answer = call.enable_termination_protection(on).send().await;
        wrap("cloudformation:UpdateTerminationProtection", answer).map(drop)
    }

    async fn file_systems(&self) -> Result<Vec<Storage>, AwsError> {
        let client = efs::Client::new(self.config());
        let mut found = Vec::new();
        let mut marker = None;
        loop {
            let call = client.describe_file_systems().set_marker(marker);
            let page = wrap("elasticfilesystem:DescribeFileSystems", call.send().await)?;
            found.extend(page.file_systems().iter().map(storage));
            marker = page.next_marker().map(str::to_owned);
            if marker.is_none() {
                return Ok(found);
            }
        }
    }

    async fn holder(&self, id: &FileSystemId) -> Result<Option<String>, AwsError> {
        let call = self.cloudformation().describe_stack_resources();
        let answer = call.physical_resource_id(id.as_str()).send().await;
        let answer = match wrap("cloudformation:DescribeStackResources", answer) {
            Err(error) if error.is_not_found() => return Ok(None),
            other => other?,
        };
        // A stack that is deleted tells of what it left for months.
        let left = |r: &StackResource| r.resource_status().is_some_and(|s| s.as_str().starts_with("DELETE_"));
        let mut all = answer.stack_resources().iter();
        let one = all.find(|r| r.physical_resource_id() == Some(id.as_str()) && !left(r));
        Ok(one.and_then(|r| r.stack_name()).map(str::to_owned))
    }

    async fn delete_file_system(&self, id: &FileSystemId) -> Result<(), AwsError> {
        let call = efs::Client::new(self.config())
            .delete_file_system()
            .file_system_id(id.as_str());
        none_is_fine(wrap("elasticfilesystem:DeleteFileSystem", call.send().await).map(drop))
    }

    async fn users_of_group(&self, group: &str) -> Result<GroupUsers, AwsError> {
        let by = |name: &str| Filter::builder().name(name).values(group).build();
        let mut groups = BTreeSet::new();
        for rules in ["ip-permission.group-id", "egress.ip-permission.group-id"] {
            let call = self.ec2().describe_security_groups().filters(by(rules));
            let answer = wrap("ec2:DescribeSecurityGroups", call.send().await)?;
            let found = answer.security_groups().iter();
            groups.extend(found.filter_map(|found| found.group_id().map(str::to_owned)));
        }
        let call = self.ec2().describe_network_interfaces().filters(by("group-id"));
        let answer = wrap("ec2:DescribeNetworkInterfaces", call.send().await)?;
        let interfaces = answer.network_interfaces().iter();
        Ok(GroupUsers {
            groups: groups.into_iter().filter(|id| id != group).collect(),
            interfaces: interfaces
                .filter_map(|found| found.network_interface_id().map(str::to_owned))
                .collect(),
        })
    }

    async fn launches(&self, group: &str, from: Timestamp) -> Result<Vec<Launch>, AwsError> {
        let activities = self.activities(group, from).await?;
        activities.iter().filter_map(|one| launch(one).transpose()).collect()
    }

    async fn terminations(&self, group: &str, from: Timestamp) -> Result<Vec<Termination>, AwsError> {
        let activities = self.activities(group, from).await?;
        activities
            .iter()
            .filter_map(|one| termination(one).transpose())
            .collect()
    }

    async fn suspend(&self, group: &str, processes: &[&str]) -> Result<(), AwsError> {
        let call = autoscaling::Client::new(self.config())
            .suspend_processes()
            .auto_scaling_group_name(group);
        let processes = processes.iter().map(|&p| p.to_owned()).collect();
        wrap(
            "autoscaling:SuspendProcesses",
            call.set_scaling_processes(Some(processes)).send().await,
        )
        .map(drop)
    }
}

pub(super) fn none_is_fine(result: Result<(), AwsError>) -> Result<(), AwsError> {
    result.or_else(|error| if error.is_not_found() { Ok(()) } else { Err(error) })
}

/// The file system as a resource that an import takes into its stack.
fn imported(adopts: &Adopts) -> ResourceToImport {
    ResourceToImport::builder()
        .resource_type(FILE_SYSTEM)
        .logical_resource_id(&adopts.logical)
        .resource_identifier("FileSystemId", adopts.file_system.as_str())
        .build()
}

fn storage(found: &efs::types::FileSystemDescription) -> Storage {
    let tags = found.tags().iter();
    Storage {
        id: found.file_system_id().to_owned(),
        state: found.life_cycle_state().as_str().to_owned(),
        bytes: found
            .size_in_bytes()
            .and_then(|s| u64::try_from(s.value()).ok())
            .unwrap_or(0),
        created: time(found.creation_time()),
        tags: tags.map(|t| (t.key().to_owned(), t.value().to_owned())).collect(),
        made: Made {
            encrypted: found.encrypted().unwrap_or(false),
            kms_key: found.kms_key_id().map(str::to_owned),
            performance_mode: found.performance_mode().as_str().to_owned(),
            throughput: found
                .throughput_mode()
                .map(|m| m.as_str().to_owned())
                .unwrap_or_default(),
            // EFS takes whole numbers alone for what it calls a double.
            provisioned_mibps: found
                .provisioned_throughput_in_mibps()
                .map(|mibps| mibps.round() as u32),
            zone: found.availability_zone_name().map(str::to_owned),
        },
    }
}

/// What CloudFormation says of a value that it finds out while it works.
const KNOWN_LATER: &str = "{{changeSet:KNOWN_AFTER_APPLY}}";

fn change(change: &ResourceChange) -> Change {
    let text = |value: Option<&str>| value.map(str::to_owned);
    Change {
        logical: change.logical_resource_id().unwrap_or_default().to_owned(),
        physical: text(change.physical_resource_id()),
        kind: change.resource_type().unwrap_or_default().to_owned(),
        action: change.action().map(|a| a.as_str().to_owned()).unwrap_or_default(),
        replacement: change.replacement().map(|r| r.as_str().to_owned()),
        policy: change.policy_action().map(|p| p.as_str().to_owned()),
        details: change
            .details()
            .iter()
            .filter_map(|d| Some((d, d.target()?)))
            .map(|(detail, target)| Detail {
                attribute: target.attribute().map(|a| a.as_str().to_owned()).unwrap_or_default(),
                // The path is of the place within the property that the name is of.
                name: text(target.path()).or_else(|| text(target.name())),
                before: text(target.before_value()),
                after: text(target.after_value()).filter(|value| value != KNOWN_LATER),
                recreation: target.requires_recreation().map(|r| r.as_str().to_owned()),
                cause: text(detail.causing_entity()),
                dynamic: detail.evaluation().is_some_and(|e| e.as_str() == "Dynamic"),
            })
            .collect(),
    }
}

/// Reads a validation that failed; other events have no such status.
fn finding(event: &OperationEvent) -> Option<Finding> {
    let failed = event.validation_status().is_some_and(|s| s.as_str() == "FAILED");
    failed.then(|| Finding {
        path: event
            .validation_path()
            .or(event.logical_resource_id())
            .unwrap_or_default()
            .to_owned(),
        words: event.validation_status_reason().unwrap_or("no reason given").to_owned(),
    })
}

/// Reads `Launching a new EC2 instance: i-…`; a launch that failed has no id, and may have its reason behind the words.
fn launch(activity: &Activity) -> Result<Option<Launch>, AwsError> {
    let described = activity.description().unwrap_or_default();
    let Some(rest) = described.strip_prefix("Launching a new EC2 instance") else {
        return Ok(None);
    };
    let Some(at) = activity.start_time().and_then(time) else {
        return Ok(None);
    };
    let instance = rest.trim_start_matches([':', ' ']).split_whitespace().next();
    Ok(Some(Launch {
        at,
        instance: instance
            .filter(|id| id.starts_with("i-"))
            .map(instance_id)
            .transpose()?,
        status: activity
            .status_code()
            .map(|s| s.as_str().to_owned())
            .unwrap_or_default(),
        words: activity.status_message().map(str::to_owned),
    }))
}

/// Reads `Terminating EC2 instance: i-…`, behind which AWS may tell what is waited for.
fn termination(activity: &Activity) -> Result<Option<Termination>, AwsError> {
    let described = activity.description().unwrap_or_default();
    let Some(rest) = described.strip_prefix("Terminating EC2 instance:") else {
        return Ok(None);
    };
    let (Some(at), Some(id)) = (activity.start_time().and_then(time), rest.split_whitespace().next()) else {
        return Ok(None);
    };
    Ok(Some(Termination {
        at,
        instance: instance_id(id)?,
    }))
}

/// The instance that an activity is about; a sentence may end behind it.
fn instance_id(word: &str) -> Result<InstanceId, AwsError> {
    InstanceId::new(word.trim_end_matches(['.', ',']))
        .map_err(|invalid| AwsError::odd("autoscaling:DescribeScalingActivities", &invalid))
}

fn event(event: &StackEvent) -> Option<Event> {
    Some(Event {
        id: event.event_id()?.to_owned(),
        at: event.timestamp().and_then(time)?,
        logical: event.logical_resource_id().unwrap_or_default().to_owned(),
        physical: event
            .physical_resource_id()
            .filter(|id| !id.is_empty())
            .map(str::to_owned),
        kind: event.resource_type().unwrap_or_default().to_owned(),
        status: event
            .resource_status()
            .map(|s| s.as_str().to_owned())
            .unwrap_or_default(),
        reason: event
            .resource_status_reason()
            .filter(|r| !r.is_empty())
            .map(str::to_owned),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use autoscaling::types::ScalingActivityStatusCode;

    fn activity(description: &str, status: &str, message: Option<&str>) -> Activity {
        Activity::builder()
            .description(description)
            .start_time(aws_smithy_types::DateTime::from_secs(1_700_000_000))
            .status_code(ScalingActivityStatusCode::from(status))
            .set_status_message(message.map(str::to_owned))
            .build()
    }

    fn launch_of(activity: &Activity) -> Launch {
        launch(activity).expect("readable").expect("a launch")
    }

    #[test]
    fn launches_are_told_from_other_activities() {
        let words = "The key pair 'x' does not exist. Launching EC2 instance failed.";
        let failed = launch_of(&activity("Launching a new EC2 instance", "Failed", Some(words)));
        assert_eq!((failed.instance.as_ref(), failed.failure()), (None, Some(words)));
        let reason = format!("Launching a new EC2 instance.  Status Reason: {words}");
        let failed = launch_of(&activity(&reason, "Failed", Some(words)));
        assert_eq!((failed.instance.as_ref(), failed.failure()), (None, Some(words)));
        let good = launch_of(&activity("Launching a new EC2 instance: i-0a.", "Successful", None));
        assert_eq!(
            (good.instance.as_ref().map(InstanceId::as_str), good.failure()),
            (Some("i-0a"), None)
        );
        assert_eq!(
            launch(&activity("Terminating EC2 instance: i-0a", "Failed", None)).unwrap(),
            None
        );
        for words in ["", " - Waiting For ELB connection draining"] {
            let ended = activity(&format!("Terminating EC2 instance: i-0a{words}"), "InProgress", None);
            assert_eq!(termination(&ended).unwrap().unwrap().instance.as_str(), "i-0a");
        }
        assert_eq!(
            termination(&activity("Launching a new EC2 instance: i-0a", "Successful", None)).unwrap(),
            None
        );
        let odd = activity("Terminating EC2 instance: i-0a/../x", "InProgress", None);
        let error = termination(&odd).expect_err("no id of an instance").told();
        assert!(error.contains("invalid instance ID `i-0a/../x`"), "{error}");
    }
}
