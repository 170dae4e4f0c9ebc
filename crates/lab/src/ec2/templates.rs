//! Launch templates and their versions.

use super::catalog::object;
use super::filters;
use super::objects::{Kind, Object, describe, page, specified_tags};
use super::state::State;
use super::wire::{answer_names, only_nested};
use crate::api::{ACCOUNT, ApiError, ApiResult, list, only, required, text, texts};
use crate::ids::resource_id;
use serde_json::{Value, json};

/// One version: numbers begin at 1 and are never used twice.
#[derive(Debug, Clone)]
pub(super) struct Version {
    /// Number.
    pub(crate) number: u64,
    /// Description.
    pub(crate) description: Option<String>,
    /// When it was made.
    pub(crate) created: String,
    /// The launch template data under request names.
    pub(crate) data: Value,
}

/// Versions of one template.
#[derive(Debug, Clone, Default)]
pub(super) struct Versions {
    /// All versions that were not deleted, oldest first.
    pub(crate) all: Vec<Version>,
    /// Number of the default version.
    pub(crate) default: u64,
    /// Highest number ever used.
    pub(crate) latest: u64,
}

const DATA: [&str; 18] = [
    "BlockDeviceMapping",
    "CreditSpecification",
    "DisableApiStop",
    "DisableApiTermination",
    "EbsOptimized",
    "IamInstanceProfile",
    "ImageId",
    "InstanceInitiatedShutdownBehavior",
    "InstanceType",
    "KeyName",
    "MaintenanceOptions",
    "MetadataOptions",
    "Monitoring",
    "NetworkInterface",
    "PrivateDnsNameOptions",
    "SecurityGroupId",
    "TagSpecification",
    "UserData",
];

const NESTED: [(&str, &[&str]); 9] = [
    ("BlockDeviceMapping", &["DeviceName", "VirtualName", "Ebs", "NoDevice"]),
    ("CreditSpecification", &["CpuCredits"]),
    ("IamInstanceProfile", &["Arn", "Name"]),
    ("MaintenanceOptions", &["AutoRecovery", "RebootMigration"]),
    (
        "MetadataOptions",
        &[
            "HttpTokens",
            "HttpPutResponseHopLimit",
            "HttpEndpoint",
            "HttpProtocolIpv6",
            "InstanceMetadataTags",
        ],
    ),
    ("Monitoring", &["Enabled"]),
    (
        "NetworkInterface",
        &[
            "AssociatePublicIpAddress",
            "DeleteOnTermination",
            "Description",
            "DeviceIndex",
            "Groups",
            "SecurityGroupId",
            "InterfaceType",
            "NetworkCardIndex",
            "NetworkInterfaceId",
            "SubnetId",
            "PrivateIpAddress",
        ],
    ),
    (
        "PrivateDnsNameOptions",
        &[
            "HostnameType",
            "EnableResourceNameDnsARecord",
            "EnableResourceNameDnsAAAARecord",
        ],
    ),
    ("TagSpecification", &["ResourceType", "Tag"]),
];

const EBS: [&str; 8] = [
    "DeleteOnTermination",
    "Encrypted",
    "Iops",
    "KmsKeyId",
    "SnapshotId",
    "Throughput",
    "VolumeSize",
    "VolumeType",
];

const ENUMS: [(&str, &str, &[&str]); 5] = [
    ("MetadataOptions", "HttpTokens", &["optional", "required"]),
    ("MetadataOptions", "HttpEndpoint", &["enabled", "disabled"]),
    ("MetadataOptions", "InstanceMetadataTags", &["enabled", "disabled"]),
    ("MaintenanceOptions", "AutoRecovery", &["default", "disabled"]),
    ("CreditSpecification", "CpuCredits", &["standard", "unlimited"]),
];

fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::new("InvalidParameterValue", message)
}

