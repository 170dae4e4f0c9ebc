//! Which images go: own ones that are neither among the newest of their engine nor in use.

use super::error::ImageError;
use super::ports::{Images, OwnImage, Use, Uses};
use crate::cloud::AwsError;
use crate::model::{AmiId, SnapshotId};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Why an image stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stays {
    /// It is one of the newest of its engine.
    Newest,
    /// Something uses it.
    Used(BTreeSet<Use>),
    /// It is being made, or in a state that is not known.
    State(String),
    /// AWS does not say how old it is.
    Undated,
}

impl fmt::Display for Stays {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Newest => f.write_str("one of the newest"),
            Self::Used(uses) => {
                // one of each kind says enough
                let first: Vec<String> = uses.iter().take(3).map(ToString::to_string).collect();
                let more = uses.len().saturating_sub(first.len());
                write!(f, "in use: {}", first.join(", "))?;
                if more > 0 {
                    write!(f, " and {more} more")?;
                }
                Ok(())
            }
            Self::State(state) => write!(f, "its state is {state}"),
            Self::Undated => f.write_str("its age is unknown"),
        }
    }
}

/// Images that stay, with the reason, and images that go; each from the newest to the oldest.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Choice {
    /// Stay.
    pub stay: Vec<(OwnImage, Stays)>,
    /// Go.
    pub go: Vec<OwnImage>,
}

/// Sorts images: `keep` of each engine stay, whatever uses them, and every one that is used.
///
/// An image that failed counts for nothing and may go; one that is being made stays.
pub fn choose(mut images: Vec<OwnImage>, uses: &Uses, keep: usize) -> Choice {
    images.sort_by(|a, b| (b.created, &b.id).cmp(&(a.created, &a.id)));
    let mut kept: BTreeMap<String, usize> = BTreeMap::new();
    let mut choice = Choice::default();
    for image in images {
        // what has no tag of ours is not ours, whoever listed it
        let Some(engine) = image.engine().map(str::to_owned) else {
            continue;
        };
        let newer = kept.entry(engine).or_default();
        let used = uses.get(&image.id).filter(|by| !by.is_empty());
        let stays = match image.state.as_str() {
            "available" if image.created.is_some() && *newer < keep => {
                *newer += 1;
                Some(Stays::Newest)
            }
            "available" | "failed" | "error" | "invalid" | "disabled" => None,
            state => Some(Stays::State(state.to_owned())),
        };
        let stays = stays
            .or_else(|| used.map(|by| Stays::Used(by.clone())))
            .or_else(|| image.created.is_none().then_some(Stays::Undated));
        match stays {
            Some(why) => choice.stay.push((image, why)),
            None => choice.go.push(image),
        }
    }
    choice
}

/// Reads what there is and sorts it; `parameters` name the images that deployments start.
///
/// # Errors
/// [`ImageError::Aws`]: as long as anything cannot be read, nothing is known to be unused.
pub async fn look<C: Images>(cloud: &C, parameters: &[String], keep: usize) -> Result<Choice, ImageError> {
    let images = cloud.own_images().await?;
    let mut choice = choose(images.clone(), &all_uses(cloud, &images, parameters).await?, keep);
    let going: Vec<String> = choice.go.iter().flat_map(|image| image.snapshots.clone()).collect();
    let own = match going.is_empty() {
        true => BTreeSet::new(),
        false => cloud.own_snapshots(&going).await?,
    };
    for image in &mut choice.go {
        let foreign = image.snapshots.iter().filter(|id| !own.contains(*id));
        image.foreign = foreign.cloned().collect();
    }
    Ok(choice)
}

/// What uses these images, parameters included.
///
/// # Errors
/// Any [`AwsError`].
pub async fn all_uses<C: Images>(cloud: &C, images: &[OwnImage], parameters: &[String]) -> Result<Uses, AwsError> {
    let ids: Vec<String> = images.iter().map(|image| image.id.clone()).collect();
    let mut uses = match ids.is_empty() {
        true => Uses::new(),
        false => cloud.uses(&ids).await?,
    };
    for name in parameters {
        if let Some(image) = cloud.image_parameter(name).await? {
            uses.entry(image).or_default().insert(Use::Parameter(name.clone()));
        }
    }
    Ok(uses)
}

/// What became of an image that was to go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pruned {
    /// The image.
    pub image: OwnImage,
    /// Why it is still registered.
    pub kept: Option<String>,
    /// Snapshots that are gone.
    pub snapshots: Vec<String>,
    /// Snapshots that are left, with the reason.
    pub snapshots_left: Vec<(String, String)>,
}

