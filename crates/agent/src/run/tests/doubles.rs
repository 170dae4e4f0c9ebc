//! Doubles of the world: lock server, engine, AWS, metadata, mount, accounts, keepers as threads.

use super::super::*;
use crate::agent::keeper::protocol::KeeperConfig;
use crate::agent::keeper::{self, KeeperPorts};
use crate::agent::ports::{
    Accounts, CertificateError, Cloud, Engine, HookError, HostReset, Identity, Init, KeeperSpawner, LockPlace,
    Measures, Metadata, Mounter, SignalResult,
};
use crate::fence::{CloudState, CreateWord, DataState, Lock, LockError};
use crate::model::InstanceId;
use crate::model::agent::ProbeReport;
use crate::signed::Datum;
use mqaws_engine::certificate::Certificate;
use mqaws_engine::ibm_mq::IbmMq;
use mqaws_engine::processes::Processes;
use mqaws_engine::{EngineFailure, EngineInfo, FailureKind, Health, Product};
use secrecy::SecretString;
use std::net::IpAddr;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicUsize};

pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// A lock server in memory: the token of the holder and its instance.
pub(super) type Server = Arc<Mutex<Option<(String, String)>>>;

pub(super) struct MemoryLock {
    pub(in crate::run) server: Server,
    pub(in crate::run) token: String,
    pub(in crate::run) instance: String,
}

impl Lock for MemoryLock {
    fn acquire(&mut self) -> Result<(), LockError> {
        let mut holder = self.server.lock().expect("server");
        match holder.as_ref() {
            Some((token, instance)) if *token != self.token => Err(LockError::Busy {
                holder: instance.clone(),
            }),
            _ => {
                *holder = Some((self.token.clone(), self.instance.clone()));
                Ok(())
            }
        }
    }

    fn renew(&mut self) -> Result<(), LockError> {
        match self.server.lock().expect("server").as_ref() {
            Some((token, _)) if *token == self.token => Ok(()),
            _ => Err(LockError::Lost("expired".into())),
        }
    }

    fn release(&mut self) -> Result<(), LockError> {
        let mut holder = self.server.lock().expect("server");
        if holder.as_ref().is_some_and(|(token, _)| *token == self.token) {
            *holder = None;
        }
        Ok(())
    }

    fn lease(&self) -> Duration {
        Duration::from_secs(2)
    }
}

/// An engine that is one sleeping process.
#[derive(Default)]
pub(super) struct Sleeper {
    pub(in crate::run) child: Mutex<Option<Child>>,
    /// Starts that fail before one succeeds.
    pub(in crate::run) failures: AtomicUsize,
    /// Labels of the certificates that it was given, and of the one that it has defined.
    pub(in crate::run) given: Mutex<Vec<String>>,
    pub(in crate::run) shown: Mutex<Option<String>>,
    nobody: OnceLock<Processes>,
}

impl Sleeper {
    pub(super) fn pid(&self) -> Option<i32> {
        let mut child = self.child.lock().expect("child");
        let child = child.as_mut()?;
        matches!(child.try_wait(), Ok(None)).then(|| child.id() as i32)
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        let _ = self.kill();
    }
}

