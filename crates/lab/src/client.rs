//! Starting, finding and ending labs from outside, without the server's code.
//!
//! [`start`] runs `mqaws __lab` in the background and waits until it answers; [`find`] reads `lab.json`; [`stop`] ends a
//! lab in order, and finds and kills what is left after its server was killed. It signals only processes of this user
//! that carry the lab's mark in their environment.

use super::home::{self, HomeError, LabMark, LabRecord, Software};
use super::hosts::Hosts;
use super::process::{self, LAB_MARK, Process};
use super::timing::Timing;
use rustix::process::Signal;
use serde_json::Value;
use std::fs::{self, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

/// How long a lab may take to answer.
const READY: Duration = Duration::from_secs(20);
/// How long an orderly end may take before the server is killed.
const ORDERLY: Duration = Duration::from_secs(15);

/// What kind of lab to start.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// A private lab ends with the program that started it and has a directory of its own.
    pub private: bool,
    /// Speed.
    pub timing: Timing,
    /// What instances are made of.
    pub hosts: Hosts,
    /// Port of the API; 4566 unless told otherwise.
    pub port: Option<u16>,
    /// Defect of the stand-in queue managers, a negative control.
    pub standin_defect: Option<String>,
    /// What hosts have of this machine's software.
    pub software: Vec<Software>,
    /// Share of API calls that fail on purpose, 0 to below 1.
    pub api_faults: f64,
    /// Executable to run as server; the present one unless told otherwise.
    pub executable: Option<PathBuf>,
    /// How long it may take to answer.
    pub ready: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            private: false,
            timing: Timing::Fast,
            hosts: Hosts::Process,
            port: None,
            standin_defect: None,
            software: Vec::new(),
            api_faults: 0.0,
            executable: None,
            ready: READY,
        }
    }
}

