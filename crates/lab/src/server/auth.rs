//! Signature Version 4, checked as AWS checks it.

use crate::api::{ApiError, Caller, Cloud, Identity};
use crate::wire::percent::escape;
use crate::wire::protocol::{Protocol, Raw};
use aws_sigv4::sign::v4::{calculate_signature, generate_signing_key};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use sha2::{Digest, Sha256};
use std::time::{Duration, SystemTime};
use subtle::ConstantTimeEq;

/// How far a request's time may be from ours.
const SKEW_SECONDS: i64 = 15 * 60;

/// What the `Authorization` header of a request says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Signed {
    access_key_id: String,
    date: String,
    region: String,
    /// Signing name of the service.
    pub(super) service: String,
    headers: Vec<String>,
    signature: String,
}

/// Why a caller is refused; the code depends on the protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Refusal {
    Missing,
    Malformed,
    UnknownKey,
    Expired,
    Mismatch(String),
}

/// Reads the `Authorization` header.
pub(super) fn parse(raw: &Raw) -> Option<Signed> {
    let rest = raw.header("authorization")?.strip_prefix("AWS4-HMAC-SHA256")?;
    let (mut scope, mut headers, mut signature) = (None, None, None);
    for part in rest.split(',') {
        match part.trim().split_once('=')? {
            ("Credential", value) => scope = Some(value),
            ("SignedHeaders", value) => headers = Some(value),
            ("Signature", value) => signature = Some(value),
            _ => return None,
        }
    }
    let parts: Vec<&str> = scope?.split('/').collect();
    let [key, date, region, service, "aws4_request"] = parts.as_slice() else {
        return None;
    };
    Some(Signed {
        access_key_id: (*key).to_owned(),
        date: (*date).to_owned(),
        region: (*region).to_owned(),
        service: (*service).to_owned(),
        headers: headers?.split(';').map(str::to_owned).collect(),
        signature: signature?.to_owned(),
    })
}

/// Who makes this request.
///
/// # Errors
/// As AWS words it in this protocol: no or a malformed signature, an unknown or expired key, a signature that does not match.
pub(super) fn caller(
    cloud: &Cloud,
    signed: Option<&Signed>,
    raw: &Raw,
    protocol: Protocol,
) -> Result<Caller, ApiError> {
    check(cloud, signed, raw, Timestamp::now()).map_err(|refusal| refusal.error(protocol))
}

fn check(cloud: &Cloud, signed: Option<&Signed>, raw: &Raw, now: Timestamp) -> Result<Caller, Refusal> {
    let Some(signed) = signed else {
        return Err(match raw.header("authorization") {
            None => Refusal::Missing,
            Some(_) => Refusal::Malformed,
        });
    };
    let identity = cloud.identity(&signed.access_key_id).ok_or(Refusal::UnknownKey)?;
    if identity.session_token.as_deref() != raw.header("x-amz-security-token") {
        return Err(Refusal::UnknownKey);
    }
    if identity.expires.is_some_and(|at| at <= now.as_second()) {
        return Err(Refusal::Expired);
    }
    verify(cloud, &identity, signed, raw, now)?;
    Ok(identity.caller)
}

fn verify(cloud: &Cloud, identity: &Identity, signed: &Signed, raw: &Raw, now: Timestamp) -> Result<(), Refusal> {
    let global = matches!(signed.service.as_str(), "iam" | "sts");
    if signed.region != cloud.region && !global {
        let text = format!(
            "Credential should be scoped to a valid region, not '{}'. ",
            signed.region
        );
        return Err(Refusal::Mismatch(text));
    }
    let stamp = raw.header("x-amz-date").ok_or(Refusal::Malformed)?;
    let at = DateTime::strptime("%Y%m%dT%H%M%SZ", stamp)
        .ok()
        .and_then(|at| at.to_zoned(TimeZone::UTC).ok())
        .map(|at| at.timestamp())
        .ok_or(Refusal::Malformed)?;
    if !stamp.starts_with(&signed.date) || !signed.headers.iter().any(|h| h == "host") {
        return Err(Refusal::Malformed);
    }
    if (at.as_second() - now.as_second()).abs() > SKEW_SECONDS {
        return Err(Refusal::Mismatch(format!(
            "Signature expired: {stamp} is now earlier or later than {} by more than 15 min.",
            now.strftime("%Y%m%dT%H%M%SZ")
        )));
    }
    let body_hash = hex::encode(Sha256::digest(&raw.body));
    let payload = match raw.header("x-amz-content-sha256") {
        None => body_hash,
        Some("UNSIGNED-PAYLOAD") => "UNSIGNED-PAYLOAD".to_owned(),
        Some(claimed) if claimed == body_hash => body_hash,
        Some(_) => return Err(Refusal::Mismatch(MISMATCH.to_owned())),
    };
    let canonical = format!(
        "{}\n{}\n{}\n{}\n{}\n{payload}",
        raw.method,
        escape(&raw.path, true),
        canonical_query(raw),
        canonical_headers(raw, &signed.headers).ok_or(Refusal::Malformed)?,
        signed.headers.join(";"),
    );
    let scope = format!("{}/{}/{}/aws4_request", signed.date, signed.region, signed.service);
    let to_sign = format!(
        "AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{}",
        hex::encode(Sha256::digest(canonical.as_bytes()))
    );
    let seconds = u64::try_from(at.as_second()).map_err(|_| Refusal::Malformed)?;
    let key = generate_signing_key(
        &identity.secret_access_key,
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds),
        &signed.region,
        &signed.service,
    );
    if same(&calculate_signature(key, to_sign.as_bytes()), &signed.signature) {
        Ok(())
    } else {
        Err(Refusal::Mismatch(MISMATCH.to_owned()))
    }
}

