//! The agent's few AWS calls, without an SDK: metadata service, signature version 4, query protocol, parts of objects.
//!
//! Entry points: [`Imds`] (who and where this instance is, its role's credentials) and [`Client`] (signed calls).
//! Both go through one [`Transport`], so that tests answer in its place. Every call has a deadline and is retried a
//! bounded number of times; an error is typed and never turned into an answer.

mod calls;
mod client;
mod credentials;
mod endpoint;
mod error;
mod imds;
mod object;
mod retry;
mod transport;
mod xml;

pub use calls::{Datum, InstanceView, MountTargetView, Signal, SignalOutcome};
pub use client::Client;
pub use credentials::{Credentials, CredentialsSource, ImdsCredentials};
pub use endpoint::{Endpoints, Service, dns_suffix};
pub use error::CallError;
pub use imds::{Imds, ImdsError};
pub use object::{Object, ObjectPart};
pub use retry::RetryPolicy;
pub use transport::{HttpTransport, Transport, TransportError};
