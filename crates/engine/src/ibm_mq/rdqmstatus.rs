//! What `rdqmstatus` prints; nothing calls this yet: the topology `replicated-dr` will read by it where its data is.
//!
//! `key: value` lines in blocks: this node first, then either its queue managers (without `-m`) or the peers (with `-m`). The
//! command writes it all to standard error when no terminal is there, so both streams are read as one. The layout without HA,
//! for disaster recovery alone, has no public sample with `-m`; its labels are unverified.

use super::status::QueueManagerStatus;

/// A whole report.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// This node.
    pub local: Block,
    /// Blocks that begin with `Queue manager name`, in the summary.
    pub queue_managers: Vec<Block>,
    /// Blocks that begin with `Node`, after the first: the peers.
    pub peers: Vec<Block>,
    /// Lines that are not `key: value`, the trailer of sudo left out.
    pub notes: Vec<String>,
}

/// One block of lines.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Block {
    /// Label and value in order, as printed.
    pub(crate) values: Vec<(String, String)>,
}

/// Role of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Role {
    /// `Primary`
    Primary,
    /// `Secondary`
    Secondary,
    /// Anything else, as printed.
    Other(String),
}

/// Status of replication, for HA and for DR.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Replication {
    /// `Normal`
    Normal,
    /// `Mixed`: not the same towards all peers
    Mixed,
    /// `Remote unavailable`
    RemoteUnavailable,
    /// `Synchronization in progress`
    Synchronizing,
    /// `Inconsistent`
    Inconsistent,
    /// `Partitioned`
    Partitioned,
    /// `Reverting to snapshot`
    RevertingToSnapshot,
    /// `Paused`
    Paused,
    /// `Inactive`: both ends are secondary
    Inactive,
    /// `Unknown`
    Unknown,
    /// `See NODE`: a pointer to the node that knows, no status
    See(String),
    /// Anything else, as printed.
    Other(String),
}

/// Use of a queue manager's own file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileSystemUse {
    /// Bytes used.
    pub used: u64,
    /// Bytes allocated.
    pub allocated: u64,
    /// Per cent used.
    pub percent: u8,
}

impl Role {
    fn parse(text: &str) -> Self {
        match text.to_ascii_lowercase().as_str() {
            "primary" => Self::Primary,
            "secondary" => Self::Secondary,
            _ => Self::Other(text.to_owned()),
        }
    }
}

impl Replication {
    fn parse(text: &str) -> Self {
        match text.to_ascii_lowercase().as_str() {
            "normal" => Self::Normal,
            "mixed" => Self::Mixed,
            "remote unavailable" => Self::RemoteUnavailable,
            "synchronization in progress" => Self::Synchronizing,
            "inconsistent" => Self::Inconsistent,
            "partitioned" => Self::Partitioned,
            "reverting to snapshot" => Self::RevertingToSnapshot,
            "paused" => Self::Paused,
            "inactive" => Self::Inactive,
            "unknown" => Self::Unknown,
            lower if lower.starts_with("see ") => Self::See(text[4..].trim().to_owned()),
            _ => Self::Other(text.to_owned()),
        }
    }
}

impl Block {
    /// The value under that label, in any case.
    pub fn get(&self, label: &str) -> Option<&str> {
        self.values
            .iter()
            .find(|(l, _)| l.eq_ignore_ascii_case(label))
            .map(|(_, v)| v.as_str())
    }

    /// `Node`
    pub fn node(&self) -> Option<&str> {
        self.get("Node")
    }

    /// `Queue manager status`
    pub fn status(&self) -> Option<QueueManagerStatus> {
        self.get("Queue manager status").map(QueueManagerStatus::parse)
    }

    /// `HA role`
    pub fn ha_role(&self) -> Option<Role> {
        self.get("HA role").map(Role::parse)
    }

    /// `HA status`
    pub fn ha_status(&self) -> Option<Replication> {
        self.get("HA status").map(Replication::parse)
    }

    /// `HA out of sync data` in bytes.
    pub fn ha_out_of_sync(&self) -> Option<u64> {
        self.get("HA out of sync data").and_then(size)
    }

    /// `DR role`
    pub fn dr_role(&self) -> Option<Role> {
        self.get("DR role").map(Role::parse)
    }

    /// `DR status`
    pub fn dr_status(&self) -> Option<Replication> {
        self.get("DR status").map(Replication::parse)
    }

