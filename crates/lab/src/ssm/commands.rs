//! SendCommand and what became of it.

use super::agent;
use super::content::{SECONDS, Script};
use super::documents::{self, RUN_SHELL_SCRIPT};
use super::execution::{End, Outcome, execute, is_reached};
use super::service::Ssm;
use super::state::State;
use crate::api::{ACCOUNT, ApiError, ApiResult, Caller, Cloud, flag, list, number, only, required, text, texts};
use crate::clock::{now_iso, now_seconds};
use crate::ids::uuid;
use crate::instance::Host;
use crate::timing::SSM_DELIVERY;
use indexmap::IndexMap;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Commands that are remembered.
const KEPT: usize = 1_000;

/// One command on one or more instances.
#[derive(Debug, Clone)]
pub(super) struct Command {
    id: String,
    document: String,
    version: String,
    comment: String,
    parameters: Value,
    requested: f64,
    invocations: IndexMap<String, Invocation>,
}

/// A command on one instance.
#[derive(Debug, Clone)]
pub(super) struct Invocation {
    status: &'static str,
    details: &'static str,
    code: i32,
    output: String,
    error: String,
    started: Option<String>,
    ended: Option<String>,
    elapsed: Duration,
}

fn error(code: &str, message: impl Into<String>) -> ApiError {
    ApiError::new(code, message)
}

/// Instances that `InstanceIds` and `Targets` name.
async fn targets(cloud: &Arc<Cloud>, params: &Value) -> Result<Vec<String>, ApiError> {
    let mut ids = texts(params, "InstanceIds");
    for target in list(params, "Targets") {
        only(&target, &["Key", "Values"])?;
        let (key, values) = (required(&target, "Key")?, texts(&target, "Values"));
        if key.eq_ignore_ascii_case("instanceids") {
            ids.extend(values);
            continue;
        }
        let Some(tag) = key.strip_prefix("tag:") else {
            return Err(error("InvalidTarget", format!("The target {key} isn't valid.")));
        };
        let filter = json!({"Filter": [{"Name": format!("tag:{tag}"), "Value": values}, {"Name": "instance-state-name", "Value": ["running"]}]});
        let found = cloud.call("ec2", "DescribeInstances", filter, Caller::Admin).await?;
        for reservation in list(&found, "reservationSet") {
            let instances = list(&reservation, "instancesSet");
            ids.extend(
                instances
                    .iter()
                    .filter_map(|i| i["instanceId"].as_str().map(str::to_owned)),
            );
        }
    }
    ids.dedup();
    Ok(ids)
}

/// The script of Amazon's own document, which is whatever the caller says.
fn any_script(parameters: &Value) -> Result<Script, ApiError> {
    only(parameters, &["commands", "workingDirectory", "executionTimeout"])
        .map_err(|e| error("InvalidParameters", e.message))?;
    let text = texts(parameters, "commands").join("\n");
    if text.is_empty() {
        return Err(error("InvalidParameters", "Parameter \"commands\" is required"));
    }
    let seconds = match texts(parameters, "executionTimeout").first() {
        None => SECONDS,
        Some(given) => given
            .parse::<u64>()
            .ok()
            .filter(|s| (1..=172_800).contains(s))
            .ok_or_else(|| {
                error(
                    "InvalidParameters",
                    format!("executionTimeout `{given}` is not 1 to 172800 seconds"),
                )
            })?,
    };
    Ok(Script {
        text,
        limit: Duration::from_secs(seconds),
    })
}

