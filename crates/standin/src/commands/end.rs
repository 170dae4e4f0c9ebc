//! `endmqm`.

use std::{io, time::Duration};

use rustix::{
    event::{PollFd, PollFlags, poll},
    process::{Pid, PidfdFlags},
};

use super::{Outcome, flags::Flags, print};
use crate::standin::{
    home::Home,
    lock,
    qmgr::control::{self, Mode, Reply, Request},
};

const MODES: &[&str] = &["-c", "-w", "-i", "-p"];

pub(super) fn end(home: &Home, args: &[String]) -> Outcome {
    let usage = |what: &str| {
        Outcome::new(
            36,
            format!("AMQ7001E: `{what}`: usage: endmqm [-z] [-c | -w | -i | -p] [-s | -r] [-t s | -tp s] [-x] name"),
        )
    };
    let flags = match Flags::parse(args, &["-t", "-tp"], &["-c", "-w", "-i", "-p", "-s", "-r", "-x", "-z"]) {
        Ok(flags) => flags,
        Err(word) => return usage(&word),
    };
    let exclusive: [&[&str]; 3] = [MODES, &["-s", "-r"], &["-t", "-tp"]];
    if let Some(group) = exclusive.iter().find(|g| flags.count(g) > 1) {
        return usage(&group.join(" "));
    }
    if let Some(flag) = ["-t", "-tp"]
        .iter()
        .find(|f| flags.value(f).is_some_and(|v| v.parse::<u32>().is_err()))
    {
        return usage(flag);
    }
    let Some(name) = flags.name() else { return usage("name") };
    if flags.has("-x") || flags.has("-s") {
        return Outcome::new(71, "AMQ7001E: the stand-in has no standby instances");
    }
    match ask_to_end(home, name, &flags) {
        Ok(outcome) => outcome,
        Err(error) => Outcome::unexpected(&error),
    }
}

fn ask_to_end(home: &Home, name: &str, flags: &Flags) -> io::Result<Outcome> {
    let Some(known) = home.find(name)? else {
        return Ok(Outcome::not_found());
    };
    let not_available = || Outcome::new(40, "AMQ8146E: IBM MQ queue manager not available.");
    match lock::holder(&known.data_path)? {
        Some(holder) if holder.host == home.host() => {}
        _ => return Ok(not_available()),
    }
    let mode = match MODES.iter().find(|m| flags.has(m)) {
        Some(&"-i") => Mode::Immediate,
        Some(&"-p") => Mode::Preemptive,
        _ => Mode::Controlled,
    };
    let Reply::Ending { pid } = (match control::ask(&home.local(name), &Request::End { mode }) {
        Ok(reply) => reply,
        // It ended between the question and the answer.
        Err(_) if lock::holder(&known.data_path)?.is_none() => return Ok(not_available()),
        Err(error) => return Err(error),
    }) else {
        return Err(io::ErrorKind::InvalidData.into());
    };
    if mode == Mode::Controlled {
        print("Quiesce request accepted. The queue manager will stop when all outstanding work is complete.\n");
        if !flags.has("-w") && !flags.has("-t") && !flags.has("-tp") {
            return Ok(Outcome::new(0, ""));
        }
    }
    print(&format!(
        "Waiting for queue manager '{name}' to end.\nIBM MQ queue manager '{name}' ending.\n"
    ));
    wait_for(pid)?;
    Ok(Outcome::new(0, format!("IBM MQ queue manager '{name}' ended.")))
}

/// Waits until a process is gone.
fn wait_for(pid: u32) -> io::Result<()> {
    let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) else {
        return Ok(());
    };
    let process = match rustix::process::pidfd_open(pid, PidfdFlags::empty()) {
        Ok(process) => process,
        Err(rustix::io::Errno::SRCH) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    loop {
        match poll(&mut [PollFd::new(&process, PollFlags::IN)], None) {
            Ok(_) => return Ok(()),
            Err(rustix::io::Errno::INTR) => std::thread::sleep(Duration::from_millis(1)),
            Err(error) => return Err(error.into()),
        }
    }
}
