//! The engines by one list, and what both sides of a deployment must know of each alike.

use crate::words::words;

words! {
    /// An engine: what a queue manager is made of. The default is the one that there was before there were several.
    #[derive(Default)]
    pub enum EngineKind {
        /// IBM MQ.
        #[default]
        IbmMq = "ibm-mq",
        /// RabbitMQ.
        RabbitMq = "rabbitmq",
    }
}

impl EngineKind {
    /// Ports and directories of an engine that this version knows.
    pub const fn facts(&self) -> Option<&'static EngineFacts> {
        match self {
            Self::IbmMq => Some(&IBM_MQ),
            Self::RabbitMq => Some(&RABBITMQ),
            Self::Other(_) => None,
        }
    }
}

/// What both sides of a deployment must know of an engine alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EngineFacts {
    /// Its word in configurations, tags and records.
    pub word: &'static str,
    /// What people call it.
    pub name: &'static str,
    /// The licence that somebody must accept, of an engine that comes as a package which the user has; absent for one that
    /// comes from the distribution.
    pub licence: Option<&'static str>,
    /// Owner and name of the images that its own are built on when none is named, and their root device.
    pub base_image: (&'static str, &'static str, &'static str),
    /// TCP port of the queue manager in its own protocol.
    pub port: u16,
    /// TCP port of AMQP; that of the queue manager where its own protocol is AMQP.
    pub amqp_port: u16,
    /// Directory of its commands.
    pub bin_dir: &'static str,
    /// Where the user's own definitions are on an instance.
    pub definitions: &'static str,
}

/// IBM MQ; the AMQP service is one of its own.
pub const IBM_MQ: EngineFacts = EngineFacts {
    word: "ibm-mq",
    name: "IBM MQ",
    licence: Some("IBM's licence"),
    base_image: ("309956199498", "RHEL-9*_HVM-*-x86_64-*", "/dev/sda1"),
    port: 1414,
    amqp_port: 5672,
    bin_dir: "/opt/mqm/bin",
    definitions: "/etc/mqaws/definitions.mqsc",
};

/// RabbitMQ, of which there are images and no driver yet.
pub const RABBITMQ: EngineFacts = EngineFacts {
    word: "rabbitmq",
    name: "RabbitMQ",
    licence: None,
    base_image: ("amazon", "al2023-ami-2023.*-x86_64", "/dev/xvda"),
    port: 5672,
    amqp_port: 5672,
    bin_dir: "/usr/lib/rabbitmq/bin",
    definitions: "/etc/mqaws/definitions.json",
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_engine_is_read_from_its_word_and_has_facts_and_no_other_word_is_one() {
        for kind in EngineKind::ALL {
            assert_eq!(&EngineKind::from(kind.as_str()), kind);
            assert_eq!(kind.facts().map(|facts| facts.word), Some(kind.as_str()));
        }
        for word in ["", "ibm", "IBM-MQ", "activemq"] {
            let kind = EngineKind::from(word);
            assert_eq!((kind.as_str(), kind.facts()), (word, None));
        }
    }
}
