//! Logs: JSON lines on standard output, where the journal or the lab's console takes them.

use tracing_subscriber::EnvFilter;

/// Variable that sets what is logged, `info` by default.
const FILTER: &str = "MQAWS_LOG";

/// Starts logging for this process. A second call does nothing.
pub fn start() {
    let asked = std::env::var(FILTER).ok().filter(|f| !f.is_empty());
    let filter = EnvFilter::try_new(asked.as_deref().unwrap_or("info")).unwrap_or_else(|_| EnvFilter::new("info"));
    let _ = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_span_list(false)
        .with_env_filter(filter)
        .with_writer(std::io::stdout)
        .try_init();
}
