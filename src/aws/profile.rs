//! The profile of the AWS configuration files that calls are made with.

use crate::cloud::{AwsError, Problem};

/// A profile that the configuration files have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Profile {
    /// Its name.
    pub name: String,
    /// Whether its credentials come from a session of IAM Identity Center.
    pub sso: bool,
}

impl Profile {
    /// The one that an option or `AWS_PROFILE` names, else the default one; `None` when there is no default one, or when the files
    /// cannot be read, of which the SDK tells.
    ///
    /// # Errors
    /// [`Problem::NoProfile`] for a name that the files do not have: the SDK would look elsewhere, or speak of a provider.
    pub(super) async fn chosen(named: Option<&str>) -> Result<Option<Self>, AwsError> {
        let variable = || std::env::var("AWS_PROFILE").ok();
        let named = named.map(str::to_owned).or_else(variable);
        let named = named.filter(|name| !name.trim().is_empty());
        // The file system and the environment of this process, whose types the SDK keeps to itself.
        let files = Default::default();
        let Ok(found) = aws_config::profile::load(&Default::default(), &Default::default(), &files, None).await else {
            return Ok(None);
        };
        let name = named.as_deref().unwrap_or("default");
        match found.get_profile(name) {
            Some(profile) => Ok(Some(Self {
                name: name.to_owned(),
                sso: ["sso_start_url", "sso_session"]
                    .iter()
                    .any(|key| profile.get(key).is_some()),
            })),
            None if named.is_none() || name == "default" => Ok(None),
            None => {
                let mut known: Vec<String> = found.profiles().map(str::to_owned).collect();
                known.sort();
                Err(AwsError::local(
                    "AWS configuration",
                    Problem::NoProfile {
                        name: name.to_owned(),
                        known,
                    },
                    None,
                ))
            }
        }
    }
}
