use indexmap::IndexMap;
use proptest::prelude::*;

use super::*;

fn simple() -> Template {
    let mut template = Template::default();
    template
        .parameters
        .insert("P".into(), Parameter::new("String", "p").default_to("on"));
    template
        .conditions
        .insert("C".into(), Value::call(Function::Equals, list![reference("P"), "on"]));
    template.resources.insert(
        "A".into(),
        Resource::new("AWS::A::A", object! { "Name" => reference("P") }),
    );
    template.resources.insert(
        "B".into(),
        Resource::new(
            "AWS::B::B",
            object! { "A" => get_att("A", "Arn"), "Text" => sub("${A.Arn}/${P}/${AWS::Region}/${!No}") },
        )
        .when("C"),
    );
    template
        .outputs
        .insert("O".into(), Output::new("o", reference("B")).when("C"));
    template
}

#[test]
fn a_sound_template_has_no_fault() {
    simple().check().unwrap();
}

#[test]
fn every_kind_of_dangling_reference_is_found() {
    let cases: Vec<(&str, Value)> = vec![
        ("Nowhere", reference("Nowhere")),
        ("Nowhere", get_att("Nowhere", "Arn")),
        (
            "Nowhere",
            Value::call(Function::GetAtt, list!["Nowhere", reference("P")]),
        ),
        ("Nowhere", sub("x${Nowhere}y")),
        ("Nowhere", sub("x${Nowhere.Arn}y")),
        (
            "Nowhere",
            sub_with(
                "${Here}${Nowhere}",
                IndexMap::from([("Here".to_owned(), Value::Int(1))]),
            ),
        ),
        (
            "Nowhere",
            sub_with("${Here}", IndexMap::from([("Here".to_owned(), reference("Nowhere"))])),
        ),
        ("Nowhere", if_("Nowhere", 1, 2)),
        ("Nowhere", Value::call(Function::FindInMap, list!["Nowhere", "a", "b"])),
        ("AWS::Nowhere", reference("AWS::Nowhere")),
        // A parameter is no resource.
        ("P", get_att("P", "Arn")),
    ];
    for (target, value) in cases {
        let mut template = simple();
        template.resources["A"]
            .properties
            .insert("X".into(), list![object! { "Deep" => value.clone() }]);
        let Inconsistencies(faults) = template.check().unwrap_err();
        let [Inconsistency::Dangling { at, target: found, .. }] = faults.as_slice() else {
            panic!("{value:?}: {faults:?}")
        };
        assert!(at.starts_with("Resources.A.Properties.X.0.Deep"), "{value:?}: {at}");
        assert_eq!(found, target, "{value:?}");
    }
}

#[test]
fn attributes_dangle_too() {
    let mut template = simple();
    template.resources["A"].depends_on.push("Gone".into());
    template.resources["A"].condition = Some("Gone".into());
    template.outputs["O"].condition = Some("Gone".into());
    template.outputs["O"].export = Some(reference("Gone"));
    template.resources["B"].update_policy = Some(reference("Gone"));
    template.resources["B"].creation_policy = Some(reference("Gone"));
    template.resources["B"].metadata = Some(reference("Gone"));
    let Inconsistencies(faults) = template.check().unwrap_err();
    assert_eq!(faults.len(), 7, "{faults:?}");
}

#[test]
fn conditions_and_rules_know_only_parameters() {
    let mut template = simple();
    template
        .conditions
        .insert("D".into(), Value::call(Function::Equals, list![reference("A"), ""]));
    let assert = Value::call(
        Function::Contains,
        list![list!["x"], Value::call(Function::ValueOf, list!["Q", "VpcId"])],
    );
    template.rules.insert(
        "R".into(),
        Rule {
            condition: None,
            assertions: vec![Assertion {
                assert,
                description: None,
            }],
        },
    );
    let Inconsistencies(faults) = template.check().unwrap_err();
    assert!(
        matches!(&faults[0], Inconsistency::TooEarly { target, .. } if target == "A"),
        "{faults:?}"
    );
    assert!(
        matches!(&faults[1], Inconsistency::Dangling { target, .. } if target == "Q"),
        "{faults:?}"
    );
    assert_eq!(faults.len(), 2);
}