/// Checks launch template data: names, enumerations, and that references exist.
fn check(state: &State, data: &Value) -> Result<(), ApiError> {
    only_nested(data, "LaunchTemplateData", &DATA)?;
    for (name, known) in NESTED {
        let items = data.get(name).map(|_| list(data, name)).unwrap_or_default();
        for item in items {
            only_nested(&item, &format!("LaunchTemplateData.{name}"), known)?;
        }
    }
    for (structure, name, known) in ENUMS {
        if let Some(value) = data[structure][name].as_str()
            && !known.contains(&value)
        {
            return Err(invalid(format!(
                "Value ({value}) for parameter {structure}.{name} is invalid."
            )));
        }
    }
    for mapping in list(data, "BlockDeviceMapping") {
        let ebs = &mapping["Ebs"];
        only_nested(ebs, "LaunchTemplateData.BlockDeviceMapping.Ebs", &EBS)?;
        if let Some(kind) = ebs["VolumeType"].as_str()
            && !["standard", "io1", "io2", "gp2", "gp3", "sc1", "st1"].contains(&kind)
        {
            return Err(invalid(format!("Value ({kind}) for parameter VolumeType is invalid.")));
        }
    }
    if let Some(user_data) = data["UserData"].as_str() {
        use base64::Engine;
        let decoded = base64::engine::general_purpose::STANDARD
            .decode(user_data)
            .map_err(|_| ApiError::new("InvalidUserData.Malformed", "Invalid BASE64 encoding of user data."))?;
        if decoded.len() > 16 * 1024 {
            return Err(invalid("User data is limited to 16384 bytes"));
        }
    }
    let mut groups = texts(data, "SecurityGroupId");
    for interface in list(data, "NetworkInterface") {
        groups.extend(texts(&interface, "SecurityGroupId"));
        groups.extend(texts(&interface, "Groups"));
    }
    for group in groups {
        state.objects.get(Kind::SecurityGroup, &group)?;
    }
    Ok(())
}

fn now() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S.000Z").to_string()
}

/// CreateLaunchTemplate.
pub(super) fn create(state: &mut State, params: &Value) -> ApiResult {
    only(
        params,
        &[
            "LaunchTemplateName",
            "VersionDescription",
            "LaunchTemplateData",
            "TagSpecification",
            "ClientToken",
            "DryRun",
        ],
    )?;
    let name = required(params, "LaunchTemplateName")?;
    let allowed = |c: char| c.is_ascii_alphanumeric() || "().-/_".contains(c);
    if !(3..=128).contains(&name.len()) || !name.chars().all(allowed) {
        return Err(ApiError::new(
            "InvalidLaunchTemplateName.MalformedException",
            "A launch template name must be between 3 and 128 characters, and may contain letters, numbers, and the following characters: - ( ) . / _.",
        ));
    }
    if state
        .objects
        .of_kind(Kind::LaunchTemplate)
        .any(|(_, o)| o.text("launchTemplateName") == name)
    {
        return Err(ApiError::new(
            "InvalidLaunchTemplateName.AlreadyExistsException",
            "Launch template name already in use.",
        ));
    }
    let data = params.get("LaunchTemplateData").cloned().unwrap_or_else(|| json!({}));
    check(state, &data)?;
    let id = resource_id("lt");
    let mut template = object(
        Kind::LaunchTemplate,
        json!({
            "launchTemplateId": id, "launchTemplateName": name, "createTime": now(), "createdBy": format!("arn:aws:iam::{ACCOUNT}:user/admin"),
            "defaultVersionNumber": 1, "latestVersionNumber": 1,
        }),
    );
    template.tags = specified_tags(params, &["launch-template"], "launch-template")?;
    let shown = template.shown();
    state.objects.insert(&id, template);
    let first = Version {
        number: 1,
        description: text(params, "VersionDescription"),
        created: now(),
        data,
    };
    state.versions.insert(
        id,
        Versions {
            all: vec![first],
            default: 1,
            latest: 1,
        },
    );
    Ok(json!({"launchTemplate": shown}))
}

/// The template that a request names by id or by name.
///
/// # Errors
/// AWS's own codes for unknown ids and names.
pub(super) fn find(state: &State, params: &Value) -> Result<String, ApiError> {
    if let Some(id) = text(params, "LaunchTemplateId") {
        return state
            .objects
            .get(Kind::LaunchTemplate, &id)
            .map(|_| id.clone())
            .map_err(|_| {
                ApiError::new(
                    "InvalidLaunchTemplateId.NotFound",
                    format!("The specified launch template, with template ID {id}, does not exist."),
                )
            });
    }
    let name = text(params, "LaunchTemplateName").ok_or_else(|| {
        ApiError::new(
            "MissingParameter",
            "The request must contain LaunchTemplateId or LaunchTemplateName",
        )
    })?;
    state
        .objects
        .of_kind(Kind::LaunchTemplate)
        .find(|(_, o)| o.text("launchTemplateName") == name)
        .map(|(id, _)| id.clone())
        .ok_or_else(|| {
            ApiError::new(
                "InvalidLaunchTemplateName.NotFoundException",
                format!("The specified launch template, with template name {name}, does not exist."),
            )
        })
}

