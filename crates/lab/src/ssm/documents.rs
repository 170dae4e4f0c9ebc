//! Documents of type `Command`: versions, parameters with their patterns, and the script that comes of them.

use super::content::{Content, Script};
use super::state::State;
use crate::api::{ACCOUNT, ApiError, ApiResult, list, only, required, text, texts};
use crate::clock::now_seconds;
use crate::cloudformation::intrinsics::partition;
use indexmap::IndexMap;
use serde_json::{Value, json};

/// The one document of Amazon's own.
pub(super) const RUN_SHELL_SCRIPT: &str = "AWS-RunShellScript";

/// Versions of a document that Systems Manager keeps.
const MOST_VERSIONS: usize = 1_000;

/// Most characters of a document.
///
/// Source: Systems Manager quotas, "Maximum document size", 64 KB.
const MOST_CHARACTERS: usize = 65_536;

/// A document of the account.
#[derive(Debug, Clone)]
pub(super) struct Document {
    /// From 1 on.
    versions: Vec<Version>,
    default: usize,
    target: Option<String>,
    tags: IndexMap<String, String>,
}

#[derive(Debug, Clone)]
struct Version {
    text: String,
    content: Content,
    created: f64,
}

fn error(code: &str, message: impl Into<String>) -> ApiError {
    ApiError::new(code, message)
}

fn unknown(name: &str) -> ApiError {
    error("InvalidDocument", format!("Document with name {name} does not exist."))
}

/// The name within an ARN, which may stand for it.
pub(super) fn plain_name(name: &str) -> &str {
    name.split_once(":document/").map_or(name, |(_, plain)| plain)
}

impl Document {
    /// `$DEFAULT`, `$LATEST` or a number; the default one when nothing is said.
    fn version(&self, wanted: Option<&str>) -> Result<(usize, &Version), ApiError> {
        let number = match wanted.unwrap_or("$DEFAULT") {
            "$DEFAULT" => Some(self.default),
            "$LATEST" => Some(self.versions.len()),
            number => number.parse().ok(),
        };
        number
            .and_then(|number: usize| Some((number, self.versions.get(number.checked_sub(1)?)?)))
            .ok_or_else(|| {
                error(
                    "InvalidDocumentVersion",
                    "The document version isn't valid or doesn't exist.",
                )
            })
    }

    fn shown(&self, name: &str, (number, version): (usize, &Version)) -> Value {
        json!({
            "Name": name, "Owner": ACCOUNT, "CreatedDate": version.created, "Status": "Active", "DocumentType": "Command",
            "DocumentFormat": "JSON", "SchemaVersion": "2.2", "PlatformTypes": ["Linux"], "TargetType": self.target,
            "DocumentVersion": number.to_string(), "LatestVersion": self.versions.len().to_string(),
            "DefaultVersion": self.default.to_string(), "Description": version.content.description,
            "Parameters": version.content.parameters_shown(),
            "Tags": self.tags.iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect::<Vec<_>>(),
        })
    }
}

fn version(params: &Value) -> Result<Version, ApiError> {
    let text = required(params, "Content")?;
    if self::text(params, "DocumentFormat").is_some_and(|format| format != "JSON") {
        return Err(error(
            "ValidationException",
            "the local cloud supports documents in JSON only",
        ));
    }
    if text.chars().count() > MOST_CHARACTERS {
        return Err(error(
            "MaxDocumentSizeExceeded",
            "The size limit of a document is 64 KB.",
        ));
    }
    let content = Content::read(&text).map_err(|why| error("InvalidDocumentContent", why))?;
    Ok(Version {
        text,
        content,
        created: now_seconds(),
    })
}

fn is_name(name: &str) -> bool {
    let known = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    let reserved = ["aws", "amazon", "amzn"]
        .iter()
        .any(|word| name.to_ascii_lowercase().starts_with(word));
    (3..=128).contains(&name.len()) && name.chars().all(known) && !reserved
}

/// CreateDocument.
pub(super) fn create(state: &mut State, params: &Value) -> ApiResult {
    only(
        params,
        &[
            "Name",
            "Content",
            "DocumentType",
            "DocumentFormat",
            "TargetType",
            "Tags",
            "VersionName",
        ],
    )?;
    let name = required(params, "Name")?;
    if !is_name(&name) {
        return Err(error("ValidationException", format!("the name {name} isn't valid")));
    }
    if text(params, "DocumentType").is_some_and(|kind| kind != "Command") {
        return Err(error(
            "ValidationException",
            "the local cloud supports documents of type Command only",
        ));
    }
    if state.documents.contains_key(&name) {
        return Err(error("DocumentAlreadyExists", "The specified document already exists."));
    }
    let mut document = Document {
        versions: vec![version(params)?],
        default: 1,
        target: text(params, "TargetType"),
        tags: IndexMap::new(),
    };
    tag(&mut document, params)?;
    let answer = json!({"DocumentDescription": document.shown(&name, document.version(None)?)});
    state.documents.insert(name, document);
    Ok(answer)
}

fn tag(document: &mut Document, params: &Value) -> Result<(), ApiError> {
    for tag in list(params, "Tags") {
        document.tags.insert(required(&tag, "Key")?, required(&tag, "Value")?);
    }
    Ok(())
}

fn find<'a>(state: &'a mut State, params: &Value, member: &str) -> Result<(String, &'a mut Document), ApiError> {
    let name = required(params, member)?;
    let name = plain_name(&name).to_owned();
    match state.documents.get_mut(&name) {
        Some(found) => Ok((name, found)),
        None => Err(unknown(&name)),
    }
}

