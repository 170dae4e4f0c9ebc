//! User data: cloud-init that writes the agent's configuration and starts its unit, and nothing else.

use indexmap::IndexMap;

use super::alarm::METRICS_NAMESPACE;
use super::launch_template::TERMINATING_HOOK;
use crate::model::Deployment;
use crate::model::agent::{AgentConfig, EngineConfig, FenceConfig, LeaseUse, StorageConfig};
use crate::template::{Function, Value, if_, sub_with};
use crate::topology::Member;

/// The agent's configuration on a member, with the template's placeholders in it; CloudFormation fills them in.
///
/// `amqp_port` is left out here, because only the deployed stack knows whether AMQP is on.
pub(super) fn agent_config(deployment: &Deployment, member: &Member) -> AgentConfig {
    let engine = deployment.engine().facts();
    AgentConfig {
        schema: AgentConfig::SCHEMA.to_owned(),
        stack: "${AWS::StackName}".to_owned(),
        region: "${AWS::Region}".to_owned(),
        group: member.group.to_owned(),
        hook: TERMINATING_HOOK.to_owned(),
        queue_manager: "${QueueManagerName}".to_owned(),
        topology: deployment.topology.into(),
        engine: EngineConfig {
            kind: deployment.engine().kind(),
            bin_dir: engine.bin_dir.to_owned(),
        },
        storage: StorageConfig {
            file_system: "${FileSystem}".to_owned(),
            mount: "/mnt/mqaws".to_owned(),
            mount_with: deployment.storage.mount.into(),
            lease_seconds: deployment.storage.lease_seconds,
        },
        credentials: "${Credentials}".to_owned(),
        user: "${UserName}".to_owned(),
        certificate: "${Certificate}".to_owned(),
        mq_port: engine.port,
        amqp_port: None,
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
    config["amqp_port"] = "${AmqpPort}".into();
    let config = serde_json::to_string_pretty(&config).expect("the configuration is plain data");
    // A number or null, so it stands without quotes.
    let config = config.replace("\"${AmqpPort}\"", "${AmqpPort}");

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
        let path = deployment.engine().facts().definitions;
        text.push_str("  - path: ");
        text.push_str(path);
        text.push_str("\n    owner: root:root\n    permissions: \"0600\"\n    content: ");
        text.push_str(&content);
        text.push('\n');
    }
    text.push_str("runcmd:\n  - [systemctl, enable, --now, mqaws-agent.service]\n");
    let amqp_port = deployment.engine().facts().amqp_port.to_string();
    let variables = IndexMap::from([("AmqpPort".to_owned(), if_("HasAmqp", amqp_port, "null"))]);
    Value::call(Function::Base64, sub_with(text, variables))
}
