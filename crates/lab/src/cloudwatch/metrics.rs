//! Metrics: data points in memory, and statistics over periods.

use crate::api::{ApiError, list, text};
use crate::clock;
use serde_json::{Value, json};
use std::collections::{BTreeMap, VecDeque};

/// Data points kept for one metric; the oldest go first.
const KEPT: usize = 10_000;

/// Identity of a metric: namespace, name, dimensions in order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) dimensions: Vec<(String, String)>,
}

impl Key {
    /// The metric that a request names.
    pub(super) fn of(value: &Value, namespace: Option<String>) -> Self {
        Self {
            namespace: namespace.or_else(|| text(value, "Namespace")).unwrap_or_default(),
            name: text(value, "MetricName").unwrap_or_default(),
            dimensions: dimensions(value),
        }
    }

    /// The metric as it is shown.
    pub(super) fn shown(&self) -> Value {
        let dimensions: Vec<Value> = self
            .dimensions
            .iter()
            .map(|(n, v)| json!({"Name": n, "Value": v}))
            .collect();
        json!({"Namespace": self.namespace, "MetricName": self.name, "Dimensions": dimensions})
    }
}

/// Dimensions of a request, sorted.
pub(super) fn dimensions(value: &Value) -> Vec<(String, String)> {
    let mut all: Vec<(String, String)> = list(value, "Dimensions")
        .iter()
        .filter_map(|d| Some((text(d, "Name")?, text(d, "Value").unwrap_or_default())))
        .collect();
    all.sort();
    all
}

/// Values that were put for one moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Point {
    pub(super) at: f64,
    pub(super) count: f64,
    pub(super) sum: f64,
    pub(super) min: f64,
    pub(super) max: f64,
}

impl Point {
    fn one(at: f64, value: f64, count: f64) -> Self {
        Self {
            at,
            count,
            sum: value * count,
            min: value,
            max: value,
        }
    }

    fn add(&mut self, other: Self) {
        self.count += other.count;
        self.sum += other.sum;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
    }

    /// A statistic by its name; `None` for one that is not kept, such as a percentile.
    pub(super) fn statistic(&self, name: &str) -> Option<f64> {
        match name {
            "SampleCount" => Some(self.count),
            "Sum" => Some(self.sum),
            "Minimum" => Some(self.min),
            "Maximum" => Some(self.max),
            "Average" => Some(self.sum / self.count),
            _ => None,
        }
    }
}

/// All metrics.
#[derive(Default)]
pub(super) struct Metrics {
    pub(super) series: BTreeMap<Key, (VecDeque<Point>, String)>,
}

fn float(value: &Value, name: &str) -> Option<f64> {
    text(value, name)?.parse().ok()
}

fn invalid(code: &str, message: impl Into<String>) -> ApiError {
    ApiError::new(code, message)
}

impl Metrics {
    /// Takes the data of one PutMetricData, all or nothing.
    pub(super) fn put(&mut self, namespace: &str, data: &[Value]) -> Result<(), ApiError> {
        if namespace.starts_with("AWS/") && namespace.len() > 255 {
            return Err(invalid("InvalidParameterValue", "The namespace is too long"));
        }
        if data.len() > 1000 {
            return Err(invalid(
                "InvalidParameterValue",
                "The collection MetricData must not have a size greater than 1000.",
            ));
        }
        let mut new = Vec::new();
        for (i, datum) in data.iter().enumerate() {
            let at = i + 1;
            let key = Key::of(datum, Some(namespace.to_owned()));
            if key.name.is_empty() {
                return Err(invalid(
                    "MissingParameter",
                    format!("The parameter MetricData.member.{at}.MetricName is required."),
                ));
            }
            if key.dimensions.len() > 30 {
                return Err(invalid("InvalidParameterValue", "At most 30 dimensions are allowed."));
            }
            let time = match text(datum, "Timestamp") {
                None => clock::now_seconds(),
                Some(text) => clock::parse_iso(&text)
                    .or_else(|| text.parse().ok())
                    .ok_or_else(|| invalid("InvalidParameterValue", format!("The timestamp {text} is not valid")))?,
            };
            let point = point(datum, time).ok_or_else(|| {
                invalid(
                    "InvalidParameterCombination",
                    format!("At least one of the parameters MetricData.member.{at}.Value, .Values or .StatisticValues must be specified."),
                )
            })?;
            if ![point.sum, point.min, point.max].iter().all(|v| v.is_finite()) {
                return Err(invalid(
                    "InvalidParameterValue",
                    format!("The value of MetricData.member.{at} is not a number"),
                ));
            }
            new.push((key, point, text(datum, "Unit").unwrap_or_else(|| "None".to_owned())));
        }
        for (key, point, unit) in new {
            let (points, known) = self.series.entry(key).or_default();
            *known = unit;
            // Data may arrive late.
            let position = points.iter().rposition(|p| p.at <= point.at).map_or(0, |p| p + 1);
            points.insert(position, point);
            if points.len() > KEPT {
                points.pop_front();
            }
        }
        Ok(())
    }

