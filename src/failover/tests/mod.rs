//! Tests of the rooms together: whole tests against fakes, which take seconds each.
//!
//! The fakes are [`fake_cloud`], [`fake_broker`] and [`relay`]; [`short_test`] is what most tests run.

mod fake_broker;
mod fake_cloud;
mod known_outage;
mod leftovers;
mod liars;
mod ownership;
mod refusals;
mod relay;
mod short_test;
mod split_clients;
mod topology;
mod troubles;
mod whole_test;