/// Why a lab could not be started, reached or ended.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The directory cannot be used.
    #[error("cannot use the directory of the local cloud")]
    Home(#[source] HomeError),
    /// The server could not be run.
    #[error("cannot run `{}` as the local cloud", .0.display())]
    Spawn(PathBuf, #[source] io::Error),
    /// The server ended before it was ready.
    #[error("the local cloud exited before it was ready: {log}")]
    Ended {
        /// End of its log.
        log: String,
        /// What it says one can do.
        hint: Option<String>,
    },
    /// The server did not answer in time.
    #[error("the local cloud did not respond within {} s{}", .waited.as_secs_f64(), .why.as_ref().map_or_else(String::new, |why| format!(": {why}")))]
    Late {
        /// How long was waited.
        waited: Duration,
        /// What the last attempt to ask it came to.
        why: Option<String>,
        /// Where its log is, unless it was ended and its files are gone.
        log: Option<PathBuf>,
    },
    /// This machine's own addresses cannot be reached, on which the local cloud is.
    #[error("cannot connect to 127.0.0.1")]
    Loopback(#[source] io::Error),
    /// It was asked a question that it did not answer.
    #[error("the local cloud at {endpoint} does not respond")]
    NoAnswer {
        /// Its endpoint.
        endpoint: String,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Processes that do not end.
    #[error("processes of the local cloud do not exit: {0:?}")]
    Left(Vec<i32>),
    /// The files of the lab could not be removed.
    #[error("the local cloud stopped, but its files could not be deleted")]
    Files(#[source] HomeError),
}

impl ClientError {
    /// Whether a lab cannot run here as things are, in contrast to one that failed.
    pub fn is_precondition(&self) -> bool {
        matches!(
            self,
            Self::Home(_) | Self::Ended { .. } | Self::Spawn(..) | Self::Loopback(_)
        )
    }

    /// One sentence that says what to do next.
    pub fn hint(&self) -> String {
        match self {
            ClientError::Home(_) => "set MQAWS_LAB_DIR to the path of a new directory, such as /tmp/lab".to_owned(),
            ClientError::Spawn(..) => "run mqaws from an executable that still exists".to_owned(),
            ClientError::Ended { hint: Some(hint), .. } => hint.clone(),
            ClientError::Ended { .. } | ClientError::NoAnswer { .. } => {
                "clean up with `mqaws lab down`; then try again".to_owned()
            }
            ClientError::Late { log: Some(log), .. } => {
                format!("its log is {}; to stop it, run `mqaws lab down`", log.display())
            }
            ClientError::Late { log: None, .. } => "it was stopped; try again when the machine is less busy".to_owned(),
            ClientError::Loopback(_) => "enable the loopback interface: `ip link set lo up`".to_owned(),
            ClientError::Left(pids) => format!(
                "inspect them with `ps -fp {}`, then run `mqaws lab down` again",
                join(pids)
            ),
            ClientError::Files(_) => "remove the directory, or run `mqaws lab down` again".to_owned(),
        }
    }

    /// What exists now that did not exist before, or `nothing was changed`.
    pub fn left(&self) -> Option<String> {
        match self {
            ClientError::Home(_) | ClientError::Spawn(..) | ClientError::Loopback(_) => {
                Some("nothing was changed".to_owned())
            }
            ClientError::Left(pids) => Some(format!("processes {}", join(pids))),
            _ => None,
        }
    }
}

fn join(pids: &[i32]) -> String {
    pids.iter().map(i32::to_string).collect::<Vec<_>>().join(",")
}

/// What [`stop`] did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stopped {
    /// Ids of the lab's file systems, whose data is gone.
    pub file_systems: Vec<String>,
    /// Ids of its volumes, whose data is gone too.
    pub volumes: Vec<String>,
    /// How many processes had to be killed because the server was gone or did not end by itself.
    pub killed: usize,
    /// Directory that was removed.
    pub dir: PathBuf,
}

/// A lab that this program started.
#[derive(Debug)]
pub struct Lab {
    /// How to reach it.
    pub record: LabRecord,
    /// What an earlier lab had left in the same place, when anything was found and removed.
    pub cleared: Option<Stopped>,
    private: bool,
    // Holding the pipe is what keeps a private lab alive.
    _pipe: Option<ChildStdin>,
    child: Option<Child>,
}

impl Lab {
    /// Ends the lab and removes what it made.
    ///
    /// # Errors
    /// As [`stop`].
    pub fn stop(mut self) -> Result<Stopped, ClientError> {
        self.private = false;
        let stopped = stop(&self.record.dir);
        self.reap();
        stopped
    }

    /// Whether this call started it; else it ran already, or somebody else started it at the same moment.
    pub fn is_new(&self) -> bool {
        self.child.is_some()
    }

    fn reap(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.wait();
        }
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        if self.private {
            // Nobody is left to tell; `mqaws lab down` finds what this could not end.
            let _ = stop(&self.record.dir);
            self.reap();
        }
    }
}

/// Starts a lab and waits until it answers; a shared lab that already runs is returned as it is.
///
/// # Errors
/// Every variant of [`ClientError`] but `NoAnswer`.
pub fn start(options: &Options) -> Result<Lab, ClientError> {
    let dir = if options.private {
        home::private_dir()
    } else {
        home::shared_dir()
    };
    if let Some(record) = find_in(&dir) {
        return Ok(Lab {
            record,
            cleared: None,
            private: false,
            _pipe: None,
            child: None,
        });
    }
    let cleared = match home::read_mark(&dir) {
        // Somebody else is starting it at this moment.
        Some(mark) if process::is_alive(mark.server()) => return wait_for_other(&dir),
        Some(mark) => Some(stop_marked(&dir, &mark)?),
        None => None,
    };
    reach_loopback().map_err(ClientError::Loopback)?;
    home::prepare(&dir).map_err(ClientError::Home)?;
    let id = super::ids::uuid();
    let (mut child, mut log) = spawn(options, &dir, &id)?;
    let pipe = child.stdin.take();
    match wait_ready(&dir, options.ready, Some((&mut child, &mut log))) {
        Ok(record) => Ok(Lab {
            record,
            cleared,
            private: options.private,
            _pipe: pipe,
            child: Some(child),
        }),
        Err(error) => {
            let _ = child.kill();
            let _ = child.wait();
            match home::read_mark(&dir) {
                Some(mark) if mark.id == id => drop(stop_marked(&dir, &mark)),
                // Somebody else's lab has the place by now, which is not ours to end.
                Some(mark) if process::is_alive(mark.server()) => return wait_for_other(&dir),
                _ => drop(process::kill_marked(LAB_MARK, &id, Duration::from_secs(10))),
            }
            Err(match error {
                ClientError::Late { waited, why, .. } => ClientError::Late { waited, why, log: None },
                error => error,
            })
        }
    }
}

/// Connects to a port of this machine's own. Where that cannot be, as in a network namespace without `lo`, a server would start, be heard
/// by nobody, and be waited for in vain.
fn reach_loopback() -> io::Result<()> {
    let listener = std::net::TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0))?;
    std::net::TcpStream::connect_timeout(&listener.local_addr()?, Duration::from_secs(5)).map(drop)
}

