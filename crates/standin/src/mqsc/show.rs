//! `DISPLAY`.

use super::{
    answer::{Answer, columns, pairs},
    parse::Statement,
    services::STARTED,
};
use crate::standin::{
    broker::Broker,
    network::Service,
    objects::{Attributes, Kind, profile_matches},
};

/// Processes that are connected to a queue manager that serves no client, this very `runmqsc` among them.
const INTERNAL: [&str; 6] = ["amqzmuc0", "amqzmur0", "amqrrmfa", "amqpcsea", "amqfqpub", "runmqsc"];

/// Identifiers of clients begin here, behind those of processes.
const FIRST_CLIENT: u64 = 0x100;

/// Answers one `DISPLAY`; `None` when it is not understood.
pub(super) fn display(broker: &Broker, object: &str, s: &Statement) -> Option<Answer> {
    let wanted = (!s.words.is_empty() && !s.has("ALL")).then_some(s.words.as_slice());
    match object {
        "QMGR" => Some(queue_manager(broker, wanted)),
        "QMSTATUS" => {
            let conns = (INTERNAL.len() as u64 + broker.network.connections()).to_string();
            let head = [
                ("QMNAME", broker.name.as_str()),
                ("STATUS", "RUNNING"),
                ("CONNS", &conns),
                ("STANDBY", "NOPERMIT"),
            ];
            Some(shown(
                "AMQ8705I: Display Queue Manager Status Details.",
                &pairs(&head, &Attributes::new(), None),
            ))
        }
        "CONN" if s.name.as_deref() == Some("*") => Some(connections(broker, wanted)),
        "QLOCAL" | "QUEUE" | "Q" => Some(queues(broker, s.name.as_deref()?, wanted)),
        "QSTATUS" => Some(queue_status(broker, s.name.as_deref()?)),
        "LISTENER" => Some(objects(
            broker,
            Kind::Listener,
            "LISTENER",
            "AMQ8630I: Display listener information details.",
            s,
            wanted,
        )),
        "CHANNEL" => Some(objects(
            broker,
            Kind::Channel,
            "CHANNEL",
            "AMQ8414I: Display Channel details.",
            s,
            wanted,
        )),
        "SERVICE" => Some(objects(
            broker,
            Kind::Service,
            "SERVICE",
            "AMQ8629I: Display service information details.",
            s,
            wanted,
        )),
        "AUTHINFO" => Some(objects(
            broker,
            Kind::Authentication,
            "AUTHINFO",
            "AMQ8566I: Display authentication information details.",
            s,
            wanted,
        )),
        "LSSTATUS" => Some(running(broker, Service::Listener, s.name.as_deref()?)),
        "CHSTATUS" | "CHS" => Some(running(broker, Service::Channel, s.name.as_deref()?)),
        "CHLAUTH" => Some(rules(broker, s.name.as_deref()?)),
        "AUTHREC" => Some(authorities(broker, s)),
        _ => None,
    }
}

fn shown(title: &str, attributes: &[(String, String)]) -> Answer {
    let mut lines = vec![title.to_owned()];
    lines.extend(columns(attributes));
    Answer::Done(lines)
}

/// A generic name: `APP*` is every name that begins so.
fn generic(pattern: &str, name: &str) -> bool {
    pattern
        .strip_suffix('*')
        .map_or(pattern == name, |prefix| name.starts_with(prefix))
}

fn queue_manager(broker: &Broker, wanted: Option<&[String]>) -> Answer {
    let (name, mut attributes) = broker.objects().queue_manager();
    if let Some(password) = attributes.get_mut("KEYRPWD").filter(|p| !p.trim().is_empty()) {
        *password = "********".to_owned();
    }
    attributes.insert("PLATFORM".to_owned(), "UNIX".to_owned());
    attributes.insert("VERSION".to_owned(), crate::standin::VERSION.replace('.', "0"));
    shown(
        "AMQ8408I: Display Queue Manager details.",
        &pairs(&[("QMNAME", &name)], &attributes, wanted),
    )
}

/// Connections in the order in which they came: those of processes on the host, which have no channel, and those of clients.
fn connections(broker: &Broker, wanted: Option<&[String]>) -> Answer {
    let clients = broker.network.connected();
    let processes = INTERNAL.iter().zip(1_u64..).map(|(name, id)| (id, "", *name));
    let clients = clients
        .iter()
        .map(|(id, channel)| (FIRST_CLIENT + id, channel.as_str(), ""));
    let mut lines = Vec::new();
    for (id, channel, application) in processes.chain(clients) {
        let id = format!("{id:016X}");
        let head = [
            ("CONN", id.as_str()),
            ("EXTCONN", "414D51434D5141575353544E44494E20"),
            ("TYPE", "CONN"),
        ];
        let attributes = [("APPLTAG", application), ("CHANNEL", channel)];
        let attributes = attributes.map(|(key, value)| (key.to_owned(), value.to_owned()));
        lines.push("AMQ8276I: Display Connection details.".to_owned());
        lines.extend(columns(&pairs(&head, &attributes.into_iter().collect(), wanted)));
    }
    Answer::Done(lines)
}

