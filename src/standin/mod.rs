//! The stand-in queue manager of the local cloud: a test double.
