//! What needs no cloud, not even a local one: rendered files and their judges, the walls of the workspace, verbs without an
//! account, what is in the programs.
#![allow(clippy::unwrap_used, reason = "a helper of a test may fail the test")]

#[cfg(feature = "cli")]
mod agent_wiring;
#[cfg(feature = "cli")]
mod ami_manifest;
#[cfg(feature = "cli")]
mod configuration;
mod engine_names;
mod image_manifest;
mod joins;
#[allow(dead_code, reason = "stories of the local cloud want more")]
#[path = "../support/judge.rs"]
mod judge;
mod pages;
mod partitions;
#[cfg(feature = "cli")]
mod release;
mod security;
#[cfg(feature = "cli")]
#[path = "../support/shipped_agent.rs"]
mod shipped_agent;
mod style;
mod template;
mod walls;
