//! The service.

use super::alarms::{Alarm, KNOWN, checked};
use super::metrics::{Key, Metrics};
use crate::api::{
    ACCOUNT, ApiError, ApiResult, Call, Cloud, Service, list, number, only, required, text, texts, unknown_action,
};
use crate::clock;
use crate::cloudformation::intrinsics::partition;
use indexmap::IndexMap;
use parking_lot::{Mutex, MutexGuard};
use serde_json::{Map, Value, json};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

/// CloudWatch of the local cloud.
#[derive(Default)]
pub(crate) struct CloudWatch {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    metrics: Metrics,
    alarms: IndexMap<String, Alarm>,
}

fn time(params: &Value, name: &str) -> Result<f64, ApiError> {
    let value = required(params, name)?;
    clock::parse_iso(&value).or_else(|| value.parse().ok()).ok_or_else(|| {
        ApiError::new(
            "InvalidParameterValue",
            format!("The parameter {name} is not a valid timestamp"),
        )
    })
}

fn period(params: &Value) -> Result<f64, ApiError> {
    match number(params, "Period") {
        Some(period) if period > 0 => Ok(period as f64),
        _ => Err(ApiError::new(
            "InvalidParameterValue",
            "The parameter Period must be a positive number of seconds",
        )),
    }
}

