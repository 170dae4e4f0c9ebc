//! The flow with a double of Packer and a double of the account.

use super::*;
use crate::cloud::{AwsError, Problem};
use crate::image::ports::{Left, Uses};
use crate::model::{AmiId, SnapshotId};
use crate::remedy::Remedy;
use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::sync::Mutex;

/// Makes an image without a machine: writes the manifest with the artifacts that stand in for `ARTIFACTS`, ends with `EXIT`.
const PACKER: &str = r#"#!/bin/sh
case $1 in
version) echo 'Packer v1.6.6' ;;
init) test ! -e validate.out && echo 'Installed plugin' ;;
validate) echo '1,,ui,error,Error: no such region'; exit VALID ;;
build)
  test "$(stat -c %a .)" = 700 || exit 9
  run=$(sed -n 's/.*"run": "\(.*\)".*/\1/p' mqaws.pkrvars.json)
  test -x provision/10-accounts.sh || exit 9
  echo '1,,ui,say,==> amazon-ebs.mqaws: Launching a source AWS instance...'
  echo '1,,ui,message,    amazon-ebs.mqaws: Instance ID: i-1'
  echo 'a warning' >&2
  printf '{"builds":[%s],"last_run_uuid":"u"}' ARTIFACTS | sed "s/RUN/$run/" >packer-manifest.json
  exit EXIT ;;
esac
"#;