    /// One point for each period of `period` seconds from `start` (inclusive) to `end` (exclusive) that has data.
    pub(super) fn periods(&self, key: &Key, start: f64, end: f64, period: f64) -> Vec<Point> {
        let mut out: Vec<Point> = Vec::new();
        let Some((points, _)) = self.series.get(key) else {
            return out;
        };
        for point in points.iter().filter(|p| p.at >= start && p.at < end) {
            let at = start + ((point.at - start) / period).floor() * period;
            match out.last_mut() {
                Some(last) if last.at == at => last.add(*point),
                _ => out.push(Point { at, ..*point }),
            }
        }
        out
    }
}

fn point(datum: &Value, at: f64) -> Option<Point> {
    if let Some(value) = float(datum, "Value") {
        return Some(Point::one(at, value, 1.0));
    }
    if let Some(set) = datum.get("StatisticValues") {
        return Some(Point {
            at,
            count: float(set, "SampleCount")?,
            sum: float(set, "Sum")?,
            min: float(set, "Minimum")?,
            max: float(set, "Maximum")?,
        });
    }
    let number = |v: &Value| v.as_f64().or_else(|| v.as_str().and_then(|t| t.parse().ok()));
    let counts: Vec<f64> = list(datum, "Counts").iter().filter_map(number).collect();
    let mut out: Option<Point> = None;
    for (i, value) in list(datum, "Values").iter().filter_map(number).enumerate() {
        let next = Point::one(at, value, counts.get(i).copied().unwrap_or(1.0));
        match &mut out {
            Some(sum) => sum.add(next),
            None => out = Some(next),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statistics_over_periods() {
        let mut metrics = Metrics::default();
        let data: Vec<Value> = [(0, 1), (30, 3), (60, 5)]
            .iter()
            .map(|(t, v)| json!({"MetricName": "m", "Timestamp": t, "Value": v, "Dimensions": [{"Name": "d", "Value": "x"}]}))
            .chain([json!({"MetricName": "m", "Timestamp": 61, "Values": [1, 9], "Counts": [2, 1], "Dimensions": [{"Name": "d", "Value": "x"}]})])
            .collect();
        metrics.put("n", &data).unwrap();
        let key = Key {
            namespace: "n".into(),
            name: "m".into(),
            dimensions: vec![("d".into(), "x".into())],
        };
        let periods = metrics.periods(&key, 0.0, 120.0, 60.0);
        assert_eq!(periods.len(), 2);
        assert_eq!(periods[0].statistic("Average"), Some(2.0));
        assert_eq!(
            (periods[1].statistic("Sum"), periods[1].statistic("Maximum")),
            (Some(16.0), Some(9.0))
        );
        assert_eq!(periods[1].statistic("SampleCount"), Some(4.0));
        assert_eq!(periods[0].statistic("p99"), None);
    }

    #[test]
    fn refuses_data_without_values() {
        let mut metrics = Metrics::default();
        for (datum, code) in [
            (json!({"MetricName": "m"}), "InvalidParameterCombination"),
            (json!({"Value": 1}), "MissingParameter"),
            (json!({"MetricName": "m", "Value": "NaN"}), "InvalidParameterValue"),
            (
                json!({"MetricName": "m", "Value": 1, "Timestamp": "soon"}),
                "InvalidParameterValue",
            ),
        ] {
            assert_eq!(
                metrics.put("n", std::slice::from_ref(&datum)).unwrap_err().code,
                code,
                "{datum}"
            );
        }
        assert!(metrics.series.is_empty());
    }
}
