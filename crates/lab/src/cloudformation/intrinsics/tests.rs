//! Values of functions, and their mistakes.

use super::*;
use serde_json::json;

struct One;

impl Lookup for One {
    fn reference(&self, logical: &str) -> Option<Value> {
        (logical == "Vpc").then(|| json!("vpc-1"))
    }

    fn attribute(&self, logical: &str, attribute: &str) -> Option<Value> {
        (logical == "Vpc").then(|| json!(format!("vpc-1/{attribute}")))
    }
}

fn scope<T>(run: impl FnOnce(&Scope<'_>) -> T) -> T {
    let template = Template {
        mappings: json!({"M": {"a": {"b": "found", "l": [1, 2]}}})
            .as_object()
            .unwrap()
            .clone(),
        ..Template::default()
    };
    let facts = Facts {
        parameters: [("P".to_owned(), json!("p")), ("L".to_owned(), json!(["x", "y"]))]
            .into_iter()
            .collect(),
        conditions: [("Yes".to_owned(), true), ("No".to_owned(), false)]
            .into_iter()
            .collect(),
        region: "eu-west-1".into(),
        account: "000000000000".into(),
        stack_name: "s".into(),
        zones: vec!["eu-west-1a".into(), "eu-west-1b".into()],
        exports: [("E".to_owned(), "exported".to_owned())].into_iter().collect(),
        ..Facts::default()
    };
    run(&Scope {
        template: &template,
        facts: &facts,
        resources: &One,
    })
}

#[test]
fn functions_have_values() {
    let cases = [
        (json!({"Ref": "P"}), json!("p")),
        (json!({"Ref": "Vpc"}), json!("vpc-1")),
        (json!({"Ref": "AWS::Partition"}), json!("aws")),
        (json!({"Fn::GetAtt": ["Vpc", "CidrBlock"]}), json!("vpc-1/CidrBlock")),
        (json!({"Fn::GetAtt": "Vpc.A.B"}), json!("vpc-1/A.B")),
        (
            json!({"Fn::Sub": "${P}-${Vpc}-${Vpc.X}-${AWS::StackName}-${!Keep}"}),
            json!("p-vpc-1-vpc-1/X-s-${Keep}"),
        ),
        (json!({"Fn::Sub": ["${v}", {"v": {"Ref": "P"}}]}), json!("p")),
        (json!({"Fn::Join": ["-", ["a", 1, {"Ref": "P"}]]}), json!("a-1-p")),
        (json!({"Fn::Join": [",", {"Ref": "L"}]}), json!("x,y")),
        (json!({"Fn::Split": ["-", "a-b"]}), json!(["a", "b"])),
        (json!({"Fn::Select": ["1", {"Ref": "L"}]}), json!("y")),
        (json!({"Fn::If": ["Yes", "a", "b"]}), json!("a")),
        (
            json!({"A": {"Fn::If": ["No", 1, {"Ref": "AWS::NoValue"}]}, "B": [{"Ref": "AWS::NoValue"}, 1]}),
            json!({"B": [1]}),
        ),
        (json!({"Fn::Base64": {"Fn::Sub": "${P}"}}), json!("cA==")),
        (json!({"Fn::FindInMap": ["M", "a", "b"]}), json!("found")),
        (json!({"Fn::FindInMap": ["M", "a", "z", {"DefaultValue": 7}]}), json!(7)),
        (json!({"Fn::Select": [0, {"Fn::GetAZs": ""}]}), json!("eu-west-1a")),
        (
            json!({"Fn::Cidr": ["10.0.0.0/16", 3, 8]}),
            json!(["10.0.0.0/24", "10.0.1.0/24", "10.0.2.0/24"]),
        ),
        (json!({"Fn::ImportValue": "E"}), json!("exported")),
    ];
    for (value, expected) in cases {
        assert_eq!(scope(|s| s.evaluate(&value)).unwrap(), Some(expected), "{value}");
    }
}

#[test]
fn mistakes_are_named() {
    let cases = [
        (json!({"Fn::Select": [5, ["a"]]}), "nonexistent value at index 5"),
        (
            json!({"Fn::FindInMap": ["N", "a", "b"]}),
            "Mapping named 'N' is not present",
        ),
        (
            json!({"Fn::FindInMap": ["M", "a", "z"]}),
            "Unable to get mapping for M::a::z",
        ),
        (
            json!({"Fn::Sub": "${L}"}),
            "variable L in Fn::Sub expression does not resolve to a string",
        ),
        (json!({"Fn::Foo": 1}), "unsupported intrinsic function Fn::Foo"),
        (json!({"Fn::Cidr": ["10.0.0.0/24", 3, 8]}), "fewer than 3"),
        (json!({"Fn::ImportValue": "F"}), "No export named F found."),
    ];
    for (value, text) in cases {
        let error = scope(|s| s.evaluate(&value)).unwrap_err();
        assert!(error.message.contains(text), "{value}: {}", error.message);
    }
}

#[test]
fn conditions_are_evaluated_in_any_order() {
    let template = Template::read(
        "
Conditions:
  B: !And [!Condition A, !Not [!Equals [!Ref P, \"\"]]]
  A: !Or [!Equals [!Ref P, x], !Equals [\"true\", true]]
Parameters: {P: {Type: String}}
Resources: {V: {Type: 'AWS::EC2::VPC'}}
",
    )
    .unwrap();
    let facts = |p: &str| Facts {
        parameters: [("P".to_owned(), json!(p))].into_iter().collect(),
        ..Facts::default()
    };
    assert!(conditions(&template, &facts("q")).unwrap()["B"]);
    assert!(!conditions(&template, &facts("")).unwrap()["B"]);
}

#[test]
fn a_region_has_a_partition_and_its_domain() {
    for (region, found) in [
        ("eu-west-1", ("aws", "amazonaws.com")),
        ("us-gov-west-1", ("aws-us-gov", "amazonaws.com")),
        ("cn-north-1", ("aws-cn", "amazonaws.com.cn")),
        ("us-isof-south-1", ("aws-iso-f", "csp.hci.ic.gov")),
        ("eusc-de-east-1", ("aws-eusc", "amazonaws.eu")),
    ] {
        assert_eq!(of_region(region), found, "{region}");
    }
}
