//! `mqaws-agent fence operator`, `copy` and `create`: a person's word where nothing else can tell.
//!
//! It goes to the agent through a file, as a pause does, and its answer comes back in the status.

use super::{print, status_of};
use crate::agent::layout::Layout;
use crate::agent::marks::unix_nanos;
use crate::fence::{DecisionRefused, ProofKind, Word};
use crate::model::agent::AgentStatus;
use mqaws_files::AtomicWrite;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io;
use std::time::{Duration, Instant};

/// How long a decision waits for the agent.
const DECISION: Duration = Duration::from_secs(15);

/// A decision on its way to the agent: `/run/mqaws/fence-decision.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DecisionFile {
    /// Names the decision for whoever waits for its answer.
    id: String,
    /// The proof that it gives; a file of a version before knows one kind alone.
    #[serde(default = "operator")]
    kind: ProofKind,
    /// The instance or file system that is named.
    named: String,
}

fn operator() -> ProofKind {
    ProofKind::Operator
}

impl DecisionFile {
    fn put(&self, layout: &Layout) -> io::Result<()> {
        fs::create_dir_all(layout.run())?;
        AtomicWrite::to(&layout.decision()).write(&serde_json::to_vec(self)?)
    }

    /// The decision and what names it; none of a kind that needs no person.
    pub(crate) fn word(self) -> Option<(String, Word)> {
        Some((self.id, Word::of(&self.kind, self.named)?))
    }

    /// Takes the decision away, if there is one; what cannot be read is none, nor is what nobody waits for any more.
    pub(crate) fn take(layout: &Layout) -> Option<Self> {
        let path = layout.decision();
        let text = fs::read(&path).ok()?;
        let written = fs::metadata(&path).and_then(|meta| meta.modified());
        let waited_for = written.is_ok_and(|at| at.elapsed().is_ok_and(|age| age <= DECISION));
        if let Err(error) = fs::remove_file(&path) {
            tracing::warn!(%error, "a decision cannot be removed and is ignored");
            return None;
        }
        if !waited_for {
            tracing::warn!("a decision that is no longer pending is ignored");
            return None;
        }
        serde_json::from_slice(&text)
            .inspect_err(|error| tracing::warn!(%error, "a decision cannot be read"))
            .ok()
    }
}

/// Tells the agent what a person says, and waits for its answer.
///
/// # Errors
/// When the agent does not wait for that, or does not answer.
pub(super) fn decide(layout: &Layout, word: &Word) -> Result<(), String> {
    let status = status_of(layout)?;
    may_decide(&status, word).map_err(|why| format!("{why}; no decision was recorded"))?;
    let decision = DecisionFile {
        id: unix_nanos().to_string(),
        kind: word.kind(),
        named: word.named().to_owned(),
    };
    let path = layout.decision();
    decision
        .put(layout)
        .map_err(|e| format!("cannot write {}: {e}", path.display()))?;
    let deadline = Instant::now() + DECISION;
    loop {
        match status_of(layout)?.decision {
            Some(answer) if answer.id == decision.id => {
                return match &answer.refused {
                    None => print(&answer),
                    Some(why) => Err(format!("{why}; no decision was recorded")),
                };
            }
            _ if Instant::now() > deadline => {
                // Nobody may obey it later, when it was forgotten.
                let _ = fs::remove_file(&path);
                return Err(
                    "the agent does not respond; no decision was recorded: check with `mqaws-agent fence`".to_owned(),
                );
            }
            _ => std::thread::sleep(Duration::from_millis(50)),
        }
    }
}

/// Whether the status tells that this is what is waited for.
fn may_decide(status: &AgentStatus, word: &Word) -> Result<(), DecisionRefused> {
    let named = || word.named().to_owned();
    if let Word::Create(file_system) = word {
        return match &status.empty {
            Some(here) if here == file_system => Ok(()),
            Some(here) => Err(DecisionRefused::OtherEmpty {
                named: named(),
                here: here.clone(),
            }),
            None => Err(DecisionRefused::NotEmpty),
        };
    }
    match (word, &status.previous, &status.original) {
        (Word::Gone(instance), Some(previous), _) if previous.instance == instance.as_str() => Ok(()),
        (Word::Gone(_), Some(previous), _) => Err(DecisionRefused::OtherOwner {
            named: named(),
            previous: previous.instance.clone(),
        }),
        (Word::Copy(file_system), _, Some(original)) if original.file_system == *file_system => Ok(()),
        (Word::Copy(_) | Word::Create(_), _, Some(original)) => Err(DecisionRefused::OtherOriginal {
            named: named(),
            original: original.file_system.clone(),
        }),
        (Word::Gone(_), None, Some(original)) => Err(DecisionRefused::IsCopy {
            original: original.file_system.clone(),
        }),
        (Word::Gone(_), None, None) => Err(DecisionRefused::NothingToDecide),
        (Word::Copy(_) | Word::Create(_), _, None) => Err(DecisionRefused::NoCopy),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decision_of_a_version_before_names_an_instance_and_an_unknown_one_nothing() {
        let read = |text: &str| serde_json::from_str::<DecisionFile>(text).expect("a decision").word();
        let gone = Word::Gone("i-old".into());
        assert_eq!(read(r#"{"id":"7","named":"i-old"}"#), Some(("7".into(), gone)));
        let copy = Word::Copy("fs-old".into());
        assert_eq!(
            read(r#"{"id":"7","kind":"copy","named":"fs-old"}"#),
            Some(("7".into(), copy))
        );
        for kind in ["clean", "moon-phase"] {
            assert_eq!(read(&format!(r#"{{"id":"7","kind":"{kind}","named":"x"}}"#)), None);
        }
    }

    #[test]
    fn a_decision_is_taken_once() {
        let dir = tempfile::tempdir().expect("tempdir");
        let layout = Layout::new(dir.path());
        assert_eq!(DecisionFile::take(&layout), None);
        let decision = DecisionFile {
            id: "1".into(),
            kind: ProofKind::Operator,
            named: "i-old".into(),
        };
        decision.put(&layout).expect("put");
        assert_eq!(DecisionFile::take(&layout), Some(decision.clone()));
        assert_eq!(DecisionFile::take(&layout), None);
        decision.put(&layout).expect("put");
        let file = fs::File::options().write(true).open(layout.decision()).expect("file");
        let left = std::time::SystemTime::now() - DECISION - Duration::from_secs(1);
        file.set_modified(left).expect("left by a command that was interrupted");
        assert_eq!(DecisionFile::take(&layout), None);
        assert!(!layout.decision().exists());
        fs::write(layout.decision(), "i-old").expect("garbage");
        assert_eq!(DecisionFile::take(&layout), None);
        assert!(!layout.decision().exists());
    }
}
