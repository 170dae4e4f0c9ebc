//! The flow of a build: work directory, `init`, `validate`, `build`, what was made, publishing it.

use super::error::{ImageError, seconds};
use super::left::{LOOKS, Leftovers, remains};
use super::log::Log;
use super::manifest;
use super::pace::Pace;
use super::packer::Packer;
use super::ports::{Images, OwnImage};
use super::run::{Ended, Killer, Limits, Runner, Stopped};
use super::stages::{News, Stage, Stages, Temporary};
use super::workshop::Workshop;
use crate::render::packer::{PROVISION, tags};
use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// Name of the template in the work directory; Packer wants this ending.
const TEMPLATE: &str = "mqaws.pkr.json";
/// Name of the variables' values.
const VARIABLES: &str = "mqaws.pkrvars.json";
/// Name of what the post-processor writes.
const MANIFEST: &str = "packer-manifest.json";
/// Lines of Packer that an error shows.
const LAST_LINES: usize = 12;

/// Everything that a build is made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// Id of this run, in tags and names.
    pub run: String,
    /// Region.
    pub region: String,
    /// The engine, as in tags.
    pub engine: String,
    /// The parameter that is to name the image.
    pub parameter: String,
    /// The template.
    pub template: String,
    /// Values of the template's variables besides `run`, `provision` and `manifest`.
    pub variables: BTreeMap<String, String>,
    /// Variables of Packer's environment, besides those that mqaws itself has.
    pub environment: Vec<(String, String)>,
    /// Whether a failed build leaves the instance as it is.
    pub keep_on_failure: bool,
}

/// What goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Packer runs a verb before the build.
    Preparing(&'static str),
    /// A stage ended or failed.
    News(News),
    /// Packer made something that it has to remove; all of it so far.
    Made(Temporary),
    /// A stage runs; with the last line that it said.
    Working(Stage, Option<String>),
    /// The parameter is set and looked at.
    Publishing,
}

/// An image that was built and published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Built {
    /// The image, as EC2 describes it.
    pub image: OwnImage,
    /// The parameter that names it.
    pub parameter: String,
}

/// What builds have in common: the account, Packer, and how to wait and stop.
#[derive(Debug, Clone)]
pub struct Bench<'a, C> {
    /// The account.
    pub cloud: &'a C,
    /// Packer.
    pub packer: &'a Packer,
    /// For whoever leaves at once.
    pub killer: &'a Killer,
    /// How often to look, and how long to wait.
    pub pace: Pace,
    /// Becomes `true` when the user wants to stop.
    pub stop: watch::Receiver<bool>,
}

/// Builds an image and publishes it.
///
/// # Errors
/// [`ImageError::Refused`] before anything is launched; [`ImageError::Failed`], [`ImageError::NotMade`],
/// [`ImageError::Interrupted`] with what is left; [`ImageError::NotPublished`] for an image that nobody knows.
pub async fn build<C: Images>(
    bench: &Bench<'_, C>,
    order: &Order,
    log: &mut Log,
    mut tell: impl FnMut(Step),
) -> Result<Built, ImageError> {
    let Bench { pace, stop, .. } = bench;
    let shop = Workshop::make(&order.run)?;
    shop.write(TEMPLATE, &order.template)?;
    let provision = shop.provision(PROVISION)?;
    let manifest = shop.at(MANIFEST);
    let mut variables = order.variables.clone();
    for (name, value) in [
        ("run", order.run.clone()),
        ("provision", provision.display().to_string()),
        ("manifest", manifest.display().to_string()),
    ] {
        variables.insert(name.to_owned(), value);
    }
    let values = serde_json::to_string_pretty(&variables).unwrap_or_default();
    shop.write(VARIABLES, &values)?;
    let runner = Runner {
        packer: bench.packer,
        shop: &shop,
        environment: &order.environment,
        killer: bench.killer,
    };
    prepare(&runner, order, log, *pace, stop, &mut tell).await?;

    let on_error = if order.keep_on_failure { "abort" } else { "cleanup" };
    let arguments = with_values(&["-machine-readable", "-color=false", &format!("-on-error={on_error}")]);
    let limits = Limits {
        follow: pace.follow,
        whole: pace.build,
        clean_up: pace.clean_up,
    };
    let began = Instant::now();
    let mut stages = Stages::default();
    let mut last = None;
    let ended = runner
        .run("build", &arguments, limits, stop, log, |line| {
            let before = stages.temporary().clone();
            for news in stages.feed(line, began.elapsed()) {
                // A stage that Packer cut short because it was asked to did not fail.
                if !(matches!(news, News::Failed(_)) && *stop.borrow()) {
                    tell(Step::News(news));
                }
            }
            if before != *stages.temporary() {
                tell(Step::Made(stages.temporary().clone()));
            }
            let now = stages
                .current()
                .map(|(stage, said)| (stage.clone(), said.map(str::to_owned)));
            if let Some((stage, said)) = now.clone().filter(|_| now != last) {
                tell(Step::Working(stage, said));
            }
            last = now;
        })
        .await;
    let ended = match ended {
        Ok(ended) => ended,
        Err(error) => {
            log.add(&format!("mqaws: {error}"));
            return Err(error);
        }
    };
    let finish = Finish {
        cloud: bench.cloud,
        order,
        pace: *pace,
        log: &*log,
    };
    if ended.stopped == Some(Stopped::ByUser) {
        return Err(finish.interrupted(&stages, ended.killed).await);
    }
    for news in stages.end(ended.status.success(), began.elapsed()) {
        tell(Step::News(news));
    }
    if !ended.status.success() {
        return Err(finish.failed(&stages, ended).await);
    }
    let image = finish
        .made(&stages, &std::fs::read_to_string(&manifest).unwrap_or_default())
        .await?;
    if *stop.borrow() {
        return Err(finish.interrupted(&stages, false).await);
    }
    tell(Step::Publishing);
    finish.publish(&image).await?;
    Ok(Built {
        image,
        parameter: order.parameter.clone(),
    })
}

