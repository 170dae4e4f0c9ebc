//! The shipped agent: runs on the instance. The only program that can reset the machine it runs on.

use mqaws_agent::ports::HostReset;
use std::fs::File;
use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;

/// Stands in the file of the shipped agent, so that `mqaws ami build` knows it and its version without running it.
const MARK: &str = concat!("mqaws-agent for hosts ", env!("CARGO_PKG_VERSION"), "\n");

/// Resets this machine at once, without writing anything back. Holds the kernel's trigger open: at the reset no path is looked
/// up, for which memory could have to be made free on a disk that hangs.
struct Reboot(Option<File>);

impl HostReset for Reboot {
    fn reset(&self, why: &str) {
        // The kernel's shortest way: no driver is asked and no watchdog disarmed before, and nothing is said that could hang.
        if let Some(mut trigger) = self.0.as_ref() {
            let _ = trigger.write_all(b"b");
        }
        // A kernel without that trigger. It returns only when it failed.
        let Err(error) = nix::sys::reboot::reboot(nix::sys::reboot::RebootMode::RB_AUTOBOOT);
        // Without the right to reset, ending this process is what is left: the unit then kills the engine with it.
        let _ = writeln!(std::io::stderr(), "the host was not reset ({why}): {error}");
        std::process::abort();
    }
}

fn main() -> ExitCode {
    // Keeps the mark in the file.
    std::hint::black_box(MARK);
    let trigger = File::options().write(true).open("/proc/sysrq-trigger").ok();
    mqaws_agent::host_main(std::env::args_os().skip(1).collect(), Arc::new(Reboot(trigger)))
}