/// SendCommand.
pub(super) async fn send(ssm: &Arc<Ssm>, cloud: &Arc<Cloud>, params: &Value) -> ApiResult {
    only(
        params,
        &[
            "InstanceIds",
            "Targets",
            "DocumentName",
            "DocumentVersion",
            "DocumentHash",
            "DocumentHashType",
            "TimeoutSeconds",
            "Comment",
            "Parameters",
            "MaxConcurrency",
            "MaxErrors",
        ],
    )?;
    let document = required(params, "DocumentName")?;
    let parameters = params.get("Parameters").cloned().unwrap_or_else(|| json!({}));
    let wanted = text(params, "DocumentVersion");
    let (version, script) = match document.as_str() {
        RUN_SHELL_SCRIPT => ("1".to_owned(), any_script(&parameters)?),
        own => documents::script(&ssm.state(), own, wanted.as_deref(), &parameters)?,
    };
    let delivery_limit = match number(params, "TimeoutSeconds") {
        None => 3600,
        Some(seconds) => u64::try_from(seconds)
            .ok()
            .filter(|seconds| (30..=2_592_000).contains(seconds))
            .ok_or_else(|| error("ValidationException", "TimeoutSeconds must be between 30 and 2592000"))?,
    };
    let ids = targets(cloud, params).await?;
    let mut hosts: Vec<Arc<Host>> = Vec::new();
    for id in &ids {
        if let Some(host) = ssm.ec2.running_host(id)
            && agent::is_managed(cloud, id).await?
        {
            hosts.push(host);
        }
    }
    if hosts.len() != ids.len() || (ids.is_empty() && !texts(params, "InstanceIds").is_empty()) {
        return Err(error(
            "InvalidInstanceId",
            format!(
                "Instances [[{}]] not in a valid state for account {ACCOUNT}",
                ids.join(", ")
            ),
        ));
    }
    let command = Command {
        id: uuid(),
        document: documents::plain_name(&document).to_owned(),
        version: wanted.map_or_else(|| "$DEFAULT".to_owned(), |_| version),
        comment: text(params, "Comment").unwrap_or_default(),
        parameters,
        requested: now_seconds(),
        invocations: ids.iter().map(|id| (id.clone(), Invocation::pending())).collect(),
    };
    let answer = json!({"Command": command.shown()});
    let id = command.id.clone();
    {
        let mut state = ssm.state();
        state.commands.insert(id.clone(), command);
        while state.commands.len() > KEPT {
            state.commands.shift_remove_index(0);
        }
    }
    let delivery = cloud.site.timing.of(&SSM_DELIVERY);
    for host in hosts {
        let (ssm, id, script) = (ssm.clone(), id.clone(), script.clone());
        tokio::spawn(async move {
            tokio::time::sleep(delivery).await;
            if !is_reached(&host, Duration::from_secs(delivery_limit)).await {
                return update(&ssm, &id, host.instance(), |i| {
                    (i.status, i.details) = ("TimedOut", "DeliveryTimedOut");
                });
            }
            run(&ssm, &id, &host, &script.text, script.limit).await;
        });
    }
    Ok(answer)
}

impl Invocation {
    fn pending() -> Self {
        Self {
            status: "Pending",
            details: "Pending",
            code: -1,
            output: String::new(),
            error: String::new(),
            started: None,
            ended: None,
            elapsed: Duration::ZERO,
        }
    }

    fn is_over(&self) -> bool {
        !matches!(self.status, "Pending" | "InProgress")
    }
}

impl Command {
    fn status(&self) -> &'static str {
        let all = || self.invocations.values();
        if all().any(|i| !i.is_over()) {
            return "InProgress";
        }
        all().map(|i| i.status).find(|s| *s != "Success").unwrap_or("Success")
    }

    fn shown(&self) -> Value {
        let count = |wanted: fn(&Invocation) -> bool| self.invocations.values().filter(|i| wanted(i)).count();
        let status = if self.invocations.values().all(|i| i.status == "Pending") {
            "Pending"
        } else {
            self.status()
        };
        json!({
            "CommandId": self.id, "DocumentName": self.document, "DocumentVersion": self.version, "Comment": self.comment,
            "Parameters": self.parameters, "InstanceIds": self.invocations.keys().collect::<Vec<_>>(), "Targets": [],
            "RequestedDateTime": self.requested, "Status": status, "StatusDetails": status, "TargetCount": self.invocations.len(),
            "CompletedCount": count(Invocation::is_over), "ErrorCount": count(|i| i.is_over() && i.status != "Success"),
        })
    }
}

fn update(ssm: &Ssm, command: &str, instance: &str, change: impl FnOnce(&mut Invocation)) {
    let mut state = ssm.state();
    if let Some(invocation) = state
        .commands
        .get_mut(command)
        .and_then(|c| c.invocations.get_mut(instance))
    {
        change(invocation);
    }
}

