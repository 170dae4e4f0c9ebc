//! The stack's own documents of Systems Manager, one for each class of what may be asked of an agent.
//!
//! A command that is not one of these cannot be sent with them: a verb is chosen from a list, and what a parameter may hold is nothing
//! that a shell reads otherwise than it stands there.

use super::tags::tags;
use crate::model::Deployment;
use crate::stack::Output;
use crate::template::{self, Resource, Template, Value, list, object, reference};
use indexmap::IndexMap;
use mqaws_contract::verb::{
    ARGUMENT_PATTERN, COMMAND, Class, FROM_BYTE, FROM_LINE, NUMBER_PATTERN, PAGE_BYTES, UNKNOWN_VERB, Verb,
};

/// Longest run of a command, in seconds; `pause` and a fault wait for the agent, which takes up to 15 s.
const SECONDS: u32 = 60;

/// Adds the documents and the outputs that name them; faults come with `AllowFaults` alone.
pub(crate) fn add(template: &mut Template, _: &Deployment) {
    for class in Class::ALL {
        let condition = (class == Class::Test).then(|| "HasFaultsAllowed".to_owned());
        let name = Output::document(class).name();
        let mut document = Resource::new("AWS::SSM::Document", properties(class));
        document.condition.clone_from(&condition);
        template.resources.insert(name.to_owned(), document);
        let words = format!("Document of Systems Manager: {}", class.name());
        let mut output = template::Output::new(&words, reference(name));
        output.condition = condition;
        template.outputs.insert(name.to_owned(), output);
    }
}

fn properties(class: Class) -> Value {
    object! {
        "DocumentType" => "Command",
        "TargetType" => "/AWS::EC2::Instance",
        // The name stays what it is when the content changes: policies and whoever is at work go by it.
        "UpdateMethod" => "NewVersion",
        "Content" => object! {
            "schemaVersion" => "2.2",
            "description" => class.words(),
            "parameters" => parameters(class),
            "mainSteps" => list![object! {
                "action" => "aws:runShellScript",
                "name" => class.name(),
                "precondition" => object! { "StringEquals" => list!["platformType", "Linux"] },
                "inputs" => object! {
                    "timeoutSeconds" => SECONDS.to_string(),
                    "runCommand" => Value::from(script(class)),
                },
            }],
        },
        "Tags" => tags(),
    }
}

/// Without descriptions: a template of a large network has few bytes left.
fn parameters(class: Class) -> Value {
    let names: Vec<&str> = class.verbs().map(Verb::name).collect();
    let mut all = IndexMap::from([(
        COMMAND.to_owned(),
        object! {
            "type" => "String",
            "allowedValues" => Value::from(names),
            "allowedPattern" => ARGUMENT_PATTERN,
        },
    )]);
    for verb in class.verbs() {
        let Some(parameter) = verb.parameter() else { continue };
        let of_verb = object! {
            "type" => "String",
            "default" => parameter.default(),
            "allowedPattern" => parameter.pattern(),
        };
        all.insert(parameter.name().to_owned(), of_verb);
    }
    if class == Class::Read {
        for name in [FROM_LINE, FROM_BYTE] {
            let from = object! {
                "type" => "String",
                "default" => "1",
                "allowedPattern" => NUMBER_PATTERN,
            };
            all.insert(name.to_owned(), from);
        }
    }
    Value::Map(all)
}

/// The lines of the script: the one verb that was chosen, and of what it prints the page that is wanted.
fn script(class: Class) -> Vec<String> {
    let given = |name: &str| format!("'{{{{ {name} }}}}'");
    let paged = class == Class::Read;
    let mut lines = vec![format!("case {} in", given(COMMAND))];
    for verb in class.verbs() {
        let argument = verb.parameter().map(|parameter| given(parameter.name()));
        let line = verb.command_line(&argument.unwrap_or_default());
        lines.push(match paged {
            true => format!("{}) answer=$({line}) ;;", verb.name()),
            false => format!("{}) {line} ;;", verb.name()),
        });
    }
    lines.push(format!("*) exit {UNKNOWN_VERB} ;;"));
    match paged {
        // A failure is told as it is, before anything is cut.
        true => lines.extend([
            "esac || exit".to_owned(),
            format!(
                "printf '%s\\n' \"$answer\" | tail -n +{} | tail -c +{} | head -c {PAGE_BYTES}",
                given(FROM_LINE),
                given(FROM_BYTE)
            ),
        ]),
        false => lines.push("esac".to_owned()),
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::template;

    #[test]
    fn each_class_is_a_document_that_keeps_its_name() {
        let template = template(&Deployment::default()).unwrap();
        for class in Class::ALL {
            let document = &template.resources[Output::document(class).name()];
            assert_eq!(document.kind, "AWS::SSM::Document");
            assert_eq!(document.properties["UpdateMethod"].as_str(), Some("NewVersion"));
            assert!(
                !document.properties.contains_key("Name"),
                "{class:?} has a generated name"
            );
            assert_eq!(
                document.condition.as_deref(),
                (class == Class::Test).then_some("HasFaultsAllowed")
            );
        }
    }

    #[test]
    fn a_parameter_is_in_quotes_and_its_pattern_has_none() {
        for class in Class::ALL {
            let Value::Map(parameters) = parameters(class) else {
                panic!("a map")
            };
            for (name, parameter) in &parameters {
                let pattern = parameter.get("allowedPattern").and_then(Value::as_str).unwrap();
                // The local cloud holds values against them.
                assert!(
                    [ARGUMENT_PATTERN, NUMBER_PATTERN].contains(&pattern),
                    "{name}: {pattern}"
                );
                let text = script(class).join("\n");
                let quoted = format!("'{{{{ {name} }}}}'");
                assert!(text.contains(&quoted), "{text}");
                // It stands nowhere without them.
                assert_eq!(
                    text.matches(&format!("{{{{ {name} }}}}")).count(),
                    text.matches(&quoted).count(),
                    "{text}"
                );
            }
        }
    }
}
