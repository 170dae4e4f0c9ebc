//! From what was given to a deployment: every value checked, alone and beside the others.

use std::str::FromStr;

use indexmap::IndexMap;

use super::error::Violation;
use super::place::Place;
use super::read::{Given, Reader};
use crate::model::deployment::{
    Alarms, Credentials, Deployment, Endpoint, Instance, Mount, Network, PerformanceMode, Placement, QueueManager,
    Security, Storage, Throughput, Tls,
};
use crate::model::{Cidr, Definitions, InvalidName, Region, StackName, SubnetId, TagKey, TagValue, Topology, ZoneName};

/// What is wrong with a value, before its key and place are known.
pub(super) struct Wrong {
    message: String,
    hint: String,
}

impl Wrong {
    pub(super) fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            hint: hint.into(),
        }
    }

    fn at(self, key: &str, place: Place) -> Violation {
        Violation::new(key, self.message, place).hint(self.hint)
    }
}

impl From<&InvalidName> for Wrong {
    fn from(error: &InvalidName) -> Self {
        let article = if error.what.starts_with(['a', 'e', 'i', 'A']) {
            "an"
        } else {
            "a"
        };
        Self::new(error.to_string(), format!("{article} {} is {}", error.what, error.rule))
    }
}

impl Reader {
    pub(super) fn place(&self, key: &str) -> Place {
        self.given
            .get(key)
            .map_or(Place::Default, |given| given.place().clone())
    }

    pub(super) fn is_given(&self, key: &str) -> bool {
        self.given.contains_key(key)
    }

    pub(super) fn scalar<T>(&mut self, key: &str, parse: impl Fn(&str) -> Result<T, Wrong>) -> Option<T> {
        let Some(Given::Scalar((text, place))) = self.given.get(key) else {
            return None;
        };
        let place = place.clone();
        match parse(text) {
            Ok(value) => Some(value),
            Err(wrong) => {
                self.refuse(wrong.at(key, place));
                None
            }
        }
    }

    pub(super) fn name<T: FromStr<Err = InvalidName>>(&mut self, key: &str) -> Option<T> {
        self.scalar(key, |text| text.parse().map_err(|error| Wrong::from(&error)))
    }

    fn names<T: FromStr<Err = InvalidName>>(&mut self, key: &str) -> Option<Vec<T>> {
        let Some(Given::List(texts, _)) = self.given.get(key) else {
            return None;
        };
        let mut values = Vec::new();
        let mut wrong = Vec::new();
        for (text, place) in texts {
            match text.parse() {
                Ok(value) => values.push(value),
                Err(error) => wrong.push(Wrong::from(&error).at(key, place.clone())),
            }
        }
        let complete = wrong.is_empty();
        self.violations.extend(wrong);
        complete.then_some(values)
    }

    fn flag(&mut self, key: &str, default: bool) -> bool {
        let parsed = self.scalar(key, |text| match text {
            "true" => Ok(true),
            "false" => Ok(false),
            other => {
                let message = format!("`{key}` must be true or false, found `{other}`");
                Err(Wrong::new(message, "write true or false"))
            }
        });
        parsed.unwrap_or(default)
    }

    fn number(&mut self, key: &str, min: u32, max: u32) -> Option<u32> {
        self.scalar(key, |text| {
            text.parse::<u32>()
                .ok()
                .filter(|number| (min..=max).contains(number))
                .ok_or_else(|| {
                    let message = format!("`{key}` must be a whole number from {min} to {max}, found `{text}`");
                    Wrong::new(message, format!("give a number from {min} to {max}"))
                })
        })
    }

    pub(super) fn choice<T: Copy>(&mut self, key: &str, all: &[(&str, T)], default: T) -> T {
        let parsed = self.scalar(key, |text| {
            all.iter()
                .find(|(word, _)| *word == text)
                .map(|(_, value)| *value)
                .ok_or_else(|| {
                    let words: Vec<&str> = all.iter().map(|(word, _)| *word).collect();
                    let message = format!("`{key}` knows no `{text}`");
                    Wrong::new(message, format!("one of: {}", words.join(", ")))
                })
        });
        parsed.unwrap_or(default)
    }

