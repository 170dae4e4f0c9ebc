//! The `mqaws` executable: finds out which program it is asked to be, runs it, exits.
//!
//! A lab instance runs the agent, the keeper and the stand-in's commands from this one executable, by the name it is
//! called under or by a hidden verb. That choice is made before the command line is parsed and before any runtime
//! starts. Every entry point gets the arguments that follow its name or verb.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut args: Vec<OsString> = std::env::args_os().collect();
    let called_as = args.first().map(Path::new).and_then(Path::file_name);
    let called_as = called_as.and_then(OsStr::to_str).unwrap_or_default().to_owned();
    let verb = args.get(1).and_then(|a| a.to_str()).unwrap_or_default().to_owned();

    if let Some(program) = by_name(&called_as) {
        return program(args.split_off(1));
    }
    if let Some(program) = by_verb(&verb) {
        return program(args.split_off(2));
    }
    mqaws::cli::main(args)
}

type Program = Box<dyn FnOnce(Vec<OsString>) -> ExitCode>;

/// Programs that go by the name of the executable: symlinks in an instance's `opt/mqm/bin`.
fn by_name(name: &str) -> Option<Program> {
    if mqaws_standin::commands::NAMES.contains(&name) {
        let name = name.to_owned();
        return Some(Box::new(move |args| mqaws_standin::commands::main(&name, args)));
    }
    match name {
        "mqaws-agent" => Some(Box::new(mqaws::lab_agent::main)),
        "chpasswd" => Some(Box::new(mqaws_standin::commands::chpasswd_main)),
        _ => None,
    }
}

/// Programs that go by a hidden first argument.
fn by_verb(verb: &str) -> Option<Program> {
    match verb {
        "__agent" => Some(Box::new(mqaws::lab_agent::main)),
        "__keeper" => Some(Box::new(mqaws::lab_agent::keeper_main)),
        "__qmgr" => Some(Box::new(mqaws_standin::controller_main)),
        "__lab" => Some(Box::new(mqaws_lab::server_main)),
        _ => None,
    }
}
