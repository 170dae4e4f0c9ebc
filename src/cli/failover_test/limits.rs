//! Limits on the command line: for every fault, or for one.

use super::test::Test;
use super::times::at_least;
use crate::cli::CliError;
use crate::failover::measure::limits::RtoLimit;
use crate::failover::measure::spread::Statistic;
use crate::failover::{Fault, Limits, UnknownFault};
use std::time::Duration;

/// A time for one fault, or for every one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FaultTime {
    fault: Option<Fault>,
    time: Duration,
}

/// Reads `2s`, or `kill-queue-manager=2s`.
pub(super) fn read(text: &str) -> Result<FaultTime, String> {
    let (fault, time) = match text.split_once('=') {
        Some((fault, time)) => {
            let fault = fault.trim().parse().map_err(|error: UnknownFault| error.to_string())?;
            (Some(fault), time.trim())
        }
        None => (None, text),
    };
    let time = at_least("1ms")(time)?;
    Ok(FaultTime { fault, time })
}

/// The limits of a test.
///
/// # Errors
/// [`CliError::Usage`] for a limit that is given twice, or for a fault that is not injected: no round could exceed it.
pub(super) fn of(args: &Test) -> Result<Limits, CliError> {
    let given = [
        ("--max-rto", Statistic::Worst, &args.max_rto),
        ("--max-rto-median", Statistic::Median, &args.max_rto_median),
        ("--max-rto-p95", Statistic::P95, &args.max_rto_p95),
    ];
    let mut limits = Limits {
        max_rpo: args.max_rpo,
        duplicates: args.duplicates,
        allow_reordering: args.allow_reordering,
        ..Limits::default()
    };
    for (flag, of, times) in given {
        for (at, FaultTime { fault, time }) in times.iter().enumerate() {
            let whom = fault.map_or("every fault", Fault::name);
            if times[..at].iter().any(|other| other.fault == *fault) {
                return Err(CliError::Usage {
                    message: format!("{flag} is specified twice for {whom}"),
                    hint: Some("specify it once for all faults, and once for each fault with its own limit".into()),
                });
            }
            if args.faults.is_none() && fault.is_some_and(|fault| !args.fault.contains(&fault)) {
                return Err(CliError::Usage {
                    message: format!("{flag} sets a limit for {whom}, but the test does not inject this fault"),
                    hint: Some(format!("add --fault {whom}, or remove the limit")),
                });
            }
            let max_ns = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
            match (of, fault) {
                (Statistic::Worst, None) => limits.max_rto_ns = Some(max_ns),
                _ => limits.rto.push(RtoLimit {
                    fault: *fault,
                    of,
                    max_ns,
                }),
            }
        }
    }
    Ok(limits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::{Cli, Command};
    use clap::Parser;

    fn limits(words: &[&str]) -> Result<Limits, String> {
        let words = [&["mqaws", "failover-test"], words].concat();
        let cli = Cli::try_parse_from(words).map_err(|error| error.to_string())?;
        match cli.command {
            Command::FailoverTest(args) => of(&args.test).map_err(|error| error.to_string()),
            other => Err(format!("{other:?}")),
        }
    }

    #[test]
    fn limits_are_for_every_fault_or_for_one() {
        let two = ["--fault", "kill-queue-manager", "--fault", "terminate-instance"];
        let more = [
            "--max-rto",
            "3m",
            "--max-rto",
            "kill-queue-manager=2s",
            "--max-rto-p95",
            "terminate-instance=90s",
        ];
        let read = limits(&[&two[..], &more].concat()).unwrap();
        let second = 1_000_000_000;
        assert_eq!(
            read.max_rto(Fault::KillQueueManager, Statistic::Worst),
            Some(2 * second)
        );
        assert_eq!(
            read.max_rto(Fault::TerminateInstance, Statistic::Worst),
            Some(180 * second)
        );
        assert_eq!(
            read.max_rto(Fault::TerminateInstance, Statistic::P95),
            Some(90 * second)
        );
        assert_eq!(read.max_rto(Fault::KillQueueManager, Statistic::P95), None);
    }

    #[test]
    fn a_limit_that_would_hold_nothing_is_refused() {
        for (words, said) in [
            (&["--max-rto", "terminate-instance=2s"][..], "does not inject"),
            (
                &["--max-rto", "1s", "--max-rto", "2s"],
                "specified twice for every fault",
            ),
            (&["--max-rto", "kil=2s"], "unknown fault `kil`"),
            (&["--max-rto", "kill-queue-manager="], "must be a duration"),
            (
                &["--max-rto-median", "kill-queue-manager=0s"],
                "must be a duration from 1ms",
            ),
        ] {
            let error = limits(words).unwrap_err();
            assert!(error.contains(said), "{words:?}: {error}");
        }
    }
}
