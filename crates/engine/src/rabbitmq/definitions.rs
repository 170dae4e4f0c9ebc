//! What is in a broker from its start on: the user's own definitions, with the users and the queue that mqaws needs.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mqaws_contract::engine::rabbitmq::{AGENT_USER, RESERVED};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{self, Read};

/// The queue whose answer shows that a broker serves, and not its port alone.
pub(super) fn ready_queue() -> String {
    format!("{RESERVED}READY")
}

/// Policies of mirrored queues begin with this.
const MIRRORED: &str = "ha-";

/// Why definitions cannot be given to a broker.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unusable {
    #[error("the definitions are not JSON: {0}")]
    NotJson(String),
    #[error(
        "policy `{policy}` sets `{setting}`, and this version has no mirrored queues: use quorum queues in a cluster, and remove the setting"
    )]
    Mirrored { policy: String, setting: String },
}

/// A user of the application, by its hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Account {
    name: String,
    hash: String,
}

impl Account {
    /// The account with this password, of which only the hash is kept.
    pub(super) fn new(name: &str, password: &SecretString) -> io::Result<Self> {
        Ok(Self {
            name: name.to_owned(),
            hash: hash(password, random::<4>()?),
        })
    }

    /// It with permissions, as one adds it to a broker that runs.
    pub(super) fn alone(&self) -> String {
        let mut root = Map::new();
        self.add(&mut root, "");
        Value::Object(root).to_string()
    }

    fn add(&self, root: &mut Map<String, Value>, tags: &str) {
        let users = list(root, "users");
        // Another password for the same user would be of no use; its tags are the user's own decision.
        let named = |one: &Value| one["name"] == self.name.as_str();
        let tags = match users.iter().find(|one| named(one)).and_then(|one| one.get("tags")) {
            Some(own) if self.name != AGENT_USER => own.clone(),
            _ => Value::from(tags),
        };
        users.retain(|one| !named(one));
        users.push(json!({
            "name": self.name, "password_hash": self.hash,
            "hashing_algorithm": "rabbit_password_hashing_sha256", "tags": tags,
        }));
        let permissions = list(root, "permissions");
        // What the user's own file says of it goes before.
        if !permissions.iter().any(|one| one["user"] == self.name.as_str()) {
            permissions.push(json!({
                "user": self.name, "vhost": "/", "configure": ".*", "write": ".*", "read": ".*",
            }));
        }
    }
}

/// A password that nobody else knows.
pub(super) fn password() -> io::Result<SecretString> {
    Ok(hex::encode(random::<24>()?).into())
}

fn random<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// A password's hash, as the broker keeps it: the salt, then the digest of salt and password.
fn hash(password: &SecretString, salt: [u8; 4]) -> String {
    let mut digest = Sha256::new();
    digest.update(salt);
    digest.update(password.expose_secret().as_bytes());
    STANDARD.encode([&salt[..], &digest.finalize()[..]].concat())
}

fn list<'a>(root: &'a mut Map<String, Value>, name: &str) -> &'a mut Vec<Value> {
    let entry = root.entry(name).or_insert_with(|| Value::Array(Vec::new()));
    if !entry.is_array() {
        *entry = Value::Array(Vec::new());
    }
    match entry {
        Value::Array(list) => list,
        _ => unreachable!("it was made one"),
    }
}

/// The definitions of a start.
///
/// # Errors
/// [`Unusable`], which another host would find as well.
pub(super) fn of_start(
    own: Option<&str>,
    agent: &SecretString,
    application: Option<&Account>,
    mirrored: bool,
) -> io::Result<Result<String, Unusable>> {
    let read = own.map(serde_json::from_str::<Map<String, Value>>);
    let mut root = match read.transpose() {
        Ok(root) => root.unwrap_or_default(),
        Err(error) => return Ok(Err(Unusable::NotJson(error.to_string()))),
    };
    if !mirrored && let Some(found) = mirroring(&mut root) {
        return Ok(Err(found));
    }
    let vhosts = list(&mut root, "vhosts");
    if !vhosts.iter().any(|one| one["name"] == "/") {
        vhosts.push(json!({"name": "/"}));
    }
    Account::new(AGENT_USER, agent)?.add(&mut root, "administrator");
    if let Some(application) = application {
        application.add(&mut root, "");
    }
    let ready = json!({
        "name": ready_queue(), "vhost": "/", "durable": true, "auto_delete": false,
        "arguments": {"x-queue-type": "classic"},
    });
    list(&mut root, "queues").push(ready);
    Ok(Ok(Value::Object(root).to_string()))
}

