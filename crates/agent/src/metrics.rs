//! Metrics: once a minute, all in one call.

use super::marks::unix_nanos;
use super::ports::Measures;
use super::work::{Message, Ports, spawn};
use crate::model::agent::{AgentState, AgentStatus, metric};
use crate::signed::Datum;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Period of the metrics.
const PERIOD: Duration = Duration::from_secs(60);
/// After service begins, clients come first.
const SETTLE: Duration = Duration::from_millis(500);

/// Starts the measuring thread; what is sent to it asks for a measurement soon.
///
/// # Errors
/// When there is no thread.
pub(crate) fn start(
    ports: &Ports,
    out: Sender<Message>,
    snapshot: Arc<Mutex<Option<AgentStatus>>>,
) -> std::io::Result<Sender<()>> {
    let (kick, kicked) = mpsc::channel::<()>();
    let (engine, cloud) = (ports.engine.clone(), ports.cloud.clone());
    spawn("metrics", move || {
        let mut sent: Option<Instant> = None;
        let mut failovers = Failovers::default();
        loop {
            match kicked.recv_timeout(PERIOD) {
                Ok(()) => std::thread::sleep(SETTLE),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            let Some(status) = snapshot.lock().unwrap_or_else(|e| e.into_inner()).clone() else {
                continue;
            };
            let serving = status.state == AgentState::Serving;
            // Taken before, so that what is told of the age is never too young.
            let began = serving.then(unix_nanos);
            let measures = if serving { engine.measure() } else { Measures::default() };
            if out.send(Message::Measured(measures.clone(), began)).is_err() {
                return;
            }
            // A kick between two periods measures, and sends only the first time.
            if sent.is_some_and(|at| at.elapsed() < PERIOD - SETTLE) {
                continue;
            }
            let running = engine.controller().ok().map(|c| c.is_some());
            failovers.count(&status);
            let data = data(&status, &measures, running, failovers.unsent);
            match cloud.put_metrics(&data) {
                Ok(()) => {
                    sent = Some(Instant::now());
                    failovers.unsent = 0;
                }
                Err(error) => tracing::warn!(error, "metrics not sent"),
            }
        }
    })?;
    Ok(kick)
}

/// Counts starts after a failure, each once.
#[derive(Debug, Default)]
struct Failovers {
    restarts: u32,
    taken_over: bool,
    unsent: u32,
}

impl Failovers {
    fn count(&mut self, status: &AgentStatus) {
        self.unsent += status.restarts.saturating_sub(self.restarts);
        self.restarts = status.restarts;
        let previous = status.proof.as_ref().and_then(|p| p.previous.as_deref());
        let taken_over = status.state == AgentState::Serving && previous.is_some_and(|p| p != status.instance);
        self.unsent += u32::from(taken_over && !self.taken_over);
        self.taken_over |= taken_over;
    }
}

fn data(status: &AgentStatus, measures: &Measures, running: Option<bool>, failovers: u32) -> Vec<Datum> {
    let flag = |on: bool| f64::from(u8::from(on));
    let datum = |name, value, unit| Datum { name, value, unit };
    let mut data = vec![
        datum(
            metric::QUEUE_MANAGER_UP,
            flag(status.state == AgentState::Serving),
            "Count",
        ),
        datum(metric::LOCK_HELD, flag(status.lock_held), "Count"),
        datum(metric::FAILOVERS, f64::from(failovers), "Count"),
        datum(metric::FENCE_ALARM, flag(status.alarm.is_some()), "Count"),
    ];
    // What is not known is not sent: a zero would be a statement.
    data.extend(running.map(|r| datum(metric::ENGINE_RUNNING, flag(r), "Count")));
    let standby = status.standby_ready;
    data.extend(standby.map(|ready| datum(metric::STANDBY_READY, flag(ready), "Count")));
    data.extend(
        status
            .fsync_millis
            .map(|ms| datum(metric::FSYNC_MILLIS, ms, "Milliseconds")),
    );
    data.extend(
        measures
            .connections
            .map(|n| datum(metric::CONNECTIONS, n as f64, "Count")),
    );
    let certificate = measures.certificate_days;
    data.extend(certificate.map(|days| datum(metric::CERTIFICATE_DAYS, days, "Count")));
    data.extend(measures.depth.map(|n| datum(metric::QUEUE_DEPTH, n as f64, "Count")));
    data
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::agent::ProofReport;

    fn status(state: &str, restarts: u32, previous: Option<&str>) -> AgentStatus {
        AgentStatus {
            schema: String::new(),
            agent_version: String::new(),
            instance: "i-me".into(),
            zone: String::new(),
            queue_manager: "QM1".into(),
            state: state.into(),
            since: String::new(),
            age_seconds: None,
            epoch: Some(1),
            proof: Some(ProofReport {
                kind: "terminated".into(),
                previous: previous.map(str::to_owned),
                at: String::new(),
            }),
            engine_version: None,
            stand_in: true,
            queue_manager_status: None,
            lock_held: true,
            fsync_millis: None,
            fsync_fastest_millis: None,
            standby_ready: None,
            paused: None,
            restarts,
            connections: None,
            measured_seconds: None,
            certificate_days: None,
            last_error: None,
            alarm: None,
            previous: None,
            original: None,
            empty: None,
            decision: None,
            member: None,
        }
    }

    #[test]
    fn each_failover_is_counted_once_and_kept_until_it_was_sent() {
        let mut failovers = Failovers::default();
        let steps = [
            (status("fencing", 0, Some("i-old")), 0),
            (status("serving", 0, Some("i-old")), 1),
            (status("serving", 0, Some("i-old")), 1),
            (status("serving", 2, Some("i-me")), 3),
        ];
        for (status, unsent) in steps {
            failovers.count(&status);
            assert_eq!(failovers.unsent, unsent);
        }
        failovers.unsent = 0;
        failovers.count(&status("serving", 2, Some("i-me")));
        assert_eq!(failovers.unsent, 0);
    }

    #[test]
    fn what_is_not_known_is_not_sent() {
        let names = |data: Vec<Datum>| data.iter().map(|d| d.name).collect::<Vec<_>>();
        let bare = data(&status("fencing", 0, None), &Measures::default(), None, 0);
        assert_eq!(names(bare), ["QmgrUp", "LockHeld", "Failovers", "FenceAlarm"]);
        let measures = Measures {
            status: None,
            connections: Some(3),
            depth: Some(7),
            certificate_days: Some(-0.5),
        };
        let full = AgentStatus {
            fsync_millis: Some(4.5),
            ..status("serving", 0, None)
        };
        let full = data(&full, &measures, Some(true), 1);
        assert_eq!(full[0].value, 1.0);
        assert_eq!(full.len(), 9);
        let standby = AgentStatus {
            standby_ready: Some(true),
            ..status(AgentState::Standby.as_str(), 0, None)
        };
        let put = data(&standby, &Measures::default(), Some(false), 0);
        let value = |name| put.iter().find(|d| d.name == name).map(|d| d.value);
        assert_eq!((value("StandbyReady"), value("EngineRunning")), (Some(1.0), Some(0.0)));
    }
}
