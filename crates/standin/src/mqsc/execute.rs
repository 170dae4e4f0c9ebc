//! What statements do.

use super::{
    answer::Answer,
    parse::Statement,
    rules::{authority, channel_rule},
    services::{STARTED, endpoint, service},
    show,
};
use crate::standin::{
    broker::Broker,
    network::Service,
    objects::{Attributes, Kind},
    tls::{hidden, is_cipher},
};

const QUEUE: &[&str] = &["DESCR", "DEFPSIST", "DEFSOPT", "MAXDEPTH", "MAXMSGL", "MONQ"];
const QUEUE_WORDS: &[&str] = &["SHARE", "NOSHARE", "REPLACE", "NOREPLACE"];
const CHANNEL: &[&str] = &[
    "CHLTYPE", "TRPTYPE", "DESCR", "MCAUSER", "PORT", "LOCLADDR", "MAXMSGL", "SSLCIPH", "SSLCAUTH", "MONCHL",
    "MAXINST", "USECLTID", "CERTLABL",
];
const LISTENER: &[&str] = &["TRPTYPE", "PORT", "IPADDR", "CONTROL", "DESCR", "BACKLOG"];
const SERVICE: &[&str] = &["CONTROL", "DESCR"];
const AUTHENTICATION: &[&str] = &[
    "AUTHTYPE", "CHCKCLNT", "CHCKLOCL", "ADOPTCTX", "AUTHENMD", "FAILDLAY", "DESCR",
];
const QUEUE_MANAGER: &[&str] = &[
    "DESCR", "DEADQ", "CHLAUTH", "CONNAUTH", "MAXMSGL", "MONQ", "MONCHL", "STATQ", "STATMQI", "ACTVTRC", "CHLEV",
    "PERFMEV", "SSLKEYR", "KEYRPWD", "CERTLABL",
];
const REPLACE: &[&str] = &["REPLACE", "NOREPLACE"];

/// Executes one statement; `text` is what a syntax error shows.
pub(crate) fn execute(broker: &Broker, statement: &Statement, text: &str) -> Answer {
    let s = statement;
    let object = match s.object.as_str() {
        "QL" => "QLOCAL",
        "CHL" => "CHANNEL",
        "LSTR" => "LISTENER",
        "QS" => "QSTATUS",
        other => other,
    };
    let verb = match s.verb.as_str() {
        "DEF" => "DEFINE",
        "ALT" => "ALTER",
        "DIS" => "DISPLAY",
        "STA" => "START",
        "REF" => "REFRESH",
        other => other,
    };
    let answer = match (verb, object, s.name.as_deref()) {
        ("PING", "QMGR", None) if s.pairs.is_empty() => {
            Some(Answer::done("AMQ8415I: Ping IBM MQ Queue Manager command complete."))
        }
        ("DEFINE", "QLOCAL", Some(name)) => define_queue(broker, s, name),
        ("ALTER", "QLOCAL", Some(name)) => alter_queue(broker, s, name),
        ("DELETE", "QLOCAL", Some(name)) => delete_queue(broker, s, name),
        ("CLEAR", "QLOCAL", Some(name)) => Some(clear_queue(broker, name)),
        ("ALTER", "QMGR", None) => alter_queue_manager(broker, s),
        ("DEFINE", "CHANNEL", Some(name)) if s.get("CHLTYPE").is_some_and(|t| ["SVRCONN", "AMQP"].contains(&t)) => {
            define(
                broker,
                s,
                Kind::Channel,
                name,
                CHANNEL,
                "AMQ8014I: IBM MQ channel created.",
            )
        }
        ("ALTER", "CHANNEL", Some(name)) => alter(
            broker,
            s,
            Kind::Channel,
            name,
            CHANNEL,
            "AMQ8016I: IBM MQ channel changed.",
        ),
        ("DEFINE", "LISTENER", Some(name)) if s.get("TRPTYPE") == Some("TCP") => define(
            broker,
            s,
            Kind::Listener,
            name,
            LISTENER,
            "AMQ8626I: IBM MQ listener created.",
        ),
        ("ALTER", "LISTENER", Some(name)) => alter(
            broker,
            s,
            Kind::Listener,
            name,
            LISTENER,
            "AMQ8623I: IBM MQ listener changed.",
        ),
        ("DEFINE", "SERVICE", Some(name)) => define(
            broker,
            s,
            Kind::Service,
            name,
            SERVICE,
            "AMQ8625I: IBM MQ service created.",
        ),
        ("ALTER", "SERVICE", Some(name)) => alter(
            broker,
            s,
            Kind::Service,
            name,
            SERVICE,
            "AMQ8627I: IBM MQ service changed.",
        ),
        ("DEFINE", "AUTHINFO", Some(name)) if s.get("AUTHTYPE") == Some("IDPWOS") => define(
            broker,
            s,
            Kind::Authentication,
            name,
            AUTHENTICATION,
            "AMQ8563I: IBM MQ authentication information object created.",
        ),
        ("START" | "STOP", "LISTENER", Some(name)) => Some(endpoint(broker, s, verb, Service::Listener, name)),
        ("START" | "STOP", "CHANNEL", Some(name)) => Some(endpoint(broker, s, verb, Service::Channel, name)),
        ("START" | "STOP", "SERVICE", Some(name)) => Some(service(broker, s, verb, name)),
        ("SET", "CHLAUTH", Some(name)) => channel_rule(broker, s, name),
        ("SET", "AUTHREC", None) => authority(broker, s),
        ("REFRESH", "SECURITY", _) => Some(Answer::done("AMQ8560I: IBM MQ security cache refreshed.")),
        ("DISPLAY", ..) => show::display(broker, object, s),
        _ => None,
    };
    answer.unwrap_or_else(|| Answer::Syntax(text.trim().to_owned()))
}

