//! What all parts of a running queue manager share.

use parking_lot::{Mutex, MutexGuard};
use std::{
    collections::HashMap,
    io,
    net::IpAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

use tokio::sync::watch;

use super::{
    log::{Live, Replayed},
    mqsc,
    network::{Endpoint, Network, Service},
    objects::{Attributes, Kind, Objects},
    queue::{Message, Queue},
    tls::Tls,
    writer::{Job, Writer},
};

/// How far the end of the queue manager has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// It serves.
    Running,
    /// Work under way may end.
    Quiescing,
    /// Only puts under way may end.
    Immediate,
}

/// A running queue manager.
#[derive(Debug)]
pub(crate) struct Broker {
    pub(crate) name: String,
    /// Root of the host, for its accounts.
    pub(crate) root: PathBuf,
    /// The only address to listen on, when the host has one of its own.
    pub(crate) own_address: Option<IpAddr>,
    pub(crate) writer: Writer,
    pub(crate) network: Network,
    pub(crate) phase: watch::Sender<Phase>,
    objects: Mutex<Objects>,
    queues: Mutex<HashMap<String, Arc<Queue>>>,
    /// Messages of the log whose queue is not open yet.
    replayed: Mutex<Live>,
}

impl Broker {
    pub(crate) fn new(
        name: &str,
        root: &Path,
        own_address: Option<IpAddr>,
        objects: Objects,
        replayed: Replayed,
        writer: Writer,
        runtime: tokio::runtime::Handle,
    ) -> Arc<Self> {
        let broker = Arc::new(Self {
            name: name.to_owned(),
            root: root.to_owned(),
            own_address,
            writer,
            network: Network::new(runtime),
            phase: watch::Sender::new(Phase::Running),
            objects: Mutex::new(objects),
            queues: Mutex::new(HashMap::new()),
            replayed: Mutex::new(replayed.live),
        });
        broker.network.belongs_to(&broker);
        mqsc::open_queues(&broker);
        broker
    }

    pub(crate) fn objects(&self) -> MutexGuard<'_, Objects> {
        self.objects.lock()
    }

    pub(crate) fn queue(&self, name: &str) -> Option<Arc<Queue>> {
        self.queues.lock().get(name).cloned()
    }

    /// Opens a queue with these attributes; one that is open keeps its messages.
    pub(crate) fn open_queue(&self, name: &str, attributes: &Attributes) -> Arc<Queue> {
        let depth = attributes.get("MAXDEPTH").and_then(|d| d.parse().ok()).unwrap_or(5000);
        let mut queues = self.queues.lock();
        if let Some(queue) = queues.get(name) {
            queue.set_max_depth(depth);
            return queue.clone();
        }
        let queue = Arc::new(Queue::new(name, depth));
        for (sequence, body) in self.replayed.lock().remove(name).unwrap_or_default() {
            queue.put(Message {
                sequence,
                body,
                persistent: true,
                delivery_count: 1,
            });
        }
        queues.insert(name.to_owned(), queue.clone());
        queue
    }

    /// Deletes a queue with its messages.
    pub(crate) fn delete_queue(&self, queue: &Arc<Queue>) {
        self.queues.lock().remove(&queue.name);
        self.forget(queue, queue.clear_and_delete());
    }

    /// Takes messages out of the log that left a queue without being delivered.
    pub(crate) fn forget(&self, queue: &Arc<Queue>, messages: Vec<Message>) {
        for message in messages.into_iter().filter(|m| m.persistent) {
            self.writer.send(Job::Taken {
                queue: queue.clone(),
                sequence: message.sequence,
            });
        }
    }

    /// A message was delivered: it is gone.
    pub(crate) fn delivered(&self, queue: &Arc<Queue>, message: &Message) {
        if message.persistent {
            self.writer.send(Job::Taken {
                queue: queue.clone(),
                sequence: message.sequence,
            });
        }
        queue.taken();
    }

    /// How long a message of that queue may be.
    pub(crate) fn longest_message(&self, queue: &str) -> u64 {
        self.objects()
            .value(Kind::Queue, queue, "MAXMSGL")
            .and_then(|l| l.parse().ok())
            .unwrap_or(4_194_304)
    }

    /// The dead-letter queue, when there is one.
    pub(crate) fn dead_letter_queue(&self) -> Option<Arc<Queue>> {
        let name = self.objects().queue_manager().1.get("DEADQ").cloned()?;
        self.queue(&name)
    }

    /// Whether the service that owns the AMQP channels was started.
    pub(crate) fn amqp_service_runs(&self) -> bool {
        self.objects()
            .value(Kind::Service, "SYSTEM.AMQP.SERVICE", mqsc::STARTED)
            == Some("YES")
    }

    /// Starts every AMQP channel that was started before its service.
    pub(crate) fn start_amqp_channels(&self) -> io::Result<()> {
        self.start_all(Kind::Channel, Service::Channel, |a| {
            a.get("CHLTYPE").is_some_and(|t| t == "AMQP") && a.get(mqsc::STARTED).is_some_and(|s| s == "YES")
        })
    }

    /// Starts what starts with the queue manager; what cannot be bound is reported and does not keep it from running.
    pub(crate) fn start_services(&self) -> Vec<String> {
        let mut complaints = Vec::new();
        let listeners = self.start_all(Kind::Listener, Service::Listener, |a| {
            a.get("CONTROL").is_some_and(|c| c != "MANUAL")
        });
        complaints.extend(
            listeners
                .err()
                .map(|e| format!("AMQ9218E: a listener did not start: {e}")),
        );
        let mut objects = self.objects();
        let service = objects.get(Kind::Service, "SYSTEM.AMQP.SERVICE").cloned();
        if let Some(mut service) = service {
            let starts = service.get("CONTROL").is_some_and(|c| c != "MANUAL");
            service.insert(mqsc::STARTED.to_owned(), if starts { "YES" } else { "NO" }.to_owned());
            objects.set(Kind::Service, "SYSTEM.AMQP.SERVICE", service);
            drop(objects);
            if starts {
                complaints.extend(
                    self.start_amqp_channels()
                        .err()
                        .map(|e| format!("AMQ9218E: a channel did not start: {e}")),
                );
            }
        }
        complaints
    }

    fn start_all(&self, kind: Kind, service: Service, wanted: impl Fn(&Attributes) -> bool) -> io::Result<()> {
        let found: Vec<(String, Attributes)> = self
            .objects()
            .of(kind)
            .filter(|(_, attributes)| wanted(attributes))
            .map(|(name, attributes)| (name.to_owned(), attributes.clone()))
            .collect();
        for (name, attributes) in found {
            let mut endpoint = Endpoint::of(service, &name, &attributes, self.own_address).map_err(io::Error::other)?;
            endpoint.tls = Tls::of(&attributes, &self.objects());
            self.network.start(self, &endpoint)?;
        }
        Ok(())
    }
}