async fn run(ssm: &Ssm, id: &str, host: &Host, script: &str, limit: Duration) {
    let began = Instant::now();
    update(ssm, id, host.instance(), |i| {
        (i.status, i.details, i.started) = ("InProgress", "InProgress", Some(now_iso()));
    });
    let mut outcome = execute(host, script, limit).await;
    // The answer goes the way that the command came.
    if !is_reached(host, limit.saturating_sub(began.elapsed())).await {
        outcome = Outcome {
            end: End::TimedOut,
            output: String::new(),
            error: String::new(),
        };
    }
    update(ssm, id, host.instance(), |i| {
        i.elapsed = began.elapsed();
        i.ended = Some(now_iso());
        (i.status, i.details, i.code) = match outcome.end {
            End::Exit(0) => ("Success", "Success", 0),
            End::Exit(code) => ("Failed", "Failed", code),
            End::TimedOut => ("TimedOut", "ExecutionTimedOut", -1),
            End::HostGone => ("Failed", "Undeliverable", -1),
        };
        i.output = outcome.output;
        i.error = outcome.error;
    });
}

fn find<'a>(state: &'a State, command: &str, instance: &str) -> Option<(&'a Command, &'a Invocation)> {
    let command = state.commands.get(command)?;
    Some((command, command.invocations.get(instance)?))
}

/// GetCommandInvocation.
pub(super) fn invocation(state: &State, params: &Value) -> ApiResult {
    only(params, &["CommandId", "InstanceId", "PluginName"])?;
    let (id, instance) = (required(params, "CommandId")?, required(params, "InstanceId")?);
    let (command, found) = find(state, &id, &instance).ok_or_else(|| {
        error(
            "InvocationDoesNotExist",
            "The command ID and managed node ID you specified didn't match any invocations.",
        )
    })?;
    Ok(json!({
        "CommandId": id, "InstanceId": instance, "Comment": command.comment, "DocumentName": command.document,
        "DocumentVersion": command.version, "PluginName": "aws:runShellScript", "ResponseCode": found.code,
        "ExecutionStartDateTime": found.started.clone().unwrap_or_default(), "ExecutionEndDateTime": found.ended.clone().unwrap_or_default(),
        "ExecutionElapsedTime": if found.is_over() { format!("PT{:.3}S", found.elapsed.as_secs_f64()) } else { String::new() },
        "Status": found.status, "StatusDetails": found.details, "StandardOutputContent": found.output, "StandardOutputUrl": "",
        "StandardErrorContent": found.error, "StandardErrorUrl": "", "CloudWatchOutputConfig": {"CloudWatchOutputEnabled": false},
    }))
}

/// One page of a list by `MaxResults` and `NextToken`.
fn page(name: &str, rows: Vec<Value>, params: &Value) -> ApiResult {
    let start = match text(params, "NextToken").filter(|t| !t.is_empty()) {
        None => 0,
        Some(token) => token
            .parse::<usize>()
            .map_err(|_| error("InvalidNextToken", "The specified token isn't valid."))?,
    };
    let size = number(params, "MaxResults")
        .and_then(|n| usize::try_from(n).ok())
        .unwrap_or(50)
        .clamp(1, 50);
    let mut answer = json!({});
    if start.saturating_add(size) < rows.len() {
        answer["NextToken"] = json!((start + size).to_string());
    }
    answer[name] = rows.into_iter().skip(start).take(size).collect();
    Ok(answer)
}

fn refuse_filters(params: &Value) -> Result<(), ApiError> {
    match list(params, "Filters").first() {
        None => Ok(()),
        Some(filter) => Err(error(
            "InvalidFilterKey",
            format!("the local cloud has no filter {}", filter["key"]),
        )),
    }
}

