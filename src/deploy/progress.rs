//! Progress of an operation, from its events.

use super::ports::Event;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// What an event means for somebody who watches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// Work on a resource began.
    Began {
        /// Logical id.
        logical: String,
        /// Resource type.
        kind: String,
        /// What CloudFormation says it does, when it says so.
        reason: Option<String>,
    },
    /// Work on a resource ended well.
    Ended {
        /// Logical id.
        logical: String,
        /// Physical id.
        physical: Option<String>,
        /// Resource type.
        kind: String,
        /// How long it took.
        took: Duration,
        /// What was done to it: `create`, `update`, `delete`.
        verb: Verb,
    },
    /// Work on a resource failed.
    Failed {
        /// Logical id.
        logical: String,
        /// Resource type.
        kind: String,
        /// Why, in AWS's words.
        reason: String,
    },
    /// The stack began to undo what was done.
    RollingBack {
        /// Why, in AWS's words.
        reason: String,
    },
}

/// What was done to a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// Created.
    Create,
    /// Updated.
    Update,
    /// Deleted.
    Delete,
    /// Kept, though the stack no longer has it.
    Keep,
}

/// A resource that is being worked on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Work {
    /// Logical id.
    pub logical: String,
    /// Resource type.
    pub kind: String,
    /// What is being done to it.
    pub verb: Verb,
}

/// Follows an operation: feed it events, in any order and more than once; it tells each piece of news once.
#[derive(Debug)]
pub struct Tracker {
    stack_id: String,
    total: usize,
    seen: BTreeSet<String>,
    began: BTreeMap<String, Timestamp>,
    done: BTreeSet<String>,
    waiting: BTreeMap<String, Work>,
    rolling_back: bool,
    events: Vec<Event>,
}

impl Tracker {
    /// Follows the operation on a stack that works on `total` resources.
    pub fn new(stack_id: impl Into<String>, total: usize) -> Self {
        Self {
            stack_id: stack_id.into(),
            total,
            seen: BTreeSet::new(),
            began: BTreeMap::new(),
            done: BTreeSet::new(),
            waiting: BTreeMap::new(),
            rolling_back: false,
            events: Vec::new(),
        }
    }

    /// Takes a batch of events and returns what is new, oldest first.
    pub fn feed(&mut self, events: impl IntoIterator<Item = Event>) -> Vec<News> {
        let mut fresh: Vec<Event> = events.into_iter().filter(|e| self.seen.insert(e.id.clone())).collect();
        fresh.sort_by_key(|e| e.at);
        let news = fresh.iter().filter_map(|event| self.take(event)).collect();
        self.events.append(&mut fresh);
        news
    }

    /// Forgets what was done so far, but not which events were seen: a new operation begins.
    pub fn begin(&mut self) {
        self.began.clear();
        self.done.clear();
        self.waiting.clear();
        self.rolling_back = false;
    }

    /// All events seen so far, in the order of their batches.
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// Resources done, and how many there are.
    pub fn count(&self) -> (usize, usize) {
        (self.done.len().min(self.total), self.total)
    }

    /// The resources that are being worked on.
    pub fn in_work(&self) -> impl Iterator<Item = &Work> {
        self.waiting.values()
    }

    /// The last status that the stack's own events told.
    pub fn last_of_stack(&self) -> Option<&str> {
        let own = self.events.iter().filter(|e| e.is_of_stack(&self.stack_id));
        own.max_by_key(|e| e.at).map(|e| e.status.as_str())
    }

    /// Whether the stack undoes what was done.
    pub fn is_rolling_back(&self) -> bool {
        self.rolling_back
    }

