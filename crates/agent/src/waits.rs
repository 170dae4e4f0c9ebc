//! What a piece of work waited for: commands, calls, the keeper's answers. A mark carries the waits since the mark before,
//! so that a report can tell the agent's own time from theirs.
//!
//! Each piece of work is on a thread of its own, and so are its waits. Those of threads that nobody measures, such as health
//! checks, are not kept.

use super::marks::unix_nanos;
use crate::model::agent::Wait;
use std::cell::RefCell;
use std::time::{Duration, Instant};

thread_local! {
    static KEPT: RefCell<Option<Vec<Wait>>> = const { RefCell::new(None) };
}

/// Does this thread's work and returns what it waited for meanwhile, in the order in which the waits ended.
pub(crate) fn of<T>(work: impl FnOnce() -> T) -> (T, Vec<Wait>) {
    KEPT.set(Some(Vec::new()));
    let done = work();
    (done, KEPT.take().unwrap_or_default())
}

/// Waits for something that is not the agent.
pub(crate) fn on<T>(what: impl FnOnce() -> String, wait: impl FnOnce() -> T) -> T {
    let begin = Instant::now();
    let done = wait();
    ended(what, begin.elapsed());
    done
}

/// Notes a wait of this length that ends now.
pub(crate) fn ended(what: impl FnOnce() -> String, took: Duration) {
    KEPT.with_borrow_mut(|kept| {
        if let Some(kept) = kept {
            let ns = i64::try_from(took.as_nanos()).unwrap_or(i64::MAX);
            kept.push(Wait {
                what: what(),
                t_unix_ns: unix_nanos() - ns,
                ns,
            });
        }
    });
}

/// Takes from the last wait what of it was the agent's own.
pub(crate) fn less(own: Duration) {
    KEPT.with_borrow_mut(|kept| {
        if let Some(last) = kept.as_mut().and_then(|k| k.last_mut()) {
            last.ns = last
                .ns
                .saturating_sub(i64::try_from(own.as_nanos()).unwrap_or(i64::MAX))
                .max(0);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_waits_of_measured_work_are_kept_in_order_and_others_are_not() {
        ended(|| "before".to_owned(), Duration::from_secs(1));
        let (done, waits) = of(|| {
            ended(|| "systemctl".to_owned(), Duration::from_secs(3));
            less(Duration::from_secs(1));
            on(|| "strmqm QM1".to_owned(), || 7)
        });
        assert_eq!(done, 7);
        let named: Vec<(&str, i64)> = waits.iter().map(|w| (w.what.as_str(), w.ns / 1_000_000_000)).collect();
        assert_eq!(named, [("systemctl", 2), ("strmqm QM1", 0)]);
        ended(|| "after".to_owned(), Duration::from_secs(1));
        assert!(of(|| ()).1.is_empty());
    }
}
