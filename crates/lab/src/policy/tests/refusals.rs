//! What is refused when a policy is read, and what is not.

use super::super::*;
use super::{allow, document};
use serde_json::{Value, json};

#[test]
fn what_could_not_be_evaluated_is_refused() {
    let with = |name: &str, value: Value| {
        let mut statement = allow("ec2:*", "*");
        statement[name] = value;
        json!({"Version": "2012-10-17", "Statement": [statement]})
    };
    let both = with("NotAction", json!("iam:*"));
    let twice = json!({"Statement": [{"Sid": "A", "Effect": "Allow", "Action": "*", "Resource": "*"},
        {"Sid": "A", "Effect": "Allow", "Action": "*", "Resource": "*"}]});
    for (text, kind, words) in [
        ("{".to_owned(), Kind::Identity, "This policy contains invalid Json"),
        ("[]".to_owned(), Kind::Identity, "This policy contains invalid Json"),
        ("{}".to_owned(), Kind::Trust, "Syntax errors in policy."),
        (
            json!({"Version": "2020-01-01", "Statement": [allow("*", "*")]}).to_string(),
            Kind::Identity,
            "Syntax errors in policy.",
        ),
        (
            json!({"Statement": [], "Version": "2012-10-17"}).to_string(),
            Kind::Identity,
            "Syntax errors in policy.",
        ),
        (
            json!({"Statement": [allow("*", "*")], "Extra": 1}).to_string(),
            Kind::Identity,
            "Syntax errors in policy.",
        ),
        (
            with("Effect", json!("May")).to_string(),
            Kind::Identity,
            "Syntax errors in policy.",
        ),
        (
            with("Resources", json!("*")).to_string(),
            Kind::Identity,
            "Syntax errors in policy.",
        ),
        (
            with("Action", json!([])).to_string(),
            Kind::Identity,
            "Syntax errors in policy.",
        ),
        (
            with("Action", json!("TerminateInstances")).to_string(),
            Kind::Identity,
            "Actions/Conditions must be prefaced by a vendor",
        ),
        (
            with("Action", json!("e*:Terminate")).to_string(),
            Kind::Identity,
            "Vendor e* is not valid",
        ),
        (
            with("Resource", json!("instance/i-1")).to_string(),
            Kind::Identity,
            "Resource instance/i-1 must be in ARN format or \"*\".",
        ),
        (
            with("Resource", json!("arn:aws:s3:::${aws:username}/*")).to_string(),
            Kind::Identity,
            "The variable ${aws:username} is not supported",
        ),
        (both.to_string(), Kind::Identity, "Syntax errors in policy."),
        (
            with("Sid", json!("a b")).to_string(),
            Kind::Identity,
            "Statement IDs (SID) should be alpha-numeric.",
        ),
        (
            twice.to_string(),
            Kind::Identity,
            "Statement IDs (SID) in a single policy must be unique.",
        ),
        (
            with("Principal", json!("*")).to_string(),
            Kind::Identity,
            "Policy document should not specify a principal.",
        ),
        (
            with("NotPrincipal", json!("*")).to_string(),
            Kind::Identity,
            "NotPrincipal is not supported by the local cloud.",
        ),
        (
            with("Principal", json!("*")).to_string(),
            Kind::Trust,
            "Has prohibited field Resource",
        ),
        (
            json!({"Statement": [allow("*", "*")]}).to_string(),
            Kind::Resource,
            "Missing required field Principal",
        ),
        (
            with("Principal", json!({"AWS": "arn:aws:iam::000000000000:role/*"})).to_string(),
            Kind::Resource,
            "Invalid principal in policy",
        ),
        (
            with("Principal", json!({"CanonicalUser": "1"})).to_string(),
            Kind::Resource,
            "Invalid principal in policy",
        ),
        (
            with("Condition", json!({"StringMatches": {"aws:userid": "x"}})).to_string(),
            Kind::Identity,
            "Invalid Condition type : StringMatches",
        ),
        (
            with("Condition", json!({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}})).to_string(),
            Kind::Identity,
            "Invalid Condition type : IpAddress",
        ),
        (
            with("Condition", json!({"StringEquals": {"aws:SourceVpc": "v"}})).to_string(),
            Kind::Identity,
            "does not support condition key aws:SourceVpc",
        ),
        (
            with("Condition", json!({"StringEquals": {"aws:userid": []}})).to_string(),
            Kind::Identity,
            "Syntax errors in policy.",
        ),
        (
            with("Condition", json!({"NumericEquals": {"aws:userid": "x"}})).to_string(),
            Kind::Identity,
            "The value of NumericEquals on aws:userid is not valid: x",
        ),
        (
            with("Condition", json!({"Bool": {"aws:SecureTransport": "no"}})).to_string(),
            Kind::Identity,
            "The value of Bool on aws:SecureTransport is not valid",
        ),
        (
            with("Condition", json!({"DateEquals": {"aws:CurrentTime": "soon"}})).to_string(),
            Kind::Identity,
            "The value of DateEquals on aws:CurrentTime is not valid",
        ),
    ] {
        let found = Document::parse(&text, kind).expect_err(&text);
        assert!(found.0.contains(words), "{text}: {found}");
    }
}

#[test]
fn trust_policies_are_read() {
    for principal in [
        json!({"Service": "ec2.amazonaws.com"}),
        json!({"AWS": "arn:aws:iam::000000000000:root"}),
        json!({"Federated": "accounts.example.com"}),
    ] {
        let statement = json!({"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole",
            "Condition": {"StringEquals": {"sts:ExternalId": "x"}}});
        document(json!([statement]), Kind::Trust);
    }
}