fn with_values(first: &[&str]) -> Vec<String> {
    let values = format!("-var-file={VARIABLES}");
    first
        .iter()
        .map(|a| (*a).to_owned())
        .chain([values, TEMPLATE.to_owned()])
        .collect()
}

/// `init`, where Packer has it, and `validate`.
async fn prepare(
    runner: &Runner<'_>,
    order: &Order,
    log: &mut Log,
    pace: Pace,
    stop: &watch::Receiver<bool>,
    tell: &mut impl FnMut(Step),
) -> Result<(), ImageError> {
    let init = runner.packer.version.has_init();
    let init = init.then(|| ("init", vec!["-machine-readable".to_owned(), TEMPLATE.to_owned()]));
    for (verb, arguments) in init
        .into_iter()
        .chain([("validate", with_values(&["-machine-readable"]))])
    {
        tell(Step::Preparing(verb));
        let limits = Limits {
            follow: pace.follow,
            whole: pace.prepare,
            clean_up: Duration::from_secs(10),
        };
        let mut said = VecDeque::new();
        let ended = runner.run(verb, &arguments, limits, stop, log, |line| {
            for text in line.told().lines().filter(|text| !text.trim().is_empty()) {
                if said.len() == LAST_LINES {
                    said.pop_front();
                }
                said.push_back(text.trim_end().to_owned());
            }
        });
        let ended = ended.await?;
        if ended.stopped == Some(Stopped::ByUser) {
            return Err(ImageError::Interrupted {
                stage: Some(format!("packer {verb}")),
                remains: Leftovers::nothing(),
                log: Some(log.path().to_owned()),
                region: order.region.clone(),
                killed: ended.killed,
            });
        }
        if !ended.status.success() {
            if ended.stopped == Some(Stopped::ByTime) {
                said.push_back(format!("it took longer than {} s", pace.prepare.as_secs()));
            }
            return Err(ImageError::Refused {
                verb,
                said: said.into(),
                log: log.path().to_owned(),
            });
        }
    }
    Ok(())
}

/// What follows Packer's end.
struct Finish<'a, C> {
    cloud: &'a C,
    order: &'a Order,
    pace: Pace,
    log: &'a Log,
}

