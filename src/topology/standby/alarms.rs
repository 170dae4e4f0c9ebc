//! The alarms: those of every topology on shared data, and that nobody is ready to take over.

use super::ids::{MEMBERS, OVERLAPS};
use crate::model::Deployment;
use crate::model::agent::metric;
use crate::render::alarm::{Alarm, metrics_namespace};
use crate::render::alarms;
use crate::template::Template;

/// The alarm that fires while no standby is ready.
const STANDBY: &str = "StandbyAlarm";

/// Those that say that service is not as it should be.
pub(super) const OF_SERVICE: [&str; 6] = [
    "OutageAlarm",
    OVERLAPS[0],
    OVERLAPS[1],
    "TwoEnginesAlarm",
    "FenceAlarm",
    STANDBY,
];

/// Adds the alarms.
pub(super) fn add(template: &mut Template, _: &Deployment) {
    alarms::outage().add(template);
    for (name, member) in OVERLAPS.into_iter().zip(&MEMBERS) {
        alarms::overlap(name, member).add(template);
    }
    alarms::two_engines().add(template);
    alarms::fence().add(template);
    alarms::certificate().add(template);
    no_standby().add(template);
}

/// Nobody is ready to take over. The host that waits says of itself whether it is, and the active one whether it sees any; when none
/// says anything, the other alarms tell.
fn no_standby() -> Alarm {
    Alarm {
        name: STANDBY,
        words: "No instance has been ready as a standby for 10 minutes: a failover waits for a replacement",
        metric: (metrics_namespace(), metric::STANDBY_READY),
        dimensions: alarms::of_stack(),
        statistic: "Maximum",
        comparison: "LessThanThreshold",
        threshold: 1,
        minutes: 10,
        when: None,
        missing: "notBreaching",
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::standby;
    use super::*;
    use crate::render::template;

    #[test]
    fn ten_minutes_without_a_ready_standby_raise_an_alarm_of_service() {
        let template = template(&standby()).unwrap();
        let alarm = &template.resources[STANDBY];
        assert_eq!(alarm.properties["EvaluationPeriods"], 10.into());
        assert_eq!(
            alarm.properties["Statistic"].as_str(),
            Some("Maximum"),
            "of what any instance says"
        );
        assert!(OF_SERVICE.contains(&STANDBY));
        assert!(OF_SERVICE.iter().all(|name| template.resources.contains_key(*name)));
    }
}