impl Engine for Sleeper {
    fn product(&self) -> &'static dyn Product {
        &IbmMq
    }
    fn host(&self) -> &Processes {
        let new = || Processes::new(&IbmMq, "QMNONE", Some(("MQAWS_TEST_MARK", "nobody")));
        self.nobody.get_or_init(new)
    }
    fn end_immediately(&self) -> Result<&'static str, String> {
        self.end(Duration::ZERO).map(|()| "kill")
    }
    fn probe_define(&self) -> Result<ProbeReport, String> {
        Err("a sleeper has no queues".to_owned())
    }
    fn probe_depth(&self) -> Result<ProbeReport, String> {
        self.probe_define()
    }
    fn probe_delete(&self) -> Result<ProbeReport, String> {
        self.probe_define()
    }
    fn found(&self) -> std::io::Result<(Option<i32>, usize)> {
        Ok((self.controller()?, self.processes()?))
    }
    fn adopt(&self, data: DataState) -> Result<EngineInfo, EngineFailure> {
        Ok(EngineInfo {
            version: "sleeper 1".into(),
            stand_in: true,
            how: format!("{data:?}"),
        })
    }
    fn info(&self) -> Result<EngineInfo, EngineFailure> {
        self.adopt(DataState::Present)
    }
    fn start(&self, _epoch: u64, _address: IpAddr) -> Result<i32, EngineFailure> {
        if self.failures.load(Ordering::SeqCst) > 0 {
            self.failures.fetch_sub(1, Ordering::SeqCst);
            return Err(EngineFailure {
                kind: FailureKind::Transient,
                text: "not yet".into(),
            });
        }
        let child = Command::new("sleep")
            .arg("600")
            .stdin(Stdio::null())
            .spawn()
            .expect("sleep");
        let pid = child.id() as i32;
        *self.child.lock().expect("child") = Some(child);
        Ok(pid)
    }
    fn install(&self, certificate: &Certificate) -> Result<bool, EngineFailure> {
        if certificate.label() == "unusable" {
            return Err(EngineFailure {
                kind: FailureKind::Shared,
                text: "unusable".into(),
            });
        }
        let mut given = self.given.lock().expect("given");
        let changed = given.last().is_none_or(|last| last != certificate.label());
        given.push(certificate.label().to_owned());
        Ok(changed)
    }
    fn define(&self, _address: IpAddr) -> Result<(), EngineFailure> {
        *self.shown.lock().expect("shown") = self.given.lock().expect("given").last().cloned();
        Ok(())
    }
    fn accept(&self, _address: IpAddr, _stale: &dyn Fn() -> bool) -> Result<(), EngineFailure> {
        Ok(())
    }
    fn check(&self, _address: IpAddr) -> Health {
        Health::Well
    }
    fn end(&self, _target: Duration) -> Result<(), String> {
        self.kill().map(|_| ()).map_err(|e| e.to_string())
    }
    fn controller(&self) -> std::io::Result<Option<i32>> {
        Ok(self.pid())
    }
    fn processes(&self) -> std::io::Result<usize> {
        Ok(usize::from(self.pid().is_some()))
    }
    fn kill(&self) -> std::io::Result<usize> {
        if let Some(mut child) = self.child.lock().expect("child").take() {
            child.kill()?;
            child.wait()?;
        }
        Ok(0)
    }
    fn measure(&self) -> Measures {
        Measures::default()
    }
}

impl HostReset for Sleeper {
    fn reset(&self, _why: &str) {
        self.kill().expect("kill");
    }
}

/// AWS, metadata, mount and accounts of one host; keeps what it was told.
pub(super) struct World {
    pub(in crate::run) instance: InstanceId,
    pub(in crate::run) lifecycle: Mutex<String>,
    pub(in crate::run) previous: Mutex<CloudState>,
    /// EC2's API does not answer.
    pub(in crate::run) silent: AtomicBool,
    /// The metadata service does not answer.
    pub(in crate::run) nameless: AtomicBool,
    pub(in crate::run) calls: Mutex<Vec<String>>,
    /// Label of the certificate in its secret; without one Secrets Manager does not answer.
    pub(in crate::run) certificate: Mutex<Option<&'static str>>,
}

impl World {
    fn note(&self, call: &str) {
        self.calls.lock().expect("calls").push(call.to_owned());
    }
}

