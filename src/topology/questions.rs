//! What the rest of the program asks a topology.

use super::{Anchored, Change, Facts, Meaning};
use crate::model::Deployment;
use crate::template::Template;

/// Adds one group of resources, or of outputs, to a template.
pub type Builder = fn(&mut Template, &Deployment);

/// A way to make a queue manager highly available: where the data is, who decides which member may write, how clients find it.
///
/// Everything that is particular to one is in its folder; whoever deploys, observes or tests asks here, and nowhere matches on a
/// name.
pub trait Topology: Sync {
    /// What it is made of.
    fn facts(&self) -> &'static Facts;

    /// What its template consists of, in the template's order; parameters, rules and conditions are there already.
    fn builders(&self) -> &'static [Builder];

    /// What one change of a change set means, beside the others.
    fn meaning(&self, change: &Change, set: &[Change]) -> Meaning;

    /// What cannot move while it stands.
    fn anchored(&self) -> &'static Anchored;

    /// Parts of a path in the template with logical ids of its own, and the key of the configuration whose value ends up there.
    fn keys(&self) -> &'static [(&'static str, &'static str)];
}
