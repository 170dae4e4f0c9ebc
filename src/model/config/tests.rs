use super::*;
use crate::model::{Deployment, KeyArn, Placement, SecretArn, ServerName, TagKey, json_schema};
use crate::remedy::Remedy;

mod combinations;

fn load(text: &str) -> Result<Loaded, ConfigError> {
    read(
        Some(Source {
            name: "mqaws.yaml",
            text,
        }),
        &Overrides::none(),
    )
}

fn refused(text: &str) -> Vec<(String, String)> {
    let error = load(text).unwrap_err();
    let tell = |violation: &Violation| (violation.place.short().unwrap_or_default(), violation.message.clone());
    error.violations().iter().map(tell).collect()
}

#[test]
fn nothing_is_the_documented_defaults() {
    for text in ["", "# only a comment\n", "queue_manager:\ntags:\n", "---\n"] {
        assert_eq!(load(text).unwrap().deployment, Deployment::default(), "{text:?}");
    }
    assert_eq!(
        read(None, &Overrides::none()).unwrap().deployment,
        Deployment::default()
    );
}

#[test]
fn a_file_may_consist_of_comments_and_hardly_anything_else() {
    let text = format!(
        "network:\n{}tags:\n{}  on: off\n",
        "  # a line\n".repeat(500),
        "  # a: b\n".repeat(500)
    );
    assert_eq!(load(&text).unwrap().deployment.tags.len(), 1);
}

#[test]
fn every_mistake_is_told_at_once_each_with_its_place() {
    let text = "\
stack: 1st
netwrok:
  vpc: vpc-0123456789abcdef0
queue_manager:
  name: 'QM 1'
  nmae: QM1
network:
  subnets: [subnet-0123456789abcdef0]
endpoint:
  internal: maybe
instance:
  root_volume_gib: 5
storage:
  throughput: elastic
  performance_mode: maxIO
tags:
  aws:x: y
  ok: 12:30:45
";
    let expected = [
        (
            "mqaws.yaml:1:8",
            "invalid stack name `1st`: must be a letter followed by up to 127 letters, digits and hyphens",
        ),
        ("mqaws.yaml:2:1", "unsupported key `netwrok` in the configuration"),
        (
            "mqaws.yaml:5:9",
            "invalid queue manager name `QM 1`: must be 1 to 48 characters of A-Z a-z 0-9 . / _ %",
        ),
        ("mqaws.yaml:6:3", "unsupported key `nmae` in `queue_manager`"),
        ("mqaws.yaml:8:12", "`network.subnets` must contain two subnets, found 1"),
        (
            "mqaws.yaml:10:13",
            "`endpoint.internal` must be true or false, found `maybe`",
        ),
        (
            "mqaws.yaml:12:20",
            "`instance.root_volume_gib` must be a whole number from 10 to 1024, found `5`",
        ),
        (
            "mqaws.yaml:15:21",
            "performance mode `maxIO` cannot be combined with throughput `elastic`",
        ),
        (
            "mqaws.yaml:17:3",
            "invalid tag key `aws:x`: must be 1 to 128 characters of A-Z a-z 0-9 + - = . _ : @, and not Name or a key that starts with aws: or mqaws: in any case",
        ),
    ];
    let expected: Vec<_> = expected
        .map(|(place, words)| (place.to_owned(), words.to_owned()))
        .into();
    assert_eq!(refused(text), expected);
    // What says already what to write needs no hint, and no hint says the same again.
    for violation in load(text).unwrap_err().violations() {
        let says_it = ["must be true or false", "must be a whole number"];
        let complete = says_it.iter().any(|words| violation.message.contains(words));
        assert_eq!(violation.hint.is_none(), complete, "{violation:?}");
        let hint = violation.hint.as_deref().unwrap_or("-");
        assert!(!violation.message.contains(hint), "{violation:?}");
    }
}

#[test]
fn unknown_keys_name_the_nearest_known_one() {
    for (text, hint) in [
        ("netwrok: {}", "did you mean `network`?"),
        ("vpc: vpc-1", "did you mean `network.vpc`?"),
        ("queue_manger: {}", "did you mean `queue_manager`?"),
        ("network:\n  subnet: []", "did you mean `subnets`?"),
        ("network:\n  ami: x", "did you mean `instance.ami`?"),
        (
            "storage:\n  mode: x",
            "known keys: file_system, throughput, provisioned_mibps, performance_mode, backup, kms_key, mount, lease_seconds, start_on_lease",
        ),
        (
            "security:\n  boundary: x",
            "known keys: permissions_boundary, cloudformation_role, allow_faults",
        ),
    ] {
        let error = load(text).unwrap_err();
        assert_eq!(error.hint().as_deref(), Some(hint), "{text}");
    }
}