fn artifact(ids: &str) -> String {
    format!(r#"'{{"artifact_id":"{ids}","packer_run_uuid":"u","custom_data":{{"run":"RUN"}}}}'"#)
}

/// An account with one image, whose Systems Manager takes a value unless it is stubborn.
struct Account {
    image: OwnImage,
    parameter: Mutex<Option<String>>,
    stubborn: bool,
    left: Result<Left, AwsError>,
}

impl Images for Account {
    async fn image(&self, id: &str) -> Result<Option<OwnImage>, AwsError> {
        Ok((self.image.id == id).then(|| self.image.clone()))
    }
    async fn own_images(&self) -> Result<Vec<OwnImage>, AwsError> {
        Ok(vec![self.image.clone()])
    }
    async fn own_snapshots(&self, _: &[String]) -> Result<BTreeSet<String>, AwsError> {
        Ok(BTreeSet::new())
    }
    async fn uses(&self, _: &[String]) -> Result<Uses, AwsError> {
        Ok(Uses::new())
    }
    async fn image_parameter(&self, _: &str) -> Result<Option<String>, AwsError> {
        Ok(self.parameter.lock().unwrap().clone())
    }
    async fn set_image_parameter(&self, _: &str, image: &str) -> Result<(), AwsError> {
        if !self.stubborn {
            *self.parameter.lock().unwrap() = Some(image.to_owned());
        }
        Ok(())
    }
    async fn left_of(&self, _: &str, _: &Temporary) -> Result<Left, AwsError> {
        self.left.clone()
    }
    async fn deregister(&self, _: &AmiId) -> Result<(), AwsError> {
        Ok(())
    }
    async fn delete_snapshot(&self, _: &SnapshotId) -> Result<(), AwsError> {
        Ok(())
    }
}

struct Case {
    dir: tempfile::TempDir,
    packer: String,
    run: String,
    account: Account,
    /// How long the build may take.
    limit: Duration,
}

impl Case {
    fn new(name: &str) -> Self {
        let run = format!("{name}-{}", std::process::id());
        Self {
            dir: tempfile::tempdir().unwrap(),
            packer: PACKER
                .replace("VALID", "0")
                .replace("ARTIFACTS", &artifact("eu-west-1:ami-1"))
                .replace("EXIT", "0"),
            account: Account {
                image: OwnImage {
                    id: "ami-1".into(),
                    name: "mqaws-x".into(),
                    state: "available".into(),
                    created: None,
                    tags: [
                        (tags::BUILD.to_owned(), run.clone()),
                        (tags::IMAGE.to_owned(), "ibm-mq".to_owned()),
                    ]
                    .into(),
                    snapshots: Vec::new(),
                    foreign: BTreeSet::new(),
                },
                parameter: Mutex::new(Some("ami-0".into())),
                stubborn: false,
                left: Ok(Left::default()),
            },
            run,
            limit: Pace::AWS.build,
        }
    }

    async fn build(&self) -> Result<Built, ImageError> {
        let path = self.dir.path().join("packer");
        std::fs::write(&path, &self.packer).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        let packer = Packer::find(Some(&path)).await?;
        let bench = Bench {
            cloud: &self.account,
            packer: &packer,
            killer: &Killer::default(),
            pace: Pace {
                follow: Duration::from_millis(5),
                look: Duration::from_millis(1),
                publish: Duration::from_millis(20),
                build: self.limit,
                ..Pace::AWS
            },
            stop: watch::channel(false).1,
        };
        let order = Order {
            run: self.run.clone(),
            region: "eu-west-1".into(),
            engine: "ibm-mq".into(),
            parameter: "/mqaws/ami/ibm-mq".into(),
            template: "{}".into(),
            variables: BTreeMap::new(),
            environment: Vec::new(),
            keep_on_failure: false,
        };
        let mut log = Log::begin(&self.dir.path().join("log"))?;
        let built = build(&bench, &order, &mut log, |_| {}).await;
        assert!(
            !std::env::temp_dir().join(format!("mqaws-ami-{}", self.run)).exists(),
            "the work directory goes"
        );
        built
    }

    async fn refused(&self) -> (String, ImageError) {
        let error = self.build().await.unwrap_err();
        (error.to_string(), error)
    }
}

#[tokio::test]
async fn the_image_that_was_made_is_published() {
    let case = Case::new("good");
    let built = case.build().await.unwrap();
    assert_eq!(built.image.id, "ami-1");
    assert_eq!(*case.account.parameter.lock().unwrap(), Some("ami-1".into()));
    let log = std::fs::read_to_string(case.dir.path().join("log")).unwrap();
    assert!(
        log.contains("Instance ID: i-1") && log.contains("stderr: a warning"),
        "{log}"
    );
}

#[tokio::test]
async fn an_image_of_another_build_is_not_published() {
    let mut case = Case::new("foreign");
    case.account.image.tags.insert(tags::BUILD.to_owned(), "another".into());
    let (text, error) = case.refused().await;
    assert!(
        text.contains("image ami-1 does not belong to this build: its tag mqaws:build is another"),
        "{text}"
    );
    assert_eq!(error.exit(), crate::remedy::ExitKind::Remote);
    assert_eq!(*case.account.parameter.lock().unwrap(), Some("ami-0".into()));
}

#[tokio::test]
async fn packer_must_have_made_one_image_here() {
    for (name, ids, why) in [
        ("none", "", "made no image in eu-west-1"),
        ("elsewhere", "us-east-1:ami-1", "made no image in eu-west-1"),
        ("two", "eu-west-1:ami-1,eu-west-1:ami-2", "made 2 images in eu-west-1"),
        ("unknown", "eu-west-1:ami-9", "EC2 has no image ami-9"),
        ("odd", "ami-1", "its manifest cannot be read"),
    ] {
        let mut case = Case::new(name);
        case.packer = case.packer.replace(&artifact("eu-west-1:ami-1"), &artifact(ids));
        let (text, _) = case.refused().await;
        assert!(text.contains(why), "{name}: {text}");
    }
}

#[tokio::test]
async fn a_parameter_that_stays_as_it_was_is_told() {
    let mut case = Case::new("stubborn");
    case.account.stubborn = true;
    let (text, error) = case.refused().await;
    assert_eq!(
        text,
        "image ami-1 was created, but parameter /mqaws/ami/ibm-mq does not refer to it"
    );
    assert!(
        error.details()[0].1.contains("it still refers to ami-0"),
        "{:?}",
        error.details()
    );
    let hint = error.hint().unwrap();
    assert!(
        hint.contains("--ami ami-1") && hint.contains("aws ssm put-parameter"),
        "{hint}"
    );
}

#[tokio::test]
async fn what_packer_refuses_has_launched_nothing() {
    let mut case = Case::new("refused");
    case.packer = case.packer.replace("exit 0", "exit 1");
    let (text, error) = case.refused().await;
    assert_eq!(text, "`packer validate` failed");
    assert_eq!(error.left().as_deref(), Some("nothing was changed"));
    assert_eq!(error.details()[0], ("said".into(), "Error: no such region".into()));
}

#[tokio::test]
async fn what_is_left_is_asked_for_and_ignorance_is_told() {
    let mut case = Case::new("failed");
    case.packer = case.packer.replacen("  exit 0 ;;\nesac", "  exit 1 ;;\nesac", 1);
    let (text, error) = case.refused().await;
    assert!(
        text.starts_with("the image was not built: `instance` failed after"),
        "{text}"
    );
    assert_eq!(error.left().as_deref(), Some("nothing"));
    case.account.left = Err(AwsError::test(Problem::Denied("ec2:DescribeInstances".into())));
    std::fs::remove_file(case.dir.path().join("log")).unwrap();
    let (_, error) = case.refused().await;
    let left = error.left().unwrap();
    assert!(
        left.starts_with("possibly instance i-1; EC2 was not queried: test:Call: permission missing"),
        "{left}"
    );
}

#[tokio::test]
async fn a_current_packer_loads_its_plugins_first() {
    let mut case = Case::new("current");
    case.packer = case.packer.replace("v1.6.6", "v1.16.0");
    case.build().await.unwrap();
    let log = std::fs::read_to_string(case.dir.path().join("log")).unwrap();
    let at = |words: &str| {
        log.find(words)
            .unwrap_or_else(|| panic!("{words} is missing from {log}"))
    };
    assert!(at("Installed plugin") < at("packer init: exit status: 0"));
    assert!(at("packer init: exit status: 0") < at("packer validate"));
}

#[tokio::test]
async fn a_build_is_interrupted_when_its_time_is_up() {
    let mut case = Case::new("slow");
    case.packer = case.packer.replace("exit 0 ;;\nesac", "exec sleep 300 ;;\nesac");
    case.limit = Duration::from_millis(200);
    let (_, error) = case.refused().await;
    let cause = error.details().into_iter().find(|(label, _)| label == "cause");
    assert_eq!(
        (cause.map(|(_, text)| text).as_deref(), error.hint().as_deref()),
        (
            Some("it took longer than 0.2 s, and was interrupted"),
            Some("to wait longer, use a longer --timeout")
        )
    );
}