    fn take(&mut self, event: &Event) -> Option<News> {
        let (logical, kind) = (event.logical.clone(), event.kind.clone());
        if event.is_of_stack(&self.stack_id) {
            let turned = event.status.ends_with("ROLLBACK_IN_PROGRESS") && !self.rolling_back;
            self.rolling_back |= turned;
            return turned.then(|| News::RollingBack {
                reason: event.reason.clone().unwrap_or_default(),
            });
        }
        let status = event.status.as_str();
        if status.ends_with("_IN_PROGRESS") {
            // A create reports twice: with the call, and with the id that came back.
            let work = Work {
                logical: logical.clone(),
                kind: kind.clone(),
                verb: match status {
                    "CREATE_IN_PROGRESS" | "IMPORT_IN_PROGRESS" => Verb::Create,
                    "DELETE_IN_PROGRESS" => Verb::Delete,
                    _ => Verb::Update,
                },
            };
            let first = self.waiting.insert(logical.clone(), work).is_none();
            self.began.entry(logical.clone()).or_insert(event.at);
            return first.then(|| News::Began {
                logical,
                kind,
                reason: event.reason.clone(),
            });
        }
        self.waiting.remove(&logical);
        let since = self.began.remove(&logical).unwrap_or(event.at);
        if status.ends_with("_FAILED") {
            return Some(News::Failed {
                logical,
                kind,
                reason: event.reason.clone().unwrap_or_default(),
            });
        }
        let verb = match status {
            "CREATE_COMPLETE" | "IMPORT_COMPLETE" => Verb::Create,
            "DELETE_COMPLETE" => Verb::Delete,
            "DELETE_SKIPPED" => Verb::Keep,
            _ if status.ends_with("_COMPLETE") => Verb::Update,
            _ => return None,
        };
        self.done.insert(logical.clone());
        let took = event.at.duration_since(since).unsigned_abs();
        Some(News::Ended {
            logical,
            physical: event.physical.clone(),
            kind,
            took,
            verb,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::cause::tests::{STACK, event};
    use super::*;

    #[test]
    fn every_piece_of_news_comes_once_and_in_order() {
        let mut tracker = Tracker::new(STACK, 2);
        let first = vec![
            event(2, "FileSystem", "CREATE_COMPLETE", ""),
            event(0, "FileSystem", "CREATE_IN_PROGRESS", ""),
            event(1, "FileSystem", "CREATE_IN_PROGRESS", "Resource creation Initiated"),
        ];
        let news = tracker.feed(first.clone());
        assert!(matches!(&news[0], News::Began { logical, .. } if logical == "FileSystem"));
        let ended = News::Ended {
            logical: "FileSystem".into(),
            physical: Some("fs-physical".into()),
            kind: "AWS::EFS::FileSystem".into(),
            took: Duration::from_secs(2),
            verb: Verb::Create,
        };
        assert_eq!(news[1..], [ended]);
        assert_eq!(tracker.feed(first), []);
        assert_eq!(tracker.count(), (1, 2));
    }

    #[test]
    fn rollback_is_told_once() {
        let mut tracker = Tracker::new(STACK, 2);
        let news = tracker.feed([
            event(0, "Group", "CREATE_IN_PROGRESS", ""),
            event(5, "Group", "CREATE_FAILED", "no signal"),
            event(6, "mqaws-qm1", "ROLLBACK_IN_PROGRESS", "failed to create: [Group]"),
            event(7, "Group", "DELETE_IN_PROGRESS", ""),
        ]);
        assert!(matches!(&news[1], News::Failed { reason, .. } if reason == "no signal"));
        assert!(matches!(&news[2], News::RollingBack { .. }));
        assert!(tracker.is_rolling_back());
        let work = Work {
            logical: "Group".into(),
            kind: "AWS::AutoScaling::AutoScalingGroup".into(),
            verb: Verb::Delete,
        };
        assert_eq!(tracker.in_work().collect::<Vec<_>>(), [&work]);
    }

    #[test]
    fn kept_resources_are_told_apart() {
        let mut tracker = Tracker::new(STACK, 1);
        let news = tracker.feed([event(0, "FileSystem", "DELETE_SKIPPED", "")]);
        assert!(matches!(&news[0], News::Ended { verb: Verb::Keep, .. }));
    }
}
