//! Builds as Packer 1.6.6 tells of them, shortened.

use super::*;

/// Seconds since the beginning, and a line of Packer 1.6.6 (shortened).
fn play(stages: &mut Stages, lines: &[(u64, &str)]) -> Vec<String> {
    let mut told = Vec::new();
    for (at, text) in lines {
        let news = stages.feed(&Line::parse(&format!("1,{text}")), Duration::from_secs(*at));
        told.extend(news.into_iter().map(words));
    }
    told
}

fn words(news: News) -> String {
    match news {
        News::Ended { stage, found, took } => {
            format!("{stage} {} {}", found.unwrap_or_default(), took.as_secs())
        }
        News::Failed(failure) => format!("{} failed {}", failure.stage, failure.took.as_secs()),
    }
}

const LAUNCH: &[(u64, &str)] = &[
    (
        0,
        ",ui,say,==> amazon-ebs.mqaws: Prevalidating any provided VPC information",
    ),
    (1, ",ui,message,    amazon-ebs.mqaws: Found Image ID: ami-0571"),
    (
        1,
        ",ui,say,==> amazon-ebs.mqaws: Creating temporary keypair: packer_6b08",
    ),
    (
        2,
        ",ui,say,==> amazon-ebs.mqaws: Creating temporary security group for this instance: packer_6b09",
    ),
    (3, ",ui,say,==> amazon-ebs.mqaws: Launching a source AWS instance..."),
    (4, ",ui,message,    amazon-ebs.mqaws: Instance ID: i-d782"),
    (
        5,
        ",ui,say,==> amazon-ebs.mqaws: Waiting for instance (i-d782) to become ready...",
    ),
    (
        9,
        ",ui,say,==> amazon-ebs.mqaws: Using ssh communicator to connect: 10.0.0.7",
    ),
    (12, ",ui,say,==> amazon-ebs.mqaws: Connected to SSH!"),
    (12, ",ui,say,==> amazon-ebs.mqaws: Uploading /w/provision => /tmp"),
    (
        13,
        ",ui,say,==> amazon-ebs.mqaws: Provisioning with shell script: /w/provision/10-accounts.sh",
    ),
    (
        14,
        ",ui,message,    amazon-ebs.mqaws: mqaws: 10-accounts: user mqm%!(PACKER_COMMA) uid 1234",
    ),
    (
        15,
        ",ui,say,==> amazon-ebs.mqaws: Provisioning with shell script: /w/provision/30-engine.sh",
    ),
];

#[test]
fn a_build_goes_through_its_stages() {
    let mut stages = Stages::default();
    let mut told = play(&mut stages, LAUNCH);
    assert_eq!(stages.current(), Some((&Stage::Script("30-engine".into()), None)));
    told.extend(play(
        &mut stages,
        &[
            (75, ",ui,say,==> amazon-ebs.mqaws: Stopping the source instance..."),
            (80, ",ui,say,==> amazon-ebs.mqaws: Waiting for the instance to stop..."),
            (
                90,
                ",ui,say,==> amazon-ebs.mqaws: Creating AMI mqaws-1 from instance i-d782",
            ),
            (90, ",ui,message,    amazon-ebs.mqaws: AMI: ami-dbd0"),
            (91, ",ui,say,==> amazon-ebs.mqaws: Waiting for AMI to become ready..."),
            (
                120,
                ",ui,say,==> amazon-ebs.mqaws: Copying/Encrypting AMI (ami-dbd0) to other regions...",
            ),
            (190, ",ui,say,==> amazon-ebs.mqaws: Adding tags to AMI (ami-ecf4)..."),
            (190, ",ui,say,==> amazon-ebs.mqaws: Creating AMI tags"),
            (
                191,
                ",ui,say,==> amazon-ebs.mqaws: Terminating the source AWS instance...",
            ),
            (192, ",ui,say,==> amazon-ebs.mqaws: Deleting temporary keypair..."),
            (
                195,
                ",ui,say,==> amazon-ebs.mqaws: Running post-processor:  (type manifest)",
            ),
            (195, ",ui,say,Build 'amazon-ebs.mqaws' finished after 3 minutes."),
        ],
    ));
    told.extend(stages.end(true, Duration::from_secs(196)).into_iter().map(words));
    assert_eq!(
        told,
        [
            "source ami-0571 3",
            "instance i-d782 6",
            "connection  3",
            "upload  1",
            "10-accounts  2",
            "30-engine  60",
            "stop  15",
            "image  30",
            "encryption  70",
            "tags ami-ecf4 1",
            "clean-up  4",
            "record  1",
        ]
    );
    assert_eq!(stages.failure(), None);
    let temporary = Temporary {
        instance: Some("i-d782".into()),
        key_pair: Some("packer_6b08".into()),
        security_group: Some("packer_6b09".into()),
        images: vec!["ami-dbd0".into(), "ami-ecf4".into()],
    };
    assert_eq!(*stages.temporary(), temporary);
}