/// ListCommandInvocations, newest first.
pub(super) fn invocations(state: &State, params: &Value) -> ApiResult {
    only(
        params,
        &[
            "CommandId",
            "InstanceId",
            "MaxResults",
            "NextToken",
            "Filters",
            "Details",
        ],
    )?;
    refuse_filters(params)?;
    let (id, instance) = (text(params, "CommandId"), text(params, "InstanceId"));
    let details = flag(params, "Details") == Some(true);
    let rows = state
        .commands
        .values()
        .rev()
        .filter(|c| id.as_ref().is_none_or(|id| *id == c.id))
        .flat_map(|c| c.invocations.iter().map(move |(i, found)| (c, i, found)))
        .filter(|(_, i, _)| instance.as_ref().is_none_or(|wanted| wanted == *i))
        .map(|(command, instance, found)| {
            let plugins = json!([{
                "Name": "aws:runShellScript", "Status": found.status, "StatusDetails": found.details, "ResponseCode": found.code,
                "Output": found.output,
            }]);
            json!({
                "CommandId": command.id, "InstanceId": instance, "InstanceName": "", "Comment": command.comment,
                "DocumentName": command.document, "DocumentVersion": command.version, "RequestedDateTime": command.requested,
                "Status": found.status, "StatusDetails": found.details, "StandardOutputUrl": "", "StandardErrorUrl": "",
                "CommandPlugins": if details { plugins } else { json!([]) },
            })
        })
        .collect();
    page("CommandInvocations", rows, params)
}

/// ListCommands, newest first.
pub(super) fn list_commands(state: &State, params: &Value) -> ApiResult {
    only(
        params,
        &["CommandId", "InstanceId", "MaxResults", "NextToken", "Filters"],
    )?;
    refuse_filters(params)?;
    let (id, instance) = (text(params, "CommandId"), text(params, "InstanceId"));
    let rows = state
        .commands
        .values()
        .rev()
        .filter(|c| {
            id.as_ref().is_none_or(|id| *id == c.id) && instance.as_ref().is_none_or(|i| c.invocations.contains_key(i))
        })
        .map(Command::shown)
        .collect();
    page("Commands", rows, params)
}

/// DescribeInstanceInformation: running instances whose role lets the agent register are online.
pub(super) async fn instance_information(ssm: &Ssm, cloud: &Arc<Cloud>, params: &Value) -> ApiResult {
    only(
        params,
        &["InstanceInformationFilterList", "Filters", "MaxResults", "NextToken"],
    )?;
    let mut wanted: Option<Vec<String>> = None;
    for filter in list(params, "Filters")
        .into_iter()
        .chain(list(params, "InstanceInformationFilterList"))
    {
        let key = text(&filter, "Key")
            .or_else(|| text(&filter, "key"))
            .unwrap_or_default();
        let values = [texts(&filter, "Values"), texts(&filter, "valueSet")].concat();
        match key.as_str() {
            "InstanceIds" => wanted = Some(values),
            "PingStatus" | "ResourceType" | "PlatformTypes" => {
                let have = ["Online", "EC2Instance", "Linux"];
                if !values.iter().any(|v| have.contains(&v.as_str())) {
                    wanted = Some(Vec::new());
                }
            }
            _ => {
                return Err(error(
                    "InvalidFilterKey",
                    format!("the local cloud has no filter {key}"),
                ));
            }
        }
    }
    let filter = json!({"Filter": [{"Name": "instance-state-name", "Value": ["running"]}]});
    let found = cloud.call("ec2", "DescribeInstances", filter, Caller::Admin).await?;
    let running = list(&found, "reservationSet");
    let mut managed = Vec::new();
    for instance in running.iter().flat_map(|r| list(r, "instancesSet")) {
        let id = instance["instanceId"].as_str().unwrap_or_default();
        let asked = ssm.ec2.running_host(id).is_some() && wanted.as_ref().is_none_or(|w| w.iter().any(|x| x == id));
        if asked && agent::is_managed(cloud, id).await? {
            managed.push(instance);
        }
    }
    let rows = managed
        .iter()
        .map(|i| {
            json!({
                "InstanceId": i["instanceId"], "PingStatus": "Online", "LastPingDateTime": now_seconds(), "AgentVersion": "3.3.0.0",
                "IsLatestVersion": true, "PlatformType": "Linux", "PlatformName": "mqaws lab", "PlatformVersion": "1",
                "ResourceType": "EC2Instance", "IPAddress": i["privateIpAddress"], "ComputerName": i["instanceId"],
            })
        })
        .collect();
    page("InstanceInformationList", rows, params)
}
