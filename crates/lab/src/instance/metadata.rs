//! The metadata service of an instance, version 2 only: a session token first, then a tree of values.
//!
//! A process host has a service of its own on its own address, and in a network namespace at 169.254.169.254. Guests ask
//! there as well, where one service answers all of them and tells them apart by their addresses.

use crate::api::{Caller, Cloud, Identity};
use crate::http::{self, Door};
use crate::ids;
use crate::network::Interface;
use axum::extract::Request;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use indexmap::IndexMap;
use parking_lot::Mutex;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::net::Ipv4Addr;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;

/// Port of the service on a process host's own address; for a guest it is 169.254.169.254:80, as on AWS.
pub const PORT: u16 = 8169;

const TOKEN_HEADER: &str = "x-aws-ec2-metadata-token";
const TTL_HEADER: &str = "x-aws-ec2-metadata-token-ttl-seconds";
/// Validity of role credentials; IMDS hands out credentials of some six hours.
const CREDENTIALS_VALID: Duration = Duration::from_secs(6 * 3600);
/// After this time new credentials are made; the old ones stay valid until they expire.
const CREDENTIALS_ROTATE: Duration = Duration::from_secs(300);

/// What the service tells about its instance.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// EC2 instance id.
    pub(crate) instance: String,
    /// Region.
    pub(crate) region: String,
    /// Availability zone.
    pub(crate) zone: String,
    /// Private address.
    pub(crate) address: Option<Ipv4Addr>,
    /// Instance type.
    pub(crate) instance_type: String,
    /// Image id.
    pub(crate) image: String,
    /// MAC address.
    pub(crate) mac: String,
    /// Subnet id.
    pub(crate) subnet: String,
    /// VPC id.
    pub(crate) vpc: String,
    /// Reservation id.
    pub(crate) reservation: String,
    /// Security group ids.
    pub(crate) groups: Vec<String>,
    /// ARN of the instance profile and name of its role.
    pub(crate) role: Option<(String, String)>,
    /// Tags, when the launch template lets the metadata show them.
    pub(crate) tags: Option<IndexMap<String, String>>,
    /// Target lifecycle state of an instance in an Auto Scaling group.
    pub(crate) target_lifecycle_state: Option<String>,
    /// Launch time, RFC 3339.
    pub(crate) launched: String,
    /// User data in base64.
    pub(crate) user_data: Option<String>,
}

struct Credentials {
    access_key_id: String,
    secret_access_key: String,
    token: String,
    issued: Instant,
    issued_at: jiff::Timestamp,
}

pub(super) struct Metadata {
    cloud: Weak<Cloud>,
    facts: Arc<Mutex<Facts>>,
    tokens: Mutex<HashMap<String, Instant>>,
    credentials: Mutex<Option<Credentials>>,
}

/// Serves an instance until the handle is aborted: a guest through the directory, others on their interface.
///
/// # Errors
/// The address cannot be bound.
pub async fn serve(cloud: &Arc<Cloud>, facts: Arc<Mutex<Facts>>, interface: &Interface) -> io::Result<JoinHandle<()>> {
    let address = facts.lock().address.unwrap_or(Ipv4Addr::LOCALHOST);
    let state = Arc::new(Metadata {
        cloud: Arc::downgrade(cloud),
        facts,
        tokens: Mutex::default(),
        credentials: Mutex::default(),
    });
    if cloud.site.guests.is_some() {
        return Ok(cloud.metadata.enter(address.into(), state));
    }
    let place = interface.metadata().unwrap_or((address, PORT).into());
    let listener = interface.listen(place).await?;
    // What it tells, the keys of the role first, is for the instance, whose processes are all of the lab's user.
    let (door, stopping) = (Door::Own(interface.peers()), cloud.stopping());
    let answer = move |request| answer(state.clone(), request);
    Ok(tokio::spawn(http::serve(listener, door, stopping, answer)))
}

