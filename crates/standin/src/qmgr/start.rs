//! Start, service and end of a queue manager.

use std::{
    ffi::OsString,
    fs::{self, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};
use signal_hook::{
    consts::{SIGINT, SIGTERM},
    iterator::Signals,
};

use super::control::{self, Mode, Reply, Request};
use crate::{
    engine::ibm_mq::{QueueManagerStatus, StartExit},
    standin::{
        broker::{Broker, Phase},
        defect::Defect,
        home::{self, Home, Known},
        lock::{self, Holder, NotHeld},
        log::Log,
        mqsc,
        network::Service,
        objects::Objects,
        writer::Writer,
    },
};

/// One line of what the controller tells the command that started it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub(crate) enum Report {
    /// The log was read.
    Replayed { records: u64, messages: u64 },
    /// It serves.
    Running,
    /// It does not, and this is the exit code of the start and what to print.
    Failed { code: u8, text: String },
}

/// How long a reader of the status may hold the lock before it counts as somebody else's.
const LOCK_WAIT: Duration = Duration::from_millis(250);
/// How long connections may take to end.
const CONNECTIONS: Duration = Duration::from_secs(3);

struct Failure(StartExit, String);

fn unexpected(what: &str) -> impl FnOnce(io::Error) -> Failure + '_ {
    move |error| Failure(StartExit::Unexpected, format!("AMQ6119S: {what}: {error}"))
}

/// Runs a queue manager: `-m NAME`, with `-ns` without its services, with `-x` with a standby permitted.
pub fn main(args: Vec<OsString>) -> ExitCode {
    let args: Vec<String> = args.into_iter().map(|a| a.to_string_lossy().into_owned()).collect();
    let name = args
        .iter()
        .position(|a| a == "-m")
        .and_then(|at| args.get(at + 1))
        .cloned()
        .unwrap_or_default();
    let has = |flag: &str| args.iter().any(|a| a == flag);
    // A session of its own: the terminal's and the starter's signals are not for it.
    let _ = rustix::process::setsid();
    let _ = fs::write("/proc/self/comm", "amqzxma0");
    match start(&name, !has("-ns"), has("-x")) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure(exit, text)) => {
            let code = u8::try_from(exit.code()).unwrap_or(71);
            report(&Report::Failed { code, text });
            ExitCode::from(code)
        }
    }
}

fn report(report: &Report) {
    // The starter may be gone; the queue manager runs all the same.
    if let Ok(mut line) = serde_json::to_vec(report) {
        line.push(b'\n');
        let _ = io::stdout().write_all(&line).and_then(|()| io::stdout().flush());
    }
}

/// Appends to the error log of the queue manager on this host.
fn complain(local: &Path, text: &str) {
    let line = format!("{} {text}\n", jiff::Timestamp::now());
    let _ = fs::create_dir_all(local.join("errors"))
        .and_then(|()| {
            OpenOptions::new()
                .append(true)
                .create(true)
                .open(local.join("errors/AMQERR01.LOG"))
        })
        .and_then(|mut file| file.write_all(line.as_bytes()));
}

/// What the end of the queue manager needs.
struct Controller {
    broker: Arc<Broker>,
    data_path: PathBuf,
    local: PathBuf,
    ending: AtomicBool,
}

fn start(name: &str, services: bool, standby_permitted: bool) -> Result<(), Failure> {
    let home = Home::from_environment()
        .ok_or_else(|| Failure(StartExit::Unexpected, format!("{} is not set", home::ROOT_VARIABLE)))?;
    let known = home.find(name).map_err(unexpected("mqs.ini"))?;
    let Some(Known { data_path, .. }) = known else {
        return Err(Failure(
            StartExit::DoesNotExist,
            "AMQ8118E: IBM MQ queue manager does not exist.".to_owned(),
        ));
    };
    let epoch = std::env::var("MQAWS_EPOCH")
        .ok()
        .and_then(|e| e.parse().ok())
        .unwrap_or(0);
    let defect = Defect::from_environment()
        .map_err(|name| Failure(StartExit::Unexpected, format!("the stand-in has no defect `{name}`")))?;

    let holder = Holder {
        host: home.host(),
        pid: std::process::id(),
        standby_permitted,
    };
    let held = lock::acquire(&data_path, &holder, LOCK_WAIT).map_err(|e| not_held(e, &home, name))?;
    lock::write_status(&data_path, &QueueManagerStatus::Starting).map_err(unexpected("qmstatus.ini"))?;
    let local = home.local(name);
    fs::create_dir_all(&local).map_err(unexpected("the host's own directory"))?;
    let objects = Objects::read(&data_path).map_err(unexpected("objects.json"))?;
    let (log, replayed) = Log::open(&data_path.join("log"), epoch)
        .map_err(|e| Failure(StartExit::LogNotAvailable, format!("AMQ7017E: Log not available: {e}")))?;
    let messages = replayed.live.values().map(|q| q.len() as u64).sum();
    report(&Report::Replayed {
        records: replayed.records,
        messages,
    });

    let failing = (local.clone(), name.to_owned());
    let writer = Writer::start(log, defect, move |error| {
        // As IBM MQ: without its log a queue manager ends at once, and nothing more is acknowledged.
        complain(
            &failing.0,
            &format!(
                "AMQ6709S: The log for queue manager {} cannot be written: {error}",
                failing.1
            ),
        );
        std::process::exit(1);
    })
    .map_err(unexpected("the log's thread"))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(unexpected("the network's threads"))?;
    let broker = Broker::new(
        name,
        home.root(),
        home::own_address(),
        objects,
        replayed,
        writer,
        runtime.handle().clone(),
    );
    let commands = control::listen(&local).map_err(unexpected("the control socket"))?;
    if services {
        broker.start_services().iter().for_each(|text| complain(&local, text));
    }
    broker.objects().save().map_err(unexpected("objects.json"))?;
    lock::write_status(&data_path, &QueueManagerStatus::Running).map_err(unexpected("qmstatus.ini"))?;
    let mut signals = Signals::new([SIGTERM, SIGINT]).map_err(unexpected("signals"))?;
    report(&Report::Running);

    let controller = Arc::new(Controller {
        broker,
        data_path,
        local,
        ending: AtomicBool::new(false),
    });
    let on_signal = controller.clone();
    std::thread::spawn(move || {
        if signals.forever().next().is_some() {
            on_signal.end(Mode::Immediate);
        }
    });
    for stream in commands.incoming() {
        // A command that was killed while it asked is no matter for the queue manager.
        let Ok(stream) = stream else { continue };
        let controller = controller.clone();
        std::thread::spawn(move || controller.answer(stream));
    }
    drop(held);
    Ok(())
}

