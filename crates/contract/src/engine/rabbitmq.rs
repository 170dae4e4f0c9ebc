//! RabbitMQ, of which there are images and no driver yet.

use super::facts::{AMQP, Endpoint, EngineFacts, Notation, Protocol};

/// RabbitMQ.
pub const RABBITMQ: EngineFacts = EngineFacts {
    word: "rabbitmq",
    name: "RabbitMQ",
    line: "RabbitMQ, from the distribution.",
    runs: false,
    licence: None,
    licence_missing: None,
    base_image: ("amazon", "al2023-ami-2023.*-x86_64", "/dev/xvda"),
    endpoints: &[
        Endpoint {
            protocol: AMQP,
            port: 5672,
            when: None,
        },
        Endpoint {
            protocol: MANAGEMENT,
            port: 15672,
            when: None,
        },
    ],
    bin_dir: "/usr/lib/rabbitmq/bin",
    definitions: "/etc/mqaws/definitions.json",
};

/// The management plugin's pages and its interface for programs.
const MANAGEMENT: Protocol = Protocol {
    word: "management",
    part: "Management",
    name: "management",
    notation: Notation {
        name: "Address",
        key: "management",
        port: (":", ""),
        plain: ("http://", ""),
        tls: ("https://", ""),
        channel: "",
        reconnect: "",
        cipher: "",
    },
};
