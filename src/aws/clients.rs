//! One account, region and endpoint, and the clients of its services.

use super::http;
use super::profile::Profile;
use super::sdk_error::wrap;
use crate::cloud::AwsError;
use aws_config::default_provider::credentials::DefaultCredentialsChain;
use aws_config::environment::{EnvironmentVariableCredentialsProvider, EnvironmentVariableRegionProvider};
use aws_config::imds::region::ImdsRegionProvider;
use aws_config::meta::credentials::CredentialsProviderChain;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::{ProfileFileCredentialsProvider, ProfileFileRegionProvider};
use aws_config::provider_config::ProviderConfig;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{AppName, BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use std::time::Duration;

/// Attempts of one call, the first included.
const ATTEMPTS: u32 = 8;

/// Which account, region and endpoint the user chose; what is absent comes from the AWS configuration files and variables.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Choice {
    /// Region.
    pub region: Option<String>,
    /// Profile of the AWS configuration files, including profiles that use SSO.
    pub profile: Option<String>,
    /// Endpoint of every call.
    pub endpoint_url: Option<String>,
}

/// How to reach a local cloud, as its `lab.json` says.
#[derive(Clone, PartialEq, Eq)]
pub struct LocalCloud {
    /// Endpoint of every call.
    pub endpoint: String,
    /// Region.
    pub region: String,
    /// Access key of the cloud's administrator.
    pub access_key_id: String,
    /// Its secret.
    pub secret_access_key: String,
}

/// Who the credentials belong to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Account id.
    pub account: String,
    /// ARN of the user or the session.
    pub arn: String,
}

/// The clients of one account, region and endpoint; cheap to clone.
#[derive(Debug, Clone)]
pub struct Clients {
    config: SdkConfig,
    region: String,
    local: bool,
    /// The profile, when its credentials come from a session that has to be begun.
    sso: Option<String>,
}

impl Clients {
    /// Loads region and credentials as the AWS tools do: the choice, variables, profile, SSO, container, instance role.
    ///
    /// An endpoint on loopback gets credentials from variables or the profile only: asking an instance metadata service
    /// for them would take seconds and could hand real credentials to something that is not AWS.
    ///
    /// # Errors
    /// [`NoRegion`](crate::cloud::Problem::NoRegion), [`Endpoint`](crate::cloud::Problem::Endpoint) for an URL that is none,
    /// [`NoProfile`](crate::cloud::Problem::NoProfile). Credentials are looked at with the first call; see [`Clients::identity`].
    pub async fn load(choice: &Choice) -> Result<Self, AwsError> {
        let endpoint = choice.endpoint_url.as_deref();
        if let Some(url) = endpoint
            && !(url.starts_with("http://") || url.starts_with("https://")) | http::host(url).is_none()
        {
            return Err(AwsError::bad_endpoint(url));
        }
        let profile = Profile::chosen(choice.profile.as_deref()).await?;
        let loopback = endpoint.is_some_and(http::is_loopback);
        let client = http::client(endpoint);
        let region = match &choice.region {
            Some(region) => Some(Region::new(region.clone())),
            None => {
                region(
                    choice,
                    loopback,
                    &ProviderConfig::default().with_http_client(client.clone()),
                )
                .await
            }
        };
        // An empty variable counts as absent, as with the other AWS tools.
        let region = region.filter(|r| !r.as_ref().trim().is_empty());
        let region = region.ok_or_else(AwsError::no_region)?;
        let provider_config = ProviderConfig::default()
            .with_http_client(client.clone())
            .with_region(Some(region.clone()));
        let credentials = if loopback {
            let mut profile = ProfileFileCredentialsProvider::builder().configure(&provider_config);
            if let Some(name) = &choice.profile {
                profile = profile.profile_name(name);
            }
            match choice.profile {
                Some(_) => SharedCredentialsProvider::new(profile.build()),
                None => SharedCredentialsProvider::new(
                    CredentialsProviderChain::first_try("Environment", EnvironmentVariableCredentialsProvider::new())
                        .or_else("Profile", profile.build()),
                ),
            }
        } else {
            let mut chain = DefaultCredentialsChain::builder()
                .configure(provider_config)
                .region(region.clone());
            if let Some(name) = &choice.profile {
                chain = chain.profile_name(name);
            }
            SharedCredentialsProvider::new(chain.build().await)
        };
        let mut loader = aws_config::defaults(BehaviorVersion::latest())
            .http_client(client)
            .region(region.clone())
            .credentials_provider(credentials)
            .retry_config(retries(loopback))
            .timeout_config(timeouts(loopback));
        if let Some(name) = &choice.profile {
            loader = loader.profile_name(name);
        }
        if let Some(url) = endpoint {
            loader = loader.endpoint_url(url);
        }
        if let Ok(name) = AppName::new("mqaws") {
            loader = loader.app_name(name);
        }
        Ok(Self {
            config: loader.load().await,
            region: region.to_string(),
            local: false,
            sso: profile.filter(|profile| profile.sso).map(|profile| profile.name),
        })
    }

