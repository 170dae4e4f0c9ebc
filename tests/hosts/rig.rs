//! The rig of one test: namespaces, a file server and virtual machines, made before it and gone after it.
//!
//! A test runs twice: the first time it makes the rig and runs itself again inside the rig's network; the second time it
//! tells its story. So whatever becomes of the story, the first one clears away. Most of a story is waiting, so as many rigs
//! live at a time as the test harness has threads.

use crate::support::judge;
use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Longest story.
const LIMIT: Duration = Duration::from_secs(600);
/// Rigs of this process so far.
static RIGS: AtomicUsize = AtomicUsize::new(0);
/// Programs that the rig runs, and the Debian package of each.
const PROGRAMS: [(&str, &str); 9] = [
    ("linux.uml", "user-mode-linux"),
    ("uml_mconsole", "uml-utilities"),
    ("ganesha.nfsd", "nfs-ganesha"),
    ("mmdebstrap", "mmdebstrap"),
    ("ip", "iproute2"),
    ("modprobe", "kmod"),
    ("mkfs.ext4", "e2fsprogs"),
    ("nsenter", "util-linux"),
    ("cc", "gcc"),
];

/// The directory of the rig's scripts.
pub(crate) fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hosts")
}

/// Runs a test inside a rig; the name is the test's own.
pub(crate) fn in_rig(test: &str, story: fn()) {
    in_rig_of(test, |_| None, story);
}

/// The same with guests that boot from an image that was provisioned on the root's `base`: what `image` gives is what that
/// added, as a layer.
pub(crate) fn in_rig_of(test: &str, image: impl FnOnce(&Path) -> Option<PathBuf>, story: fn()) {
    if std::env::var_os("MQAWS_RIG").is_some() {
        return story();
    }
    with_root(test, |root| Rig::up(root, image(root).as_deref()).run(test));
}

/// Does something with the guests' root (`root.sh`), once there is one.
pub(crate) fn with_root(test: &str, then: impl FnOnce(&Path)) {
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("hosts");
    if let Some(why) = missing() {
        return skip(test, &why);
    }
    fs::create_dir_all(&cache).unwrap();
    // One test builds the root, and the others wait for it; rigs themselves do not know of each other.
    let alone = File::create(cache.join("lock")).unwrap();
    alone.lock().unwrap();
    let root = root(&cache);
    drop(alone);
    match root {
        Ok(root) => then(&root),
        Err(why) => skip(test, &why),
    }
}

/// Says that a test cannot run here, or fails it.
pub(crate) fn skip(test: &str, why: &str) {
    judge::skip(judge::HOSTS, &format!("hosts: {test}"), why);
}

/// What this machine lacks.
fn missing() -> Option<String> {
    if !rustix::process::geteuid().is_root() {
        return Some("namespaces, taps and control groups need root".into());
    }
    if let Some(why) = PROGRAMS.iter().find_map(|(program, package)| lacks(program, package)) {
        return Some(why);
    }
    for (file, what) in [
        ("/dev/net/tun", "no tap devices"),
        (
            "/usr/lib/uml/modules",
            "no modules of the guests' kernel; package user-mode-linux has them",
        ),
        (
            "/usr/lib/ganesha/libfsalvfs.so",
            "no file system layer of the NFS server; package nfs-ganesha-vfs has it",
        ),
    ] {
        if !Path::new(file).exists() && !Path::new(&file.replace("/usr/lib/", "/usr/lib/x86_64-linux-gnu/")).exists() {
            return Some(format!("{what} ({file})"));
        }
    }
    let mounts = fs::read_to_string("/proc/mounts").unwrap_or_default();
    let groups = mounts.lines().any(|l| l.split(' ').nth(2) == Some("cgroup2"));
    (!groups).then(|| "no control groups (version 2) are mounted".into())
}

/// Says which package has a program that is not here.
pub(crate) fn lacks(program: &str, package: &str) -> Option<String> {
    let path = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin:/sbin";
    let has = std::env::split_paths(&path).any(|dir| dir.join(program).exists());
    (!has).then(|| format!("no {program} here; package {package} has it"))
}

/// The root of all guests; built once for each version of its script.
fn root(cache: &Path) -> Result<PathBuf, String> {
    let script = scripts().join("root.sh");
    let mut hasher = DefaultHasher::new();
    fs::read(&script).unwrap().hash(&mut hasher);
    let root = cache.join(format!("root-{:016x}", hasher.finish()));
    if root.exists() {
        return Ok(root);
    }
    for old in fs::read_dir(cache).unwrap().flatten() {
        if old.file_name().to_string_lossy().starts_with("root-") {
            fs::remove_dir_all(old.path()).unwrap();
        }
    }
    let began = Instant::now();
    let built = Command::new(script).arg(&root).output().unwrap();
    if !built.status.success() {
        return Err(format!(
            "the guests' root was not built: {}",
            String::from_utf8_lossy(&built.stderr).trim()
        ));
    }
    println!("the guests' root was built in {:.0?}", began.elapsed());
    Ok(root)
}

