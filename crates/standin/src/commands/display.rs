//! `dspmq` and `dspmqver`.

use std::io;

use super::{Outcome, flags::Flags};
use crate::{
    engine::ibm_mq::{QueueManagerStatus, version::STAND_IN},
    standin::{
        VERSION,
        home::{Home, Known},
        lock,
    },
};

pub(super) fn display(home: &Home, args: &[String]) -> Outcome {
    let usage = |what: &str| {
        Outcome::new(
            36,
            format!(
                "AMQ7001E: `{what}`: Usage: dspmq [-m QMgrName] [-o all | status | default | standby | installation] [-x] [-n] [-a]"
            ),
        )
    };
    let flags = match Flags::parse(args, &["-m", "-o"], &["-n", "-x", "-a", "-s", "-c"]) {
        Ok(flags) => flags,
        Err(word) => return usage(&word),
    };
    if !flags.names.is_empty()
        || flags
            .values("-o")
            .any(|o| !["all", "status", "default", "standby", "installation"].contains(&o))
    {
        return usage("-o");
    }
    match lines(home, &flags) {
        Ok(outcome) => outcome,
        Err(error) => Outcome::unexpected(&error),
    }
}

fn lines(home: &Home, flags: &Flags) -> io::Result<Outcome> {
    let mut all = home.all()?;
    if let Some(name) = flags.value("-m") {
        all.retain(|k| k.name == name);
        if all.is_empty() {
            return Ok(Outcome::new(
                72,
                format!("AMQ7048E: The queue manager name `{name}` is either not valid or not known."),
            ));
        }
    }
    let mut text = String::new();
    for known in &all {
        let status = lock::status(home, known)?;
        let active = matches!(
            status,
            QueueManagerStatus::Running | QueueManagerStatus::Starting | QueueManagerStatus::Quiescing
        );
        if !flags.has("-a") || active {
            text.push_str(&line(home, known, &status, flags)?);
        }
    }
    Ok(Outcome::new(if flags.has("-a") { 5 } else { 0 }, text))
}

fn line(home: &Home, known: &Known, status: &QueueManagerStatus, flags: &Flags) -> io::Result<String> {
    let untranslated = flags.has("-n");
    let word = |text: &str| {
        if untranslated {
            text.to_owned()
        } else {
            sentence_case(text)
        }
    };
    let shown = |what: &str| flags.values("-o").any(|o| o == what || o == "all");
    let holder = lock::holder(&known.data_path)?;
    let name = format!("QMNAME({})", known.name);
    let mut fields = vec![format!("{name:<57}")];
    if shown("status") || flags.values("-o").next().is_none() || flags.has("-s") {
        fields.push(format!("STATUS({})", word(&status.to_string())));
    }
    if shown("default") {
        fields.push(format!("DEFAULT({})", word("NO")));
    }
    if shown("standby") {
        let standby = match &holder {
            Some(holder) if holder.standby_permitted => "PERMITTED",
            Some(_) => "NOT PERMITTED",
            None => "NOT APPLICABLE",
        };
        fields.push(format!("STANDBY({})", word(standby)));
    }
    if shown("installation") {
        let path = home.root().join("opt/mqm");
        fields.push(format!(
            "INSTNAME(Installation1) INSTPATH({}) INSTVER({VERSION})",
            path.display()
        ));
    }
    let mut text = fields.join(" ");
    text.push('\n');
    if flags.has("-x")
        && let Some(holder) = holder
    {
        let host = holder.host.rsplit('/').next().unwrap_or_default();
        text.push_str(&format!("    INSTANCE({host}) MODE(Active)\n"));
    }
    Ok(text)
}

/// `RUNNING AS STANDBY` as `Running as standby`.
fn sentence_case(text: &str) -> String {
    let mut chars = text.chars();
    chars
        .next()
        .map(|first| first.to_string() + &chars.as_str().to_lowercase())
        .unwrap_or_default()
}

pub(super) fn version(home: &Home, args: &[String]) -> Outcome {
    let flags = match Flags::parse(args, &["-f", "-p", "-o"], &["-b", "-i", "-v"]) {
        Ok(flags) => flags,
        Err(word) => return Outcome::new(36, format!("AMQ7001E: `{word}`: usage: dspmqver [-b] [-f n]")),
    };
    if flags.value("-f") == Some("2") {
        return Outcome::new(
            0,
            if flags.has("-b") {
                VERSION.to_owned()
            } else {
                format!("Version:     {VERSION}")
            },
        );
    }
    let path = home.root().join("opt/mqm");
    Outcome::new(
        0,
        format!(
            "Name:        mqaws {STAND_IN} for IBM MQ\nVersion:     {VERSION}\nLevel:       mqaws-{}\n\
             BuildType:   test double, not IBM MQ\nPlatform:    mqaws lab\nMode:        64-bit\nInstName:    Installation1\n\
             InstDesc:    A test double of the mqaws lab; it contains nothing of IBM's\nPrimary:     Yes\nInstPath:    {}\n\
             DataPath:    {}\nMaxCmdLevel: 940",
            env!("CARGO_PKG_VERSION"),
            path.display(),
            home.var().display()
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words() {
        assert_eq!(sentence_case("RUNNING AS STANDBY"), "Running as standby");
        assert_eq!(sentence_case(""), "");
    }
}