/// A version by number, `$Latest` or `$Default`.
///
/// # Errors
/// `InvalidLaunchTemplateId.VersionNotFound`.
pub(super) fn version<'a>(state: &'a State, template: &str, wanted: &str) -> Result<&'a Version, ApiError> {
    let missing = || {
        ApiError::new(
            "InvalidLaunchTemplateId.VersionNotFound",
            format!("Could not find the specified version {wanted} for the launch template with ID {template}."),
        )
    };
    let versions = state.versions.get(template).ok_or_else(missing)?;
    let number = match wanted {
        "$Latest" => versions.latest,
        "$Default" | "" => versions.default,
        other => other.parse().map_err(|_| missing())?,
    };
    versions.all.iter().find(|v| v.number == number).ok_or_else(missing)
}

/// CreateLaunchTemplateVersion, with `SourceVersion` as base when given.
pub(super) fn create_version(state: &mut State, params: &Value) -> ApiResult {
    only(
        params,
        &[
            "LaunchTemplateId",
            "LaunchTemplateName",
            "SourceVersion",
            "VersionDescription",
            "LaunchTemplateData",
            "ClientToken",
            "ResolveAlias",
            "DryRun",
        ],
    )?;
    let id = find(state, params)?;
    let mut data = match text(params, "SourceVersion") {
        Some(source) => version(state, &id, &source)?.data.clone(),
        None => json!({}),
    };
    let given = params.get("LaunchTemplateData").cloned().unwrap_or_else(|| json!({}));
    if let (Some(base), Value::Object(given)) = (data.as_object_mut(), given) {
        base.extend(given);
    }
    check(state, &data)?;
    let versions = state.versions.entry(id.clone()).or_default();
    versions.latest += 1;
    let made = Version {
        number: versions.latest,
        description: text(params, "VersionDescription"),
        created: now(),
        data,
    };
    versions.all.push(made.clone());
    let latest = versions.latest;
    let template = state.objects.get_mut(Kind::LaunchTemplate, &id)?;
    template.body.insert("latestVersionNumber".to_owned(), json!(latest));
    let shown = show_version(&state.objects.get(Kind::LaunchTemplate, &id)?.clone(), state, &made);
    Ok(json!({"launchTemplateVersion": shown}))
}

fn show_version(template: &Object, state: &State, version: &Version) -> Value {
    let id = template.text("launchTemplateId");
    let default = state.versions.get(id).map_or(1, |v| v.default);
    let mut shown = json!({
        "launchTemplateId": id, "launchTemplateName": template.text("launchTemplateName"), "versionNumber": version.number,
        "createTime": version.created, "createdBy": format!("arn:aws:iam::{ACCOUNT}:user/admin"),
        "defaultVersion": version.number == default, "launchTemplateData": answer_names(&version.data),
    });
    if let Some(description) = &version.description {
        shown["versionDescription"] = json!(description);
    }
    shown
}

/// ModifyLaunchTemplate: the default version.
pub(super) fn modify(state: &mut State, params: &Value) -> ApiResult {
    only(
        params,
        &[
            "LaunchTemplateId",
            "LaunchTemplateName",
            "SetDefaultVersion",
            "DefaultVersion",
            "ClientToken",
            "DryRun",
        ],
    )?;
    let id = find(state, params)?;
    if let Some(wanted) = text(params, "SetDefaultVersion").or_else(|| text(params, "DefaultVersion")) {
        let number = version(state, &id, &wanted)?.number;
        state.versions.entry(id.clone()).or_default().default = number;
        let template = state.objects.get_mut(Kind::LaunchTemplate, &id)?;
        template.body.insert("defaultVersionNumber".to_owned(), json!(number));
    }
    Ok(json!({"launchTemplate": state.objects.get(Kind::LaunchTemplate, &id)?.shown()}))
}

/// DeleteLaunchTemplate.
pub(super) fn delete(state: &mut State, params: &Value) -> ApiResult {
    only(params, &["LaunchTemplateId", "LaunchTemplateName", "DryRun"])?;
    let id = find(state, params)?;
    state.versions.remove(&id);
    let removed = state.objects.remove(&id).map(|o| o.shown());
    Ok(json!({"launchTemplate": removed}))
}

