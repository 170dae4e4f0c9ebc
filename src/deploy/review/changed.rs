//! What a change set tells of properties, in short: which, from what to what.

use crate::topology::Detail;
use base64::Engine as _;
use serde_json::Value;
use std::collections::BTreeMap;

/// The properties that change, each once, with its values where they are known.
pub(super) fn properties(details: &[Detail]) -> Vec<String> {
    let mut told: Vec<(&str, Option<String>)> = Vec::new();
    for detail in details {
        let name = detail.name.as_deref().unwrap_or(&detail.attribute);
        let values = values(name, detail);
        // A change set names a property once for each thing that changes it, and its value only in some of them.
        let of_same = |(other, known): &&mut (&str, Option<String>)| {
            *other == name && (*known == values || known.is_none() || values.is_none())
        };
        match told.iter_mut().find(of_same) {
            Some((_, known)) if known.is_none() => *known = values,
            Some(_) => {}
            None => told.push((name, values)),
        }
    }
    // With its members told, the whole says no more.
    let names: Vec<String> = told.iter().map(|(name, _)| (*name).to_owned()).collect();
    let is_whole = |name: &str| {
        let within = |other: &String| other.split([' ', '/']).any(|part| part == name);
        names.iter().any(|other| other != name && within(other))
    };
    let told = told
        .into_iter()
        .filter(|(name, values)| !name.is_empty() && (values.is_some() || !is_whole(name)));
    let mut texts: Vec<String> = told
        .map(|(name, values)| values.unwrap_or_else(|| short(name).to_owned()))
        .collect();
    texts.dedup();
    texts
}

fn values(name: &str, detail: &Detail) -> Option<String> {
    let short = short(name);
    match (&detail.before, &detail.after) {
        (Some(before), Some(after)) if before != after => Some(match short {
            "UserData" => user_data(before, after).unwrap_or_else(|| "UserData".to_owned()),
            _ => format!("{short} {} → {}", brief(before), brief(after)),
        }),
        (None, Some(after)) if !after.is_empty() => Some(format!("{short} → {}", brief(after))),
        _ => None,
    }
}

/// The last name of a path: `VolumeSize` of `/Properties/LaunchTemplateData/BlockDeviceMappings/0/Ebs/VolumeSize`.
pub(super) fn short(path: &str) -> &str {
    let is_name = |part: &&str| !part.is_empty() && !part.bytes().all(|byte| byte.is_ascii_digit());
    path.rsplit('/').find(is_name).unwrap_or(path)
}

/// What changes within the user data of instances: the user's definitions, values of the agent's configuration.
fn user_data(before: &str, after: &str) -> Option<String> {
    let (before, after) = (files(before)?, files(after)?);
    let names = before.keys().chain(after.keys());
    let mut names: Vec<&String> = names.filter(|name| before.get(*name) != after.get(*name)).collect();
    names.sort();
    names.dedup();
    let empty = String::new();
    let told = names.into_iter().map(|name| {
        let of = |files: &BTreeMap<String, String>| files.get(name).unwrap_or(&empty).clone();
        let (before, after) = (of(&before), of(&after));
        let json = |text: &str| serde_json::from_str::<Value>(text).ok();
        match (json(&before), json(&after)) {
            (Some(before @ Value::Object(_)), Some(after @ Value::Object(_))) if name.ends_with("agent.json") => {
                let mut leaves = Vec::new();
                differences("", &before, &after, &mut leaves);
                format!("agent configuration: {}", leaves.join(", "))
            }
            _ => lines(&before, &after),
        }
    });
    let told: Vec<String> = told.collect();
    (!told.is_empty()).then(|| told.join("; "))
}

/// The files that cloud-init writes, by path; `None` for what is not their text, such as one that was cut off.
fn files(user_data: &str) -> Option<BTreeMap<String, String>> {
    let bytes = base64::engine::general_purpose::STANDARD.decode(user_data).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    let mut files = BTreeMap::new();
    let mut path = None;
    for line in text.lines() {
        if let Some(next) = line.strip_prefix("  - path: ") {
            path = Some(next.to_owned());
            files.insert(next.to_owned(), String::new());
        } else if let Some(content) = path.as_ref().and_then(|path| files.get_mut(path)) {
            match line.strip_prefix("    content: ") {
                Some("|") => {}
                Some(quoted) => *content = serde_json::from_str(quoted).unwrap_or_else(|_| quoted.to_owned()),
                None => {
                    if let Some(inner) = line.strip_prefix("      ") {
                        content.push_str(inner);
                        content.push('\n');
                    }
                }
            }
        }
    }
    (!files.is_empty()).then_some(files)
}

/// `definitions changed (2 lines added, 1 removed)`.
fn lines(before: &str, after: &str) -> String {
    let (added, removed) = (beside(after, before), beside(before, after));
    let words = if added == 1 { "line" } else { "lines" };
    match (added, removed) {
        (0, 0) => "definitions reordered".to_owned(),
        _ => format!("definitions: {added} {words} added, {removed} removed"),
    }
}

