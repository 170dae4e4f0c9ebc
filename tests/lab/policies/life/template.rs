//! The rendered template, whole and without a statement or an action, and its stack.

use crate::support::{STACK, all, between, call, request};
use mqaws::model::{AmiId, Deployment, KeyArn, SecretArn, SubnetId, VpcId, ZoneName};
use mqaws::render::{self, Resolved};
use mqaws_lab::ec2::BARE_IMAGE;
use mqaws_lab::home::LabRecord;
use serde_json::{Value, json};

/// The rendered template in the long form.
pub(crate) fn rendered(deployment: &Deployment) -> Value {
    let template = render::template(deployment).expect("a template");
    serde_json::from_str(&template.to_json().expect("JSON")).expect("JSON")
}

/// A policy, also one that comes with a condition.
fn whole(policy: &Value) -> &Value {
    policy.get("Fn::If").map_or(policy, |branches| &branches[1])
}

fn whole_mut(policy: &mut Value) -> &mut Value {
    match policy.get("Fn::If") {
        Some(_) => &mut policy["Fn::If"][1],
        None => policy,
    }
}

/// The statements of the role's policies and of the file system's.
pub(crate) fn statements(template: &Value) -> Vec<Value> {
    let resources = &template["Resources"];
    let of_role = resources["Role"]["Properties"]["Policies"]
        .as_array()
        .expect("policies");
    let documents = of_role
        .iter()
        .map(|p| &whole(p)["PolicyDocument"])
        .chain([&resources["FileSystem"]["Properties"]["FileSystemPolicy"]]);
    documents
        .flat_map(|d| d["Statement"].as_array().expect("statements").clone())
        .collect()
}

/// Takes one statement out of a template; a policy that is then empty goes with it.
pub(crate) fn without(mut template: Value, sid: &str) -> Value {
    let before = statements(&template).len();
    let drop_from = |document: &mut Value| {
        let all = document["Statement"].as_array_mut().expect("statements");
        all.retain(|s| s["Sid"] != sid);
        !all.is_empty()
    };
    let resources = &mut template["Resources"];
    drop_from(&mut resources["FileSystem"]["Properties"]["FileSystemPolicy"]);
    let policies = resources["Role"]["Properties"]["Policies"]
        .as_array_mut()
        .expect("policies");
    policies.retain_mut(|p| drop_from(&mut whole_mut(p)["PolicyDocument"]));
    assert_eq!(
        statements(&template).len() + 1,
        before,
        "exactly one statement is {sid}"
    );
    template
}

/// Takes one action out of a document's statements; a statement that is then empty goes with it.
pub(super) fn without_action(document: &str, action: &str) -> String {
    let mut document: Value = serde_json::from_str(document).expect("a policy");
    let statements = document["Statement"].as_array_mut().expect("statements");
    for statement in statements.iter_mut() {
        if let Some(actions) = statement["Action"].as_array_mut() {
            actions.retain(|a| a != action);
        }
    }
    statements.retain(|s| s["Action"] != json!([]));
    document.to_string()
}

/// A key of the customer's own.
const KEY: &str = "arn:aws:kms:eu-west-1:000000000000:key/1234abcd-12ab-34cd-56ef-1234567890ab";

/// Stores what the agent takes for a certificate, under a key of the customer's own; returns its ARN.
fn store_certificate(record: &LabRecord) -> String {
    let body = json!({
        "Name": "mq-certificate",
        "KmsKeyId": KEY,
        "SecretString": json!({"pkcs12": "MAo=", "password": "open"}).to_string(),
    });
    let headers = [
        ("content-type", "application/x-amz-json-1.1"),
        ("x-amz-target", "secretsmanager.CreateSecret"),
    ];
    let answer = request(record, "secretsmanager", ("POST", "/"), &headers, body.to_string()).expect("an answer");
    let answer: Value = serde_json::from_str(&answer).expect("JSON");
    answer["ARN"].as_str().expect("an ARN").to_owned()
}

/// Creates the stack as a deployment with a certificate does, in the lab's default network.
pub(super) fn create(record: &LabRecord, template: &Value) {
    let subnets = call(record, "ec2", "2016-11-15", &[("Action", "DescribeSubnets")]);
    let pair = |tag: &str| {
        let mut found = all(&subnets, tag).into_iter();
        [found.next().expect("a subnet"), found.next().expect("another subnet")]
    };
    let resolved = Resolved {
        vpc: Some(VpcId::new(between(&subnets, "vpcId")).expect("an id")),
        subnets: Some(pair("subnetId").map(|s| SubnetId::new(&s).expect("an id"))),
        zones: Some(pair("availabilityZone").map(|z| ZoneName::new(&z).expect("a zone"))),
        ami: Some(AmiId::new(BARE_IMAGE).expect("an id")),
        root_device: Some("/dev/xvda".to_owned()),
    };
    let mut deployment = Deployment::default();
    deployment.credentials.kms_key = Some(KeyArn::new(KEY).expect("an ARN"));
    deployment.tls.certificate = Some(SecretArn::new(store_certificate(record)).expect("an ARN"));
    deployment.tls.kms_key = Some(KeyArn::new(KEY).expect("an ARN"));
    let parameters = render::parameters(&deployment, &resolved).expect("parameters");
    let mut params = vec![
        ("Action".to_owned(), "CreateStack".to_owned()),
        ("StackName".to_owned(), STACK.to_owned()),
        ("TemplateBody".to_owned(), template.to_string()),
        ("Capabilities.member.1".to_owned(), "CAPABILITY_IAM".to_owned()),
    ];
    let mut add = |list: &str, names: [&str; 2], entries: Vec<(String, String)>| {
        for (n, (key, value)) in entries.into_iter().enumerate() {
            params.push((format!("{list}.member.{}.{}", n + 1, names[0]), key));
            params.push((format!("{list}.member.{}.{}", n + 1, names[1]), value));
        }
    };
    add(
        "Parameters",
        ["ParameterKey", "ParameterValue"],
        parameters.into_iter().collect(),
    );
    add(
        "Tags",
        ["Key", "Value"],
        render::stack_tags(&deployment).into_iter().collect(),
    );
    let params: Vec<(&str, &str)> = params.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    call(record, "cloudformation", "2010-05-15", &params);
}
