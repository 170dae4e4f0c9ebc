//! The commands, each under its own name: same flags, words and exit codes as IBM's documentation and samples show.
//!
//! What IBM MQ knows and the stand-in does not (replicated data queue managers, Native HA, standby instances) is refused, not
//! ignored. Exit codes for wrong arguments of `crtmqm`, `endmqm`, `dltmqm`, `addmqinf` and `dspmqinf` are unverified, and so
//! are the texts of most errors.

mod chpasswd;
mod create;
mod display;
mod end;
mod flags;
mod info;
mod runmqsc;
mod start;

use std::{ffi::OsString, io::Write, process::ExitCode};

use super::home::Home;

pub use chpasswd::chpasswd_main;

/// The names under which the stand-in answers.
pub const NAMES: &[&str] = &[
    "crtmqm", "strmqm", "endmqm", "dspmq", "dltmqm", "runmqsc", "dspmqinf", "addmqinf", "dspmqver", "crtmqdir",
    "setmqprd",
];

/// What a command prints and its exit code.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Outcome {
    code: u8,
    text: String,
}

impl Outcome {
    fn new(code: u8, text: impl Into<String>) -> Self {
        Self {
            code,
            text: text.into(),
        }
    }

    /// An error that is none of MQ's: the host's own files could not be used.
    fn unexpected(error: &std::io::Error) -> Self {
        Self::new(71, format!("AMQ6119S: An internal IBM MQ error has occurred ({error})"))
    }

    fn not_found() -> Self {
        Self::new(16, "AMQ8118E: IBM MQ queue manager does not exist.")
    }
}

/// Prints text; whoever has closed the pipe does not want it.
fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// Runs the command of that name; `args` are what follows it.
pub fn main(name: &str, args: Vec<OsString>) -> ExitCode {
    let args: Vec<String> = args.into_iter().map(|a| a.to_string_lossy().into_owned()).collect();
    let outcome = match Home::from_environment() {
        Some(home) => run(name, &home, &args),
        None => Outcome::new(
            71,
            format!(
                "{name} is the stand-in of mqaws, a test double: it runs on lab instances only ({} is not set)",
                super::home::ROOT_VARIABLE
            ),
        ),
    };
    if !outcome.text.is_empty() {
        print(&format!("{}\n", outcome.text.trim_end_matches('\n')));
    }
    ExitCode::from(outcome.code)
}

fn run(name: &str, home: &Home, args: &[String]) -> Outcome {
    match name {
        "crtmqm" => create::create(home, args),
        "dltmqm" => create::delete(home, args),
        "strmqm" => start::start(home, args),
        "endmqm" => end::end(home, args),
        "dspmq" => display::display(home, args),
        "dspmqver" => display::version(home, args),
        "runmqsc" => runmqsc::run(home, args),
        "dspmqinf" => info::display(home, args),
        "addmqinf" => info::add(home, args),
        "crtmqdir" => info::create_directories(home, args),
        "setmqprd" => info::accept_licence(home, args),
        other => Outcome::new(71, format!("the stand-in has no command {other}")),
    }
}
