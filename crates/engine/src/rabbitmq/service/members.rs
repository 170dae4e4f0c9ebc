//! Members of quorum queues that a node keeps and does not know any more.
//!
//! A node notes the name of a new member in a file of its own that it saves half a second after the last use of it, or later. A kill before
//! that leaves the member's directory, with messages that were confirmed, and no name for it: the next start makes an empty member in its
//! place, which never elects a leader. No further start helps, so the name is put back before the node runs.

use super::{COMMAND, Service, first_line, transient};
use crate::rabbitmq::places::NODE;
use crate::rabbitmq::settings;
use crate::service::EngineFailure;
use std::fs;
use std::io;
use std::path::Path;

/// The node's file of the names of its members.
const NAMES: &str = "names.dets";
/// What a member's directory holds from its creation on.
const CONFIG: &str = "config";

impl Service {
    /// Gives members without a name theirs back. The node must not run.
    pub(super) fn name_members(&self) -> Result<(), EngineFailure> {
        let members = self.base().join(NODE).join("quorum").join(NODE);
        let nameless = nameless(&members).map_err(|error| EngineFailure::transient(&error))?;
        if nameless.is_empty() {
            return Ok(());
        }
        let command = settings::name_members(&self.places, &members, &nameless).deadline(COMMAND);
        let output = self.run(&command)?;
        match output.code {
            0 => {
                tracing::warn!(members = ?nameless, said = %output.text.trim(), "named members of quorum queues again");
                Ok(())
            }
            code => Err(transient(format!(
                "the names of members of quorum queues in {} cannot be restored: erl exit {code}: {}",
                members.display(),
                first_line(&output.text)
            ))),
        }
    }
}

/// Directories of members that the file of names does not contain.
fn nameless(members: &Path) -> io::Result<Vec<String>> {
    let names = match fs::read(members.join(NAMES)) {
        Ok(names) => names,
        // A node that has not run yet has no members.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut nameless = Vec::new();
    for entry in fs::read_dir(members)? {
        let entry = entry?;
        let Ok(member) = entry.file_name().into_string() else {
            continue;
        };
        let is_named = names.windows(member.len()).any(|part| part == member.as_bytes());
        if !is_named && entry.path().join(CONFIG).is_file() {
            nameless.push(member);
        }
    }
    nameless.sort();
    Ok(nameless)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_whose_name_was_not_saved_is_found_and_no_other() {
        let node = tempfile::tempdir().expect("a directory");
        assert_eq!(nameless(node.path()).expect("read"), Vec::<String>::new());
        for (member, file) in [
            ("2F_ORDNAMED", CONFIG),
            ("2F_ORDLOST", CONFIG),
            ("2F_ORDEMPTY", "other"),
        ] {
            fs::create_dir(node.path().join(member)).expect("made");
            fs::write(node.path().join(member).join(file), "").expect("written");
        }
        assert!(
            nameless(node.path()).expect("read").is_empty(),
            "nothing is judged without the file"
        );
        fs::write(node.path().join(NAMES), b"\x83m\0\0\0\x0b2F_ORDNAMED\0").expect("written");
        assert_eq!(nameless(node.path()).expect("read"), ["2F_ORDLOST"]);
    }
}
