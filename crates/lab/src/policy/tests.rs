//! Tables of documents, requests and decisions.

use super::*;
use serde_json::{Value, json};

mod refusals;

const INSTANCE: &str = "arn:aws:ec2:eu-west-1:000000000000:instance/i-1";

fn caller() -> Caller {
    Caller::Role(RoleSession {
        account: "000000000000".to_owned(),
        role: "arn:aws:iam::000000000000:role/r".to_owned(),
        session: "arn:aws:sts::000000000000:assumed-role/r/i-1".to_owned(),
    })
}

fn document(statements: Value, kind: Kind) -> Document {
    let text = json!({"Version": "2012-10-17", "Statement": statements}).to_string();
    Document::parse(&text, kind).unwrap_or_else(|e| panic!("{e}: {text}"))
}

fn identity(statements: Value) -> Document {
    document(statements, Kind::Identity)
}

fn allow(action: &str, resource: &str) -> Value {
    json!({"Effect": "Allow", "Action": action, "Resource": resource})
}

fn deny(action: &str, resource: &str) -> Value {
    json!({"Effect": "Deny", "Action": action, "Resource": resource})
}

const TERMINATE: &str = "ec2:TerminateInstances";

fn ask(policies: &Policies<'_>, context: &Context) -> Decision {
    let caller = caller();
    let ask = Ask {
        caller: &caller,
        action: TERMINATE,
        resource: INSTANCE,
        context,
    };
    decide(&ask, policies)
}

fn by_role(statements: Value, context: &Context) -> Decision {
    let documents = [identity(statements)];
    ask(
        &Policies {
            identity: &documents,
            ..Policies::default()
        },
        context,
    )
}

const NOT_ALLOWED: Decision = Decision::Denied(Denial::Implicit(Layer::Identity));
const DENIED: Decision = Decision::Denied(Denial::Explicit(Layer::Identity));

