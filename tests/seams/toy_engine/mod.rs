//! A toy engine: queues in a journal on the shared file system, a port that takes `PUT WORD`, `COUNT QUEUE` and `CLEAR QUEUE`, a line
//! each, and one for AMQP 1.0. It is a test double that shows what an engine has to bring: this file is all that the agent knows of it.

mod amqp;
mod journal;

use journal::{Journal, Shared};

use mqaws_contract::agent::{AgentConfig, ProbeQueue, ProbeReport};
use mqaws_contract::engine::{AMQP, Check, DriverFacts, Endpoint, EngineFacts, Local, Notation, Protocol};
use mqaws_contract::remedy::chain;
use mqaws_contract::{EngineKind, PathComponent};
use mqaws_engine::processes::{Processes, signal, wait_for_end};
use mqaws_engine::{
    Command, DataState, Engine, EngineFailure, EngineInfo, FailureKind, Health, Host, LeaseRule, Measures, Order,
    ProcessKind, Product,
};
use rustix::process::Signal;
use std::fs::{self, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// The word of all its commands, `start QM JOURNAL ADDRESSES` and `serve …`.
const VERB: &str = "__toy";
/// What a server says when it runs.
const UP: &str = "up";
/// The queue of words that are put by line.
pub(crate) const WORDS: &str = "WORDS";
/// The queue of the failover test.
const PROBE: &str = "MQAWS.PROBE.TOY";
/// Longest wait for one answer.
const ANSWER: Duration = Duration::from_secs(5);

/// The toy.
#[derive(Debug)]
pub(crate) struct Toy;

/// What a deployment must know of it.
pub(crate) const FACTS: EngineFacts = EngineFacts {
    word: "toy",
    name: "Toy",
    line: "A test double.",
    runs: true,
    licence: None,
    licence_missing: None,
    base_image: ("self", "toy-*", "/dev/xvda"),
    endpoints: &[
        Endpoint {
            protocol: LINES,
            port: 7000,
            tls_port: None,
            when: None,
            check: Check::Connection,
        },
        Endpoint {
            protocol: AMQP,
            port: 7001,
            tls_port: None,
            when: None,
            check: Check::Connection,
        },
    ],
    bin_dir: "/opt/toy/bin",
    definitions: "/etc/mqaws/definitions.toy",
    definitions_language: "nothing",
    mistakes: |_| Vec::new(),
    silent: Duration::from_secs(3),
    tls: false,
    order: Order {
        is_older: |this, last| this < last,
        leaps: |_, _| None,
    },
    drivers: &[DriverFacts::plain("amqp10")],
    local: Local::StandIn,
};

/// The protocol of lines.
const LINES: Protocol = Protocol {
    word: "lines",
    part: "Lines",
    name: "lines",
    notation: Notation {
        name: "Address",
        key: "lines",
        port: (":", ""),
        plain: ("lines://", ""),
        tls: ("lines://", ""),
        channel: "",
        reconnect: "",
        cipher: "",
    },
};

fn folder(mount: &Path, queue_manager: &str) -> PathBuf {
    mount.join(PathComponent::of_queue_manager(queue_manager)).join("toy")
}

impl Product for Toy {
    fn kind(&self) -> EngineKind {
        EngineKind::of(&FACTS)
    }

    fn user(&self) -> &'static str {
        "toy"
    }

    fn identify<'a>(&self, args: &[&'a str], queue_manager: &str) -> Option<ProcessKind<'a>> {
        let at = args.iter().position(|arg| *arg == VERB)?;
        let [name, of, ..] = args.get(at + 1..)? else {
            return None;
        };
        (*of == queue_manager).then_some(ProcessKind {
            name,
            controller: *name == "serve",
        })
    }

    fn writes(&self, command: &Command) -> bool {
        command.args.iter().any(|arg| arg == VERB)
    }

    fn directories(&self, mount: &Path, queue_manager: &str) -> Vec<PathBuf> {
        vec![folder(mount, queue_manager)]
    }

    fn data(&self, mount: &Path, queue_manager: &str) -> io::Result<DataState> {
        let journal = folder(mount, queue_manager).join("journal");
        Ok(match journal.try_exists()? {
            true => DataState::Present,
            false => DataState::Absent,
        })
    }

    fn order(&self) -> Order {
        FACTS.order
    }

    fn lease(&self) -> LeaseRule {
        LeaseRule::Refuse
    }

    fn certificate_label(&self, queue_manager: &str) -> String {
        queue_manager.to_owned()
    }

    fn own_command(&self, words: &[&str]) -> Option<Result<String, String>> {
        let done = match words {
            [VERB, "start", rest @ ..] => start(rest),
            [VERB, "serve", _, journal, addresses] => serve(Path::new(journal), Path::new(addresses)),
            _ => return None,
        };
        Some(done.map(|()| "done".to_owned()).map_err(|e| chain(&e)))
    }

    fn engine(&self, config: &AgentConfig, host: Host) -> Arc<dyn Engine> {
        Arc::new(Running {
            folder: folder(&host.root.path(&config.storage.mount), &config.queue_manager),
            addresses: host.root.path("var/lib/mqaws/toy"),
            queue_manager: config.queue_manager.clone(),
            port: config.ports.of(&LINES).unwrap(),
            amqp_port: config.ports.of(&AMQP),
            host,
        })
    }
}

