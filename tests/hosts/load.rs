//! Clients that put while a story goes on.

use crate::site::{PATIENCE, QUEUE, Site, until};
use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

/// Messages of one connection.
const BATCH: usize = 5;

/// What clients put, as the one who breaks something sees it.
#[derive(Default)]
pub(crate) struct Load {
    acknowledged: Mutex<Vec<String>>,
    refused: AtomicUsize,
    done: AtomicBool,
}

/// Ends a load, also when its story fails.
struct Ends<'a>(&'a Load);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.done.store(true, Ordering::Release);
    }
}

impl Load {
    /// Waits until 20 more messages are acknowledged.
    pub(crate) fn goes_on(&self) {
        let count = || self.acknowledged.lock().unwrap().len();
        let least = count() + 20;
        until("messages are acknowledged", PATIENCE, || {
            (count() >= least).then_some(())
        });
    }

    /// How many attempts to put ended without an acknowledgment.
    pub(crate) fn refused(&self) -> usize {
        self.refused.load(Ordering::Acquire)
    }

    fn put(&self, site: &Site) {
        for batch in 0.. {
            if self.done.load(Ordering::Acquire) {
                break;
            }
            match site.try_put(&format!("load-{batch}"), BATCH) {
                Ok(ids) if ids.len() == BATCH => self.acknowledged.lock().unwrap().extend(ids),
                // What became of the others is unknown.
                other => {
                    self.acknowledged.lock().unwrap().extend(other.unwrap_or_default());
                    self.refused.fetch_add(1, Ordering::AcqRel);
                }
            }
            // The guests share the machine with whoever puts.
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

/// Does something while clients put; the messages that were acknowledged.
pub(crate) fn under_load(site: &Site, work: impl FnOnce(&Load)) -> Vec<String> {
    let load = Load::default();
    std::thread::scope(|scope| {
        let ends = Ends(&load);
        scope.spawn(|| load.put(site));
        load.goes_on();
        work(&load);
        drop(ends);
    });
    load.acknowledged.into_inner().unwrap()
}

/// Demands that every acknowledged message is on the queue, and none twice; takes all of it.
pub(crate) fn all_are_there_once(site: &Site, acknowledged: &[String]) {
    let last = site.put("last", 1).remove(0);
    let client = until("a client is let in", PATIENCE, || site.client("all").ok());
    let mut got = HashSet::new();
    loop {
        let next = client.get(QUEUE, 1).unwrap().remove(0);
        if next.id == last {
            break;
        }
        // One that is delivered again says so: that is a word of the client that did not arrive, and no second message.
        let again = !got.insert(next.id.clone());
        assert!(!again || next.delivery_count > 0, "{} twice", next.id);
    }
    let lost: Vec<&String> = acknowledged.iter().filter(|id| !got.contains(*id)).collect();
    assert_eq!(lost, Vec::<&String>::new(), "of {}", acknowledged.len());
}
