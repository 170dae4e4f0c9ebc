//! What the metadata service tells of this instance's future: the group's wish, EC2's maintenance, the end of a spot instance.
//!
//! Only what is read counts. An error, or a text that this version does not understand, is never taken for a notice.

use super::duty::{DrainReason, Event};
use super::ports::Metadata;
use super::work::{Message, spawn};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde::Deserialize;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

/// Period of the question for the target lifecycle state, whose answer has to wait for no one.
const LIFECYCLE: Duration = Duration::from_secs(1);
/// Period of the question for notices, as AWS advises for spot instances.
const NOTICES: Duration = Duration::from_secs(5);
/// How long before a scheduled event the instance is drained: long enough for a replacement to serve before it.
const LEAD: Duration = Duration::from_secs(600);

/// An event that EC2 has scheduled, by the metadata service (the names are AWS's, not seen on AWS so far).
#[derive(Debug, Clone, Deserialize)]
struct Scheduled {
    #[serde(rename = "Code")]
    code: String,
    #[serde(rename = "NotBefore")]
    not_before: String,
    #[serde(rename = "State", default)]
    state: String,
}

#[derive(Debug, Clone, Deserialize)]
struct Interruption {
    action: String,
}

/// Texts of the metadata service; absent is what it answered with 404.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Notices {
    /// `events/maintenance/scheduled`.
    pub(crate) maintenance: Option<String>,
    /// `spot/instance-action`.
    pub(crate) spot: Option<String>,
}

/// Why this instance should be drained at this time, in words.
pub(crate) fn due(notices: &Notices, now: Timestamp) -> Option<String> {
    if let Some(text) = &notices.spot {
        match serde_json::from_str::<Interruption>(text) {
            Ok(spot) => return Some(format!("EC2 is about to {} this spot instance", spot.action)),
            Err(error) => tracing::warn!(%error, "the spot notice is not understood"),
        }
    }
    let events: Vec<Scheduled> = match notices.maintenance.as_deref().map(serde_json::from_str) {
        Some(Ok(events)) => events,
        Some(Err(error)) => {
            tracing::warn!(%error, "the scheduled events are not understood");
            Vec::new()
        }
        None => Vec::new(),
    };
    events.into_iter().find_map(|event| {
        if event.state == "completed" || event.state == "canceled" {
            return None;
        }
        let Some(at) = time(&event.not_before) else {
            tracing::warn!(?event, "the time of a scheduled event is not understood");
            return None;
        };
        let left = Duration::try_from(at.duration_since(now)).unwrap_or_default();
        (left <= LEAD).then(|| format!("EC2 has scheduled {} for {}", event.code, event.not_before))
    })
}

/// `21 Jan 2019 09:00:43 GMT`.
fn time(text: &str) -> Option<Timestamp> {
    let text = text.strip_suffix(" GMT")?;
    let time = DateTime::strptime("%d %b %Y %H:%M:%S", text).ok()?;
    Some(time.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

/// What the target lifecycle state asks for.
fn asked(state: Option<&str>) -> Option<DrainReason> {
    match state {
        Some("Terminated") => Some(DrainReason::Lifecycle),
        // Said as long as it is so; to an instance that still waits in the pool it says nothing.
        Some(state) if state.starts_with("Warmed") => Some(DrainReason::Pool),
        _ => None,
    }
}

/// Watches until the group ends this instance.
///
/// # Errors
/// When there is no thread.
pub(crate) fn watch(metadata: Arc<dyn Metadata>, out: Sender<Message>) -> std::io::Result<()> {
    spawn("notices", move || {
        let mut told = false;
        let mut asked_at: Option<Instant> = None;
        loop {
            std::thread::sleep(LIFECYCLE);
            let reason = match metadata.lifecycle() {
                Ok(state) => asked(state.as_deref()),
                Err(error) => {
                    tracing::debug!(error, "target lifecycle state");
                    None
                }
            };
            if let Some(reason) = reason {
                let last = out.send(Message::Event(Event::Drain(reason))).is_err();
                // The group's wish to end it is its last.
                if last || reason == DrainReason::Lifecycle {
                    return;
                }
            }
            if told || asked_at.is_some_and(|at| at.elapsed() < NOTICES) {
                continue;
            }
            asked_at = Some(Instant::now());
            match metadata.notices() {
                Ok(notices) => {
                    if let Some(why) = due(&notices, Timestamp::now()) {
                        tracing::warn!(why, "notice");
                        told = true;
                        if out.send(Message::Event(Event::Drain(DrainReason::Notice))).is_err() {
                            return;
                        }
                    }
                }
                Err(error) => tracing::debug!(error, "notices"),
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn maintenance(events: &str) -> Notices {
        Notices {
            maintenance: Some(events.to_owned()),
            spot: None,
        }
    }

    fn at(text: &str) -> Timestamp {
        text.parse().expect("time")
    }

    #[test]
    fn a_scheduled_event_is_a_reason_shortly_before_its_time() {
        let event = |state: &str| {
            maintenance(&format!(
                r#"[{{"NotBefore":"21 Jan 2019 09:00:43 GMT","Code":"system-reboot","Description":"scheduled reboot",
                     "EventId":"instance-event-1","NotAfter":"21 Jan 2019 09:17:23 GMT","State":"{state}"}}]"#
            ))
        };
        assert_eq!(
            due(&event("active"), at("2019-01-21T08:50:42Z")),
            None,
            "more than ten minutes before"
        );
        let why = due(&event("active"), at("2019-01-21T08:50:44Z")).expect("due");
        assert!(why.contains("system-reboot") && why.contains("09:00:43"), "{why}");
        assert!(
            due(&event("active"), at("2019-01-21T09:05:00Z")).is_some(),
            "it may still come"
        );
        for state in ["completed", "canceled"] {
            assert_eq!(due(&event(state), at("2019-01-21T09:00:00Z")), None, "{state}");
        }
    }

    #[test]
    fn a_spot_notice_is_a_reason_at_once() {
        let notices = Notices {
            spot: Some(r#"{"action":"terminate","time":"2017-09-18T08:22:00Z"}"#.into()),
            ..Notices::default()
        };
        assert!(
            due(&notices, at("2017-09-18T08:20:00Z"))
                .expect("due")
                .contains("terminate")
        );
    }

    #[test]
    fn what_is_not_understood_is_no_reason() {
        let now = at("2019-01-21T09:00:00Z");
        for text in [
            "[]",
            "",
            "[{}]",
            "{}",
            r#"[{"NotBefore":"soon","Code":"x","State":"active"}]"#,
        ] {
            assert_eq!(due(&maintenance(text), now), None, "{text}");
        }
        let spot = Notices {
            spot: Some("<html>".into()),
            ..Notices::default()
        };
        assert_eq!(due(&spot, now), None);
        assert_eq!(due(&Notices::default(), now), None);
    }

    #[test]
    fn the_target_lifecycle_states_that_ask_for_something() {
        for (state, reason) in [
            (Some("Terminated"), Some(DrainReason::Lifecycle)),
            (Some("Warmed:Stopped"), Some(DrainReason::Pool)),
            (Some("Warmed:Running"), Some(DrainReason::Pool)),
            (Some("InService"), None),
            (Some("Standby"), None),
            (Some("a word of a later day"), None),
            (None, None),
        ] {
            assert_eq!(asked(state), reason, "{state:?}");
        }
    }
}
