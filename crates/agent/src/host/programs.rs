//! Programs of the operating system, by their names on the search path.

use crate::agent::waits;
use crate::remedy::chain;
use mqaws_engine::{Command, Output, runner};
use std::path::PathBuf;
use std::time::Duration;

/// Where programs such as `systemctl` and `chpasswd` are looked for.
#[derive(Debug, Clone, Default)]
pub struct Programs {
    directory: Option<PathBuf>,
}

impl Programs {
    /// The host's own, on its search path.
    pub fn of_the_host() -> Self {
        Self::default()
    }

    /// Those of one directory: doubles of a test.
    #[cfg(test)]
    pub fn in_directory(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: Some(directory.into()),
        }
    }

    /// A command line of a program.
    pub fn command(&self, name: &str, args: &[&str], deadline: Duration) -> Command {
        let program = match &self.directory {
            Some(directory) => directory.join(name),
            None => PathBuf::from(name),
        };
        Command::new(program).args(args).deadline(deadline)
    }

    /// Runs a command that must succeed.
    ///
    /// # Errors
    /// In words: what the program said, or why it gave no exit code.
    pub fn must(&self, command: &Command) -> Result<Output, String> {
        let ran = waits::on(|| command.to_string(), || runner::run(command));
        let output = ran.map_err(|e| chain(&e))?;
        if output.code == 0 {
            return Ok(output);
        }
        let said = output.text.lines().map(str::trim).find(|l| !l.is_empty());
        Err(format!(
            "`{command}` exit {}: {}",
            output.code,
            said.unwrap_or("it said nothing")
        ))
    }
}
