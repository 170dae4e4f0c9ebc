//! Progress on standard error: moving lines on a terminal, plain lines once each off one.

use super::terminal::shown;
use super::words::duration;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use parking_lot::Mutex;
use std::io::{IsTerminal, Write as _};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A wait shorter than this is not worth a line.
const WORTH_A_LINE: Duration = Duration::from_secs(1);

/// Shows what goes on; cheap to clone, usable from any thread.
#[derive(Debug, Clone)]
pub struct Progress {
    mode: Mode,
}

#[derive(Debug, Clone)]
enum Mode {
    Silent,
    Plain,
    Live(MultiProgress),
}

impl Progress {
    /// Progress as the options and standard error allow.
    pub(super) fn new(wanted: bool) -> Self {
        let mode = if !wanted {
            Mode::Silent
        } else if std::io::stderr().is_terminal() {
            Mode::Live(MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(12)))
        } else {
            Mode::Plain
        };
        Self { mode }
    }

    /// Progress that shows nothing, for tests and for programs that embed a verb.
    pub fn silent() -> Self {
        Self { mode: Mode::Silent }
    }

    /// Prints a line that stays.
    pub fn line(&self, text: impl AsRef<str>) {
        if !matches!(self.mode, Mode::Silent) {
            self.aside(|| {
                let _ = writeln!(anstream::stderr().lock(), "{}", shown(text.as_ref()));
            });
        }
    }

    /// Begins a wait: on a terminal a moving line with the time elapsed; off one, [`Wait::update`] prints each new text
    /// once, after a second. Dropping the wait removes the moving line.
    pub fn wait(&self, text: impl Into<String>) -> Wait {
        let text = shown(&text.into()).into_owned();
        let bar = match &self.mode {
            Mode::Live(bars) => {
                let bar = bars.add(ProgressBar::new_spinner().with_style(style()));
                bar.set_message(text.clone());
                bar.enable_steady_tick(Duration::from_millis(100));
                Some(bar)
            }
            Mode::Silent | Mode::Plain => None,
        };
        Wait {
            progress: self.clone(),
            bar,
            began: Instant::now(),
            last: Arc::new(Mutex::new(String::new())),
        }
    }

    /// Runs something that prints, with the moving lines out of the way.
    pub(super) fn aside<T>(&self, print: impl FnOnce() -> T) -> T {
        match &self.mode {
            Mode::Live(bars) => bars.suspend(print),
            Mode::Silent | Mode::Plain => print(),
        }
    }
}

fn style() -> ProgressStyle {
    ProgressStyle::with_template("{spinner} {wide_msg} {since}")
        .unwrap_or_else(|_| ProgressStyle::default_spinner())
        .tick_chars("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏ ")
        .with_key("since", |state: &ProgressState, w: &mut dyn std::fmt::Write| {
            let _ = write!(w, "{}", duration(state.elapsed()));
        })
}

/// One wait that is going on.
#[derive(Debug)]
pub struct Wait {
    progress: Progress,
    bar: Option<ProgressBar>,
    began: Instant,
    last: Arc<Mutex<String>>,
}

impl Wait {
    /// Says what is waited for now; call it as often as you poll.
    pub fn update(&self, text: impl Into<String>) {
        let text = shown(&text.into()).into_owned();
        match (&self.progress.mode, &self.bar) {
            (_, Some(bar)) => bar.set_message(text),
            (Mode::Plain, None) if self.began.elapsed() >= WORTH_A_LINE => {
                let mut last = self.last.lock();
                if *last != text {
                    self.progress.line(&text);
                    *last = text;
                }
            }
            _ => {}
        }
    }

    /// How long the wait has lasted.
    pub fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// Ends the wait with a line that stays.
    pub fn finish(self, text: impl AsRef<str>) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        self.progress.line(text);
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