pub(super) fn known(s: &Statement, attributes: &[&str], words: &[&str]) -> bool {
    s.pairs.iter().all(|(k, _)| attributes.contains(&k.as_str())) && s.words.iter().all(|w| words.contains(&w.as_str()))
}

fn number(s: &Statement, key: &str, range: std::ops::RangeInclusive<u64>) -> bool {
    s.get(key).is_none_or(|v| v.parse().is_ok_and(|n| range.contains(&n)))
}

fn one_of(s: &Statement, key: &str, values: &[&str]) -> bool {
    s.get(key).is_none_or(|v| values.contains(&v))
}

fn plausible(s: &Statement) -> bool {
    number(s, "MAXDEPTH", 0..=999_999_999)
        && number(s, "MAXMSGL", 0..=104_857_600)
        && number(s, "PORT", 0..=65_535)
        && one_of(s, "DEFPSIST", &["YES", "NO"])
        && one_of(s, "CONTROL", &["QMGR", "MANUAL", "STARTONLY"])
        && one_of(s, "CHCKCLNT", &["NONE", "OPTIONAL", "REQUIRED", "REQDADM"])
        && one_of(s, "CHLAUTH", &["ENABLED", "DISABLED"])
        && s.get("IPADDR")
            .is_none_or(|a| a.is_empty() || a.parse::<std::net::IpAddr>().is_ok())
        && s.name.as_deref().is_none_or(|n| !n.is_empty() && n.len() <= 48)
}

pub(super) fn merged(before: Option<&Attributes>, s: &Statement) -> Attributes {
    let mut attributes = before.cloned().unwrap_or_default();
    attributes.extend(s.pairs.iter().cloned());
    if s.has("SHARE") || s.has("NOSHARE") {
        attributes.insert("SHARE".to_owned(), if s.has("SHARE") { "YES" } else { "NO" }.to_owned());
    }
    attributes
}

fn define_queue(broker: &Broker, s: &Statement, name: &str) -> Option<Answer> {
    if !known(s, QUEUE, QUEUE_WORDS) || !plausible(s) || name.contains('*') {
        return None;
    }
    let mut objects = broker.objects();
    if objects.get(Kind::Queue, name).is_some() && !s.has("REPLACE") {
        return Some(Answer::exists());
    }
    let attributes = merged(
        objects.get(Kind::Queue, "SYSTEM.DEFAULT.LOCAL.QUEUE").cloned().as_ref(),
        s,
    );
    broker.open_queue(name, &attributes);
    objects.set(Kind::Queue, name, attributes);
    Some(Answer::done("AMQ8006I: IBM MQ queue created."))
}

