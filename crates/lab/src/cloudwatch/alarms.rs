//! Alarms: what they watch, and their state at the moment somebody asks.

use super::metrics::{Key, Metrics};
use crate::api::{ApiError, flag, number, text, texts};
use crate::clock;
use crate::timing::Timing;
use serde_json::{Map, Value, json};
use std::time::Duration;

/// One alarm: its parameters as they were put, and its last state.
#[derive(Debug, Clone)]
pub(super) struct Alarm {
    pub(super) params: Map<String, Value>,
    pub(super) arn: String,
    pub(super) configured: String,
    pub(super) state: String,
    pub(super) reason: String,
    pub(super) entered: String,
    /// When it was made or changed; earlier data do not count.
    pub(super) since: f64,
}

pub(super) const KNOWN: &[&str] = &[
    "AlarmName",
    "AlarmDescription",
    "ActionsEnabled",
    "OKActions",
    "AlarmActions",
    "InsufficientDataActions",
    "MetricName",
    "Namespace",
    "Statistic",
    "ExtendedStatistic",
    "Dimensions",
    "Period",
    "Unit",
    "EvaluationPeriods",
    "DatapointsToAlarm",
    "Threshold",
    "ComparisonOperator",
    "TreatMissingData",
    "EvaluateLowSampleCountPercentile",
    "Metrics",
    "Tags",
    "ThresholdMetricId",
];

const OPERATORS: &[&str] = &[
    "GreaterThanOrEqualToThreshold",
    "GreaterThanThreshold",
    "LessThanThreshold",
    "LessThanOrEqualToThreshold",
];

/// Checks the parameters of PutMetricAlarm and gives numbers and booleans their types.
pub(super) fn checked(params: &Value) -> Result<Map<String, Value>, ApiError> {
    let bad = |text: String| ApiError::new("ValidationError", text);
    let mut out = params.as_object().cloned().unwrap_or_default();
    let value = Value::Object(out.clone());
    let need = |name: &str| match value.get(name) {
        Some(_) => Ok(()),
        None => Err(ApiError::new(
            "MissingParameter",
            format!("The parameter {name} is required."),
        )),
    };
    need("AlarmName")?;
    need("EvaluationPeriods")?;
    need("ComparisonOperator")?;
    let operator = text(&value, "ComparisonOperator").unwrap_or_default();
    if !OPERATORS.contains(&operator.as_str()) {
        return Err(bad(format!(
            "The comparison operator {operator} is not supported by the local cloud"
        )));
    }
    if value.get("Metrics").is_none() {
        for name in ["MetricName", "Namespace", "Period", "Threshold"] {
            need(name)?;
        }
        if value.get("Statistic").is_none() && value.get("ExtendedStatistic").is_none() {
            return Err(bad(
                "Exactly one of Statistic or ExtendedStatistic must be specified".to_owned()
            ));
        }
    }
    if let Some(treat) = text(&value, "TreatMissingData")
        && !["breaching", "notBreaching", "ignore", "missing"].contains(&treat.as_str())
    {
        return Err(bad(format!("Value '{treat}' at 'treatMissingData' is not valid")));
    }
    for name in ["Period", "EvaluationPeriods", "DatapointsToAlarm"] {
        if value.get(name).is_none() {
            continue;
        }
        match number(&value, name) {
            Some(number) if number > 0 => out.insert(name.to_owned(), number.into()),
            _ => return Err(bad(format!("Value at '{name}' must be a positive integer"))),
        };
    }
    if let Some(threshold) = text(&value, "Threshold") {
        let number: f64 = threshold
            .parse()
            .map_err(|_| bad("Value at 'threshold' must be a number".to_owned()))?;
        out.insert("Threshold".to_owned(), number.into());
    }
    out.insert(
        "ActionsEnabled".to_owned(),
        flag(&value, "ActionsEnabled").unwrap_or(true).into(),
    );
    out.shift_remove("Tags");
    Ok(out)
}

impl Alarm {
    /// Evaluates the alarm now and remembers a change of state.
    pub(super) fn evaluate(&mut self, metrics: &Metrics, timing: Timing, now: f64) {
        let (state, reason) = self.verdict(metrics, timing, now);
        if state != self.state {
            self.state = state.to_owned();
            self.entered = clock::now_iso();
        }
        self.reason = reason;
    }

