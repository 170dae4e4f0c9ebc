//! Values beside the others: what does not go together, and what is rarely meant.

use super::error::Violation;
use super::place::Place;
use super::read::Reader;
use crate::model::arn::Arn;
use crate::model::deployment::{Deployment, Mount, PerformanceMode, Throughput};
use crate::model::keys::{self, Topologies, Values};
use crate::model::{Engine, Region, ZoneName};
use crate::topology;
use mqaws_contract::Partition;
use mqaws_contract::engine::{AMQP, Endpoint, Switch};

/// Domain of the partitions whose services a new network reaches by endpoints of the names that the template has.
const ENDPOINTS: &str = "amazonaws.com";

impl Reader {
    pub(super) fn place(&self, key: &str) -> Place {
        self.given
            .get(key)
            .map_or(Place::Default, |given| given.place().clone())
    }

    pub(super) fn is_given(&self, key: &str) -> bool {
        self.given.contains_key(key)
    }

    pub(super) fn against(&mut self, key: &str, message: impl Into<String>, hint: impl Into<String>) {
        let place = self.place(key);
        self.refuse(Violation::new(key, message, place).hint(hint));
    }

    fn warn(&mut self, key: &str, message: &str, hint: &str) {
        let place = self.place(key);
        self.warnings.push(Violation::new(key, message, place).hint(hint));
    }

    /// Refuses what does not go together in a deployment that `values` made.
    pub(super) fn combinations(&mut self, deployment: &Deployment, values: &Values) {
        self.network(deployment, values);
        self.storage(deployment);
        self.tls();
        self.arns(deployment);
        self.machine(&deployment.image);
        self.packages(&deployment.image);
        self.endpoint(deployment);
        self.of_the_topology(deployment);
    }

    fn of_the_topology(&mut self, deployment: &Deployment) {
        let topology = deployment.topology;
        // One mistake is told once: a topology that there is not is another's default here.
        if self.violations.iter().any(|violation| violation.key == "topology") {
            return;
        }
        let (engine, takes) = (deployment.engine, topology::of(topology).facts().engines);
        if !takes.take(engine) {
            let message = format!(
                "engine `{}` does not go with topology `{}`",
                engine.as_str(),
                topology.as_str()
            );
            let words: Vec<String> = Engine::all()
                .filter(|engine| takes.take(*engine))
                .map(|engine| format!("`{}`", engine.as_str()))
                .collect();
            self.against(
                "engine",
                message,
                format!("use engine {}, or another topology", words.join(" or ")),
            );
        }
        for key in keys::keys() {
            if let Topologies::Only(these) = key.topologies
                && !these.contains(&topology)
                && self.is_given(key.path)
            {
                let words: Vec<String> = these.iter().map(|these| format!("`{}`", these.as_str())).collect();
                let message = format!("`{}` does not go with topology `{}`", key.path, topology.as_str());
                let hint = format!("remove it, or use topology {}", words.join(" or "));
                self.against(key.path, message, hint);
            }
        }
    }

    fn network(&mut self, deployment: &Deployment, values: &Values) {
        let region = deployment.region.as_ref();
        if self.is_given("network.cidr") {
            for key in ["network.vpc", "network.subnets"] {
                if self.is_given(key) {
                    let message = format!("`{key}` does not go with `network.cidr`, which makes a new network");
                    self.against(key, message, format!("remove `{key}`, or remove `network.cidr`"));
                }
            }
        } else if self.is_given("network.zones") {
            let hint = "remove it, or give the new network a range under `network.cidr`";
            self.against("network.zones", "`network.zones` is only for a new network", hint);
        }
        let partition = region.and_then(|region| Partition::of(region.as_str()));
        if values.get("network.cidr").is_some()
            && let Some(partition) = partition.filter(|partition| partition.dns_suffix != ENDPOINTS)
        {
            let message = format!(
                "a new network cannot be made in partition {} yet: its endpoints have other names",
                partition.name
            );
            let hint = "use an existing network: `network.vpc` and `network.subnets`";
            self.against("network.cidr", message, hint);
        }
        if let Some(region) = region {
            self.zones(region, values);
        }
        if deployment.network.clients.iter().any(|cidr| cidr.is_everything()) {
            let hint = "list only the ranges that your clients have";
            self.warn(
                "network.clients",
                "`network.clients` admits every address there is",
                hint,
            );
        }
    }

    fn zones(&mut self, region: &Region, values: &Values) {
        let zones = values.get("network.zones").and_then(|zones| zones.as_array());
        let zones = zones.into_iter().flatten();
        let mut zones = zones.filter_map(|zone| zone.as_str()?.parse::<ZoneName>().ok());
        if let Some(zone) = zones.find(|zone| zone.region() != *region) {
            let message = format!("zone {zone} is not in region {region}");
            self.against("network.zones", message, format!("name zones of {region}"));
        }
    }