fn not_held(why: NotHeld, home: &Home, name: &str) -> Failure {
    match why {
        NotHeld::Busy(Some(holder)) if holder.host == home.host() => Failure(
            StartExit::AlreadyRunning,
            format!("IBM MQ queue manager '{name}' running."),
        ),
        NotHeld::Busy(holder) => {
            let exit = if holder.is_some_and(|h| h.standby_permitted) {
                StartExit::ActiveElsewhere
            } else {
                StartExit::ActiveElsewhereNoStandby
            };
            Failure(exit, format!("IBM MQ queue manager '{name}' is active elsewhere."))
        }
        NotHeld::Io(error) => Failure(
            StartExit::StorageNotAvailable,
            format!("AMQ6109S: the data directory cannot be used: {error}"),
        ),
    }
}

impl Controller {
    fn answer(self: Arc<Self>, stream: std::os::unix::net::UnixStream) {
        let mut end = None;
        // A command that has gone does not get its answer, and what it asked for is done.
        let _ = control::serve(stream, |request| match request {
            Request::Mqsc { text } => {
                let (text, code) = mqsc::run(&self.broker, &text);
                Reply::Mqsc { text, code }
            }
            Request::End { mode } => {
                end = Some(mode);
                self.announce(mode);
                Reply::Ending {
                    pid: std::process::id(),
                }
            }
        });
        if let Some(mode) = end {
            self.end(mode);
        }
    }

    /// Shows in the status that it ends, before the command that asked is answered.
    fn announce(&self, mode: Mode) {
        let status = match mode {
            Mode::Controlled => QueueManagerStatus::Quiescing,
            Mode::Immediate => QueueManagerStatus::EndingImmediately,
            Mode::Preemptive => QueueManagerStatus::EndingPreemptively,
        };
        if let Err(error) = lock::write_status(&self.data_path, &status) {
            complain(&self.local, &format!("qmstatus.ini: {error}"));
        }
    }

    /// Ends the process.
    fn end(&self, mode: Mode) {
        let again = self.ending.swap(true, Ordering::SeqCst);
        let phase = match mode {
            Mode::Controlled => Phase::Quiescing,
            Mode::Immediate | Mode::Preemptive => Phase::Immediate,
        };
        self.broker.phase.send_if_modified(|now| {
            let further = phase > *now;
            *now = phase.max(*now);
            further
        });
        if again && mode != Mode::Preemptive {
            return;
        }
        self.broker.network.stop_all(Service::Listener);
        self.broker.network.stop_all(Service::Channel);
        let until = Instant::now() + CONNECTIONS;
        while mode != Mode::Preemptive && self.broker.network.connections() > 0 && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(2));
        }
        let safe = self.broker.writer.flush(Duration::from_secs(30));
        let ended = match mode {
            _ if !safe => QueueManagerStatus::EndedUnexpectedly,
            Mode::Controlled => QueueManagerStatus::EndedNormally,
            Mode::Immediate => QueueManagerStatus::EndedImmediately,
            Mode::Preemptive => QueueManagerStatus::EndedPreemptively,
        };
        let saved = self
            .broker
            .objects()
            .save()
            .and_then(|()| lock::write_status(&self.data_path, &ended));
        if let Err(error) = saved {
            complain(&self.local, &format!("at the end: {error}"));
        }
        control::remove(&self.local);
        std::process::exit(0);
    }
}
