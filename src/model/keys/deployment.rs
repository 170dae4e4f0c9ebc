//! Keys of the deployment as a whole, and of the queue manager.

use super::key::{Flag, Key, Parameter, Pattern};
use super::kind::{Kind, Rule, Wrong};
use crate::model::{Engine, ProfileName, QueueManagerName, Region, StackName, TagKey, TagValue, Topology};

/// The word of a topology that there is.
const TOPOLOGY: Rule = Rule {
    pattern: "",
    words: "the name of a topology",
    check: |_, text| match Topology::of(text) {
        Some(topology) => Ok(topology.as_str().to_owned()),
        None => Err(no_topology(text)),
    },
};

fn no_topology(text: &str) -> Wrong {
    const LATER: [&str; 3] = ["native-ha", "rabbitmq-cluster", "replicated-dr"];
    let there: Vec<String> = Topology::all().map(|name| format!("`{}`", name.as_str())).collect();
    let message = match LATER.contains(&text) {
        true => format!("topology `{text}` is not available yet"),
        false => format!("unknown topology `{}`", mqaws_contract::clipped(text)),
    };
    Wrong::new(message, format!("use {}", there.join(" or ")))
}

/// The name of a file of definitions.
const DEFINITIONS: Rule = Rule {
    pattern: "",
    words: "the name of a file",
    check: |key, text| match text.trim() {
        "" => Err(Wrong::new(format!("`{key}` is empty"), "specify a file of definitions")),
        file => Ok(file.to_owned()),
    },
};

pub(super) const KEYS: &[Key] = &[
    Key::new(
        "stack",
        Kind::Text(Rule::of::<StackName>()),
        "Name of the CloudFormation stack; default `mqaws-` and the queue manager's name in lowercase.",
    )
    .otherwise("`mqaws-` and the queue manager's name in lowercase")
    .comment("Name of the CloudFormation stack.")
    .example("mqaws-qm1")
    .always()
    .page("Name of the CloudFormation stack: {rule}.")
    .flag(Flag::new(
        "stack",
        "NAME",
        "Name of the stack [default: mqaws- and the queue manager's name]",
    )),
    Key::new(
        "region",
        Kind::Text(Rule::of::<Region>()),
        "AWS region; default: the region in the user's AWS configuration.",
    )
    .otherwise("your AWS configuration's")
    .comment("AWS region and profile; default: those of your AWS configuration.")
    .example("eu-west-1")
    .page("AWS region.")
    .flag(Flag::new("region", "REGION", "AWS region").global()),
    Key::new(
        "profile",
        Kind::Text(Rule::of::<ProfileName>()),
        "Profile of the user's AWS configuration; default: the profile that the configuration selects.",
    )
    .otherwise("your AWS configuration's")
    .comment("")
    .example("default")
    .quoted()
    .page("Profile of the AWS configuration files, including profiles that use SSO.")
    .flag(Flag::new("profile", "NAME", "Profile of the AWS configuration files").global()),
    Key::new(
        "topology",
        Kind::Text(TOPOLOGY),
        "Topology that makes the queue manager highly available.",
    )
    .default("single")
    .always()
    .flag(Flag::new(
        "topology",
        "NAME",
        "Topology that makes the queue manager highly available [default: {default}]",
    ))
    .page(
        "Topology that makes the queue manager highly available. `single`: one instance, replaced in either of two zones, on the \
         same data. `standby`: two instances in two zones on the same data; one is active, the other is ready to take over. See \
         [Topologies](topologies.md).",
    ),
    Key::new(
        "engine",
        Kind::Word(|| Engine::all().map(Engine::as_str).collect()),
        "Engine of the queue manager.",
    )
    .default("ibm-mq")
    .comment("Engine of the queue manager: {words}")
    .page("{words}. Engine of the queue manager. For RabbitMQ, see [rabbitmq.md](rabbitmq.md)."),
    Key::new(
        "queue_manager.name",
        Kind::Text(Rule::of::<QueueManagerName>()),
        "Name of the queue manager; default `{default}`.",
    )
    .default("QM1")
    .comment("{rule}")
    .quoted()
    .always()
    .page("Name of the queue manager, by the rules of IBM MQ: 1 to 48 characters of `A-Z a-z 0-9 . / _ %`.")
    .flag(Flag::new(
        "queue-manager",
        "NAME",
        "Name of the queue manager [default: {default}]",
    ))
    .parameter(Parameter::new("QueueManagerName", "Name of the queue manager").pattern(Pattern::OfRule)),
    Key::new(
        "queue_manager.definitions",
        Kind::Text(DEFINITIONS),
        "File with your own definitions (IBM MQ: MQSC commands, RabbitMQ: JSON), at most 8 KiB, next to this file.",
    )
    .comment("File with your own definitions: MQSC commands for IBM MQ, JSON for RabbitMQ")
    .example("own.mqsc")
    .quoted()
    .page(
        "A file with your own definitions, at most 8 KiB, relative to this file (a variable's or flag's, to the \
         current folder): MQSC commands for IBM MQ, [JSON for RabbitMQ](rabbitmq.md#definitions). A change replaces the instance, with one short outage. MQSC is applied once for each change, with the \
         result of each command checked; definitions that fail cause the deployment to fail. Do not put passwords in it; object names `MQAWS.*` are reserved for mqaws.",
    ),
];

/// The last key of the file.
pub(super) const TAGS: &[Key] = &[Key::new(
    "tags",
    // AWS allows 50 a resource, and some are taken: our own and CloudFormation's.
    Kind::Map {
        key: Rule::of::<TagKey>(),
        value: Rule::of::<TagValue>(),
        max: 40,
    },
    "Tags of the stack, its resources, and images, at most {max}.",
)
.comment("Tags of all resources.")
.example("cost-center: messaging")
.page(
    "At most {max} tags of the stack, its resources, and images. Keys have up to 128 characters of \
     `A-Z a-z 0-9 + - = . _ : @` (IAM, EFS, and instance metadata allow no others), must differ in more than case, and \
     must not be `Name` or start with `aws:` or `mqaws:`, in any case.",
)];
