//! Who holds which lock, as a pure function of what was asked and when.

use std::collections::HashMap;
use std::time::Duration;

/// A file that can be locked: file system and path below its root.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct LockKey {
    /// File system id.
    pub(crate) file_system: String,
    /// Path below the root of the file system, without a leading slash.
    pub(crate) path: String,
}

/// Who asks for a lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Claim {
    /// Connection of the asker; unique for the server's life.
    pub(crate) connection: u64,
    /// Instance on which it runs.
    pub(crate) instance: String,
    /// Name of the asker, unique per keeper.
    pub(crate) owner: String,
}

/// Why a lock was not given or is no longer held.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum LeaseError {
    /// Another holder's lease runs.
    #[error("busy: held by {instance}")]
    Busy {
        /// Instance of the holder.
        instance: String,
    },
    /// The connection holds no lock: never had one, or its lease ended.
    #[error("expired")]
    Expired,
    /// One connection holds one lock.
    #[error("this connection already holds another lock")]
    Second,
}

#[derive(Debug, Clone)]
struct Held {
    claim: Claim,
    ends: Duration,
}

/// All locks of a lab. Times are durations on one monotonic clock.
#[derive(Debug)]
pub(crate) struct LeaseTable {
    lease: Duration,
    held: HashMap<LockKey, Held>,
}

impl LeaseTable {
    /// An empty table with one lease time for all locks.
    pub(crate) fn new(lease: Duration) -> Self {
        Self {
            lease,
            held: HashMap::new(),
        }
    }

    /// The lease time.
    pub(crate) fn lease(&self) -> Duration {
        self.lease
    }

    /// Instance and owner that hold a lock whose lease runs at `now`.
    pub(crate) fn holder(&self, now: Duration, key: &LockKey) -> Option<&Claim> {
        self.held.get(key).filter(|h| now < h.ends).map(|h| &h.claim)
    }

    /// Takes a lock; taking the one that the connection holds renews it.
    ///
    /// # Errors
    /// `Busy` while another owner's lease runs; `Expired` for an owner whose own lease on it ended, as a client of NFS is told that comes
    /// back too late; `Second` when the connection holds another lock.
    pub(crate) fn lock(&mut self, now: Duration, key: LockKey, claim: Claim) -> Result<(), LeaseError> {
        // An owner that comes over a new connection is the same owner.
        if let Some(holder) = self.holder(now, &key)
            && holder.connection != claim.connection
            && holder.owner != claim.owner
        {
            return Err(LeaseError::Busy {
                instance: holder.instance.clone(),
            });
        }
        let left = self.held.get(&key).filter(|h| now >= h.ends);
        if left.is_some_and(|h| h.claim.owner == claim.owner && h.claim.connection != claim.connection) {
            return Err(LeaseError::Expired);
        }
        let other = |(k, h): (&LockKey, &Held)| h.claim.connection == claim.connection && *k != key && now < h.ends;
        if self.held.iter().any(other) {
            return Err(LeaseError::Second);
        }
        // What is left of a lock whose lease ended must not be found in place of this one.
        self.held.retain(|_, h| h.claim.connection != claim.connection);
        let ends = now + self.lease;
        self.held.insert(key, Held { claim, ends });
        Ok(())
    }

    /// Proves life: the lease of the connection's lock starts anew.
    ///
    /// # Errors
    /// `Expired` when the connection holds none, also when nobody took it since: what happened on the file system in
    /// between is unknown to the holder.
    pub(crate) fn renew(&mut self, now: Duration, connection: u64) -> Result<(), LeaseError> {
        let lease = self.lease;
        let held = self.held.values_mut().find(|h| h.claim.connection == connection);
        match held.filter(|h| now < h.ends) {
            Some(held) => {
                held.ends = now + lease;
                Ok(())
            }
            None => Err(LeaseError::Expired),
        }
    }

    /// Gives the connection's lock back; nothing to give back is no error.
    pub(crate) fn unlock(&mut self, connection: u64) {
        self.held.retain(|_, h| h.claim.connection != connection);
    }

    /// The connection closed. A running instance's kernel closed the file, which frees the lock; a dead host says
    /// nothing, so its lock stays until the lease ends. One whose lease has ended is remembered, until another owner has it.
    pub(crate) fn closed(&mut self, now: Duration, connection: u64, instance_runs: bool) {
        if instance_runs {
            self.held
                .retain(|_, h| h.claim.connection != connection || now >= h.ends);
        }
    }

