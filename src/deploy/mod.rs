//! Plan, change set, review, execute, settle; destroy.