fn wait_for_other(dir: &Path) -> Result<Lab, ClientError> {
    Ok(Lab {
        record: wait_ready(dir, READY, None)?,
        cleared: None,
        private: false,
        _pipe: None,
        child: None,
    })
}

/// The server's process, and its log, which stays readable when a server that fails removes its directory.
fn spawn(options: &Options, dir: &Path, id: &str) -> Result<(Child, fs::File), ClientError> {
    let executable = match &options.executable {
        Some(path) => path.clone(),
        None => std::env::current_exe().map_err(|e| ClientError::Spawn(PathBuf::from("mqaws"), e))?,
    };
    let log_path = home::server_log(dir);
    let files = |e| ClientError::Home(HomeError::Io(log_path.clone(), e));
    if let Some(parent) = log_path.parent() {
        fs::create_dir_all(parent).map_err(files)?;
    }
    let log = OpenOptions::new()
        .create(true)
        .append(true)
        .read(true)
        .mode(0o600)
        .open(&log_path)
        .map_err(files)?;
    let errors = log.try_clone().map_err(files)?;
    let kept = log.try_clone().map_err(files)?;
    let mut command = Command::new(&executable);
    command
        .arg("__lab")
        .arg("--dir")
        .arg(dir)
        .args([
            "--id",
            id,
            "--timing",
            options.timing.name(),
            "--hosts",
            options.hosts.name(),
        ])
        .env(LAB_MARK, id)
        .current_dir("/")
        .stdout(log)
        .stderr(errors)
        .stdin(if options.private { Stdio::piped() } else { Stdio::null() });
    if options.private {
        command.arg("--until-stdin-closes");
    }
    if let Some(port) = options.port {
        command.args(["--port", &port.to_string()]);
    }
    if let Some(defect) = &options.standin_defect {
        command.args(["--standin-defect", defect]);
    }
    for software in &options.software {
        let mut named = software.inside.clone().into_os_string();
        named.push("=");
        named.push(&software.of);
        command.arg("--software").arg(named);
    }
    if options.api_faults > 0.0 {
        command.args(["--api-faults", &options.api_faults.to_string()]);
    }
    let child = command.spawn().map_err(|e| ClientError::Spawn(executable, e))?;
    Ok((child, kept))
}

