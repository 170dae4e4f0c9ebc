//! The agent from outside: the fencing protocol in a model, what the program gets from S3, and the units that an image installs.
#![allow(clippy::unwrap_used)] // What the test cannot have has failed it.

mod fence_model;
mod fetch;
#[allow(dead_code, reason = "the tests of other packages want more")]
#[path = "../../../../tests/support/judge.rs"]
mod judge;
mod units;
