//! `strmqm`.

use std::{
    io::{self, BufRead, BufReader},
    os::unix::process::CommandExt,
    path::Path,
    process::{Command, Stdio},
};

use super::{Outcome, create::CREATING, flags::Flags, print};
use crate::{
    engine::ibm_mq::{StartExit, stanza},
    standin::{VERSION, home::Home, lock, qmgr::Report},
};

fn code(exit: StartExit) -> u8 {
    u8::try_from(exit.code()).unwrap_or(71)
}

pub(super) fn start(home: &Home, args: &[String]) -> Outcome {
    let usage = |what: &str| {
        Outcome::new(
            code(StartExit::InvalidParameter),
            format!("AMQ7001E: `{what}`: usage: strmqm [-c | -ns] [-x] [-z] name"),
        )
    };
    let flags = match Flags::parse(args, &[], &["-x", "-ns", "-c", "-z"]) {
        Ok(flags) => flags,
        Err(word) => return usage(&word),
    };
    let Some(name) = flags.name() else { return usage("name") };
    match start_controller(home, name, &flags) {
        Ok(outcome) => outcome,
        Err(error) => Outcome::unexpected(&error),
    }
}

fn start_controller(home: &Home, name: &str, flags: &Flags) -> io::Result<Outcome> {
    let Some(known) = home.find(name)? else {
        return Ok(Outcome::not_found());
    };
    if !known.data_path.is_dir() {
        let text = format!(
            "AMQ6109S: {} is not there; is the file system mounted?",
            known.data_path.display()
        );
        return Ok(Outcome::new(code(StartExit::StorageNotAvailable), text));
    }
    if known.data_path.join(CREATING).exists() {
        return Ok(Outcome::new(
            code(StartExit::BeingCreated),
            "IBM MQ queue manager being created.",
        ));
    }
    if !log_is_there(home, &known.data_path)? {
        return Ok(Outcome::new(
            code(StartExit::LogNotAvailable),
            "AMQ7017E: Log not available.",
        ));
    }
    // Asked first so that a second start says nothing of starting; the controller asks again, and its answer counts.
    if let Some(holder) = lock::holder(&known.data_path)?
        && holder.host == home.host()
    {
        return Ok(Outcome::new(
            code(StartExit::AlreadyRunning),
            format!("IBM MQ queue manager '{name}' running."),
        ));
    }
    print(&format!(
        "This is the stand-in of mqaws, a test double, not IBM MQ.\nIBM MQ queue manager '{name}' starting.\n\
         The queue manager is associated with installation 'Installation1'.\n"
    ));
    let mut controller = Command::new(std::env::current_exe()?);
    controller.arg0("amqzxma0").args(["__qmgr", "-m", name]);
    controller.args(["-x", "-ns"].iter().filter(|f| flags.has(f)));
    let mut child = controller
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(error_file(home, name)?)
        .spawn()?;
    let Some(reports) = child.stdout.take() else {
        return Err(io::ErrorKind::BrokenPipe.into());
    };
    for line in BufReader::new(reports).lines() {
        match serde_json::from_str(&line?)? {
            Report::Replayed { records, messages } => print(&format!(
                "{records} log records accessed on queue manager '{name}' during the log replay phase.\n\
                 Log replay for queue manager '{name}' complete.\n\
                 Transaction manager state recovered for queue manager '{name}': {messages} messages.\n"
            )),
            Report::Running => {
                return Ok(Outcome::new(
                    0,
                    format!("IBM MQ queue manager '{name}' started using V{VERSION}."),
                ));
            }
            Report::Failed { code, text } => {
                child.wait()?;
                return Ok(Outcome::new(code, text));
            }
        }
    }
    child.wait()?;
    let errors = home.local(name).join("errors/AMQERR01.LOG");
    Ok(Outcome::new(
        71,
        format!("AMQ5008S: the execution controller ended; see {}", errors.display()),
    ))
}

fn log_is_there(home: &Home, data_path: &Path) -> io::Result<bool> {
    let ini = stanza::parse(&std::fs::read_to_string(data_path.join("qm.ini"))?);
    let log = ini.iter().find(|s| s.title == "Log").and_then(|s| s.get("LogPath"));
    Ok(log.is_some_and(|path| home.resolve(Path::new(path)).is_dir()))
}

/// Where a controller that panics leaves its words.
fn error_file(home: &Home, name: &str) -> io::Result<Stdio> {
    let errors = home.local(name).join("errors");
    std::fs::create_dir_all(&errors)?;
    Ok(std::fs::OpenOptions::new()
        .append(true)
        .create(true)
        .open(errors.join("AMQERR01.LOG"))?
        .into())
}