impl Pruned {
    /// Whether nothing of the image is left.
    pub fn is_whole(&self) -> bool {
        self.kept.is_none() && self.snapshots_left.is_empty()
    }
}

/// Deregisters an image and deletes those of its snapshots that mqaws made; goes on after a failure and tells of it.
pub async fn prune<C: Images>(cloud: &C, image: OwnImage) -> Pruned {
    let mut pruned = Pruned {
        kept: deregister(cloud, &image.id).await.err().map(|error| error.told()),
        image,
        snapshots: Vec::new(),
        snapshots_left: Vec::new(),
    };
    if pruned.kept.is_some() {
        return pruned;
    }
    let OwnImage { snapshots, foreign, .. } = &pruned.image;
    for snapshot in snapshots.iter().filter(|id| !foreign.contains(*id)) {
        match delete_snapshot(cloud, snapshot).await {
            Ok(()) => pruned.snapshots.push(snapshot.clone()),
            Err(error) => pruned.snapshots_left.push((snapshot.clone(), error.told())),
        }
    }
    pruned
}

async fn deregister<C: Images>(cloud: &C, image: &str) -> Result<(), AwsError> {
    let image = AmiId::new(image).map_err(|invalid| AwsError::no_id("ec2:DeregisterImage", &invalid))?;
    cloud.deregister(&image).await
}

async fn delete_snapshot<C: Images>(cloud: &C, snapshot: &str) -> Result<(), AwsError> {
    let snapshot = SnapshotId::new(snapshot).map_err(|invalid| AwsError::no_id("ec2:DeleteSnapshot", &invalid))?;
    cloud.delete_snapshot(&snapshot).await
}

#[cfg(test)]
mod tests {
    use super::super::ports::Left;
    use super::super::stages::Temporary;
    use super::*;
    use crate::cloud::Problem;
    use crate::render::packer::tags;
    use std::sync::Mutex;

    fn image(id: &str, engine: &str, day: u8) -> OwnImage {
        OwnImage {
            id: id.into(),
            name: format!("mqaws-{engine}-{day}"),
            state: "available".into(),
            created: (day > 0).then(|| format!("2026-01-{day:02}T00:00:00Z").parse().unwrap()),
            tags: [(tags::IMAGE.to_owned(), engine.to_owned())].into(),
            snapshots: vec![format!("snap-{id}")],
            foreign: BTreeSet::new(),
        }
    }

    fn ids(choice: &Choice) -> (Vec<String>, Vec<&str>) {
        let stay = choice
            .stay
            .iter()
            .map(|(image, why)| format!("{} {why}", image.id))
            .collect();
        (stay, choice.go.iter().map(|i| i.id.as_str()).collect())
    }

    #[test]
    fn the_newest_of_each_engine_stay_and_what_is_used() {
        let images = vec![
            image("m1", "ibm-mq", 1),
            image("m3", "ibm-mq", 3),
            image("m2", "ibm-mq", 2),
            image("r1", "rabbitmq", 1),
            image("r2", "rabbitmq", 2),
        ];
        let uses = Uses::from([("m1".to_owned(), [Use::Instance("i-1".into())].into())]);
        let choice = choose(images.clone(), &uses, 1);
        assert_eq!(
            ids(&choice),
            (
                vec![
                    "m3 one of the newest".into(),
                    "r2 one of the newest".into(),
                    "m1 in use: instance i-1".into()
                ],
                vec!["m2", "r1"]
            )
        );
        // a used image among the newest counts as one of them
        let uses = Uses::from([("m3".to_owned(), [Use::Parameter("/mqaws/ami/ibm-mq".into())].into())]);
        assert_eq!(ids(&choose(images.clone(), &uses, 1)).1, ["m2", "r1", "m1"]);
        let all = choose(images, &uses, 0);
        assert_eq!(ids(&all).0, ["m3 in use: parameter /mqaws/ami/ibm-mq"]);
    }

    #[test]
    fn what_is_not_ours_or_not_ready_is_not_touched() {
        let mut foreign = image("f", "ibm-mq", 1);
        foreign.tags.clear();
        let mut pending = image("p", "ibm-mq", 9);
        pending.state = "pending".into();
        let mut failed = image("x", "ibm-mq", 8);
        failed.state = "failed".into();
        let choice = choose(
            vec![
                foreign,
                pending,
                failed,
                image("u", "ibm-mq", 0),
                image("a", "ibm-mq", 2),
            ],
            &Uses::new(),
            1,
        );
        assert_eq!(
            ids(&choice),
            (
                vec![
                    "p its state is pending".into(),
                    "a one of the newest".into(),
                    "u its age is unknown".into()
                ],
                vec!["x"]
            ),
            "an image that failed does not take the place of one that works"
        );
    }

