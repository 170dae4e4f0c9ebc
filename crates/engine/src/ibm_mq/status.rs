//! The status of a queue manager in IBM MQ's words.

/// Status of a queue manager as `dspmq` and `rdqmstatus` print it, in any case and old or new spelling.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum QueueManagerStatus {
    /// `STARTING`
    Starting,
    /// `RUNNING`
    Running,
    /// `RUNNING AS STANDBY`
    RunningAsStandby,
    /// `RUNNING ELSEWHERE`
    RunningElsewhere,
    /// `QUIESCING`
    Quiescing,
    /// `ENDING IMMEDIATELY`
    EndingImmediately,
    /// `ENDING PRE-EMPTIVELY`, once `ENDING PREEMPTIVELY`
    EndingPreemptively,
    /// `ENDED NORMALLY`
    EndedNormally,
    /// `ENDED IMMEDIATELY`
    EndedImmediately,
    /// `ENDED UNEXPECTEDLY`
    EndedUnexpectedly,
    /// `ENDED PRE-EMPTIVELY`, once `ENDED PREEMPTIVELY`
    EndedPreemptively,
    /// `STATUS NOT AVAILABLE`, once `NOT AVAILABLE`
    NotAvailable,
    /// `REPLICA`: a Native HA replica
    Replica,
    /// `RECOVERY GROUP LEADER`: leads a Native HA recovery group
    RecoveryGroupLeader,
    /// `NEGOTIATING`: Native HA elects
    Negotiating,
    /// Anything else, as printed.
    Other(String),
}

const WORDS: &[(&str, QueueManagerStatus)] = &[
    ("STARTING", QueueManagerStatus::Starting),
    ("RUNNING", QueueManagerStatus::Running),
    ("RUNNING AS STANDBY", QueueManagerStatus::RunningAsStandby),
    ("RUNNING ELSEWHERE", QueueManagerStatus::RunningElsewhere),
    ("QUIESCING", QueueManagerStatus::Quiescing),
    ("ENDING IMMEDIATELY", QueueManagerStatus::EndingImmediately),
    ("ENDING PRE-EMPTIVELY", QueueManagerStatus::EndingPreemptively),
    ("ENDING PREEMPTIVELY", QueueManagerStatus::EndingPreemptively),
    ("ENDED NORMALLY", QueueManagerStatus::EndedNormally),
    ("ENDED IMMEDIATELY", QueueManagerStatus::EndedImmediately),
    ("ENDED UNEXPECTEDLY", QueueManagerStatus::EndedUnexpectedly),
    ("ENDED PRE-EMPTIVELY", QueueManagerStatus::EndedPreemptively),
    ("ENDED PREEMPTIVELY", QueueManagerStatus::EndedPreemptively),
    ("STATUS NOT AVAILABLE", QueueManagerStatus::NotAvailable),
    ("NOT AVAILABLE", QueueManagerStatus::NotAvailable),
    ("REPLICA", QueueManagerStatus::Replica),
    ("RECOVERY GROUP LEADER", QueueManagerStatus::RecoveryGroupLeader),
    ("NEGOTIATING", QueueManagerStatus::Negotiating),
];

impl QueueManagerStatus {
    /// Reads a status in any case; one that is not known is kept.
    pub fn parse(text: &str) -> Self {
        let text = text.trim();
        WORDS
            .iter()
            .find(|(word, _)| word.eq_ignore_ascii_case(text))
            .map_or_else(|| Self::Other(text.to_owned()), |(_, status)| status.clone())
    }

    /// Whether the queue manager has ended on this host, in whatever way.
    pub fn is_ended(&self) -> bool {
        matches!(
            self,
            Self::EndedNormally | Self::EndedImmediately | Self::EndedUnexpectedly | Self::EndedPreemptively
        )
    }
}

/// The word in upper case and today's spelling, as `dspmq -n` prints it; an unknown one as it was read.
impl std::fmt::Display for QueueManagerStatus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Other(text) => f.write_str(text),
            known => f.write_str(WORDS.iter().find(|(_, s)| s == known).map_or("", |(word, _)| word)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_read_in_any_case_and_written_in_one() {
        for (word, status) in WORDS {
            for text in [
                word.to_string(),
                word.to_ascii_lowercase(),
                format!("{}{}", &word[..1], word[1..].to_ascii_lowercase()),
            ] {
                assert_eq!(QueueManagerStatus::parse(&text), *status, "{text}");
            }
            assert_eq!(QueueManagerStatus::parse(&status.to_string()), *status);
        }
        assert_eq!(
            QueueManagerStatus::parse("Ended Immediately").to_string(),
            "ENDED IMMEDIATELY"
        );
        assert_eq!(
            QueueManagerStatus::parse("ENDED PREEMPTIVELY").to_string(),
            "ENDED PRE-EMPTIVELY"
        );
        assert_eq!(
            QueueManagerStatus::parse("Levitating"),
            QueueManagerStatus::Other("Levitating".into())
        );
        assert!(!QueueManagerStatus::parse("Levitating").is_ended());
    }
}
