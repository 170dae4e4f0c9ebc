//! What the load balancer said of its targets, look by look, and until when an outage waited for one.

/// The targets of a load balancer at one look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Targets {
    /// Those that are healthy.
    pub healthy: usize,
    /// Those whose registration is over, healthy or not: while none is healthy, the load balancer sends connections to all of these.
    pub registered: usize,
}

impl Targets {
    /// Whether no connection gets through, whatever runs behind.
    fn shut(self) -> bool {
        self.registered == 0
    }
}

/// One look at them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Look {
    /// When, in nanoseconds of the round.
    pub at_ns: u64,
    /// What was seen.
    pub targets: Targets,
}

/// The first look, and those that saw something else than the one before.
pub(crate) fn changes(looks: &[Look]) -> impl Iterator<Item = &Look> {
    let before = std::iter::once(None).chain(looks.iter().map(|look| Some(look.targets)));
    let changed = |(look, before): &(&Look, Option<Targets>)| Some(look.targets) != *before;
    looks.iter().zip(before).filter(changed).map(|(look, _)| look)
}

/// A moment that lies within a stretch of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// When, in nanoseconds of the round.
    pub at_ns: u64,
    /// How far it may be off.
    pub uncertainty_ns: u64,
}

/// Until when an outage waited for a target; `None` when the load balancer was not what it waited for.
/// `first_ok_ns` is the first success of any client after it began, which proves that connections were let through by then.
///
/// With a look that saw a healthy target before that success, it waited until that look. With one after it, it waited until the last look
/// that saw none: the target became healthy somewhere between the two. With a success while no target was healthy, the load balancer let
/// it through to an unhealthy one, and then it waited for the registration alone, which ended between the last look that saw it under
/// way and the next one, or the success.
pub(crate) fn waited_until(looks: &[Look], last_ok_ns: u64, first_ok_ns: u64) -> Option<Moment> {
    let before = &looks[..looks.partition_point(|look| look.at_ns <= first_ok_ns)];
    let next = looks.get(before.len());
    // The last look that saw it closed, and the first after it, unless the success came first.
    let until = |closed: fn(Targets) -> bool| {
        let down = before.iter().rposition(|look| closed(look.targets))?;
        let last_ns = before[down].at_ns;
        Some(match before.get(down + 1) {
            Some(open) => Moment {
                at_ns: open.at_ns,
                uncertainty_ns: open.at_ns - last_ns,
            },
            None => Moment {
                at_ns: last_ns,
                uncertainty_ns: first_ok_ns - last_ns,
            },
        })
    };
    let was_healthy = |look: Option<&Look>| look.is_some_and(|look| look.targets.healthy > 0);
    let moment = match was_healthy(before.last()) || was_healthy(next) {
        true => until(|targets| targets.healthy == 0),
        false => until(Targets::shut),
    }?;
    (last_ok_ns..=first_ok_ns).contains(&moment.at_ns).then_some(moment)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Times, and `(healthy, registered)`.
    fn seen(looks: &[(u64, usize, usize)]) -> Vec<Look> {
        let look = |&(at_ns, healthy, registered)| Look {
            at_ns,
            targets: Targets { healthy, registered },
        };
        looks.iter().map(look).collect()
    }

    fn waited(looks: &[Look], last_ok: u64, first_ok: u64) -> Option<(u64, u64)> {
        waited_until(looks, last_ok, first_ok).map(|moment| (moment.at_ns, moment.uncertainty_ns))
    }

    #[test]
    fn an_outage_waits_for_its_target_until_the_last_look_at_least() {
        let looks = seen(&[(0, 1, 1), (10, 0, 1), (50, 0, 1), (100, 0, 1), (110, 1, 1), (120, 1, 1)]);
        let changed: Vec<u64> = changes(&looks).map(|look| look.at_ns).collect();
        assert_eq!(changed, [0, 10, 110]);
        for (last_ok, first_ok, expected) in [
            (5, 115, Some((110, 10))),
            // Between two looks.
            (5, 105, Some((100, 5))),
            // It ended while no target was healthy: the load balancer let it through.
            (5, 60, None),
            // It began when a target was healthy again.
            (111, 115, None),
        ] {
            assert_eq!(waited(&looks, last_ok, first_ok), expected, "{last_ok} {first_ok}");
        }
        assert_eq!(waited(&seen(&[(0, 1, 1), (10, 1, 1)]), 5, 8), None);
        assert_eq!(waited(&seen(&[(0, 1, 1), (10, 0, 1)]), 5, 20), None, "nobody knows");
        assert_eq!(waited(&[], 5, 20), None);
    }

    /// An instance was replaced, with the delays of AWS, in milliseconds: its target is registered for a minute and healthy 5 s later, and
    /// the load balancer sends connections to it as soon as it is registered.
    #[test]
    fn a_registration_that_was_waited_for_is_no_reconnect_though_no_target_was_healthy_yet() {
        let mut looks = vec![(0, 1, 1), (5_000, 0, 1), (10_000, 0, 0)];
        looks.extend((110..=1040).map(|tenth| (tenth * 100, 0, 0)));
        looks.extend((1041..1090).map(|tenth| (tenth * 100, 0, 1)));
        looks.push((109_000, 1, 1));
        let looks = seen(&looks);
        for (first_ok, expected) in [
            (104_250, Some((104_100, 100))),
            // Before the next look.
            (104_080, Some((104_000, 80))),
            // What the load balancer says of its targets lags behind.
            (103_970, Some((103_900, 70))),
        ] {
            assert_eq!(waited(&looks, 4_000, first_ok), expected, "{first_ok}");
        }
        // Looks that failed from then on take nothing away.
        let unseen: Vec<Look> = looks.iter().filter(|look| look.at_ns <= 104_000).copied().collect();
        assert_eq!(waited(&unseen, 4_000, 104_250), Some((104_000, 250)));
    }
}