/// Leaves the server behind, once it runs, and ends: before that its command line need not be there to be found by.
fn start(rest: &[&str]) -> io::Result<()> {
    let mut server = std::process::Command::new(std::env::current_exe()?)
        .args(["__agent", VERB, "serve"])
        .args(rest)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()?;
    let said = server.stdout.take().map(BufReader::new);
    let said = said.and_then(|said| said.lines().next()).transpose()?;
    match said.as_deref() {
        Some(UP) => Ok(()),
        _ => Err(io::Error::other("the server does not run")),
    }
}

/// Serves at the addresses that a file holds, as soon as it is there: that of lines, then that of AMQP.
fn serve(journal: &Path, addresses: &Path) -> io::Result<()> {
    let journal: Shared = Arc::new(Mutex::new(Journal::open(journal)?));
    println!("{UP}");
    let listed = loop {
        match fs::read_to_string(addresses) {
            Ok(text) => break text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => std::thread::sleep(Duration::from_millis(10)),
            Err(error) => return Err(error),
        }
    };
    let mut listeners = listed.lines().map(TcpListener::bind);
    let lines = listeners.next().transpose()?;
    if let Some(listener) = listeners.next().transpose()? {
        let journal = journal.clone();
        std::thread::spawn(move || amqp::serve(listener, &journal));
    }
    for connection in lines.iter().flat_map(TcpListener::incoming).flatten() {
        let journal = journal.clone();
        std::thread::spawn(move || answer(&connection, &journal));
    }
    Ok(())
}

/// A message is acknowledged once it is on the disk.
fn answer(connection: &TcpStream, journal: &Shared) -> io::Result<()> {
    for line in BufReader::new(connection).lines() {
        let line = line?;
        let said = {
            let mut journal = journal.lock().map_err(|_| io::Error::other("the journal is broken"))?;
            match line.split(' ').collect::<Vec<_>>()[..] {
                ["PUT", word] => {
                    journal.put(WORDS, word.into(), true)?;
                    journal.depth(WORDS)
                }
                ["CLEAR", queue] => {
                    journal.clear(queue)?;
                    journal.depth(queue)
                }
                ["COUNT", queue] => journal.depth(queue),
                _ => return Err(io::Error::other("no such command")),
            }
        };
        writeln!(&*connection, "{said}")?;
    }
    Ok(())
}

/// Says one line to a toy, and returns the number that it answers.
pub(crate) fn ask(address: SocketAddr, line: &str) -> io::Result<u64> {
    let mut connection = TcpStream::connect_timeout(&address, ANSWER)?;
    connection.set_read_timeout(Some(ANSWER))?;
    writeln!(connection, "{line}")?;
    let mut answer = String::new();
    BufReader::new(connection).read_line(&mut answer)?;
    answer.trim().parse().map_err(io::Error::other)
}

/// The toy of one queue manager on one host.
struct Running {
    folder: PathBuf,
    addresses: PathBuf,
    queue_manager: String,
    port: u16,
    amqp_port: Option<u16>,
    host: Host,
}

impl Running {
    fn journal(&self) -> PathBuf {
        self.folder.join("journal")
    }

    /// Where it takes lines.
    fn address(&self) -> io::Result<SocketAddr> {
        let text = fs::read_to_string(&self.addresses)?;
        text.lines()
            .next()
            .unwrap_or_default()
            .parse()
            .map_err(io::Error::other)
    }