    /// The deployment that was given, with defaults in place of what is wrong or absent.
    pub(super) fn deployment(&mut self) -> Deployment {
        let defaults = Deployment::default();
        let name = self.name("queue_manager.name");
        let queue_manager = QueueManager {
            name: name.unwrap_or(defaults.queue_manager.name),
            definitions: self.scalar("queue_manager.definitions", |file| match file.trim() {
                "" => Err(Wrong::new(
                    "`queue_manager.definitions` names no file",
                    "name a file of MQSC commands",
                )),
                file => Ok(Definitions::named(file)),
            }),
        };
        let stack = self.name("stack");
        let region = self.name("region");
        let network = self.network(region.as_ref());
        let deployment = Deployment {
            stack: stack.unwrap_or_else(|| StackName::default_of(&queue_manager.name)),
            profile: self.name("profile"),
            topology: self.topology(),
            endpoint: Endpoint {
                internal: self.flag("endpoint.internal", defaults.endpoint.internal),
                amqp: self.flag("endpoint.amqp", defaults.endpoint.amqp),
                idle_timeout_seconds: self
                    .number("endpoint.idle_timeout_seconds", 60, 6000)
                    .unwrap_or(defaults.endpoint.idle_timeout_seconds),
            },
            instance: Instance {
                kind: self.name("instance.type").unwrap_or(defaults.instance.kind),
                ami: self.name("instance.ami"),
                key_name: self.name("instance.key_name"),
                root_volume_gib: self
                    .number("instance.root_volume_gib", 10, 1024)
                    .unwrap_or(defaults.instance.root_volume_gib),
            },
            storage: self.storage(),
            credentials: Credentials {
                username: self
                    .name("credentials.username")
                    .unwrap_or(defaults.credentials.username),
            },
            tls: self.tls(region.as_ref()),
            security: Security {
                permissions_boundary: self.name("security.permissions_boundary"),
                cloudformation_role: self.name("security.cloudformation_role"),
                allow_faults: self.flag("security.allow_faults", false),
            },
            alarms: Alarms {
                topic: self.name("alarms.topic"),
            },
            image: self.image(),
            tags: self.tags(),
            region,
            queue_manager,
            network,
        };
        if !deployment.endpoint.internal && !self.is_given("network.clients") {
            let message = "an endpoint on the internet needs to know who may connect";
            let place = self.place("endpoint.internal");
            self.refuse(
                Violation::new("endpoint.internal", message, place)
                    .hint("list the clients' ranges under `network.clients`"),
            );
        }
        if !deployment.endpoint.internal && deployment.tls.certificate.is_none() {
            let message =
                "the endpoint is on the internet without TLS: user, password and messages go there in clear text";
            let place = self.place("endpoint.internal");
            self.warnings.push(
                Violation::new("endpoint.internal", message, place)
                    .hint("name a certificate's secret under `tls.certificate`"),
            );
        }
        deployment
    }

    fn topology(&mut self) -> Topology {
        const LATER: [&str; 4] = ["standby", "native-ha", "rabbitmq-cluster", "replicated-dr"];
        let there: Vec<String> = Topology::all().map(|name| format!("`{}`", name.as_str())).collect();
        let instead = format!("use {}", there.join(" or "));
        let parsed = self.scalar("topology", |text| {
            Topology::of(text).ok_or_else(|| {
                let message = match LATER.contains(&text) {
                    true => format!("topology `{text}` is not available yet"),
                    false => format!("there is no topology `{text}`"),
                };
                Wrong::new(message, instead.clone())
            })
        });
        parsed.unwrap_or_default()
    }

    fn two<T: Clone + PartialEq>(&mut self, key: &str, what: &str, values: Option<Vec<T>>) -> Option<[T; 2]> {
        let values = values?;
        let message = match values.as_slice() {
            [first, second] if first != second => return Some([first.clone(), second.clone()]),
            [_, _] => format!("`{key}` names the same {what} twice"),
            several => format!("`{key}` must name two {what}s, found {}", several.len()),
        };
        let place = self.place(key);
        let hint = format!("name two {what}s, in two availability zones");
        self.refuse(Violation::new(key, message, place).hint(hint));
        None
    }

