//! EFS speaks rest-json: the action is in the method and the path.

use super::percent::unescape;
use crate::api::ApiError;
use serde_json::{Map, Value};

/// Method, path pattern, action and HTTP status of success; `{X}` takes one segment as parameter `X`.
const ROUTES: &[(&str, &str, &str, u16)] = &[
    ("POST", "file-systems", "CreateFileSystem", 201),
    ("GET", "file-systems", "DescribeFileSystems", 200),
    ("PUT", "file-systems/{FileSystemId}", "UpdateFileSystem", 202),
    ("DELETE", "file-systems/{FileSystemId}", "DeleteFileSystem", 204),
    (
        "PUT",
        "file-systems/{FileSystemId}/protection",
        "UpdateFileSystemProtection",
        200,
    ),
    ("PUT", "file-systems/{FileSystemId}/policy", "PutFileSystemPolicy", 200),
    (
        "GET",
        "file-systems/{FileSystemId}/policy",
        "DescribeFileSystemPolicy",
        200,
    ),
    (
        "DELETE",
        "file-systems/{FileSystemId}/policy",
        "DeleteFileSystemPolicy",
        200,
    ),
    (
        "PUT",
        "file-systems/{FileSystemId}/backup-policy",
        "PutBackupPolicy",
        200,
    ),
    (
        "GET",
        "file-systems/{FileSystemId}/backup-policy",
        "DescribeBackupPolicy",
        200,
    ),
    (
        "PUT",
        "file-systems/{FileSystemId}/lifecycle-configuration",
        "PutLifecycleConfiguration",
        200,
    ),
    (
        "GET",
        "file-systems/{FileSystemId}/lifecycle-configuration",
        "DescribeLifecycleConfiguration",
        200,
    ),
    ("POST", "mount-targets", "CreateMountTarget", 200),
    ("GET", "mount-targets", "DescribeMountTargets", 200),
    ("DELETE", "mount-targets/{MountTargetId}", "DeleteMountTarget", 204),
    (
        "GET",
        "mount-targets/{MountTargetId}/security-groups",
        "DescribeMountTargetSecurityGroups",
        200,
    ),
    (
        "PUT",
        "mount-targets/{MountTargetId}/security-groups",
        "ModifyMountTargetSecurityGroups",
        204,
    ),
    ("POST", "resource-tags/{ResourceId}", "TagResource", 200),
    ("DELETE", "resource-tags/{ResourceId}", "UntagResource", 200),
    ("GET", "resource-tags/{ResourceId}", "ListTagsForResource", 200),
    ("POST", "create-tags/{FileSystemId}", "CreateTags", 204),
    ("POST", "delete-tags/{FileSystemId}", "DeleteTags", 204),
    ("GET", "tags/{FileSystemId}", "DescribeTags", 200),
    ("GET", "account-preferences", "DescribeAccountPreferences", 200),
    ("PUT", "account-preferences", "PutAccountPreferences", 200),
];

/// Prefix of every path.
pub(crate) const PREFIX: &str = "/2015-02-01/";

/// HTTP status of success of an action.
pub(crate) fn success(action: &str) -> u16 {
    ROUTES.iter().find(|r| r.2 == action).map_or(200, |r| r.3)
}

/// The action of a request with its parameters from path, query string and body.
///
/// # Errors
/// `UnknownOperationException` for a path that EFS does not have, `BadRequest` for a body that is no JSON object.
pub(crate) fn read(
    method: &str,
    path: &str,
    query: &[(String, String)],
    body: &[u8],
) -> Result<(&'static str, Map<String, Value>), ApiError> {
    let rest = path.strip_prefix(PREFIX).unwrap_or_default().trim_end_matches('/');
    let found = ROUTES
        .iter()
        .filter(|route| route.0 == method)
        .find_map(|route| matches(route.1, rest).map(|bound| (route.2, bound)));
    let Some((action, bound)) = found else {
        return Err(ApiError::new(
            "UnknownOperationException",
            format!("{method} {path} is not an operation of EFS"),
        )
        .status(404));
    };
    let mut params = if body.iter().all(u8::is_ascii_whitespace) {
        Map::new()
    } else {
        match serde_json::from_slice(body) {
            Ok(Value::Object(params)) => params,
            _ => return Err(ApiError::new("BadRequest", "The request body is not a JSON object")),
        }
    };
    for (key, text) in query {
        let name = if key == "tagKeys" { "TagKeys" } else { key.as_str() };
        if name == "TagKeys" {
            let keys = params.entry(name).or_insert_with(|| Value::Array(Vec::new()));
            if let Value::Array(keys) = keys {
                keys.push(Value::String(text.clone()));
            }
        } else {
            params.insert(name.to_owned(), Value::String(text.clone()));
        }
    }
    for (name, text) in bound {
        params.insert(name.to_owned(), Value::String(text));
    }
    Ok((action, params))
}