    /// Forgets the locks of a file system that was deleted.
    pub(crate) fn forget(&mut self, file_system: &str) {
        self.held.retain(|k, _| k.file_system != file_system);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LEASE: Duration = Duration::from_millis(3000);

    fn key(path: &str) -> LockKey {
        LockKey {
            file_system: "fs-1".into(),
            path: path.into(),
        }
    }

    fn claim(connection: u64) -> Claim {
        Claim {
            connection,
            instance: format!("i-{connection}"),
            owner: format!("keeper-{connection}"),
        }
    }

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    #[test]
    fn a_lock_ends_as_nfs_ends_it() {
        // what happens to the first holder at 100 ms, and when the second may lock
        type Event = fn(&mut LeaseTable);
        let cases: [(&str, Event, u64); 4] = [
            ("unlocked", |t| t.unlock(1), 101),
            ("process gone, host runs", |t| t.closed(ms(100), 1, true), 101),
            ("host gone", |t| t.closed(ms(100), 1, false), 3000),
            ("frozen", |_| {}, 3000),
        ];
        for (name, event, free_at) in cases {
            let mut table = LeaseTable::new(LEASE);
            table.lock(ms(0), key("a"), claim(1)).unwrap();
            event(&mut table);
            if free_at > 101 {
                let busy = LeaseError::Busy { instance: "i-1".into() };
                assert_eq!(table.lock(ms(free_at - 1), key("a"), claim(2)), Err(busy), "{name}");
            }
            assert_eq!(table.lock(ms(free_at), key("a"), claim(2)), Ok(()), "{name}");
            assert_eq!(table.renew(ms(free_at), 1), Err(LeaseError::Expired), "{name}");
        }
    }

    #[test]
    fn a_late_renewal_is_refused_even_when_nobody_took_the_lock() {
        let mut table = LeaseTable::new(LEASE);
        table.lock(ms(0), key("a"), claim(1)).unwrap();
        assert_eq!(table.renew(ms(2999), 1), Ok(()));
        assert_eq!(table.renew(ms(2999 + 3000), 1), Err(LeaseError::Expired));
    }

    #[test]
    fn an_owner_comes_over_a_new_connection_in_time_and_is_told_when_it_is_too_late() {
        let again = |connection| Claim { connection, ..claim(1) };
        let mut table = LeaseTable::new(LEASE);
        table.lock(ms(0), key("a"), claim(1)).unwrap();
        assert_eq!(table.lock(ms(2000), key("a"), again(7)), Ok(()));
        // The end of the old connection takes nothing from the new one.
        table.closed(ms(2001), 1, true);
        assert_eq!(table.renew(ms(2002), 7), Ok(()));
        table.closed(ms(6000), 7, true);
        assert_eq!(table.lock(ms(6001), key("a"), again(8)), Err(LeaseError::Expired));
        assert_eq!(table.lock(ms(6002), key("a"), claim(2)), Ok(()));
    }

    #[test]
    fn one_lock_for_each_connection() {
        let mut table = LeaseTable::new(LEASE);
        table.lock(ms(0), key("a"), claim(1)).unwrap();
        assert_eq!(table.lock(ms(1), key("b"), claim(1)), Err(LeaseError::Second));
        assert_eq!(table.lock(ms(1), key("a"), claim(1)), Ok(()));
        assert_eq!(table.lock(ms(1), key("b"), claim(2)), Ok(()));
        table.forget("fs-1");
        assert_eq!(table.renew(ms(2), 1), Err(LeaseError::Expired));
    }

    #[derive(Debug, Clone)]
    enum Op {
        Wait(u64),
        Lock(u64, bool),
        Renew(u64),
        Unlock(u64),
        Closed(u64, bool),
    }

    fn ops() -> impl Strategy<Value = Vec<Op>> {
        let op = prop_oneof![
            (1u64..4000).prop_map(Op::Wait),
            (1u64..5, any::<bool>()).prop_map(|(c, k)| Op::Lock(c, k)),
            (1u64..5).prop_map(Op::Renew),
            (1u64..5).prop_map(Op::Unlock),
            (1u64..5, any::<bool>()).prop_map(|(c, a)| Op::Closed(c, a)),
        ];
        proptest::collection::vec(op, 1..60)
    }

    proptest! {
        /// A holder that trusts its last confirmed lock or renewal for one lease is never one of two.
        #[test]
        fn never_two_holders(ops in ops()) {
            let mut table = LeaseTable::new(LEASE);
            let mut now = 0u64;
            // what each connection may believe: the key and until when
            let mut believes: HashMap<u64, (bool, u64)> = HashMap::new();
            let mut closed = Vec::new();
            for op in ops {
                match op {
                    // a closed connection says nothing more
                    Op::Lock(c, _) | Op::Renew(c) | Op::Unlock(c) | Op::Closed(c, _) if closed.contains(&c) => {}
                    Op::Wait(d) => now += d,
                    Op::Lock(c, k) => {
                        if table.lock(ms(now), key(if k { "a" } else { "b" }), claim(c)).is_ok() {
                            believes.insert(c, (k, now + 3000));
                        }
                    }
                    Op::Renew(c) => match table.renew(ms(now), c) {
                        Ok(()) => {
                            let known = believes.get_mut(&c);
                            prop_assert!(known.is_some(), "renewed without a lock");
                            if let Some(b) = known { b.1 = now + 3000; }
                        }
                        Err(_) => { believes.remove(&c); }
                    },
                    Op::Unlock(c) => { table.unlock(c); believes.remove(&c); }
                    // the process is gone, so it believes nothing any more
                    Op::Closed(c, alive) => { table.closed(ms(now), c, alive); believes.remove(&c); closed.push(c); }
                }
                for k in [true, false] {
                    let holders = believes.values().filter(|(b, until)| *b == k && now < *until).count();
                    prop_assert!(holders <= 1, "{holders} holders at {now}");
                }
            }
        }

        /// Whatever happened, a lock nobody renews is free after one lease.
        #[test]
        fn always_free_after_a_lease(ops in ops()) {
            let mut table = LeaseTable::new(LEASE);
            let mut now = 0u64;
            for op in ops {
                match op {
                    Op::Wait(d) => now += d,
                    Op::Lock(c, k) => { let _ = table.lock(ms(now), key(if k { "a" } else { "b" }), claim(c)); }
                    Op::Renew(c) => { let _ = table.renew(ms(now), c); }
                    Op::Unlock(c) => table.unlock(c),
                    Op::Closed(c, alive) => table.closed(ms(now), c, alive),
                }
            }
            prop_assert_eq!(table.lock(ms(now + 3000), key("a"), claim(99)), Ok(()));
        }
    }
}
