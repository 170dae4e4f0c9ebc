//! The wire protocols of AWS: requests to calls, results and errors to responses.
//!
//! [`protocol`] finds the service and the protocol of a request, [`reply`] writes answers and errors; the codecs are
//! [`query`] (also EC2's dialect), [`efs`] (rest-json) and [`cbor`] (what CloudWatch's clients send today).

pub mod cbor;
pub(crate) mod efs;
pub mod percent;
pub mod protocol;
pub(crate) mod query;
pub(crate) mod reply;
