//! A file of definitions as both sides read it, and what is wrong with one before any broker sees it.

use crate::Mistake;
use serde_json::{Map, Value};

/// The user as which the agent asks the broker.
pub const AGENT_USER: &str = "mqaws";
/// What names of queues begin with that are mqaws's own.
pub const RESERVED: &str = "MQAWS.";

/// What a file may hold, as RabbitMQ exports it.
const SECTIONS: [&str; 15] = [
    "rabbit_version",
    "rabbitmq_version",
    "product_name",
    "product_version",
    "rabbitmq_definition_format",
    "original_cluster_name",
    "original_vhost_name",
    "users",
    "vhosts",
    "permissions",
    "topic_permissions",
    "parameters",
    "global_parameters",
    "policies",
    "queues",
];
/// The other lists, whose entries are left to the broker.
const UNREAD: [&str; 3] = ["exchanges", "bindings", "metadata"];

/// What entries of a list must have, each a text.
const NEEDED: [(&str, &[&str]); 5] = [
    ("vhosts", &["name"]),
    ("users", &["name", "password_hash"]),
    ("permissions", &["user", "vhost", "configure", "write", "read"]),
    ("policies", &["name", "vhost", "pattern"]),
    ("queues", &["name", "vhost"]),
];

/// Settings of a policy that remove messages or queues.
const LIMITS: [&str; 4] = ["max-length", "max-length-bytes", "message-ttl", "expires"];

/// What would make the broker refuse the file, or open it to everybody. Whether a user of a permission exists is left to the broker,
/// since that of the application is not in the file.
pub(super) fn mistakes(text: &str) -> Vec<Mistake> {
    let root: Value = match serde_json::from_str(text) {
        Ok(root) => root,
        Err(error) => {
            let what = error.to_string();
            let what = what.split(" at line ").next().unwrap_or_default();
            let mistake = Mistake {
                line: error.line().max(1),
                column: error.column().max(1),
                width: 1,
                what: format!("not valid JSON: {what}"),
                hint: "export a file with `rabbitmqctl export_definitions`, and edit that".to_owned(),
                certain: true,
            };
            return vec![mistake];
        }
    };
    let Value::Object(root) = root else {
        let what = "a file of definitions must be a JSON object".to_owned();
        return vec![at(
            text,
            "",
            what,
            "begin it with `{` and lists such as \"queues\" and \"users\"",
        )];
    };
    let mut found = Vec::new();
    for (section, value) in &root {
        if !SECTIONS.contains(&section.as_str()) && !UNREAD.contains(&section.as_str()) {
            let what = format!("unknown section `{section}`");
            found.push(at(
                text,
                section,
                what,
                "use the names that `rabbitmqctl export_definitions` writes",
            ));
            continue;
        }
        let Some((_, needed)) = NEEDED.iter().find(|(name, _)| name == section) else {
            continue;
        };
        let Value::Array(entries) = value else {
            let what = format!("`{section}` must be a list");
            found.push(at(text, section, what, "put its entries between `[` and `]`"));
            continue;
        };
        for (n, entry) in (1..).zip(entries) {
            match entry.as_object() {
                Some(entry) => found.extend(of_entry(text, &root, section, needed, n, entry)),
                None => {
                    let what = format!("entry {n} of `{section}` must be an object");
                    found.push(at(text, section, what, "put its fields between `{` and `}`"));
                }
            }
        }
    }
    found.sort_by_key(|mistake| (mistake.line, mistake.column));
    found
}

/// What is wrong with one entry of a list.
fn of_entry(
    text: &str,
    root: &Map<String, Value>,
    section: &str,
    needed: &[&str],
    n: usize,
    entry: &Map<String, Value>,
) -> Option<Mistake> {
    let of = |field: &str| entry.get(field).and_then(Value::as_str);
    let name = of("name").or_else(|| of("user")).unwrap_or(section);
    let here = |what: String, hint| Some(at(text, name, what, hint));
    if section == "users" {
        if entry.contains_key("password") {
            let what = format!("user `{name}` has a password in plain text");
            return here(
                what,
                "use \"password_hash\", such as `rabbitmqctl hash_password` prints it",
            );
        }
        if name == "guest" {
            let what = "user `guest` has a password that is public".to_owned();
            return here(what, "use a different name");
        }
        if name == AGENT_USER {
            return here(
                format!("user `{AGENT_USER}` is reserved for mqaws"),
                "use a different name",
            );
        }
    }
    if section == "queues" && name.starts_with(RESERVED) {
        let what = format!("queue names `{RESERVED}*` are reserved for mqaws");
        return here(what, "use a different name");
    }
    if let Some(missing) = needed.iter().find(|field| of(field).is_none()) {
        let what = format!("entry {n} of `{section}` has no text `{missing}`");
        return here(what, "add it");
    }
    if section == "policies" {
        let Some(definition) = entry.get("definition").and_then(Value::as_object) else {
            return here(format!("entry {n} of `{section}` has no object `definition`"), "add it");
        };
        let reaches = of("vhost") == Some("/")
            && of("apply-to") != Some("exchanges")
            && of("pattern").is_some_and(takes_reserved);
        if let Some(limit) = LIMITS.iter().find(|limit| reaches && definition.contains_key(**limit)) {
            let what = format!(
                "policy `{name}` sets `{limit}` on the queues `{RESERVED}*` of mqaws too, if its pattern matches them"
            );
            let hint = "messages of a failover test, or the queue that shows service, would be removed by it: use a pattern that does not match `MQAWS.`";
            return here(what, hint).map(|mistake| Mistake {
                certain: false,
                ..mistake
            });
        }
    }
    let vhost = of("vhost").unwrap_or("/");
    let vhosts = root.get("vhosts").and_then(Value::as_array);
    let known = vhosts.is_some_and(|all| all.iter().any(|one| one["name"] == vhost));
    if vhost != "/" && !known {
        let what = format!("entry {n} of `{section}` is in virtual host `{vhost}`, which the file does not define");
        return here(what, "add it to \"vhosts\"");
    }
    None
}

