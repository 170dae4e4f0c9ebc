//! Metrics: once a minute, all in one call.

use super::machine::State;
use super::ports::Measures;
use super::work::{Message, Ports, spawn};
use crate::aws::signed::Datum;
use crate::model::agent::AgentStatus;
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
pub fn start(
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
            let serving = status.state == State::Serving.as_str();
            let measures = if serving { engine.measure() } else { Measures::default() };
            if out.send(Message::Measured(measures.clone())).is_err() {
                return;
            }
            // A kick between two periods measures, and sends only the first time.
            if sent.is_some_and(|at| at.elapsed() < PERIOD - SETTLE) {
                continue;
            }
            let running = engine.controller().ok().map(|c| c.is_some());
            let data = data(&status, &measures, running, failovers.since_last(&status));
            match cloud.put_metrics(&data) {
                Ok(()) => sent = Some(Instant::now()),
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
    taken_over: Option<String>,
}

impl Failovers {
    fn since_last(&mut self, status: &AgentStatus) -> u32 {
        let mut count = status.restarts.saturating_sub(self.restarts);
        self.restarts = status.restarts;
        let taken_over = status.proof.as_ref().and_then(|p| p.previous.clone());
        let taken_over = taken_over.filter(|previous| *previous != status.instance && status.state == "serving");
        if taken_over.is_some() && self.taken_over.is_none() {
            count += 1;
            self.taken_over = taken_over;
        }
        count
    }
}

fn data(status: &AgentStatus, measures: &Measures, running: Option<bool>, failovers: u32) -> Vec<Datum> {
    let flag = |on: bool| f64::from(u8::from(on));
    let datum = |name, value, unit| Datum { name, value, unit };
    let mut data = vec![
        datum("QmgrUp", flag(status.state == "serving"), "Count"),
        datum("LockHeld", flag(status.lock_held), "Count"),
        datum("Failovers", f64::from(failovers), "Count"),
    ];
    // What is not known is not sent: a zero would be a statement.
    data.extend(running.map(|r| datum("EngineRunning", flag(r), "Count")));
    data.extend(status.fsync_millis.map(|ms| datum("FsyncMillis", ms, "Milliseconds")));
    data.extend(measures.connections.map(|n| datum("Connections", n as f64, "Count")));
    data.extend(measures.depth.map(|n| datum("QueueDepth", n as f64, "Count")));
    data
}