    /// An account whose images have a snapshot of somebody else beside their own.
    struct Account {
        images: Vec<OwnImage>,
        unreadable: bool,
        gone: Mutex<Vec<String>>,
    }

    impl Images for Account {
        async fn image(&self, _: &str) -> Result<Option<OwnImage>, AwsError> {
            Ok(None)
        }
        async fn own_images(&self) -> Result<Vec<OwnImage>, AwsError> {
            Ok(self.images.clone())
        }
        async fn own_snapshots(&self, ids: &[String]) -> Result<BTreeSet<String>, AwsError> {
            match self.unreadable {
                true => Err(AwsError::test(Problem::Denied("ec2:DescribeSnapshots".into()))),
                false => Ok(ids.iter().filter(|id| !id.contains("theirs")).cloned().collect()),
            }
        }
        async fn uses(&self, _: &[String]) -> Result<Uses, AwsError> {
            Ok(Uses::new())
        }
        async fn image_parameter(&self, _: &str) -> Result<Option<String>, AwsError> {
            Ok(None)
        }
        async fn set_image_parameter(&self, _: &str, _: &str) -> Result<(), AwsError> {
            Ok(())
        }
        async fn left_of(&self, _: &str, _: &Temporary) -> Result<Left, AwsError> {
            Ok(Left::default())
        }
        async fn deregister(&self, image: &AmiId) -> Result<(), AwsError> {
            self.gone.lock().unwrap().push(image.to_string());
            Ok(())
        }
        async fn delete_snapshot(&self, snapshot: &SnapshotId) -> Result<(), AwsError> {
            self.gone.lock().unwrap().push(snapshot.to_string());
            Ok(())
        }
    }

    #[tokio::test]
    async fn snapshots_of_others_stay_when_their_image_goes() {
        let mut ours = image("ami-0000000a", "ibm-mq", 1);
        ours.snapshots.push("snap-theirs".into());
        // Looks like one of ours by its name alone.
        let mut foreign = image("f", "ibm-mq", 2);
        foreign.tags.clear();
        let mut account = Account {
            images: vec![ours, foreign],
            unreadable: true,
            gone: Mutex::default(),
        };
        assert!(
            look(&account, &[], 0).await.is_err(),
            "what cannot be read is nobody's to remove"
        );
        account.unreadable = false;
        let choice = look(&account, &[], 0).await.unwrap();
        assert_eq!(ids(&choice), (vec![], vec!["ami-0000000a"]));
        let pruned = prune(&account, choice.go[0].clone()).await;
        assert_eq!(*account.gone.lock().unwrap(), ["ami-0000000a", "snap-ami-0000000a"]);
        assert!(pruned.is_whole(), "{pruned:?}");
        assert_eq!(pruned.image.foreign, ["snap-theirs".to_owned()].into());
    }

    #[tokio::test]
    async fn what_has_no_id_of_aws_is_named_and_not_touched() {
        let account = Account {
            images: Vec::new(),
            unreadable: false,
            gone: Mutex::default(),
        };
        let pruned_image = prune(&account, image("ami-1 --all", "ibm-mq", 1)).await;
        let kept = pruned_image.kept.expect("kept");
        assert!(kept.contains("invalid AMI ID `ami-1 --all`"), "{kept}");
        let mut odd = image("ami-0000000a", "ibm-mq", 1);
        odd.snapshots = vec!["vol-1".into()];
        let [(snapshot, why)] = &prune(&account, odd).await.snapshots_left[..] else {
            panic!("it is left")
        };
        assert!(
            snapshot == "vol-1" && why.contains("invalid snapshot ID `vol-1`"),
            "{why}"
        );
        assert_eq!(*account.gone.lock().unwrap(), ["ami-0000000a"]);
    }

    #[test]
    fn many_uses_are_folded() {
        let uses = (1..=5).map(|n| Use::Instance(format!("i-{n}"))).collect();
        assert_eq!(
            Stays::Used(uses).to_string(),
            "in use: instance i-1, instance i-2, instance i-3 and 2 more"
        );
    }
}