/// A program of the guests: the one of this build, unless a measurement names another.
fn program(variable: &str, built: &str) -> std::ffi::OsString {
    std::env::var_os(variable).unwrap_or_else(|| built.into())
}

struct Rig {
    name: String,
    dir: tempfile::TempDir,
    /// Layers below what the rig itself adds, uppermost first.
    layers: String,
}

impl Rig {
    fn up(root: &Path, provisioned: Option<&Path>) -> Self {
        let tools = root.join("tools");
        let layers = [&root.join("guest"), provisioned.unwrap_or(&tools), &root.join("base")];
        let rig = Self {
            name: format!("mqh{}x{}", std::process::id(), RIGS.fetch_add(1, Ordering::Relaxed)),
            // Short, for the sockets below it.
            dir: tempfile::Builder::new()
                .prefix("mqh")
                .rand_bytes(5)
                .tempdir_in("/tmp")
                .unwrap(),
            layers: layers.map(|layer| layer.display().to_string()).join(":"),
        };
        rig.must(
            scripts().join("rig.sh").as_os_str(),
            &["up".as_ref(), rig.name.as_ref()],
        );
        let shim = rig.dir.path().join("uml_shim.so");
        let source = scripts().join("uml_shim.c");
        let compile = ["-O2", "-shared", "-fPIC", "-o"].map(AsRef::as_ref);
        rig.must(
            "cc".as_ref(),
            &[&compile[..], &[shim.as_ref(), source.as_ref(), "-ldl".as_ref()]].concat(),
        );
        let mut image = vec![rig.dir.path().join("image").into_os_string()];
        if provisioned.is_none() {
            image.extend([
                program("MQAWS_HOSTS_STANDIN", env!("CARGO_BIN_EXE_mqaws")),
                program("MQAWS_HOSTS_AGENT", crate::support::shipped_agent()),
            ]);
        }
        let image: Vec<&std::ffi::OsStr> = image.iter().map(AsRef::as_ref).collect();
        rig.must(scripts().join("image.sh").as_os_str(), &image);
        rig
    }

    fn must(&self, program: &std::ffi::OsStr, args: &[&std::ffi::OsStr]) {
        let done = Command::new(program).args(args).output().unwrap();
        let said = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "{}: {said}", program.display());
    }

    fn run(&self, test: &str) {
        let mut inside = Command::new("nsenter");
        inside
            .arg(format!("--net=/run/netns/{}-lab", self.name))
            .arg(std::env::current_exe().unwrap())
            .args([test, "--exact", "--nocapture", "--include-ignored"])
            .env("MQAWS_RIG", &self.name)
            .env("MQAWS_RIG_DIR", self.dir.path())
            .env("MQAWS_RIG_ROOT", &self.layers)
            .env("MQAWS_RIG_IMAGE", self.dir.path().join("image"))
            .stdin(Stdio::null());
        let mut inside = inside.spawn().unwrap();
        if !ended_well(&mut inside) {
            self.tell();
            panic!("{test} failed; see above");
        }
    }

    /// The ends of all logs.
    fn tell(&self) {
        let logs = self.dir.path().join("lab/log");
        let found = fs::read_dir(logs).into_iter().flatten().flatten().map(|e| e.path());
        for path in found.chain([self.dir.path().join("lab.log"), self.dir.path().join("nfs/ganesha.log")]) {
            let text = fs::read(&path).unwrap_or_default();
            let text = String::from_utf8_lossy(&text);
            let lines: Vec<&str> = text.lines().collect();
            println!("--- {}", path.display());
            lines[lines.len().saturating_sub(60)..]
                .iter()
                .for_each(|l| println!("{l}"));
        }
    }
}

fn ended_well(child: &mut Child) -> bool {
    let deadline = Instant::now() + LIMIT;
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status.success();
        }
        if Instant::now() > deadline {
            println!("not over after {LIMIT:?}");
            let _ = child.kill();
            let _ = child.wait();
            return false;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        // The control groups and namespaces end everything that is in them, the lab included.
        let down = Command::new(scripts().join("rig.sh"))
            .args(["down", &self.name])
            .status();
        if !down.is_ok_and(|s| s.success()) {
            println!("rig {} is not gone: `tests/hosts/rig.sh down {0}` says why", self.name);
        }
        let mounts = fs::read_to_string("/proc/mounts").unwrap_or_default();
        let points = mounts.lines().filter_map(|l| l.split(' ').nth(1));
        for point in points.filter(|p| Path::new(p).starts_with(self.dir.path())) {
            let _ = Command::new("umount").arg(point).status();
        }
    }
}