#[test]
fn cycles_are_found_among_resources_and_among_conditions() {
    let mut template = simple();
    template.resources["A"].properties.insert("B".into(), sub("${B}"));
    let Inconsistencies(faults) = template.check().unwrap_err();
    assert_eq!(
        faults,
        [Inconsistency::Cycle {
            through: ["A", "B", "A"].map(String::from).into()
        }]
    );

    let mut template = simple();
    template.resources["A"].depends_on.push("A".into());
    let Inconsistencies(faults) = template.check().unwrap_err();
    assert_eq!(
        faults,
        [Inconsistency::Cycle {
            through: ["A", "A"].map(String::from).into()
        }]
    );

    let mut template = simple();
    template.conditions.insert(
        "C".into(),
        Value::call(Function::Not, list![Value::call(Function::Condition, "D")]),
    );
    template.conditions.insert(
        "D".into(),
        Value::call(Function::Not, list![Value::call(Function::Condition, "C")]),
    );
    let Inconsistencies(faults) = template.check().unwrap_err();
    assert_eq!(
        faults,
        [Inconsistency::Cycle {
            through: ["C", "D", "C"].map(String::from).into()
        }]
    );
}

#[test]
fn foreign_documents_are_read_in_either_form() {
    let text = "
Resources:
  D:
    Type: AWS::D::D
    DependsOn: E
    Properties:
      A: !If [c, !Ref X, !Ref 'AWS::NoValue']
      B: !GetAtt [E, Arn]
      G: {'Fn::GetAtt': [E, Nested.Arn]}
      U:
        Fn::Base64: !Sub |
          hi
      Policy: {Condition: {StringEquals: {a: b}}}
      Named: {Condition: c}
  E: {Type: AWS::E::E}
";
    let template = Template::from_yaml(text).unwrap();
    let properties = &template.resources["D"].properties;
    assert_eq!(properties["A"], if_("c", reference("X"), Value::no_value()));
    assert_eq!(properties["B"], get_att("E", "Arn"));
    assert_eq!(properties["G"], get_att("E", "Nested.Arn"));
    assert_eq!(properties["U"], Value::call(Function::Base64, sub("hi\n")));
    assert!(properties["Policy"].get("Condition").unwrap().as_map().is_some());
    assert_eq!(properties["Named"], Value::call(Function::Condition, "c"));
    assert_eq!(template.resources["D"].depends_on, ["E"]);
    assert_eq!(Template::from_json(&template.to_json().unwrap()).unwrap(), template);
}

#[test]
fn documents_of_the_wrong_shape_are_refused_with_their_path() {
    for (text, words) in [
        ("Resources: []", "`Resources` must be a map, found a list"),
        ("Resuorces: {}", "unsupported key `Resuorces` in `the template`"),
        ("Resources: {A: {Properties: {}}}", "`Resources.A` requires key `Type`"),
        (
            "Resources: {A: {Type: T, DependsOn: [{}]}}",
            "`Resources.A.DependsOn` must be a list of names, found a map",
        ),
        (
            "Resources: {A: {Type: T, Propertys: {}}}",
            "unsupported key `Propertys` in `Resources.A`",
        ),
        ("Outputs: {A: {Description: d}}", "`Outputs.A` requires key `Value`"),
        (
            "AWSTemplateFormatVersion: '2011-01-01'",
            "unsupported key `2011-01-01` in `AWSTemplateFormatVersion`",
        ),
    ] {
        assert_eq!(Template::from_yaml(text).unwrap_err().to_string(), words);
    }
    for text in ["A: !Nothing x", "A: 1\nA: 2", "A: ["] {
        let error = Template::from_yaml(text).unwrap_err();
        assert!(matches!(error, TemplateError::Read { .. }), "{text}: {error:?}");
    }
    assert!(matches!(
        Template::from_json("{\"A\":1,\"A\":2}"),
        Err(TemplateError::Read { .. })
    ));
}