/// DescribeLaunchTemplates.
pub(super) fn show(state: &State, params: &Value) -> ApiResult {
    for name in texts(params, "LaunchTemplateName") {
        find(state, &json!({"LaunchTemplateName": name}))?;
    }
    for id in texts(params, "LaunchTemplateId") {
        find(state, &json!({"LaunchTemplateId": id}))?;
    }
    let names = texts(params, "LaunchTemplateName");
    let shown: Vec<Value> = state
        .objects
        .of_kind(Kind::LaunchTemplate)
        .filter(|(_, o)| names.is_empty() || names.iter().any(|n| n == o.text("launchTemplateName")))
        .map(|(_, o)| o.shown())
        .collect();
    describe(Kind::LaunchTemplate, params, shown)
}

/// DescribeLaunchTemplateVersions.
pub(super) fn show_versions(state: &State, params: &Value) -> ApiResult {
    only(
        params,
        &[
            "LaunchTemplateId",
            "LaunchTemplateName",
            "LaunchTemplateVersion",
            "MinVersion",
            "MaxVersion",
            "MaxResults",
            "NextToken",
            "Filter",
            "ResolveAlias",
            "IncludeManagedResources",
            "DryRun",
        ],
    )?;
    filters::filters(params, &[])?;
    let wanted = texts(params, "LaunchTemplateVersion");
    let ids: Vec<String> = if params.get("LaunchTemplateId").is_some() || params.get("LaunchTemplateName").is_some() {
        vec![find(state, params)?]
    } else {
        state
            .objects
            .of_kind(Kind::LaunchTemplate)
            .map(|(id, _)| id.clone())
            .collect()
    };
    let mut rows = Vec::new();
    for id in &ids {
        let template = state.objects.get(Kind::LaunchTemplate, id)?;
        let versions = state.versions.get(id).cloned().unwrap_or_default();
        let chosen: Vec<&Version> = if wanted.is_empty() {
            versions.all.iter().rev().collect()
        } else {
            wanted.iter().map(|w| version(state, id, w)).collect::<Result<_, _>>()?
        };
        rows.extend(chosen.into_iter().map(|v| show_version(template, state, v)));
    }
    let (rows, next) = page(rows, params)?;
    let mut answer = json!({"launchTemplateVersionSet": rows});
    if let Some(next) = next {
        answer["nextToken"] = json!(next);
    }
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_count_up_and_the_default_stays_until_changed() {
        let mut state = State::new("eu-west-1");
        let made = create(
            &mut state,
            &json!({"LaunchTemplateName": "one", "LaunchTemplateData": {"ImageId": "ami-1", "InstanceType": "m6i.large"}}),
        )
        .expect("a template");
        let id = made["launchTemplate"]["launchTemplateId"]
            .as_str()
            .expect("an id")
            .to_owned();
        let second = json!({"LaunchTemplateId": id, "SourceVersion": "1", "LaunchTemplateData": {"ImageId": "ami-2"}});
        let made = create_version(&mut state, &second).expect("a version");
        assert_eq!(made["launchTemplateVersion"]["versionNumber"], 2);
        assert_eq!(version(&state, &id, "$Default").expect("one").number, 1);
        let latest = version(&state, &id, "$Latest").expect("two");
        assert_eq!(latest.data, json!({"ImageId": "ami-2", "InstanceType": "m6i.large"}));
        modify(&mut state, &json!({"LaunchTemplateId": id, "SetDefaultVersion": "2"})).expect("changed");
        assert_eq!(version(&state, &id, "$Default").expect("two").number, 2);
        assert!(version(&state, &id, "3").is_err());
    }

    #[test]
    fn wrong_data_is_refused() {
        let mut state = State::new("eu-west-1");
        let cases = [
            (json!({"Images": "x"}), "UnknownParameter"),
            (
                json!({"MetadataOptions": {"HttpTokens": "yes"}}),
                "InvalidParameterValue",
            ),
            (
                json!({"BlockDeviceMapping": [{"Ebs": {"Size": 1}}]}),
                "UnknownParameter",
            ),
            (json!({"UserData": "%"}), "InvalidUserData.Malformed"),
            (json!({"SecurityGroupId": ["sg-1"]}), "InvalidGroup.NotFound"),
        ];
        for (data, code) in cases {
            let params = json!({"LaunchTemplateName": "one", "LaunchTemplateData": data});
            assert_eq!(create(&mut state, &params).expect_err("refused").code, code, "{params}");
        }
    }
}