/// As the narrowest of the services takes them that get them, and as the JSON Schema says it.
#[test]
fn keys_of_tags_suit_every_service() {
    let pattern = TagKey::PATTERN;
    for taken in ["a", "Cost-Centre", "a:b", "names", "awsx", "x.aws:", "a=b@c+d_e."] {
        assert!(taken.parse::<TagKey>().is_ok(), "{taken}");
    }
    for refused in [
        "",
        "a,b",
        "a b",
        "a/b",
        "a*b",
        "\u{e9}",
        ".",
        "..",
        "_index",
        "Name",
        "name",
        "NAME",
        "aws:x",
        "AWS:x",
        "mqaws:stack",
        "MQAWS:stack",
        "Mqaws:queue-manager",
    ] {
        assert!(refused.parse::<TagKey>().is_err(), "{refused}");
    }
    let parts = [
        "[Nn][Aa][Mm][Ee]",
        "([Mm][Qq])?[Aa][Ww][Ss]:",
        "[A-Za-z0-9+=._:@-]{1,128}",
    ];
    assert!(parts.iter().all(|part| pattern.contains(part)), "{pattern}");
    let expected = (
        "mqaws.yaml:3:3".to_owned(),
        "`tags.cost` and `Cost` are the same key in IAM, which ignores case".to_owned(),
    );
    assert_eq!(refused("tags:\n  Cost: a\n  cost: b\n"), [expected]);
}

#[test]
fn one_mistake_is_shown_with_its_line_underlined() {
    let text = "network:\n  vpc: vpc-0123456789abcdef0\n  subnets: [subnet-0123456789abcdef0, subnet-0123456789abcdef0] # twice\n";
    let error = load(text).unwrap_err();
    assert_eq!(error.to_string(), "`network.subnets` contains the same subnet twice");
    assert_eq!(
        error.place().unwrap(),
        "   ╭─ mqaws.yaml:3:12
 3 │   subnets: [subnet-0123456789abcdef0, subnet-0123456789abcdef0] # twice
   ·            ────────────────────────────────────────────────────"
    );
    assert_eq!(error.left().as_deref(), Some("nothing was changed"));
}

#[test]
fn what_only_an_account_knows_points_at_the_same_place() {
    let subnets = "[subnet-0123456789abcdef0, subnet-0123456789abcdef1]";
    let loaded = load(&format!("region: eu-west-1\nnetwork:\n  subnets: {subnets}\n")).unwrap();
    let error = ConfigError::from(
        loaded
            .violation("network.subnets", "both subnets are in one availability zone")
            .label("both in eu-west-1a")
            .hint("eu-west-1b has subnet-0123456789abcdef2"),
    );
    let place = error.place().unwrap();
    assert!(place.starts_with("   ╭─ mqaws.yaml:3:12\n"), "{place}");
    assert!(place.ends_with("──  both in eu-west-1a"), "{place}");
    assert_eq!(loaded.place("stack"), Place::Default);
}

#[test]
fn several_mistakes_are_numbered() {
    let error = load("regoin: x\nstorage:\n  backup: 1\n").unwrap_err();
    assert_eq!(error.to_string(), "2 errors in the configuration");
    let place = error.place().unwrap();
    for part in [
        "1. unsupported key `regoin` in the configuration",
        "hint: did you mean `region`?",
        "2. `storage.backup` must be true",
    ] {
        assert!(place.contains(part), "{place}");
    }
}

#[test]
fn text_that_is_no_yaml_has_a_place_too() {
    for text in ["network: [", "a: b: c", "network:\n\tvpc: x", "- a\nb: c", "stack: \"x"] {
        let refused = refused(text);
        assert_eq!(refused.len(), 1, "{text:?}");
        assert!(refused[0].0.starts_with("mqaws.yaml:"), "{text:?}: {refused:?}");
    }
    assert_eq!(
        refused("- a\n")[0].1,
        "the configuration file must be a mapping, found a list"
    );
}

#[test]
fn a_key_that_stands_twice_is_refused() {
    let expected = ("mqaws.yaml:2:1".to_owned(), "duplicate key `stack`".to_owned());
    assert_eq!(refused("stack: a\nstack: b\n"), [expected]);
    let expected = ("mqaws.yaml:3:3".to_owned(), "duplicate key `tags.a`".to_owned());
    assert_eq!(refused("tags:\n  a: b\n  a: c\n"), [expected]);
}

