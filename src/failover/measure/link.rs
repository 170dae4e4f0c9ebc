//! What repetition and order have in common: connections that carry messages to consumers, and times without this process's own pauses.

/// A consumer's connection, which carries one link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Link {
    /// Which consumer, from 0.
    pub consumer: u32,
    /// Number of its connection, from 1.
    pub connection: u32,
}

/// What follows from the end of a connection may be seen this much earlier than the last that was heard on it: another task saw it.
pub(super) const LATE_NS: u64 = 250_000_000;

/// Doubts that are kept; more are decided against the broker, as they stand.
pub(super) const MAX_DOUBTS: usize = 10_000;

/// Times in which this process did not run. It could neither read nor settle then, so they do not count.
#[derive(Debug, Clone, Default)]
pub(super) struct Pauses(Vec<(u64, u64)>);

impl Pauses {
    /// This process did not run.
    pub(super) fn add(&mut self, from_ns: u64, to_ns: u64) {
        self.0.push((from_ns, to_ns));
    }

    /// How long this process ran between two times; 0 when the second is not the later one.
    pub(super) fn awake_ns(&self, from_ns: u64, to_ns: u64) -> u64 {
        let paused = |&(from, to): &(u64, u64)| to.min(to_ns).saturating_sub(from.max(from_ns));
        let paused: u64 = self
            .0
            .iter()
            .rev()
            .take_while(|pause| pause.1 > from_ns)
            .map(paused)
            .sum();
        to_ns.saturating_sub(from_ns).saturating_sub(paused)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_do_not_count() {
        let mut pauses = Pauses::default();
        assert_eq!((pauses.awake_ns(10, 100), pauses.awake_ns(100, 10)), (90, 0));
        pauses.add(20, 30);
        pauses.add(90, 120);
        for (from, to, awake) in [
            (10, 100, 70),
            (25, 95, 60),
            (30, 90, 60),
            (0, 5, 5),
            (95, 110, 0),
            (120, 130, 10),
        ] {
            assert_eq!(pauses.awake_ns(from, to), awake, "{from} to {to}");
        }
    }
}
