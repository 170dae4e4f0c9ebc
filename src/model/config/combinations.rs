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
                "engine `{}` cannot be combined with topology `{}`",
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
                format!("use engine {}, or a different topology", words.join(" or ")),
            );
        }
        for key in keys::keys() {
            if let Topologies::Only(these) = key.topologies
                && !these.contains(&topology)
                && self.is_given(key.path)
            {
                let words: Vec<String> = these.iter().map(|these| format!("`{}`", these.as_str())).collect();
                let message = format!(
                    "`{}` cannot be combined with topology `{}`",
                    key.path,
                    topology.as_str()
                );
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
                    let message =
                        format!("`{key}` cannot be combined with `network.cidr`, which creates a new network");
                    self.against(key, message, format!("remove `{key}`, or remove `network.cidr`"));
                }
            }
        } else if self.is_given("network.zones") {
            let hint = "remove it, or set `network.cidr` to the range of a new network";
            self.against(
                "network.zones",
                "`network.zones` requires a new network (`network.cidr`)",
                hint,
            );
        }
        let partition = region.and_then(|region| Partition::of(region.as_str()));
        if values.get("network.cidr").is_some()
            && let Some(partition) = partition.filter(|partition| partition.dns_suffix != ENDPOINTS)
        {
            let message = format!(
                "cannot create a new network in partition {}: its endpoint names are not supported yet",
                partition.name
            );
            let hint = "use an existing network: `network.vpc` and `network.subnets`";
            self.against("network.cidr", message, hint);
        }
        if let Some(region) = region {
            self.zones(region, values);
        }
        if deployment.network.clients.iter().any(|cidr| cidr.is_everything()) {
            let hint = "list only the ranges of your clients";
            self.warn(
                "network.clients",
                "`network.clients` allows traffic from all IPv4 addresses",
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
            self.against("network.zones", message, format!("specify zones of {region}"));
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
            let message = format!("`endpoint.amqp` cannot be combined with engine `{}`", engine.as_str());
            self.against(
                "endpoint.amqp",
                message,
                "remove it: the protocols of this engine are always enabled",
            );
        }
        if !engine.facts().tls && self.is_given("tls.certificate") {
            let message = format!("`tls.certificate` cannot be combined with engine `{}`", engine.as_str());
            self.against(
                "tls.certificate",
                message,
                "remove it: this version of mqaws runs this engine without TLS",
            );
        }
        if deployment.endpoint.internal {
            return;
        }
        if !self.is_given("network.clients") {
            let message = "an internet-facing endpoint requires `network.clients`";
            let hint = "set `network.clients` to the ranges of your clients";
            self.against("endpoint.internal", message, hint);
        }
        if deployment.tls.certificate.is_none() {
            let message =
                "the endpoint is internet-facing without TLS: user name, password, and messages are sent in clear text";
            let hint = "set `tls.certificate` to the secret with a certificate";
            self.warn("endpoint.internal", message, hint);
        }
    }

    fn storage(&mut self, deployment: &Deployment) {
        let storage = &deployment.storage;
        if storage.mount == Mount::Nfs {
            let message = "mount `nfs` has no TLS and no IAM: the file system's policy allows any client that can reach a mount target";
            let hint = "keep `efs-utils` unless the image does not support it; with `nfs`, only security groups protect the data";
            self.warn("storage.mount", message, hint);
        }
        let provisioned = storage.throughput == Throughput::Provisioned;
        if provisioned && !self.is_given("storage.provisioned_mibps") {
            let message = "`throughput: provisioned` requires `storage.provisioned_mibps`";
            let hint = "set `storage.provisioned_mibps` to the throughput in MiB/s";
            self.against("storage.throughput", message, hint);
        }
        if !provisioned && self.is_given("storage.provisioned_mibps") {
            let message = format!(
                "`storage.provisioned_mibps` cannot be combined with throughput `{}`",
                storage.throughput.as_str()
            );
            let hint = "remove it, or set `storage.throughput: provisioned`";
            self.against("storage.provisioned_mibps", message, hint);
        }
        if storage.performance_mode == PerformanceMode::MaxIo && storage.throughput == Throughput::Elastic {
            let message = "performance mode `maxIO` cannot be combined with throughput `elastic`";
            let hint = "keep `generalPurpose`, which AWS recommends for all workloads";
            self.against("storage.performance_mode", message, hint);
        }
    }

    fn tls(&mut self) {
        if !self.is_given("tls.certificate") {
            for key in ["tls.kms_key", "tls.server_name"] {
                if self.is_given(key) {
                    let message = format!("`{key}` requires `tls.certificate`");
                    let hint = "set `tls.certificate` to the secret with the certificate, or remove this key";
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
        let replicate = "replicate the secret to the deployment's region, and specify the replica";
        let own = "specify one in the deployment's region";
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
                "specify one in the deployment's partition",
            ),
            (
                "security.cloudformation_role",
                security.cloudformation_role.as_ref().map(AsRef::as_ref),
                "specify one in the deployment's partition",
            ),
        ];
        for (key, text, hint) in arns {
            let Some(arn) = text.and_then(Arn::read) else { continue };
            if !arn.region.is_empty() && arn.region != region.as_str() {
                self.against(key, format!("`{key}` is not in the deployment's region"), hint);
            } else if !arn.partition.has(region.as_str()) {
                let message = format!("`{key}` is in partition {}, but {region} is not", arn.partition.name);
                self.against(key, message, hint);
            }
        }
    }
}
