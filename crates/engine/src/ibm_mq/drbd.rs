//! What `drbdadm status` prints, and the kernel's word on a lost quorum; nothing calls this yet: the topology `replicated-dr` will see by it
//! whether its copies are in step.

/// One DRBD resource.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Resource {
    /// Name of the resource.
    pub name: String,
    /// Role of this node.
    pub role: Option<DrbdRole>,
    /// State of this node's disk.
    pub disk: Option<Disk>,
    /// The other nodes.
    pub peers: Vec<Peer>,
    /// Every `key:value` of this node, `role` and `disk` among them.
    pub(crate) values: Vec<(String, String)>,
}

/// Another node of a resource.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Peer {
    /// Host name.
    pub name: String,
    /// Its role.
    pub role: Option<DrbdRole>,
    /// State of its disk.
    pub disk: Option<Disk>,
    /// `replication`, such as `SyncSource`, as printed; absent when established.
    pub replication: Option<String>,
    /// `done`: per cent synchronised.
    pub done_percent: Option<f64>,
    /// Every `key:value` of the peer.
    pub(crate) values: Vec<(String, String)>,
}

/// Role of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DrbdRole {
    /// `Primary`
    Primary,
    /// `Secondary`
    Secondary,
    /// Anything else, as printed.
    Other(String),
}

/// State of a disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Disk {
    /// `UpToDate`
    UpToDate,
    /// `Inconsistent`: cannot take over
    Inconsistent,
    /// Anything else, as printed.
    Other(String),
}

impl DrbdRole {
    fn parse(text: &str) -> Self {
        match text.to_ascii_lowercase().as_str() {
            "primary" => Self::Primary,
            "secondary" => Self::Secondary,
            _ => Self::Other(text.to_owned()),
        }
    }
}

impl Disk {
    fn parse(text: &str) -> Self {
        match text.to_ascii_lowercase().as_str() {
            "uptodate" => Self::UpToDate,
            "inconsistent" => Self::Inconsistent,
            _ => Self::Other(text.to_owned()),
        }
    }
}

/// Reads a whole output. A line at the margin is a resource, an indented one with a bare name a peer, every other indented
/// one says more of the node above it.
pub fn parse(text: &str) -> Vec<Resource> {
    let mut found: Vec<Resource> = Vec::new();
    for line in text.lines() {
        let mut words = line.split_whitespace().peekable();
        let Some(first) = words.peek().copied() else { continue };
        let name = if first.contains(':') { None } else { words.next() };
        let values: Vec<(String, String)> = words
            .filter_map(|word| word.split_once(':'))
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect();
        let margin = !line.starts_with(char::is_whitespace);
        match (name, margin) {
            (Some(name), true) => found.push(Resource {
                name: name.to_owned(),
                ..Resource::default()
            }),
            (Some(name), false) => {
                if let Some(resource) = found.last_mut() {
                    resource.peers.push(Peer {
                        name: name.to_owned(),
                        ..Peer::default()
                    });
                }
            }
            (None, _) => {}
        }
        let Some(resource) = found.last_mut() else { continue };
        for (key, value) in values {
            match resource.peers.last_mut() {
                Some(peer) => peer.set(key, value),
                None => resource.set(key, value),
            }
        }
    }
    found
}

impl Resource {
    fn set(&mut self, key: String, value: String) {
        match key.as_str() {
            "role" => self.role = Some(DrbdRole::parse(&value)),
            "disk" => self.disk = Some(Disk::parse(&value)),
            _ => {}
        }
        self.values.push((key, value));
    }
}

impl Peer {
    fn set(&mut self, key: String, value: String) {
        match key.as_str() {
            "role" => self.role = Some(DrbdRole::parse(&value)),
            "peer-disk" => self.disk = Some(Disk::parse(&value)),
            "replication" => self.replication = Some(value.clone()),
            "done" => self.done_percent = value.parse().ok(),
            _ => {}
        }
        self.values.push((key, value));
    }
}

/// A change of quorum in the kernel's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuorumChange {
    /// Name of the resource.
    pub resource: String,
    /// Whether there is quorum now. Without it DRBD answers I/O with errors and the queue manager stops.
    pub quorum: bool,
}

/// Reads one line of the kernel's log; absent when it is about something else.
pub fn quorum_change(line: &str) -> Option<QuorumChange> {
    let (before, after) = line.split_once("quorum(")?;
    let (change, _) = after.split_once(')')?;
    let (_, now) = change.split_once("->")?;
    let quorum = match now.trim() {
        "yes" => true,
        "no" => false,
        _ => return None,
    };
    let resource = before.split_whitespace().find(|w| w.contains('/'))?.split('/').next()?;
    Some(QuorumChange {
        resource: resource.to_owned(),
        quorum,
    })
}
