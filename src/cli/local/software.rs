//! What hosts of a local cloud have of this machine's software: engines that have no stand-in come from a package of the distribution.

use crate::cli::CliError;
use crate::model::Engine;
use mqaws_contract::engine::Local;
use mqaws_lab::home::Software;
use std::path::{Path, PathBuf};

/// The variable with the folder into which packages were unpacked that are not installed.
pub(in crate::cli) const SOFTWARE: &str = "MQAWS_LAB_SOFTWARE";

/// Of every engine, where its directories are or would be.
pub(in crate::cli) fn software() -> Vec<Software> {
    let named = std::env::var_os(SOFTWARE).filter(|value| !value.is_empty());
    let root = named.map_or_else(|| PathBuf::from("/"), PathBuf::from);
    let directories = Engine::all().flat_map(|engine| match engine.facts().local {
        Local::StandIn => &[][..],
        Local::Package { directories, .. } => directories,
    });
    let each = directories.map(|inside| Software {
        inside: inside.into(),
        of: root.join(inside),
    });
    each.collect()
}

/// Refuses an engine that hosts with this software would not have.
///
/// # Errors
/// [`CliError::Precondition`] with the ways to get it.
pub(in crate::cli) fn has(engine: Engine, software: &[Software]) -> Result<(), CliError> {
    let Local::Package { name, directories } = engine.facts().local else {
        return Ok(());
    };
    let given = |inside: &&str| {
        software
            .iter()
            .any(|one| one.inside == Path::new(inside) && one.of.is_dir())
    };
    let Some(missing) = directories.iter().find(|inside| !given(inside)) else {
        return Ok(());
    };
    let of = software.iter().find(|one| one.inside == Path::new(missing));
    let place = of.map_or_else(|| Path::new("/").join(missing), |one| one.of.clone());
    Err(CliError::Precondition {
        message: format!(
            "engine `{}` runs in the local cloud from package {name}, which this machine does not have: {} does not exist",
            engine.as_str(),
            place.display()
        ),
        hint: Some(format!(
            "install it with `sudo apt-get install --no-install-recommends {name}` and stop the service that it starts, or unpack it into a folder (docs/{}.md shows how) and set {SOFTWARE} to that; then run `mqaws lab down` and deploy again",
            engine.as_str()
        )),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_engine_without_a_stand_in_must_be_on_this_machine() {
        let root = tempfile::tempdir().unwrap();
        for engine in Engine::all() {
            let Local::Package { name, directories } = engine.facts().local else {
                assert!(has(engine, &[]).is_ok(), "{engine:?}");
                continue;
            };
            let all: Vec<Software> = directories
                .iter()
                .map(|inside| Software {
                    inside: inside.into(),
                    of: root.path().join(inside),
                })
                .collect();
            let refused = has(engine, &all).unwrap_err();
            let CliError::Precondition { message, hint } = &refused else {
                panic!("{refused:?}");
            };
            assert!(message.contains(root.path().to_str().unwrap()), "{message}");
            assert!(hint.as_deref().unwrap().contains(name), "{hint:?}");
            // One half of it is not enough, nor is a local cloud that was started before there was any.
            std::fs::create_dir_all(&all[0].of).unwrap();
            assert!(has(engine, &all).is_err() && has(engine, &[]).is_err());
            all.iter().for_each(|one| std::fs::create_dir_all(&one.of).unwrap());
            assert!(has(engine, &all).is_ok());
        }
    }
}
