//! A host of the stand-in for one test: a root, an address of its own, the commands, and an AMQP client.

use super::client::Client;
use super::command::until;
use std::{
    cell::Cell,
    net::{IpAddr, TcpListener},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use mqaws_engine::{
    Command, Output,
    ibm_mq::{
        CreateQueueManager, Definitions, Driver, ObjectName, ProbeQueueDefinition, QueueManagerStatus, Show,
        StartOptions, data_path, mqsc::Report,
    },
    runner,
};
use mqaws_standin::lab_accounts::Accounts;
use rustix::process::{Pid, Signal, kill_process};

/// The queue that the tests use.
pub(crate) const QUEUE: &str = "MQAWS.PROBE.TEST";
/// The application's user there.
const USER: &str = "mqapp";

pub(crate) struct Host {
    base: Arc<tempfile::TempDir>,
    root: PathBuf,
    address: IpAddr,
    epoch: Cell<u64>,
    environment: Vec<(String, String)>,
}

/// Runs a command to its exit code.
pub(crate) fn run(command: &Command) -> Output {
    runner::run(command).unwrap_or_else(|e| panic!("{e:?}"))
}

/// A loopback address that nobody uses, outside the range of labs.
fn free_address() -> IpAddr {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    for _ in 0..10_000 {
        let n = NEXT.fetch_add(1, Ordering::Relaxed) + std::process::id() * 13;
        let address = IpAddr::from([127, 60, (n / 250 % 250) as u8, (n % 250 + 1) as u8]);
        if TcpListener::bind((address, 5672)).is_ok() {
            return address;
        }
    }
    panic!("no free address");
}

impl Host {
    pub(crate) fn new() -> Self {
        Self::with_environment(&[])
    }

    pub(crate) fn with_environment(environment: &[(&str, &str)]) -> Self {
        let base = Arc::new(tempfile::tempdir().unwrap());
        let environment = environment
            .iter()
            .map(|(k, v)| (k.to_string(), v.to_string()))
            .collect();
        for directory in ["fs/data", "fs/log"] {
            std::fs::create_dir_all(base.path().join(directory)).unwrap();
        }
        Self::in_base(base, "i/a", 1, environment)
    }

    fn in_base(base: Arc<tempfile::TempDir>, root: &str, epoch: u64, environment: Vec<(String, String)>) -> Self {
        let root = base.path().join(root);
        let bin = root.join("opt/mqm/bin");
        std::fs::create_dir_all(&bin).unwrap();
        for name in mqaws_standin::commands::NAMES {
            std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_mqaws"), bin.join(name)).unwrap();
        }
        let host = Self {
            base,
            root,
            address: free_address(),
            epoch: Cell::new(epoch),
            environment,
        };
        let mut accounts = Accounts::default();
        accounts.set(USER, &host.password()).unwrap();
        accounts.write(&host.root).unwrap();
        host
    }

    /// A queue manager that runs, without definitions.
    pub(crate) fn running() -> Self {
        let host = Self::new();
        host.create();
        host.start();
        host
    }

    /// A queue manager with the default definitions and the queue of the tests.
    pub(crate) fn serving() -> Self {
        Self::serving_in(Self::new())
    }

    pub(crate) fn serving_with_defect(defect: &str) -> Self {
        Self::serving_in(Self::with_environment(&[("MQAWS_STANDIN_DEFECT", defect)]))
    }

    fn serving_in(host: Self) -> Self {
        host.create();
        host.start();
        host.apply_definitions();
        host
    }

    /// Another host on the same file system.
    pub(crate) fn neighbour(&self) -> Self {
        Self::in_base(self.base.clone(), "i/b", self.epoch.get() + 1, self.environment.clone())
    }

    pub(crate) fn name(&self) -> &str {
        "Q.M1"
    }

    pub(crate) fn password(&self) -> String {
        "a long and random one".to_owned()
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn address(&self) -> IpAddr {
        self.address
    }

    pub(crate) fn data_dir(&self) -> PathBuf {
        self.base.path().join("fs/data")
    }

    pub(crate) fn data(&self) -> PathBuf {
        data_path(&self.data_dir(), self.name())
    }

    pub(crate) fn create_options(&self) -> CreateQueueManager {
        CreateQueueManager::new(self.name(), self.data_dir(), self.base.path().join("fs/log"))
    }

    pub(crate) fn driver(&self) -> Driver {
        let mut driver = Driver::new(self.root.join("opt/mqm/bin"))
            .env("MQAWS_LAB_ROOT", &self.root)
            .env(
                "AWS_EC2_METADATA_SERVICE_ENDPOINT",
                format!("http://{}:8169", self.address),
            )
            .env("MQAWS_EPOCH", self.epoch.get().to_string());
        for (key, value) in &self.environment {
            driver = driver.env(key, value);
        }
        driver
    }

    pub(crate) fn command(&self, name: &str, args: &[&str]) -> Output {
        run(&Command::new(self.root.join("opt/mqm/bin").join(name))
            .args(args)
            .env("MQAWS_LAB_ROOT", &self.root))
    }

    pub(crate) fn create(&self) {
        assert_eq!(run(&self.driver().create_directories()).code, 0);
        let output = run(&self.driver().create(&self.create_options()));
        assert_eq!(output.code, 0, "{}", output.text);
    }

    pub(crate) fn start(&self) {
        let output = run(&self.driver().start(self.name(), StartOptions::default()));
        Driver::started(&output).unwrap_or_else(|e| panic!("{e}: {}", output.text));
    }

    pub(crate) fn status(&self) -> Option<QueueManagerStatus> {
        let output = run(&self.driver().display(Some(self.name()), Show::All, false));
        Driver::displayed(&output, self.name())
            .unwrap()
            .map(|q| q.status.unwrap())
    }

    pub(crate) fn mqsc(&self, text: &str) -> Report {
        let output = run(&self.driver().mqsc(self.name(), text));
        Driver::processed(&output).unwrap_or_else(|e| panic!("{e}: {}", output.text))
    }

    pub(crate) fn definitions(&self) -> String {
        let user = ObjectName::new(USER).unwrap();
        let text = Definitions::new(Some(self.address), 1414, Some(5672), user).mqsc();
        text + &ProbeQueueDefinition::named(QUEUE).unwrap().define()
    }

    pub(crate) fn apply_definitions(&self) {
        self.mqsc(&self.definitions());
    }

    /// A client of the application's user.
    ///
    /// # Errors
    /// In the client's words.
    pub(crate) fn client(&self, container: &str) -> Result<Client, String> {
        self.client_as(container, USER, &self.password())
    }

    /// A client of any user.
    ///
    /// # Errors
    /// In the client's words.
    pub(crate) fn client_as(&self, container: &str, user: &str, password: &str) -> Result<Client, String> {
        Client::connect(self.address, user, password, container)
    }

    pub(crate) fn depth(&self, queue: &str) -> u64 {
        let report = self.mqsc(&ProbeQueueDefinition::named(queue).unwrap().depth());
        report.depths()[0].1
    }

    pub(crate) fn wait_for_depth(&self, queue: &str, depth: u64) {
        until(&format!("depth {depth}"), || (self.depth(queue) == depth).then_some(()));
    }

    /// The process that holds the data, by its own word in the lock file.
    fn pid(&self) -> Option<u32> {
        let text = std::fs::read_to_string(self.data().join("master")).ok()?;
        let holder: serde_json::Value = serde_json::from_str(&text).ok()?;
        // Boot and root: hosts of these tests share the first.
        let host = holder["host"].as_str()?.to_owned();
        let mine = host.split_once(' ').map(|(_, root)| root) == self.root.to_str();
        let pid = u32::try_from(holder["pid"].as_u64()?).ok()?;
        // A number may have been given to somebody else since.
        let command = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        (mine && command.starts_with(b"amqzxma0\0__qmgr\0")).then_some(pid)
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = self.pid().expect("the queue manager runs");
        let pid = Pid::from_raw(pid.cast_signed()).expect("a pid");
        kill_process(pid, signal).expect("it lives");
    }

    /// Kills the process as a failure would.
    pub(crate) fn kill(&self) {
        let pid = self.pid().expect("the queue manager runs");
        self.signal(Signal::KILL);
        until("the end of the process", || {
            let gone = !Path::new(&format!("/proc/{pid}/cmdline")).exists() || self.pid().is_none();
            gone.then_some(())
        });
        until("the lock to be free", || {
            let file = std::fs::File::open(self.data().join("master")).unwrap();
            file.try_lock_shared().ok()
        });
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        if self.pid().is_some() {
            self.signal(Signal::KILL);
        }
    }
}
