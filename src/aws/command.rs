//! What is asked of the agent of one instance, through Systems Manager and a document of the stack's own.

use super::clients::Clients;
use super::sdk_error::wrap;
use crate::cloud::AwsError;
use crate::model::InstanceId;
use aws_sdk_ssm as ssm;
use mqaws_contract::verb::{Class, PageStart, Request, UNKNOWN_VERB};
use std::time::{Duration, Instant};

/// How long a command may take, delivery included; Systems Manager allows no less than 30 s for the delivery alone.
const LIMIT: Duration = Duration::from_secs(45);

/// An answer has at most so many pages; that of an agent which goes well has one.
const MOST_PAGES: usize = 200;

/// What a command printed and how it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CommandOutput {
    /// `Success`, `Failed`, `TimedOut` … in the words of Systems Manager.
    pub status: String,
    /// Exit code of the command; absent when it has none, as one that was not delivered.
    pub code: Option<i32>,
    /// Standard output, at most 24,000 characters.
    pub stdout: String,
    /// Standard error, at most 24,000 characters.
    pub stderr: String,
}

impl CommandOutput {
    /// Whether the agent, or the document's script, is of a version without the verb that was sent.
    pub(super) fn is_unknown_verb(&self) -> bool {
        self.code == Some(UNKNOWN_VERB)
    }
}

/// Whether the document is of a version without the verb that was sent, and Systems Manager refused its name.
pub(super) fn is_refused_verb(error: &AwsError) -> bool {
    error.code.as_deref() == Some("InvalidParameters")
}

/// Asks with a document and waits for the whole answer, which comes in pages when it is long.
pub(super) async fn ask(
    clients: &Clients,
    document: &str,
    instance: &InstanceId,
    request: &Request,
) -> Result<CommandOutput, AwsError> {
    let (mut whole, mut from) = (String::new(), PageStart::FIRST);
    for _ in 0..MOST_PAGES {
        let mut page = send(clients, document, instance, request.parameters(from)).await?;
        if page.status != "Success" || request.class() != Class::Read {
            return Ok(page);
        }
        let Some((kept, next)) = from.next(&page.stdout) else {
            page.stdout.insert_str(0, &whole);
            return Ok(page);
        };
        if kept == 0 {
            break;
        }
        whole.push_str(&page.stdout[..kept]);
        from = next;
    }
    Err(AwsError::unreadable(
        "ssm:GetCommandInvocation",
        "the end of StandardOutputContent",
    ))
}

async fn send(
    clients: &Clients,
    document: &str,
    instance: &InstanceId,
    parameters: Vec<(&'static str, String)>,
) -> Result<CommandOutput, AwsError> {
    let client = ssm::Client::new(clients.config());
    let mut call = client
        .send_command()
        .document_name(document)
        .instance_ids(instance.as_str())
        .timeout_seconds(30);
    for (name, value) in parameters {
        call = call.parameters(name, vec![value]);
    }
    let sent = call.send().await;
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
                        code: (status == "Failed").then(|| answer.response_code()),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verb_that_document_or_agent_do_not_know_is_told_from_one_that_failed() {
        let output = |code| CommandOutput {
            status: "Failed".into(),
            code,
            stdout: String::new(),
            stderr: String::new(),
        };
        assert!(output(Some(2)).is_unknown_verb());
        assert!(!output(Some(4)).is_unknown_verb() && !output(None).is_unknown_verb());
        let refused = |code| is_refused_verb(&AwsError::test_answer("ssm:SendCommand", code, ""));
        assert!(refused("InvalidParameters"));
        assert!(!refused("InvalidInstanceId") && !refused("AccessDeniedException"));
    }
}