    fn network(&mut self, region: Option<&Region>) -> Network {
        let vpc = self.name("network.vpc");
        let subnets = self.names::<SubnetId>("network.subnets");
        let subnets = self.two("network.subnets", "subnet", subnets);
        let cidr = self.name("network.cidr");
        let zones = self.names::<ZoneName>("network.zones");
        let zones = self.two("network.zones", "zone", zones);

        if self.is_given("network.cidr") {
            for key in ["network.vpc", "network.subnets"] {
                if self.is_given(key) {
                    let place = self.place(key);
                    let message = format!("`{key}` does not go with `network.cidr`, which makes a new network");
                    self.refuse(
                        Violation::new(key, message, place).hint(format!("remove `{key}`, or remove `network.cidr`")),
                    );
                }
            }
        } else if self.is_given("network.zones") {
            let place = self.place("network.zones");
            self.refuse(
                Violation::new("network.zones", "`network.zones` is only for a new network", place)
                    .hint("remove it, or give the new network a range under `network.cidr`"),
            );
        }
        if let Some(cidr) = cidr {
            self.new_network(cidr, region);
        }
        if let (Some(region), Some(zones)) = (region, &zones)
            && let Some(zone) = zones.iter().find(|zone| zone.region() != *region)
        {
            let place = self.place("network.zones");
            let message = format!("zone {zone} is not in region {region}");
            self.refuse(Violation::new("network.zones", message, place).hint(format!("name zones of {region}")));
        }
        let clients = self.clients();
        let placement = match (cidr, subnets) {
            (Some(cidr), _) => Placement::New { cidr, zones },
            (None, Some(subnets)) => Placement::Existing { vpc, subnets },
            (None, None) => Placement::Choose { vpc },
        };
        Network { placement, clients }
    }

    fn new_network(&mut self, cidr: Cidr, region: Option<&Region>) {
        let place = self.place("network.cidr");
        // AWS allows VPCs from /16; its quarters must hold a load balancer and nine endpoints.
        if !(16..=24).contains(&cidr.prefix()) {
            let message = format!("a new network's range must have a prefix from 16 to 24, found {cidr}");
            let hint = "choose a range such as 10.20.0.0/16";
            self.refuse(Violation::new("network.cidr", message, place.clone()).hint(hint));
        }
        if region.is_some_and(|region| region.as_str().starts_with("cn-")) {
            let message = "a new network cannot be made in a region of China yet: its endpoints have other names";
            let hint = "use an existing network: `network.vpc` and `network.subnets`";
            self.refuse(Violation::new("network.cidr", message, place).hint(hint));
        }
    }

    fn clients(&mut self) -> Vec<Cidr> {
        const MOST: usize = 20;
        let Some(clients) = self.names::<Cidr>("network.clients") else {
            return Cidr::PRIVATE.to_vec();
        };
        let place = self.place("network.clients");
        if clients.is_empty() || clients.len() > MOST {
            let message = format!(
                "`network.clients` must list 1 to {MOST} ranges, found {}",
                clients.len()
            );
            self.refuse(Violation::new("network.clients", message, place.clone()).hint("join neighbouring ranges"));
        }
        if let Some(twice) = clients
            .iter()
            .enumerate()
            .find(|(index, cidr)| clients[..*index].contains(cidr))
        {
            let message = format!("`network.clients` lists {} twice", twice.1);
            self.refuse(Violation::new("network.clients", message, place.clone()).hint("keep one of them"));
        }
        if clients.iter().any(|cidr| cidr.is_everything()) {
            let message = "`network.clients` admits every address there is";
            self.warnings.push(
                Violation::new("network.clients", message, place).hint("list only the ranges that your clients have"),
            );
        }
        clients
    }