impl CloudWatch {
    /// CloudWatch without metrics.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    fn put_data(&self, params: &Value) -> ApiResult {
        only(params, &["Namespace", "MetricData", "StrictEntityValidation"])?;
        let namespace = required(params, "Namespace")?;
        self.lock().metrics.put(&namespace, &list(params, "MetricData"))?;
        Ok(Value::Null)
    }

    fn put_alarm(&self, cloud: &Cloud, params: &Value) -> ApiResult {
        only(params, KNOWN)?;
        let checked = checked(params)?;
        let name = text(params, "AlarmName").unwrap_or_default();
        let now = clock::now_iso();
        let arn = format!(
            "arn:{}:cloudwatch:{}:{ACCOUNT}:alarm:{name}",
            partition(&cloud.region),
            cloud.region
        );
        let mut state = self.lock();
        let before = state.alarms.get(&name).cloned();
        let alarm = Alarm {
            params: checked,
            arn,
            configured: now.clone(),
            state: before
                .as_ref()
                .map_or_else(|| "INSUFFICIENT_DATA".to_owned(), |a| a.state.clone()),
            reason: "Unchecked: Initial alarm creation".to_owned(),
            entered: before.map_or(now, |a| a.entered),
            since: clock::now_seconds(),
        };
        state.alarms.insert(name, alarm);
        Ok(Value::Null)
    }

    fn describe_alarms(&self, cloud: &Cloud, params: &Value) -> ApiResult {
        only(
            params,
            &[
                "AlarmNames",
                "AlarmNamePrefix",
                "AlarmTypes",
                "StateValue",
                "ActionPrefix",
                "MaxRecords",
                "NextToken",
            ],
        )?;
        let types = texts(params, "AlarmTypes");
        let mut guard = self.lock();
        let state = &mut *guard;
        let now = clock::now_seconds();
        for alarm in state.alarms.values_mut() {
            alarm.evaluate(&state.metrics, cloud.site.timing, now);
        }
        let metric = types.is_empty() || types.iter().any(|t| t == "MetricAlarm");
        let shown: Vec<Value> = state
            .alarms
            .values()
            .filter(|a| metric && a.fits(params))
            .map(Alarm::shown)
            .collect();
        let (shown, next) = paged(&shown, params, number(params, "MaxRecords").unwrap_or(50))?;
        Ok(json!({"MetricAlarms": shown, "CompositeAlarms": [], "NextToken": next}))
    }

    fn alarms_for_metric(&self, cloud: &Cloud, params: &Value) -> ApiResult {
        let wanted = Key::of(params, None);
        let mut guard = self.lock();
        let state = &mut *guard;
        let now = clock::now_seconds();
        let mut shown = Vec::new();
        for alarm in state.alarms.values_mut() {
            alarm.evaluate(&state.metrics, cloud.site.timing, now);
            if Key::of(&Value::Object(alarm.params.clone()), None) == wanted {
                shown.push(alarm.shown());
            }
        }
        Ok(json!({"MetricAlarms": shown}))
    }

    fn delete_alarms(&self, params: &Value) -> ApiResult {
        only(params, &["AlarmNames"])?;
        let names = texts(params, "AlarmNames");
        let mut state = self.lock();
        if let Some(unknown) = names.iter().find(|n| !state.alarms.contains_key(*n)) {
            return Err(ApiError::new("ResourceNotFound", format!("Unknown alarm {unknown}")).status(404));
        }
        state.alarms.retain(|name, _| !names.contains(name));
        Ok(Value::Null)
    }

    fn statistics(&self, params: &Value) -> ApiResult {
        only(
            params,
            &[
                "Namespace",
                "MetricName",
                "Dimensions",
                "StartTime",
                "EndTime",
                "Period",
                "Statistics",
                "ExtendedStatistics",
                "Unit",
            ],
        )?;
        let key = Key::of(params, None);
        let (start, end, period) = (time(params, "StartTime")?, time(params, "EndTime")?, period(params)?);
        if start >= end {
            return Err(ApiError::new(
                "InvalidParameterValue",
                "The parameter StartTime must be less than the parameter EndTime.",
            ));
        }
        let wanted = texts(params, "Statistics");
        if wanted.is_empty() {
            return Err(ApiError::new(
                "InvalidParameterCombination",
                "At least one of the parameters Statistics and ExtendedStatistics must be specified.",
            ));
        }
        let state = self.lock();
        let unit = state.metrics.series.get(&key).map(|s| s.1.clone()).unwrap_or_default();
        let points: Vec<Value> = state
            .metrics
            .periods(&key, start, end, period)
            .iter()
            .map(|point| {
                let mut out = Map::new();
                out.insert("Timestamp".into(), clock::iso_seconds(point.at).into());
                for name in &wanted {
                    if let Some(value) = point.statistic(name) {
                        out.insert(name.clone(), value.into());
                    }
                }
                out.insert("Unit".into(), unit.clone().into());
                out.into()
            })
            .collect();
        Ok(json!({"Label": key.name, "Datapoints": points}))
    }

    fn data(&self, params: &Value) -> ApiResult {
        only(
            params,
            &[
                "MetricDataQueries",
                "StartTime",
                "EndTime",
                "NextToken",
                "ScanBy",
                "MaxDatapoints",
                "LabelOptions",
            ],
        )?;
        let (start, end) = (time(params, "StartTime")?, time(params, "EndTime")?);
        let newest_first = text(params, "ScanBy").as_deref() != Some("TimestampAscending");
        let state = self.lock();
        let mut results = Vec::new();
        for query in list(params, "MetricDataQueries") {
            let id = required(&query, "Id")?;
            let Some(stat) = query.get("MetricStat") else {
                return Err(ApiError::new(
                    "ValidationError",
                    format!("The expression of query {id} is not supported by the local cloud: only MetricStat is"),
                ));
            };
            let key = Key::of(stat.get("Metric").unwrap_or(&Value::Null), None);
            let name = required(stat, "Stat")?;
            let mut points = state.metrics.periods(&key, start, end, period(stat)?);
            if newest_first {
                points.reverse();
            }
            let times: Vec<String> = points.iter().map(|p| clock::iso_seconds(p.at)).collect();
            let values: Vec<f64> = points.iter().filter_map(|p| p.statistic(&name)).collect();
            results.push(json!({
                "Id": id,
                "Label": text(&query, "Label").unwrap_or(key.name),
                "Timestamps": times,
                "Values": values,
                "StatusCode": "Complete",
            }));
        }
        Ok(json!({"MetricDataResults": results, "Messages": []}))
    }

    fn list_metrics(&self, params: &Value) -> ApiResult {
        only(
            params,
            &["Namespace", "MetricName", "Dimensions", "NextToken", "RecentlyActive"],
        )?;
        let (namespace, name) = (text(params, "Namespace"), text(params, "MetricName"));
        let wanted: Vec<(String, Option<String>)> = list(params, "Dimensions")
            .iter()
            .filter_map(|d| Some((text(d, "Name")?, text(d, "Value"))))
            .collect();
        let state = self.lock();
        let all: Vec<Value> = state
            .metrics
            .series
            .keys()
            .filter(|k| namespace.as_ref().is_none_or(|n| k.namespace == *n))
            .filter(|k| name.as_ref().is_none_or(|n| k.name == *n))
            .filter(|k| {
                wanted.iter().all(|(name, value)| {
                    k.dimensions
                        .iter()
                        .any(|(n, v)| n == name && value.as_ref().is_none_or(|value| v == value))
                })
            })
            .map(Key::shown)
            .collect();
        let (metrics, next) = paged(&all, params, 500)?;
        Ok(json!({"Metrics": metrics, "NextToken": next}))
    }
}