    fn probe(&self, word: &str) -> Result<ProbeReport, String> {
        let asked = self
            .address()
            .and_then(|address| ask(address, &format!("{word} {PROBE}")));
        let queue = ProbeQueue {
            name: PROBE.to_owned(),
            depth: asked.map_err(|error| chain(&error))?,
        };
        Ok(ProbeReport { queues: vec![queue] })
    }
}

fn transient(text: impl Into<String>) -> EngineFailure {
    EngineFailure {
        kind: FailureKind::Transient,
        text: text.into(),
    }
}

impl Engine for Running {
    fn product(&self) -> &'static dyn Product {
        &Toy
    }

    fn host(&self) -> &Processes {
        &self.host.processes
    }

    fn info(&self) -> Result<EngineInfo, EngineFailure> {
        Ok(EngineInfo {
            version: "Toy 1".to_owned(),
            stand_in: true,
            how: "running".to_owned(),
        })
    }

    fn adopt(&self, data: DataState) -> Result<EngineInfo, EngineFailure> {
        let opened = OpenOptions::new().append(true).create(true).open(self.journal());
        opened.map_err(|error| EngineFailure::transient(&error))?;
        let how = match data {
            DataState::Absent => "created",
            DataState::Present | DataState::HalfCreated => "made known",
        };
        self.info().map(|info| EngineInfo {
            how: how.to_owned(),
            ..info
        })
    }

    fn start(&self, _epoch: u64, _address: IpAddr) -> Result<i32, EngineFailure> {
        let (program, lead) = self.host.own.split_first().ok_or_else(|| transient("no program"))?;
        let command = Command::new(program)
            .args(lead)
            .args([VERB, "start", &self.queue_manager])
            .arg(self.journal())
            .arg(&self.addresses);
        let ran = self.host.runner.run(&command);
        let output = ran.map_err(|error| EngineFailure::transient(&error))?;
        (self.host.waited)(command.to_string(), output.elapsed);
        match (output.code, self.controller()) {
            (0, Ok(Some(pid))) => Ok(pid),
            (code, found) => Err(transient(format!("exit {code}, {found:?}: {}", output.text))),
        }
    }

    fn define(&self, address: IpAddr) -> Result<(), EngineFailure> {
        let ports = [Some(self.port), self.amqp_port].into_iter().flatten();
        let lines: String = ports.map(|port| format!("{address}:{port}\n")).collect();
        let new = self.addresses.with_extension("new");
        let written = fs::write(&new, lines).and_then(|()| fs::rename(&new, &self.addresses));
        written.map_err(|error| EngineFailure::transient(&error))
    }

    fn accept(&self, address: IpAddr, stale: &dyn Fn() -> bool) -> Result<(), EngineFailure> {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            match self.check(address) {
                Health::Well => return Ok(()),
                Health::Bad(why) | Health::Unknown(why) if stale() || Instant::now() > deadline => {
                    return Err(transient(why));
                }
                _ => std::thread::sleep(Duration::from_millis(10)),
            }
        }
    }

    fn check(&self, address: IpAddr) -> Health {
        let asked = ask((address, self.port).into(), &format!("COUNT {WORDS}"));
        let opened = self
            .amqp_port
            .map(|port| TcpStream::connect_timeout(&(address, port).into(), ANSWER));
        match asked.and(opened.transpose().map(drop)) {
            Ok(()) => Health::Well,
            Err(error) => Health::Bad(chain(&error)),
        }
    }

    fn end(&self, target: Duration) -> Result<(), String> {
        if let Some(pid) = self.controller().map_err(|e| e.to_string())? {
            signal(pid, Signal::TERM);
            wait_for_end(pid, Some(target)).map_err(|e| e.to_string())?;
        }
        Ok(())
    }

    fn end_immediately(&self) -> Result<&'static str, String> {
        self.end(ANSWER).map(|()| "SIGTERM")
    }

    fn probe_define(&self) -> Result<ProbeReport, String> {
        self.probe("COUNT")
    }

    fn probe_depth(&self) -> Result<ProbeReport, String> {
        self.probe("COUNT")
    }

    fn probe_delete(&self) -> Result<ProbeReport, String> {
        self.probe("CLEAR")
    }

    fn measure(&self) -> Measures {
        Measures::default()
    }
}
