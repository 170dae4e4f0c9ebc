//! Logs: entries of the journal where the journal takes this process's output, JSON lines on standard output elsewhere.

use super::journal::{Journal, SOCKET};
use std::path::Path;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Variable that sets what is logged, `info` by default.
const FILTER: &str = "MQAWS_LOG";
/// Variable by which systemd says that standard output is the journal's.
const JOURNAL: &str = "JOURNAL_STREAM";

/// Starts logging for this process, under this name. A second call does nothing.
pub(crate) fn start(identifier: &'static str) {
    let asked = std::env::var(FILTER).ok().filter(|f| !f.is_empty());
    let filter = EnvFilter::try_new(asked.as_deref().unwrap_or("info")).unwrap_or_else(|_| EnvFilter::new("info"));
    let journal = std::env::var_os(JOURNAL).and_then(|_| Journal::connect(Path::new(SOCKET), identifier).ok());
    if let Some(journal) = journal {
        let _ = tracing_subscriber::registry().with(filter).with(journal).try_init();
        return;
    }
    let _ = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_span_list(false)
        .with_env_filter(filter)
        .with_writer(std::io::stdout)
        .try_init();
}
