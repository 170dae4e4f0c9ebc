//! AWS clients: the only place that names an SDK type.

pub mod signed;
