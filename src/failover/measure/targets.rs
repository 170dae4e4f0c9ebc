//! How many targets of the load balancer were healthy, look by look, and when one was again.

/// Looks in a row that saw the same number of healthy targets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TargetsSeen {
    /// The first look, in nanoseconds of the round.
    pub from_ns: u64,
    /// The last look.
    pub until_ns: u64,
    /// Healthy targets.
    pub healthy: usize,
}

/// Adds a look to those before it.
pub(crate) fn look(seen: &mut Vec<TargetsSeen>, at_ns: u64, healthy: usize) {
    match seen.last_mut() {
        Some(last) if last.healthy == healthy => last.until_ns = at_ns,
        _ => seen.push(TargetsSeen {
            from_ns: at_ns,
            until_ns: at_ns,
            healthy,
        }),
    }
}

/// Until when an outage waited for a healthy target, at least; `None` when the load balancer was not what it waited for.
/// `first_ok_ns` is the first success of any client after it began.
///
/// With a success between the last look that saw none and the first that saw one, it waited until the former: the target became
/// healthy somewhere between the two. With one while none was seen healthy, it did not wait for that.
pub(crate) fn waited_until(seen: &[TargetsSeen], last_ok_ns: u64, first_ok_ns: u64) -> Option<u64> {
    let down = seen
        .iter()
        .rposition(|look| look.healthy == 0 && look.from_ns <= first_ok_ns)?;
    let again = seen.get(down + 1)?;
    let until = match again.from_ns <= first_ok_ns {
        true => again.from_ns,
        false => seen[down].until_ns,
    };
    (last_ok_ns..=first_ok_ns).contains(&until).then_some(until)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(looks: &[(u64, usize)]) -> Vec<TargetsSeen> {
        let mut seen = Vec::new();
        for &(at, healthy) in looks {
            look(&mut seen, at, healthy);
        }
        seen
    }

    #[test]
    fn an_outage_waits_for_its_target_until_the_last_look_at_least() {
        let looks = seen(&[(0, 1), (10, 0), (50, 0), (100, 0), (110, 1), (120, 1)]);
        assert_eq!(looks.len(), 3, "{looks:?}");
        for (last_ok, first_ok, waited) in [
            (5, 115, Some(110)),
            // Between two looks.
            (5, 105, Some(100)),
            // It ended while no target was seen healthy: the load balancer let it through.
            (5, 60, None),
            // It began when a target was healthy again.
            (111, 115, None),
        ] {
            assert_eq!(waited_until(&looks, last_ok, first_ok), waited, "{last_ok} {first_ok}");
        }
        assert_eq!(waited_until(&seen(&[(0, 1), (10, 1)]), 5, 8), None);
        assert_eq!(waited_until(&seen(&[(0, 1), (10, 0)]), 5, 20), None, "nobody knows");
    }
}
