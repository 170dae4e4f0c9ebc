//! Adopting a kept file system: what is refused beforehand, and what the import holds.

use super::*;
use crate::model::PerformanceMode;

const ID: &str = "fs-0123456789abcdef0";

fn adopts() -> Adopts {
    Adopts {
        file_system: FileSystemId::new(ID).expect("an id"),
        logical: "FileSystem".into(),
        performance_mode: PerformanceMode::GeneralPurpose,
        kms_key: None,
        lease: Some(mqaws_contract::lease::ASSUMED),
        rest: 30,
    }
}

fn stored() -> Storage {
    let tags = [(STACK_TAG, "before"), ("mqaws:queue-manager", "QM1"), ("team", "x")];
    Storage {
        id: ID.into(),
        state: "available".into(),
        bytes: 18_200_000,
        created: None,
        tags: tags.map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
        made: Made {
            encrypted: true,
            kms_key: Some("arn:aws:kms:eu-west-1:000000000000:key/0a".into()),
            performance_mode: "generalPurpose".into(),
            throughput: "provisioned".into(),
            provisioned_mibps: Some(64),
            zone: None,
        },
    }
}

/// A stack of before.
fn stack_before() -> Stack {
    Stack {
        name: "before".into(),
        id: "arn:before".into(),
        status: StackStatus("CREATE_COMPLETE".into()),
        reason: None,
        created: Timestamp::UNIX_EPOCH,
        outputs: BTreeMap::new(),
        parameters: BTreeMap::new(),
        tags: [(STACK_TAG.to_owned(), "before".to_owned())].into(),
        protected: false,
    }
}

fn cloud(storage: Storage) -> Script {
    let mut import = add("FileSystem", "AWS::EFS::FileSystem");
    import.action = "Import".into();
    let mut cloud = Script::new([(None, vec![])]).with_changes(vec![import]);
    cloud.storage = vec![storage];
    cloud
}

fn planned_for(cloud: &Script, adopts: Adopts) -> Result<Plan, DeployError> {
    let blueprint = Blueprint {
        adopts: Some(adopts),
        ..blueprint()
    };
    let consent = Consent::default();
    wait(plan(
        cloud,
        &blueprint,
        consent,
        PACE,
        &Stop::never(),
        &mut |_: Step| {},
    ))
}

#[test]
fn import_is_planned_with_the_proof_to_be_expected() {
    let cloud = cloud(stored());
    let plan = planned_for(&cloud, adopts()).expect("planned");
    assert!(cloud.calls().contains(&"import-set".to_owned()), "{:?}", cloud.calls());
    assert_eq!(plan.review.summary(), "1 to adopt, 0 to add, 0 to change, 0 to replace");
    assert!(plan.kept.is_empty(), "what is adopted does not stay unused");
    plan.check(&[]).expect("no data are at stake");
    let adoption = plan.adopts.expect("adopts");
    assert_eq!((adoption.storage.id.as_str(), adoption.rest), (ID, 30));
    assert!(
        adoption.proof.contains("`lease`, for which a start waits 135 s"),
        "{}",
        adoption.proof
    );
    let never = Adopts {
        lease: None,
        ..adopts()
    };
    let proof = planned_for(&cloud, never)
        .expect("planned")
        .adopts
        .expect("adopts")
        .proof;
    assert!(
        proof.contains("`operator`: a start waits until an operator decides"),
        "{proof}"
    );
}

#[test]
fn what_cannot_be_adopted_is_refused_before_anything_is_made() {
    let with = |change: &dyn Fn(&mut Storage)| {
        let mut storage = stored();
        change(&mut storage);
        storage
    };
    let other_key = Adopts {
        kms_key: Some("arn:aws:kms:eu-west-1:000000000000:key/0b".into()),
        ..adopts()
    };
    let max_io = Adopts {
        performance_mode: PerformanceMode::MaxIo,
        ..adopts()
    };
    for (storage, adopts, expected) in [
        (
            with(&|s| s.state = "deleting".into()),
            adopts(),
            "its state is `deleting`",
        ),
        (
            with(&|s| s.made.encrypted = false),
            adopts(),
            "it is not encrypted at rest",
        ),
        (
            with(&|s| s.made.zone = Some("eu-west-1a".into())),
            adopts(),
            "it is a One Zone file system in eu-west-1a",
        ),
        (
            with(&|s| drop(s.tags.insert("mqaws:queue-manager".into(), "A:B".into()))),
            adopts(),
            "of queue manager A%B, not of QM1",
        ),
        (
            with(&|s| s.id = "fs-9".into()),
            adopts(),
            "does not exist in this region",
        ),
        (
            stored(),
            other_key,
            "has arn:aws:kms:eu-west-1:000000000000:key/0a, but the configuration requires",
        ),
        (
            stored(),
            max_io,
            "has generalPurpose, but the configuration requires maxIO",
        ),
    ] {
        let cloud = cloud(storage);
        let error = planned_for(&cloud, adopts).expect_err("refused");
        assert!(error.to_string().contains(expected), "{expected}: {error}");
        assert_eq!(error.left().as_deref(), Some("nothing was changed"));
        assert!(
            !cloud.calls().iter().any(|call| call.ends_with("-set")),
            "{:?}",
            cloud.calls()
        );
    }
    let mut mounted = cloud(stored());
    mounted.mount_targets = vec!["eu-west-1a", "eu-west-1b"];
    let error = planned_for(&mounted, adopts()).expect_err("refused");
    assert!(
        error
            .to_string()
            .ends_with("has mount targets: eu-west-1a (available), eu-west-1b (available)"),
        "{error}"
    );
    let id = FileSystemId::new(ID).expect("an id");
    let error = wait(deletable(&mounted, &id)).expect_err("refused");
    assert!(matches!(error, StorageError::MountTargets { .. }), "{error}");
}

#[test]
fn key_of_the_stack_of_before_is_not_left_out_unnoticed() {
    let arn = "arn:aws:cloudformation:eu-west-1:000000000000:stack/before/0-1";
    let mut storage = stored();
    storage.tags.insert("aws:cloudformation:stack-id".into(), arn.into());
    let mut cloud = cloud(storage);
    let before = Stack {
        status: StackStatus("DELETE_COMPLETE".into()),
        parameters: [("KmsKey".to_owned(), "alias/mq".to_owned())].into(),
        ..stack_before()
    };
    cloud.others = [(arn.to_owned(), before)].into();
    let error = planned_for(&cloud, adopts()).expect_err("refused");
    assert_eq!(error.hint().as_deref(), Some("set `storage.kms_key: alias/mq`"));
    let named = Adopts {
        kms_key: Some("alias/mq".into()),
        ..adopts()
    };
    let proof = planned_for(&cloud, named)
        .expect("planned")
        .adopts
        .expect("adopts")
        .proof;
    assert!(
        proof.starts_with("`clean` if stack before, to which it belonged, stopped"),
        "{proof}"
    );
}