fn paged(all: &[Value], params: &Value, size: i64) -> Result<(Vec<Value>, Value), ApiError> {
    let from = match text(params, "NextToken") {
        None => 0,
        Some(token) => token
            .parse::<usize>()
            .map_err(|_| ApiError::new("InvalidNextToken", "The next token is invalid"))?,
    };
    let size = size.clamp(1, 500).unsigned_abs() as usize;
    let some: Vec<Value> = all.iter().skip(from).take(size).cloned().collect();
    let next = match from + size < all.len() {
        true => (from + size).to_string().into(),
        false => Value::Null,
    };
    Ok((some, next))
}

impl Service for CloudWatch {
    fn call(self: Arc<Self>, cloud: Arc<Cloud>, call: Call) -> Pin<Box<dyn Future<Output = ApiResult> + Send>> {
        Box::pin(async move {
            let params = &call.params;
            match call.action.as_str() {
                "PutMetricData" => self.put_data(params),
                "PutMetricAlarm" => self.put_alarm(&cloud, params),
                "DescribeAlarms" => self.describe_alarms(&cloud, params),
                "DescribeAlarmsForMetric" => self.alarms_for_metric(&cloud, params),
                "DeleteAlarms" => self.delete_alarms(params),
                "GetMetricStatistics" => self.statistics(params),
                "GetMetricData" => self.data(params),
                "ListMetrics" => self.list_metrics(params),
                _ => Err(unknown_action(&call)),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Caller;
    use crate::cloudformation::testing::block_on;

    #[test]
    fn metrics_and_alarms_answer() {
        let cloud = Cloud::new("eu-west-1");
        cloud.add("monitoring", Arc::new(CloudWatch::new()));
        let call =
            |action: &'static str, params: Value| block_on(cloud.call("monitoring", action, params, Caller::Admin));
        let data = json!([{"MetricName": "QmgrUp", "Value": "1", "Dimensions": [{"Name": "Stack", "Value": "s"}]}]);
        call("PutMetricData", json!({"Namespace": "mqaws", "MetricData": data})).unwrap();
        let listed = call(
            "ListMetrics",
            json!({"Namespace": "mqaws", "Dimensions": [{"Name": "Stack"}]}),
        )
        .unwrap();
        assert_eq!(listed["Metrics"][0]["MetricName"], "QmgrUp");
        let found = call(
            "GetMetricStatistics",
            json!({"Namespace": "mqaws", "MetricName": "QmgrUp", "Dimensions": [{"Name": "Stack", "Value": "s"}],
                "StartTime": "2020-01-01T00:00:00Z", "EndTime": "2120-01-01T00:00:00Z", "Period": "60", "Statistics": ["Sum"]}),
        )
        .unwrap();
        assert_eq!(found["Datapoints"][0]["Sum"], 1.0);
        call(
            "PutMetricAlarm",
            json!({"AlarmName": "a", "Namespace": "mqaws", "MetricName": "x", "Statistic": "Sum", "Period": 60,
            "EvaluationPeriods": 1, "Threshold": 1, "ComparisonOperator": "GreaterThanThreshold"}),
        )
        .unwrap();
        let alarms = call("DescribeAlarms", json!({"AlarmNames": ["a"]})).unwrap();
        assert_eq!(alarms["MetricAlarms"][0]["StateValue"], "INSUFFICIENT_DATA");
        assert_eq!(alarms["MetricAlarms"][0]["Threshold"], 1.0);
        call("DeleteAlarms", json!({"AlarmNames": ["a"]})).unwrap();
        assert_eq!(
            call("DeleteAlarms", json!({"AlarmNames": ["a"]})).unwrap_err().code,
            "ResourceNotFound"
        );
    }
}
