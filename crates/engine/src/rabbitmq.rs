//! RabbitMQ: what an image of it holds. There is no driver for it yet.

use crate::image::ImageParts;
use mqaws_contract::{EngineKind, engine};

/// What an image of RabbitMQ holds.
pub(crate) const IMAGE: ImageParts = ImageParts {
    kind: EngineKind::of(&engine::RABBITMQ),
    name: engine::RABBITMQ.name,
    user: "rabbitmq",
    commands: &["rabbitmq-server", "rabbitmqctl"],
    licence: false,
    programs: &[],
    settings: &[],
    units: &["rabbitmq-server.service"],
    secrets: &["/var/lib/rabbitmq/.erlang.cookie"],
    leftovers: &[],
};
