//! Attributes of load balancers, target groups and listeners: keys, defaults and what a value may be.

use crate::api::{ApiError, list, only, text};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// What a value may be.
enum Kind {
    Flag,
    Range(u32, u32),
    OffOr(u32, u32),
    OneOf(&'static [&'static str]),
    Text,
}

type Row = (&'static str, &'static str, Kind);

const BALANCER: &[Row] = &[
    ("access_logs.s3.bucket", "", Kind::Text),
    ("access_logs.s3.enabled", "false", Kind::OneOf(&["false"])),
    ("access_logs.s3.prefix", "", Kind::Text),
    ("deletion_protection.enabled", "false", Kind::Flag),
    (
        "dns_record.client_routing_policy",
        "any_availability_zone",
        Kind::OneOf(&[
            "any_availability_zone",
            "availability_zone_affinity",
            "partial_availability_zone_affinity",
        ]),
    ),
    ("ipv6.deny_all_igw_traffic", "false", Kind::Flag),
    ("load_balancing.cross_zone.enabled", "false", Kind::Flag),
    ("zonal_shift.config.enabled", "false", Kind::Flag),
];

const GROUP: &[Row] = &[
    (
        "deregistration_delay.connection_termination.enabled",
        "false",
        Kind::Flag,
    ),
    ("deregistration_delay.timeout_seconds", "300", Kind::Range(0, 3600)),
    (
        "load_balancing.cross_zone.enabled",
        "use_load_balancer_configuration",
        Kind::OneOf(&["true", "false", "use_load_balancer_configuration"]),
    ),
    ("preserve_client_ip.enabled", "true", Kind::Flag),
    ("proxy_protocol_v2.enabled", "false", Kind::Flag),
    ("stickiness.enabled", "false", Kind::Flag),
    ("stickiness.type", "source_ip", Kind::OneOf(&["source_ip"])),
    (
        "target_group_health.dns_failover.minimum_healthy_targets.count",
        "1",
        Kind::OffOr(1, 1000),
    ),
    (
        "target_group_health.dns_failover.minimum_healthy_targets.percentage",
        "off",
        Kind::OffOr(1, 100),
    ),
    (
        "target_group_health.unhealthy_state_routing.minimum_healthy_targets.count",
        "1",
        Kind::Range(1, 1000),
    ),
    (
        "target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage",
        "off",
        Kind::OffOr(1, 100),
    ),
    (
        "target_health_state.unhealthy.connection_termination.enabled",
        "true",
        Kind::Flag,
    ),
    (
        "target_health_state.unhealthy.draining_interval_seconds",
        "0",
        Kind::Range(0, 360_000),
    ),
];

const LISTENER: &[Row] = &[("tcp.idle_timeout.seconds", "350", Kind::Range(60, 6000))];

/// Attributes of one resource: every key with its value.
#[derive(Debug, Clone)]
pub(super) struct Attributes {
    what: &'static str,
    rows: &'static [Row],
    values: BTreeMap<&'static str, String>,
}

// rows hold no data that a reader of a log would miss
impl std::fmt::Debug for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Kind")
    }
}

impl Kind {
    fn accepts(&self, value: &str) -> bool {
        let within = |low: &u32, high: &u32| value.parse().is_ok_and(|n: u32| (*low..=*high).contains(&n));
        match self {
            Kind::Flag => ["true", "false"].contains(&value),
            Kind::Range(low, high) => within(low, high),
            Kind::OffOr(low, high) => value == "off" || within(low, high),
            Kind::OneOf(words) => words.contains(&value),
            Kind::Text => value.len() <= 1024,
        }
    }

    fn words(&self) -> String {
        match self {
            Kind::Flag => "true or false".into(),
            Kind::Range(low, high) => format!("a number from {low} to {high}"),
            Kind::OffOr(low, high) => format!("off or a number from {low} to {high}"),
            Kind::OneOf(words) => words.join(", "),
            Kind::Text => "a text of at most 1024 characters".into(),
        }
    }
}

