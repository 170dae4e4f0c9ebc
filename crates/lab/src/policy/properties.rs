//! What holds for every policy.

use super::*;
use proptest::prelude::*;
use serde_json::{Value, json};

const ACTIONS: &[&str] = &["*", "a:*", "a:Read", "a:Write", "b:Read", "a:R*", "A:READ"];
const RESOURCES: &[&str] = &["*", "arn:aws:a:::x", "arn:aws:a:::y", "arn:aws:a:::?", "arn:aws:b:*"];
const OPERATORS: &[&str] = &["StringEquals", "StringNotEquals", "StringLike", "StringEqualsIfExists"];

fn condition() -> impl Strategy<Value = Option<Value>> {
    let values = prop::sample::select(vec!["1", "2", "*"]);
    let keys = prop::sample::select(vec!["aws:ResourceTag/t", "aws:ResourceTag/none"]);
    let one = (prop::sample::select(OPERATORS), keys, values);
    prop::option::of(one.prop_map(|(operator, key, value)| json!({operator: {key: value}})))
}

fn statement(effect: &'static str) -> impl Strategy<Value = Value> {
    let actions = (any::<bool>(), prop::sample::subsequence(ACTIONS.to_vec(), 1..3));
    let resources = (any::<bool>(), prop::sample::subsequence(RESOURCES.to_vec(), 1..3));
    (actions, resources, condition()).prop_map(move |((no_action, actions), (no_resource, resources), condition)| {
        let mut statement = json!({"Effect": effect});
        statement[if no_action { "NotAction" } else { "Action" }] = json!(actions);
        statement[if no_resource { "NotResource" } else { "Resource" }] = json!(resources);
        if let Some(condition) = condition {
            statement["Condition"] = condition;
        }
        statement
    })
}

fn statements() -> impl Strategy<Value = Vec<Value>> {
    prop::collection::vec(prop_oneof![statement("Allow"), statement("Deny")], 1..5)
}

fn request() -> impl Strategy<Value = (&'static str, &'static str, Context)> {
    let actions = prop::sample::select(vec!["a:Read", "a:Write", "b:Read"]);
    let resources = prop::sample::select(vec!["arn:aws:a:::x", "arn:aws:a:::y", "arn:aws:b:::z"]);
    let tags = prop::option::of(prop::sample::select(vec!["1", "2"]));
    (actions, resources, tags).prop_map(|(action, resource, tag)| {
        let context = Context::new();
        let context = match tag {
            Some(tag) => context.with("aws:ResourceTag/t", tag),
            None => context,
        };
        (action, resource, context)
    })
}

fn document(statements: &[Value]) -> Document {
    let text = json!({"Version": "2012-10-17", "Statement": statements}).to_string();
    Document::parse(&text, Kind::Identity).unwrap()
}

fn decided(
    (action, resource, context): &(&'static str, &'static str, Context),
    identity: &[Document],
    boundary: Option<&Document>,
) -> Decision {
    let caller = Caller::Role(RoleSession {
        account: "000000000000".to_owned(),
        role: "arn:aws:iam::000000000000:role/r".to_owned(),
        session: "arn:aws:sts::000000000000:assumed-role/r/s".to_owned(),
    });
    let ask = Ask {
        caller: &caller,
        action,
        resource,
        context,
    };
    let policies = Policies {
        identity,
        boundary,
        resource: None,
    };
    decide(&ask, &policies)
}

fn allowed(request: &(&'static str, &'static str, Context), statements: &[Value]) -> bool {
    decided(request, &[document(statements)], None) == Decision::Allowed
}

proptest! {
    #[test]
    fn nothing_is_allowed_without_an_allow(all in prop::collection::vec(statement("Deny"), 1..4), request in request()) {
        prop_assert!(!allowed(&request, &all));
    }

    #[test]
    fn an_allow_gives_and_a_deny_takes(all in statements(), more in statement("Allow"), less in statement("Deny"), request in request()) {
        let before = allowed(&request, &all);
        let refused = matches!(decided(&request, &[document(&all)], None), Decision::Denied(Denial::Explicit(_)));
        let given = [&all[..], &[more]].concat();
        let taken = [&all[..], &[less]].concat();
        prop_assert!(allowed(&request, &given) >= before, "an allow takes nothing");
        prop_assert!(!refused || !allowed(&request, &given), "an allow does not undo a deny");
        prop_assert!(allowed(&request, &taken) <= before, "a deny gives nothing");
    }

    #[test]
    fn order_and_division_into_policies_do_not_matter(all in statements(), at in any::<prop::sample::Index>(), request in request()) {
        let whole = decided(&request, &[document(&all)], None);
        let mut turned = all.clone();
        turned.reverse();
        prop_assert_eq!(decided(&request, &[document(&turned)], None), whole);
        let at = at.index(all.len());
        if at > 0 {
            let parts = [document(&all[..at]), document(&all[at..])];
            prop_assert_eq!(decided(&request, &parts, None), whole);
        }
    }

    #[test]
    fn a_boundary_is_an_intersection(all in statements(), limits in statements(), request in request()) {
        let (identity, boundary) = (document(&all), document(&limits));
        let expected = allowed(&request, &all) && allowed(&request, &limits);
        prop_assert_eq!(decided(&request, &[identity], Some(&boundary)) == Decision::Allowed, expected);
    }

    /// What `Action` selects, `NotAction` leaves, and the other way round.
    #[test]
    fn not_action_is_the_complement(actions in prop::sample::subsequence(ACTIONS.to_vec(), 1..4), request in request()) {
        let of = |name: &str| vec![json!({"Effect": "Allow", name: actions, "Resource": "*"})];
        prop_assert!(allowed(&request, &of("Action")) != allowed(&request, &of("NotAction")));
    }

    #[test]
    fn any_json_is_read_or_refused(text in "[{}\\[\\]\":,a-zA-Z*0-9 ]{0,60}", name in "[A-Z][a-z]{2,10}", value in ".{0,12}") {
        for kind in [Kind::Identity, Kind::Resource, Kind::Trust] {
            let _ = Document::parse(&text, kind);
            let mut statement = json!({"Effect": "Allow", "Action": "*", "Resource": "*"});
            statement[&name] = json!(value);
            let _ = Document::parse(&json!({"Statement": statement}).to_string(), kind);
        }
    }
}
