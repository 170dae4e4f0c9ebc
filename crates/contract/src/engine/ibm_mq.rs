//! IBM MQ; the AMQP service is one of its own.

use super::facts::{AMQP, Endpoint, EngineFacts, Local, Notation, Protocol, Switch};
use crate::mqsc;

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
            when: None,
        },
        Endpoint {
            protocol: AMQP,
            port: 5672,
            when: Some(Switch::Amqp),
        },
    ],
    bin_dir: "/opt/mqm/bin",
    definitions: "/etc/mqaws/definitions.mqsc",
    definitions_language: "MQSC commands",
    mistakes: mqsc::mistakes,
    tls: true,
    driver: "amqp10",
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
