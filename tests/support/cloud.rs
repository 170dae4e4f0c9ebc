//! A private local cloud, and a user who has nothing else.

use super::command::{Running, Said, said};
use super::judge::root;
use super::processes::marked;
use mqaws::aws::{Clients, LocalCloud};
use mqaws_lab::home::{self, LabRecord};
use serde_json::Value;
use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The variable with the folder of engines that were unpacked for the tests; `scripts/test` sets it.
pub(crate) const SOFTWARE: &str = "MQAWS_LAB_SOFTWARE";

/// A local cloud in a directory of its own, and a user who has nothing else. Whatever becomes of the test, it ends with it.
pub(crate) struct Lab {
    home: tempfile::TempDir,
    /// Its directory in the user's home.
    folder: String,
    /// The folder of unpacked engines; absent when those of this machine are used.
    software: Option<PathBuf>,
    told: RefCell<String>,
}

impl Lab {
    /// A user and a place for a local cloud; none runs yet.
    pub(crate) fn new() -> Self {
        let home = tempfile::Builder::new().prefix("mq").tempdir_in("/tmp");
        Self {
            home: home.expect("a directory"),
            folder: "l".to_owned(),
            software: std::env::var_os(SOFTWARE).map(PathBuf::from),
            told: RefCell::default(),
        }
    }

    /// The same, with a directory whose path has this many bytes, none of which is there.
    pub(crate) fn deep(bytes: usize) -> Self {
        let mut lab = Self::new();
        let above = lab.home().as_os_str().len() + "/".len() + "/l".len();
        lab.folder = format!("{}/l", "x".repeat(bytes.saturating_sub(above)));
        lab
    }

    /// Starts one.
    #[track_caller]
    pub(crate) fn up(options: &[&str]) -> Self {
        let lab = Self::new();
        lab.run(&[&["lab", "up"], options].concat(), 0);
        lab
    }

    /// Starts one whose hosts have the engines of a folder.
    #[track_caller]
    pub(crate) fn up_with(software: &Path) -> Self {
        let mut lab = Self::new();
        lab.software = Some(software.to_owned());
        lab.run(&["lab", "up"], 0);
        lab
    }

    /// Starts one and deploys the example.
    #[track_caller]
    pub(crate) fn deployed(options: &[&str]) -> Self {
        let lab = Self::up(options);
        lab.run(&["deploy", "--local", "--yes", "--config", &Self::example()], 0);
        lab
    }

    /// The example's configuration.
    pub(crate) fn example() -> String {
        root().join("examples/single.yaml").display().to_string()
    }

    /// The user's home, in which commands run.
    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    /// A path in the user's home.
    pub(crate) fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.home().join(name)
    }

    /// The directory of the local cloud.
    pub(crate) fn dir(&self) -> PathBuf {
        self.path(&self.folder)
    }

    /// `mqaws` as this user runs it, with nothing of the environment of the tests but the search path.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        self.command_of(Path::new(env!("CARGO_BIN_EXE_mqaws")), args)
    }

    /// The same with another program.
    pub(crate) fn command_of(&self, program: &Path, args: &[&str]) -> Command {
        let mut command = Command::new(program);
        command
            .args(args)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.home())
            .env("TMPDIR", self.home())
            .env("MQAWS_LAB_DIR", self.dir())
            .envs(self.software.iter().map(|folder| (SOFTWARE, folder)))
            .current_dir(self.home())
            .stdin(Stdio::null());
        command
    }

    /// Starts a command.
    pub(crate) fn spawn(&self, args: &[&str]) -> Running {
        self.started(self.command(args))
    }

    /// As [`Lab::spawn`], of a command that is there already.
    pub(crate) fn started(&self, command: Command) -> Running {
        Running::start(command, self.home())
    }

    /// Runs a command and demands its exit code.
    #[track_caller]
    pub(crate) fn run(&self, args: &[&str], exit: i32) -> Said {
        let said = self.spawn(args).wait();
        self.demand(args, &said, exit);
        said
    }

    /// Demands an exit code of what a command of this user said, and remembers its words.
    #[track_caller]
    pub(crate) fn demand(&self, args: &[&str], said: &Said, exit: i32) {
        assert_eq!(said.code, Some(exit), "mqaws {}: {said}", args.join(" "));
        self.told.borrow_mut().push_str(&said.text());
    }

    /// Runs a command with JSON as its output and demands its exit code; returns the document.
    #[track_caller]
    pub(crate) fn json(&self, args: &[&str], exit: i32) -> Value {
        self.run(&[args, &["--output", "json"]].concat(), exit).json()
    }

    /// Whether a command that was demanded an exit code of has printed this.
    pub(crate) fn has_told(&self, words: &str) -> bool {
        self.told.borrow().contains(words)
    }

    /// The record of the lab, which runs.
    #[track_caller]
    pub(crate) fn record(&self) -> LabRecord {
        home::read_record(&self.dir()).expect("a record of a running lab")
    }

    /// The program's clients of the lab's AWS.
    pub(crate) fn clients(&self) -> Clients {
        let record = self.record();
        Clients::local(&LocalCloud {
            endpoint: record.endpoint,
            region: record.region,
            access_key_id: record.access_key_id,
            secret_access_key: record.secret_access_key,
        })
    }

    /// Command lines of the lab's processes.
    pub(crate) fn processes(&self) -> Vec<String> {
        marked(&format!("MQAWS_LAB={}", self.record().id))
    }

    /// Command lines of the processes of its instances, also when it has ended.
    pub(crate) fn of_instances(&self) -> Vec<String> {
        marked(&format!("MQAWS_LAB_ROOT={}", self.dir().display()))
    }

    /// The root of an instance.
    pub(crate) fn instance(&self, id: &str) -> PathBuf {
        self.dir().join("i").join(id)
    }

    /// Ends the lab and demands that nothing of it is left.
    #[track_caller]
    pub(crate) fn end(self) {
        let down = self.json(&["lab", "down"], 0);
        assert_eq!(down["removed"]["killed"], 0, "the lab ends in order: {down}");
        assert!(!self.dir().exists());
        assert_eq!(self.of_instances(), Vec::<String>::new());
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        // Also after a test that failed; a second time does nothing.
        let down = said(&mut self.command(&["lab", "down"]));
        assert!(down.code == Some(0) || std::thread::panicking(), "{down}");
    }
}
