//! Cutting and mending the network cable of an instance: a fault of the lab, which no AWS client can ask for.

use super::Ec2;
use crate::api::{ApiError, ApiResult, only, required};
use crate::server::Routes;
use serde_json::{Value, json};
use std::net::Ipv4Addr;
use std::sync::Arc;

/// Adds `POST /_mqaws/cut` and `POST /_mqaws/mend`, both with `{"instance": ID}`, for the administrator.
pub(super) fn add_routes(routes: &mut Routes, ec2: &Arc<Ec2>) {
    for (path, connected) in [("/_mqaws/cut", false), ("/_mqaws/mend", true)] {
        let ec2 = ec2.clone();
        routes.on("POST", path, move |_, request| {
            let ec2 = ec2.clone();
            async move { connect(&ec2, &request.body, connected).await }
        });
    }
}

impl Ec2 {
    /// Instances that run in the zone of this one, itself among them.
    ///
    /// # Errors
    /// `InvalidInstanceID.NotFound`.
    pub(crate) fn neighbors(&self, id: &str) -> Result<Vec<String>, ApiError> {
        let state = self.state();
        let zone = state.instance(id)?.zone.clone();
        let running = state.instances.values().filter(|i| i.zone == zone && i.is_running());
        Ok(running.map(|i| i.id.clone()).collect())
    }

    /// Address of an instance.
    ///
    /// # Errors
    /// `InvalidInstanceID.NotFound`.
    pub(crate) fn address_of(&self, id: &str) -> Result<Ipv4Addr, ApiError> {
        Ok(self.state().instance(id)?.address)
    }

    /// Unplugs or plugs in the cable of an instance.
    ///
    /// # Errors
    /// As `connect`.
    pub(crate) async fn plug(&self, id: &str, connected: bool) -> ApiResult {
        connect(self, &json!({"instance": id}), connected).await
    }
}

/// Unplugs or plugs in: `{"instance", "connected"}`.
///
/// # Errors
/// `InvalidInstanceID.NotFound`; `IncorrectInstanceState` when it does not run; `UnsupportedOperation` where instances have
/// no cables.
async fn connect(ec2: &Ec2, body: &Value, connected: bool) -> ApiResult {
    only(body, &["instance"])?;
    let id = required(body, "instance")?;
    ec2.state().instance(&id)?;
    let Some(host) = ec2.running_host(&id) else {
        return Err(ApiError::new(
            "IncorrectInstanceState",
            format!("The instance '{id}' is not running"),
        ));
    };
    match host.connect(connected).await {
        Ok(true) => Ok(json!({"instance": id, "connected": connected})),
        Ok(false) => Err(ApiError::new(
            "UnsupportedOperation",
            "instances of this lab have no network links to cut; start it with `--hosts namespace`",
        )),
        Err(error) => {
            let message = super::with_cause(&error);
            Err(ApiError::new("InternalError", message).status(500))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_a_known_instance_that_runs_has_a_cable_to_cut() {
        let ec2 = Ec2::new("eu-west-1");
        for (body, code) in [
            (json!({}), "MissingParameter"),
            (json!({"instance": "i-0", "zone": "a"}), "UnknownParameter"),
            (json!({"instance": "i-0"}), "InvalidInstanceID.NotFound"),
        ] {
            let error = connect(&ec2, &body, false).await.expect_err("nothing to cut");
            assert_eq!(error.code, code, "{body}");
        }
    }
}