    fn storage(&mut self) -> Storage {
        let throughputs = Throughput::ALL.map(|mode| (mode.as_str(), mode));
        let mounts = Mount::ALL.map(|mount| (mount.as_str(), mount));
        let modes = PerformanceMode::ALL.map(|mode| (mode.as_str(), mode));
        let storage = Storage {
            throughput: self.choice("storage.throughput", &throughputs, Throughput::default()),
            provisioned_mibps: self.number("storage.provisioned_mibps", 1, 3414),
            performance_mode: self.choice("storage.performance_mode", &modes, PerformanceMode::default()),
            backup: self.flag("storage.backup", true),
            kms_key: self.name("storage.kms_key"),
            mount: self.choice("storage.mount", &mounts, Mount::default()),
            lease_seconds: self.number("storage.lease_seconds", 5, 300),
            start_on_lease: self
                .is_given("storage.start_on_lease")
                .then(|| self.flag("storage.start_on_lease", false)),
        };
        if storage.mount == Mount::Nfs {
            let place = self.place("storage.mount");
            let message =
                "mount `nfs` has no TLS and no IAM: the file system's policy admits whoever reaches a mount target";
            self.warnings.push(Violation::new("storage.mount", message, place).hint(
                "keep `efs-utils`, unless the image cannot have it; security groups are all that protects the data",
            ));
        }
        let provisioned = storage.throughput == Throughput::Provisioned;
        if provisioned && !self.is_given("storage.provisioned_mibps") {
            let place = self.place("storage.throughput");
            let message = "provisioned throughput needs to know how much";
            self.refuse(
                Violation::new("storage.throughput", message, place)
                    .hint("give the MiB/s under `storage.provisioned_mibps`"),
            );
        }
        if !provisioned && self.is_given("storage.provisioned_mibps") {
            let place = self.place("storage.provisioned_mibps");
            let message = format!(
                "`storage.provisioned_mibps` does not go with throughput `{}`",
                storage.throughput.as_str()
            );
            self.refuse(
                Violation::new("storage.provisioned_mibps", message, place)
                    .hint("remove it, or set `storage.throughput: provisioned`"),
            );
        }
        if storage.performance_mode == PerformanceMode::MaxIo && storage.throughput == Throughput::Elastic {
            let place = self.place("storage.performance_mode");
            let message = "performance mode `maxIO` does not go with throughput `elastic`";
            self.refuse(
                Violation::new("storage.performance_mode", message, place)
                    .hint("keep `generalPurpose`, which AWS recommends for everything"),
            );
        }
        storage
    }

    fn tls(&mut self, region: Option<&Region>) -> Tls {
        let tls = Tls {
            certificate: self.name("tls.certificate"),
            kms_key: self.name("tls.kms_key"),
            server_name: self.name("tls.server_name"),
        };
        if !self.is_given("tls.certificate") {
            for key in ["tls.kms_key", "tls.server_name"] {
                if self.is_given(key) {
                    let place = self.place(key);
                    let message = format!("`{key}` says something about a certificate, and there is none");
                    self.refuse(
                        Violation::new(key, message, place)
                            .hint("name the certificate's secret under `tls.certificate`, or remove this key"),
                    );
                }
            }
        }
        let elsewhere = |arn: &str| {
            let of = arn.split(':').nth(3).unwrap_or_default();
            region.is_some_and(|region| region.as_str() != of)
        };
        let arns = [
            ("tls.certificate", tls.certificate.as_ref().map(AsRef::as_ref)),
            ("tls.kms_key", tls.kms_key.as_ref().map(AsRef::as_ref)),
        ];
        for key in arns
            .into_iter()
            .filter_map(|(key, arn): (&str, Option<&str>)| arn.filter(|arn| elsewhere(arn)).map(|_| key))
        {
            let place = self.place(key);
            let message = format!("`{key}` is in another region than the deployment");
            self.refuse(
                Violation::new(key, message, place)
                    .hint("replicate the secret to the deployment's region, and name the replica"),
            );
        }
        tls
    }

    fn tags(&mut self) -> IndexMap<TagKey, TagValue> {
        // AWS allows 50 a resource, and some are taken: our own and CloudFormation's.
        const MOST: usize = 40;
        let Some(Given::Map(entries, place)) = self.given.get("tags") else {
            return IndexMap::new();
        };
        let (mut tags, mut wrong) = (IndexMap::new(), Vec::new());
        for ((key, key_place), (value, value_place)) in entries {
            let at = |error: &InvalidName, place: &Place| Wrong::from(error).at(&format!("tags.{key}"), place.clone());
            match (TagKey::new(key.as_str()), TagValue::new(value.as_str())) {
                (Ok(key), Ok(value)) => {
                    tags.insert(key, value);
                }
                (key, value) => {
                    wrong.extend(key.err().map(|error| at(&error, key_place)));
                    wrong.extend(value.err().map(|error| at(&error, value_place)));
                }
            }
        }
        if entries.len() > MOST {
            let message = format!("`tags` must have at most {MOST} entries, found {}", entries.len());
            wrong.push(Violation::new("tags", message, place.clone()).hint("remove some"));
        }
        self.violations.extend(wrong);
        tags
    }
}