impl<C: Images> Finish<'_, C> {
    async fn remains(&self, stages: &Stages) -> Leftovers {
        // What is kept on purpose does not go while one looks.
        let looks = if self.order.keep_on_failure { 1 } else { LOOKS };
        remains(self.cloud, &self.order.run, stages.temporary(), looks, self.pace).await
    }

    async fn interrupted(&self, stages: &Stages, killed: bool) -> ImageError {
        ImageError::Interrupted {
            stage: interrupted_stage(stages),
            remains: self.remains(stages).await,
            log: Some(self.log.path().to_owned()),
            region: self.order.region.clone(),
            killed,
        }
    }

    async fn failed(&self, stages: &Stages, ended: Ended) -> ImageError {
        let late = ended.stopped == Some(Stopped::ByTime);
        let late = late.then(|| format!("it took longer than {}, and was interrupted", seconds(self.pace.build)));
        ImageError::Failed {
            stage: stages.failure().cloned(),
            late: late.is_some(),
            reason: late.or_else(|| stages.reason().map(str::to_owned)),
            log: self.log.path().to_owned(),
            remains: self.remains(stages).await,
            region: self.order.region.clone(),
        }
    }

    /// The one image that the manifest names, as EC2 knows it: this run's own, and ready.
    async fn made(&self, stages: &Stages, manifest: &str) -> Result<OwnImage, ImageError> {
        let (why, source) = match manifest::made(manifest, &self.order.run) {
            Err(error) => ("its manifest cannot be read".to_owned(), Some(error)),
            Ok(made) => {
                let here: Vec<_> = made.iter().filter(|made| made.region == self.order.region).collect();
                match here.as_slice() {
                    [one] => match self.known(&one.image).await {
                        Ok(image) => return Ok(image),
                        Err(Unknown::Not(why)) => (why, None),
                        Err(Unknown::Unasked(error)) => {
                            // The image is there, as far as Packer knows; it was only not looked at.
                            return Err(ImageError::NotPublished {
                                image: one.image.clone(),
                                parameter: self.order.parameter.clone(),
                                why: None,
                                source: Some(error),
                                region: self.order.region.clone(),
                            });
                        }
                    },
                    [] => (format!("made no image in {}", self.order.region), None),
                    more => (format!("made {} images in {}", more.len(), self.order.region), None),
                }
            }
        };
        Err(ImageError::NotMade {
            why,
            source,
            log: self.log.path().to_owned(),
            remains: self.remains(stages).await,
            region: self.order.region.clone(),
        })
    }

    async fn known(&self, id: &str) -> Result<OwnImage, Unknown> {
        let image = self.cloud.image(id).await.map_err(Unknown::Unasked)?;
        let not = |why: String| Err(Unknown::Not(why));
        match image {
            None => not(format!("EC2 has no image {id}")),
            Some(image) if image.tag(tags::BUILD) != Some(&self.order.run) => not(format!(
                "image {id} does not belong to this build: its tag {} is {}",
                tags::BUILD,
                image.tag(tags::BUILD).unwrap_or("missing")
            )),
            Some(image) if image.engine() != Some(&self.order.engine) => not(format!(
                "image {id} is not for {}: its tag {} is {}",
                self.order.engine,
                tags::IMAGE,
                image.engine().unwrap_or("missing")
            )),
            Some(image) if !image.is_available() => not(format!("image {id} is {}", image.state)),
            Some(image) => Ok(image),
        }
    }

    /// Sets the parameter, and waits until it is seen: Systems Manager answers before it has looked at the image, and
    /// leaves the parameter as it was when it finds none.
    async fn publish(&self, image: &OwnImage) -> Result<(), ImageError> {
        let parameter = self.order.parameter.as_str();
        let not = |why: Option<String>, source| ImageError::NotPublished {
            image: image.id.clone(),
            parameter: parameter.to_owned(),
            why,
            source,
            region: self.order.region.clone(),
        };
        let set = self.cloud.set_image_parameter(parameter, &image.id).await;
        set.map_err(|error| not(None, Some(error)))?;
        let began = Instant::now();
        loop {
            let seen = self.cloud.image_parameter(parameter).await;
            match seen {
                Ok(Some(value)) if value == image.id => return Ok(()),
                Err(error) if !error.is_transient() => return Err(not(None, Some(error))),
                Err(error) if began.elapsed() > self.pace.publish => return Err(not(None, Some(error))),
                Ok(value) if began.elapsed() > self.pace.publish => {
                    let value = value.unwrap_or_else(|| "nothing".to_owned());
                    return Err(not(
                        Some(format!("Systems Manager did not accept it; it still refers to {value}")),
                        None,
                    ));
                }
                _ => tokio::time::sleep(self.pace.look).await,
            }
        }
    }
}

enum Unknown {
    /// It is not there, or not what was to be made.
    Not(String),
    /// EC2 did not say.
    Unasked(crate::cloud::AwsError),
}

/// What was under way when the user stopped it; by now Packer cleans up.
fn interrupted_stage(stages: &Stages) -> Option<String> {
    let failed = stages.failure().map(|failure| failure.stage.to_string());
    failed.or_else(|| stages.current().map(|(stage, _)| stage.to_string()))
}

#[cfg(test)]
mod tests;
