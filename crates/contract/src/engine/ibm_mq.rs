//! IBM MQ; the AMQP service is one of its own.

use super::driver::DriverFacts;
use super::facts::{AMQP, Check, Endpoint, EngineFacts, Local, Notation, Protocol, Switch};
use super::version::{self, Order};
use crate::mqsc;
use std::time::Duration;

/// IBM MQ.
pub const IBM_MQ: EngineFacts = EngineFacts {
    word: "ibm-mq",
    name: "IBM MQ",
    line: "IBM MQ, from a package that you provide.",
    runs: true,
    licence: Some("IBM's license"),
    licence_missing: Some("AMQ7128"),
    base_image: ("309956199498", "RHEL-9*_HVM-*-x86_64-*", "/dev/sda1"),
    endpoints: &[
        Endpoint {
            protocol: MQ,
            port: 1414,
            tls_port: None,
            when: None,
            check: Check::Connection,
        },
        Endpoint {
            protocol: AMQP,
            port: 5672,
            tls_port: None,
            when: Some(Switch::Amqp),
            check: Check::Connection,
        },
    ],
    bin_dir: "/opt/mqm/bin",
    definitions: "/etc/mqaws/definitions.mqsc",
    definitions_language: "MQSC commands",
    mistakes: mqsc::mistakes,
    // 2, 4, and 8 s.
    silent: Duration::from_secs(14),
    tls: true,
    order: Order {
        is_older: version::is_older,
        leaps: |_, _| None,
    },
    drivers: &[DriverFacts {
        caveat: "AMQP service path: clients of MQ's native protocol may detect failures and reconnect differently",
        ..DriverFacts::plain("amqp10")
    }],
    local: Local::StandIn,
};

/// MQ's own protocol.
pub const MQ: Protocol = Protocol {
    word: "mq",
    part: "Mq",
    name: "MQ",
    notation: Notation {
        name: "CONNAME",
        key: "conname",
        port: ("(", ")"),
        plain: ("CONNAME('", "')"),
        tls: ("CONNAME('", "')"),
        channel: "MQAWS.SVRCONN",
        reconnect: "MQCNO_RECONNECT, ReconDelay=(200,100)(500,200)",
        cipher: "SSLCIPH(ANY_TLS12_OR_HIGHER)",
    },
};

#[cfg(test)]
mod tests {
    use super::IBM_MQ;

    #[test]
    fn levels_are_compared_by_number_up_to_the_modification() {
        let cases = [
            ("IBM MQ 9.4.0.0", "IBM MQ 9.4.0.0", false),
            ("IBM MQ 9.3.5.1", "IBM MQ 9.4.0.0", true),
            ("IBM MQ 9.4.0.0", "IBM MQ 9.3.5.1", false),
            ("IBM MQ 9.9.0.0", "IBM MQ 9.10.0.0", true),
            ("IBM MQ 9.4.0.5", "IBM MQ 9.4.0.11", false),
            ("IBM MQ 9.4.1.0", "IBM MQ 9.4.2.0", true),
            (
                "mqaws stand-in for IBM MQ 9.3.0.0",
                "mqaws stand-in for IBM MQ 9.4.0.0",
                true,
            ),
            ("IBM MQ 8.0.0.16", "IBM MQ 9.4.0.0", true),
            ("sleeper 1", "sleeper 2", false),
            ("", "IBM MQ 9.4.0.0", false),
            ("IBM MQ 9.4.0.0", "IBM MQ", false),
            // The tag of an image names the version alone, and perhaps not all of it.
            ("IBM MQ 9.3.5.1", "9.4.0.11", true),
            ("IBM MQ 9.4.0.0", "9.4.0.11", false),
            ("IBM MQ 9.4.1.0", "9.4", false),
            ("9.3", "IBM MQ 9.4.0.0", true),
        ];
        for (engine, writer, expected) in cases {
            assert_eq!(
                (IBM_MQ.order.is_older)(engine, writer),
                expected,
                "{engine} after {writer}"
            );
        }
    }
}