/// UpdateDocument: a new version, which is not the default one yet.
pub(super) fn update(state: &mut State, params: &Value) -> ApiResult {
    only(
        params,
        &[
            "Name",
            "Content",
            "DocumentVersion",
            "DocumentFormat",
            "TargetType",
            "VersionName",
        ],
    )?;
    let (name, document) = find(state, params, "Name")?;
    let latest = document.versions.len();
    if document
        .version(text(params, "DocumentVersion").as_deref().or(Some("$LATEST")))?
        .0
        != latest
    {
        return Err(error(
            "InvalidDocumentVersion",
            "The document version is not the latest version.",
        ));
    }
    let new = version(params)?;
    if document.versions.last().is_some_and(|version| version.text == new.text) {
        return Err(error(
            "DuplicateDocumentContent",
            "The content of the document matches the latest version.",
        ));
    }
    if latest >= MOST_VERSIONS {
        return Err(error(
            "DocumentVersionLimitExceeded",
            "The document has too many versions.",
        ));
    }
    document.versions.push(new);
    document.target = text(params, "TargetType").or_else(|| document.target.take());
    Ok(json!({"DocumentDescription": document.shown(&name, document.version(Some("$LATEST"))?)}))
}

/// UpdateDocumentDefaultVersion.
pub(super) fn set_default(state: &mut State, params: &Value) -> ApiResult {
    only(params, &["Name", "DocumentVersion"])?;
    let (name, document) = find(state, params, "Name")?;
    document.default = document.version(Some(&required(params, "DocumentVersion")?))?.0;
    Ok(json!({"Description": {"Name": name, "DefaultVersion": document.default.to_string()}}))
}

/// DescribeDocument.
pub(super) fn describe(state: &mut State, params: &Value) -> ApiResult {
    only(params, &["Name", "DocumentVersion"])?;
    let (name, document) = find(state, params, "Name")?;
    let version = document.version(text(params, "DocumentVersion").as_deref())?;
    Ok(json!({"Document": document.shown(&name, version)}))
}

/// GetDocument.
pub(super) fn get(state: &mut State, params: &Value) -> ApiResult {
    only(params, &["Name", "DocumentVersion", "DocumentFormat"])?;
    let (name, document) = find(state, params, "Name")?;
    let (number, version) = document.version(text(params, "DocumentVersion").as_deref())?;
    Ok(json!({
        "Name": name, "Content": version.text, "DocumentType": "Command", "DocumentFormat": "JSON", "Status": "Active",
        "CreatedDate": version.created, "DocumentVersion": number.to_string(),
    }))
}

/// DeleteDocument, with all versions.
pub(super) fn delete(state: &mut State, params: &Value) -> ApiResult {
    only(params, &["Name", "Force"])?;
    let (name, _) = find(state, params, "Name")?;
    state.documents.shift_remove(&name);
    Ok(json!({}))
}

fn tagged<'a>(state: &'a mut State, params: &Value) -> Result<&'a mut Document, ApiError> {
    let kind = required(params, "ResourceType")?;
    if kind != "Document" {
        return Err(error(
            "InvalidResourceType",
            format!("the local cloud does not support tags on {kind}"),
        ));
    }
    find(state, params, "ResourceId")
        .map(|(_, document)| document)
        .map_err(|_| error("InvalidResourceId", "The resource ID isn't valid."))
}

/// AddTagsToResource.
pub(super) fn add_tags(state: &mut State, params: &Value) -> ApiResult {
    only(params, &["ResourceType", "ResourceId", "Tags"])?;
    tag(tagged(state, params)?, params).map(|()| json!({}))
}

/// RemoveTagsFromResource.
pub(super) fn remove_tags(state: &mut State, params: &Value) -> ApiResult {
    only(params, &["ResourceType", "ResourceId", "TagKeys"])?;
    let gone = texts(params, "TagKeys");
    tagged(state, params)?.tags.retain(|key, _| !gone.contains(key));
    Ok(json!({}))
}

/// ListTagsForResource.
pub(super) fn list_tags(state: &mut State, params: &Value) -> ApiResult {
    only(params, &["ResourceType", "ResourceId"])?;
    let tags = tagged(state, params)?.tags.iter();
    Ok(json!({"TagList": tags.map(|(key, value)| json!({"Key": key, "Value": value})).collect::<Vec<_>>()}))
}

/// The script that a document makes of the parameters of a command, and which version that was.
///
/// # Errors
/// `InvalidDocument`, `InvalidDocumentVersion`, `InvalidParameters`.
pub(super) fn script(
    state: &State,
    name: &str,
    version: Option<&str>,
    parameters: &Value,
) -> Result<(String, Script), ApiError> {
    let found = state.documents.get(plain_name(name)).ok_or_else(|| unknown(name))?;
    let (number, version) = found.version(version)?;
    let script = version
        .content
        .script(parameters)
        .map_err(|why| error("InvalidParameters", why))?;
    Ok((number.to_string(), script))
}

/// The ARN of a document; one of Amazon's own is in no account.
pub(crate) fn arn(region: &str, name: &str) -> String {
    let account = if name.starts_with("AWS-") { "" } else { ACCOUNT };
    match name.starts_with("arn:") {
        true => name.to_owned(),
        false => format!("arn:{}:ssm:{region}:{account}:document/{name}", partition(region)),
    }
}
