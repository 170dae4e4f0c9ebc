//! `crtmqm` and `dltmqm`.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::{Outcome, flags::Flags};
use crate::{
    engine::ibm_mq::{ObjectName, QueueManagerStatus, data_path, stanza, stanza::Stanza},
    standin::{home::Home, lock, objects::Objects},
};
use mqaws_contract::PathComponent;
use mqaws_files::AtomicWrite;

/// While this file is in the data directory the queue manager is being created; a crtmqm that was killed leaves it.
pub(super) const CREATING: &str = "creating";

const VALUED: &[&str] = &[
    "-md", "-ld", "-lf", "-lp", "-ls", "-u", "-oa", "-p", "-d", "-h", "-t", "-x", "-c", "-g",
];
const PLAIN: &[&str] = &["-lc", "-ll", "-q", "-z"];

pub(super) fn create(home: &Home, args: &[String]) -> Outcome {
    let usage = |what: &str| {
        Outcome::new(
            36,
            format!(
                "AMQ7001E: `{what}`: usage: crtmqm [-lc | -ll] [-ld path] [-lf n] [-lp n] [-ls n] [-md path] [-oa user|group] [-p port] [-q] [-u queue] name"
            ),
        )
    };
    let flags = match Flags::parse(args, VALUED, PLAIN) {
        Ok(flags) => flags,
        Err(word) => return usage(&word),
    };
    let Some(name) = flags.name() else { return usage("name") };
    if ObjectName::new(name).is_none_or(|n| n.as_str().contains('*')) {
        return Outcome::new(72, format!("AMQ8101E: `{name}` is not a valid queue manager name."));
    }
    let counts = ["-lf", "-lp", "-ls", "-p"];
    if let Some(flag) = counts
        .iter()
        .find(|f| flags.value(f).is_some_and(|v| v.parse::<u16>().is_err()))
    {
        return usage(flag);
    }
    if flags.value("-oa").is_some_and(|m| !["user", "group"].contains(&m)) || flags.count(&["-lc", "-ll"]) > 1 {
        return usage("-oa");
    }
    match create_files(home, name, &flags) {
        Ok(outcome) => outcome,
        Err(error) => Outcome::unexpected(&error),
    }
}

fn create_files(home: &Home, name: &str, flags: &Flags) -> io::Result<Outcome> {
    home.create_directories()?;
    let data_base = flags
        .value("-md")
        .map_or_else(|| home.var().join("qmgrs"), PathBuf::from);
    let log_base = flags.value("-ld").map_or_else(|| home.var().join("log"), PathBuf::from);
    let (data, log) = (
        data_path(&data_base, name),
        log_base.join(PathComponent::of_queue_manager(name)),
    );
    if home.find(name)?.is_some() || data.join("qm.ini").exists() || data.join(CREATING).exists() {
        return Ok(Outcome::new(8, "AMQ8110E: IBM MQ queue manager already exists."));
    }
    if !data_base.is_dir() || !log_base.is_dir() {
        let text = format!(
            "AMQ6109S: {} and {} must be directories",
            data_base.display(),
            log_base.display()
        );
        return Ok(Outcome::new(71, text));
    }
    fs::create_dir_all(&data)?;
    fs::create_dir_all(log.join("active"))?;
    fs::write(data.join(CREATING), [])?;
    if name_is_known_after(home, name, &data)? {
        return Ok(Outcome::new(8, "AMQ8110E: IBM MQ queue manager already exists."));
    }
    let number = |flag: &str, default: &str| flags.value(flag).unwrap_or(default).to_owned();
    let ini = [
        Stanza::new("Log")
            .with("LogPrimaryFiles", number("-lp", "3"))
            .with("LogSecondaryFiles", number("-ls", "2"))
            .with("LogFilePages", number("-lf", "4096"))
            .with("LogType", if flags.has("-ll") { "LINEAR" } else { "CIRCULAR" })
            .with("LogPath", home.seen_inside(&log).display().to_string()),
        Stanza::new("Service")
            .with("Name", "AuthorizationService")
            .with("SecurityPolicy", number("-oa", "group")),
    ];
    let mut objects = Objects::defaults(&data, name, flags.value("-u"));
    let created = objects.len();
    objects.save()?;
    lock::write_status(&data, &QueueManagerStatus::EndedImmediately)?;
    AtomicWrite::to(&data.join("qm.ini"))
        .durable()
        .write(stanza::write(&ini).as_bytes())?;
    fs::remove_file(data.join(CREATING))?;
    fs::File::open(&data)?.sync_all()?;
    Ok(Outcome::new(
        0,
        format!(
            "IBM MQ queue manager '{name}' created.\nDirectory '{}' created.\n\
             The queue manager is associated with installation 'Installation1'.\n\
             Creating or replacing default objects for queue manager '{name}'.\n\
             Default objects statistics : {created} created. 0 replaced. 0 failed.\nCompleting setup.\nSetup completed.",
            data.display()
        ),
    ))
}

/// Enters the queue manager into `mqs.ini`; true when somebody else was faster.
fn name_is_known_after(home: &Home, name: &str, data: &Path) -> io::Result<bool> {
    home.change_ini(|stanzas| {
        if stanzas
            .iter()
            .any(|s| s.title == "QueueManager" && s.get("Name") == Some(name))
        {
            return true;
        }
        stanzas.push(entry(home, name, data));
        false
    })
}

/// The stanza of a queue manager in `mqs.ini`.
pub(super) fn entry(home: &Home, name: &str, data: &Path) -> Stanza {
    Stanza::new("QueueManager")
        .with("Name", name)
        .with("Directory", PathComponent::of_queue_manager(name))
        .with("Prefix", home.var().display().to_string())
        .with("DataPath", data.display().to_string())
        .with("InstallationName", "Installation1")
}

pub(super) fn delete(home: &Home, args: &[String]) -> Outcome {
    let usage = |what: &str| Outcome::new(36, format!("AMQ7001E: `{what}`: usage: dltmqm name"));
    let flags = match Flags::parse(args, &[], &["-z"]) {
        Ok(flags) => flags,
        Err(word) => return usage(&word),
    };
    let Some(name) = flags.name() else { return usage("name") };
    match delete_files(home, name) {
        Ok(outcome) => outcome,
        Err(error) => Outcome::unexpected(&error),
    }
}

fn delete_files(home: &Home, name: &str) -> io::Result<Outcome> {
    let Some(known) = home.find(name)? else {
        return Ok(Outcome::not_found());
    };
    if lock::holder(&known.data_path)?.is_some() {
        return Ok(Outcome::new(5, format!("IBM MQ queue manager '{name}' running.")));
    }
    let ini = match fs::read_to_string(known.data_path.join("qm.ini")) {
        Ok(text) => stanza::parse(&text),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(e) => return Err(e),
    };
    let log = ini
        .iter()
        .find(|s| s.title == "Log")
        .and_then(|s| s.get("LogPath").map(|path| home.resolve(Path::new(path))));
    for directory in [Some(known.data_path), log, Some(home.local(name))]
        .into_iter()
        .flatten()
    {
        match fs::remove_dir_all(&directory) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
    }
    home.change_ini(|stanzas| stanzas.retain(|s| s.title != "QueueManager" || s.get("Name") != Some(name)))?;
    Ok(Outcome::new(0, format!("IBM MQ queue manager '{name}' deleted.")))
}