#[test]
fn names_are_what_they_look_like() {
    for name in [
        "ON", "NO", "1E3", "0755", "1_000", "007", "0x1F", "null_", ".inf", "2010.09", "true",
    ] {
        let loaded = load(&format!("queue_manager:\n  name: {name}\n")).unwrap();
        assert_eq!(loaded.deployment.queue_manager.name.as_str(), name);
    }
    let loaded = load("tags:\n  at: 12:30:45\n  on: 2010-09-09\n  off: yes\n").unwrap();
    let tags: Vec<String> = loaded
        .deployment
        .tags
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    assert_eq!(tags, ["at=12:30:45", "on=2010-09-09", "off=yes"]);
}

#[test]
fn variables_weigh_more_than_the_file_and_flags_more_than_variables() {
    let text = "stack: from-file\nregion: eu-west-1\nqueue_manager: {name: FILE}\ntags: {a: file, b: file}\n";
    let environment = [
        ("MQAWS_REGION", "eu-west-2"),
        ("MQAWS_QUEUE_MANAGER_NAME", "VAR"),
        ("MQAWS_TAGS", "c=variable"),
        ("MQAWS_STACK", ""),
        ("MQAWS_CONFIG", "elsewhere.yaml"),
        (
            "MQAWS_NETWORK_SUBNETS",
            "subnet-0123456789abcdef0, subnet-0123456789abcdef1",
        ),
    ];
    let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let overrides = Overrides::none()
        .variables(environment)
        .flag("queue_manager.name", "--queue-manager", "FLAG");
    let loaded = read(
        Some(Source {
            name: "mqaws.yaml",
            text,
        }),
        &overrides,
    )
    .unwrap();
    assert_eq!(loaded.deployment.stack.as_str(), "from-file");
    assert_eq!(loaded.deployment.region.as_ref().unwrap().as_str(), "eu-west-2");
    assert_eq!(loaded.deployment.queue_manager.name.as_str(), "FLAG");
    assert_eq!(loaded.deployment.tags.len(), 1);
    assert!(matches!(
        loaded.deployment.network.placement,
        Placement::Existing { .. }
    ));
    assert_eq!(loaded.place("region"), Place::Variable("MQAWS_REGION".into()));
    assert_eq!(
        loaded.place("queue_manager.name"),
        Place::Flag("--queue-manager".into())
    );
}

#[test]
fn a_section_that_is_given_a_value_is_told_with_its_keys() {
    let error = read(None, &Overrides::none().flag("queue_manager", "--set", "1")).unwrap_err();
    let [told] = error.violations() else {
        panic!("{error:?}");
    };
    assert_eq!(told.message, "`queue_manager` is a section and cannot have a value");
    let hint = error.hint().unwrap_or_default();
    assert!(hint.starts_with("keys: queue_manager.name, "), "{hint}");
}

#[test]
fn mistakes_beside_the_file_name_their_variable_or_flag() {
    let environment = [("MQAWS_INSTANCE_AMI".to_owned(), "ami".to_owned())];
    let overrides = Overrides::none()
        .variables(environment)
        .flag("network.vpcs", "--set", "x")
        .flag("tags", "--set", "a");
    let error = read(None, &overrides).unwrap_err();
    let told: Vec<_> = error
        .violations()
        .iter()
        .map(|v| (v.place.short().unwrap(), v.message.clone()))
        .collect();
    let expected = [
        ("flag --set", "unsupported key `vpcs` in `network`"),
        ("flag --set", "`tags` must be comma-separated key=value pairs, found a"),
        (
            "variable MQAWS_INSTANCE_AMI",
            "invalid AMI ID `ami`: must be `ami-` followed by 8 or 17 hexadecimal characters",
        ),
    ];
    assert_eq!(
        told,
        expected.map(|(place, words)| (place.to_owned(), words.to_owned()))
    );
}

#[test]
fn the_schema_has_exactly_the_keys_of_the_reader() {
    let schema = json_schema();
    let mut found = Vec::new();
    paths(&schema, &schema, "", &mut found);
    let mut known: Vec<String> = keys().map(|key| key.path.to_owned()).collect();
    found.sort();
    known.sort();
    assert_eq!(found, known);
}

