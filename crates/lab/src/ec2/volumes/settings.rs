//! Type, size, IOPS and throughput of a volume, within the bounds of its type.

use crate::api::{ApiError, number, text};
use serde_json::{Map, Value, json};

/// Bounds of one volume type.
struct Kind {
    name: &'static str,
    /// Sizes in GiB.
    size: (i64, i64),
    /// IOPS that can be asked for; none where they follow from the size.
    iops: Option<(i64, i64)>,
    /// IOPS for each GiB, at most.
    ratio: i64,
}

/// Source: the reference of CreateVolume.
const KINDS: [Kind; 7] = [
    kind("standard", (1, 1_024), None, 0),
    kind("gp2", (1, 16_384), None, 0),
    kind("gp3", (1, 65_536), Some((3_000, 80_000)), 500),
    kind("io1", (4, 16_384), Some((100, 64_000)), 50),
    kind("io2", (4, 65_536), Some((100, 256_000)), 1_000),
    kind("st1", (125, 16_384), None, 0),
    kind("sc1", (125, 16_384), None, 0),
];

/// MiB/s of gp3.
const THROUGHPUT: (i64, i64) = (125, 2_000);

const fn kind(name: &'static str, size: (i64, i64), iops: Option<(i64, i64)>, ratio: i64) -> Kind {
    Kind {
        name,
        size,
        iops,
        ratio,
    }
}

/// What a volume is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Settings {
    pub(super) kind: &'static str,
    /// GiB.
    pub(super) size: i64,
    pub(super) iops: Option<i64>,
    /// MiB/s.
    pub(super) throughput: Option<i64>,
}

fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::new("InvalidParameterValue", message)
}

fn whole(params: &Value, name: &str) -> Result<Option<i64>, ApiError> {
    let Some(given) = text(params, name) else {
        return Ok(None);
    };
    number(params, name)
        .map(Some)
        .ok_or_else(|| invalid(format!("Value ({given}) for parameter {name} is invalid.")))
}

fn within(name: &str, value: i64, kind: &str, (low, high): (i64, i64)) -> Result<(), ApiError> {
    match (low..=high).contains(&value) {
        true => Ok(()),
        false => Err(invalid(format!(
            "Volume {name} of {value} is invalid for {kind} volumes; it must be between {low} and {high}."
        ))),
    }
}

impl Settings {
    /// Settings of a request on top of those that a volume has; without a type, a new one is `gp2`, as AWS decides.
    ///
    /// # Errors
    /// `MissingParameter`, `InvalidParameterCombination` and `InvalidParameterValue` with the bounds of the type.
    pub(super) fn of(params: &Value, have: Option<&Self>) -> Result<Self, ApiError> {
        let name = text(params, "VolumeType").unwrap_or_else(|| have.map_or("gp2", |h| h.kind).to_owned());
        let kind = KINDS.iter().find(|kind| kind.name == name);
        let kind = kind.ok_or_else(|| invalid(format!("Value ({name}) for parameter volumeType is invalid.")))?;
        // IOPS and throughput of another type say nothing about this one.
        let same = have.filter(|h| h.kind == kind.name);
        let size = whole(params, "Size")?.or(have.map(|h| h.size)).ok_or_else(|| {
            ApiError::new(
                "MissingParameter",
                "The request must contain the parameter size/snapshot",
            )
        })?;
        within("size", size, kind.name, kind.size)?;
        if have.is_some_and(|h| size < h.size) {
            return Err(invalid("New size cannot be smaller than existing size"));
        }
        let iops = Self::iops(params, kind, size, same)?;
        let throughput = match (whole(params, "Throughput")?, kind.name) {
            (given, "gp3") => Some(given.or(same.and_then(|s| s.throughput)).unwrap_or(THROUGHPUT.0)),
            (Some(_), name) => return Err(unsupported("throughput", name)),
            (None, _) => None,
        };
        if let (Some(throughput), Some(iops)) = (throughput, iops) {
            within("throughput", throughput, kind.name, THROUGHPUT)?;
            if throughput * 4 > iops {
                return Err(invalid(format!(
                    "Throughput (MiBps) to iops ratio of {:.6} is too high; maximum is 0.250000 MiBps per iops.",
                    throughput as f64 / iops as f64
                )));
            }
        }
        Ok(Self {
            kind: kind.name,
            size,
            iops,
            throughput,
        })
    }

    fn iops(params: &Value, kind: &Kind, size: i64, same: Option<&Self>) -> Result<Option<i64>, ApiError> {
        let given = whole(params, "Iops")?;
        let Some(bounds) = kind.iops else {
            return match (given, kind.name) {
                (Some(_), name) => Err(unsupported("iops", name)),
                // What a general purpose volume has by its size.
                (None, "gp2") => Ok(Some((size * 3).clamp(100, 16_000))),
                (None, _) => Ok(None),
            };
        };
        let least = (kind.name == "gp3").then_some(bounds.0);
        let iops = given.or(same.and_then(|s| s.iops)).or(least).ok_or_else(|| {
            ApiError::new(
                "MissingParameter",
                format!("The parameter iops must be specified for {} volumes.", kind.name),
            )
        })?;
        within("iops", iops, kind.name, bounds)?;
        // A small volume of this type has what every one has.
        if iops > size * kind.ratio && Some(iops) != least {
            return Err(invalid(format!(
                "Iops to volume size ratio of {:.6} is too high; maximum is {}.",
                iops as f64 / size as f64,
                kind.ratio
            )));
        }
        Ok(Some(iops))
    }

