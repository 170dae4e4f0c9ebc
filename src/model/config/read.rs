//! From text and overrides to a deployment, with every violation on the way.

use indexmap::IndexMap;

use super::error::{ConfigError, Violation};
use super::keys::{self, KeyKind};
use super::overrides::Overrides;
use super::place::{Place, Source};
use super::tree::{self, Content, Node};
use crate::model::deployment::{
    Alarms, Credentials, Deployment, Endpoint, Instance, Network, PerformanceMode, Placement, QueueManager, Security,
    Storage, Throughput, Topology,
};
use crate::model::{Cidr, InvalidName, Region, TagKey, TagValue, ZoneName};

/// A deployment that was read, and where its values came from.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The deployment.
    pub deployment: Deployment,
    /// What is allowed but rarely meant.
    pub warnings: Vec<Violation>,
    places: IndexMap<String, Place>,
}

impl Loaded {
    /// Where the value of a key came from; [`Place::Default`] when nobody gave one.
    pub fn place(&self, key: &str) -> Place {
        self.places.get(key).cloned().unwrap_or(Place::Default)
    }

    /// A violation at the place of a key, for what only an account can tell.
    pub fn violation(&self, key: &str, message: impl Into<String>) -> Violation {
        Violation::new(key, message, self.place(key))
    }
}

/// A text and its place.
type Text = (String, Place);

enum Given {
    Scalar(Text),
    List(Vec<Text>, Place),
    Map(Vec<(Text, Text)>, Place),
}

impl Given {
    fn place(&self) -> &Place {
        match self {
            Self::Scalar((_, place)) | Self::List(_, place) | Self::Map(_, place) => place,
        }
    }
}

/// Reads a deployment from a file, when there is one, and what was given beside it.
///
/// # Errors
/// [`ConfigError`] with every violation: text that is no YAML, unknown keys, values that break a rule, combinations that
/// do not go together.
pub fn read(source: Option<Source<'_>>, overrides: &Overrides) -> Result<Loaded, ConfigError> {
    let mut reader = Reader::default();
    if let Some(source) = source {
        let root = tree::parse(source)?;
        reader.section("", &root, source);
    }
    reader.beside(overrides);
    let places = reader
        .given
        .iter()
        .map(|(key, given)| (key.clone(), given.place().clone()))
        .collect();
    let deployment = reader.deployment();
    reader.violations.sort_by_key(|violation| violation.place.order());
    match ConfigError::of(reader.violations) {
        Some(error) => Err(error),
        None => Ok(Loaded {
            deployment,
            warnings: reader.warnings,
            places,
        }),
    }
}

#[derive(Default)]
struct Reader {
    given: IndexMap<String, Given>,
    violations: Vec<Violation>,
    warnings: Vec<Violation>,
}

impl Reader {
    fn refuse(&mut self, violation: Violation) {
        self.violations.push(violation);
    }

    fn section(&mut self, section: &str, node: &Node, source: Source<'_>) {
        let entries = match &node.content {
            Content::Nothing => return,
            Content::Map(entries) => entries,
            other => {
                let what = if section.is_empty() { "the file" } else { section };
                let message = format!("`{what}` must be a map of keys, found {}", other.kind());
                let hint = format!("keys: {}", keys::below(section).join(", "));
                return self.refuse(Violation::new(section, message, source.place(node.spot)).hint(hint));
            }
        };
        let mut seen: Vec<&str> = Vec::new();
        for (name, spot, node) in entries {
            let place = source.place(*spot);
            let path = if section.is_empty() {
                name.clone()
            } else {
                format!("{section}.{name}")
            };
            if seen.contains(&name.as_str()) {
                let message = format!("`{path}` stands twice");
                self.refuse(
                    Violation::new(&path, message, place)
                        .label("again")
                        .hint("keep one of them"),
                );
                continue;
            }
            seen.push(name);
            if let Some(key) = keys::find(&path) {
                self.value(&path, key.kind, node, source);
            } else if section.is_empty() && keys::below("").contains(&name.as_str()) {
                self.section(name, node, source);
            } else {
                self.unknown(section, name, place);
            }
        }
    }

    fn unknown(&mut self, section: &str, name: &str, place: Place) {
        let known = keys::below(section);
        let hint = match keys::nearest(section, name) {
            Some(nearest) => format!("did you mean `{nearest}`?"),
            None => format!("known keys: {}", known.join(", ")),
        };
        let (path, within) = match section {
            "" => (name.to_owned(), "the file".to_owned()),
            _ => (format!("{section}.{name}"), format!("`{section}`")),
        };
        let message = format!("{within} has no key `{name}`");
        self.refuse(Violation::new(&path, message, place).label("unknown").hint(hint));
    }