const MISMATCH: &str = "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key \
    and signing method. Consult the service documentation for details.";

// The time that this takes must not tell where the first difference is.
fn same(a: &str, b: &str) -> bool {
    a.as_bytes().ct_eq(b.as_bytes()).into()
}

fn canonical_query(raw: &Raw) -> String {
    let mut pairs: Vec<(String, String)> = raw
        .query_pairs()
        .into_iter()
        .map(|(k, v)| (escape(&k, false), escape(&v, false)))
        .collect();
    pairs.sort();
    let pairs: Vec<String> = pairs.into_iter().map(|(k, v)| format!("{k}={v}")).collect();
    pairs.join("&")
}

fn canonical_headers(raw: &Raw, names: &[String]) -> Option<String> {
    let mut out = String::new();
    for name in names {
        let values: Vec<String> = raw
            .headers
            .iter()
            .filter(|(n, _)| n == name)
            .map(|(_, v)| v.split_whitespace().collect::<Vec<_>>().join(" "))
            .collect();
        if values.is_empty() {
            return None;
        }
        out.push_str(&format!("{name}:{}\n", values.join(",")));
    }
    Some(out)
}

impl Refusal {
    fn error(self, protocol: Protocol) -> ApiError {
        let json = matches!(protocol, Protocol::Json(_) | Protocol::Efs | Protocol::Cbor);
        let ec2 = protocol == Protocol::Ec2;
        match self {
            Refusal::Missing if json => {
                ApiError::new("MissingAuthenticationTokenException", "Missing Authentication Token")
            }
            Refusal::Missing => {
                ApiError::new("MissingAuthenticationToken", "Request is missing Authentication Token").status(403)
            }
            Refusal::Malformed if json => ApiError::new(
                "IncompleteSignatureException",
                "The Authorization header is not complete.",
            ),
            Refusal::Malformed => ApiError::new("IncompleteSignature", "The Authorization header is not complete."),
            Refusal::UnknownKey if ec2 => ApiError::new(
                "AuthFailure",
                "AWS was not able to validate the provided access credentials",
            )
            .status(401),
            Refusal::UnknownKey if json => ApiError::new(
                "UnrecognizedClientException",
                "The security token included in the request is invalid.",
            ),
            Refusal::UnknownKey => ApiError::new(
                "InvalidClientTokenId",
                "The security token included in the request is invalid.",
            )
            .status(403),
            Refusal::Expired if ec2 => ApiError::new("RequestExpired", "Request has expired."),
            Refusal::Expired if json => ApiError::new(
                "ExpiredTokenException",
                "The security token included in the request is expired",
            ),
            Refusal::Expired => {
                ApiError::new("ExpiredToken", "The security token included in the request is expired").status(403)
            }
            Refusal::Mismatch(_) if ec2 => ApiError::new(
                "AuthFailure",
                "AWS was not able to validate the provided access credentials",
            )
            .status(401),
            Refusal::Mismatch(text) if json => ApiError::new("InvalidSignatureException", text),
            Refusal::Mismatch(text) => ApiError::new("SignatureDoesNotMatch", text).status(403),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUERY: Protocol = Protocol::Query("urn:x");

    fn known() -> std::sync::Arc<Cloud> {
        let cloud = Cloud::new("eu-west-1");
        let admin = Identity {
            secret_access_key: "secret".into(),
            session_token: None,
            expires: None,
            caller: Caller::Admin,
        };
        cloud.know("AKIA1", admin.clone());
        cloud.know(
            "ASIA1",
            Identity {
                session_token: Some("token".into()),
                expires: Some(1),
                ..admin
            },
        );
        cloud
    }

    /// Signs with the library that the agent uses, so that two implementations meet here.
    fn sign(raw: &mut Raw, key: &str, secret: &str, region: &str, token: Option<&str>, at: SystemTime) {
        use aws_credential_types::Credentials;
        use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
        let identity = Credentials::new(key, secret, token.map(str::to_owned), None, "test").into();
        let params = aws_sigv4::sign::v4::SigningParams::builder()
            .identity(&identity)
            .region(region)
            .name("elasticfilesystem")
            .time(at)
            .settings(SigningSettings::default())
            .build()
            .unwrap()
            .into();
        let url = format!("http://127.77.0.1:4566{}?{}", raw.path, raw.query);
        raw.headers.push(("host".into(), "127.77.0.1:4566".into()));
        let headers: Vec<(String, String)> = raw.headers.clone();
        let signable = SignableRequest::new(
            &raw.method,
            &url,
            headers.iter().map(|(n, v)| (n.as_str(), v.as_str())),
            SignableBody::Bytes(&raw.body),
        )
        .unwrap();
        let (instructions, _) = sign(signable, &params).unwrap().into_parts();
        for (name, value) in instructions.headers() {
            raw.headers.push((name.to_owned(), value.to_owned()));
        }
    }

    fn request() -> Raw {
        Raw {
            method: "PUT".into(),
            path: "/2015-02-01/resource-tags/arn%3Aaws%3Afs%2F1".into(),
            query: "b=2&a=x%20y".into(),
            headers: vec![("x-amz-custom".into(), "  a   b ".into())],
            body: b"{}".to_vec(),
        }
    }

    fn verdict(raw: &Raw) -> Result<Caller, String> {
        caller(&known(), parse(raw).as_ref(), raw, QUERY).map_err(|e| e.code)
    }

    #[test]
    fn accepts_what_another_implementation_signed() {
        let mut raw = request();
        sign(&mut raw, "AKIA1", "secret", "eu-west-1", None, SystemTime::now());
        assert_eq!(verdict(&raw), Ok(Caller::Admin));
        raw.body = b"{ }".to_vec();
        assert_eq!(verdict(&raw), Err("SignatureDoesNotMatch".into()));
    }

    #[test]
    fn refuses_as_aws_does() {
        let now = SystemTime::now();
        let old = now - Duration::from_secs(3600);
        #[allow(clippy::type_complexity)]
        let cases: &[(&str, &str, &str, Option<&str>, SystemTime, &str)] = &[
            ("AKIA1", "wrong", "eu-west-1", None, now, "SignatureDoesNotMatch"),
            ("AKIA1", "secret", "us-east-1", None, now, "SignatureDoesNotMatch"),
            ("AKIA1", "secret", "eu-west-1", None, old, "SignatureDoesNotMatch"),
            ("AKIA2", "secret", "eu-west-1", None, now, "InvalidClientTokenId"),
            (
                "AKIA1",
                "secret",
                "eu-west-1",
                Some("token"),
                now,
                "InvalidClientTokenId",
            ),
            ("ASIA1", "secret", "eu-west-1", None, now, "InvalidClientTokenId"),
            ("ASIA1", "secret", "eu-west-1", Some("token"), now, "ExpiredToken"),
        ];
        for (key, secret, region, token, at, code) in cases {
            let mut raw = request();
            sign(&mut raw, key, secret, region, *token, *at);
            assert_eq!(
                verdict(&raw),
                Err((*code).to_owned()),
                "{key} {secret} {region} {token:?}"
            );
        }
        assert_eq!(verdict(&request()), Err("MissingAuthenticationToken".into()));
        let mut raw = request();
        raw.headers
            .push(("authorization".into(), "AWS4-HMAC-SHA256 Credential=x".into()));
        assert_eq!(verdict(&raw), Err("IncompleteSignature".into()));
        assert_eq!(
            caller(&known(), None, &request(), Protocol::Json("1.1"))
                .unwrap_err()
                .code,
            "MissingAuthenticationTokenException"
        );
    }
}
