//! The ports [`Cloud`] and [`Metadata`] over AWS's API.

use super::notices::Notices;
use super::ports::{CertificateError, Cloud, HookError, Identity, Metadata, SignalResult};
use crate::fence::{BootId, CloudState, CreateWord};
use crate::model::InstanceId;
use crate::model::agent::{AgentConfig, CREATE_TAG, CREATED_TAG, tag_of};
use crate::remedy::{Remedy, chain};
use crate::signed::{CallError, Client, Datum, Imds, ImdsError, RetryPolicy, Signal, SignalOutcome};
use mqaws_engine::Certificate;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use std::sync::Mutex;

/// What Auto Scaling says when a hook does not wait: not yet, or not any more.
const NOT_WAITING: &str = "No active Lifecycle Action found";

/// AWS as one stack's agent sees it.
pub struct Aws {
    client: Client,
    /// For the questions of a fence: each is asked again and again anyway, with a look at the previous owner's sign of life
    /// in between, so that one call must not take longer than one attempt.
    fence: Client,
    config: AgentConfig,
    /// Name of the certificate in a secret that names none.
    label: String,
    group: Mutex<Option<String>>,
    /// What this agent notes on a file system whose word it uses up, while it does not know whether that was written.
    using: Mutex<Option<String>>,
}

#[derive(Deserialize)]
struct Login {
    username: String,
    password: String,
}

impl Aws {
    /// Calls for this configuration; `label` is the name of the certificate in a secret that names none.
    pub fn new(client: Client, config: AgentConfig, label: String) -> Self {
        let once = RetryPolicy {
            attempts: 1,
            ..RetryPolicy::default()
        };
        Self {
            fence: client.clone().with_retry(once),
            client,
            config,
            label,
            group: Mutex::new(None),
            using: Mutex::new(None),
        }
    }

    /// The group's name; it does not change while the instance lives, so one answer is kept.
    fn group(&self, me: &InstanceId) -> Result<Option<String>, CallError> {
        let mut kept = self.group.lock().unwrap_or_else(|e| e.into_inner());
        if kept.is_none() {
            *kept = self.client.auto_scaling_group(me)?;
        }
        Ok(kept.clone())
    }
}

impl Aws {
    /// Uses up the word `create` with this note, unless it was used before, by another note than this one.
    fn use_up(&self, own: &str) -> Result<CreateWord, String> {
        let file_system = &self.config.storage.file_system;
        let tags = self.fence.tags_of_file_system(file_system).map_err(words)?;
        let tag = |name: &str| {
            tags.iter()
                .find(|(key, _)| key == name)
                .map(|(_, value)| value.as_str())
        };
        let named = tag_of(&self.config.queue_manager);
        let given = tag(CREATE_TAG) == Some(&*named);
        let own = &format!("{named} {own}");
        Ok(match tag(CREATED_TAG) {
            // Written by an attempt of this agent whose answer did not arrive.
            Some(by) if by == own => CreateWord::Given,
            Some(by) if by.split(' ').next() == Some(&*named) => CreateWord::Used,
            _ if !given => CreateWord::Absent,
            _ => {
                self.fence
                    .tag_file_system(file_system, CREATED_TAG, own)
                    .map_err(words)?;
                CreateWord::Given
            }
        })
    }
}

/// A call's error for a person: cause and remedy in one line.
fn words(error: CallError) -> String {
    match error.hint() {
        Some(hint) => format!("{}; {hint}", error.line()),
        None => error.line(),
    }
}

impl Cloud for Aws {
    fn state_of(&self, instance: &InstanceId, me: &InstanceId) -> Result<CloudState, String> {
        let found = self.fence.describe_instances(&[instance, me]).map_err(words)?;
        // An endpoint that does not know even this host (another region, another account, a stale replica) proves nothing
        // by not knowing another.
        if !found.iter().any(|i| i.id.is(me)) {
            return Err(format!(
                "the response of ec2:DescribeInstances does not contain this instance, {me}, so it is ignored"
            ));
        }
        Ok(
            match found.iter().find(|i| i.id.is(instance)).map(|i| i.state.as_str()) {
                None => CloudState::Unknown,
                Some("terminated") => CloudState::Terminated,
                Some("stopped") => CloudState::Stopped,
                Some(state) => CloudState::MayRun(state.to_owned()),
            },
        )
    }

