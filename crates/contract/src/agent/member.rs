//! A member of a cluster, which keeps a copy of the data of its own: what its host is told of it, and what its agent tells.

use serde::{Deserialize, Serialize};

crate::checked!(
    /// Name of a member in its cluster; it stays, whatever instance sits on the member.
    MemberName, "member name", "1 to 15 lower-case letters and digits, the first one a letter", "a", "^[a-z][a-z0-9]{0,14}$",
    |text| {
        let mut bytes = text.bytes();
        let first = bytes.next().is_some_and(|byte| byte.is_ascii_lowercase());
        first && text.len() <= 15 && bytes.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    }
);

/// The tag of a volume that says of which queue manager's cluster a new member may begin on it, once: the word `join`. Its value is written as
/// [`tag_of`](super::tag_of) does, and [`CREATED_TAG`](super::CREATED_TAG) says that it is used up.
pub const JOIN_TAG: &str = "mqaws:join";

/// TCP port on which the agents of a cluster speak to each other; open among its members alone.
pub const PEER_PORT: u16 = 9416;

/// The member that a host sits on, in the agent's configuration; absent where members share their data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberConfig {
    /// Its name.
    pub name: MemberName,
    /// EBS volume id of its data.
    pub volume: String,
    /// Id of the network interface that it keeps, whose address is the member's.
    pub interface: String,
    /// All members of the cluster, this one included, in the order of their zones.
    pub members: Vec<MemberAddress>,
    /// ARN of the secret that the members share, `{"key":"…"}`: what proves to one that another is a member.
    pub secret: String,
}

/// Where a member is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberAddress {
    /// Its name.
    pub name: MemberName,
    /// Its fixed IP address.
    pub address: String,
}

/// How a member is, by its agent; what its engine was asked is absent while it does not answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberStatus {
    /// Its name.
    pub name: MemberName,
    /// EBS volume id of its data.
    pub volume: String,
    /// The members that its engine sees run, itself included; empty when it was not asked.
    #[serde(default)]
    pub online: Vec<MemberName>,
    /// The members that its engine counts to the cluster, running or not; empty when it was not asked.
    #[serde(default)]
    pub counted: Vec<MemberName>,
    /// Whether its copy of the data has caught up with the others'.
    #[serde(default)]
    pub in_sync: Option<bool>,
    /// Replicated queues that it leads.
    #[serde(default)]
    pub led: Option<u64>,
    /// Replicated queues that it follows.
    #[serde(default)]
    pub followed: Option<u64>,
    /// Alarms of its engine, in the engine's words.
    #[serde(default)]
    pub alarms: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_members_name_can_be_that_of_a_host() {
        for name in ["a", "b2", "abcdefghijklmno"] {
            assert_eq!(MemberName::new(name).map(String::from).as_deref(), Ok(name));
        }
        for name in ["", "A", "1", "a-b", "a.b", "ä", "abcdefghijklmnop"] {
            MemberName::new(name).expect_err(name);
        }
    }
}
