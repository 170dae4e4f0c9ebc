//! One command line on one instance, through Systems Manager.

use super::clients::Clients;
use super::sdk_error::wrap;
use crate::cloud::AwsError;
use crate::model::InstanceId;
use aws_sdk_ssm as ssm;
use std::time::{Duration, Instant};

/// How long a command may take, delivery included; Systems Manager allows no less than 30 s for the delivery alone.
const LIMIT: Duration = Duration::from_secs(45);

/// What a command printed and how it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CommandOutput {
    /// `Success`, `Failed`, `TimedOut` … in the words of Systems Manager.
    pub status: String,
    /// Standard output, at most 24,000 characters.
    pub stdout: String,
    /// Standard error, at most 24,000 characters.
    pub stderr: String,
}

/// Runs one command line with `AWS-RunShellScript` and waits for its end.
pub(super) async fn run(clients: &Clients, instance: &InstanceId, line: &str) -> Result<CommandOutput, AwsError> {
    let client = ssm::Client::new(clients.config());
    let sent = client
        .send_command()
        .document_name("AWS-RunShellScript")
        .instance_ids(instance.as_str())
        .parameters("commands", vec![line.to_owned()])
        .timeout_seconds(30)
        .send()
        .await;
    let sent = wrap("ssm:SendCommand", sent)?;
    let id = sent.command().and_then(|c| c.command_id());
    let id = id
        .ok_or_else(|| AwsError::unreadable("ssm:SendCommand", "CommandId"))?
        .to_owned();

    let began = Instant::now();
    let mut pause = if clients.is_local() {
        Duration::from_millis(5)
    } else {
        Duration::from_millis(500)
    };
    loop {
        tokio::time::sleep(pause).await;
        let call = client
            .get_command_invocation()
            .command_id(&id)
            .instance_id(instance.as_str());
        match wrap("ssm:GetCommandInvocation", call.send().await) {
            Ok(answer) => {
                let status = answer.status().map(|s| s.as_str()).unwrap_or_default();
                if !matches!(status, "Pending" | "InProgress" | "Delayed" | "Cancelling") {
                    return Ok(CommandOutput {
                        status: status.to_owned(),
                        stdout: answer.standard_output_content().unwrap_or_default().to_owned(),
                        stderr: answer.standard_error_content().unwrap_or_default().to_owned(),
                    });
                }
            }
            // The invocation appears some moments after the command.
            Err(error) if error.is_not_found() || error.is_transient() => {}
            Err(error) => return Err(error),
        }
        if began.elapsed() > LIMIT {
            return Err(AwsError::timed_out("ssm:GetCommandInvocation"));
        }
        pause = (pause * 3 / 2).min(Duration::from_secs(2));
    }
}
