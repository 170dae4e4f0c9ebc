//! What the verbs share; everything costly is made when first asked for.

use super::args::Global;
use super::suggestions::Suggestions;
use super::{CliError, Failure, Interrupt, Output, Progress};
use mqaws_files::read_text_from;
use std::future::Future;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

/// The configuration file that is read when none is named and this one is in the current folder.
pub(super) const DEFAULT_FILE: &str = "mqaws.yaml";

/// The name of a configuration file that stands for standard input.
pub(super) const STANDARD_INPUT: &str = "-";

/// What the verbs share.
///
/// Verbs are plain functions; those that call AWS enter the runtime once, with [`Context::block_on`].
pub struct Context {
    global: Global,
    output: Output,
    progress: Progress,
    runtime: OnceLock<tokio::runtime::Runtime>,
    interrupt: OnceLock<Interrupt>,
    input: OnceLock<String>,
}

impl Context {
    /// The context of one run of the program.
    pub(super) fn new(mut global: Global, suggestions: Suggestions) -> Self {
        // An empty variable counts as absent, as with the AWS tools.
        for value in [&mut global.region, &mut global.profile, &mut global.endpoint_url] {
            value.take_if(|v| v.trim().is_empty());
        }
        let progress = Progress::new(!global.no_progress && !global.quiet);
        let output = Output::new(global.output, global.color, global.quiet, progress.clone(), suggestions);
        Self {
            global,
            output,
            progress,
            runtime: OnceLock::new(),
            interrupt: OnceLock::new(),
            input: OnceLock::new(),
        }
    }

    /// The global options as given, flags over variables.
    pub fn global(&self) -> &Global {
        &self.global
    }

    /// Standard output and standard error.
    pub fn output(&self) -> &Output {
        &self.output
    }

    /// Progress on standard error.
    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    /// The configuration file: `--config`, else `mqaws.yaml` in the current folder when there is one.
    pub fn config_path(&self) -> Option<PathBuf> {
        self.global
            .config
            .clone()
            .or_else(|| Path::new(DEFAULT_FILE).exists().then(|| DEFAULT_FILE.into()))
    }

    /// What the configuration file is called, for people.
    pub(super) fn config_name(&self) -> Option<String> {
        let name = |path: PathBuf| match path == Path::new(STANDARD_INPUT) {
            true => "standard input".to_owned(),
            false => path.display().to_string(),
        };
        self.config_path().map(name)
    }

    /// The text on standard input, of at most `limit` bytes. It is there once, and so it is read once.
    ///
    /// # Errors
    /// [`CliError::Usage`] on a terminal, where nobody knows that a text is waited for; [`CliError::Text`] for what is no text.
    pub(super) fn standard_input(&self, limit: u64) -> Result<String, CliError> {
        if let Some(text) = self.input.get() {
            return Ok(text.clone());
        }
        let input = std::io::stdin();
        if input.is_terminal() {
            return Err(CliError::Usage {
                message: "--config - reads standard input, which is a terminal".to_owned(),
                hint: Some("specify a file, or redirect one to the standard input of this command".to_owned()),
            });
        }
        let text = read_text_from(input.lock(), limit).map_err(|source| CliError::Text {
            path: "standard input".into(),
            source,
        })?;
        Ok(self.input.get_or_init(|| text).clone())
    }

    /// The line that says what to do next: commands that mean what this call meant.
    pub(super) fn next(&self, commands: &[&str]) -> String {
        let complete = |command: &&str| self.output.suggestions().command(command);
        format!(
            "Next: {}",
            commands.iter().map(complete).collect::<Vec<_>>().join(" · ")
        )
    }

    /// Runs a future on the program's runtime, which starts with the first call.
    ///
    /// # Errors
    /// What the future returns; [`CliError::Runtime`] when no thread can be started.
    pub fn block_on<T>(&self, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        if self.runtime.get().is_none() {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .enable_all()
                .build()
                .map_err(CliError::Runtime)?;
            // A second runtime, made at the same moment by another thread, is dropped.
            let _ = self.runtime.set(runtime);
        }
        let runtime = self
            .runtime
            .get()
            .ok_or_else(|| CliError::Runtime(std::io::Error::other("not there")))?;
        runtime.block_on(work)
    }

    /// The user's wish to stop; from the first call on, Ctrl-C no longer ends the process by itself.
    ///
    /// # Errors
    /// [`CliError::Runtime`] when the handler cannot be installed.
    pub fn interrupt(&self) -> Result<Interrupt, Failure> {
        if self.interrupt.get().is_none() {
            let _ = self.interrupt.set(Interrupt::install().map_err(CliError::Runtime)?);
        }
        Ok(self.interrupt.get().cloned().unwrap_or_else(Interrupt::never))
    }

    /// Asks a question that wants `yes`; `--yes` answers it.
    ///
    /// # Errors
    /// [`CliError::NotATerminal`] off a terminal, [`CliError::Declined`] for any other answer, [`CliError::Interrupted`].
    pub fn confirm(&self, question: &str) -> Result<(), Failure> {
        let accepted = |answer: &str| matches!(answer.to_ascii_lowercase().as_str(), "y" | "yes");
        self.ask(&format!("{question} [y/N] "), question, None, accepted)
    }

    /// Asks for a name to be typed before what `question` names, such as `Deleting the stack`; `--yes` answers it.
    ///
    /// # Errors
    /// As [`Context::confirm`].
    pub fn confirm_name(&self, question: &str, name: &str) -> Result<(), Failure> {
        let prompt = format!("{question} requires confirmation; type `{name}` to continue: ");
        self.ask(&prompt, question, Some(name), |answer| answer == name)
    }

    fn ask(
        &self,
        prompt: &str,
        question: &str,
        expected: Option<&str>,
        accepted: impl Fn(&str) -> bool,
    ) -> Result<(), Failure> {
        if self.global.yes {
            return Ok(());
        }
        if !(std::io::stdin().is_terminal() && std::io::stderr().is_terminal()) {
            return Err(CliError::NotATerminal {
                question: question.into(),
            }
            .into());
        }
        anstream::eprint!("{prompt}");
        let _ = std::io::stderr().flush();
        // Reading in a thread of its own lets Ctrl-C end the question.
        let (send, answer) = channel();
        std::thread::spawn(move || {
            let mut line = String::new();
            let _ = send.send(std::io::stdin().read_line(&mut line).map(|_| line));
        });
        loop {
            match answer.recv_timeout(Duration::from_millis(50)) {
                Ok(Ok(line)) if accepted(line.trim()) => return Ok(()),
                Ok(_) | Err(RecvTimeoutError::Disconnected) => {
                    let expected = expected.map(str::to_owned);
                    return Err(CliError::Declined { expected }.into());
                }
                Err(RecvTimeoutError::Timeout) if self.interrupt.get().is_some_and(Interrupt::requested) => {
                    return Err(CliError::Interrupted { left: None }.into());
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }
}
