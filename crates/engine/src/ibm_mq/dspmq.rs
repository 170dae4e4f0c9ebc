//! What `dspmq` prints: one line a queue manager, and with `-x` or `-g` one more for each instance or group.

use super::{
    fields::{Answer, Fields},
    status::QueueManagerStatus,
};

/// One queue manager with all that was printed of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct QueueManager {
    /// `QMNAME`; absent in an old form of `-o nativeha -g`, which prints groups alone.
    pub name: Option<String>,
    /// `STATUS`, absent with `-o nativeha`.
    pub status: Option<QueueManagerStatus>,
    /// `STANDBY`.
    pub standby: Option<Standby>,
    /// `ROLE` of this instance, Native HA only.
    pub role: Option<Role>,
    /// `INSYNC` of this instance, Native HA only.
    pub in_sync: Option<Answer>,
    /// `QUORUM`, Native HA only.
    pub quorum: Option<Quorum>,
    /// Every field of the line.
    pub fields: Fields,
    /// The lines of instances, `-x`.
    pub instances: Vec<Instance>,
    /// The lines of groups, `-g`.
    pub groups: Vec<Group>,
}

/// Whether a standby instance may run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standby {
    /// `PERMITTED`
    Permitted,
    /// `NOT PERMITTED`
    NotPermitted,
    /// `NOT APPLICABLE`
    NotApplicable,
    /// Anything else, as printed.
    Other(String),
}

/// Role of an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Role {
    /// `Active`
    Active,
    /// `Standby` of a multi-instance queue manager
    Standby,
    /// `Replica` of Native HA
    Replica,
    /// `Leader` of a Native HA recovery group
    Leader,
    /// `Unknown`
    Unknown,
    /// Anything else, as printed.
    Other(String),
}

/// In-sync instances of configured ones, `QUORUM(2/3)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quorum {
    /// Number in sync.
    pub in_sync: u32,
    /// Number configured.
    pub configured: u32,
}

/// One instance of a queue manager.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    /// `INSTANCE`: host name, or the name given to `crtmqm -lr`.
    pub name: String,
    /// `MODE` of a multi-instance queue manager, or `ROLE` of Native HA.
    pub role: Option<Role>,
    /// `INSYNC`: whether it could take over.
    pub in_sync: Option<Answer>,
    /// `CONNACTV`: whether it is connected to the active instance.
    pub connected_to_active: Option<Answer>,
    /// `BACKLOG`: how many KiB of log it is behind; absent when unknown.
    pub backlog_kib: Option<u64>,
    /// Every field of the line.
    pub fields: Fields,
}

/// One Native HA group of a cross-region pair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// `GRPNAME`
    pub name: String,
    /// `GRPROLE`: `Live` or `Recovery`, as printed.
    pub role: Option<String>,
    /// `GRSTATUS`: `Normal`, `Rebasing` and others, as printed.
    pub status: Option<String>,
    /// `BACKLOG` in KiB; absent when unknown.
    pub backlog_kib: Option<u64>,
    /// Every field of the line.
    pub fields: Fields,
}

impl Standby {
    fn parse(text: &str) -> Self {
        match text.to_ascii_uppercase().as_str() {
            "PERMITTED" => Self::Permitted,
            "NOT PERMITTED" => Self::NotPermitted,
            "NOT APPLICABLE" => Self::NotApplicable,
            _ => Self::Other(text.to_owned()),
        }
    }
}

impl Role {
    fn parse(text: &str) -> Self {
        match text.to_ascii_lowercase().as_str() {
            "active" => Self::Active,
            "standby" => Self::Standby,
            "replica" => Self::Replica,
            "leader" => Self::Leader,
            "unknown" => Self::Unknown,
            _ => Self::Other(text.to_owned()),
        }
    }
}

impl Quorum {
    fn parse(text: &str) -> Option<Self> {
        let (in_sync, configured) = text.split_once('/')?;
        Some(Self {
            in_sync: in_sync.trim().parse().ok()?,
            configured: configured.trim().parse().ok()?,
        })
    }
}

impl QueueManager {
    fn from_fields(fields: Fields) -> Self {
        Self {
            name: fields.get("QMNAME").map(str::to_owned),
            status: fields.get("STATUS").map(QueueManagerStatus::parse),
            standby: fields.get("STANDBY").map(Standby::parse),
            role: fields.get("ROLE").map(Role::parse),
            in_sync: fields.get("INSYNC").map(Answer::parse),
            quorum: fields.get("QUORUM").and_then(Quorum::parse),
            fields,
            instances: Vec::new(),
            groups: Vec::new(),
        }
    }

    /// The instance that is active according to this report; that of the active instance itself is definitive, a
    /// replica's may be out of date.
    pub fn active(&self) -> Option<&Instance> {
        self.instances.iter().find(|i| i.role == Some(Role::Active))
    }
}

/// Reads a whole output. Lines that are no field list are passed over.
pub fn parse(text: &str) -> Vec<QueueManager> {
    let mut found: Vec<QueueManager> = Vec::new();
    for line in text.lines() {
        let fields = Fields::parse(line);
        let Some(key) = fields.first_key().map(str::to_ascii_uppercase) else {
            continue;
        };
        match key.as_str() {
            "QMNAME" => found.push(QueueManager::from_fields(fields)),
            "INSTANCE" => last(&mut found).instances.push(instance(fields)),
            "GRPNAME" => last(&mut found).groups.push(group(fields)),
            _ => {}
        }
    }
    found
}

fn last(found: &mut Vec<QueueManager>) -> &mut QueueManager {
    if found.is_empty() {
        found.push(QueueManager::default());
    }
    let end = found.len() - 1;
    &mut found[end]
}

fn instance(fields: Fields) -> Instance {
    Instance {
        name: fields.get("INSTANCE").unwrap_or_default().to_owned(),
        role: fields.get("ROLE").or_else(|| fields.get("MODE")).map(Role::parse),
        in_sync: fields.get("INSYNC").map(Answer::parse),
        connected_to_active: fields.get("CONNACTV").map(Answer::parse),
        backlog_kib: fields.get("BACKLOG").and_then(|b| b.parse().ok()),
        fields,
    }
}

fn group(fields: Fields) -> Group {
    Group {
        name: fields.get("GRPNAME").unwrap_or_default().to_owned(),
        role: fields.get("GRPROLE").map(str::to_owned),
        status: fields.get("GRSTATUS").map(str::to_owned),
        backlog_kib: fields.get("BACKLOG").and_then(|b| b.parse().ok()),
        fields,
    }
}
