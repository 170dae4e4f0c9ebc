//! What CloudFormation finds wrong with a change set before anything is made, and the key of the configuration behind it.

use crate::model::Topology;
use crate::topology;
use std::fmt;

/// One value that CloudFormation does not take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Where it stands in the template: `/Resources/LaunchTemplate/Properties/LaunchTemplateData/InstanceType`.
    pub path: String,
    /// Why, in AWS's words.
    pub words: String,
}

/// Parts of a path in any topology's template, and the key whose value ends up there; the first that fits counts.
const KEYS: &[(&str, &str)] = &[
    ("/InstanceType", "instance.type"),
    ("/ImageId", "instance.ami"),
    ("/KeyName", "instance.key_name"),
    ("/VolumeSize", "instance.root_volume_gib"),
    ("/PerformanceMode", "storage.performance_mode"),
    ("/ThroughputMode", "storage.throughput"),
    ("/ProvisionedThroughputInMibps", "storage.provisioned_mibps"),
    ("/BackupPolicy", "storage.backup"),
    ("/PermissionsBoundary", "security.permissions_boundary"),
    ("/Scheme", "endpoint.internal"),
    ("/ListenerAttributes", "endpoint.idle_timeout_seconds"),
    ("/AlarmActions", "alarms.topic"),
    ("/OKActions", "alarms.topic"),
    ("/Tags", "tags"),
];

impl Finding {
    /// The key of the configuration whose value it is about, when it is about one.
    pub fn key(&self, topology: Topology) -> Option<&'static str> {
        let own = topology::of(topology).keys();
        own.iter()
            .chain(KEYS)
            .find(|(part, _)| self.path.contains(part))
            .map(|(_, key)| *key)
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.words)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_one_of_the_configuration() {
        let own = Topology::all().flat_map(|name| topology::of(name).keys());
        for (_, key) in own.chain(KEYS) {
            assert!(crate::model::config::keys().any(|k| k.path == *key), "{key}");
        }
        let at = |path: &str| Finding {
            path: path.into(),
            words: String::new(),
        };
        let path = "/Resources/LaunchTemplate/Properties/LaunchTemplateData/InstanceType";
        assert_eq!(at(path).key(Topology::default()), Some("instance.type"));
        assert_eq!(
            at("/Resources/Role/Properties/AssumeRolePolicyDocument").key(Topology::default()),
            None
        );
    }
}