    fn verdict(&self, metrics: &Metrics, timing: Timing, now: f64) -> (&'static str, String) {
        let params = Value::Object(self.params.clone());
        if params.get("Metrics").is_some() {
            return self.expressions();
        }
        let key = Key::of(&params, None);
        let statistic = text(&params, "Statistic").unwrap_or_default();
        if !metrics.series.contains_key(&key) {
            return (
                "INSUFFICIENT_DATA",
                "Insufficient Data: the local cloud has no data of this metric".to_owned(),
            );
        }
        let seconds = number(&params, "Period").unwrap_or(60).unsigned_abs();
        let period = timing.period(Duration::from_secs(seconds)).as_secs_f64();
        let count = number(&params, "EvaluationPeriods").unwrap_or(1).unsigned_abs() as usize;
        let needed = number(&params, "DatapointsToAlarm").map_or(count, |n| n.unsigned_abs() as usize);
        let threshold = params["Threshold"].as_f64().unwrap_or_default();
        let operator = text(&params, "ComparisonOperator").unwrap_or_default();
        let treat = text(&params, "TreatMissingData").unwrap_or_else(|| "missing".to_owned());
        // The period that runs now is not complete; the last complete ones count.
        let end = (now / period).floor() * period;
        let start = end - period * count as f64;
        let points = metrics.periods(&key, start, end, period);
        let (mut breaching, mut fine, mut missing) = (0, 0, 0);
        for i in 0..count {
            let from = start + period * i as f64;
            let found = points
                .iter()
                .find(|p| (p.at - from).abs() < period / 2.0)
                .and_then(|p| p.statistic(&statistic));
            match found {
                Some(value) if crosses(&operator, value, threshold) => breaching += 1,
                Some(_) => fine += 1,
                None if from < self.since => fine += 1,
                None => match treat.as_str() {
                    "breaching" => breaching += 1,
                    "notBreaching" => fine += 1,
                    _ => missing += 1,
                },
            }
        }
        if missing == count {
            return match treat.as_str() {
                "ignore" if self.state == "ALARM" => ("ALARM", self.reason.clone()),
                "ignore" if self.state == "OK" => ("OK", self.reason.clone()),
                _ => (
                    "INSUFFICIENT_DATA",
                    format!("Insufficient Data: {missing} datapoints were unknown."),
                ),
            };
        }
        if breaching >= needed {
            let text = format!(
                "Threshold Crossed: {breaching} out of the last {count} datapoints crossed the threshold ({threshold}) (minimum {needed} \
                 datapoint(s) for OK -> ALARM transition)."
            );
            ("ALARM", text)
        } else {
            (
                "OK",
                format!("Threshold Crossed: {fine} datapoint(s) did not cross the threshold ({threshold})."),
            )
        }
    }

    fn expressions(&self) -> (&'static str, String) {
        (
            "INSUFFICIENT_DATA",
            "Insufficient Data: the local cloud does not evaluate metric math".to_owned(),
        )
    }

    /// The alarm as DescribeAlarms shows it.
    pub(super) fn shown(&self) -> Value {
        let mut out = self.params.clone();
        for name in ["OKActions", "AlarmActions", "InsufficientDataActions", "Dimensions"] {
            out.entry(name).or_insert_with(|| json!([]));
        }
        out.insert("AlarmArn".into(), self.arn.clone().into());
        out.insert(
            "AlarmConfigurationUpdatedTimestamp".into(),
            self.configured.clone().into(),
        );
        out.insert("StateValue".into(), self.state.clone().into());
        out.insert("StateReason".into(), self.reason.clone().into());
        out.insert("StateUpdatedTimestamp".into(), self.entered.clone().into());
        out.insert("StateTransitionedTimestamp".into(), self.entered.clone().into());
        out.into()
    }

