//! The local cloud from outside: its endpoint over HTTP, and moto's word on its evaluator of policies.
#![allow(clippy::unwrap_used)] // A request that cannot be made fails the test.

mod endpoint;
#[allow(dead_code, reason = "the tests of other packages want more")]
#[path = "../../../../tests/support/judge.rs"]
mod judge;
mod policy_judge;
