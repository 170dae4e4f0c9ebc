//! What is there, for `observe` and everybody who waits for it.

use super::clients::Clients;
use super::sdk_error::wrap;
use super::{command, time};
use crate::cloud::AwsError;
use crate::deploy::Moves;
use crate::model::InstanceId;
use crate::model::agent::AgentStatus;
use crate::observe::ports::{
    Alarm, FileSystem, Group, GroupInstance, LoadBalancer, ReadError, Readings, Resource, Stack, StackStatus, Target,
};
use crate::stack::Documents;
use aws_sdk_autoscaling as autoscaling;
use aws_sdk_cloudwatch as cloudwatch;
use aws_sdk_efs as efs;
use aws_sdk_elasticloadbalancingv2 as elb;
use mqaws_contract::verb::{Request, UNKNOWN_VERB, Verb};

impl Readings for Clients {
    async fn stack(&self, name: &str) -> Result<Option<Stack>, AwsError> {
        const ACTION: &str = "cloudformation:DescribeStacks";
        let answer = wrap(
            ACTION,
            self.cloudformation().describe_stacks().stack_name(name).send().await,
        );
        let answer = match answer {
            Err(error) if error.is_not_found() => return Ok(None),
            other => other.map_err(|e| e.at(self.endpoint(), self.region()))?,
        };
        let Some(found) = answer.stacks().first() else {
            return Ok(None);
        };
        let lacks = |what| AwsError::unreadable(ACTION, what);
        let pair =
            |key: Option<&str>, value: Option<&str>| Some((key?.to_owned(), value.unwrap_or_default().to_owned()));
        Ok(Some(Stack {
            name: found.stack_name().unwrap_or(name).to_owned(),
            id: found.stack_id().ok_or_else(|| lacks("StackId"))?.to_owned(),
            status: StackStatus(
                found
                    .stack_status()
                    .ok_or_else(|| lacks("StackStatus"))?
                    .as_str()
                    .to_owned(),
            ),
            reason: found.stack_status_reason().map(str::to_owned),
            created: found
                .creation_time()
                .and_then(time)
                .ok_or_else(|| lacks("CreationTime"))?,
            outputs: found
                .outputs()
                .iter()
                .filter_map(|o| pair(o.output_key(), o.output_value()))
                .collect(),
            parameters: found
                .parameters()
                .iter()
                .filter_map(|p| pair(p.parameter_key(), p.parameter_value()))
                .collect(),
            tags: found.tags().iter().filter_map(|t| pair(t.key(), t.value())).collect(),
            protected: found.enable_termination_protection().unwrap_or(false),
        }))
    }

    async fn resources(&self, stack: &str) -> Result<Vec<Resource>, AwsError> {
        let answer = self
            .cloudformation()
            .describe_stack_resources()
            .stack_name(stack)
            .send()
            .await;
        let answer = wrap("cloudformation:DescribeStackResources", answer)?;
        Ok(answer
            .stack_resources()
            .iter()
            .map(|r| Resource {
                logical: r.logical_resource_id().unwrap_or_default().to_owned(),
                physical: r.physical_resource_id().filter(|id| !id.is_empty()).map(str::to_owned),
                kind: r.resource_type().unwrap_or_default().to_owned(),
                status: r.resource_status().map(|s| s.as_str().to_owned()).unwrap_or_default(),
            })
            .collect())
    }

    async fn group(&self, name: &str) -> Result<Option<Group>, AwsError> {
        let call = autoscaling::Client::new(self.config()).describe_auto_scaling_groups();
        let answer = wrap(
            "autoscaling:DescribeAutoScalingGroups",
            call.auto_scaling_group_names(name).send().await,
        )?;
        let Some(group) = answer.auto_scaling_groups().first() else {
            return Ok(None);
        };
        let unreadable = |invalid| AwsError::odd("autoscaling:DescribeAutoScalingGroups", &invalid);
        let member = |i: &autoscaling::types::Instance| {
            Ok(GroupInstance {
                instance: InstanceId::new(i.instance_id().unwrap_or_default()).map_err(unreadable)?,
                zone: i.availability_zone().unwrap_or_default().to_owned(),
                lifecycle: i.lifecycle_state().map(|s| s.as_str().to_owned()).unwrap_or_default(),
                health: i.health_status().unwrap_or_default().to_owned(),
            })
        };
        Ok(Some(Group {
            name: group.auto_scaling_group_name().unwrap_or(name).to_owned(),
            desired: group
                .desired_capacity()
                .and_then(|n| u32::try_from(n).ok())
                .unwrap_or(0),
            members: group.instances().iter().map(member).collect::<Result<_, AwsError>>()?,
            suspended: group
                .suspended_processes()
                .iter()
                .filter_map(|p| p.process_name().map(str::to_owned))
                .collect(),
        }))
    }

    async fn targets(&self, target_group: &str) -> Result<Vec<Target>, AwsError> {
        let call = elb::Client::new(self.config())
            .describe_target_health()
            .target_group_arn(target_group);
        let answer = wrap("elasticloadbalancing:DescribeTargetHealth", call.send().await)?;
        let described = answer.target_health_descriptions().iter();
        Ok(described
            .filter_map(|d| {
                let (target, health) = (d.target()?, d.target_health()?);
                Some(Target {
                    id: target.id().unwrap_or_default().to_owned(),
                    port: target.port().and_then(|p| u16::try_from(p).ok()).unwrap_or(0),
                    state: health.state().map(|s| s.as_str().to_owned()).unwrap_or_default(),
                    reason: health
                        .description()
                        .or(health.reason().map(|r| r.as_str()))
                        .map(str::to_owned),
                    code: health.reason().map(|code| code.as_str().to_owned()),
                })
            })
            .collect())
    }

