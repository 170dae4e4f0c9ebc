//! What the exit codes of the commands mean.
//!
//! Sources are IBM's documentation and the projects that reproduce it; the complete tables of most commands are not public in
//! one place, so every enum keeps a code that it does not know.

macro_rules! exit_codes {
    ($(#[$doc:meta])* $name:ident { $($code:literal $variant:ident $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name {
            $(#[doc = $text] $variant,)+
            /// A code that this version does not know.
            Other(i32),
        }

        impl $name {
            /// Reads an exit code.
            pub fn from_code(code: i32) -> Self {
                match code {
                    $($code => Self::$variant,)+
                    other => Self::Other(other),
                }
            }

            /// The exit code.
            pub fn code(self) -> i32 {
                match self {
                    $(Self::$variant => $code,)+
                    Self::Other(code) => code,
                }
            }

            /// Every code that is known, for tables and tests.
            pub const KNOWN: &'static [Self] = &[$(Self::$variant),+];
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                match self {
                    $(Self::$variant => write!(f, "exit {}: {}", $code, $text),)+
                    Self::Other(code) => write!(f, "exit {code}: unknown"),
                }
            }
        }
    };
}

exit_codes! {
    /// Exit codes of `strmqm`.
    StartExit {
        0 Started "started",
        3 BeingCreated "the queue manager is being created; after a killed crtmqm, this state is permanent",
        5 AlreadyRunning "already running",
        16 DoesNotExist "the queue manager does not exist",
        23 LogNotAvailable "the log is not available",
        24 PreviousInstanceEnding "a process of the previous instance has not yet disconnected",
        30 StandbyStarted "started as a standby; the active instance is elsewhere",
        31 ActiveElsewhere "active elsewhere; standbys are permitted",
        39 InvalidParameter "invalid parameter",
        43 ActiveElsewhereNoStandby "active elsewhere; standbys are not permitted",
        47 TooManyStandbys "the maximum number of standbys is already reached",
        49 Stopping "the queue manager is stopping",
        58 InconsistentInstallation "inconsistent use of installations",
        62 OtherInstallation "the queue manager belongs to another installation",
        69 StorageNotAvailable "storage is not available",
        71 Unexpected "unexpected error, for example a missing license",
        72 NameError "error in the name of the queue manager",
        74 ServiceNotStarted "the IBM MQ service is not started",
        91 CommandLevelOutOfRange "the command level is out of range",
        92 CommandLevelTooHigh "the queue manager's command level is at or above the one given",
        94 ReplicaStarted "started as a Native HA replica",
        100 LogLocationInvalid "the log location is invalid",
        119 NotAuthorised "not authorised",
    }
}

impl StartExit {
    /// Whether the command did what it was asked for: 0, 30 (standby) and 94 (replica).
    pub fn is_success(self) -> bool {
        matches!(self, Self::Started | Self::StandbyStarted | Self::ReplicaStarted)
    }

    /// Whether another host holds the queue manager's locks.
    pub fn is_active_elsewhere(self) -> bool {
        matches!(self, Self::ActiveElsewhere | Self::ActiveElsewhereNoStandby)
    }
}

exit_codes! {
    /// Exit codes of `crtmqm`; only these have a source.
    CreateExit {
        0 Created "created",
        8 AlreadyExists "the queue manager already exists",
        36 InvalidArguments "invalid arguments",
        39 InvalidParameter "invalid parameter",
        71 Unexpected "unexpected error",
    }
}

exit_codes! {
    /// Exit codes of `endmqm`; the full table is not known.
    EndExit {
        0 Ended "ended, or the request was accepted",
        16 DoesNotExist "the queue manager does not exist",
        40 NotAvailable "not available: it has already ended",
        71 Unexpected "unexpected error",
    }
}

impl EndExit {
    /// Whether the queue manager is down or going down after this code.
    pub fn is_down(self) -> bool {
        matches!(self, Self::Ended | Self::NotAvailable)
    }
}

exit_codes! {
    /// Exit codes of `dspmq`.
    DisplayExit {
        0 Displayed "displayed",
        5 ActiveDisplayed "displayed with -a",
        36 InvalidArguments "invalid arguments",
        58 InconsistentInstallation "inconsistent use of installations",
        71 Unexpected "unexpected error",
        72 NameError "there is no queue manager of that name",
    }
}

impl DisplayExit {
    /// Whether the output is a report, with or without `-a`.
    pub fn is_report(self) -> bool {
        matches!(self, Self::Displayed | Self::ActiveDisplayed)
    }
}

exit_codes! {
    /// Exit codes of `dltmqm`.
    DeleteExit {
        0 Deleted "deleted",
        5 Running "the queue manager is running",
        16 DoesNotExist "the queue manager does not exist",
        71 Unexpected "unexpected error",
    }
}

exit_codes! {
    /// Exit codes of `runmqsc`; 10 is unverified.
    MqscExit {
        0 Processed "all commands were processed",
        10 SomeFailed "some commands failed",
        20 NotProcessed "no command was processed: the queue manager is not available",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_survives_both_ways_known_or_not() {
        for code in -1..300 {
            assert_eq!(StartExit::from_code(code).code(), code);
            assert_eq!(EndExit::from_code(code).code(), code);
            assert_eq!(MqscExit::from_code(code).code(), code);
        }
        assert_eq!(StartExit::from_code(77), StartExit::Other(77));
        assert_eq!(StartExit::Other(77).to_string(), "exit 77: unknown");
    }

    #[test]
    fn success_of_a_start_is_exactly_three_codes() {
        let successes: Vec<i32> = (0..256).filter(|c| StartExit::from_code(*c).is_success()).collect();
        assert_eq!(successes, [0, 30, 94]);
        let elsewhere: Vec<i32> = (0..256)
            .filter(|c| StartExit::from_code(*c).is_active_elsewhere())
            .collect();
        assert_eq!(elsewhere, [31, 43]);
        let reports: Vec<i32> = (0..256).filter(|c| DisplayExit::from_code(*c).is_report()).collect();
        assert_eq!(reports, [0, 5]);
        let down: Vec<i32> = (0..256).filter(|c| EndExit::from_code(*c).is_down()).collect();
        assert_eq!(down, [0, 40]);
    }
}
