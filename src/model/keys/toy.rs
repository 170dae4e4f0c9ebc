//! A key of tests alone: what a row makes of itself.

use super::key::{Flag, Key, Parameter, Topologies};
use super::kind::Kind;
use crate::model::Topology;

pub(super) const KEYS: &[Key] = &[Key {
    topologies: Topologies::Only(&[Topology::TOY]),
    ..Key::new(
        "endpoint.toy_seconds",
        Kind::Integer { min: 3, max: 33 },
        "For how long the toy plays, {bounds} s.",
    )
    .default("7")
    .flag(Flag::new(
        "toy-seconds",
        "SECONDS",
        "For how long the toy plays [default: {default}]",
    ))
    .parameter(Parameter::new("ToySeconds", "Seconds for which the toy plays"))
}];
