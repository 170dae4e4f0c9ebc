//! Which target a new connection gets: pure.

use super::health::Health;

/// A target that may get connections: registered, in an enabled zone, neither draining nor stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Candidate {
    /// Availability zone.
    pub(crate) zone: String,
    /// Result of its checks.
    pub(crate) health: Health,
}

/// When a load balancer gives up on health and routes to every target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MinimumHealthy {
    /// Fewer healthy targets than this open the group; at least 1.
    pub(crate) count: usize,
    /// A lower share of healthy targets than this opens the group, in percent; 0 is off.
    pub(crate) percent: usize,
}

/// Whether the group fails open: too few healthy targets, so that all get traffic.
pub(crate) fn fails_open(candidates: &[Candidate], minimum: MinimumHealthy) -> bool {
    let healthy = candidates.iter().filter(|c| c.health == Health::Healthy).count();
    healthy < minimum.count.max(1) || healthy * 100 < minimum.percent * candidates.len()
}

/// The index of the target for a connection; `ticket` counts connections or is a hash of the client.
///
/// With cross-zone balancing every eligible target gets the same share; without it, every zone that has one.
pub(crate) fn choose(
    candidates: &[Candidate],
    minimum: MinimumHealthy,
    cross_zone: bool,
    ticket: usize,
) -> Option<usize> {
    let open = fails_open(candidates, minimum);
    let eligible: Vec<usize> = (0..candidates.len())
        .filter(|i| open || candidates[*i].health == Health::Healthy)
        .collect();
    if eligible.is_empty() {
        return None;
    }
    if cross_zone {
        return Some(eligible[ticket % eligible.len()]);
    }
    let mut zones: Vec<&str> = eligible.iter().map(|i| candidates[*i].zone.as_str()).collect();
    zones.sort_unstable();
    zones.dedup();
    let zone = zones[ticket % zones.len()];
    let here: Vec<usize> = eligible.into_iter().filter(|i| candidates[*i].zone == zone).collect();
    Some(here[(ticket / zones.len()) % here.len()])
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: MinimumHealthy = MinimumHealthy { count: 1, percent: 0 };

    /// `ah bu`: a healthy target in zone a, an unhealthy one in zone b.
    fn group(text: &str) -> Vec<Candidate> {
        text.split_whitespace()
            .map(|t| Candidate {
                zone: t[..1].to_owned(),
                health: match &t[1..] {
                    "h" => Health::Healthy,
                    "u" => Health::Unhealthy,
                    _ => Health::Initial,
                },
            })
            .collect()
    }

    #[test]
    fn connections_are_shared_out() {
        // group, minimum, cross-zone, connections for each target out of 12
        let two = MinimumHealthy { count: 2, percent: 0 };
        let half = MinimumHealthy { count: 1, percent: 50 };
        let cases: &[(&str, MinimumHealthy, bool, &[usize])] = &[
            ("", ONE, true, &[]),
            ("ah", ONE, true, &[12]),
            ("ah bh", ONE, true, &[6, 6]),
            ("ah bu", ONE, true, &[12, 0]),
            ("ah bi", ONE, true, &[12, 0]),
            ("au bu", ONE, true, &[6, 6]),
            ("au bi", ONE, true, &[6, 6]),
            ("ah ah bh", ONE, true, &[4, 4, 4]),
            ("ah ah bh", ONE, false, &[3, 3, 6]),
            ("ah au bu", ONE, false, &[12, 0, 0]),
            ("au bu bu", ONE, false, &[6, 3, 3]),
            ("ah bu", two, true, &[6, 6]),
            ("ah bu bu", half, true, &[4, 4, 4]),
            ("ah bh bu", half, true, &[6, 6, 0]),
        ];
        for (text, minimum, cross_zone, want) in cases {
            let group = group(text);
            let mut got = vec![0; group.len()];
            for ticket in 0..12 {
                if let Some(i) = choose(&group, *minimum, *cross_zone, ticket) {
                    got[i] += 1;
                }
            }
            assert_eq!(&got, want, "{text} {minimum:?} cross-zone {cross_zone}");
        }
    }
}
