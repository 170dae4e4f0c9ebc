//! What a rule says in a program and as a regular expression is the same.

use super::*;
use regex::Regex;

/// A type: its name, its rule as a regular expression, its rule as a program.
type Type = (&'static str, &'static str, fn(&str) -> bool);

macro_rules! types {
    ($($name:ident),+) => {
        [$((stringify!($name), $name::PATTERN, |text: &str| $name::new(text).is_ok())),+]
    };
}

/// Compares rule and expression; gives back how many texts were right.
fn compared(types: &[Type], texts: &[String]) -> usize {
    let mut right = 0;
    for (name, pattern, check) in types {
        let pattern = Regex::new(pattern).expect(name);
        for text in texts {
            assert_eq!(check(text), pattern.is_match(text), "{name}: {text}");
            right += usize::from(check(text));
        }
    }
    right
}

#[test]
fn regions_and_zones_are_what_their_expressions_say() {
    let types: [Type; 2] = types![Region, ZoneName];
    let heads = [
        "us", "eu", "mx", "cn", "eusc-de", "us-iso", "us-isob", "eu-isoe", "us-isof", "us-gov", "zz", "eusc", "", "US",
        "eu-eu",
    ];
    let mut texts = Vec::new();
    for head in heads {
        for tail in [
            "-west-1",
            "-west-11",
            "-west-111",
            "-west",
            "-west-",
            "--1",
            "-west2-1",
            "-1",
            "-west-1 ",
        ] {
            texts.extend(["", "a", "b", "aa", "1", "A"].map(|zone| format!("{head}{tail}{zone}")));
        }
    }
    assert!(compared(&types, &texts) > 50);
}

#[test]
fn arns_are_what_their_expressions_say() {
    let types: [Type; 6] = types![KmsKey, RoleArn, PolicyArn, TopicArn, SecretArn, KeyArn];
    let mut texts: Vec<String> = [
        "alias/mq",
        "alias/",
        "alias/a b",
        "mrk-0123456789abcdef0123456789abcdef",
        "mrk-0123456789abcdef0123456789abcdeg",
        "mrk-0",
        "01234567-89ab-cdef-0123-456789abcdef",
        "01234567-89ab-cdef-0123-456789abcdeg",
        "0123456789ab-cdef-0123-456789abcdef",
        "",
        "arn",
    ]
    .map(str::to_owned)
    .into();
    texts.push(format!("alias/{}", "a".repeat(250)));
    texts.push(format!("alias/{}", "a".repeat(251)));
    for partition in ["aws", "aws-eusc", "awsfoo"] {
        for service in ["kms", "sns", "iam", "secretsmanager"] {
            for region in ["eu-west-1", "eusc-de-east-1", "zz-foo-99", ""] {
                for account in ["123456789012", "12345678901", "aws"] {
                    for resource in [
                        "key/0a-b",
                        "key/a/b",
                        "key/",
                        "alias/mq",
                        "role/a",
                        "role/",
                        "policy/a",
                        "policy/a b",
                        "secret:mq/c-AbCdEf",
                        "secret:AbCdEf",
                        "topic",
                        "",
                    ] {
                        texts.push(format!("arn:{partition}:{service}:{region}:{account}:{resource}"));
                    }
                }
            }
        }
    }
    assert!(compared(&types, &texts) > 20);
}

#[test]
fn an_arn_lies_in_a_region_of_its_partition() {
    for (text, taken) in [
        ("arn:aws:sns:eu-west-1:123456789012:t", true),
        ("arn:aws-eusc:sns:eusc-de-east-1:123456789012:t", true),
        ("arn:aws-cn:sns:eu-west-1:123456789012:t", false),
        ("arn:awsfoo:sns:eu-west-1:123456789012:t", false),
        ("arn:aws:sns::123456789012:t", false),
        ("arn:aws:sns:eu-west-1:aws:t", false),
    ] {
        assert_eq!(TopicArn::new(text).is_ok(), taken, "{text}");
    }
    assert!(RoleArn::new("arn:aws:iam::aws:role/r").is_err());
    assert!(PolicyArn::new("arn:aws-us-gov:iam::aws:policy/p").is_ok());
}

#[test]
fn every_example_obeys_its_rule() {
    macro_rules! obeys {
        ($($name:ident),+) => {
            $(assert!($name::new($name::EXAMPLE).is_ok(), "{}", stringify!($name));)+
        };
    }
    obeys!(
        StackName,
        Region,
        ZoneName,
        VpcId,
        SubnetId,
        AmiId,
        SnapshotId,
        FileSystemId,
        StackId,
        KmsKey
    );
    obeys!(
        InstanceType,
        KeyPairName,
        RoleArn,
        PolicyArn,
        TopicArn,
        SecretArn,
        KeyArn,
        ServerName,
        TagKey
    );
    obeys!(TagValue, UserName, ProfileName, QueueManagerName);
}
