//! From options and configuration to the clients of an account.

use super::local::{self, Start};
use super::{Context, Failure};
use crate::aws::{Choice, Clients};
use crate::deploy::Pace;
use crate::model::Deployment;

impl Context {
    /// The options that lead a verb to the same file and the same place, as a shell takes them: ` --local`; empty without any.
    pub fn place(&self) -> String {
        let global = self.global();
        let config = global.config.as_ref().map(|path| path.display().to_string());
        let given = [
            ("--config", config),
            ("--region", global.region.clone()),
            ("--profile", global.profile.clone()),
            ("--endpoint-url", global.endpoint_url.clone()),
        ];
        let given = given.into_iter().filter_map(|(option, value)| Some((option, value?)));
        let mut text: String = given
            .map(|(option, value)| format!(" {option} {}", quoted(&value)))
            .collect();
        if global.local {
            text.push_str(" --local");
        }
        text
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
