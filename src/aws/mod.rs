//! AWS clients: the only place that names an SDK type.