#[test]
fn a_script_that_fails_is_named_with_its_last_words() {
    let mut stages = Stages::default();
    play(&mut stages, LAUNCH);
    let told = play(
        &mut stages,
        &[
            (
                16,
                ",ui,message,    amazon-ebs.mqaws: mqaws: 30-engine: checking the package",
            ),
            (17, ",ui,error,==> amazon-ebs.mqaws: error: no license"),
            (
                18,
                ",ui,say,==> amazon-ebs.mqaws: Provisioning step had errors: Running the cleanup provisioner%!(PACKER_COMMA) if present...",
            ),
            (
                18,
                ",ui,say,==> amazon-ebs.mqaws: Terminating the source AWS instance...",
            ),
            (19, ",ui,say,==> amazon-ebs.mqaws: Deleting temporary keypair..."),
            (
                20,
                ",ui,error,Build 'amazon-ebs.mqaws' errored after 20 seconds: Script exited with non-zero exit status: 7",
            ),
            (20, "amazon-ebs.mqaws,error,Script exited with non-zero exit status: 7"),
        ],
    );
    assert_eq!(told, ["30-engine failed 3"]);
    assert!(stages.end(false, Duration::from_secs(21)).is_empty(), "told once");
    let failure = stages.failure().unwrap();
    assert_eq!(
        failure.said,
        ["mqaws: 30-engine: checking the package", "error: no license"]
    );
    assert_eq!(stages.reason(), Some("Script exited with non-zero exit status: 7"));
}

#[test]
fn the_steps_that_an_abort_skips_are_nobodys_last_words() {
    let mut stages = Stages::default();
    play(&mut stages, LAUNCH);
    let skipped = ",ui,error,==> amazon-ebs.mqaws: aborted: skipping cleanup of step \"StepConnect\"";
    let mut lines = vec![
        (70, ",ui,error,==> amazon-ebs.mqaws: error: no space"),
        (
            71,
            ",ui,error,==> amazon-ebs.mqaws: Step \"StepProvision\" failed%!(PACKER_COMMA) aborting...",
        ),
    ];
    lines.extend(vec![(72, skipped); LAST_LINES]);
    play(&mut stages, &lines);
    let failure = stages.failure().unwrap();
    assert_eq!(failure.said.last().map(String::as_str), Some("error: no space"));
}

#[test]
fn what_aws_refuses_fails_the_stage_that_asked() {
    let mut stages = Stages::default();
    play(&mut stages, &LAUNCH[..5]);
    let told = play(
        &mut stages,
        &[
            (
                5,
                ",ui,error,==> amazon-ebs.mqaws: Error launching source instance: UnauthorizedOperation",
            ),
            (6, ",ui,say,==> amazon-ebs.mqaws: Deleting temporary keypair..."),
        ],
    );
    assert_eq!(told, ["instance failed 3"]);
    assert_eq!(
        stages.failure().unwrap().said,
        ["Error launching source instance: UnauthorizedOperation"]
    );
}

#[test]
fn an_image_that_is_not_made_fails_at_once() {
    let mut stages = Stages::default();
    play(&mut stages, LAUNCH);
    let told = play(
        &mut stages,
        &[
            (
                80,
                ",ui,say,==> amazon-ebs.mqaws: Creating AMI mqaws-1 from instance i-d782",
            ),
            (81, ",ui,error,==> amazon-ebs.mqaws: Error waiting for AMI"),
            (
                82,
                ",ui,say,==> amazon-ebs.mqaws: Terminating the source AWS instance...",
            ),
            (
                83,
                ",ui,error,Build 'amazon-ebs.mqaws' errored after 83 seconds: Error waiting for AMI",
            ),
        ],
    );
    assert_eq!(told, ["30-engine  65", "image failed 2"]);
    assert_eq!(stages.failure().unwrap().said, ["Error waiting for AMI"]);
}

#[test]
fn tags_that_failed_are_told_apart_from_tags_that_were_made() {
    let mut stages = Stages::default();
    play(&mut stages, LAUNCH);
    let told = play(
        &mut stages,
        &[
            (80, ",ui,say,==> amazon-ebs.mqaws: Adding tags to AMI (ami-dbd0)..."),
            (81, ",ui,error,==> amazon-ebs.mqaws: Error adding tags"),
            (
                82,
                ",ui,say,==> amazon-ebs.mqaws: Deregistering the AMI and deleting associated snapshots because of cancellation%!(PACKER_COMMA) or error...",
            ),
            (
                83,
                ",ui,error,Build 'amazon-ebs.mqaws' errored after 83 seconds: Error adding tags",
            ),
        ],
    );
    assert_eq!(told, ["30-engine  65", "tags failed 2"]);
}

#[test]
fn a_build_that_never_began_has_no_stage() {
    let mut stages = Stages::default();
    assert!(play(&mut stages, &[(0, ",ui,error,Error: Unset variable \"agent\"")]).is_empty());
    assert!(stages.end(false, Duration::ZERO).is_empty());
    assert_eq!((stages.failure(), stages.current()), (None, None));
}

#[test]
fn only_the_builder_is_taken_off() {
    for (text, said) in [
        ("==> amazon-ebs.mqaws: Connected", "Connected"),
        ("    amazon-ebs.mqaws: error: x", "error: x"),
        ("    amazon-ebs.mqaws:", ""),
        ("error: disk full", "error: disk full"),
        ("==> Wait completed", "Wait completed"),
    ] {
        assert_eq!(without_builder(text), said, "{text}");
    }
}