/// Lines of a text that another one does not have.
fn beside(text: &str, other: &str) -> usize {
    let mut others: Vec<&str> = other.lines().collect();
    let mut beside = 0;
    for line in text.lines() {
        match others.iter().position(|known| *known == line) {
            Some(at) => {
                others.swap_remove(at);
            }
            None => beside += 1,
        }
    }
    beside
}

fn differences(path: &str, before: &Value, after: &Value, told: &mut Vec<String>) {
    match (before, after) {
        (before, after) if before == after => {}
        (Value::Object(one), Value::Object(other)) => {
            let mut names: Vec<&String> = one.keys().chain(other.keys()).collect();
            names.sort();
            names.dedup();
            for name in names {
                let inner = if path.is_empty() {
                    name.clone()
                } else {
                    format!("{path}.{name}")
                };
                let of = |value: &Value| value.get(name).cloned().unwrap_or(Value::Null);
                differences(&inner, &of(before), &of(after), told);
            }
        }
        _ => {
            let words = |value: &Value| match value {
                Value::Null => "none".to_owned(),
                Value::String(text) => brief(text),
                other => brief(&other.to_string()),
            };
            told.push(format!("{path} {} → {}", words(before), words(after)));
        }
    }
}

/// Values may be whole documents.
fn brief(value: &str) -> String {
    const MOST: usize = 40;
    match value.chars().count() {
        n if n <= MOST => value.to_owned(),
        _ => format!("{}…", value.chars().take(MOST).collect::<String>()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topology::tests::change;

    fn detail(path: &str, before: Option<&str>, after: Option<&str>) -> Detail {
        let mut detail = change("AWS::EC2::LaunchTemplate", "Modify", Some("False"), path).details[0].clone();
        (detail.before, detail.after) = (before.map(str::to_owned), after.map(str::to_owned));
        detail
    }

    fn encoded(lease: u64, definitions: Option<&str>) -> String {
        let own = definitions.map(|text| {
            let quoted = Value::from(text);
            format!("  - path: /etc/mqaws/definitions.mqsc\n    owner: root:root\n    content: {quoted}\n")
        });
        let text = format!(
            "#cloud-config\nwrite_files:\n  - path: /etc/mqaws/agent.json\n    owner: root:root\n    content: |\n      {{\n      \
             \"storage\": {{ \"lease_seconds\": {lease} }}\n      }}\n{}runcmd:\n  - [systemctl, enable]\n",
            own.unwrap_or_default()
        );
        base64::engine::general_purpose::STANDARD.encode(text)
    }

    #[test]
    fn each_property_is_told_once_with_its_values() {
        let data = "/Properties/LaunchTemplateData";
        let (size, kind) = (
            format!("{data}/BlockDeviceMappings/0/Ebs/VolumeSize"),
            format!("{data}/InstanceType"),
        );
        let groups = format!("{data}/SecurityGroupIds/0");
        for (details, expected) in [
            (
                vec![
                    detail(&kind, Some("m6i.large"), None),
                    detail(&kind, Some("m6i.large"), Some("m6i.xlarge")),
                    detail(&size, Some("20"), Some("30")),
                ],
                &["InstanceType m6i.large → m6i.xlarge", "VolumeSize 20 → 30"][..],
            ),
            (vec![detail(&groups, Some("sg-1"), None)], &["SecurityGroupIds"]),
            (
                vec![
                    detail("LaunchTemplateData", None, None),
                    detail("LaunchTemplateData InstanceType", Some("a"), Some("b")),
                ],
                &["LaunchTemplateData InstanceType a → b"],
            ),
        ] {
            assert_eq!(properties(&details), expected);
        }
    }

    #[test]
    fn user_data_are_told_by_what_is_in_them() {
        let path = "/Properties/LaunchTemplateData/UserData";
        let cases = [
            (
                encoded(20, Some("DEFINE QLOCAL(A)\n")),
                encoded(20, Some("DEFINE QLOCAL(A)\nDEFINE QLOCAL(B)\n")),
                "definitions: 1 line added, 0 removed",
            ),
            (
                encoded(20, None),
                encoded(30, Some("DEFINE QLOCAL(A)\n")),
                "agent configuration: storage.lease_seconds 20 → 30; definitions: 1 line added, 0 removed",
            ),
            // CloudFormation cuts long values off.
            (encoded(20, None), encoded(30, None)[..30].to_owned() + "…", "UserData"),
        ];
        for (before, after, expected) in cases {
            assert_eq!(properties(&[detail(path, Some(&before), Some(&after))]), [expected]);
        }
    }

    #[test]
    fn long_values_are_cut() {
        assert_eq!(brief(&"x".repeat(100)).chars().count(), 41);
    }
}