/// Waits for `lab.json` and an answer.
fn wait_ready(
    dir: &Path,
    limit: Duration,
    mut started: Option<(&mut Child, &mut fs::File)>,
) -> Result<LabRecord, ClientError> {
    let began = Instant::now();
    let mut why = None;
    loop {
        if let Some(record) = find_in(dir) {
            match health(&record) {
                Ok(_) => return Ok(record),
                Err(ClientError::NoAnswer { source, .. }) => why = Some(source.to_string()),
                Err(error) => why = Some(error.to_string()),
            }
        }
        if let Some((child, log)) = started.as_mut()
            && let Ok(Some(_)) = child.try_wait()
        {
            return Err(last_words(log));
        }
        if began.elapsed() >= limit {
            return Err(ClientError::Late {
                waited: limit,
                why,
                log: Some(home::server_log(dir)),
            });
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// What a server that failed said last: its error, and a hint when it has one.
fn last_words(log: &mut fs::File) -> ClientError {
    let text = tail(log, 4096);
    let mut lines = text.lines().rev().filter(|l| !l.trim().is_empty()).peekable();
    let hint = lines.next_if(|l| l.starts_with("hint: "));
    let last = lines.next().unwrap_or("no output");
    ClientError::Ended {
        log: last.trim_start_matches("error: ").to_owned(),
        hint: hint.map(|h| h.trim_start_matches("hint: ").to_owned()),
    }
}

fn tail(file: &mut fs::File, limit: u64) -> String {
    let length = file.metadata().map(|m| m.len()).unwrap_or_default();
    let mut bytes = Vec::new();
    // What cannot be read is an empty tail.
    let _ = file.seek(SeekFrom::Start(length.saturating_sub(limit)));
    let _ = file.read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The end of the server's log, at most `limit` bytes.
pub fn log_tail(dir: &Path, limit: u64) -> String {
    fs::File::open(home::server_log(dir)).map_or_else(|_| String::new(), |mut file| tail(&mut file, limit))
}

/// Consoles of the lab's instances: instance id and path, those of ended instances too.
pub fn consoles(dir: &Path) -> Vec<(String, PathBuf)> {
    let entries = fs::read_dir(dir.join("log")).into_iter().flatten().flatten();
    let mut found: Vec<(String, PathBuf)> = entries
        .filter_map(|e| {
            let name = e.file_name().to_string_lossy().into_owned();
            Some((name.strip_suffix(".console")?.to_owned(), e.path()))
        })
        .collect();
    found.sort();
    found
}

/// The shared lab of this user, when one runs.
pub fn find() -> Option<LabRecord> {
    find_in(&home::shared_dir())
}

/// The lab in a directory, when its server runs.
pub(crate) fn find_in(dir: &Path) -> Option<LabRecord> {
    home::read_record(dir)
}

/// What the lab says of itself: id, region, timing, uptime.
///
/// # Errors
/// [`ClientError::NoAnswer`].
pub fn health(record: &LabRecord) -> Result<Value, ClientError> {
    let health = own_call(record, "health")?;
    // Another lab may have got the address since.
    match health["id"] == *record.id {
        true => Ok(health),
        false => Err(no_answer(
            record,
            format!("a different lab responds: {}", health["id"]).into(),
        )),
    }
}

/// One of the lab's own readings under `/_mqaws/`: `health`, `timing`, `instances`.
///
/// # Errors
/// [`ClientError::NoAnswer`].
pub fn own_call(record: &LabRecord, name: &str) -> Result<Value, ClientError> {
    let url = format!("{}/_mqaws/{name}", record.endpoint);
    let answer = ureq::get(&url)
        .config()
        .timeout_global(Some(Duration::from_secs(2)))
        .proxy(None)
        .build()
        .call()
        .and_then(|mut a| a.body_mut().read_to_string());
    answer
        .map_err(|e| Box::new(e) as Box<dyn std::error::Error + Send + Sync>)
        .and_then(|text| serde_json::from_str::<Value>(&text).map_err(Into::into))
        .map_err(|source| no_answer(record, source))
}

fn no_answer(record: &LabRecord, source: Box<dyn std::error::Error + Send + Sync>) -> ClientError {
    ClientError::NoAnswer {
        endpoint: record.endpoint.clone(),
        source,
    }
}

/// Ends the lab in a directory, or what is left of it, and removes its files; nothing to do is success.
///
/// # Errors
/// [`ClientError::Left`] and [`ClientError::Files`].
pub fn stop(dir: &Path) -> Result<Stopped, ClientError> {
    match home::read_mark(dir) {
        Some(mark) => stop_marked(dir, &mark),
        None => Ok(Stopped {
            file_systems: home::file_systems(dir),
            volumes: home::volumes(dir),
            killed: 0,
            dir: dir.to_owned(),
        }),
    }
}

/// Ends that very lab, or what is left of it; another one that has the directory by now stays.
fn stop_marked(dir: &Path, mark: &LabMark) -> Result<Stopped, ClientError> {
    let mut stopped = Stopped {
        file_systems: home::file_systems(dir),
        volumes: home::volumes(dir),
        killed: 0,
        dir: dir.to_owned(),
    };
    let server = mark.server();
    if process::is_alive(server) {
        process::signal(server, Signal::TERM);
        if !wait_for_end(server, ORDERLY) {
            process::signal(server, Signal::KILL);
            wait_for_end(server, Duration::from_secs(5));
            stopped.killed += 1;
        }
    }
    stopped.killed += process::marked(LAB_MARK, &mark.id).len();
    let left = process::kill_marked(LAB_MARK, &mark.id, Duration::from_secs(10));
    if !left.is_empty() {
        return Err(ClientError::Left(left.iter().map(|p| p.pid).collect()));
    }
    let another = home::read_mark(dir).is_some_and(|now| now != *mark);
    if !home::remove_of(dir, mark).map_err(ClientError::Files)? && another {
        // They are the other's.
        stopped.file_systems.clear();
        stopped.volumes.clear();
    }
    Ok(stopped)
}

fn wait_for_end(process: Process, limit: Duration) -> bool {
    let deadline = Instant::now() + limit;
    while process::is_alive(process) {
        if Instant::now() >= deadline {
            return false;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    true
}

/// Ends what private labs left behind whose server and starter were both killed.
///
/// # Errors
/// As [`stop`].
pub fn stop_orphans() -> Result<Vec<Stopped>, ClientError> {
    home::private_dirs()
        .into_iter()
        .filter_map(|dir| Some((home::read_mark(&dir)?, dir)))
        .filter(|(mark, _)| !process::is_alive(mark.server()))
        .map(|(mark, dir)| stop_marked(&dir, &mark))
        .collect()
}