    /// `DR remote IP address list`
    pub fn dr_remote_addresses(&self) -> Vec<&str> {
        self.get("DR remote IP address list")
            .map(|list| list.split(',').map(str::trim).filter(|a| !a.is_empty()).collect())
            .unwrap_or_default()
    }

    /// `CPU` in per cent.
    pub fn cpu_percent(&self) -> Option<f64> {
        self.get("CPU")?.strip_suffix('%')?.trim().parse().ok()
    }

    /// `Memory` in bytes.
    pub fn memory(&self) -> Option<u64> {
        self.get("Memory").and_then(size)
    }

    /// `Queue manager file system`
    pub fn file_system(&self) -> Option<FileSystemUse> {
        let text = self.get("Queue manager file system")?;
        let (used, rest) = text.split_once("used,")?;
        let (allocated, rest) = rest.split_once("allocated")?;
        let percent = rest.trim().strip_prefix('[')?.strip_suffix("%]")?;
        Some(FileSystemUse {
            used: size(used)?,
            allocated: size(allocated)?,
            percent: percent.trim().parse().ok()?,
        })
    }
}

/// `182MB`, `2.9GB`, `0KB` in bytes.
fn size(text: &str) -> Option<u64> {
    let text = text.trim();
    let unit = text.find(|c: char| c.is_ascii_alphabetic())?;
    let number: f64 = text[..unit].trim().parse().ok()?;
    let factor = match text[unit..].to_ascii_uppercase().as_str() {
        "B" => 1_u64,
        "KB" => 1 << 10,
        "MB" => 1 << 20,
        "GB" => 1 << 30,
        "TB" => 1 << 40,
        _ => return None,
    };
    (number.is_finite() && number >= 0.0).then_some((number * factor as f64) as u64)
}

impl Report {
    /// Reads a whole output, both streams as one.
    pub fn parse(text: &str) -> Self {
        let mut report = Self::default();
        let mut blocks: Vec<Block> = Vec::new();
        let mut fresh = true;
        // A label alone on its line has its value on the next one.
        let mut waiting: Option<String> = None;
        for line in text.lines() {
            let line = line.trim();
            if line.is_empty() {
                fresh = true;
                continue;
            }
            if line.starts_with("Command '") && line.ends_with("run with sudo.") {
                continue;
            }
            let pair = line
                .split_once(':')
                .map(|(l, v)| (l.trim().to_owned(), v.trim().to_owned()));
            let (label, value) = match (waiting.take(), pair) {
                (Some(label), None) => (label, line.to_owned()),
                (earlier, Some((label, value))) => {
                    if let Some(earlier) = earlier {
                        push(&mut blocks, &mut fresh, earlier, String::new());
                    }
                    if value.is_empty() {
                        waiting = Some(label);
                        continue;
                    }
                    (label, value)
                }
                (None, None) => {
                    report.notes.push(line.to_owned());
                    continue;
                }
            };
            push(&mut blocks, &mut fresh, label, value);
        }
        if let Some(label) = waiting {
            push(&mut blocks, &mut fresh, label, String::new());
        }
        let mut blocks = blocks.into_iter();
        report.local = blocks.next().unwrap_or_default();
        for block in blocks {
            if block.get("Queue manager name").is_some() {
                report.queue_managers.push(block);
            } else {
                report.peers.push(block);
            }
        }
        report
    }
}

fn push(blocks: &mut Vec<Block>, fresh: &mut bool, label: String, value: String) {
    if std::mem::take(fresh) || blocks.is_empty() {
        blocks.push(Block::default());
    }
    if let Some(block) = blocks.last_mut() {
        block.values.push((label, value));
    }
}

/// A line of `rdqmstatus -n`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeState {
    /// Name of the node.
    pub node: String,
    /// Whether it is `online`; any other word is kept in `state`.
    pub online: bool,
    /// The word as printed.
    pub(crate) state: String,
}

/// Reads `rdqmstatus -n`: `Node X is online`.
pub fn parse_nodes(text: &str) -> Vec<NodeState> {
    text.lines()
        .filter_map(|line| line.trim().strip_prefix("Node ")?.split_once(" is "))
        .map(|(node, state)| NodeState {
            node: node.trim().to_owned(),
            online: state.trim().eq_ignore_ascii_case("online"),
            state: state.trim().to_owned(),
        })
        .collect()
}
