//! Status: reads, never writes.
