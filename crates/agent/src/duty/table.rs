//! Which topology has which duty.

use super::interface::Duty;
use super::single_writer::{SingleWriter, Succession};
use crate::model::UnknownWord;
use crate::model::agent::{AgentConfig, Topology};
use mqaws_engine::Product;

/// The duty of a topology's hosts.
#[derive(Debug, Clone, Copy)]
pub struct DutyOf {
    /// The topology's word in the agent's configuration.
    pub topology: &'static str,
    /// Makes the duty of one host, which has not begun.
    pub begin: fn(&AgentConfig, &dyn Product) -> Box<dyn Duty>,
}

/// A table of duties.
pub type Duties = &'static [DutyOf];

/// The duties of the shipped agent. What is added here, an agent can do.
pub const DUTIES: Duties = &[
    DutyOf {
        topology: "single",
        begin: |config, product| Box::new(SingleWriter::of(config, product, Succession::Launch)),
    },
    DutyOf {
        topology: "standby",
        begin: |config, product| Box::new(SingleWriter::of(config, product, Succession::Standby)),
    },
];

/// The duty of this topology's hosts.
///
/// # Errors
/// [`UnknownWord`], with the topologies that the table has.
pub fn find(duties: Duties, topology: &Topology) -> Result<&'static DutyOf, UnknownWord> {
    let found = duties.iter().find(|duty| duty.topology == topology.as_str());
    found.ok_or_else(|| UnknownWord {
        word: topology.to_string(),
        known: duties.iter().map(|duty| duty.topology.to_owned()).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_topology_of_the_configuration_has_a_duty_and_no_other_word_does() {
        for topology in Topology::ALL {
            assert_eq!(find(DUTIES, topology).expect("a duty").topology, topology.as_str());
        }
        let words: Vec<&str> = DUTIES.iter().map(|duty| duty.topology).collect();
        let known: Vec<&str> = Topology::ALL.iter().map(Topology::as_str).collect();
        assert_eq!(words, known);
        let error = find(DUTIES, &"double".into()).expect_err("unknown");
        assert_eq!(error, Topology::unknown("double"));
    }
}
