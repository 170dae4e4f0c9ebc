//! The lab's agent as a program of its own, so that it can be built with the shipped agent's profile and measured in a lab
//! in place of the one inside `mqaws`. `scripts/bench-agent` does that; alone, this does nothing of use.

use std::ffi::OsString;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut args: Vec<OsString> = std::env::args_os().skip(1).collect();
    if args.first().is_some_and(|a| a == "__keeper") {
        return mqaws::lab_agent::keeper_main(args.split_off(1));
    }
    mqaws::lab_agent::main(args)
}
