//! Resource types: how each is created, updated and deleted through the actions of its service.

mod autoscaling;
mod ec2;
mod efs;
mod elbv2;
mod iam;
mod launch_template;
mod network;
mod network_interface;
mod others;
mod retag;
mod security_group;
mod ssm;
mod table;
mod volume;

pub(crate) use table::{create, custom_name, delete, is_importable, read, replaces, takes_tags, update};
