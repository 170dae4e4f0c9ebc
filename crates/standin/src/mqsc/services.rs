//! Starting and stopping listeners, channels and the AMQP service.

use super::{answer::Answer, parse::Statement};
use crate::standin::{
    broker::Broker,
    network::{Endpoint, Service},
    objects::Kind,
    tls::Tls,
};

/// Marks a channel or service that was started, so that it starts again with the queue manager.
pub(crate) const STARTED: &str = "-STARTED";

fn remember(broker: &Broker, kind: Kind, name: &str, started: bool) {
    let mut objects = broker.objects();
    if let Some(mut attributes) = objects.get(kind, name).cloned() {
        attributes.insert(STARTED.to_owned(), if started { "YES" } else { "NO" }.to_owned());
        objects.set(kind, name, attributes);
    }
}

pub(super) fn endpoint(broker: &Broker, s: &Statement, verb: &str, service: Service, name: &str) -> Answer {
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
    let mut endpoint = match Endpoint::of(service, name, &attributes, broker.own_address) {
        Ok(endpoint) => endpoint,
        Err(why) => return Answer::failed(format!("AMQ9218E: The TCP/IP listener program could not bind: {why}.")),
    };
    endpoint.tls = Tls::of(&attributes, &broker.objects());
    remember(broker, kind, name, true);
    if service == Service::Channel && !broker.amqp_service_runs() {
        return Answer::failed("AMQ9557E: the AMQP service is not running; the channel starts with it.");
    }
    match broker.network.start(broker, &endpoint) {
        Ok(true) => Answer::done(starts),
        Ok(false) if ignore => Answer::done(starts),
        Ok(false) if service == Service::Channel => Answer::failed(format!("AMQ9514E: Channel '{name}' is in use.")),
        Ok(false) => Answer::failed("AMQ8730E: Listener already active."),
        Err(error) if error.to_string().starts_with("AMQ") => Answer::failed(error.to_string()),
        Err(error) => Answer::failed(format!(
            "AMQ9218E: The TCP/IP listener program could not bind to {}: {error}.",
            endpoint.address
        )),
    }
}

pub(super) fn service(broker: &Broker, s: &Statement, verb: &str, name: &str) -> Answer {
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
