//! Latencies: percentiles, and from when on rate and latency are as before the fault.

/// A percentile of sorted values, by the nearest rank; `None` of nothing.
#[must_use]
pub fn percentile(sorted: &[u64], share: f64) -> Option<u64> {
    let rank = (share * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.clamp(1, sorted.len().max(1)) - 1).copied()
}

/// When service is full again: from there on, for `hold_ns`, at least 90 % of the usual rate and at most twice the usual latency.
///
/// `acks` are `(time of the acknowledgement, latency from the due time)`, sorted by time. `None` when that was not seen.
#[must_use]
pub fn full_service(
    acks: &[(u64, u64)],
    from_ns: u64,
    end_ns: u64,
    hold_ns: u64,
    usual_rate: f64,
    usual_p99_ns: u64,
) -> Option<u64> {
    let wanted = (usual_rate * 0.9 * hold_ns as f64 / 1e9).ceil() as usize;
    let first = acks.partition_point(|ack| ack.0 < from_ns);
    for (at, &(start, _)) in acks.iter().enumerate().skip(first) {
        if start + hold_ns > end_ns {
            return None;
        }
        let until = acks.partition_point(|ack| ack.0 < start + hold_ns);
        let mut latencies: Vec<u64> = acks[at..until].iter().map(|ack| ack.1).collect();
        latencies.sort_unstable();
        let calm = percentile(&latencies, 0.99).is_some_and(|p99| p99 <= usual_p99_ns.saturating_mul(2));
        if latencies.len() >= wanted.max(1) && calm {
            return Some(start);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn every(step: u64, from: u64, to: u64) -> Vec<u64> {
        (0..).map(|k| from + k * step).take_while(|at| *at < to).collect()
    }

    #[test]
    fn percentiles_by_rank() {
        for (values, share, expected) in [
            (vec![], 0.5, None),
            (vec![7], 0.999, Some(7)),
            ((1..=100).collect(), 0.99, Some(99)),
            ((1..=100).collect(), 0.5, Some(50)),
            ((1..=1000).collect(), 0.999, Some(999)),
        ] {
            assert_eq!(percentile(&values, share), expected);
        }
    }

    #[test]
    fn full_service_wants_rate_and_latency_for_a_while() {
        let mut acks: Vec<(u64, u64)> = every(50 * MS, 0, 1000 * MS).into_iter().map(|at| (at, MS)).collect(); // too few
        acks.extend(every(5 * MS, 1000 * MS, 2000 * MS).into_iter().map(|at| (at, 50 * MS))); // too late
        acks.extend(every(5 * MS, 2000 * MS, 4000 * MS).into_iter().map(|at| (at, MS)));
        let got = full_service(&acks, 0, 4000 * MS, 500 * MS, 200.0, MS);
        assert!(got.is_some_and(|at| (1980 * MS..=2000 * MS).contains(&at)), "{got:?}");
        assert_eq!(full_service(&acks, 0, 2400 * MS, 500 * MS, 200.0, MS), None);
    }
}
