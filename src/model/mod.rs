//! A deployment as typed data; pure.

pub mod agent;
