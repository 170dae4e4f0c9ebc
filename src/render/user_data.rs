//! User data: cloud-init that writes the agent's configuration and starts its unit, and nothing else.

use indexmap::IndexMap;

use super::alarm::METRICS_NAMESPACE;
use super::launch_template::TERMINATING_HOOK;
use crate::model::Deployment;
use crate::model::agent::{AgentConfig, EngineConfig, FenceConfig, LeaseUse, Ports, StorageConfig};
use crate::stack::{HAS_CERTIFICATE, Way};
use crate::template::{Function, Value, if_, sub, sub_with};
use crate::topology::Member;

/// The agent's configuration on a member, with the template's placeholders in it; CloudFormation fills them in.
///
/// Ports that can be switched off are left out here, because only the deployed stack knows whether they are on.
pub(super) fn agent_config(deployment: &Deployment, member: &Member) -> AgentConfig {
    let engine = deployment.engine.facts();
    let mut ports = Ports::default();
    for way in always(deployment) {
        ports.set(way.protocol(), way.port());
    }
    AgentConfig {
        schema: AgentConfig::SCHEMA.to_owned(),
        stack: "${AWS::StackName}".to_owned(),
        region: "${AWS::Region}".to_owned(),
        group: member.group.to_owned(),
        hook: TERMINATING_HOOK.to_owned(),
        queue_manager: "${QueueManagerName}".to_owned(),
        topology: deployment.topology.into(),
        engine: EngineConfig {
            kind: deployment.engine.kind(),
            bin_dir: engine.bin_dir.to_owned(),
        },
        storage: StorageConfig {
            file_system: "${FileSystem}".to_owned(),
            mount: "/mnt/mqaws".to_owned(),
            mount_with: deployment.storage.mount.into(),
            lease_seconds: deployment.storage.lease_seconds,
        },
        member: None,
        credentials: "${Credentials}".to_owned(),
        user: "${UserName}".to_owned(),
        certificate: "${Certificate}".to_owned(),
        ports,
        metrics_namespace: METRICS_NAMESPACE.to_owned(),
        fence: FenceConfig {
            lease: deployment.storage.start_on_lease.map(|may| match may {
                true => LeaseUse::Allow,
                false => LeaseUse::Refuse,
            }),
        },
    }
}

/// The user data as the launch template holds it.
///
/// Every value that is filled in consists of characters that JSON needs no escape for: names are checked by pattern, ids
/// and ARNs are AWS's own.
pub(super) fn user_data(deployment: &Deployment, member: &Member) -> Value {
    let mut config = serde_json::to_value(agent_config(deployment, member)).expect("the configuration is plain data");
    let mut variables = IndexMap::new();
    for way in Way::all(deployment.engine) {
        let value = match (way.condition(), way.tls_port()) {
            (Some(condition), _) => if_(condition, way.port().to_string(), "null"),
            (None, Some(tls)) => if_(HAS_CERTIFICATE, tls.to_string(), way.port().to_string()),
            (None, None) => continue,
        };
        let variable = format!("{}Port", way.protocol().part);
        config[Ports::key(way.protocol())] = format!("${{{variable}}}").into();
        variables.insert(variable, value);
    }
    let mut config = serde_json::to_string_pretty(&config).expect("the configuration is plain data");
    for variable in variables.keys() {
        // A number or null, so it stands without quotes.
        config = config.replace(&format!("\"${{{variable}}}\""), &format!("${{{variable}}}"));
    }

    let mut text = String::from(
        "#cloud-config\nwrite_files:\n  - path: /etc/mqaws/agent.json\n    owner: root:root\n    permissions: \"0600\"\n    content: |\n",
    );
    for line in config.lines() {
        text.push_str("      ");
        text.push_str(line);
        text.push('\n');
    }
    if let Some(definitions) = &deployment.queue_manager.definitions {
        // A JSON string is a YAML string as well; `${` would begin a placeholder.
        let content = serde_json::Value::from(definitions.text.as_str())
            .to_string()
            .replace("${", "${!");
        let path = deployment.engine.facts().definitions;
        text.push_str("  - path: ");
        text.push_str(path);
        text.push_str("\n    owner: root:root\n    permissions: \"0600\"\n    content: ");
        text.push_str(&content);
        text.push('\n');
    }
    text.push_str("runcmd:\n  - [systemctl, enable, --now, mqaws-agent.service]\n");
    let text = match variables.is_empty() {
        true => sub(text),
        false => sub_with(text, variables),
    };
    Value::call(Function::Base64, text)
}

/// The ways that the deployed stack cannot switch off.
fn always(deployment: &Deployment) -> impl Iterator<Item = Way> {
    Way::all(deployment.engine).filter(|way| way.condition().is_none())
}
