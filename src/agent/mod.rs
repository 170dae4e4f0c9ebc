//! What runs on the instance: owns one queue manager, keeps it serving, and never writes beside another owner.
//!
//! Reading order: [`machine`] decides, purely.

pub mod machine;
