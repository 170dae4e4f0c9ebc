//! The definitions of a queue manager: queues, channels, listeners, services and rules, kept in `objects.json`.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use mqaws_files::AtomicWrite;
use serde::{Deserialize, Serialize};

/// Kinds of objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    QueueManager,
    Queue,
    Channel,
    Listener,
    Service,
    Authentication,
    ChannelRule,
    Authority,
}

/// Attributes of an object, in upper case, with their values.
pub(crate) type Attributes = BTreeMap<String, String>;

/// All definitions, and whether they differ from the file.
#[derive(Debug)]
pub(crate) struct Objects {
    path: PathBuf,
    all: BTreeMap<(Kind, String), Attributes>,
    changed: bool,
}

/// An object of a new queue manager: kind, name, attributes.
type Default<'a> = (Kind, &'a str, &'a [(&'a str, &'a str)]);

#[derive(Serialize, Deserialize)]
struct Entry {
    kind: Kind,
    name: String,
    attributes: Attributes,
}

impl Objects {
    /// The definitions of a new queue manager, not written yet; IBM MQ calls them the default objects.
    pub(crate) fn defaults(data_path: &Path, name: &str, dead_letter_queue: Option<&str>) -> Self {
        let mut objects = Self {
            path: data_path.join("objects.json"),
            all: BTreeMap::new(),
            changed: true,
        };
        let dead_letters = dead_letter_queue.unwrap_or_default();
        let entries: [Default; 8] = [
            (
                Kind::QueueManager,
                name,
                &[
                    ("DEADQ", dead_letters),
                    ("CHLAUTH", "ENABLED"),
                    ("CONNAUTH", "SYSTEM.DEFAULT.AUTHINFO.IDPWOS"),
                    ("DESCR", ""),
                ],
            ),
            (Kind::Queue, "SYSTEM.DEFAULT.LOCAL.QUEUE", &[("MAXDEPTH", "5000")]),
            (Kind::Queue, "SYSTEM.DEAD.LETTER.QUEUE", &[("MAXDEPTH", "999999999")]),
            (
                Kind::Channel,
                "SYSTEM.DEF.SVRCONN",
                &[("CHLTYPE", "SVRCONN"), ("TRPTYPE", "TCP")],
            ),
            (
                Kind::Channel,
                "SYSTEM.DEF.AMQP",
                &[("CHLTYPE", "AMQP"), ("PORT", "5672")],
            ),
            (
                Kind::Listener,
                "SYSTEM.DEFAULT.LISTENER.TCP",
                &[("TRPTYPE", "TCP"), ("PORT", "1414"), ("CONTROL", "MANUAL")],
            ),
            (Kind::Service, "SYSTEM.AMQP.SERVICE", &[("CONTROL", "MANUAL")]),
            (
                Kind::Authentication,
                "SYSTEM.DEFAULT.AUTHINFO.IDPWOS",
                &[
                    ("AUTHTYPE", "IDPWOS"),
                    ("CHCKCLNT", "REQDADM"),
                    ("CHCKLOCL", "OPTIONAL"),
                ],
            ),
        ];
        for (kind, name, attributes) in entries {
            let attributes = attributes
                .iter()
                .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
                .collect();
            objects.all.insert((kind, name.to_owned()), attributes);
        }
        objects
    }

    /// Reads the definitions of a queue manager.
    pub(crate) fn read(data_path: &Path) -> io::Result<Self> {
        let path = data_path.join("objects.json");
        let entries: Vec<Entry> = serde_json::from_slice(&fs::read(&path)?)?;
        let all = entries.into_iter().map(|e| ((e.kind, e.name), e.attributes)).collect();
        Ok(Self {
            path,
            all,
            changed: false,
        })
    }

    /// Writes them, when they have changed.
    pub(crate) fn save(&mut self) -> io::Result<()> {
        if !self.changed {
            return Ok(());
        }
        let entries: Vec<Entry> = self
            .all
            .iter()
            .map(|((kind, name), attributes)| Entry {
                kind: *kind,
                name: name.clone(),
                attributes: attributes.clone(),
            })
            .collect();
        AtomicWrite::to(&self.path)
            .durable()
            .write(&serde_json::to_vec_pretty(&entries)?)?;
        self.changed = false;
        Ok(())
    }

    pub(crate) fn len(&self) -> usize {
        self.all.len()
    }

    pub(crate) fn get(&self, kind: Kind, name: &str) -> Option<&Attributes> {
        // Ordered maps want the whole key; names are short.
        self.all.get(&(kind, name.to_owned()))
    }

    pub(crate) fn value(&self, kind: Kind, name: &str, attribute: &str) -> Option<&str> {
        self.get(kind, name)?.get(attribute).map(String::as_str)
    }

    pub(crate) fn set(&mut self, kind: Kind, name: &str, attributes: Attributes) {
        let before = self.all.insert((kind, name.to_owned()), attributes);
        self.changed |= before.as_ref() != self.get(kind, name);
    }

    pub(crate) fn remove(&mut self, kind: Kind, name: &str) -> bool {
        let removed = self.all.remove(&(kind, name.to_owned())).is_some();
        self.changed |= removed;
        removed
    }

