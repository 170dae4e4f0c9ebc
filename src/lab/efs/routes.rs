//! REST requests of EFS as actions: method, path and query on one side, action and parameters on the other.

use serde_json::{Map, Value, json};

const PREFIX: &str = "/2015-02-01/";

/// A request as an action.
#[derive(Debug, Clone, PartialEq)]
pub struct Route {
    /// Name of the action.
    pub action: &'static str,
    /// Parameters: body, path and query in one object.
    pub params: Value,
    /// HTTP status of success; 204 answers have no body.
    pub success: u16,
}

/// Whether a path belongs to EFS.
pub fn is_efs(path: &str) -> bool {
    path.starts_with(PREFIX)
}

/// Finds the action for a request; `None` when there is no such route.
///
/// `query` holds decoded pairs, `body` the JSON body or `Null`. Repeated query keys become lists.
pub fn route(method: &str, path: &str, query: &[(String, String)], body: Value) -> Option<Route> {
    let parts: Vec<&str> = path.strip_prefix(PREFIX)?.trim_end_matches('/').split('/').collect();
    let fs = Some(("FileSystemId", 1));
    let mt = Some(("MountTargetId", 1));
    let resource = Some(("ResourceId", 1));
    let (action, id, success) = match (method, parts.as_slice()) {
        ("POST", ["file-systems"]) => ("CreateFileSystem", None, 201),
        ("GET", ["file-systems"]) => ("DescribeFileSystems", None, 200),
        ("GET", ["file-systems", "replication-configurations"]) => ("DescribeReplicationConfigurations", None, 200),
        ("PUT", ["file-systems", _]) => ("UpdateFileSystem", fs, 202),
        ("DELETE", ["file-systems", _]) => ("DeleteFileSystem", fs, 204),
        ("PUT", ["file-systems", _, "policy"]) => ("PutFileSystemPolicy", fs, 200),
        ("GET", ["file-systems", _, "policy"]) => ("DescribeFileSystemPolicy", fs, 200),
        ("DELETE", ["file-systems", _, "policy"]) => ("DeleteFileSystemPolicy", fs, 200),
        ("PUT", ["file-systems", _, "backup-policy"]) => ("PutBackupPolicy", fs, 200),
        ("GET", ["file-systems", _, "backup-policy"]) => ("DescribeBackupPolicy", fs, 200),
        ("PUT", ["file-systems", _, "lifecycle-configuration"]) => ("PutLifecycleConfiguration", fs, 200),
        ("GET", ["file-systems", _, "lifecycle-configuration"]) => ("DescribeLifecycleConfiguration", fs, 200),
        ("PUT", ["file-systems", _, "protection"]) => ("UpdateFileSystemProtection", fs, 200),
        ("POST", ["mount-targets"]) => ("CreateMountTarget", None, 200),
        ("GET", ["mount-targets"]) => ("DescribeMountTargets", None, 200),
        ("DELETE", ["mount-targets", _]) => ("DeleteMountTarget", mt, 204),
        ("GET", ["mount-targets", _, "security-groups"]) => ("DescribeMountTargetSecurityGroups", mt, 200),
        ("PUT", ["mount-targets", _, "security-groups"]) => ("ModifyMountTargetSecurityGroups", mt, 204),
        ("POST", ["resource-tags", _]) => ("TagResource", resource, 200),
        ("DELETE", ["resource-tags", _]) => ("UntagResource", resource, 200),
        ("GET", ["resource-tags", _]) => ("ListTagsForResource", resource, 200),
        _ => return None,
    };
    let mut params = match body {
        Value::Object(map) => map,
        _ => Map::new(),
    };
    for (key, value) in query {
        match params.get_mut(key) {
            None if key == "tagKeys" => drop(params.insert(key.clone(), json!([value]))),
            None => drop(params.insert(key.clone(), json!(value))),
            Some(Value::Array(items)) => items.push(json!(value)),
            Some(one) => *one = json!([one.clone(), value]),
        }
    }
    if let Some((name, at)) = id {
        params.insert(
            name.to_owned(),
            json!(parts.get(at)?.replace("%3A", ":").replace("%2F", "/")),
        );
    }
    Some(Route {
        action,
        params: Value::Object(params),
        success,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_become_actions() {
        let q = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
            pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
        };
        for (method, path, query, body, want) in [
            (
                "POST",
                "/2015-02-01/file-systems",
                q(&[]),
                json!({"CreationToken": "t"}),
                Some(("CreateFileSystem", json!({"CreationToken": "t"}), 201)),
            ),
            (
                "GET",
                "/2015-02-01/file-systems",
                q(&[("MaxItems", "5")]),
                Value::Null,
                Some(("DescribeFileSystems", json!({"MaxItems": "5"}), 200)),
            ),
            (
                "PUT",
                "/2015-02-01/file-systems/fs-1/policy",
                q(&[]),
                json!({"Policy": "{}"}),
                Some((
                    "PutFileSystemPolicy",
                    json!({"Policy": "{}", "FileSystemId": "fs-1"}),
                    200,
                )),
            ),
            (
                "DELETE",
                "/2015-02-01/resource-tags/fs-1",
                q(&[("tagKeys", "a"), ("tagKeys", "b")]),
                Value::Null,
                Some((
                    "UntagResource",
                    json!({"tagKeys": ["a", "b"], "ResourceId": "fs-1"}),
                    200,
                )),
            ),
            (
                "DELETE",
                "/2015-02-01/mount-targets/fsmt-1",
                q(&[]),
                Value::Null,
                Some(("DeleteMountTarget", json!({"MountTargetId": "fsmt-1"}), 204)),
            ),
            ("PATCH", "/2015-02-01/file-systems", q(&[]), Value::Null, None),
            ("GET", "/2015-02-01/access-points", q(&[]), Value::Null, None),
            ("GET", "/elsewhere", q(&[]), Value::Null, None),
        ] {
            let got = route(method, path, &query, body).map(|r| (r.action, r.params, r.success));
            assert_eq!(got, want, "{method} {path}");
        }
    }
}
