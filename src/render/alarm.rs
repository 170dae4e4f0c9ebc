//! One alarm.

use super::parameters::only_if;
use crate::template::{Resource, Template, Value, list, object, reference, sub};

/// The CloudWatch namespace of a stack's own metrics, with the template's placeholder in it.
pub(crate) const METRICS_NAMESPACE: &str = "mqaws/${AWS::StackName}";

/// An alarm on one metric, by the minute.
pub(crate) struct Alarm {
    /// Logical id.
    pub name: &'static str,
    /// What has happened when it fires.
    pub words: &'static str,
    /// Namespace and name of the metric.
    pub metric: (Value, &'static str),
    /// Which of the metric's series.
    pub dimensions: Value,
    /// `Maximum`, `Minimum` or `Sum` of a minute.
    pub statistic: &'static str,
    /// `LessThanThreshold` or `GreaterThanThreshold`.
    pub comparison: &'static str,
    /// What it is compared with.
    pub threshold: i64,
    /// For how many minutes in a row.
    pub minutes: i64,
    /// A condition of the template without which there is no such alarm.
    pub when: Option<&'static str>,
    /// What a minute without data counts as, `breaching` or `notBreaching`.
    pub missing: &'static str,
}

/// The CloudWatch namespace of a stack's own metrics.
pub(crate) fn metrics_namespace() -> Value {
    sub(METRICS_NAMESPACE)
}

/// One dimension of a metric.
pub(crate) fn dimension(name: &str, value: Value) -> Value {
    object! { "Name" => name, "Value" => value }
}

impl Alarm {
    /// Adds the alarm; whoever `alarms.topic` names hears of it.
    pub(crate) fn add(self, template: &mut Template) {
        let topic = || only_if("HasAlarmTopic", list![reference("AlarmTopic")]);
        let properties = object! {
            "AlarmDescription" => self.words,
            "Namespace" => self.metric.0,
            "MetricName" => self.metric.1,
            "Dimensions" => self.dimensions,
            "Statistic" => self.statistic,
            "Period" => 60,
            "EvaluationPeriods" => self.minutes,
            "ComparisonOperator" => self.comparison,
            "Threshold" => self.threshold,
            "TreatMissingData" => self.missing,
            "AlarmActions" => topic(),
            "OKActions" => topic(),
        };
        let mut resource = Resource::new("AWS::CloudWatch::Alarm", properties);
        resource.condition = self.when.map(ToOwned::to_owned);
        template.resources.insert(self.name.to_owned(), resource);
    }
}
