//! A host that is a set of processes: directories, environment, the agent's unit, and the end of all its processes.

use super::console::Console;
use super::host::{HostError, HostSpec};
use super::metadata::PORT;
use super::userdata::BootPlan;
use crate::api::Site;
use crate::network::{Interface, NetworkError};
use crate::process::{self, LAB_MARK, ROOT_MARK};
use crate::timing::{EC2_SHUTDOWN_LIMIT, UNIT_RESTART, UNIT_RESTART_MAX};
use parking_lot::{Mutex, MutexGuard};
use rustix::process::Signal;
use std::fs;
use std::io;
use std::net::Ipv4Addr;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::UnixDatagram;
use tokio::process::Command;
use tokio::sync::watch;

/// How long the units of a host may say nothing before they are killed: `WatchdogSec` of the keeper's, the shorter one.
const WATCHDOG: Duration = Duration::from_secs(20);

/// How long they may take to say anything: `TimeoutStartSec`.
const FIRST_WORD: Duration = Duration::from_secs(60);

/// Folder of the socket of the units' words, in the host's root.
const RUN: &str = "run/mqaws";

/// Name of that socket.
const NOTIFY_NAME: &str = "notify";

/// Commands that an instance finds in `opt/mqm/bin`, all the same executable.
const COMMANDS: [&str; 12] = [
    "crtmqm",
    "strmqm",
    "endmqm",
    "dspmq",
    "dltmqm",
    "runmqsc",
    "dspmqinf",
    "addmqinf",
    "dspmqver",
    "crtmqdir",
    "setmqprd",
    "mqaws-agent",
];

const DIRECTORIES: [&str; 8] = [
    "etc/mqaws",
    RUN,
    "var/lib/mqaws",
    "var/log/mqaws",
    "var/mqm",
    "opt/mqm/bin",
    "mnt",
    "tmp",
];

/// One process host of the lab.
pub struct ProcessHost {
    /// EC2 instance id.
    pub(crate) instance: String,
    /// Root directory, value of the mark of its processes.
    pub(crate) root: PathBuf,
    /// Address of the instance.
    pub(crate) address: Ipv4Addr,
    interface: Interface,
    executable: PathBuf,
    environment: Vec<(String, String)>,
    console: Console,
    shutdown_limit: Duration,
    restart: (Duration, Duration),
    stopping: watch::Sender<bool>,
    /// Whether its network cable is plugged in.
    plugged: watch::Sender<bool>,
    unit: Mutex<Option<process::Process>>,
}

impl ProcessHost {
    /// Makes the directories, the commands and the environment of a host; starts nothing.
    ///
    /// # Errors
    /// [`HostError::Make`] names the path.
    pub fn create(site: &Site, spec: &HostSpec) -> Result<Arc<Self>, HostError> {
        let root = site.dir.join("i").join(&spec.instance);
        let log_dir = site.dir.join("log");
        for directory in DIRECTORIES
            .iter()
            .map(|d| root.join(d))
            .chain([root.clone(), log_dir.clone()])
        {
            fs::create_dir_all(&directory).map_err(|e| HostError::Make(directory, e))?;
        }
        for command in COMMANDS.iter().filter(|_| spec.software) {
            let link = root.join("opt/mqm/bin").join(command);
            linked(&site.executable, &link)?;
        }
        for software in site.software.iter().filter(|_| spec.software) {
            let link = root.join(&software.inside);
            if let Some(parent) = link.parent() {
                fs::create_dir_all(parent).map_err(|e| HostError::Make(parent.to_owned(), e))?;
            }
            linked(&software.of, &link)?;
        }
        Ok(Arc::new(Self {
            instance: spec.instance.clone(),
            address: spec.address,
            interface: spec.interface.clone(),
            executable: site.executable.clone(),
            environment: environment(site, spec, &root),
            console: Console::of(site, &spec.instance),
            shutdown_limit: site.timing.of(&EC2_SHUTDOWN_LIMIT),
            restart: (site.timing.of(&UNIT_RESTART), site.timing.of(&UNIT_RESTART_MAX)),
            stopping: watch::Sender::new(false),
            plugged: watch::Sender::new(true),
            unit: Mutex::new(None),
            root,
        }))
    }

    /// The console.
    pub(crate) fn console(&self) -> &Console {
        &self.console
    }