    /// Whether DescribeAlarms' filters let it through.
    pub(super) fn fits(&self, params: &Value) -> bool {
        let name = self.params["AlarmName"].as_str().unwrap_or_default();
        let names: Vec<String> = texts(params, "AlarmNames")
            .into_iter()
            .filter(|n| !n.is_empty())
            .collect();
        let action = text(params, "ActionPrefix");
        let actions = || {
            ["OKActions", "AlarmActions", "InsufficientDataActions"]
                .iter()
                .filter_map(|a| self.params.get(*a))
                .flat_map(|v| v.as_array().cloned().unwrap_or_default())
        };
        (names.is_empty() || names.iter().any(|n| n == name))
            && text(params, "AlarmNamePrefix").is_none_or(|p| name.starts_with(&p))
            && text(params, "StateValue").is_none_or(|s| s == self.state)
            && action.is_none_or(|p| actions().any(|a| a.as_str().is_some_and(|a| a.starts_with(&p))))
    }
}

fn crosses(operator: &str, value: f64, threshold: f64) -> bool {
    match operator {
        "GreaterThanOrEqualToThreshold" => value >= threshold,
        "GreaterThanThreshold" => value > threshold,
        "LessThanThreshold" => value < threshold,
        _ => value <= threshold,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alarm(treat: &str) -> Alarm {
        let params = json!({"AlarmName": "a", "Namespace": "n", "MetricName": "m", "Statistic": "Minimum", "Period": "60",
            "EvaluationPeriods": "2", "Threshold": "1", "ComparisonOperator": "LessThanThreshold", "TreatMissingData": treat});
        Alarm {
            params: checked(&params).unwrap(),
            arn: "arn".into(),
            configured: String::new(),
            state: "INSUFFICIENT_DATA".into(),
            reason: String::new(),
            entered: String::new(),
            since: 0.0,
        }
    }

    fn state(treat: &str, points: &[(i32, i32)]) -> String {
        let mut metrics = Metrics::default();
        let data: Vec<Value> = points
            .iter()
            .map(|(t, v)| json!({"MetricName": "m", "Timestamp": t, "Value": v}))
            .collect();
        metrics.put("n", &data).unwrap();
        let mut alarm = alarm(treat);
        alarm.evaluate(&metrics, Timing::Aws, 610.0);
        alarm.state
    }

    #[test]
    fn states_follow_the_data() {
        // The last two complete minutes are 480..540 and 540..600.
        for (treat, points, expected) in [
            ("missing", &[][..], "INSUFFICIENT_DATA"),
            ("breaching", &[], "INSUFFICIENT_DATA"),
            ("missing", &[(500, 0), (550, 0)], "ALARM"),
            ("missing", &[(500, 0), (550, 1)], "OK"),
            ("missing", &[(500, 1), (550, 1), (605, 0)], "OK"),
            ("breaching", &[(100, 1)], "ALARM"),
            ("notBreaching", &[(100, 0)], "OK"),
            ("missing", &[(100, 0)], "INSUFFICIENT_DATA"),
            ("breaching", &[(550, 0)], "ALARM"),
        ] {
            assert_eq!(state(treat, points), expected, "{treat} {points:?}");
        }
    }

    #[test]
    fn fast_timing_shortens_the_period() {
        let mut metrics = Metrics::default();
        metrics
            .put(
                "n",
                &[
                    json!({"MetricName": "m", "Timestamp": 597.7, "Value": 0}),
                    json!({"MetricName": "m", "Timestamp": 599.5, "Value": 0}),
                ],
            )
            .unwrap();
        let mut alarm = alarm("missing");
        alarm.evaluate(&metrics, Timing::Fast, 600.1);
        assert_eq!(alarm.state, "ALARM");
        alarm.evaluate(&metrics, Timing::Fast, 610.0);
        assert_eq!(alarm.state, "INSUFFICIENT_DATA");
    }

    #[test]
    fn refuses_incomplete_alarms() {
        for params in [
            json!({"AlarmName": "a"}),
            json!({"AlarmName": "a", "EvaluationPeriods": 1, "ComparisonOperator": "LessThanThreshold"}),
            json!({"AlarmName": "a", "EvaluationPeriods": 0, "ComparisonOperator": "LessThanThreshold", "Metrics": []}),
            json!({"AlarmName": "a", "EvaluationPeriods": 1, "ComparisonOperator": "Less", "Metrics": []}),
        ] {
            assert!(checked(&params).is_err(), "{params}");
        }
    }
}
