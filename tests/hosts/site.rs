//! What a story has in its hands: a local cloud whose instances are guests, a deployed stack, clients, and the server's side
//! of the data.

use crate::guest;
use crate::rig::scripts;
use crate::support::{Client, Put, between, call, own_call};
use mqaws::aws::{Clients, LocalCloud};
use mqaws::failover::port::{Answer, Target, TestBed};
use mqaws::model::InstanceId;
use mqaws::model::agent::{AgentState, AgentStatus, Mark};
use mqaws::stack::AMQP;
use mqaws_agent::fence::{Lock, LockError, NfsLock};
use mqaws_lab::home::{self, LabRecord};
use mqaws_standin::Audit;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Name of the stack.
pub(crate) const STACK: &str = "mqaws-qm1";
/// Queue of the tests.
pub(crate) const QUEUE: &str = "APP.Q";
/// How long anything may take that takes seconds on an idle machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(180);

const DEPLOYMENT: &str = "stack: mqaws-qm1
region: eu-west-1
topology: TOPOLOGY
queue_manager: {name: QM1, definitions: app.mqsc}
endpoint: {amqp: true}
storage: {mount: nfs, lease_seconds: LEASE}
";

/// An instance as the lab sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Instance {
    pub id: String,
    pub state: String,
    pub zone: String,
    pub address: String,
}

impl Instance {
    pub(crate) fn instance_id(&self) -> InstanceId {
        InstanceId::new(&self.id).unwrap()
    }
}

/// A local cloud with one deployed queue manager.
pub(crate) struct Site {
    pub dir: PathBuf,
    lab: Child,
    pub record: LabRecord,
    pub clients: Clients,
    pub target: Target,
    runtime: tokio::runtime::Runtime,
}

impl Drop for Site {
    fn drop(&mut self) {
        let _ = self.lab.kill();
        let _ = self.lab.wait();
    }
}

/// Waits for something, with a deadline.
pub(crate) fn until<T>(what: &str, limit: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "never within {limit:?}: {what}");
        std::thread::sleep(Duration::from_millis(250));
    }
}

/// The directory of this rig.
pub(crate) fn dir() -> PathBuf {
    std::env::var_os("MQAWS_RIG_DIR").expect("inside a rig").into()
}

impl Site {
    /// Starts a lab of guests in this rig and deploys the queue manager.
    pub(crate) fn deployed() -> Self {
        Self::deployed_with_lease(10)
    }

    /// The same with a file server of another lease, in seconds.
    pub(crate) fn deployed_with_lease(lease: u32) -> Self {
        Self::deployed_on("single", lease, None)
    }

    /// The same with a second host that waits.
    pub(crate) fn deployed_with_a_standby() -> Self {
        Self::deployed_on("standby", 10, None)
    }

    /// The same on a file system of so many MiB.
    pub(crate) fn deployed_on_mib(size: u32) -> Self {
        Self::deployed_on("single", 10, Some(size))
    }

