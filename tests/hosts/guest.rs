//! The rig's hands on a guest: `guest.sh`.

use crate::rig::scripts;
use std::process::Command;

/// A verb of the rig on a guest: `cut`, `freeze`, `thaw`, `unplug`, `plug`.
pub(crate) fn rig(verb: &str, id: &str, zone: &str) {
    let done = Command::new(scripts().join("guest.sh"))
        .args([verb, id, zone])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{verb} {id}: {said}");
}

/// A verb of the rig's network on a zone: `cut`, `join`.
pub(crate) fn zone(verb: &str, zone: &str) {
    let rig = std::env::var("MQAWS_RIG").expect("inside a rig");
    let done = Command::new(scripts().join("rig.sh"))
        .args([verb, &rig, zone])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{verb} {zone}: {said}");
}

/// Runs a script in a guest as root; its output.
pub(crate) fn shell(id: &str, address: &str, script: &str) -> Result<String, String> {
    let done = Command::new("timeout")
        .arg("30")
        .arg(scripts().join("guest.sh"))
        .args(["shell", id, address, script])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    match done.status.success() {
        true => Ok(said),
        false => Err(format!(
            "{}: {said}{}",
            done.status,
            String::from_utf8_lossy(&done.stderr)
        )),
    }
}