impl Cloud for World {
    fn state_of(&self, instance: &InstanceId, _me: &InstanceId) -> Result<CloudState, String> {
        self.note(&format!("describe {instance}"));
        if self.silent.load(Ordering::SeqCst) {
            return Err("no answer".into());
        }
        Ok(self.previous.lock().expect("previous").clone())
    }
    fn terminate(&self, instance: &InstanceId) -> Result<(), String> {
        self.note(&format!("terminate {instance}"));
        *self.previous.lock().expect("previous") = CloudState::Terminated;
        Ok(())
    }
    fn use_create_word(&self, _me: &InstanceId) -> Result<CreateWord, String> {
        Ok(CreateWord::Given)
    }
    fn spend_create_word(&self, _me: &InstanceId) -> Result<(), String> {
        Ok(())
    }
    fn signal(&self, _me: &InstanceId, success: bool) -> Result<SignalResult, String> {
        self.note(&format!("signal {success}"));
        Ok(SignalResult::NotWaiting)
    }
    fn report_unhealthy(&self, _me: &InstanceId) -> Result<(), String> {
        self.note("unhealthy");
        Ok(())
    }
    fn complete_hook(&self, _me: &InstanceId) -> Result<(), HookError> {
        self.note("hook");
        Ok(())
    }
    fn credentials(&self) -> Result<(String, SecretString), String> {
        Ok(("mqapp".into(), SecretString::from("secret")))
    }
    fn certificate(&self) -> Result<Certificate, CertificateError> {
        self.note("certificate");
        let Some(label) = *self.certificate.lock().expect("certificate") else {
            return Err(CertificateError::Unanswered("Secrets Manager does not answer".into()));
        };
        let text = format!(r#"{{"pkcs12": "MAo=", "password": "open", "label": "{label}"}}"#);
        Certificate::parse(&text.into(), "QM1").map_err(CertificateError::Unusable)
    }
    fn put_metrics(&self, _data: &[Datum]) -> Result<(), String> {
        Ok(())
    }
}

impl Metadata for World {
    fn identity(&self) -> Result<Identity, String> {
        if self.nameless.load(Ordering::SeqCst) {
            return Err("no metadata service".into());
        }
        Ok(Identity {
            instance: self.instance.clone(),
            zone: "eu-west-1a".into(),
            address: [127, 0, 0, 1].into(),
            boot: "boot".parse().expect("an id"),
            lifecycle: self.lifecycle()?,
        })
    }
    fn lifecycle(&self) -> Result<Option<String>, String> {
        Ok(Some(self.lifecycle.lock().expect("lifecycle").clone()))
    }
    fn tag(&self, _name: &str) -> Result<Option<String>, String> {
        Ok(None)
    }
}

impl Mounter for World {
    fn mount(&self) -> Result<LockPlace, String> {
        Ok(LockPlace::Lease {
            address: ([127, 0, 0, 1], 9).into(),
            lease_ms: 2000,
        })
    }
}

struct NoInit;

impl Init for NoInit {
    fn alive(&self, _state: &str) {}
}

impl Init for World {
    fn alive(&self, _state: &str) {}
}

impl Accounts for World {
    fn set(&self, user: &str, _password: &SecretString) -> Result<(), String> {
        self.note(&format!("account {user}"));
        Ok(())
    }
}

/// Starts keepers as threads of the test.
pub(super) struct Keepers {
    pub(in crate::run) server: Server,
    pub(in crate::run) engine: Arc<Sleeper>,
    pub(in crate::run) started: AtomicUsize,
    pub(in crate::run) terminate: Arc<AtomicBool>,
}

impl KeeperSpawner for Keepers {
    fn spawn(&self, config: &str) -> std::io::Result<()> {
        let config: KeeperConfig = serde_json::from_str(config)?;
        let number = self.started.fetch_add(1, Ordering::SeqCst);
        let token = format!("{}-{number}", config.instance);
        let ports = KeeperPorts {
            lock: Box::new(MemoryLock {
                server: self.server.clone(),
                token: token.clone(),
                instance: config.instance.to_string(),
            }),
            reset: self.engine.clone(),
            init: Arc::new(NoInit),
            engine: Processes::new(
                &mqaws_engine::ibm_mq::IbmMq,
                "QMNONE",
                Some(("MQAWS_TEST_MARK", "nobody")),
            ),
            times: crate::fence::LeaseTimes::default(),
            terminate: self.terminate.clone(),
        };
        spawn("test-keeper", move || {
            keeper::run(config, token, ports).expect("keeper");
        })
    }
}