    /// Takes a value of the file when it has the shape of its key.
    fn value(&mut self, path: &str, kind: KeyKind, node: &Node, source: Source<'_>) {
        let place = source.place(node.spot);
        let given = match (kind, &node.content) {
            (_, Content::Nothing) => return,
            (KeyKind::Scalar, Content::Scalar(text)) => Given::Scalar((text.clone(), place)),
            (KeyKind::List, Content::List(entries)) => {
                let mut texts = Vec::new();
                for entry in entries {
                    let place = source.place(entry.spot);
                    match &entry.content {
                        Content::Scalar(text) => texts.push((text.clone(), place)),
                        other => self.shape(path, "a list of single values", other.kind(), place),
                    }
                }
                Given::List(texts, place)
            }
            (KeyKind::Map, Content::Map(entries)) => {
                let mut texts: Vec<(Text, Text)> = Vec::new();
                for (name, spot, entry) in entries {
                    let place = source.place(*spot);
                    if texts.iter().any(|((known, _), _)| known == name) {
                        let message = format!("`{path}.{name}` stands twice");
                        self.refuse(
                            Violation::new(path, message, place)
                                .label("again")
                                .hint("keep one of them"),
                        );
                        continue;
                    }
                    let at = source.place(entry.spot);
                    match &entry.content {
                        Content::Scalar(text) => texts.push(((name.clone(), place), (text.clone(), at))),
                        Content::Nothing => texts.push(((name.clone(), place), (String::new(), at))),
                        other => self.shape(&format!("{path}.{name}"), "one value", other.kind(), at),
                    }
                }
                Given::Map(texts, place)
            }
            (KeyKind::Scalar, other) => return self.shape(path, "one value", other.kind(), place),
            (KeyKind::List, other) => return self.shape(path, "a list", other.kind(), place),
            (KeyKind::Map, other) => return self.shape(path, "a map", other.kind(), place),
        };
        self.given.insert(path.to_owned(), given);
    }

    fn shape(&mut self, path: &str, expected: &str, found: &str, place: Place) {
        let message = format!("`{path}` must be {expected}, found {found}");
        self.refuse(Violation::new(path, message, place).hint(format!("write {expected}")));
    }

    /// Takes what variables and flags give; lists and maps replace the file's, they are not joined.
    fn beside(&mut self, overrides: &Overrides) {
        for entry in &overrides.entries {
            let place = entry.place.clone();
            let parts = || entry.value.split(',').map(str::trim).filter(|part| !part.is_empty());
            let given = match keys::find(&entry.key).map(|key| key.kind) {
                None => {
                    let (section, name) = entry.key.rsplit_once('.').unwrap_or(("", &entry.key));
                    let (section, name) = if keys::below(section).is_empty() {
                        ("", entry.key.as_str())
                    } else {
                        (section, name)
                    };
                    self.unknown(section, name, place);
                    continue;
                }
                Some(KeyKind::Scalar) => Given::Scalar((entry.value.clone(), place)),
                Some(KeyKind::List) => {
                    Given::List(parts().map(|part| (part.to_owned(), place.clone())).collect(), place)
                }
                Some(KeyKind::Map) => {
                    let mut texts = Vec::new();
                    for part in parts() {
                        match part.split_once('=') {
                            Some((key, value)) => {
                                texts.push(((key.to_owned(), place.clone()), (value.to_owned(), place.clone())));
                            }
                            None => self.shape(
                                &entry.key,
                                "key=value pairs with commas between them",
                                part,
                                place.clone(),
                            ),
                        }
                    }
                    Given::Map(texts, place)
                }
            };
            self.given.insert(entry.key.clone(), given);
        }
    }

    fn place(&self, key: &str) -> Place {
        self.given
            .get(key)
            .map_or(Place::Default, |given| given.place().clone())
    }

    fn is_given(&self, key: &str) -> bool {
        self.given.contains_key(key)
    }

    fn scalar<T>(&mut self, key: &str, parse: impl Fn(&str) -> Result<T, Violation>) -> Option<T> {
        let Some(Given::Scalar((text, place))) = self.given.get(key) else {
            return None;
        };
        let place = place.clone();
        match parse(text) {
            Ok(value) => Some(value),
            Err(violation) => {
                self.refuse(Violation {
                    key: key.to_owned(),
                    place,
                    ..violation
                });
                None
            }
        }
    }

    fn name<T>(&mut self, key: &str, new: impl Fn(&str) -> Result<T, InvalidName>) -> Option<T> {
        self.scalar(key, |text| new(text).map_err(|error| invalid(&error)))
    }