fn paths(root: &serde_json::Value, schema: &serde_json::Value, at: &str, found: &mut Vec<String>) {
    let schema = match schema["$ref"].as_str() {
        Some(target) => &root["$defs"][target.rsplit('/').next().unwrap()],
        None => schema,
    };
    match schema["properties"].as_object() {
        Some(properties) => {
            for (name, below) in properties {
                paths(root, below, format!("{at}.{name}").trim_start_matches('.'), found);
            }
        }
        None => found.push(at.to_owned()),
    }
}

#[test]
fn every_default_of_the_schema_is_the_readers_default() {
    let default = serde_json::to_value(Deployment::default()).unwrap();
    let schema = json_schema();
    for (section, value) in default.as_object().unwrap() {
        let told = &schema["properties"][section]["default"];
        assert_eq!(told, value, "{section}");
    }
}

#[test]
fn the_file_of_definitions_is_read_beside_the_configuration() {
    let loaded = load("queue_manager:\n  definitions: own.mqsc\n").unwrap();
    let read = |file: &str, beside: bool| {
        assert_eq!((file, beside), ("own.mqsc", true));
        Ok("DEFINE QLOCAL(A)".to_owned())
    };
    let loaded = loaded.with_definitions(read).unwrap();
    assert_eq!(
        loaded.deployment.queue_manager.definitions.unwrap().text,
        "DEFINE QLOCAL(A)"
    );

    let loaded = load("queue_manager:\n  definitions: own.mqsc\n").unwrap();
    let text = |text: &str| Ok(text.to_owned());
    let error = loaded
        .clone()
        .with_definitions(|_, _| text("DEFINE QLOCL(A)\n"))
        .unwrap_err();
    assert!(error.place().unwrap().contains("own.mqsc:1:8"), "{error:?}");
    // An object of a later version of MQ than this program's list is no reason to refuse the file.
    let passed = loaded.with_definitions(|_, _| text("DEFINE NEWKIND(A)\n")).unwrap();
    assert_eq!(passed.warnings[0].message, "unknown MQSC object `NEWKIND`");
    assert_eq!(passed.warnings[0].place.short().as_deref(), Some("own.mqsc:1:8"));
    assert!(passed.deployment.queue_manager.definitions.is_some());

    let loaded = load("queue_manager:\n  definitions: gone.mqsc\n").unwrap();
    let error = loaded
        .with_definitions(|_, _| Err(std::io::ErrorKind::NotFound.into()))
        .unwrap_err();
    assert!(error.to_string().contains("cannot read `gone.mqsc`"), "{error}");
    assert!(error.place().unwrap().contains("mqaws.yaml:2:16"));
    let none = load("")
        .unwrap()
        .with_definitions(|_, _| panic!("there is nothing to read"));
    assert_eq!(none.unwrap().deployment.queue_manager.definitions, None);
}

#[test]
fn a_key_without_a_value_or_given_twice_is_refused() {
    for text in ["NULL", "null", "~", ""] {
        let refused = refused(&format!("queue_manager:\n  name: {text}\n"));
        assert_eq!(refused.len(), 1, "{text}: {refused:?}");
        assert_eq!(refused[0].1, "`queue_manager.name` has no value", "{text}");
    }
    let twice = Overrides::none()
        .flag("stack", "--stack", "a")
        .flag("stack", "--set stack", "b")
        .flag("tags", "--set tags", "a=b,a=c");
    let error = read(None, &twice).unwrap_err();
    let said: Vec<_> = error.violations().iter().map(|v| v.message.as_str()).collect();
    assert_eq!(said, ["`stack` is specified twice", "`tags.a` is specified twice"]);
}

#[test]
fn no_message_is_longer_than_a_screen() {
    let long = "x".repeat(100_000);
    for text in [
        format!("stack: {long}\n"),
        format!("{long}: a\n"),
        format!("storage:\n  backup: {long}\n"),
        format!("tags:\n  a: {long}\n"),
        format!("topology: {long}\n"),
        "a: b\n---\nc: d\n".to_owned(),
    ] {
        let error = load(&text).expect_err(&text[..20.min(text.len())]);
        let said = format!(
            "{error}\n{}\n{:?}",
            error.place().unwrap(),
            crate::remedy::Remedy::hint(&error)
        );
        assert!(
            said.len() < 2000 && !said.contains("from_str"),
            "{} bytes: {said:.300}",
            said.len()
        );
    }
    let many: String = (0..3000).map(|number| format!("k{number}: a\n")).collect();
    let place = load(&many).unwrap_err().place().unwrap();
    assert!(place.len() < 6000 && place.ends_with("… and 2980 more"), "{place}");
}