fn matches(pattern: &'static str, path: &str) -> Option<Vec<(&'static str, String)>> {
    let mut bound = Vec::new();
    let mut segments = path.split('/');
    for expected in pattern.split('/') {
        let segment = segments.next()?;
        match expected.strip_prefix('{').and_then(|e| e.strip_suffix('}')) {
            Some(name) if !segment.is_empty() => bound.push((name, unescape(segment))),
            Some(_) => return None,
            None if expected == segment => {}
            None => return None,
        }
    }
    // ARNs hold a slash of their own: `arn:…:file-system/fs-1` as the last parameter.
    let tail: Vec<&str> = segments.collect();
    match (tail.as_slice(), bound.last_mut()) {
        ([], _) => Some(bound),
        ([last], Some((_, text))) if text.starts_with("arn:") => {
            text.push('/');
            text.push_str(&unescape(last));
            Some(bound)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn finds_actions_and_parameters() {
        let query = vec![("FileSystemId".to_owned(), "fs-1".to_owned())];
        let keys = vec![
            ("tagKeys".to_owned(), "a".to_owned()),
            ("tagKeys".to_owned(), "b".to_owned()),
        ];
        #[allow(clippy::type_complexity)]
        let cases: &[(&str, &str, &[(String, String)], &str, &str, Value)] = &[
            (
                "POST",
                "/2015-02-01/file-systems",
                &[],
                r#"{"CreationToken":"t"}"#,
                "CreateFileSystem",
                json!({"CreationToken": "t"}),
            ),
            (
                "GET",
                "/2015-02-01/mount-targets",
                &query,
                "",
                "DescribeMountTargets",
                json!({"FileSystemId": "fs-1"}),
            ),
            (
                "DELETE",
                "/2015-02-01/file-systems/fs-1/policy",
                &[],
                "",
                "DeleteFileSystemPolicy",
                json!({"FileSystemId": "fs-1"}),
            ),
            (
                "GET",
                "/2015-02-01/tags/fs-1/",
                &[],
                "",
                "DescribeTags",
                json!({"FileSystemId": "fs-1"}),
            ),
            (
                "DELETE",
                "/2015-02-01/resource-tags/arn%3Aaws%3Aelasticfilesystem%3Aeu-west-1%3A1%3Afile-system%2Ffs-1",
                &keys,
                "",
                "UntagResource",
                json!({"TagKeys": ["a", "b"], "ResourceId": "arn:aws:elasticfilesystem:eu-west-1:1:file-system/fs-1"}),
            ),
            (
                "PUT",
                "/2015-02-01/mount-targets/fsmt-1/security-groups",
                &[],
                r#"{"SecurityGroups":["sg-1"]}"#,
                "ModifyMountTargetSecurityGroups",
                json!({"SecurityGroups": ["sg-1"], "MountTargetId": "fsmt-1"}),
            ),
        ];
        for (method, path, query, body, action, params) in cases {
            let (found, read) = read(method, path, query, body.as_bytes()).unwrap();
            assert_eq!(
                (found, Value::Object(read)),
                (*action, params.clone()),
                "{method} {path}"
            );
        }
    }

    #[test]
    fn refuses_what_efs_does_not_have() {
        for (method, path) in [
            ("PATCH", "/2015-02-01/file-systems"),
            ("GET", "/2015-02-01/none"),
            ("GET", "/"),
            ("PUT", "/2015-02-01/file-systems/"),
        ] {
            assert_eq!(
                read(method, path, &[], b"").unwrap_err().code,
                "UnknownOperationException"
            );
        }
    }
}