    fn names<T>(&mut self, key: &str, new: impl Fn(&str) -> Result<T, InvalidName>) -> Option<Vec<T>> {
        let Some(Given::List(texts, _)) = self.given.get(key) else {
            return None;
        };
        let mut values = Vec::new();
        let mut wrong = Vec::new();
        for (text, place) in texts {
            match new(text) {
                Ok(value) => values.push(value),
                Err(error) => wrong.push(Violation {
                    key: key.to_owned(),
                    place: place.clone(),
                    ..invalid(&error)
                }),
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
                Err(Violation::new(key, message, Place::Default).hint("write true or false"))
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
                    Violation::new(key, message, Place::Default).hint(format!("give a number from {min} to {max}"))
                })
        })
    }

    fn choice<T: Copy>(&mut self, key: &str, all: &[(&str, T)], default: T) -> T {
        let parsed = self.scalar(key, |text| {
            all.iter()
                .find(|(word, _)| *word == text)
                .map(|(_, value)| *value)
                .ok_or_else(|| {
                    let words: Vec<&str> = all.iter().map(|(word, _)| *word).collect();
                    let message = format!("`{key}` knows no `{text}`");
                    Violation::new(key, message, Place::Default).hint(format!("one of: {}", words.join(", ")))
                })
        });
        parsed.unwrap_or(default)
    }

    fn deployment(&mut self) -> Deployment {
        let defaults = Deployment::default();
        let name = self.name("queue_manager.name", |text| crate::model::QueueManagerName::new(text));
        let queue_manager = QueueManager {
            name: name.unwrap_or(defaults.queue_manager.name),
        };
        let stack = self.name("stack", |text| crate::model::StackName::new(text));
        let region = self.name("region", |text| Region::new(text));
        let network = self.network(region.as_ref());
        let deployment = Deployment {
            stack: stack.unwrap_or_else(|| queue_manager.name.default_stack()),
            profile: self.name("profile", |text| crate::model::ProfileName::new(text)),
            topology: self.topology(),
            endpoint: Endpoint {
                internal: self.flag("endpoint.internal", defaults.endpoint.internal),
                amqp: self.flag("endpoint.amqp", defaults.endpoint.amqp),
                idle_timeout_seconds: self
                    .number("endpoint.idle_timeout_seconds", 60, 6000)
                    .unwrap_or(defaults.endpoint.idle_timeout_seconds),
            },
            instance: Instance {
                kind: self
                    .name("instance.type", |text| crate::model::InstanceType::new(text))
                    .unwrap_or(defaults.instance.kind),
                ami: self.name("instance.ami", |text| crate::model::AmiId::new(text)),
                key_name: self.name("instance.key_name", |text| crate::model::KeyPairName::new(text)),
                root_volume_gib: self
                    .number("instance.root_volume_gib", 10, 1024)
                    .unwrap_or(defaults.instance.root_volume_gib),
            },
            storage: self.storage(),
            credentials: Credentials {
                username: self
                    .name("credentials.username", |text| crate::model::UserName::new(text))
                    .unwrap_or(defaults.credentials.username),
            },
            security: Security {
                permissions_boundary: self.name("security.permissions_boundary", |text| {
                    crate::model::PolicyArn::new(text)
                }),
                cloudformation_role: self.name("security.cloudformation_role", |text| crate::model::RoleArn::new(text)),
                allow_faults: self.flag("security.allow_faults", false),
            },
            alarms: Alarms {
                topic: self.name("alarms.topic", |text| crate::model::TopicArn::new(text)),
            },
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
        deployment
    }

    fn topology(&mut self) -> Topology {
        const LATER: [&str; 4] = ["standby", "native-ha", "rabbitmq-cluster", "replicated-dr"];
        let parsed = self.scalar("topology", |text| match text {
            "single" => Ok(Topology::Single),
            later if LATER.contains(&later) => {
                let message = format!("topology `{later}` is not available yet");
                Err(Violation::new("", message, Place::Default).hint("use `single`"))
            }
            other => {
                let message = format!("there is no topology `{other}`");
                Err(Violation::new("", message, Place::Default).hint("use `single`"))
            }
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
        let vpc = self.name("network.vpc", |text| crate::model::VpcId::new(text));
        let subnets = self.names("network.subnets", |text| crate::model::SubnetId::new(text));
        let subnets = self.two("network.subnets", "subnet", subnets);
        let cidr = self.name("network.cidr", Cidr::new);
        let zones = self.names("network.zones", |text| ZoneName::new(text));
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
        let Some(clients) = self.names("network.clients", Cidr::new) else {
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
        let modes = PerformanceMode::ALL.map(|mode| (mode.as_str(), mode));
        let storage = Storage {
            throughput: self.choice("storage.throughput", &throughputs, Throughput::default()),
            provisioned_mibps: self.number("storage.provisioned_mibps", 1, 3414),
            performance_mode: self.choice("storage.performance_mode", &modes, PerformanceMode::default()),
            backup: self.flag("storage.backup", true),
            kms_key: self.name("storage.kms_key", |text| crate::model::KmsKey::new(text)),
        };
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

    fn tags(&mut self) -> IndexMap<TagKey, TagValue> {
        // AWS allows 50 a resource, and some are taken: our own and CloudFormation's.
        const MOST: usize = 40;
        let Some(Given::Map(entries, place)) = self.given.get("tags") else {
            return IndexMap::new();
        };
        let (mut tags, mut wrong) = (IndexMap::new(), Vec::new());
        for ((key, key_place), (value, value_place)) in entries {
            let at = |error: &InvalidName, place: &Place| Violation {
                key: format!("tags.{key}"),
                place: place.clone(),
                ..invalid(error)
            };
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

fn invalid(error: &InvalidName) -> Violation {
    Violation::new("", error.to_string(), Place::Default).hint(format!("a {} is {}", error.what, error.rule))
}