#[test]
fn statements_select_by_action_and_resource() {
    let instances = "arn:aws:ec2:*:000000000000:instance/*";
    for (statements, expected) in [
        (json!([allow("*", "*")]), Decision::Allowed),
        (json!(allow("ec2:TerminateInstances", instances)), Decision::Allowed),
        (json!([allow("EC2:terminateinstances", "*")]), Decision::Allowed),
        (json!([allow("ec2:Terminate*", INSTANCE)]), Decision::Allowed),
        (json!([allow("ec2:?erminateInstances", INSTANCE)]), Decision::Allowed),
        (json!([allow("ec2:StopInstances", "*")]), NOT_ALLOWED),
        (
            json!([allow("ec2:*", "arn:aws:ec2:*:000000000000:volume/*")]),
            NOT_ALLOWED,
        ),
        (
            json!([allow("ec2:*", "arn:aws:ec2:*:111111111111:instance/*")]),
            NOT_ALLOWED,
        ),
        (json!([allow("*", "*"), deny("ec2:*", instances)]), DENIED),
        (json!([deny("ec2:*", instances), allow("*", "*")]), DENIED),
        (
            json!([deny("ec2:StopInstances", "*"), allow("*", "*")]),
            Decision::Allowed,
        ),
        (
            json!([{"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}]),
            Decision::Allowed,
        ),
        (
            json!([{"Effect": "Allow", "NotAction": ["iam:*", "ec2:Term*"], "Resource": "*"}]),
            NOT_ALLOWED,
        ),
        (
            json!([{"Effect": "Allow", "Action": ["a:b", "ec2:*"], "NotResource": "arn:aws:s3:::x"}]),
            Decision::Allowed,
        ),
        (
            json!([{"Effect": "Allow", "Action": "ec2:*", "NotResource": [instances]}]),
            NOT_ALLOWED,
        ),
        (
            json!([{"Effect": "Deny", "NotAction": "ec2:*", "Resource": "*"}, allow("*", "*")]),
            Decision::Allowed,
        ),
    ] {
        assert_eq!(by_role(statements.clone(), &Context::new()), expected, "{statements}");
    }
    assert_eq!(ask(&Policies::default(), &Context::new()), NOT_ALLOWED);
}

fn conditional(operator: &str, key: &str, value: &Value) -> Value {
    json!([{"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {operator: {key: value}}}])
}

#[test]
fn conditions_hold_or_not() {
    let tag = "aws:ResourceTag/mqaws:stack";
    let context = Context::new()
        .with(tag, "qm1")
        .with("aws:ResourceTag/n", "5")
        .with("aws:SecureTransport", "true")
        .with("aws:CurrentTime", "2026-11-26T12:00:00Z")
        .with("aws:PrincipalArn", "arn:aws:iam::000000000000:role/r")
        .with("aws:PrincipalTag/t", "a")
        .with("aws:PrincipalTag/t", "b");
    let none = "aws:ResourceTag/none";
    for (operator, key, value, holds) in [
        ("StringEquals", tag, json!("qm1"), true),
        ("StringEquals", "AWS:resourcetag/MQAWS:Stack", json!("qm1"), true),
        ("StringEquals", tag, json!(["x", "qm1"]), true),
        ("StringEquals", tag, json!("QM1"), false),
        ("StringEquals", tag, json!("qm*"), false),
        ("StringEquals", none, json!("qm1"), false),
        ("StringEqualsIfExists", none, json!("qm1"), true),
        ("StringEqualsIfExists", tag, json!("qm2"), false),
        ("StringEqualsIgnoreCase", tag, json!("QM1"), true),
        ("StringNotEquals", tag, json!(["x", "qm1"]), false),
        ("StringNotEquals", tag, json!(["x", "y"]), true),
        ("StringNotEquals", none, json!("qm1"), true),
        ("StringNotEqualsIgnoreCase", tag, json!("QM1"), false),
        ("StringLike", tag, json!("qm?"), true),
        ("StringLike", tag, json!("*"), true),
        ("StringLike", none, json!("*"), false),
        ("StringNotLike", tag, json!("q*"), false),
        ("StringNotLike", none, json!("q*"), true),
        ("StringEquals", tag, json!("${aws:PrincipalTag/x, 'qm1'}"), true),
        ("StringEquals", tag, json!("${aws:PrincipalTag/x}"), false),
        ("Bool", "aws:SecureTransport", json!(true), true),
        ("Bool", "aws:SecureTransport", json!("True"), true),
        ("Bool", "aws:SecureTransport", json!("false"), false),
        ("Bool", "elasticfilesystem:AccessedViaMountTarget", json!("true"), false),
        (
            "BoolIfExists",
            "elasticfilesystem:AccessedViaMountTarget",
            json!("true"),
            true,
        ),
        ("Null", none, json!("true"), true),
        ("Null", none, json!(false), false),
        ("Null", tag, json!("true"), false),
        ("Null", tag, json!("false"), true),
        ("NumericEquals", "aws:ResourceTag/n", json!(5), true),
        ("NumericLessThan", "aws:ResourceTag/n", json!("5"), false),
        ("NumericLessThanEquals", "aws:ResourceTag/n", json!("5.0"), true),
        ("NumericGreaterThan", "aws:ResourceTag/n", json!([9, 4]), true),
        ("NumericNotEquals", "aws:ResourceTag/n", json!(5), false),
        ("NumericEquals", tag, json!(5), false),
        ("DateLessThan", "aws:CurrentTime", json!("2026-11-27"), true),
        (
            "DateLessThan",
            "aws:CurrentTime",
            json!("2026-11-26T13:00:00+02:00"),
            false,
        ),
        ("DateGreaterThanEquals", "aws:CurrentTime", json!("1000000000"), true),
        ("ArnEquals", "aws:PrincipalArn", json!("arn:aws:iam::*:role/r"), true),
        ("ArnLike", "aws:PrincipalArn", json!("arn:aws:iam::*:role/?"), true),
        ("ArnLike", "aws:PrincipalArn", json!("arn:aws:iam::*:user/*"), false),
        ("ArnNotLike", "aws:PrincipalArn", json!("arn:aws:iam::*:user/*"), true),
        (
            "ForAllValues:StringEquals",
            "aws:PrincipalTag/t",
            json!(["a", "b", "c"]),
            true,
        ),
        ("ForAllValues:StringEquals", "aws:PrincipalTag/t", json!(["a"]), false),
        ("ForAllValues:StringEquals", none, json!(["a"]), true),
        ("ForAnyValue:StringEquals", "aws:PrincipalTag/t", json!(["a"]), true),
        ("ForAnyValue:StringEquals", "aws:PrincipalTag/t", json!(["c"]), false),
        ("ForAnyValue:StringEquals", none, json!(["a"]), false),
        ("ForAnyValue:StringNotEquals", "aws:PrincipalTag/t", json!(["a"]), true),
        (
            "ForAllValues:StringNotEquals",
            "aws:PrincipalTag/t",
            json!(["a"]),
            false,
        ),
    ] {
        let expected = if holds { Decision::Allowed } else { NOT_ALLOWED };
        let statements = conditional(operator, key, &value);
        assert_eq!(by_role(statements, &context), expected, "{operator} {key} {value}");
    }
    let both = json!([{"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {
        "StringEquals": {tag: "qm1", "aws:ResourceTag/n": "5"}, "Bool": {"aws:SecureTransport": "false"}}}]);
    assert_eq!(
        by_role(both, &context),
        NOT_ALLOWED,
        "all conditions of a statement must hold"
    );
}

#[test]
fn a_resource_may_name_who_mounts_it() {
    let statement = |effect: &str, principal: Value| {
        let one = json!([{"Effect": effect, "Principal": principal, "Action": "ec2:*"}]);
        document(one, Kind::Resource)
    };
    let role = json!({"AWS": "arn:aws:iam::000000000000:role/r"});
    let session = json!({"AWS": ["arn:aws:sts::000000000000:assumed-role/r/i-1"]});
    let boundary = identity(json!([allow("s3:*", "*")]));
    let implicit = |layer| Decision::Denied(Denial::Implicit(layer));
    for (policy, of_role, within, of_nobody) in [
        (
            statement("Allow", json!("*")),
            Decision::Allowed,
            implicit(Layer::Boundary),
            Decision::Allowed,
        ),
        (
            statement("Allow", json!({"AWS": "*"})),
            Decision::Allowed,
            implicit(Layer::Boundary),
            Decision::Allowed,
        ),
        (
            statement("Allow", role),
            Decision::Allowed,
            implicit(Layer::Boundary),
            implicit(Layer::Resource),
        ),
        (
            statement("Allow", session),
            Decision::Allowed,
            Decision::Allowed,
            implicit(Layer::Resource),
        ),
        // An account may allow its own: it does not by this alone.
        (
            statement("Allow", json!({"AWS": "000000000000"})),
            implicit(Layer::Identity),
            implicit(Layer::Identity),
            implicit(Layer::Resource),
        ),
        (
            statement("Deny", json!({"AWS": "arn:aws:iam::000000000000:root"})),
            Decision::Denied(Denial::Explicit(Layer::Resource)),
            Decision::Denied(Denial::Explicit(Layer::Resource)),
            implicit(Layer::Resource),
        ),
        (
            statement("Allow", json!({"AWS": "arn:aws:iam::000000000000:role/other"})),
            implicit(Layer::Identity),
            implicit(Layer::Identity),
            implicit(Layer::Resource),
        ),
    ] {
        let context = Context::new();
        let resource = Some(&policy);
        let plain = Policies {
            resource,
            ..Policies::default()
        };
        let bounded = Policies {
            resource,
            boundary: Some(&boundary),
            ..Policies::default()
        };
        assert_eq!(ask(&plain, &context), of_role, "{policy:?}");
        assert_eq!(ask(&bounded, &context), within, "{policy:?}");
        let nobody = Ask {
            caller: &Caller::Anonymous,
            action: TERMINATE,
            resource: INSTANCE,
            context: &context,
        };
        assert_eq!(decide(&nobody, &bounded), of_nobody, "{policy:?}");
    }
}

#[test]
fn a_boundary_takes_away_and_gives_nothing() {
    let context = Context::new();
    let all = [identity(json!([allow("*", "*")]))];
    for (boundary, identity, expected) in [
        (allow("ec2:*", "*"), &all[..], Decision::Allowed),
        (
            allow("s3:*", "*"),
            &all,
            Decision::Denied(Denial::Implicit(Layer::Boundary)),
        ),
        (
            deny("ec2:*", "*"),
            &all,
            Decision::Denied(Denial::Explicit(Layer::Boundary)),
        ),
        (allow("*", "*"), &[], NOT_ALLOWED),
    ] {
        let document = super::tests::identity(json!([boundary]));
        let policies = Policies {
            identity,
            boundary: Some(&document),
            resource: None,
        };
        assert_eq!(ask(&policies, &context), expected, "{boundary}");
    }
}

#[test]
fn denials_are_told_as_aws_tells_them() {
    for (denial, words) in [
        (
            Denial::Implicit(Layer::Identity),
            "because no identity-based policy allows the a:B action",
        ),
        (
            Denial::Implicit(Layer::Boundary),
            "because no permissions boundary allows the a:B action",
        ),
        (
            Denial::Explicit(Layer::Identity),
            "with an explicit deny in an identity-based policy",
        ),
        (
            Denial::Explicit(Layer::Resource),
            "with an explicit deny in a resource-based policy",
        ),
    ] {
        assert_eq!(denial.words("a:B"), words);
    }
}