fn queues(broker: &Broker, pattern: &str, wanted: Option<&[String]>) -> Answer {
    let found: Vec<(String, Attributes)> = broker
        .objects()
        .of(Kind::Queue)
        .filter(|(name, _)| generic(pattern, name))
        .map(|(name, attributes)| (name.to_owned(), attributes.clone()))
        .collect();
    if found.is_empty() {
        return Answer::not_found(pattern);
    }
    let mut lines = Vec::new();
    for (name, mut attributes) in found {
        let depth = broker.queue(&name).map_or(0, |q| q.depth());
        attributes.insert("CURDEPTH".to_owned(), depth.to_string());
        lines.push("AMQ8409I: Display Queue details.".to_owned());
        lines.extend(columns(&pairs(
            &[("QUEUE", &name), ("TYPE", "QLOCAL")],
            &attributes,
            wanted,
        )));
    }
    Answer::Done(lines)
}

fn queue_status(broker: &Broker, pattern: &str) -> Answer {
    let names: Vec<String> = broker
        .objects()
        .of(Kind::Queue)
        .map(|(n, _)| n.to_owned())
        .filter(|n| generic(pattern, n))
        .collect();
    if names.is_empty() {
        return Answer::not_found(pattern);
    }
    let mut lines = Vec::new();
    for name in names {
        let depth = broker.queue(&name).map_or(0, |q| q.depth()).to_string();
        lines.push("AMQ8450I: Display queue status details.".to_owned());
        let head = [("QUEUE", name.as_str()), ("TYPE", "QUEUE"), ("CURDEPTH", &depth)];
        lines.extend(columns(&pairs(&head, &Attributes::new(), None)));
    }
    Answer::Done(lines)
}

fn objects(broker: &Broker, kind: Kind, key: &str, title: &str, s: &Statement, wanted: Option<&[String]>) -> Answer {
    let pattern = s.name.as_deref().unwrap_or("*");
    let mut lines = Vec::new();
    for (name, attributes) in broker.objects().of(kind).filter(|(name, _)| generic(pattern, name)) {
        let mut attributes = attributes.clone();
        attributes.remove(STARTED);
        lines.push(title.to_owned());
        lines.extend(columns(&pairs(&[(key, name)], &attributes, wanted)));
    }
    if lines.is_empty() {
        Answer::not_found(pattern)
    } else {
        Answer::Done(lines)
    }
}

fn running(broker: &Broker, service: Service, pattern: &str) -> Answer {
    let (key, title, none) = match service {
        Service::Listener => (
            "LISTENER",
            "AMQ8631I: Display listener status details.",
            "AMQ8147E: IBM MQ object not found.",
        ),
        Service::Channel => (
            "CHANNEL",
            "AMQ8417I: Display Channel Status details.",
            "AMQ8420I: Channel Status not found.",
        ),
    };
    let mut lines = Vec::new();
    for (name, address) in broker.network.running(service) {
        if generic(pattern, &name) {
            let (ip, port) = (address.ip().to_string(), address.port().to_string());
            let head = [
                (key, name.as_str()),
                ("STATUS", "RUNNING"),
                ("IPADDR", &ip),
                ("PORT", &port),
            ];
            lines.push(title.to_owned());
            lines.extend(columns(&pairs(&head, &Attributes::new(), None)));
        }
    }
    if lines.is_empty() {
        Answer::failed(none)
    } else {
        Answer::Done(lines)
    }
}

fn rules(broker: &Broker, pattern: &str) -> Answer {
    let mut lines = Vec::new();
    for (_, rule) in broker.objects().of(Kind::ChannelRule) {
        let (name, kind) = (
            rule.get("CHLAUTH").cloned().unwrap_or_default(),
            rule.get("TYPE").cloned().unwrap_or_default(),
        );
        if generic(pattern, &name) {
            lines.push("AMQ8878I: Display channel authentication record details.".to_owned());
            lines.extend(columns(&pairs(&[("CHLAUTH", &name), ("TYPE", &kind)], rule, None)));
        }
    }
    if lines.is_empty() {
        Answer::failed("AMQ8884E: Channel authentication record not found.")
    } else {
        Answer::Done(lines)
    }
}

fn authorities(broker: &Broker, s: &Statement) -> Answer {
    let mut lines = Vec::new();
    for (_, record) in broker.objects().of(Kind::Authority) {
        let fits = |key: &str| {
            s.get(key)
                .is_none_or(|v| record.get(key).is_some_and(|r| r == v || profile_matches(v, r)))
        };
        if fits("PROFILE") && fits("OBJTYPE") && fits("PRINCIPAL") {
            lines.push("AMQ8864I: Display authority record details.".to_owned());
            lines.extend(columns(&pairs(&[], record, None)));
        }
    }
    if lines.is_empty() {
        Answer::failed("AMQ8871E: Authority record not found.")
    } else {
        Answer::Done(lines)
    }
}
