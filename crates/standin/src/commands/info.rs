//! `dspmqinf`, `addmqinf`, `crtmqdir` and `setmqprd`.

use std::{io, path::PathBuf};

use super::{Outcome, create, flags::Flags};
use crate::{
    engine::ibm_mq::stanza,
    standin::home::{Home, Known},
};

pub(super) fn display(home: &Home, args: &[String]) -> Outcome {
    let usage = |what: &str| {
        Outcome::new(
            36,
            format!("AMQ7001E: `{what}`: usage: dspmqinf [-o stanza | command] name"),
        )
    };
    let flags = match Flags::parse(args, &["-o", "-s"], &[]) {
        Ok(flags) => flags,
        Err(word) => return usage(&word),
    };
    let Some(name) = flags.name() else { return usage("name") };
    if !home.var().is_dir() {
        // A real one writes a first-failure record here.
        return Outcome::new(
            71,
            format!("AMQ6119S: {} is not there; run crtmqdir first", home.var().display()),
        );
    }
    let known = match home.find(name) {
        Ok(Some(known)) => known,
        Ok(None) => {
            return Outcome::new(
                72,
                format!("AMQ7048E: The queue manager name `{name}` is either not valid or not known."),
            );
        }
        Err(error) => return Outcome::unexpected(&error),
    };
    match flags.value("-o").unwrap_or("stanza") {
        "stanza" => Outcome::new(0, stanza::write(&[create::entry(home, name, &known.data_path)])),
        "command" => Outcome::new(0, command(home, &known)),
        other => usage(other),
    }
}

fn command(home: &Home, known: &Known) -> String {
    format!(
        "addmqinf -s QueueManager -v Name={} -v Directory={} -v Prefix={} -v DataPath={}",
        known.name,
        known.directory,
        home.var().display(),
        known.data_path.display()
    )
}

pub(super) fn add(home: &Home, args: &[String]) -> Outcome {
    let usage = |what: &str| {
        Outcome::new(
            36,
            format!("AMQ7001E: `{what}`: usage: addmqinf [-s QueueManager] -v attribute=value …"),
        )
    };
    let flags = match Flags::parse(args, &["-s", "-v"], &[]) {
        Ok(flags) => flags,
        Err(word) => return usage(&word),
    };
    let value = |key: &str| {
        flags
            .values("-v")
            .find_map(|v| v.split_once('=').filter(|(k, _)| *k == key))
            .map(|(_, v)| v.to_owned())
    };
    if flags.value("-s").is_some_and(|s| s != "QueueManager") || !flags.names.is_empty() {
        return usage("-s");
    }
    let (Some(name), Some(_), Some(_)) = (value("Name"), value("Directory"), value("Prefix")) else {
        return usage("Name, Directory and Prefix");
    };
    let data = value("DataPath").map_or_else(|| home.local(&name), PathBuf::from);
    if !data.join("qm.ini").is_file() {
        return Outcome::new(69, format!("AMQ6109S: {} contains no queue manager", data.display()));
    }
    let added: io::Result<bool> = home.change_ini(|stanzas| {
        let known = stanzas
            .iter()
            .any(|s| s.title == "QueueManager" && s.get("Name") == Some(&name));
        if !known {
            stanzas.push(create::entry(home, &name, &data));
        }
        !known
    });
    match added {
        Ok(true) => Outcome::new(0, "IBM MQ configuration information added."),
        Ok(false) => Outcome::new(8, format!("AMQ8110E: queue manager {name} is known already.")),
        Err(error) => Outcome::unexpected(&error),
    }
}

pub(super) fn create_directories(home: &Home, args: &[String]) -> Outcome {
    if let Err(word) = Flags::parse(args, &[], &["-f", "-a", "-s"]) {
        return Outcome::new(20, format!("AMQ7001E: `{word}`: usage: crtmqdir [-f] [-a | -s]"));
    }
    match home.create_directories() {
        Ok(()) => Outcome::new(0, ""),
        Err(error) => Outcome::new(20, format!("AMQ6119S: {error}")),
    }
}

pub(super) fn accept_licence(home: &Home, args: &[String]) -> Outcome {
    let [file] = args else {
        return Outcome::new(36, "AMQ7001E: usage: setmqprd LicenseFile");
    };
    let kept = home
        .create_directories()
        .and_then(|()| std::fs::write(home.var().join("licence"), file));
    match kept {
        Ok(()) => Outcome::new(0, "The stand-in does not require a license; it has recorded the file."),
        Err(error) => Outcome::unexpected(&error),
    }
}