    fn terminate(&self, instance: &InstanceId) -> Result<(), String> {
        self.fence.terminate_instance(instance).map_err(words)
    }

    fn use_create_word(&self, me: &InstanceId) -> Result<CreateWord, String> {
        let mut using = self.using.lock().unwrap_or_else(|e| e.into_inner());
        let own = using
            .get_or_insert_with(|| format!("{me} {}", jiff::Timestamp::now()))
            .clone();
        let word = self.use_up(&own)?;
        // It is for one creation: the next one is asked about anew.
        *using = None;
        Ok(word)
    }

    fn spend_create_word(&self, me: &InstanceId) -> Result<(), String> {
        // Never what a creation by this agent would note: the word is used up for it too.
        let note = format!("{me} {} existing data", jiff::Timestamp::now());
        self.use_up(&note).map(|_| ())
    }

    fn signal(&self, me: &InstanceId, success: bool) -> Result<SignalResult, String> {
        let signal = Signal {
            stack: &self.config.stack,
            resource: &self.config.group,
            id: me,
            success,
        };
        match self.client.signal(&signal).map_err(words)? {
            SignalOutcome::Taken => Ok(SignalResult::Taken),
            SignalOutcome::NotWaiting => Ok(SignalResult::NotWaiting),
        }
    }

    fn report_unhealthy(&self, me: &InstanceId) -> Result<(), String> {
        self.client.report_unhealthy(me).map_err(words)
    }

    fn complete_hook(&self, me: &InstanceId) -> Result<(), HookError> {
        let failed = |error| HookError::Failed(words(error));
        let Some(group) = self.group(me).map_err(failed)? else {
            return Ok(());
        };
        match self.client.complete_lifecycle_action(&group, &self.config.hook, me) {
            // The group waits for the load balancer to let go of this instance first, and only then for the hook.
            Err(error @ CallError::Api { .. }) if error.line().contains(NOT_WAITING) => {
                Err(HookError::NotWaiting(words(error)))
            }
            // The group has no such hook.
            Err(error) if error.code() == Some("ValidationError") => Ok(()),
            other => other.map_err(failed),
        }
    }

    fn credentials(&self) -> Result<(String, SecretString), String> {
        let text = self.client.secret(&self.config.credentials).map_err(words)?;
        // The parser's message could quote the text: only the place is told.
        let login: Login = serde_json::from_str(text.expose_secret()).map_err(|e| {
            format!(
                "the secret must be {{\"username\":…,\"password\":…}}: invalid at line {} column {}",
                e.line(),
                e.column()
            )
        })?;
        Ok((login.username, SecretString::from(login.password)))
    }

    fn certificate(&self) -> Result<Certificate, CertificateError> {
        let secret = &self.config.certificate;
        let of = |why: String| format!("the certificate in {secret}: {why}");
        let text = self.client.secret(secret).map_err(|error| match error.may_pass() {
            true => CertificateError::Unanswered(of(words(error))),
            false => CertificateError::Unusable(of(words(error))),
        })?;
        Certificate::parse(&text, &self.label).map_err(|why| CertificateError::Unusable(of(why)))
    }

    fn put_metrics(&self, data: &[Datum]) -> Result<(), String> {
        self.client
            .put_metrics(&self.config.metrics_namespace, &self.config.stack, data)
            .map_err(words)
    }
}

/// The metadata service of this instance.
pub struct InstanceMetadata {
    imds: Imds,
}

impl InstanceMetadata {
    /// Over this client.
    pub fn new(imds: Imds) -> Self {
        Self { imds }
    }
}

/// The kernel's boot id.
///
/// # Errors
/// When the kernel does not tell.
pub(crate) fn boot_id() -> std::io::Result<BootId> {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id")?;
    BootId::new(text.trim()).map_err(std::io::Error::other)
}

