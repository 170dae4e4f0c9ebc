//! What statements do.

use super::{answer::Answer, parse::Statement, show};
use crate::standin::{
    broker::Broker,
    network::{Endpoint, Service},
    objects::{Attributes, Kind},
};

const QUEUE: &[&str] = &["DESCR", "DEFPSIST", "DEFSOPT", "MAXDEPTH", "MAXMSGL", "MONQ"];
const QUEUE_WORDS: &[&str] = &["SHARE", "NOSHARE", "REPLACE", "NOREPLACE"];
const CHANNEL: &[&str] = &[
    "CHLTYPE", "TRPTYPE", "DESCR", "MCAUSER", "PORT", "LOCLADDR", "MAXMSGL", "SSLCIPH", "SSLCAUTH", "MONCHL",
    "MAXINST", "USECLTID",
];
const LISTENER: &[&str] = &["TRPTYPE", "PORT", "IPADDR", "CONTROL", "DESCR", "BACKLOG"];
const SERVICE: &[&str] = &["CONTROL", "DESCR"];
const AUTHENTICATION: &[&str] = &[
    "AUTHTYPE", "CHCKCLNT", "CHCKLOCL", "ADOPTCTX", "AUTHENMD", "FAILDLAY", "DESCR",
];
const QUEUE_MANAGER: &[&str] = &[
    "DESCR", "DEADQ", "CHLAUTH", "CONNAUTH", "MAXMSGL", "MONQ", "MONCHL", "STATQ", "STATMQI", "ACTVTRC", "CHLEV",
    "PERFMEV",
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

fn known(s: &Statement, attributes: &[&str], words: &[&str]) -> bool {
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

fn merged(before: Option<&Attributes>, s: &Statement) -> Attributes {
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
    objects.set(Kind::QueueManager, &name, merged(Some(&before), s));
    Some(Answer::done("AMQ8005I: IBM MQ queue manager changed."))
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
    let mut objects = broker.objects();
    let Some(before) = objects.get(kind, name) else {
        return Some(Answer::not_found(name));
    };
    let attributes = merged(Some(before), s);
    objects.set(kind, name, attributes);
    Some(Answer::done(done))
}

/// Marks a channel or service that was started, so that it starts again with the queue manager.
pub(crate) const STARTED: &str = "-STARTED";

fn remember(broker: &Broker, kind: Kind, name: &str, started: bool) {
    let mut objects = broker.objects();
    if let Some(mut attributes) = objects.get(kind, name).cloned() {
        attributes.insert(STARTED.to_owned(), if started { "YES" } else { "NO" }.to_owned());
        objects.set(kind, name, attributes);
    }
}

fn endpoint(broker: &Broker, s: &Statement, verb: &str, service: Service, name: &str) -> Answer {
    let kind = if service == Service::Listener {
        Kind::Listener
    } else {
        Kind::Channel
    };
    let Some(attributes) = broker.objects().get(kind, name).cloned() else {
        return Answer::not_found(name);
    };
    let amqp = attributes.get("CHLTYPE").is_some_and(|t| t == "AMQP");
    let (what, starts, stops) = match service {
        Service::Listener => (
            "listener",
            "AMQ8021I: Request to start IBM MQ listener accepted.",
            "AMQ8706I: Request to stop IBM MQ Listener accepted.",
        ),
        Service::Channel => (
            "channel",
            "AMQ8018I: Start IBM MQ channel accepted.",
            "AMQ8019I: Stop IBM MQ channel accepted.",
        ),
    };
    if service == Service::Channel && !amqp {
        // Server-connection channels have no listener of their own.
        return Answer::done(if verb == "START" { starts } else { stops });
    }
    let ignore = s.get("IGNSTATE") == Some("YES");
    if verb == "STOP" {
        remember(broker, kind, name, false);
        let stopped = broker.network.stop(service, name);
        return if stopped || ignore {
            Answer::done(stops)
        } else {
            Answer::failed(format!("AMQ8729E: The {what} is not active."))
        };
    }
    let endpoint = match Endpoint::of(service, name, &attributes, broker.own_address) {
        Ok(endpoint) => endpoint,
        Err(why) => return Answer::failed(format!("AMQ9218E: The TCP/IP listener program could not bind: {why}.")),
    };
    remember(broker, kind, name, true);
    if service == Service::Channel && !broker.amqp_service_runs() {
        return Answer::failed("AMQ9557E: the AMQP service is not running; the channel starts with it.");
    }
    match broker.network.start(broker, &endpoint) {
        Ok(true) => Answer::done(starts),
        Ok(false) if ignore => Answer::done(starts),
        Ok(false) if service == Service::Channel => Answer::failed(format!("AMQ9514E: Channel '{name}' is in use.")),
        Ok(false) => Answer::failed("AMQ8730E: Listener already active."),
        Err(error) => Answer::failed(format!(
            "AMQ9218E: The TCP/IP listener program could not bind to {}: {error}.",
            endpoint.address
        )),
    }
}

fn service(broker: &Broker, s: &Statement, verb: &str, name: &str) -> Answer {
    if broker.objects().get(Kind::Service, name).is_none() {
        return Answer::not_found(name);
    }
    let ignore = s.get("IGNSTATE") == Some("YES");
    let running = broker.objects().value(Kind::Service, name, STARTED) == Some("YES");
    match (verb, running) {
        ("START", true) if !ignore => Answer::failed("AMQ8731E: Service already active."),
        ("STOP", false) if !ignore => Answer::failed("AMQ8735E: The service is not active."),
        ("START", _) => {
            remember(broker, Kind::Service, name, true);
            match broker.start_amqp_channels() {
                Ok(()) => Answer::done("AMQ8733I: Request to start Service accepted."),
                Err(error) => Answer::failed(format!(
                    "AMQ9218E: The TCP/IP listener program could not bind: {error}."
                )),
            }
        }
        _ => {
            remember(broker, Kind::Service, name, false);
            broker.network.stop_all(Service::Channel);
            Answer::done("AMQ8732I: Request to stop Service accepted.")
        }
    }
}

fn channel_rule(broker: &Broker, s: &Statement, name: &str) -> Option<Answer> {
    const RULE: &[&str] = &[
        "TYPE", "ADDRESS", "CLNTUSER", "USERLIST", "USERSRC", "MCAUSER", "CHCKCLNT", "DESCR", "ACTION", "WARN",
    ];
    let kind = s.get("TYPE")?;
    if !known(s, RULE, &[]) || !["ADDRESSMAP", "BLOCKUSER", "USERMAP"].contains(&kind) {
        return None;
    }
    let who = s.get("ADDRESS").or_else(|| s.get("CLNTUSER")).unwrap_or_default();
    let key = format!("{name}|{kind}|{who}");
    let mut objects = broker.objects();
    match s.get("ACTION").unwrap_or("ADD") {
        "REMOVE" => {
            objects.remove(Kind::ChannelRule, &key);
        }
        "ADD" if objects.get(Kind::ChannelRule, &key).is_some() => return Some(Answer::exists()),
        "ADD" | "REPLACE" => {
            let mut attributes = merged(None, s);
            attributes.remove("ACTION");
            attributes.insert("CHLAUTH".to_owned(), name.to_owned());
            objects.set(Kind::ChannelRule, &key, attributes);
        }
        _ => return None,
    }
    Some(Answer::done("AMQ8877I: IBM MQ channel authentication record set."))
}

fn authority(broker: &Broker, s: &Statement) -> Option<Answer> {
    const RECORD: &[&str] = &["OBJTYPE", "PROFILE", "PRINCIPAL", "GROUP", "AUTHADD", "AUTHRMV"];
    let kind = s.get("OBJTYPE")?;
    if !known(s, RECORD, &[]) || !["QMGR", "QUEUE", "TOPIC", "CHANNEL"].contains(&kind) {
        return None;
    }
    let profile = match kind {
        "QMGR" => broker.name.as_str(),
        _ => s.get("PROFILE")?,
    };
    let who = s.get("PRINCIPAL").or_else(|| s.get("GROUP"))?;
    let key = format!("{kind}|{profile}|{who}");
    let mut objects = broker.objects();
    let mut attributes = objects.get(Kind::Authority, &key).cloned().unwrap_or_default();
    let mut held: Vec<String> = attributes
        .get("AUTHLIST")
        .map(|a| a.split(',').map(str::to_owned).collect())
        .unwrap_or_default();
    for authority in s
        .get("AUTHADD")
        .unwrap_or_default()
        .split(',')
        .filter(|a| !a.is_empty())
    {
        if !held.iter().any(|a| a == authority) {
            held.push(authority.to_owned());
        }
    }
    let removed: Vec<&str> = s.get("AUTHRMV").unwrap_or_default().split(',').collect();
    held.retain(|a| !removed.contains(&a.as_str()));
    attributes.insert("AUTHLIST".to_owned(), held.join(","));
    attributes.insert("OBJTYPE".to_owned(), kind.to_owned());
    attributes.insert("PROFILE".to_owned(), profile.to_owned());
    let holder = if s.get("PRINCIPAL").is_some() {
        "PRINCIPAL"
    } else {
        "GROUP"
    };
    attributes.insert(holder.to_owned(), who.to_owned());
    objects.set(Kind::Authority, &key, attributes);
    Some(Answer::done("AMQ8862I: IBM MQ authority record set."))
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
