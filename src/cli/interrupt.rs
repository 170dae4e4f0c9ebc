//! Ctrl-C: the first asks for an orderly end, the second leaves at once and says what remains.

use super::failure::{CliError, Failure};
use crate::remedy::ExitKind;
use parking_lot::Mutex;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::sync::Arc;
use tokio::sync::watch;

/// The user's wish to stop; cheap to clone.
///
/// A verb that creates something takes it from [`super::Context::interrupt`] before the first change, watches
/// [`Interrupt::requested`] or [`Interrupt::wait`] beside its work, undoes what is its own and returns
/// [`super::CliError::Interrupted`]. It keeps [`Interrupt::remains`] true for those who press twice.
#[derive(Debug, Clone)]
pub struct Interrupt {
    requested: watch::Receiver<bool>,
    remains: Arc<Mutex<Option<String>>>,
    leaving: Arc<Leaving>,
}

/// What has to be done before the program leaves at once.
#[derive(Default)]
struct Leaving(Mutex<Option<Box<dyn Fn() + Send>>>);

impl std::fmt::Debug for Leaving {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Leaving")
    }
}

/// Whether SIGHUP is ignored, as `nohup` has it; where the system does not say, it is.
fn outlives_its_terminal() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_none_or(|mask| mask & (1 << (SIGHUP - 1)) != 0)
}

impl Interrupt {
    /// Takes over SIGINT, SIGTERM and, unless whoever started it wants it ignored, SIGHUP for the rest of the process.
    pub(super) fn install() -> std::io::Result<Self> {
        let (send, requested) = watch::channel(false);
        let remains = Arc::new(Mutex::new(None::<String>));
        let mut signals = Signals::new([SIGINT, SIGTERM])?;
        if !outlives_its_terminal() {
            signals.add_signal(SIGHUP)?;
        }
        let shared = remains.clone();
        let leaving = Arc::new(Leaving::default());
        let last = leaving.clone();
        std::thread::Builder::new().name("interrupt".into()).spawn(move || {
            for _ in signals.forever() {
                if *send.borrow() {
                    if let Some(last) = last.0.lock().as_ref() {
                        last();
                    }
                    let left = shared.lock().clone();
                    let left = left.unwrap_or_else(|| "no known resources".into());
                    anstream::eprintln!("\nleft:  {left}");
                    std::process::exit(i32::from(ExitKind::Interrupted as u8));
                }
                anstream::eprintln!("\ninterrupted: cleaning up; press Ctrl-C again to exit immediately");
                let _ = send.send(true);
            }
        })?;
        Ok(Self {
            requested,
            remains,
            leaving,
        })
    }

    /// An interrupt that never comes, for tests.
    pub fn never() -> Self {
        let (_, requested) = watch::channel(false);
        Self {
            requested,
            remains: Default::default(),
            leaving: Default::default(),
        }
    }

    /// Whether the user asked to stop.
    pub fn requested(&self) -> bool {
        *self.requested.borrow()
    }

    /// The wish as a channel, for parts that know nothing of the command line.
    pub fn receiver(&self) -> watch::Receiver<bool> {
        self.requested.clone()
    }

    /// Does something that changes nothing, unless the user asks to stop first.
    ///
    /// # Errors
    /// [`CliError::Interrupted`], and those of the work.
    pub async fn or<T, E: Into<Failure>>(&self, work: impl Future<Output = Result<T, E>>) -> Result<T, Failure> {
        tokio::select! {
            done = work => done.map_err(Into::into),
            () = self.wait() => Err(CliError::Interrupted { left: self.remains.lock().clone() }.into()),
        }
    }

    /// Waits until the user asks to stop.
    pub async fn wait(&self) {
        let mut requested = self.requested.clone();
        if requested.wait_for(|stop| *stop).await.is_err() {
            // Nobody can ask any more.
            std::future::pending::<()>().await;
        }
    }

    /// Says what would be left if the program left now; `None` when nothing.
    pub fn remains(&self, what: impl Into<Option<String>>) {
        *self.remains.lock() = what.into();
    }

    /// Says what is to be done before the program leaves at once: something short, such as ending a process of its own.
    pub fn before_leaving(&self, last: impl Fn() + Send + 'static) {
        *self.leaving.0.lock() = Some(Box::new(last));
    }
}