    async fn load_balancer(&self, arn: &str) -> Result<Option<LoadBalancer>, AwsError> {
        let call = elb::Client::new(self.config())
            .describe_load_balancers()
            .load_balancer_arns(arn);
        let answer = match wrap("elasticloadbalancing:DescribeLoadBalancers", call.send().await) {
            Err(error) if error.is_not_found() => return Ok(None),
            other => other?,
        };
        Ok(answer.load_balancers().first().map(|lb| LoadBalancer {
            scheme: lb.scheme().map(|s| s.as_str().to_owned()).unwrap_or_default(),
            state: lb
                .state()
                .and_then(|s| s.code())
                .map(|c| c.as_str().to_owned())
                .unwrap_or_default(),
            dns_name: lb.dns_name().unwrap_or_default().to_owned(),
        }))
    }

    async fn file_system(&self, id: &str) -> Result<Option<FileSystem>, AwsError> {
        let client = efs::Client::new(self.config());
        let call = client.describe_file_systems().file_system_id(id);
        let answer = match wrap("elasticfilesystem:DescribeFileSystems", call.send().await) {
            Err(error) if error.is_not_found() => return Ok(None),
            other => other?,
        };
        let Some(found) = answer.file_systems().first() else {
            return Ok(None);
        };
        let targets = client.describe_mount_targets().file_system_id(id).send().await;
        let targets = wrap("elasticfilesystem:DescribeMountTargets", targets)?;
        Ok(Some(FileSystem {
            id: id.to_owned(),
            state: found.life_cycle_state().as_str().to_owned(),
            bytes: found
                .size_in_bytes()
                .map(|s| s.value())
                .and_then(|b| u64::try_from(b).ok())
                .unwrap_or(0),
            throughput: found
                .throughput_mode()
                .map(|m| m.as_str().to_owned())
                .unwrap_or_default(),
            encrypted: found.encrypted().unwrap_or(false),
            mount_targets: targets
                .mount_targets()
                .iter()
                .map(|m| {
                    let zone = m.availability_zone_name().unwrap_or(m.subnet_id());
                    (zone.to_owned(), m.life_cycle_state().as_str().to_owned())
                })
                .collect(),
        }))
    }

    async fn alarms(&self, names: &[String]) -> Result<Vec<Alarm>, AwsError> {
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let call = cloudwatch::Client::new(self.config()).describe_alarms();
        let answer = wrap(
            "cloudwatch:DescribeAlarms",
            call.set_alarm_names(Some(names.to_vec())).send().await,
        )?;
        Ok(answer
            .metric_alarms()
            .iter()
            .map(|a| Alarm {
                name: a.alarm_name().unwrap_or_default().to_owned(),
                state: a.state_value().map(|s| s.as_str().to_owned()).unwrap_or_default(),
                reason: a.state_reason().unwrap_or_default().to_owned(),
            })
            .collect())
    }

    async fn agent_status(&self, documents: &Documents, instance: &InstanceId) -> Result<AgentStatus, ReadError> {
        self.said(documents, instance, &Request::new(Verb::Status)).await
    }
}

impl Clients {
    /// What the agent of an instance says of itself in answer to a verb.
    async fn said(
        &self,
        documents: &Documents,
        instance: &InstanceId,
        request: &Request,
    ) -> Result<AgentStatus, ReadError> {
        let output = command::ask(self, documents.of(request.class())?, instance, request).await?;
        let (command, instance) = (request.to_string(), instance.to_string());
        if output.status != "Success" {
            let text = match output.stderr.trim() {
                "" if output.status == "TimedOut" => "Systems Manager cannot reach the instance".to_owned(),
                said => said.to_owned(),
            };
            return Err(ReadError::Command {
                command,
                instance,
                status: output.status,
                code: output.code,
                text,
            });
        }
        serde_json::from_str(&output.stdout).map_err(|error| ReadError::Output {
            command,
            instance,
            text: error.to_string(),
        })
    }
}

impl Moves for Clients {
    async fn hand_over(
        &self,
        documents: &Documents,
        instance: &InstanceId,
        unready: bool,
    ) -> Result<AgentStatus, ReadError> {
        let verb = match unready {
            true => Verb::FailoverUnready,
            false => Verb::Failover,
        };
        let request = Request::new(verb);
        let older = |of, first| ReadError::Older {
            of,
            command: request.to_string(),
            first,
        };
        match self.said(documents, instance, &request).await {
            Err(ReadError::Aws(error)) if command::is_refused_verb(&error) => {
                Err(older("the stack's document", "to update it, "))
            }
            Err(ReadError::Command { code, .. }) if code == Some(UNKNOWN_VERB) => Err(older(
                "the agent",
                "build an image of this version with `mqaws ami build`, then ",
            )),
            said => said,
        }
    }

    async fn set_capacity(&self, group: &str, desired: u32) -> Result<(), AwsError> {
        let call = autoscaling::Client::new(self.config())
            .set_desired_capacity()
            .auto_scaling_group_name(group)
            .desired_capacity(desired.cast_signed())
            .honor_cooldown(false);
        wrap("autoscaling:SetDesiredCapacity", call.send().await).map(drop)
    }
}
