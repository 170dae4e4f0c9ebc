//! A topology of tests alone: the template of the first one, and answers of its own to all that the program asks.

use mqaws::model::agent::{AgentState, AgentStatus, mark};
use mqaws::model::{Deployment, Topology as Name};
use mqaws::template::{Output, Template, Value};
use mqaws::topology::{
    Anchored, Builder, Change, Cut, Facts, Fault, Meaning, Restart, Role, Seen, Stand, Term, Topology, of,
};
use std::sync::OnceLock;

/// The word that a configuration names it by.
pub(crate) const NAME: &str = "toy";

/// The topology.
pub(crate) struct Toy;

fn first() -> &'static dyn Topology {
    of(Name::default())
}

/// An output more, so that a template shows whose it is.
fn mark_it(template: &mut Template, _: &Deployment) {
    let output = Output::new("That this is a toy", Value::from("yes"));
    template.outputs.insert("Toy".to_owned(), output);
}

impl Topology for Toy {
    fn facts(&self) -> &'static Facts {
        static FACTS: OnceLock<Facts> = OnceLock::new();
        FACTS.get_or_init(|| Facts {
            name: NAME,
            summary: "a toy",
            description: "a topology of tests",
            ..*first().facts()
        })
    }

    fn builders(&self) -> &'static [Builder] {
        static BUILDERS: OnceLock<Vec<Builder>> = OnceLock::new();
        BUILDERS.get_or_init(|| [first().builders(), &[mark_it as Builder]].concat())
    }

    fn meaning(&self, change: &Change, set: &[Change]) -> Meaning {
        first().meaning(change, set)
    }

    fn anchored(&self) -> &'static Anchored {
        first().anchored()
    }

    fn keys(&self) -> &'static [(&'static str, &'static str)] {
        first().keys()
    }

    fn role(&self, agent: &AgentStatus) -> Role {
        match agent.current_state() {
            AgentState::Serving => Role::Standby,
            _ => Role::Unknown,
        }
    }

    fn is_service(&self, roles: &[Role]) -> bool {
        roles == [Role::Standby]
    }

    fn can_serve_without(&self, members: usize) -> bool {
        first().can_serve_without(members)
    }

    fn asked(&self, seen: &[Seen<'_>]) -> Result<Vec<usize>, String> {
        first().asked(seen)
    }

    fn serving(&self, agents: &[AgentStatus]) -> Result<usize, String> {
        let found = agents.iter().position(|one| self.role(one) == Role::Standby);
        found.ok_or_else(|| "no toy serves".to_owned())
    }

    fn alarms(&self) -> &'static [&'static str] {
        &[]
    }

    fn stands(&self) -> &'static [Stand] {
        &[Stand {
            fault: Fault::KillQueueManager,
            by: Restart::InPlace,
            proofs: &[],
        }]
    }

    fn terms(&self) -> &'static [Term] {
        &[
            Term {
                name: "notice",
                until: Cut::First(&[mark::DEATH_NOTICED]),
            },
            Term {
                name: "play",
                until: Cut::Start,
            },
        ]
    }
}
