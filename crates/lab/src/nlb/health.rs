//! When a target changes state, as a pure function of its checks.

/// State of a target that is being checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Health {
    /// Not enough checks yet.
    Initial,
    /// Passed enough checks in a row.
    Healthy,
    /// Failed enough checks in a row.
    Unhealthy,
}

/// How many checks in a row change the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Thresholds {
    /// Successes to become healthy, 2 to 10.
    pub(crate) healthy: u32,
    /// Failures to become unhealthy, 2 to 10.
    pub(crate) unhealthy: u32,
}

/// Counts checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Machine {
    state: Health,
    last: bool,
    in_a_row: u32,
}

impl Default for Machine {
    fn default() -> Self {
        Self {
            state: Health::Initial,
            last: true,
            in_a_row: 0,
        }
    }
}

impl Machine {
    /// The state now.
    pub(crate) fn state(&self) -> Health {
        self.state
    }

    /// Takes the result of a check; the new state when it changed.
    pub(crate) fn observe(&mut self, passed: bool, thresholds: Thresholds) -> Option<Health> {
        self.in_a_row = if passed == self.last {
            self.in_a_row.saturating_add(1)
        } else {
            1
        };
        self.last = passed;
        let (needed, next) = match passed {
            true => (thresholds.healthy, Health::Healthy),
            false => (thresholds.unhealthy, Health::Unhealthy),
        };
        if self.in_a_row < needed || self.state == next {
            return None;
        }
        self.state = next;
        Some(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn states_follow_the_checks() {
        // thresholds, checks (+ passed, - failed), state after each: i h u
        for (healthy, unhealthy, checks, want) in [
            (2, 2, "++", "ih"),
            (2, 2, "--", "iu"),
            (3, 2, "++-+++", "iiiiih"),
            (2, 2, "++-+-+--", "ihhhhhhu"),
            (2, 3, "++---++", "ihhhuuh"),
            (5, 2, "--++++-+++++", "iuuuuuuuuuuh"),
            (2, 2, "+-+-+-", "iiiiii"),
        ] {
            let mut machine = Machine::default();
            let thresholds = Thresholds { healthy, unhealthy };
            let mut got = String::new();
            for check in checks.chars() {
                let before = machine.state();
                let change = machine.observe(check == '+', thresholds);
                assert_eq!(change.is_some(), before != machine.state(), "{checks}");
                got.push(match machine.state() {
                    Health::Initial => 'i',
                    Health::Healthy => 'h',
                    Health::Unhealthy => 'u',
                });
            }
            assert_eq!(got, want, "{healthy}/{unhealthy} {checks}");
        }
    }

    proptest! {
        /// The state is what the last long enough run of equal checks says.
        #[test]
        fn the_last_long_run_decides(checks in proptest::collection::vec(any::<bool>(), 0..60), healthy in 2u32..5, unhealthy in 2u32..5) {
            let thresholds = Thresholds { healthy, unhealthy };
            let mut machine = Machine::default();
            let (mut want, mut run, mut last) = (Health::Initial, 0, None);
            for passed in checks {
                machine.observe(passed, thresholds);
                run = if last == Some(passed) { run + 1 } else { 1 };
                last = Some(passed);
                if passed && run >= healthy { want = Health::Healthy; }
                if !passed && run >= unhealthy { want = Health::Unhealthy; }
                prop_assert_eq!(machine.state(), want);
            }
        }
    }
}
