//! Who keeps a security group of a stack from being deleted: AWS names the group that stays, and not what uses it.

use super::ports::{Event, GroupUsers, Stacks};

/// What a security group is called as a resource.
const SECURITY_GROUP: &str = "AWS::EC2::SecurityGroup";

/// What uses the security group that `cause` could not delete, apart from the stack itself: a hint, or `None` when the cause is another,
/// nothing was found or EC2 does not tell.
pub(super) async fn users<C: Stacks>(cloud: &C, cause: &Event, events: &[Event]) -> Option<String> {
    let group = cause.physical.as_deref().filter(|_| cause.kind == SECURITY_GROUP)?;
    let reason = cause.reason.as_deref()?;
    if !["DependencyViolation", "dependent object"]
        .iter()
        .any(|words| reason.contains(words))
    {
        return None;
    }
    let own = |id: &String| events.iter().any(|event| event.physical.as_deref() == Some(id));
    let GroupUsers { groups, interfaces } = cloud.users_of_group(group).await.ok()?;
    let foreign: Vec<String> = groups.into_iter().filter(|id| !own(id)).collect();
    let mut found = Vec::new();
    if !foreign.is_empty() {
        let all = foreign.join(", ");
        found.push(match foreign.len() {
            1 => format!("remove the rule of security group {all} that refers to {group}"),
            _ => format!("remove the rules of security groups {all} that refer to {group}"),
        });
    }
    if !interfaces.is_empty() {
        let interfaces = interfaces.join(", ");
        found.push(format!(
            "detach {group} from network interface {interfaces}, or delete the resource that the interface belongs to"
        ));
    }
    (!found.is_empty()).then(|| found.join("; "))
}