fn alter_queue(broker: &Broker, s: &Statement, name: &str) -> Option<Answer> {
    if !known(s, QUEUE, &["SHARE", "NOSHARE"]) || !plausible(s) {
        return None;
    }
    let mut objects = broker.objects();
    let Some(before) = objects.get(Kind::Queue, name) else {
        return Some(Answer::not_found(name));
    };
    let attributes = merged(Some(before), s);
    broker.open_queue(name, &attributes);
    objects.set(Kind::Queue, name, attributes);
    Some(Answer::done("AMQ8008I: IBM MQ queue changed."))
}

fn delete_queue(broker: &Broker, s: &Statement, name: &str) -> Option<Answer> {
    if !known(s, &[], &["PURGE", "NOPURGE", "IGNSTATE"]) {
        return None;
    }
    let mut objects = broker.objects();
    let Some(queue) = broker.queue(name).filter(|_| objects.get(Kind::Queue, name).is_some()) else {
        return Some(Answer::not_found(name));
    };
    if queue.depth() > 0 && !s.has("PURGE") {
        return Some(Answer::failed("AMQ8143E: IBM MQ queue not empty."));
    }
    broker.delete_queue(&queue);
    objects.remove(Kind::Queue, name);
    Some(Answer::done("AMQ8007I: IBM MQ queue deleted."))
}

fn clear_queue(broker: &Broker, name: &str) -> Answer {
    let Some(queue) = broker.queue(name) else {
        return Answer::not_found(name);
    };
    broker.forget(&queue, queue.clear());
    Answer::done("AMQ8022I: IBM MQ queue cleared.")
}

fn alter_queue_manager(broker: &Broker, s: &Statement) -> Option<Answer> {
    if !known(s, QUEUE_MANAGER, &["FORCE"]) || !plausible(s) {
        return None;
    }
    let mut objects = broker.objects();
    if let Some(name) = s.get("CONNAUTH")
        && !name.is_empty()
        && objects.get(Kind::Authentication, name).is_none()
    {
        return Some(Answer::not_found(name));
    }
    let (name, before) = objects.queue_manager();
    let mut after = merged(Some(&before), s);
    if let Some(password) = s.get("KEYRPWD").filter(|p| !p.trim().is_empty()) {
        after.insert("KEYRPWD".to_owned(), hidden::close(password));
    }
    objects.set(Kind::QueueManager, &name, after);
    Some(Answer::done("AMQ8005I: IBM MQ queue manager changed."))
}

fn wrong_cipher(s: &Statement) -> Option<Answer> {
    let wrong = s.get("SSLCIPH").is_some_and(|c| !is_cipher(c));
    wrong.then(|| Answer::failed("AMQ8242E: SSLCIPH definition wrong."))
}

fn define(
    broker: &Broker,
    s: &Statement,
    kind: Kind,
    name: &str,
    known_attributes: &[&str],
    done: &str,
) -> Option<Answer> {
    if !known(s, known_attributes, REPLACE) || !plausible(s) {
        return None;
    }
    if let Some(answer) = wrong_cipher(s) {
        return Some(answer);
    }
    let mut objects = broker.objects();
    let before = objects.get(kind, name).cloned();
    if before.is_some() && !s.has("REPLACE") {
        return Some(Answer::exists());
    }
    let mut attributes = merged(None, s);
    // Whether it was started is no attribute, and a new definition does not stop it.
    if let Some(started) = before.and_then(|b| b.get(STARTED).cloned()) {
        attributes.insert(STARTED.to_owned(), started);
    }
    objects.set(kind, name, attributes);
    Some(Answer::done(done))
}

fn alter(
    broker: &Broker,
    s: &Statement,
    kind: Kind,
    name: &str,
    known_attributes: &[&str],
    done: &str,
) -> Option<Answer> {
    if !known(s, known_attributes, &[]) || !plausible(s) {
        return None;
    }
    if let Some(answer) = wrong_cipher(s) {
        return Some(answer);
    }
    let mut objects = broker.objects();
    let Some(before) = objects.get(kind, name) else {
        return Some(Answer::not_found(name));
    };
    let attributes = merged(Some(before), s);
    objects.set(kind, name, attributes);
    Some(Answer::done(done))
}

/// Opens a queue for every definition, with what the log has kept for it.
pub(crate) fn open_queues(broker: &Broker) {
    let queues: Vec<(String, Attributes)> = broker
        .objects()
        .of(Kind::Queue)
        .map(|(name, attributes)| (name.to_owned(), attributes.clone()))
        .collect();
    for (name, attributes) in queues {
        broker.open_queue(&name, &attributes);
    }
}
