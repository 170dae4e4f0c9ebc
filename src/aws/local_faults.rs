//! Faults of the local cloud itself, by its own calls, which only its administrator may make.

use super::clients::Clients;
use crate::failover::port::CloudError;
use crate::model::InstanceId;
use crate::model::agent::FaultReport;
use crate::topology::Fault;
use aws_credential_types::provider::ProvideCredentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use serde::Deserialize;
use serde_json::json;
use std::time::{Duration, SystemTime};

/// Path of the calls.
const FAULTS: &str = "/_mqaws/faults";
/// How long one may take.
const ANSWER: Duration = Duration::from_secs(20);

type Cause = Box<dyn std::error::Error + Send + Sync>;

impl Clients {
    /// Has the local cloud inject a fault.
    pub(super) async fn inject_locally(
        &self,
        fault: Fault,
        instance: &InstanceId,
        time: Duration,
    ) -> Result<FaultReport, CloudError> {
        let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let body = json!({"fault": fault.name(), "instance": instance, "milliseconds": millis});
        let answered = self.local_call("POST", body.to_string()).await;
        let read = answered.and_then(|text| serde_json::from_str(&text).map_err(Cause::from));
        read.map_err(|cause| CloudError::remote(format!("inject {fault} on {instance}"), cause))
    }

    /// What the local cloud has seen of its faults.
    pub(super) async fn local_faults(&self) -> Result<Vec<FaultReport>, CloudError> {
        #[derive(Deserialize)]
        struct Answer {
            faults: Vec<FaultReport>,
        }
        let answered = self.local_call("GET", String::new()).await;
        let read = answered.and_then(|text| serde_json::from_str(&text).map_err(Cause::from));
        let answer: Answer = read.map_err(|cause| CloudError::remote("read the faults of the local cloud", cause))?;
        Ok(answer.faults)
    }

    /// Has the local cloud end its faults.
    pub(super) async fn heal_locally(&self) -> Result<(), CloudError> {
        let answered = self.local_call("DELETE", String::new()).await;
        answered
            .map(drop)
            .map_err(|cause| CloudError::remote("end the faults of the local cloud", cause))
    }

    async fn local_call(&self, method: &'static str, body: String) -> Result<String, Cause> {
        let endpoint = self
            .endpoint()
            .filter(|_| self.is_local())
            .ok_or("this is not a local cloud")?;
        let url = format!("{}{FAULTS}", endpoint.trim_end_matches('/'));
        let provider = self.config().credentials_provider().ok_or("no credentials")?;
        let identity = provider.provide_credentials().await?.into();
        let settings = v4::SigningParams::builder()
            .identity(&identity)
            .region(self.region())
            .name("mqaws")
            .time(SystemTime::now())
            .settings(SigningSettings::default())
            .build()?
            .into();
        let headers = [("content-type", "application/json")];
        let signable = SignableRequest::new(method, &url, headers.into_iter(), SignableBody::Bytes(body.as_bytes()))?;
        let (signed, _) = sign(signable, &settings)?.into_parts();
        let mut request = http::Request::builder().method(method).uri(&url);
        for (name, value) in headers.into_iter().chain(signed.headers()) {
            request = request.header(name, value);
        }
        let request = request.body(body)?;
        tokio::task::spawn_blocking(move || send(request)).await?
    }
}

/// Sends a request; a refusal is an error in the local cloud's words.
fn send(request: http::Request<String>) -> Result<String, Cause> {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_global(Some(ANSWER))
        .http_status_as_error(false)
        .proxy(None)
        .build()
        .into();
    let mut answer = agent.run(request)?;
    let text = answer.body_mut().read_to_string()?;
    match answer.status().is_success() {
        true => Ok(text),
        false => Err(format!("{}: {text}", answer.status()).into()),
    }
}