/// Whether a policy's pattern may match queues of mqaws: a pattern that matches each name, or begins as theirs do. Others are left alone.
fn takes_reserved(pattern: &str) -> bool {
    let bare = pattern.trim_start_matches('^').trim_end_matches('$');
    let literal = bare.replace("\\.", ".");
    matches!(bare, "" | ".*" | ".+" | "(.*)" | "(.+)")
        || RESERVED.starts_with(&literal)
        || literal.starts_with(RESERVED)
}

/// A mistake where a text stands in the file first, at its beginning when it does not.
fn at(text: &str, word: &str, what: String, hint: &'static str) -> Mistake {
    let quoted = Value::from(word).to_string();
    let found = (1..).zip(text.lines()).find_map(|(line, of)| {
        let column = of.find(&quoted).filter(|_| !word.is_empty())?;
        Some((line, of[..column].chars().count() + 1, quoted.chars().count()))
    });
    let (line, column, width) = found.unwrap_or((1, 1, 1));
    Mistake {
        line,
        column,
        width,
        what,
        hint: hint.to_owned(),
        certain: true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> Vec<String> {
        let each = mistakes(text).into_iter();
        each.map(|m| format!("{}:{} {}", m.line, m.column, m.what)).collect()
    }

    #[test]
    fn a_file_that_a_broker_takes_has_no_mistake() {
        let text = r#"{"rabbit_version":"3.10.8","vhosts":[{"name":"/"},{"name":"shop"}],
            "users":[{"name":"ann","password_hash":"aGFzaA==","hashing_algorithm":"rabbit_password_hashing_sha256","tags":[]}],
            "permissions":[{"user":"ann","vhost":"shop","configure":"","write":".*","read":".*"}],
            "policies":[{"vhost":"/","name":"limit","pattern":"^orders","apply-to":"queues","definition":{"max-length":10},"priority":0}],
            "queues":[{"name":"orders","vhost":"shop","durable":true,"auto_delete":false,"arguments":{}}],
            "exchanges":[],"bindings":[]}"#;
        assert_eq!(said(text), Vec::<String>::new());
        assert_eq!(said("{}"), Vec::<String>::new());
    }

    #[test]
    fn each_mistake_is_told_at_its_place() {
        for (text, expected) in [
            ("{\n \"queues\": [}", "2:13 not valid JSON: expected value"),
            ("[]", "1:1 a file of definitions must be a JSON object"),
            ("{\n  \"queue\": []}", "2:3 unknown section `queue`"),
            ("{\"queues\": {}}", "1:2 `queues` must be a list"),
            ("{\"queues\": [7]}", "1:2 entry 1 of `queues` must be an object"),
            (
                "{\"queues\": [{\"name\": \"a\"}]}",
                "1:22 entry 1 of `queues` has no text `vhost`",
            ),
            (
                "{\"queues\": [{\"name\": \"a\", \"vhost\": \"x\"}]}",
                "1:22 entry 1 of `queues` is in virtual host `x`, which the file does not define",
            ),
            (
                "{\"queues\": [{\"name\": \"MQAWS.A\", \"vhost\": \"/\"}]}",
                "1:22 queue names `MQAWS.*` are reserved for mqaws",
            ),
            (
                "{\"users\": [{\"name\": \"ann\", \"password\": \"x\"}]}",
                "1:21 user `ann` has a password in plain text",
            ),
            (
                "{\"users\": [{\"name\": \"guest\", \"password_hash\": \"x\"}]}",
                "1:21 user `guest` has a password that is public",
            ),
            (
                "{\"users\": [{\"name\": \"mqaws\", \"password_hash\": \"x\"}]}",
                "1:21 user `mqaws` is reserved for mqaws",
            ),
            (
                "{\"users\": [{\"name\": \"ann\"}]}",
                "1:21 entry 1 of `users` has no text `password_hash`",
            ),
            (
                "{\"policies\": [{\"name\": \"p\", \"vhost\": \"/\", \"pattern\": \"x\"}]}",
                "1:24 entry 1 of `policies` has no object `definition`",
            ),
        ] {
            assert_eq!(said(text), [expected], "{text}");
        }
    }

    #[test]
    fn a_policy_that_takes_messages_off_the_reserved_queues_is_named_as_possible() {
        let found = |pattern: &str, setting: &str, applies: &str| {
            let policy = serde_json::json!({"policies": [{
                "name": "p", "vhost": "/", "pattern": pattern, "apply-to": applies, "definition": {setting: 1},
            }]});
            let found = mistakes(&policy.to_string());
            assert!(found.iter().all(|mistake| !mistake.certain), "{found:?}");
            found.len()
        };
        for pattern in ["", ".*", "^.*$", "^MQAWS", "^MQAWS\\.PROBE", "MQ"] {
            assert_eq!(found(pattern, "expires", "all"), 1, "{pattern}");
        }
        for (pattern, setting, applies) in [
            ("^orders", "expires", "queues"),
            (".*", "delivery-limit", "queues"),
            (".*", "max-length", "exchanges"),
        ] {
            assert_eq!(found(pattern, setting, applies), 0, "{pattern} {setting} {applies}");
        }
    }
}
