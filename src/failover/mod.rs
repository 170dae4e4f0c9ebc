//! The failover test: load, faults, ledger, checker, report.