    /// All objects of a kind, in the order of their names.
    pub(crate) fn of(&self, kind: Kind) -> impl Iterator<Item = (&str, &Attributes)> {
        self.all
            .iter()
            .filter(move |((k, _), _)| *k == kind)
            .map(|((_, name), attributes)| (name.as_str(), attributes))
    }

    /// Attributes of the queue manager itself.
    pub(crate) fn queue_manager(&self) -> (String, Attributes) {
        self.of(Kind::QueueManager)
            .next()
            .map(|(n, a)| (n.to_owned(), a.clone()))
            .unwrap_or_default()
    }

    /// Whether the channel rules let anybody in on that channel: the rule of the channel itself counts before a generic one.
    pub(crate) fn is_open(&self, channel: &str) -> bool {
        if self.queue_manager().1.get("CHLAUTH").is_some_and(|c| c == "DISABLED") {
            return true;
        }
        let rule = |name: &str| {
            self.of(Kind::ChannelRule).map(|(_, rule)| rule).find(|rule| {
                let is = |key: &str, value: &str| rule.get(key).is_some_and(|v| v == value);
                is("CHLAUTH", name) && is("TYPE", "ADDRESSMAP") && is("ADDRESS", "*")
            })
        };
        rule(channel)
            .or_else(|| rule("*"))
            .is_none_or(|rule| rule.get("USERSRC").is_none_or(|u| u != "NOACCESS"))
    }

    /// Whether a user may do that to a queue, by the authority records.
    pub(crate) fn may(&self, user: &str, queue: &str, authority: &str) -> bool {
        self.of(Kind::Authority).any(|(_, rule)| {
            let is = |key: &str, value: &str| rule.get(key).is_some_and(|v| v == value);
            is("OBJTYPE", "QUEUE")
                && is("PRINCIPAL", user)
                && rule.get("PROFILE").is_some_and(|p| profile_matches(p, queue))
                && rule
                    .get("AUTHLIST")
                    .is_some_and(|a| a.split(',').any(|a| a == authority || a == "ALL" || a == "ALLMQI"))
        })
    }

    /// Whether a user may connect.
    pub(crate) fn may_connect(&self, user: &str) -> bool {
        self.of(Kind::Authority).any(|(_, rule)| {
            let is = |key: &str, value: &str| rule.get(key).is_some_and(|v| v == value);
            is("OBJTYPE", "QMGR")
                && is("PRINCIPAL", user)
                && rule
                    .get("AUTHLIST")
                    .is_some_and(|a| a.split(',').any(|a| a == "CONNECT" || a == "ALL" || a == "ALLMQI"))
        })
    }
}

/// Whether a profile of an authority record covers a name: `?` is one character, `*` any characters of one qualifier, `**`
/// any number of qualifiers.
pub(crate) fn profile_matches(profile: &str, name: &str) -> bool {
    fn qualifiers(profile: &[&str], name: &[&str]) -> bool {
        match (profile.split_first(), name.split_first()) {
            (None, None) => true,
            (Some((&"**", rest)), _) => (0..=name.len()).any(|skip| qualifiers(rest, &name[skip..])),
            (Some((p, rest)), Some((n, others))) => characters(p.as_bytes(), n.as_bytes()) && qualifiers(rest, others),
            _ => false,
        }
    }
    fn characters(profile: &[u8], name: &[u8]) -> bool {
        match (profile.split_first(), name.split_first()) {
            (None, None) => true,
            (Some((b'*', rest)), _) => (0..=name.len()).any(|skip| characters(rest, &name[skip..])),
            (Some((p, rest)), Some((n, others))) => (*p == b'?' || p == n) && characters(rest, others),
            _ => false,
        }
    }
    let profile: Vec<&str> = profile.split('.').collect();
    let name: Vec<&str> = name.split('.').collect();
    qualifiers(&profile, &name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profiles() {
        for (profile, name, covered) in [
            ("MQAWS.PROBE.**", "MQAWS.PROBE.A", true),
            ("MQAWS.PROBE.**", "MQAWS.PROBE.A.B", true),
            ("MQAWS.PROBE.**", "MQAWS.PROBES.A", false),
            ("APP.*", "APP.A", true),
            ("APP.*", "APP.A.B", false),
            ("A?C", "ABC", true),
            ("A?C", "AC", false),
            ("ABC", "ABC", true),
            ("**", "ANY.THING", true),
        ] {
            assert_eq!(profile_matches(profile, name), covered, "{profile} {name}");
        }
    }

    #[test]
    fn written_and_read() {
        let data = tempfile::tempdir().unwrap();
        let mut objects = Objects::defaults(data.path(), "QM1", Some("SYSTEM.DEAD.LETTER.QUEUE"));
        objects.save().unwrap();
        let read = Objects::read(data.path()).unwrap();
        assert_eq!(read.all, objects.all);
        assert_eq!(read.queue_manager().0, "QM1");
        assert!(read.is_open("SYSTEM.DEF.AMQP"));
        assert_eq!(
            read.value(Kind::QueueManager, "QM1", "DEADQ"),
            Some("SYSTEM.DEAD.LETTER.QUEUE")
        );
        assert!(!read.may("mqapp", "MQAWS.PROBE.A", "PUT") && !read.may_connect("mqapp"));
    }
}