#[test]
fn the_short_form_looks_as_people_write_it() {
    let value = object! {
        "Version" => "2010-09-09",
        "Switch" => "on",
        "Time" => "12:30:45",
        "Exponent" => "1E3",
        "Octal" => "0755",
        "Ref" => reference("AWS::StackName"),
        "Att" => get_att("A", "Arn"),
        "Nested" => Value::call(Function::Base64, sub("#!/bin/sh\n\techo ${A}\n\nend\n")),
        "Rule" => Value::call(Function::RefAll, "AWS::EC2::VPC::Id"),
        "Long" => "word ".repeat(40).trim_end(),
        "Empty" => list![],
        "EmptyMap" => object! {},
        "Nothing" => Value::Null,
    };
    let text = value_to_yaml(&value).unwrap();
    let long = "word ".repeat(40);
    let expected = format!(
        "\
Version: \"2010-09-09\"
Switch: \"on\"
Time: \"12:30:45\"
Exponent: \"1E3\"
Octal: \"0755\"
Ref: !Ref AWS::StackName
Att: !GetAtt A.Arn
Nested:
  \"Fn::Base64\": !Sub |
    #!/bin/sh
    \techo ${{A}}

    end
Rule:
  \"Fn::RefAll\": AWS::EC2::VPC::Id
Long: {}
Empty: []
EmptyMap: {{}}
Nothing: null
",
        long.trim_end()
    );
    assert_eq!(text, expected);
    assert_eq!(value_from_yaml(&text).unwrap(), value);
}

#[test]
fn a_difference_is_told_at_its_deepest_path() {
    let (before, mut after) = (simple(), simple());
    assert!(diff(&before, &after).is_empty());
    after.resources["A"].properties.insert("Name".into(), "x".into());
    after.resources["B"].properties.shift_remove("Text");
    after.outputs.insert("New".into(), Output::new("n", Value::Int(1)));
    let told: Vec<String> = diff(&before, &after).iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "~ Resources.A.Properties.Name",
            "- Resources.B.Properties.Text",
            "+ Outputs.New"
        ]
    );
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[A-Za-z0-9 _./:%-]{0,24}",
        "[ -~]{0,24}",
        "[a-z \t#:\n-]{0,24}",
        "\\PC{0,12}",
        prop::sample::select(vec![
            "on",
            "off",
            "yes",
            "no",
            "ON",
            "NO",
            "y",
            "n",
            "null",
            "~",
            "",
            "1E3",
            "12:30:45",
            "2010-09-09",
            "0o17",
            "0x1F",
            "0755",
            "1_000",
            ".inf",
            ".nan",
            "<<",
            "=",
            "true",
            "- a",
            "a: b",
            "#",
            "a #b",
            "!Ref x",
            "&a",
            "*a",
            "|",
            ">",
            "%YAML",
            "---",
            "...",
            "\u{feff}",
            "\u{85}",
            "\u{2028}",
            "a\n",
            "\na",
            " a",
            "a ",
            "a\n\n",
            "\ta",
            "'",
            "\"",
        ])
        .prop_map(String::from),
    ]
}

fn key() -> impl Strategy<Value = String> {
    // A function's key would make the map a call, which is no map.
    text().prop_filter("a function's key", |key| Function::from_long(key).is_none())
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        any::<i32>().prop_map(|eighths| Value::Float(f64::from(eighths) / 8.0)),
        text().prop_map(Value::Str),
        "[A-Za-z]{1,8}".prop_map(|name| reference(&name)),
        ("[A-Za-z]{1,8}", "[A-Za-z.]{1,8}").prop_map(|(name, attribute)| get_att(&name, &attribute)),
        text().prop_map(sub),
    ];
    leaf.prop_recursive(4, 48, 6, |inner| {
        let function = prop::sample::select(Function::ALL.to_vec());
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::List),
            prop::collection::vec((key(), inner.clone()), 0..5)
                .prop_map(|entries| Value::Map(entries.into_iter().collect())),
            (function, inner).prop_filter_map("an argument that the function takes", |(function, argument)| {
                let fits = !matches!(function, Function::Condition) || argument.as_str().is_some();
                // Null under a tag is the empty text to every YAML reader.
                (fits && argument != Value::Null).then(|| Value::call(function, argument))
            }),
        ]
    })
}