    fn deployed_on(topology: &str, lease: u32, size: Option<u32>) -> Self {
        let dir = dir();
        let deployment = DEPLOYMENT
            .replace("LEASE", &lease.to_string())
            .replace("TOPOLOGY", topology);
        fs::write(dir.join("deployment.yaml"), deployment).unwrap();
        fs::write(
            dir.join("app.mqsc"),
            format!("DEFINE QLOCAL({QUEUE}) REPLACE DEFPSIST(YES) MAXDEPTH(100000)\n"),
        )
        .unwrap();
        let log = fs::File::create(dir.join("lab.log")).unwrap();
        let lab = Command::new(env!("CARGO_BIN_EXE_mqaws"))
            .args(["__lab", "--timing", "guest", "--until-stdin-closes", "--dir"])
            .arg(dir.join("lab"))
            .arg("--guests")
            .arg(scripts().join("guest.sh"))
            .env("MQAWS_RIG_LEASE", lease.to_string())
            .envs(size.map(|mib| ("MQAWS_RIG_SIZE", format!("{mib}M"))))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let record = until("the lab is ready", PATIENCE, || home::read_record(&dir.join("lab")));
        let clients = Clients::local(&LocalCloud {
            endpoint: record.endpoint.clone(),
            region: record.region.clone(),
            access_key_id: record.access_key_id.clone(),
            secret_access_key: record.secret_access_key.clone(),
        });
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let began = Instant::now();
        let deployed = Command::new(env!("CARGO_BIN_EXE_mqaws"))
            .args(["deploy", "--local", "--yes", "--config", "deployment.yaml"])
            .env("MQAWS_LAB_DIR", dir.join("lab"))
            .current_dir(&dir)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&deployed.stdout).into_owned() + &String::from_utf8_lossy(&deployed.stderr);
        assert!(deployed.status.success(), "{said}");
        println!("deployed on a guest in {:.1} s", began.elapsed().as_secs_f64());
        let target = runtime.block_on(clients.target(STACK)).unwrap();
        Self {
            dir,
            lab,
            record,
            clients,
            target,
            runtime,
        }
    }

    /// Waits for an answer of the cloud.
    pub(crate) fn ask<T>(&self, question: Answer<'_, T>) -> Result<T, String> {
        self.runtime.block_on(question).map_err(|e| format!("{e:?}"))
    }

    /// Every instance that the lab remembers.
    pub(crate) fn instances(&self) -> Vec<Instance> {
        let mut answer = ureq::get(format!("{}/_mqaws/instances", self.record.endpoint))
            .call()
            .unwrap();
        let answer: Value = serde_json::from_str(&answer.body_mut().read_to_string().unwrap()).unwrap();
        let text = |value: &Value, name: &str| value[name].as_str().unwrap().to_owned();
        let rows = answer["instances"].as_array().unwrap().iter();
        rows.map(|i| Instance {
            id: text(i, "id"),
            state: text(i, "state"),
            zone: text(i, "zone"),
            address: text(i, "address"),
        })
        .collect()
    }

    /// The instance that runs; there is one.
    pub(crate) fn running(&self) -> Instance {
        let running = self.instances().into_iter().filter(|i| i.state == "running");
        let running: Vec<Instance> = running.collect();
        assert_eq!(running.len(), 1, "{running:?}");
        running.into_iter().next().unwrap()
    }

    /// The instance that serves, and the one that is ready to take over from it, once there are both.
    pub(crate) fn active_and_standby(&self) -> (Instance, Instance) {
        until("one serves and another one is ready", PATIENCE, || {
            let running = self.instances().into_iter().filter(|i| i.state == "running");
            let (mut active, mut ready) = (None, None);
            for instance in running {
                match self.status(&instance) {
                    Ok(status) if status.state == AgentState::Serving => active = Some(instance),
                    Ok(status) if status.standby_ready == Some(true) && status.state == AgentState::Standby => {
                        ready = Some(instance);
                    }
                    _ => {}
                }
            }
            active.zip(ready)
        })
    }

    /// The instance that came after this one, once it is there.
    pub(crate) fn successor(&self, of: &Instance) -> Instance {
        until("another instance runs", PATIENCE, || {
            self.instances()
                .into_iter()
                .find(|i| i.id != of.id && i.state == "running")
        })
    }

    /// Launches an instance from the group's own template in another zone than this one, outside the group: as when Auto
    /// Scaling takes the other one for gone while EC2 still runs it.
    pub(crate) fn launch_beside(&self, other: &Instance) -> Instance {
        let ec2 = |params: &[(&str, &str)]| call(&self.record, "ec2", "2016-11-15", params);
        let templates = ec2(&[("Action", "DescribeLaunchTemplates")]);
        let template = between(&templates, "launchTemplateId");
        let zone = match other.zone.as_str() {
            "eu-west-1a" => "eu-west-1b",
            _ => "eu-west-1a",
        };
        let subnets = ec2(&[
            ("Action", "DescribeSubnets"),
            ("Filter.1.Name", "availability-zone"),
            ("Filter.1.Value.1", zone),
        ]);
        ec2(&[
            ("Action", "RunInstances"),
            ("MinCount", "1"),
            ("MaxCount", "1"),
            ("LaunchTemplate.LaunchTemplateId", &template),
            ("SubnetId", &between(&subnets, "subnetId")),
        ]);
        self.successor(other)
    }

    /// Lets EC2 answer nobody who asks about instances or wants one terminated.
    pub(crate) fn ec2_fails(&self) {
        for action in ["DescribeInstances", "TerminateInstances"] {
            let rule = json!({"service": "ec2", "action": action, "error": "InternalError", "rate": 1.0});
            own_call(&self.record, "inject", &rule).unwrap();
        }
    }

    /// Takes the name of the file system away from every guest that boots from now on.
    pub(crate) fn no_names() {
        fs::write(dir().join("no-names"), "").unwrap();
    }

    /// A verb of the rig on a guest: `cut`, `freeze`, `thaw`, `unplug`, `plug`.
    pub(crate) fn rig(&self, verb: &str, on: &Instance) {
        guest::rig(verb, &on.id, &on.zone);
    }

    /// Cuts a zone off from everything outside it, or joins it again.
    pub(crate) fn cut_zone(zone: &str, cut: bool) {
        guest::zone(if cut { "cut" } else { "join" }, zone);
    }

    /// Runs a script in a guest as root; its output.
    pub(crate) fn shell(&self, on: &Instance, script: &str) -> Result<String, String> {
        guest::shell(&on.id, &on.address, script)
    }

    /// Stops the file server, or lets it go on.
    pub(crate) fn freeze_server(&self, frozen: bool) {
        let mounts = fs::read_to_string("/proc/mounts").unwrap();
        let groups = mounts.lines().find(|l| l.split(' ').nth(2) == Some("cgroup2")).unwrap();
        let groups = groups.split(' ').nth(1).unwrap();
        let group = format!("{groups}/{}-nfs", std::env::var("MQAWS_RIG").unwrap());
        fs::write(format!("{group}/cgroup.freeze"), if frozen { "1" } else { "0" }).unwrap();
        let wanted = format!("frozen {}", u8::from(frozen));
        until("the server's control group obeys", PATIENCE, || {
            fs::read_to_string(format!("{group}/cgroup.events"))
                .unwrap()
                .contains(&wanted)
                .then_some(())
        });
    }

    /// What an instance's agent says of itself.
    pub(crate) fn status(&self, of: &Instance) -> Result<AgentStatus, String> {
        self.ask(self.clients.agent_status(&self.target, &of.instance_id()))
    }

    /// Waits until an instance serves.
    pub(crate) fn serving(&self, instance: &Instance) -> AgentStatus {
        until("the instance serves", PATIENCE, || {
            self.status(instance)
                .ok()
                .filter(|s| s.state == AgentState::Serving && s.lock_held)
        })
    }

    /// The marks of an instance.
    pub(crate) fn marks(&self, of: &Instance) -> Vec<Mark> {
        self.ask(self.clients.marks(&self.target, &of.instance_id(), 0))
            .unwrap()
    }

    /// A client of the load balancer.
    pub(crate) fn client(&self, name: &str) -> Result<Client, String> {
        let credentials = self.ask(self.clients.credentials(&self.target))?;
        let endpoint = self.target.parts.endpoint(&AMQP).expect("AMQP is on");
        let address = endpoint.address.host.parse().unwrap();
        let password = credentials.password.expose_secret();
        Client::connect(address, &credentials.username, password, name)
    }

    /// Puts so many messages, all of which must be acknowledged; their ids.
    pub(crate) fn put(&self, prefix: &str, count: usize) -> Vec<String> {
        let client = until("a client is let in", PATIENCE, || self.client("put").ok());
        let ids: Vec<String> = (0..count).map(|n| format!("{prefix}-{n}")).collect();
        let puts: Vec<Put> = ids.iter().map(|id| Put::persistent(id)).collect();
        assert_eq!(client.put(QUEUE, &puts).unwrap(), ids);
        ids
    }

    /// Puts so many messages; the ids of those that were acknowledged.
    ///
    /// # Errors
    /// In the client's words, when none was let in or the connection ended.
    pub(crate) fn try_put(&self, prefix: &str, count: usize) -> Result<Vec<String>, String> {
        let ids: Vec<String> = (0..count).map(|n| format!("{prefix}-{n}")).collect();
        let puts: Vec<Put> = ids.iter().map(|id| Put::persistent(id)).collect();
        self.client("put")?.put(QUEUE, &puts)
    }

    /// Demands that the lock on the data is this host's, by an attempt to obtain it on the server's side.
    pub(crate) fn nobody_else_gets_the_lock(&self, host: &Instance) {
        let lease = Duration::from_secs(10);
        let mut lock = NfsLock::new(&self.data(), "QM1", "i-second-writer", "second-writer", lease);
        match lock.acquire() {
            Err(LockError::Busy { holder }) => assert_eq!(holder, host.id),
            other => panic!("a second writer got: {other:?}"),
        }
    }

    /// Gets so many messages; their ids in order.
    pub(crate) fn get(&self, count: usize) -> Vec<String> {
        let client = until("a client is let in", PATIENCE, || self.client("get").ok());
        client
            .get(QUEUE, count)
            .unwrap()
            .into_iter()
            .map(|got| got.id)
            .collect()
    }

    /// The same from one instance, which need not be behind the load balancer.
    pub(crate) fn get_from(&self, instance: &Instance, count: usize) -> Vec<String> {
        let credentials = self.ask(self.clients.credentials(&self.target)).unwrap();
        let address = instance.address.parse().unwrap();
        let password = credentials.password.expose_secret();
        let client = until("a client is let in", PATIENCE, || {
            Client::connect(address, &credentials.username, password, "get").ok()
        });
        client
            .get(QUEUE, count)
            .unwrap()
            .into_iter()
            .map(|got| got.id)
            .collect()
    }

    /// The file system as the server sees it.
    pub(crate) fn data(&self) -> PathBuf {
        let systems = fs::read_dir(self.dir.join("lab/fs")).unwrap().flatten();
        systems.map(|e| e.path()).next().expect("one file system")
    }

    /// Fills the file system up to its last byte on the server's side, or makes the room again.
    pub(crate) fn fill(&self, full: bool) {
        let filler = self.data().join("filler");
        if !full {
            return fs::remove_file(filler).unwrap();
        }
        let mut file = fs::File::create(filler).unwrap();
        let refused = loop {
            if let Err(error) = file.write_all(&[0x5a; 4096]) {
                break error;
            }
        };
        assert_eq!(refused.kind(), io::ErrorKind::StorageFull, "{refused}");
    }

    /// Who wrote, as the server's side of the data says.
    pub(crate) fn audit(&self) -> Audit {
        mqaws_standin::audit(&self.data().join("QM1/data/QM1")).unwrap()
    }

    /// An instance's console.
    pub(crate) fn console(&self, of: &Instance) -> String {
        let path = self.dir.join("lab/log").join(format!("{}.console", of.id));
        fs::read_to_string(path).unwrap_or_default()
    }

    /// How often the kernel of an instance has booted.
    pub(crate) fn boots(&self, of: &Instance) -> usize {
        self.console(of).matches("mmapper_init").count()
    }

    /// Lets a process of an instance write into the queue manager's directory for ever, through the page cache alone: what
    /// a kernel may still send to the server long after the process believed it written.
    pub(crate) fn write_unsynced(&self, on: &Instance, name: &str) {
        let script = format!(
            "cat >/run/stray.py <<'P'\nimport time\nf = open('/mnt/mqaws/QM1/data/{name}', 'wb', buffering=0)\n\
             n = 0\nwhile True:\n    f.write(b'%08d' % n + b'x' * 4088)\n    n += 1\n    time.sleep(0.05)\nP\n\
             systemd-run -q --unit=stray python3 /run/stray.py"
        );
        self.shell(on, &script).unwrap();
        let file = self.data().join("QM1/data").join(name);
        until("the server has the file", PATIENCE, || file.exists().then_some(()));
        until("there are pages that the server has not", PATIENCE, || {
            let dirty = self.shell(
                on,
                "awk '/^(Dirty|Writeback|NFS_Unstable):/ { n += $2 } END { print n }' /proc/meminfo",
            );
            dirty.ok()?.trim().parse::<u64>().ok().filter(|kib| *kib >= 16)
        });
    }

    /// Demands that the epochs of the data are in order: one writer at a time.
    pub(crate) fn one_writer(&self) -> Audit {
        // A write that arrives late lands at its old place: not as another run of records, but as damage in a later one.
        let audit = until("the log has no torn record", PATIENCE, || {
            Some(self.audit()).filter(|audit| audit.torn == 0)
        });
        assert!(!audit.interleaved, "two writers: {audit:?}");
        audit
    }
}