    /// The network interface.
    pub(super) fn interface(&self) -> &Interface {
        &self.interface
    }

    /// Unplugs the network cable (false) or plugs it in again; false when there is none.
    pub(super) async fn connect(&self, connected: bool) -> Result<bool, NetworkError> {
        let done = self.interface.connect(connected).await?;
        if done {
            self.plugged.send_replace(connected);
            self.console.print(if connected {
                "network: cable plugged in"
            } else {
                "network: cable unplugged"
            });
        }
        Ok(done)
    }

    /// A command in this host's environment, with nothing inherited.
    pub(crate) fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .envs(self.environment.iter().map(|(k, v)| (k.as_str(), v.as_str())))
            .current_dir(&self.root)
            .stdin(Stdio::null());
        command
    }

    /// Boots from user data in base64: writes its files, then runs the agent's unit until the host stops.
    ///
    /// Returns when the host stops, at once when the user data starts no unit.
    ///
    /// # Errors
    /// [`HostError`]; the console has the same text.
    pub(super) async fn boot(&self, user_data: Option<&str>) -> Result<(), HostError> {
        self.console
            .print(&format!("boot: {} on {}", self.instance, self.address));
        let result = self.prepare(user_data);
        match &result {
            Err(error) => {
                let cause = std::error::Error::source(error)
                    .map(|s| format!(": {s}"))
                    .unwrap_or_default();
                self.console.print(&format!("boot: stopped: {error}{cause}"));
            }
            Ok(plan) if plan.start_agent => self.run_unit().await,
            Ok(_) => self.console.print("boot: done, no unit to start"),
        }
        result.map(|_| ())
    }

    fn prepare(&self, user_data: Option<&str>) -> Result<BootPlan, HostError> {
        let plan = match user_data.map(str::trim) {
            None | Some("") => BootPlan::default(),
            Some(encoded) => BootPlan::from_base64(encoded).map_err(HostError::UserData)?,
        };
        for file in &plan.files {
            let path = self.root.join(&file.path);
            let make = |e| HostError::Make(path.clone(), e);
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent).map_err(make)?;
            }
            fs::write(&path, &file.content).map_err(make)?;
            fs::set_permissions(&path, fs::Permissions::from_mode(file.mode)).map_err(make)?;
            self.console.print(&format!(
                "boot: wrote /{} ({} bytes)",
                file.path.display(),
                file.content.len()
            ));
        }
        Ok(plan)
    }

    /// The unit: Restart=always with a growing wait, as systemd's RestartSteps.
    async fn run_unit(&self) {
        let mut stopping = self.stopping.subscribe();
        let mut wait = self.restart.0;
        let program = self.root.join("opt/mqm/bin/mqaws-agent");
        let told = self.listen();
        while !*stopping.borrow() {
            let started = Instant::now();
            let ended = self.run_agent_once(&program, told.as_ref()).await;
            if *stopping.borrow() {
                break;
            }
            if started.elapsed() > Duration::from_secs(10) {
                wait = self.restart.0;
            }
            self.console
                .print(&format!("unit: mqaws-agent {ended}; restart in {wait:?}"));
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                _ = stopping.wait_for(|s| *s) => {}
            }
            wait = (wait * 2).min(self.restart.1);
        }
    }

    /// The socket on which the units say that they live, as `sd_notify` of systemd.
    fn listen(&self) -> Option<UnixDatagram> {
        let _ = fs::remove_file(self.root.join(RUN).join(NOTIFY_NAME));
        // Through the open folder: the kernel limits the address of a socket to 107 bytes, and the lab may be deep in the tree.
        let socket = fs::File::open(self.root.join(RUN))
            .and_then(|folder| UnixDatagram::bind(format!("/proc/self/fd/{}/{NOTIFY_NAME}", folder.as_raw_fd())));
        if let Err(error) = &socket {
            self.console.print(&format!("unit: no watchdog: {error}"));
        }
        socket.ok()
    }

    /// Kills every process of the host, as the watchdogs of its units do when none of them says that it lives.
    async fn bite(&self, silent: Duration) {
        self.console.print(&format!(
            "watchdog: no keep-alive from the units for {silent:?}; killing their processes"
        ));
        let root = self.root.to_string_lossy().into_owned();
        let kill = move || process::kill_marked(ROOT_MARK, &root, Duration::from_secs(10));
        let _ = tokio::task::spawn_blocking(kill).await;
    }

    async fn run_agent_once(&self, program: &Path, told: Option<&UnixDatagram>) -> String {
        let log = match self.console.open().and_then(|log| Ok((log.try_clone()?, log))) {
            Ok(log) => log,
            Err(e) => return format!("has no console: {e}"),
        };
        let mut command = self.command(program);
        command.stdout(log.0).stderr(log.1);
        if told.is_some() {
            command.env("NOTIFY_SOCKET", self.root.join(RUN).join(NOTIFY_NAME));
        }
        let mut child = match self.interface.spawn(command).await {
            Ok(child) => child,
            Err(e) => return format!("does not start ({}): {e}", self.executable.display()),
        };
        let pid = child.id().and_then(|pid| i32::try_from(pid).ok());
        *self.unit() = pid.and_then(|pid| {
            let start_time = process::start_time(pid)?;
            Some(process::Process { pid, start_time })
        });
        // A shutdown that began between the check and the spawn has seen no process to end.
        if *self.stopping.borrow() {
            self.signal_unit(Signal::TERM);
        }
        let mut patience = FIRST_WORD;
        let ended = loop {
            tokio::select! {
                ended = child.wait() => break ended,
                heard = word(told, patience) => match heard {
                    true => patience = WATCHDOG,
                    false => self.bite(patience).await,
                },
            }
        };
        *self.unit() = None;
        match ended {
            Ok(status) => format!("ended: {status}"),
            Err(e) => format!("ended: {e}"),
        }
    }

    fn unit(&self) -> MutexGuard<'_, Option<process::Process>> {
        self.unit.lock()
    }

    fn signal_unit(&self, signal: Signal) -> bool {
        (*self.unit()).is_some_and(|unit| process::signal(unit, signal))
    }

    /// Shuts the operating system down: the unit is stopped and may drain; what is left ends after the limit.
    pub(crate) async fn shut_down(&self) {
        self.stopping.send_replace(true);
        self.console.print("shutdown: begins");
        let deadline = Instant::now() + self.shutdown_limit;
        if self.signal_unit(Signal::TERM) {
            while (*self.unit()).is_some_and(process::is_alive) && Instant::now() < deadline {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
        // As systemd does at the end: everybody is asked once, then killed.
        let rest = (deadline.saturating_duration_since(Instant::now())).min(Duration::from_secs(1));
        let patience = Instant::now() + rest;
        for process in self.processes() {
            process::signal(process, Signal::TERM);
        }
        while Instant::now() < patience && !self.processes().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        self.cut().await;
    }

    /// Cuts the power: every process of the host is killed, until none is left. A kernel that outlives them would say
    /// goodbye for them, so the cable goes first where there is one.
    pub(crate) async fn cut(&self) {
        self.stopping.send_replace(true);
        if let Err(error) = self.connect(false).await {
            self.console.print(&format!("network: {error}"));
        }
        let root = self.root.to_string_lossy().into_owned();
        let left = tokio::task::spawn_blocking(move || process::kill_marked(ROOT_MARK, &root, Duration::from_secs(10)))
            .await
            .unwrap_or_default();
        if left.is_empty() {
            self.console.print("power off");
        } else {
            self.console
                .print(&format!("power off: {} processes do not end: {left:?}", left.len()));
        }
    }

    /// Living processes of the host.
    pub fn processes(&self) -> Vec<process::Process> {
        process::marked(ROOT_MARK, &self.root.to_string_lossy())
    }

    /// Whether something on the host could answer a call: its cable is plugged in, and neither its unit nor everything else is stopped.
    pub(super) fn is_reachable(&self) -> bool {
        let processes = self.processes();
        let hangs = (*self.unit()).is_some_and(process::is_stopped)
            || (!processes.is_empty() && processes.into_iter().all(process::is_stopped));
        *self.plugged.borrow() && !hangs
    }

    /// Whether the host was asked to stop.
    pub(crate) fn is_stopping(&self) -> bool {
        *self.stopping.borrow()
    }

    /// Removes the host's directory; the console and a copy of the agent's log stay in the lab's `log` directory.
    pub(crate) fn remove(&self) {
        let kept = self.console.path().with_extension("agent.log");
        let _ = fs::copy(self.root.join("var/log/mqaws/agent.log"), kept);
        let _ = fs::remove_dir_all(&self.root);
        self.interface.remove();
    }
}

/// Whether a unit says within a time that it lives; without a socket there is no end to the time.
async fn word(told: Option<&UnixDatagram>, limit: Duration) -> bool {
    let Some(socket) = told else {
        return std::future::pending().await;
    };
    match tokio::time::timeout(limit, socket.recv(&mut [0; 256])).await {
        Ok(Ok(_)) => true,
        Ok(Err(_)) => {
            // Never a loop without a pause.
            tokio::time::sleep(Duration::from_secs(1)).await;
            true
        }
        Err(_) => false,
    }
}

/// A link, unless something is there already.
fn linked(of: &Path, link: &Path) -> Result<(), HostError> {
    match symlink(of, link) {
        Err(e) if e.kind() != io::ErrorKind::AlreadyExists => Err(HostError::Make(link.to_owned(), e)),
        _ => Ok(()),
    }
}

fn environment(site: &Site, spec: &HostSpec, root: &Path) -> Vec<(String, String)> {
    let root = root.to_string_lossy().into_owned();
    let mut all = vec![
        ("AWS_ENDPOINT_URL".to_owned(), site.endpoint()),
        (ROOT_MARK.to_owned(), root.clone()),
        (LAB_MARK.to_owned(), site.id.clone()),
        ("PATH".to_owned(), format!("{root}/opt/mqm/bin:/usr/bin:/bin")),
        ("HOME".to_owned(), root),
    ];
    if spec.interface.metadata().is_none() {
        let endpoint = format!("http://{}:{PORT}", spec.address);
        all.push(("AWS_EC2_METADATA_SERVICE_ENDPOINT".to_owned(), endpoint));
    }
    if let Some(defect) = &site.standin_defect {
        all.push(("MQAWS_STANDIN_DEFECT".to_owned(), defect.clone()));
    }
    for name in ["RUST_BACKTRACE", "MQAWS_LOG"] {
        if let Ok(value) = std::env::var(name) {
            all.push((name.to_owned(), value));
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::home::Software;
    use crate::timing::Timing;
    use base64::Engine;

    /// A host whose agent is a shell script.
    struct Bench {
        host: Arc<ProcessHost>,
        _dir: tempfile::TempDir,
    }

    fn bench(agent: &str, limit: Duration) -> Bench {
        let dir = tempfile::tempdir().expect("a directory");
        let executable = dir.path().join("agent.sh");
        fs::write(&executable, format!("#!/bin/sh\n{agent}\n")).expect("a script");
        fs::set_permissions(&executable, fs::Permissions::from_mode(0o755)).expect("executable");
        let site = Site {
            id: crate::ids::uuid(),
            octet: 76,
            port: 4566,
            dir: dir.path().to_owned(),
            timing: Timing::Fast,
            executable,
            standin_defect: Some("lose".to_owned()),
            software: vec![Software {
                inside: "usr/lib/engine".into(),
                of: dir.path().to_owned(),
            }],
            guests: None,
        };
        let spec = HostSpec {
            instance: "i-0123456789abcdef0".to_owned(),
            zone: "eu-west-1a".to_owned(),
            address: Ipv4Addr::new(127, 76, 10, 4),
            interface: Interface::Machine,
            software: true,
        };
        let mut host = ProcessHost::create(&site, &spec).expect("a host");
        Arc::get_mut(&mut host).expect("nobody else has it").shutdown_limit = limit;
        Bench { host, _dir: dir }
    }

    fn user_data() -> String {
        let text = "#cloud-config\nwrite_files:\n- {path: /etc/mqaws/agent.json, content: hello, permissions: '0600'}\nruncmd:\n- [systemctl, enable, --now, mqaws-agent.service]\n";
        base64::engine::general_purpose::STANDARD.encode(text)
    }

    async fn until(what: &str, host: &ProcessHost, wanted: impl Fn(&ProcessHost) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(30);
        while !wanted(host) {
            assert!(
                Instant::now() < deadline,
                "never: {what}; console:\n{}",
                host.console.text()
            );
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    fn boot(host: &Arc<ProcessHost>) -> tokio::task::JoinHandle<Result<(), HostError>> {
        let host = host.clone();
        tokio::spawn(async move { host.boot(Some(&user_data())).await })
    }

    #[tokio::test]
    async fn the_agent_gets_its_files_and_the_labs_environment_and_nothing_else() {
        let bench = bench(
            "env > env.txt; cp etc/mqaws/agent.json seen; touch ready; exec sleep 600",
            Duration::from_secs(5),
        );
        let life = boot(&bench.host);
        until("the agent ran", &bench.host, |h| h.root.join("ready").exists()).await;
        assert_eq!(
            fs::read_to_string(bench.host.root.join("seen")).expect("copied"),
            "hello"
        );
        let environment = fs::read_to_string(bench.host.root.join("env.txt")).expect("written");
        let mut names: Vec<&str> = environment.lines().filter_map(|l| Some(l.split_once('=')?.0)).collect();
        names.retain(|n| !["PWD", "OLDPWD", "SHLVL", "_", "RUST_BACKTRACE", "MQAWS_LOG"].contains(n));
        names.sort_unstable();
        let expected = [
            "AWS_EC2_METADATA_SERVICE_ENDPOINT",
            "AWS_ENDPOINT_URL",
            "HOME",
            "MQAWS_LAB",
            "MQAWS_LAB_ROOT",
            "MQAWS_STANDIN_DEFECT",
            "NOTIFY_SOCKET",
            "PATH",
        ];
        assert_eq!(names, expected);
        bench.host.cut().await;
        life.await.expect("no panic").expect("booted");
        assert_eq!(bench.host.processes(), Vec::new());
    }

    #[test]
    fn a_host_has_the_software_of_the_machine_that_it_is_given() {
        let bench = bench("exit", Duration::from_secs(5));
        let link = bench.host.root.join("usr/lib/engine");
        assert_eq!(fs::read_link(link).expect("a link"), bench._dir.path());
    }

    #[tokio::test]
    async fn an_agent_that_ends_is_started_again_until_the_host_stops() {
        let bench = bench("echo x >> starts; exit 3", Duration::from_secs(5));
        let life = boot(&bench.host);
        let starts = |h: &ProcessHost| fs::read_to_string(h.root.join("starts")).map_or(0, |t| t.lines().count());
        until("three starts", &bench.host, |h| starts(h) >= 3).await;
        bench.host.shut_down().await;
        life.await.expect("no panic").expect("booted");
        let console = bench.host.console.text();
        assert!(
            console.contains("exit status: 3; restart in 100ms") && console.contains("restart in 200ms"),
            "{console}"
        );
    }

    #[tokio::test]
    async fn a_shutdown_lets_the_agent_drain() {
        let bench = bench(
            "trap 'touch drained; exit 0' TERM; touch ready; while :; do sleep 0.01; done",
            Duration::from_secs(30),
        );
        let life = boot(&bench.host);
        until("the agent is ready", &bench.host, |h| h.root.join("ready").exists()).await;
        bench.host.shut_down().await;
        life.await.expect("no panic").expect("booted");
        assert!(bench.host.root.join("drained").exists());
        assert_eq!(bench.host.processes(), Vec::new());
    }

    #[tokio::test]
    async fn an_agent_that_does_not_drain_is_killed_after_the_limit() {
        let bench = bench(
            "trap '' TERM; touch ready; while :; do sleep 0.01; done",
            Duration::from_millis(200),
        );
        let life = boot(&bench.host);
        until("the agent is ready", &bench.host, |h| h.root.join("ready").exists()).await;
        bench.host.shut_down().await;
        life.await.expect("no panic").expect("booted");
        assert_eq!(bench.host.processes(), Vec::new());
    }

    #[tokio::test]
    async fn user_data_that_a_process_host_does_not_run_stops_the_boot_with_a_clear_console() {
        let bench = bench("touch ready", Duration::from_secs(5));
        let script = base64::engine::general_purpose::STANDARD.encode("#!/bin/sh\nreboot -f\n");
        assert!(bench.host.boot(Some(&script)).await.is_err());
        let console = bench.host.console.text();
        assert!(console.contains("does not begin with `#cloud-config`"), "{console}");
        assert!(!bench.host.root.join("ready").exists());
    }
}