    /// The settings that a record has.
    pub(super) fn read(body: &Map<String, Value>) -> Option<Self> {
        let number = |name: &str| body.get(name).and_then(Value::as_i64);
        let name = body.get("volumeType")?.as_str()?;
        Some(Self {
            kind: KINDS.iter().find(|kind| kind.name == name)?.name,
            size: number("size")?,
            iops: number("iops"),
            throughput: number("throughput"),
        })
    }

    /// Writes the settings into a record.
    pub(super) fn write(&self, body: &mut Map<String, Value>) {
        body.insert("volumeType".to_owned(), json!(self.kind));
        body.insert("size".to_owned(), json!(self.size));
        for (name, value) in [("iops", self.iops), ("throughput", self.throughput)] {
            match value {
                Some(value) => body.insert(name.to_owned(), json!(value)),
                None => body.shift_remove(name),
            };
        }
    }
}

fn unsupported(name: &str, kind: &str) -> ApiError {
    ApiError::new(
        "InvalidParameterCombination",
        format!("The parameter {name} is not supported for {kind} volumes."),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_volume_is_within_the_bounds_of_its_type() {
        for (params, expected) in [
            (json!({"Size": 8}), Ok(("gp2", Some(100), None))),
            (
                json!({"Size": 8, "VolumeType": "gp3"}),
                Ok(("gp3", Some(3_000), Some(125))),
            ),
            (
                json!({"Size": "1", "VolumeType": "gp3"}),
                Ok(("gp3", Some(3_000), Some(125))),
            ),
            (
                json!({"Size": 100, "VolumeType": "gp3", "Iops": 8_000, "Throughput": 2_000}),
                Ok(("gp3", Some(8_000), Some(2_000))),
            ),
            (
                json!({"Size": 65_537, "VolumeType": "gp3"}),
                Err("InvalidParameterValue"),
            ),
            (json!({"Size": 0, "VolumeType": "gp3"}), Err("InvalidParameterValue")),
            (
                json!({"Size": "big", "VolumeType": "gp3"}),
                Err("InvalidParameterValue"),
            ),
            (json!({"Size": 8, "VolumeType": "gp4"}), Err("InvalidParameterValue")),
            (json!({"VolumeType": "gp3"}), Err("MissingParameter")),
            (
                json!({"Size": 8, "VolumeType": "gp3", "Iops": 2_999}),
                Err("InvalidParameterValue"),
            ),
            (
                json!({"Size": 8, "VolumeType": "gp3", "Iops": 4_001}),
                Err("InvalidParameterValue"),
            ),
            (
                json!({"Size": 8, "VolumeType": "gp3", "Throughput": 124}),
                Err("InvalidParameterValue"),
            ),
            (
                json!({"Size": 8, "VolumeType": "gp3", "Throughput": 751}),
                Err("InvalidParameterValue"),
            ),
            (
                json!({"Size": 8, "VolumeType": "gp2", "Throughput": 125}),
                Err("InvalidParameterCombination"),
            ),
            (
                json!({"Size": 8, "VolumeType": "gp2", "Iops": 100}),
                Err("InvalidParameterCombination"),
            ),
            (json!({"Size": 8, "VolumeType": "io2"}), Err("MissingParameter")),
            (
                json!({"Size": 8, "VolumeType": "io2", "Iops": 8_000}),
                Ok(("io2", Some(8_000), None)),
            ),
            (
                json!({"Size": 8, "VolumeType": "io1", "Iops": 401}),
                Err("InvalidParameterValue"),
            ),
            (json!({"Size": 100, "VolumeType": "st1"}), Err("InvalidParameterValue")),
            (json!({"Size": 125, "VolumeType": "st1"}), Ok(("st1", None, None))),
        ] {
            let found = Settings::of(&params, None);
            let found = found.as_ref().map(|s| (s.kind, s.iops, s.throughput));
            assert_eq!(found.map_err(|e| e.code.as_str()), expected, "{params}");
        }
    }

    #[test]
    fn a_volume_grows_and_keeps_what_a_request_does_not_name() {
        let asked = json!({"Size": 100, "VolumeType": "gp3", "Iops": 4_000, "Throughput": 500});
        let have = Settings::of(&asked, None).expect("settings");
        let mut body = Map::new();
        have.write(&mut body);
        assert_eq!(Settings::read(&body), Some(have.clone()));
        let grown = Settings::of(&json!({"Size": 200}), Some(&have)).expect("grown");
        assert_eq!(
            (grown.size, grown.iops, grown.throughput),
            (200, Some(4_000), Some(500))
        );
        assert!(Settings::of(&json!({"Size": 99}), Some(&have)).is_err());
        let other = Settings::of(&json!({"VolumeType": "gp2"}), Some(&have)).expect("of another type");
        assert_eq!((other.iops, other.throughput), (Some(300), None));
    }
}