impl Attributes {
    fn new(what: &'static str, rows: &'static [Row]) -> Self {
        let values = rows
            .iter()
            .map(|(key, default, _)| (*key, (*default).to_owned()))
            .collect();
        Self { what, rows, values }
    }

    pub(super) fn balancer() -> Self {
        Self::new("Load balancer", BALANCER)
    }

    pub(super) fn group() -> Self {
        Self::new("Target group", GROUP)
    }

    pub(super) fn listener() -> Self {
        Self::new("Listener", LISTENER)
    }

    /// The value of a key of the table.
    pub(super) fn get(&self, key: &str) -> &str {
        self.values.get(key).map_or("", String::as_str)
    }

    pub(super) fn flag(&self, key: &str) -> bool {
        self.get(key) == "true"
    }

    /// A number; `off` is 0.
    pub(super) fn number(&self, key: &str) -> u32 {
        self.get(key).parse().unwrap_or(0)
    }

    /// Takes `Attributes` of a request: all or none.
    ///
    /// # Errors
    /// `ValidationError` for an unknown key, `InvalidConfigurationRequest` for a value that the key cannot have.
    pub(super) fn modify(&mut self, params: &Value) -> Result<(), ApiError> {
        let mut changed = self.values.clone();
        let given = list(params, "Attributes");
        if given.is_empty() {
            return Err(ApiError::new("ValidationError", "Attributes must be specified"));
        }
        for attribute in given {
            only(&attribute, &["Key", "Value"])?;
            let key = text(&attribute, "Key").unwrap_or_default();
            let value = text(&attribute, "Value").unwrap_or_default();
            let Some((known, _, kind)) = self.rows.iter().find(|(k, _, _)| *k == key) else {
                let message = format!("{} attribute key '{key}' is not recognized", self.what);
                return Err(ApiError::new("ValidationError", message));
            };
            if !kind.accepts(&value) {
                let message = format!(
                    "{} attribute '{key}' cannot be '{value}': it must be {}",
                    self.what,
                    kind.words()
                );
                return Err(ApiError::new("InvalidConfigurationRequest", message));
            }
            changed.insert(known, value);
        }
        self.values = changed;
        Ok(())
    }

    /// `[{"Key":…,"Value":…}]`.
    pub(super) fn describe(&self) -> Value {
        self.values
            .iter()
            .map(|(k, v)| json!({ "Key": k, "Value": v }))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_obey_their_own_rules() {
        for (key, default, kind) in BALANCER.iter().chain(GROUP).chain(LISTENER) {
            assert!(kind.accepts(default), "{key} {default}");
        }
    }

    #[test]
    fn values_are_checked_and_nothing_changes_on_an_error() {
        for (key, value, code) in [
            ("deregistration_delay.timeout_seconds", "10", None),
            (
                "deregistration_delay.timeout_seconds",
                "3601",
                Some("InvalidConfigurationRequest"),
            ),
            (
                "deregistration_delay.timeout_seconds",
                "soon",
                Some("InvalidConfigurationRequest"),
            ),
            (
                "load_balancing.cross_zone.enabled",
                "yes",
                Some("InvalidConfigurationRequest"),
            ),
            ("stickiness.enabled", "TRUE", Some("InvalidConfigurationRequest")),
            ("slow_start.duration_seconds", "30", Some("ValidationError")),
        ] {
            let mut attributes = Attributes::group();
            let good = json!({ "Key": "proxy_protocol_v2.enabled", "Value": "true" });
            let got = attributes.modify(&json!({ "Attributes": [good, { "Key": key, "Value": value }] }));
            assert_eq!(got.as_ref().err().map(|e| e.code.as_str()), code, "{key} {value}");
            assert_eq!(
                attributes.flag("proxy_protocol_v2.enabled"),
                code.is_none(),
                "{key} {value}"
            );
        }
    }
}
