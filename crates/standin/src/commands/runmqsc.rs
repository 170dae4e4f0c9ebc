//! `runmqsc`.

use std::io::{self, Read};

use super::{Outcome, flags::Flags};
use crate::standin::{
    home::Home,
    lock,
    qmgr::control::{self, Reply, Request},
};

pub(super) fn run(home: &Home, args: &[String]) -> Outcome {
    let usage = |what: &str| Outcome::new(20, format!("AMQ7001E: `{what}`: usage: runmqsc [-e] [-f file] name"));
    let flags = match Flags::parse(args, &["-f"], &["-e"]) {
        Ok(flags) => flags,
        Err(word) => return usage(&word),
    };
    let Some(name) = flags.name() else { return usage("name") };
    match ask(home, name, &flags) {
        Ok(outcome) => outcome,
        Err(error) => Outcome {
            code: 20,
            ..Outcome::unexpected(&error)
        },
    }
}

fn ask(home: &Home, name: &str, flags: &Flags) -> io::Result<Outcome> {
    let Some(known) = home.find(name)? else {
        return Ok(Outcome {
            code: 20,
            ..Outcome::not_found()
        });
    };
    let not_available = || Outcome::new(20, "AMQ8146E: IBM MQ queue manager not available.");
    match lock::holder(&known.data_path)? {
        Some(holder) if holder.host == home.host() => {}
        _ => return Ok(not_available()),
    }
    let mut text = String::new();
    match flags.value("-f") {
        Some(file) => text = std::fs::read_to_string(file)?,
        None => {
            io::stdin().read_to_string(&mut text)?;
        }
    }
    match control::ask(&home.local(name), &Request::Mqsc { text }) {
        Ok(Reply::Mqsc { text, code }) => Ok(Outcome::new(
            code,
            if flags.has("-e") { without_echo(&text) } else { text },
        )),
        Ok(_) => Err(io::ErrorKind::InvalidData.into()),
        // Not listening yet, or gone in the middle.
        Err(_) => Ok(not_available()),
    }
}

fn without_echo(text: &str) -> String {
    let echoed = |line: &&str| {
        let number = line.split_once(" :").map(|(n, _)| n.trim());
        line.starts_with(' ') && number.is_some_and(|n| n.is_empty() || n.parse::<u32>().is_ok())
    };
    text.lines().filter(|l| !echoed(l)).map(|l| format!("{l}\n")).collect()
}