/// The first policy that mirrors queues.
fn mirroring(root: &mut Map<String, Value>) -> Option<Unusable> {
    list(root, "policies").iter().find_map(|policy| {
        let settings = policy["definition"].as_object()?;
        let setting = settings.keys().find(|key| key.starts_with(MIRRORED))?;
        Some(Unusable::Mirrored {
            policy: policy["name"].as_str().unwrap_or_default().to_owned(),
            setting: setting.clone(),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computed by RabbitMQ's own documentation of the algorithm: salt 908D C60A, password `test12`.
    #[test]
    fn a_hash_is_that_of_the_documentation() {
        let salt = [0x90, 0x8D, 0xC6, 0x0A];
        assert_eq!(
            hash(&"test12".into(), salt),
            "kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR"
        );
    }

    fn start(own: Option<&str>, mirrored: bool) -> Result<Value, Unusable> {
        let application = Account::new("app", &"secret".into()).expect("an account");
        let text = of_start(own, &"word".into(), Some(&application), mirrored).expect("read");
        text.map(|text| serde_json::from_str(&text).expect("JSON"))
    }

    #[test]
    fn a_start_has_no_guest_and_no_password_and_the_queue_that_shows_service() {
        let made = start(None, true).expect("usable");
        let names = |list: &str| -> Vec<String> {
            let each = made[list].as_array().expect(list).iter();
            each.map(|one| one["name"].as_str().unwrap_or_default().to_owned())
                .collect()
        };
        assert_eq!(names("users"), ["mqaws", "app"]);
        assert_eq!(
            (names("vhosts"), names("queues")),
            (vec!["/".into()], vec!["MQAWS.READY".into()])
        );
        let text = made.to_string();
        assert!(
            !text.contains("secret") && !text.contains("\"word\"") && !text.contains("guest"),
            "{text}"
        );
    }

    #[test]
    fn what_the_users_file_says_of_the_application_stays() {
        let own = r#"{"permissions":[{"user":"app","vhost":"/","configure":"","write":".*","read":".*"}],"vhosts":[{"name":"shop"}]}"#;
        let made = start(Some(own), true).expect("usable");
        let of_app: Vec<&Value> = made["permissions"]
            .as_array()
            .expect("a list")
            .iter()
            .filter(|one| one["user"] == "app")
            .collect();
        assert_eq!((of_app.len(), of_app[0]["configure"].as_str()), (1, Some("")));
        assert_eq!(made["vhosts"].as_array().map(Vec::len), Some(2));
    }

    #[test]
    fn the_application_keeps_the_tags_of_the_users_file_and_not_its_password() {
        let own = r#"{"users":[{"name":"app","password_hash":"x","tags":["monitoring"]},{"name":"mqaws","tags":""}]}"#;
        let made = start(Some(own), true).expect("usable");
        let users = made["users"].as_array().expect("a list");
        let of = |name: &str| users.iter().filter(|one| one["name"] == name).collect::<Vec<_>>();
        assert_eq!((of("app").len(), of("mqaws").len()), (1, 1));
        assert_eq!(
            (&of("app")[0]["tags"], &of("mqaws")[0]["tags"]),
            (&json!(["monitoring"]), &json!("administrator"))
        );
        assert_ne!(of("app")[0]["password_hash"], "x");
    }

    #[test]
    fn mirrored_queues_are_refused_where_there_are_none() {
        let own = r#"{"policies":[{"name":"all","vhost":"/","pattern":".*","definition":{"ha-mode":"all"}}]}"#;
        assert!(start(Some(own), true).is_ok());
        let refused = start(Some(own), false).expect_err("refused").to_string();
        assert!(refused.contains("policy `all` sets `ha-mode`"), "{refused}");
    }
}
