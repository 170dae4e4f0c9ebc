//! From options and configuration to the clients of an account.

use super::local::{self, Start};
use super::{Context, Failure};
use crate::aws::{Choice, Clients};
use crate::deploy::Pace;
use crate::model::Deployment;

impl Context {
    /// The clients that the options choose: a local cloud, or region, profile and endpoint; flags and variables weigh
    /// more than the file, the file more than the AWS configuration.
    ///
    /// # Errors
    /// No local cloud runs and `start` does not start one; no region.
    pub async fn clients(&self, deployment: &Deployment, start: Start) -> Result<Clients, Failure> {
        let global = self.global();
        if global.local {
            let clients = Clients::local(&local::cloud(self, start, deployment.engine).await?);
            return Ok(self.at(clients, None));
        }
        let choice = Choice {
            region: global
                .region
                .clone()
                .or(deployment.region.as_ref().map(ToString::to_string)),
            profile: global
                .profile
                .clone()
                .or(deployment.profile.as_ref().map(ToString::to_string)),
            endpoint_url: global.endpoint_url.clone(),
        };
        let clients = Clients::load(&choice).await?;
        Ok(self.at(clients, choice.profile.as_deref()))
    }

    /// The clients, and their place for the commands of the AWS CLI that a message suggests.
    fn at(&self, clients: Clients, profile: Option<&str>) -> Clients {
        let suggestions = self.output().suggestions();
        suggestions.at(clients.region(), clients.endpoint(), profile);
        clients
    }
}

/// How often to look, by where the cloud is.
pub fn pace(clients: &Clients) -> Pace {
    if clients.is_local() { Pace::LOCAL } else { Pace::AWS }
}