    /// The clients of a local cloud; profiles and every AWS variable are ignored.
    pub fn local(cloud: &LocalCloud) -> Self {
        let credentials = Credentials::new(
            &cloud.access_key_id,
            &cloud.secret_access_key,
            None,
            None,
            "mqaws local cloud",
        );
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(cloud.region.clone()))
            .endpoint_url(&cloud.endpoint)
            .http_client(http::client(Some(&cloud.endpoint)))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .retry_config(retries(true))
            .timeout_config(timeouts(true))
            .build();
        Self {
            config,
            region: cloud.region.clone(),
            local: true,
            sso: None,
        }
    }

    /// The region of every call.
    pub fn region(&self) -> &str {
        &self.region
    }

    /// The endpoint, when it is not AWS itself.
    pub fn endpoint(&self) -> Option<&str> {
        self.config.endpoint_url()
    }

    /// The endpoint of one service by its name in variables, `EC2`, when it is not AWS itself; for programs that are told
    /// where to call. An endpoint of a profile is not seen.
    pub fn endpoint_of(&self, service: &str) -> Option<String> {
        let variable = |name: &str| std::env::var(name).ok().filter(|url| !url.trim().is_empty());
        let ignored =
            variable("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS").is_some_and(|word| word.eq_ignore_ascii_case("true"));
        let configured = || match ignored || self.local {
            true => None,
            false => variable(&format!("AWS_ENDPOINT_URL_{service}")).or_else(|| variable("AWS_ENDPOINT_URL")),
        };
        self.endpoint().map(str::to_owned).or_else(configured)
    }

    /// Whether this is the local cloud of mqaws.
    pub fn is_local(&self) -> bool {
        self.local
    }

    /// Asks AWS who we are: the cheapest way to find missing or expired credentials, and an endpoint that does not
    /// answer, before anything else is tried. Makes fewer attempts than other calls, since a person waits for it.
    ///
    /// # Errors
    /// Any [`AwsError`].
    pub async fn identity(&self) -> Result<Identity, AwsError> {
        let retries = match self.endpoint().is_some_and(http::is_loopback) {
            true => retries(true),
            false => RetryConfig::standard().with_max_attempts(3),
        };
        let few = aws_sdk_sts::config::Config::builder().retry_config(retries);
        let call = aws_sdk_sts::Client::new(&self.config).get_caller_identity();
        let answer = wrap(
            "sts:GetCallerIdentity",
            call.customize().config_override(few).send().await,
        )
        .map_err(|e| e.at(self.endpoint(), &self.region).of_session(self.sso.as_deref()))?;
        Ok(Identity {
            account: answer.account().unwrap_or_default().to_owned(),
            arn: answer.arn().unwrap_or_default().to_owned(),
        })
    }

    /// The configuration, for adapters in `aws` that build a client of their own.
    pub(crate) fn config(&self) -> &SdkConfig {
        &self.config
    }
}

/// The region of variables, profile and, away from loopback, the instance metadata service.
async fn region(choice: &Choice, loopback: bool, with: &ProviderConfig) -> Option<Region> {
    let mut profile = ProfileFileRegionProvider::builder();
    if let Some(name) = &choice.profile {
        profile = profile.profile_name(name);
    }
    let chain = RegionProviderChain::first_try(EnvironmentVariableRegionProvider::new()).or_else(profile.build());
    if loopback {
        return chain.region().await;
    }
    // The default chain would build this one without an HTTP client, and panic.
    chain
        .or_else(ImdsRegionProvider::builder().configure(with).build())
        .region()
        .await
}

fn retries(loopback: bool) -> RetryConfig {
    let retries = RetryConfig::standard().with_max_attempts(ATTEMPTS);
    if loopback {
        // A cloud on this machine needs no politeness.
        retries
            .with_initial_backoff(Duration::from_millis(40))
            .with_max_backoff(Duration::from_secs(1))
    } else {
        retries
    }
}

fn timeouts(loopback: bool) -> TimeoutConfig {
    let timeouts = TimeoutConfig::builder().connect_timeout(Duration::from_secs(5));
    let timeouts = match loopback {
        // Who accepts on this machine and does not answer will not: eight attempts of 30 s each would say so after minutes.
        true => timeouts
            .operation_attempt_timeout(Duration::from_secs(15))
            .operation_timeout(Duration::from_secs(30)),
        false => timeouts.operation_attempt_timeout(Duration::from_secs(30)),
    };
    timeouts.build()
}
