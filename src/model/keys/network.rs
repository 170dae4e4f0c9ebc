//! Keys of `network` and `endpoint`.

use super::key::{Flag, Key, Parameter};
use super::kind::{Kind, Rule};
use crate::model::{SubnetId, VpcId, ZoneName};

pub(super) const KEYS: &[Key] = &[
    Key::new(
        "network.vpc",
        Kind::Text(Rule::of::<VpcId>()),
        "An existing VPC; default: the VPC of the subnets, or the account's default VPC.",
    )
    .otherwise("the VPC of the subnets, or the default VPC")
    .comment("")
    .example("vpc-0123456789abcdef0")
    .page("An existing VPC.")
    .flag(Flag::new(
        "vpc",
        "ID",
        "VPC to deploy into [default: that of the subnets, or the account's default VPC]",
    )),
    Key::new(
        "network.subnets",
        Kind::Pair {
            what: "subnet",
            rule: Rule::of::<SubnetId>(),
        },
        "Two subnets in different availability zones; default: chosen at deployment.",
    )
    .otherwise("chosen in two zones of the VPC")
    .comment("")
    .example("[subnet-0123456789abcdef0, subnet-0fedcba9876543210]")
    .page("Two subnets in different availability zones, in any order; EFS has a mount target in each.")
    .flag(Flag::new(
        "subnets",
        "ID,ID",
        "Two subnets in different availability zones [default: chosen]",
    )),
    Key::new(
        "network.cidr",
        // AWS allows VPCs from /16; its quarters must hold a load balancer and nine endpoints.
        Kind::Range {
            of: "a new network",
            min: 16,
            max: 24,
        },
        "Range of a new VPC, prefix {bounds}; cannot be combined with `vpc` and `subnets`.",
    )
    .comment("Or a new VPC with this range (prefix {bounds}) and the endpoints that the instance needs:")
    .example("10.20.0.0/16")
    .page(
        "Creates a new VPC with this range, prefix {bounds}, instead of using an existing one. Cannot be combined with `vpc` and \
         `subnets`. Only in the partitions `aws` and `aws-us-gov` so far.",
    ),
    Key::new(
        "network.zones",
        Kind::Pair {
            what: "zone",
            rule: Rule::of::<ZoneName>(),
        },
        "Two zones of the new VPC; default: the region's first two.",
    )
    .otherwise("the region's first two")
    .comment("")
    .example("[eu-west-1a, eu-west-1b]")
    .page("Two zones of the new VPC. Only with `network.cidr`."),
    Key::new(
        "network.clients",
        Kind::Ranges { min: 1, max: 20 },
        "Ranges from which clients may connect, {bounds}; default: the private ranges {default}.",
    )
    .default("10.0.0.0/8,172.16.0.0/12,192.168.0.0/16")
    .comment("Ranges from which clients may connect:")
    .page("{bounds} IPv4 ranges from which clients may connect. `0.0.0.0/0` is allowed with a warning.")
    .flag(Flag::new(
        "clients",
        "CIDR,…",
        "Ranges from which clients may connect [default: the private ranges]",
    )),
    Key::new(
        "endpoint.internal",
        Kind::Boolean,
        "Whether the load balancer is reachable only from the VPC and networks connected to it.",
    )
    .default("true")
    .comment("false: internet-facing; requires `clients` above")
    .page(
        "`false` makes the load balancer internet-facing and requires `network.clients`. Cannot be \
         changed for an existing stack.",
    )
    .parameter(
        Parameter::new("Scheme", "Whether the load balancer is reachable from the internet")
            .switch("internal", "internet-facing"),
    ),
    Key::new(
        "endpoint.amqp",
        Kind::Boolean,
        "Whether AMQP 1.0 is served on port {amqp_port}.",
    )
    .default("true")
    .comment("AMQP 1.0 on port {amqp_port}, in addition to MQ on {port}")
    .page("AMQP 1.0 on port {amqp_port}, in addition to MQ on {port}.")
    .parameter(Parameter::new("Amqp", "Whether AMQP 1.0 is served on port {amqp_port}")),
    Key::new(
        "endpoint.idle_timeout_seconds",
        Kind::Integer { min: 60, max: 6000 },
        "Seconds after which the load balancer drops an idle connection, {bounds}.",
    )
    // The longest that AWS allows: quiet channels and AMQP links then live as long as their own heartbeats say.
    .default("6000")
    .comment("Seconds after which idle connections are dropped, {bounds}")
    .page(
        "{bounds}. Seconds after which the load balancer drops an idle connection; AWS's default, 350, is too short \
         for channels with a longer heartbeat.",
    )
    .parameter(Parameter::new(
        "IdleTimeout",
        "Seconds after which idle connections are dropped",
    )),
];
