//! Who may write: owner record, proofs, the lock port.
