//! The alarm of a stack whose active host has nobody to take over from it.

use super::{agent, cut, deployed};
use crate::support::{Lab, all, between, call, until};
use mqaws_lab::home::LabRecord;

fn cloudwatch(record: &LabRecord, params: &[(&str, &str)]) -> String {
    call(record, "monitoring", "2010-08-01", params)
}

/// Lets the alarm of a name look at one period of so many seconds, and leaves what else it is as the template has it.
fn shorten(record: &LabRecord, name: &str, seconds: &str) {
    let is = cloudwatch(record, &[("Action", "DescribeAlarms"), ("AlarmNames.member.1", name)]);
    let of = |tag: &str| between(&is, tag);
    assert_eq!((of("Period").as_str(), of("EvaluationPeriods").as_str()), ("60", "10"));
    let (names, values) = (all(&is, "Name"), all(&is, "Value"));
    assert_eq!((names.len(), values.len()), (1, 1), "one dimension: {is}");
    let mut put = vec![
        ("Action", "PutMetricAlarm".to_owned()),
        ("AlarmName", name.to_owned()),
        ("Period", seconds.to_owned()),
        ("EvaluationPeriods", "1".to_owned()),
        ("Dimensions.member.1.Name", names[0].clone()),
        ("Dimensions.member.1.Value", values[0].clone()),
    ];
    for same in [
        "Namespace",
        "MetricName",
        "Statistic",
        "ComparisonOperator",
        "Threshold",
        "TreatMissingData",
    ] {
        put.push((same, of(same)));
    }
    let put: Vec<(&str, &str)> = put.iter().map(|(name, value)| (*name, value.as_str())).collect();
    cloudwatch(record, &put);
}

/// Agents put their metrics once a minute, also in fast timing, and the template's alarm wants ten minutes: here it wants one period of 20 s.
#[test]
fn an_alarm_goes_off_while_nobody_is_ready_to_take_over() {
    let lab = Lab::up(&[]);
    let members = deployed(&lab);
    let record = lab.record();
    until("the active host sees the one that waits", || {
        (agent(&lab, &members.active)["standby_ready"] == true).then_some(())
    });
    let alarms = cloudwatch(&record, &[("Action", "DescribeAlarms")]);
    let name = all(&alarms, "AlarmName")
        .into_iter()
        .find(|name| name.contains("StandbyAlarm"))
        .expect("an alarm");
    // Fast timing divides it by 50.
    shorten(&record, &name, "1000");
    let state = || {
        let is = cloudwatch(&record, &[("Action", "DescribeAlarms"), ("AlarmNames.member.1", &name)]);
        between(&is, "StateValue")
    };
    until("both are there", || (state() == "OK").then_some(()));

    let groups = call(
        &record,
        "autoscaling",
        "2011-01-01",
        &[("Action", "DescribeAutoScalingGroups")],
    );
    for group in all(&groups, "AutoScalingGroupName") {
        let suspend = [
            ("Action", "SuspendProcesses"),
            ("AutoScalingGroupName", group.as_str()),
            ("ScalingProcesses.member.1", "Launch"),
        ];
        call(&record, "autoscaling", "2011-01-01", &suspend);
    }
    cut(&lab, &members.standby);
    until("the active host misses it", || {
        (agent(&lab, &members.active)["standby_ready"] == false).then_some(())
    });
    // The agent puts a datum each minute, and without one in a period the alarm is over until the next.
    let status = until("the alarm goes off", || {
        let status = lab.json(&["status", "--local"], 0);
        let said = status["alarms"].to_string();
        (said.contains("StandbyAlarm") && said.contains("ALARM")).then_some(status)
    });
    assert_eq!(
        (&status["state"], &status["writer"]["instance"]),
        (&"degraded".into(), &members.active.as_str().into()),
        "{status}"
    );
}