/// A template whose references all resolve: earlier resources refer to parameters, later ones to earlier ones.
fn template() -> impl Strategy<Value = Template> {
    let resource = (0..4_usize, prop::collection::vec((0..6_usize, text()), 0..4));
    (
        prop::collection::vec(text(), 1..4),
        prop::collection::vec(resource, 1..6),
    )
        .prop_map(|(defaults, resources)| {
            let mut template = Template {
                description: Some("d".into()),
                ..Template::default()
            };
            for (index, default) in defaults.iter().enumerate() {
                let parameter = Parameter::new("String", "p").default_to(default.as_str());
                template.parameters.insert(format!("P{index}"), parameter);
            }
            template
                .conditions
                .insert("C".into(), Value::call(Function::Equals, list![reference("P0"), ""]));
            for (index, (depends, properties)) in resources.into_iter().enumerate() {
                let earlier = |wanted: usize| match index {
                    0 => "P0".to_owned(),
                    index => format!("R{}", wanted % index),
                };
                let entries = properties.into_iter().enumerate().map(|(at, (wanted, text))| {
                    let target = earlier(wanted);
                    let value = match wanted {
                        0 => Value::Str(text),
                        1 => reference(&target),
                        2 if index > 0 => get_att(&target, "Arn"),
                        3 => if_("C", text, reference(&target)),
                        4 => sub(format!("-${{{target}}}-${{!kept}}")),
                        _ => object! { "Key" => text, "Value" => reference(&target) },
                    };
                    (format!("Prop{at}"), value)
                });
                let mut resource = Resource::new("AWS::R::R", Value::Map(entries.collect()));
                if index > 0 && depends > 0 {
                    resource.depends_on.push(earlier(depends));
                }
                if depends == 2 {
                    resource.condition = Some("C".into());
                    resource.deletion_policy = Some(DeletionPolicy::RetainExceptOnCreate);
                }
                template.resources.insert(format!("R{index}"), resource);
            }
            template
        })
}

/// 64 cases keep the unoptimised build quick; `PROPTEST_CASES` asks for more.
fn cases() -> ProptestConfig {
    match std::env::var_os("PROPTEST_CASES") {
        Some(_) => ProptestConfig::default(),
        None => ProptestConfig::with_cases(64),
    }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn what_is_written_is_read_back_equal(value in value()) {
        let yaml = value_to_yaml(&value).unwrap();
        prop_assert_eq!(&value_from_yaml(&yaml).map_err(|e| TestCaseError::fail(format!("{yaml}\n{e:?}")))?, &value, "{}", yaml);
        let json = value_to_json(&value).unwrap();
        prop_assert_eq!(&value_from_json(&json).unwrap(), &value, "{}", json);
    }

    #[test]
    fn a_template_survives_both_forms_and_differs_from_nothing(template in template()) {
        template.check().unwrap();
        prop_assert!(diff(&template, &template).is_empty());
        prop_assert_eq!(&Template::from_yaml(&template.to_yaml().unwrap()).unwrap(), &template);
        prop_assert_eq!(&Template::from_json(&template.to_json().unwrap()).unwrap(), &template);
    }

    #[test]
    fn a_template_without_one_of_its_targets_dangles(template in template(), index in any::<prop::sample::Index>()) {
        let name = template.resources.keys().nth(index.index(template.resources.len())).unwrap().clone();
        let mut less = template.clone();
        less.resources.shift_remove(&name);
        let named = format!("{less:?}").contains(&format!("{name:?}")) || format!("{less:?}").contains(&format!("{{{name}}}"))
            || format!("{less:?}").contains(&format!("\"{name}."));
        prop_assert_eq!(less.check().is_err(), named, "{}", name);
        prop_assert!(!diff(&template, &less).is_empty());
    }
}