pub(super) async fn answer(state: Arc<Metadata>, request: Request) -> Response {
    let path = request.uri().path().to_owned();
    let headers = request.headers();
    if path == "/latest/api/token" {
        return if request.method() == Method::PUT {
            state.issue_token(headers)
        } else {
            StatusCode::METHOD_NOT_ALLOWED.into_response()
        };
    }
    if request.method() != Method::GET && request.method() != Method::HEAD {
        return StatusCode::METHOD_NOT_ALLOWED.into_response();
    }
    let known = headers
        .get(TOKEN_HEADER)
        .and_then(|v| v.to_str().ok())
        .is_some_and(|token| state.token_is_valid(token));
    if !known {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    match state.look_up(&path) {
        Some(text) => ([("content-type", "text/plain")], text).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

impl Metadata {
    fn issue_token(&self, headers: &HeaderMap) -> Response {
        // A request that came through a proxy is refused, which keeps the service from being reached from outside.
        if headers.contains_key("x-forwarded-for") {
            return StatusCode::FORBIDDEN.into_response();
        }
        let seconds = headers
            .get(TTL_HEADER)
            .and_then(|v| v.to_str().ok())
            .and_then(|v| v.parse::<u64>().ok())
            .filter(|ttl| (1..=21_600).contains(ttl));
        let Some(seconds) = seconds else {
            return StatusCode::BAD_REQUEST.into_response();
        };
        let token = format!("{}==", ids::alphanumeric(54));
        let now = Instant::now();
        let mut tokens = self.tokens.lock();
        tokens.retain(|_, expires| *expires > now);
        tokens.insert(token.clone(), now + Duration::from_secs(seconds));
        if let Some(cloud) = self.cloud.upgrade() {
            cloud.note_instance_token(&token, &self.facts.lock().instance);
        }
        let headers = [
            ("content-type", "text/plain".to_owned()),
            (TTL_HEADER, seconds.to_string()),
        ];
        (headers, token).into_response()
    }

    fn token_is_valid(&self, token: &str) -> bool {
        self.tokens
            .lock()
            .get(token)
            .is_some_and(|expires| *expires > Instant::now())
    }

    fn look_up(&self, path: &str) -> Option<String> {
        let facts = self.facts.lock().clone();
        let path = versioned(path)?;
        if path == "user-data" {
            return user_data(&facts);
        }
        if let Some((_, role)) = &facts.role
            && path == format!("meta-data/iam/security-credentials/{role}")
        {
            return Some(self.credentials(&facts.instance, role));
        }
        find(&tree(&facts), path)
    }

    fn credentials(&self, instance: &str, role: &str) -> String {
        let mut slot = self.credentials.lock();
        if slot.as_ref().is_none_or(|c| c.issued.elapsed() > CREDENTIALS_ROTATE) {
            *slot = None;
        }
        let current = slot.get_or_insert_with(|| {
            let made = Credentials {
                access_key_id: format!("ASIA{}", ids::upper(16)),
                secret_access_key: ids::alphanumeric(40),
                token: ids::alphanumeric(200),
                issued: Instant::now(),
                issued_at: jiff::Timestamp::now(),
            };
            if let Some(cloud) = self.cloud.upgrade() {
                cloud.know(
                    &made.access_key_id,
                    Identity {
                        secret_access_key: made.secret_access_key.clone(),
                        session_token: Some(made.token.clone()),
                        expires: Some((made.issued_at + CREDENTIALS_VALID).as_second()),
                        caller: Caller::Instance {
                            instance: instance.to_owned(),
                            role: role.to_owned(),
                        },
                    },
                );
            }
            made
        });
        let expiration = current.issued_at + CREDENTIALS_VALID;
        serde_json::json!({
            "Code": "Success",
            "LastUpdated": whole_seconds(current.issued_at),
            "Type": "AWS-HMAC",
            "AccessKeyId": current.access_key_id,
            "SecretAccessKey": current.secret_access_key,
            "Token": current.token,
            "Expiration": whole_seconds(expiration),
        })
        .to_string()
    }
}

/// What follows the version in a path: `latest`, or the date of a version, all of which the lab answers alike.
fn versioned(path: &str) -> Option<&str> {
    let (version, rest) = path.strip_prefix('/')?.split_once('/')?;
    let dated = version.len() == 10
        && version.char_indices().all(|(at, c)| {
            if matches!(at, 4 | 7) {
                c == '-'
            } else {
                c.is_ascii_digit()
            }
        });
    (version == "latest" || dated).then_some(rest)
}

/// User data as text; what is none is not served, since the lab takes only cloud-config.
fn user_data(facts: &Facts) -> Option<String> {
    use base64::Engine;
    let compact: String = facts.user_data.as_ref()?.split_whitespace().collect();
    String::from_utf8(base64::engine::general_purpose::STANDARD.decode(compact).ok()?).ok()
}

fn whole_seconds(at: jiff::Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Every value of the tree but the credentials, by its path below `/latest/`.
fn tree(facts: &Facts) -> BTreeMap<String, String> {
    let address = facts.address.map(|a| a.to_string()).unwrap_or_default();
    let interface = format!("meta-data/network/interfaces/macs/{}", facts.mac);
    let mut all: BTreeMap<String, String> = [
        ("meta-data/ami-id", facts.image.clone()),
        ("meta-data/events/maintenance/scheduled", "[]".to_owned()),
        ("meta-data/hostname", hostname(facts)),
        ("meta-data/instance-id", facts.instance.clone()),
        ("meta-data/instance-life-cycle", "on-demand".to_owned()),
        ("meta-data/instance-type", facts.instance_type.clone()),
        ("meta-data/local-hostname", hostname(facts)),
        ("meta-data/local-ipv4", address.clone()),
        ("meta-data/mac", facts.mac.clone()),
        ("meta-data/placement/availability-zone", facts.zone.clone()),
        ("meta-data/placement/region", facts.region.clone()),
        ("meta-data/reservation-id", facts.reservation.clone()),
        ("meta-data/security-groups", facts.groups.join("\n")),
        ("meta-data/services/domain", "amazonaws.com".to_owned()),
        ("meta-data/services/partition", "aws".to_owned()),
        ("dynamic/instance-identity/document", identity_document(facts, &address)),
    ]
    .into_iter()
    .map(|(path, value)| (path.to_owned(), value))
    .collect();
    for (name, value) in [
        ("local-ipv4s", address),
        ("mac", facts.mac.clone()),
        ("owner-id", crate::api::ACCOUNT.to_owned()),
        ("security-group-ids", facts.groups.join("\n")),
        ("subnet-id", facts.subnet.clone()),
        ("vpc-id", facts.vpc.clone()),
    ] {
        all.insert(format!("{interface}/{name}"), value);
    }
    if let Some((profile, role)) = &facts.role {
        let text = serde_json::json!({"Code": "Success", "LastUpdated": facts.launched, "InstanceProfileArn": profile});
        all.insert("meta-data/iam/info".to_owned(), text.to_string());
        all.insert(format!("meta-data/iam/security-credentials/{role}"), String::new());
    }
    if let Some(state) = &facts.target_lifecycle_state {
        all.insert("meta-data/autoscaling/target-lifecycle-state".to_owned(), state.clone());
    }
    for (key, value) in facts.tags.iter().flatten() {
        all.insert(format!("meta-data/tags/instance/{key}"), value.clone());
    }
    all
}

fn hostname(facts: &Facts) -> String {
    let address = facts.address.map(|a| a.to_string()).unwrap_or_default();
    format!("ip-{}.{}.compute.internal", address.replace('.', "-"), facts.region)
}

fn identity_document(facts: &Facts, address: &str) -> String {
    serde_json::json!({
        "accountId": crate::api::ACCOUNT,
        "architecture": "x86_64",
        "availabilityZone": facts.zone,
        "imageId": facts.image,
        "instanceId": facts.instance,
        "instanceType": facts.instance_type,
        "pendingTime": facts.launched,
        "privateIp": address,
        "region": facts.region,
        "version": "2017-09-30",
    })
    .to_string()
}

/// A value, or the listing of a directory as the service prints it: subdirectories end in `/`.
fn find(tree: &BTreeMap<String, String>, path: &str) -> Option<String> {
    if let Some(value) = tree.get(path) {
        return Some(value.clone());
    }
    let directory = format!("{}/", path.trim_end_matches('/'));
    let names: BTreeSet<String> = tree
        .keys()
        .filter_map(|key| key.strip_prefix(&directory))
        .map(|rest| match rest.split_once('/') {
            Some((name, _)) => format!("{name}/"),
            None => rest.to_owned(),
        })
        .collect();
    (!names.is_empty()).then(|| names.into_iter().collect::<Vec<_>>().join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> Facts {
        Facts {
            instance: "i-0abc".to_owned(),
            region: "eu-west-1".to_owned(),
            zone: "eu-west-1a".to_owned(),
            address: Some(Ipv4Addr::new(127, 77, 10, 4)),
            user_data: Some("I2Nsb3Vk\nLWNvbmZpZw==".to_owned()),
            role: Some((
                "arn:aws:iam::000000000000:instance-profile/p".to_owned(),
                "r".to_owned(),
            )),
            tags: Some(IndexMap::from([("mqaws:stack".to_owned(), "mqaws-qm1".to_owned())])),
            ..Facts::default()
        }
    }

    fn metadata() -> (Arc<Cloud>, Metadata) {
        let cloud = Cloud::new("eu-west-1");
        let metadata = Metadata {
            cloud: Arc::downgrade(&cloud),
            facts: Arc::new(Mutex::new(facts())),
            tokens: Mutex::default(),
            credentials: Mutex::default(),
        };
        (cloud, metadata)
    }

    #[test]
    fn values_and_listings_are_found() {
        let (_cloud, metadata) = metadata();
        let cases = [
            ("/latest/meta-data/instance-id", Some("i-0abc")),
            ("/latest/meta-data/placement/", Some("availability-zone\nregion")),
            ("/latest/meta-data/iam/security-credentials/", Some("r")),
            ("/latest/meta-data/tags/instance/mqaws:stack", Some("mqaws-qm1")),
            ("/latest/meta-data/events/maintenance/scheduled", Some("[]")),
            ("/latest/meta-data/spot/instance-action", None),
            ("/latest/meta-data/autoscaling/target-lifecycle-state", None),
            ("/latest/user-data", Some("#cloud-config")),
            ("/2009-04-04/meta-data/instance-id", Some("i-0abc")),
            ("/1.0/meta-data/instance-id", None),
            ("/2009/meta-data/instance-id", None),
        ];
        for (path, expected) in cases {
            assert_eq!(metadata.look_up(path).as_deref(), expected, "{path}");
        }
    }

    #[test]
    fn role_credentials_are_known_to_the_cloud_as_the_instance() {
        let (cloud, metadata) = metadata();
        let text = metadata
            .look_up("/latest/meta-data/iam/security-credentials/r")
            .expect("the role has credentials");
        let document: serde_json::Value = serde_json::from_str(&text).expect("a JSON document");
        let identity = cloud
            .identity(document["AccessKeyId"].as_str().expect("a key"))
            .expect("the cloud knows the key");
        let expected = Caller::Instance {
            instance: "i-0abc".to_owned(),
            role: "r".to_owned(),
        };
        assert_eq!(identity.caller, expected);
        assert_eq!(identity.session_token.as_deref(), document["Token"].as_str());
    }

    #[test]
    fn tokens_need_a_lifetime_within_bounds_and_no_proxy() {
        let (cloud, metadata) = metadata();
        let with = |pairs: &[(&'static str, &'static str)]| {
            let headers = pairs.iter().map(|(k, v)| {
                (
                    axum::http::HeaderName::from_static(k),
                    axum::http::HeaderValue::from_static(v),
                )
            });
            metadata.issue_token(&HeaderMap::from_iter(headers)).status()
        };
        assert_eq!(with(&[]), StatusCode::BAD_REQUEST);
        assert_eq!(with(&[(TTL_HEADER, "0")]), StatusCode::BAD_REQUEST);
        assert_eq!(with(&[(TTL_HEADER, "21601")]), StatusCode::BAD_REQUEST);
        assert_eq!(
            with(&[(TTL_HEADER, "60"), ("x-forwarded-for", "1.2.3.4")]),
            StatusCode::FORBIDDEN
        );
        assert_eq!(with(&[(TTL_HEADER, "60")]), StatusCode::OK);
        let token = metadata.tokens.lock().keys().next().cloned().expect("one token");
        assert!(metadata.token_is_valid(&token));
        assert_eq!(cloud.instance_of_token(&token).as_deref(), Some("i-0abc"));
        assert!(!metadata.token_is_valid("another"));
    }

    #[tokio::test]
    async fn over_http_a_token_comes_first() {
        let cloud = Cloud::new("eu-west-1");
        let mut facts = facts();
        facts.address = Some(Ipv4Addr::new(127, 206, 10, 4));
        let server = serve(&cloud, Arc::new(Mutex::new(facts)), &Interface::Machine)
            .await
            .expect("a free address");
        let asked = tokio::task::spawn_blocking(|| {
            let base = format!("http://127.206.10.4:{PORT}/latest");
            let agent: ureq::Agent = ureq::Agent::config_builder()
                .http_status_as_error(false)
                .proxy(None)
                .build()
                .into();
            let get = |path: &str, token: &str| {
                let answer = agent.get(format!("{base}/{path}")).header(TOKEN_HEADER, token).call();
                let mut answer = answer.expect("an answer");
                (
                    answer.status().as_u16(),
                    answer.body_mut().read_to_string().expect("text"),
                )
            };
            let without = get("meta-data/instance-id", "none").0;
            let mut token = agent
                .put(format!("{base}/api/token"))
                .header(TTL_HEADER, "60")
                .send_empty()
                .expect("a token");
            let token = token.body_mut().read_to_string().expect("text");
            let found = get("meta-data/instance-id", &token);
            let gone = get("meta-data/spot/instance-action", &token).0;
            (without, found, gone)
        });
        let asked = asked.await.expect("no panic");
        assert_eq!(asked, (401, (200, "i-0abc".to_owned()), 404));
        server.abort();
    }
}
