//! From options and configuration to the clients of an account.

use super::local::{self, Start};
use super::{Context, Failure};
use crate::aws::{Choice, Clients};
use crate::deploy::Pace;
use crate::model::Deployment;

impl Context {
    /// The options that lead a verb to the same file and the same place, as a shell takes them: ` --local`; empty without any.
    pub fn place(&self) -> String {
        self.place_options().iter().map(|(_, text)| text.as_str()).collect()
    }

    /// A text in which each suggested command leads to the same file and the same place.
    pub(super) fn placed(&self, text: &str) -> String {
        placed(text, &self.place_options())
    }

    /// Each option of [`Context::place`], and the same with its value, a blank before it.
    fn place_options(&self) -> Vec<(&'static str, String)> {
        let global = self.global();
        let config = global.config.as_ref().map(|path| path.display().to_string());
        let given = [
            ("--config", config),
            ("--region", global.region.clone()),
            ("--profile", global.profile.clone()),
            ("--endpoint-url", global.endpoint_url.clone()),
        ];
        let given = given.into_iter().filter_map(|(option, value)| Some((option, value?)));
        let mut options: Vec<_> = given
            .map(|(option, value)| (option, format!(" {option} {}", quoted(&value))))
            .collect();
        if global.local {
            options.push(("--local", " --local".to_owned()));
        }
        options
    }

    /// The clients that the options choose: a local cloud, or region, profile and endpoint; flags and variables weigh
    /// more than the file, the file more than the AWS configuration.
    ///
    /// # Errors
    /// No local cloud runs and `start` does not start one; no region.
    pub async fn clients(&self, deployment: &Deployment, start: Start) -> Result<Clients, Failure> {
        let global = self.global();
        if global.local {
            return Ok(Clients::local(&local::cloud(self, start).await?));
        }
        let choice = Choice {
            region: global
                .region
                .clone()
                .or(deployment.region.as_ref().map(ToString::to_string)),
            profile: global
                .profile
                .clone()
                .or(deployment.profile.as_ref().map(ToString::to_string)),
            endpoint_url: global.endpoint_url.clone(),
        };
        Ok(Clients::load(&choice).await?)
    }
}

/// How often to look, by where the cloud is.
pub fn pace(clients: &Clients) -> Pace {
    if clients.is_local() { Pace::LOCAL } else { Pace::AWS }
}

/// Verbs that look at a configuration and a place.
const PLACED: [&str; 5] = ["deploy", "destroy", "failover-test", "plan", "status"];

/// The text with the options that they lack behind the commands in it: what stands between backticks and begins with `mqaws` and such a
/// verb. One that names another place itself is left alone.
fn placed(text: &str, options: &[(&'static str, String)]) -> String {
    let part = |(at, part): (usize, &str)| {
        let mut words = part.split_whitespace();
        let is_command = at % 2 == 1
            && words.next() == Some("mqaws")
            && words.next().is_some_and(|verb| PLACED.contains(&verb))
            && ["...", "…"].iter().all(|more| !part.contains(more));
        let has = |option: &str| part.split_whitespace().any(|word| word == option);
        let elsewhere = !options.iter().any(|(option, _)| *option == "--local") && has("--local");
        let mut part = part.to_owned();
        if is_command && !elsewhere {
            let lacking: String = options
                .iter()
                .filter(|(option, _)| !has(option))
                .map(|(_, text)| text.as_str())
                .collect();
            part.push_str(&lacking);
        }
        part
    };
    text.split('`').enumerate().map(part).collect::<Vec<_>>().join("`")
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+,=".contains(c);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggested_commands_lead_to_the_same_place() {
        let local = [("--local", " --local".to_owned())];
        let aws = [
            ("--config", " --config 'my file.yaml'".to_owned()),
            ("--region", " --region eu-west-1".to_owned()),
        ];
        for (text, at_local, at_aws) in [
            (
                "see `mqaws status`, then `mqaws deploy --stack s`",
                "see `mqaws status --local`, then `mqaws deploy --stack s --local`",
                "see `mqaws status --config 'my file.yaml' --region eu-west-1`, then `mqaws deploy --stack s --config 'my file.yaml' --region eu-west-1`",
            ),
            (
                "`mqaws plan --region us-east-1`",
                "`mqaws plan --region us-east-1 --local`",
                "`mqaws plan --region us-east-1 --config 'my file.yaml'`",
            ),
            (
                "without one: `mqaws deploy --local`",
                "without one: `mqaws deploy --local`",
                "without one: `mqaws deploy --local`",
            ),
            (
                "`mqaws ami build` or mqaws status",
                "`mqaws ami build` or mqaws status",
                "`mqaws ami build` or mqaws status",
            ),
        ] {
            assert_eq!(placed(text, &local), at_local);
            assert_eq!(placed(text, &aws), at_aws);
            assert_eq!(placed(text, &[]), text);
        }
    }

    #[test]
    fn words_are_quoted_where_a_shell_would_take_them_apart() {
        for (word, expected) in [
            ("http://127.0.0.1:4566", "http://127.0.0.1:4566"),
            ("my file.yaml", "'my file.yaml'"),
            ("o'clock", r"'o'\''clock'"),
            ("", "''"),
        ] {
            assert_eq!(quoted(word), expected);
        }
    }
}
