//! RabbitMQ, with its management plugin.

mod definitions;
mod leap;

use super::driver::DriverFacts;
use super::facts::{AMQP, Check, Endpoint, EngineFacts, Local, Notation, Protocol};
use super::version::{self, Order};
pub use definitions::{AGENT_USER, RESERVED};
use std::time::Duration;

/// RabbitMQ.
pub const RABBITMQ: EngineFacts = EngineFacts {
    word: "rabbitmq",
    name: "RabbitMQ",
    line: "RabbitMQ, from the distribution.",
    runs: true,
    licence: None,
    licence_missing: None,
    base_image: ("amazon", "al2023-ami-2023.*-x86_64", "/dev/xvda"),
    endpoints: &[
        Endpoint {
            protocol: AMQP,
            port: 5672,
            tls_port: Some(5671),
            when: None,
            check: Check::Agent,
        },
        Endpoint {
            protocol: MANAGEMENT,
            port: 15672,
            tls_port: Some(15671),
            when: None,
            check: Check::Http("/"),
        },
    ],
    bin_dir: "/usr/lib/rabbitmq/bin",
    definitions: "/etc/mqaws/definitions.json",
    definitions_language: "RabbitMQ definitions in JSON",
    mistakes: definitions::mistakes,
    // 5 s each.
    silent: Duration::from_secs(15),
    tls: true,
    order: Order {
        is_older: version::is_older,
        leaps: leap::leaps,
    },
    drivers: &[
        DriverFacts::plain("amqp091"),
        DriverFacts {
            since: Some((4, 0)),
            // Other addresses are those of before 4.0: `/queue/x` declares a queue that is not durable.
            queues: "/queues/",
            first_acquirer: true,
            ..DriverFacts::plain("amqp10")
        },
    ],
    local: Local::Package {
        name: "rabbitmq-server",
        directories: &["usr/lib/rabbitmq", "usr/lib/erlang"],
    },
};

/// The management plugin's pages and its interface for programs.
pub const MANAGEMENT: Protocol = Protocol {
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

#[cfg(test)]
mod tests {
    use super::RABBITMQ;

    #[test]
    fn versions_are_compared_by_number() {
        for (engine, writer, expected) in [
            ("RabbitMQ 3.9.9", "RabbitMQ 3.10.8", true),
            ("RabbitMQ 3.10.7", "RabbitMQ 3.10.8", true),
            ("RabbitMQ 4.0.5", "RabbitMQ 3.13.1 (untested with mqaws)", false),
            ("nobody", "RabbitMQ 3.10.8", false),
            ("RabbitMQ 3.13.1 (untested with mqaws)", "4.0.5-1", true),
            ("RabbitMQ 3.10.8", "3.10.8-1+deb12u1", false),
            ("RabbitMQ 3.13.1", "3.13", false),
        ] {
            assert_eq!(
                (RABBITMQ.order.is_older)(engine, writer),
                expected,
                "{engine} after {writer}"
            );
        }
    }
}
