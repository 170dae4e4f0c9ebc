//! Starts the keeper as the main process of its own unit.
//!
//! systemd, and not the agent, is its parent: it outlives the agent, and what it starts dies with it.

use super::programs::Programs;
use crate::agent::layout::Layout;
use crate::agent::ports::KeeperSpawner;
use crate::remedy::chain;
use mqaws_files::AtomicWrite;
use std::io;
use std::time::Duration;

/// The unit of keeper and engine.
pub(crate) const UNIT: &str = "mqaws-engine.service";
/// Longest wait for systemd; the end of an old engine's unit may be part of it.
const START: Duration = Duration::from_secs(90);

/// The keeper's unit on this host.
#[derive(Debug, Clone)]
pub(crate) struct KeeperUnit {
    layout: Layout,
    programs: Programs,
}

impl KeeperUnit {
    /// The unit, with its configuration below this root.
    pub(crate) fn new(layout: Layout, programs: Programs) -> Self {
        Self { layout, programs }
    }
}

impl KeeperSpawner for KeeperUnit {
    fn spawn(&self, config: &str) -> io::Result<()> {
        std::fs::create_dir_all(self.layout.run())?;
        AtomicWrite::to(&self.layout.keeper_config())
            .mode(0o600)
            .write(config.as_bytes())?;
        let start = self.programs.command("systemctl", &["start", UNIT], START);
        self.programs
            .must(&start)
            .map(drop)
            .map_err(|e| io::Error::other(chain(&e)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn the_unit_finds_its_configuration_when_it_starts() {
        let dir = tempfile::tempdir().expect("tempdir");
        let layout = Layout::new(dir.path());
        let double = dir.path().join("systemctl");
        let body = format!(
            "echo \"$@\" > $0.args; cp {} $0.config",
            layout.keeper_config().display()
        );
        fs::write(&double, format!("#!/bin/sh\n{body}\n")).expect("double");
        fs::set_permissions(&double, fs::Permissions::from_mode(0o755)).expect("mode");
        let unit = KeeperUnit::new(layout.clone(), Programs::in_directory(dir.path()));
        unit.spawn("{\"a\":1}").expect("start");
        let read = |name: &str| fs::read_to_string(dir.path().join(name)).expect("kept");
        assert_eq!(read("systemctl.args"), "start mqaws-engine.service\n");
        assert_eq!(read("systemctl.config"), "{\"a\":1}");
        let mode = fs::metadata(layout.keeper_config()).expect("file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);

        fs::write(
            &double,
            "#!/bin/sh\necho 'Unit mqaws-engine.service not found.' >&2; exit 5\n",
        )
        .expect("double");
        let error = unit.spawn("{}").expect_err("no unit").to_string();
        assert!(
            error.contains("exited with 5") && error.contains("not found"),
            "{error}"
        );
    }
}