    fn endpoint(&mut self, deployment: &Deployment) {
        let engine = deployment.engine;
        let switched = |endpoint: &Endpoint| endpoint.when == Some(Switch::Amqp);
        // What is always on may be said to be on.
        let always = engine
            .facts()
            .endpoints
            .iter()
            .any(|endpoint| endpoint.protocol == AMQP);
        let is_true = always && deployment.endpoint.amqp;
        if self.is_given("endpoint.amqp") && !is_true && !engine.facts().endpoints.iter().any(switched) {
            let message = format!("`endpoint.amqp` does not go with engine `{}`", engine.as_str());
            self.against(
                "endpoint.amqp",
                message,
                "remove it: what this engine serves is always on",
            );
        }
        if deployment.endpoint.internal {
            return;
        }
        if !self.is_given("network.clients") {
            let message = "an endpoint on the internet needs to know who may connect";
            let hint = "list the clients' ranges under `network.clients`";
            self.against("endpoint.internal", message, hint);
        }
        if deployment.tls.certificate.is_none() {
            let message =
                "the endpoint is on the internet without TLS: user, password and messages go there in clear text";
            let hint = "name a certificate's secret under `tls.certificate`";
            self.warn("endpoint.internal", message, hint);
        }
    }

    fn storage(&mut self, deployment: &Deployment) {
        let storage = &deployment.storage;
        if storage.mount == Mount::Nfs {
            let message =
                "mount `nfs` has no TLS and no IAM: the file system's policy admits whoever reaches a mount target";
            let hint =
                "keep `efs-utils`, unless the image cannot have it; security groups are all that protects the data";
            self.warn("storage.mount", message, hint);
        }
        let provisioned = storage.throughput == Throughput::Provisioned;
        if provisioned && !self.is_given("storage.provisioned_mibps") {
            let message = "provisioned throughput needs to know how much";
            let hint = "give the MiB/s under `storage.provisioned_mibps`";
            self.against("storage.throughput", message, hint);
        }
        if !provisioned && self.is_given("storage.provisioned_mibps") {
            let message = format!(
                "`storage.provisioned_mibps` does not go with throughput `{}`",
                storage.throughput.as_str()
            );
            let hint = "remove it, or set `storage.throughput: provisioned`";
            self.against("storage.provisioned_mibps", message, hint);
        }
        if storage.performance_mode == PerformanceMode::MaxIo && storage.throughput == Throughput::Elastic {
            let message = "performance mode `maxIO` does not go with throughput `elastic`";
            let hint = "keep `generalPurpose`, which AWS recommends for everything";
            self.against("storage.performance_mode", message, hint);
        }
    }

    fn tls(&mut self) {
        if !self.is_given("tls.certificate") {
            for key in ["tls.kms_key", "tls.server_name"] {
                if self.is_given(key) {
                    let message = format!("`{key}` says something about a certificate, and there is none");
                    let hint = "name the certificate's secret under `tls.certificate`, or remove this key";
                    self.against(key, message, hint);
                }
            }
        }
    }

    /// What an ARN names must lie where the stack does: no service takes it from another region or partition.
    fn arns(&mut self, deployment: &Deployment) {
        let Some(region) = &deployment.region else { return };
        let Deployment {
            tls,
            credentials,
            storage,
            security,
            alarms,
            ..
        } = deployment;
        let replicate = "replicate the secret to the deployment's region, and name the replica";
        let own = "name one of the deployment's region";
        let arns = [
            (
                "tls.certificate",
                tls.certificate.as_ref().map(AsRef::as_ref),
                replicate,
            ),
            ("tls.kms_key", tls.kms_key.as_ref().map(AsRef::as_ref), replicate),
            (
                "credentials.kms_key",
                credentials.kms_key.as_ref().map(AsRef::as_ref),
                own,
            ),
            ("storage.kms_key", storage.kms_key.as_ref().map(AsRef::as_ref), own),
            ("alarms.topic", alarms.topic.as_ref().map(AsRef::as_ref), own),
            (
                "security.permissions_boundary",
                security.permissions_boundary.as_ref().map(AsRef::as_ref),
                "name one of the deployment's partition",
            ),
            (
                "security.cloudformation_role",
                security.cloudformation_role.as_ref().map(AsRef::as_ref),
                "name one of the deployment's partition",
            ),
        ];
        for (key, text, hint) in arns {
            let Some(arn) = text.and_then(Arn::read) else { continue };
            if !arn.region.is_empty() && arn.region != region.as_str() {
                self.against(key, format!("`{key}` is in another region than the deployment"), hint);
            } else if !arn.partition.has(region.as_str()) {
                let message = format!("`{key}` is in partition {}, and {region} is not", arn.partition.name);
                self.against(key, message, hint);
            }
        }
    }
}
