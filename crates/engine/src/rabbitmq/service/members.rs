//! Members of quorum queues that a node keeps and does not know any more.
//!
//! A node notes the name of a new member in a file of its own that it saves half a second after the last use of it, or later. A kill before
//! that leaves the member's directory, with messages that were confirmed, and no name for it: the next start makes an empty member in its
//! place, which never elects a leader. No further start helps, so the name is put back before the node runs. A node that has started without the
//! name has saved the file since: then nothing tells a member that was lost from one that was deleted, and it is left alone.

use super::{COMMAND, Service};
use crate::rabbitmq::places::NODE;
use crate::rabbitmq::settings;
use crate::service::EngineFailure;
use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::io;
use std::path::Path;

/// The node's file of the names of its members.
const NAMES: &str = "names.dets";
/// What a member's directory holds from its creation on.
const CONFIG: &str = "config";

impl Service {
    /// Gives members without a name theirs back. The node must not run.
    ///
    /// # Errors
    /// [`EngineFailure`], when that cannot be learned or tried. Where it was tried in vain the node says best what is wrong with its files.
    pub(super) fn name_members(&self) -> Result<(), EngineFailure> {
        let members = self.base().join(NODE).join("quorum").join(NODE);
        if !has_nameless(&members).map_err(|error| EngineFailure::transient(&error))? {
            return Ok(());
        }
        let command = settings::name_members(&self.places, &self.queue_manager, &members).deadline(COMMAND);
        let output = self.run(&command)?;
        for line in output.text.lines() {
            if let Some(member) = line.strip_prefix("named ") {
                tracing::warn!(member, "a member of a quorum queue has its name again");
            } else if let Some(why) = line.strip_prefix("left ") {
                tracing::warn!(why, "a member of a quorum queue stays without a name");
            }
        }
        if output.code != 0 {
            let last = output.text.lines().rfind(|line| !line.trim().is_empty());
            let said = last.unwrap_or_default();
            tracing::error!(
                code = output.code,
                said,
                "the names of members of quorum queues are not restored"
            );
        }
        Ok(())
    }
}

/// Whether there are directories of members that the file of names does not contain.
fn has_nameless(members: &Path) -> io::Result<bool> {
    let names = match fs::read(members.join(NAMES)) {
        Ok(names) => names,
        // A node that has not run yet has no members.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    // All are of the same length or nearly so, and there may be tens of thousands.
    let mut parts: BTreeMap<usize, HashSet<&[u8]>> = BTreeMap::new();
    for entry in fs::read_dir(members)? {
        let entry = entry?;
        let Ok(member) = entry.file_name().into_string() else {
            continue;
        };
        let of_length = parts.entry(member.len());
        let known = of_length.or_insert_with_key(|length| names.windows(*length).collect());
        if !known.contains(member.as_bytes()) && entry.path().join(CONFIG).is_file() {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_whose_name_was_not_saved_is_found_and_no_other() {
        let node = tempfile::tempdir().expect("a directory");
        let found = || has_nameless(node.path()).expect("read");
        let add = |member: &str, file: &str| {
            fs::create_dir(node.path().join(member)).expect("made");
            fs::write(node.path().join(member).join(file), "").expect("written");
        };
        add("2F_ORDNAMED", CONFIG);
        add("2F_ORDEMPTY", "other");
        assert!(!found(), "nothing is judged without the file");
        fs::write(node.path().join(NAMES), b"\x83m\0\0\0\x0b2F_ORDNAMED\0").expect("written");
        assert!(!found());
        add("2F_ORDLOST", CONFIG);
        assert!(found());
    }
}