impl Metadata for InstanceMetadata {
    fn identity(&self) -> Result<Identity, String> {
        let need = |name| self.imds.need(name).map_err(|e: ImdsError| chain(&e));
        let address = need("local-ipv4")?;
        Ok(Identity {
            instance: InstanceId::new(need("instance-id")?).map_err(|e| chain(&e))?,
            zone: need("placement/availability-zone")?,
            address: address.parse().map_err(|_| format!("local-ipv4 is `{address}`"))?,
            boot: boot_id().map_err(|e| format!("cannot read the boot ID: {e}"))?,
            lifecycle: self.lifecycle()?,
        })
    }

    fn lifecycle(&self) -> Result<Option<String>, String> {
        self.imds
            .get("autoscaling/target-lifecycle-state")
            .map_err(|e| chain(&e))
    }

    fn notices(&self) -> Result<Notices, String> {
        let get = |name| self.imds.get(name).map_err(|e| chain(&e));
        Ok(Notices {
            maintenance: get("events/maintenance/scheduled")?,
            spot: get("spot/instance-action")?,
        })
    }

    fn tag(&self, name: &str) -> Result<Option<String>, String> {
        self.imds.get(&format!("tags/instance/{name}")).map_err(|e| chain(&e))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signed::{Credentials, CredentialsSource, Endpoints, Transport, TransportError};
    use serde_json::{Value, json};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    /// A file system's tags, as EFS answers about them.
    #[derive(Default)]
    struct Tags {
        all: Mutex<Vec<Value>>,
        /// The next tag is written, and nobody hears of it.
        loses_answer: AtomicBool,
    }

    impl Transport for Tags {
        fn send(&self, request: http::Request<Vec<u8>>) -> Result<http::Response<Vec<u8>>, TransportError> {
            assert!(request.headers().contains_key("authorization"));
            let mut all = self.all.lock().expect("tags");
            if request.method() != "GET" {
                let body: Value = serde_json::from_slice(request.body()).expect("JSON");
                all.extend(body["Tags"].as_array().expect("tags").iter().cloned());
                if self.loses_answer.swap(false, Ordering::SeqCst) {
                    return Err(TransportError {
                        authority: "nowhere".into(),
                        source: "timed out".into(),
                    });
                }
            }
            let body = json!({ "Tags": *all }).to_string().into_bytes();
            Ok(http::Response::new(body))
        }
    }

    struct Keys;

    impl CredentialsSource for Keys {
        fn get(&self, _: bool) -> Result<Credentials, ImdsError> {
            Ok(Credentials {
                access_key_id: "AKIDEXAMPLE".into(),
                secret_access_key: "a key".to_owned().into(),
                session_token: None,
                expires: None,
            })
        }
    }

    fn aws(tags: &Arc<Tags>) -> Aws {
        let config = include_str!("../../../tests/fixtures/agent.json");
        let config = serde_json::from_str(config).expect("a configuration");
        let client = Client::new(Endpoints::new("eu-west-1", None), Arc::new(Keys), tags.clone());
        Aws::new(client, config, "qm1".to_owned())
    }

    #[test]
    fn the_word_is_given_once_even_when_the_answer_is_lost() {
        let me: InstanceId = "i-1".parse().expect("an ID");
        let tags = Arc::new(Tags::default());
        let cloud = aws(&tags);
        assert_eq!(cloud.use_create_word(&me), Ok(CreateWord::Absent));
        assert!(tags.all.lock().expect("tags").is_empty(), "nothing is written");

        let create = json!({"Key": CREATE_TAG, "Value": "QM1"});
        tags.all.lock().expect("tags").push(create);
        tags.loses_answer.store(true, Ordering::SeqCst);
        cloud.use_create_word(&me).expect_err("no answer");
        assert_eq!(cloud.use_create_word(&me), Ok(CreateWord::Given), "it is its own");
        assert_eq!(tags.all.lock().expect("tags").len(), 2, "written once");
        // For its next creation, and for another host.
        assert_eq!(cloud.use_create_word(&me), Ok(CreateWord::Used));
        let other: InstanceId = "i-2".parse().expect("an ID");
        assert_eq!(aws(&tags).use_create_word(&other), Ok(CreateWord::Used));
    }
}
