//! Programs of the operating system, by their names on the search path.

use crate::agent::waits;
use mqaws_engine::{Command, Output, RunError, runner};
use std::path::PathBuf;
use std::time::Duration;

/// Why a program did not do what it was run for.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProgramError {
    /// It gave no exit code.
    #[error(transparent)]
    NoCode(#[from] RunError),
    /// It failed.
    #[error("`{command}` exited with {code}: {said}")]
    Failed {
        /// Its command line.
        command: String,
        /// Its exit code.
        code: i32,
        /// The first line that it said.
        said: String,
    },
}

impl ProgramError {
    /// Whether `systemctl` says that it knows no such unit.
    pub(crate) fn knows_no_unit(&self) -> bool {
        matches!(self, Self::Failed { said, .. } if said.contains("not found"))
    }
}

/// Where programs such as `systemctl` and `chpasswd` are looked for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Programs {
    directory: Option<PathBuf>,
}

impl Programs {
    /// The host's own, on its search path.
    pub(crate) fn of_the_host() -> Self {
        Self::default()
    }

    /// Those of one directory: doubles of a test.
    #[cfg(test)]
    pub(crate) fn in_directory(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: Some(directory.into()),
        }
    }

    /// A command line of a program.
    pub(crate) fn command(&self, name: &str, args: &[&str], deadline: Duration) -> Command {
        let program = match &self.directory {
            Some(directory) => directory.join(name),
            None => PathBuf::from(name),
        };
        Command::new(program).args(args).deadline(deadline)
    }

    /// Runs a command that must succeed.
    ///
    /// # Errors
    /// [`ProgramError`].
    pub(crate) fn must(&self, command: &Command) -> Result<Output, ProgramError> {
        let ran = waits::on(|| command.to_string(), || runner::run(command));
        let output = ran?;
        if output.code == 0 {
            return Ok(output);
        }
        let said = output.text.lines().map(str::trim).find(|l| !l.is_empty());
        Err(ProgramError::Failed {
            command: command.to_string(),
            code: output.code,
            said: said.unwrap_or("no output").to_owned(),
        })
    }
}
