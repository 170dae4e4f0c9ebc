//! Which service a request is for, in which protocol, and what it asks.

use super::{cbor, efs, query};
use crate::api::ApiError;
use serde_json::{Map, Value};

/// A request as it came in, free of any HTTP library.
#[derive(Debug, Clone, Default)]
pub struct Raw {
    /// `POST`.
    pub(crate) method: String,
    /// Path as on the wire, percent-encoded.
    pub(crate) path: String,
    /// Query string as on the wire, without `?`.
    pub(crate) query: String,
    /// Headers, names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    /// Body.
    pub(crate) body: Vec<u8>,
}

impl Raw {
    /// The first header of a name (lower case).
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    /// The query string's parameters, decoded.
    pub(crate) fn query_pairs(&self) -> Vec<(String, String)> {
        url::form_urlencoded::parse(self.query.as_bytes())
            .into_owned()
            .collect()
    }
}

/// How a request was encoded, which is also how its answer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// The query protocol; holds the XML namespace of the service.
    Query(&'static str),
    /// EC2's dialect of the query protocol.
    Ec2,
    /// JSON with `X-Amz-Target`; holds the version, `1.0` or `1.1`.
    Json(&'static str),
    /// EFS's rest-json.
    Efs,
    /// smithy rpc-v2-cbor.
    Cbor,
}

/// A decoded request.
#[derive(Debug, Clone)]
pub struct Request {
    /// Action.
    pub(crate) action: String,
    /// Parameters.
    pub(crate) params: Value,
}

/// XML namespace of EC2.
pub(crate) const EC2_NAMESPACE: &str = "http://ec2.amazonaws.com/doc/2016-11-15/";

/// Signing name, API version and XML namespace of the services that speak the query protocol.
const QUERY: &[(&str, &str, &str)] = &[
    (
        "cloudformation",
        "2010-05-15",
        "http://cloudformation.amazonaws.com/doc/2010-05-15/",
    ),
    (
        "autoscaling",
        "2011-01-01",
        "http://autoscaling.amazonaws.com/doc/2011-01-01/",
    ),
    (
        "elasticloadbalancing",
        "2015-12-01",
        "http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/",
    ),
    ("iam", "2010-05-08", "https://iam.amazonaws.com/doc/2010-05-08/"),
    ("sts", "2011-06-15", "https://sts.amazonaws.com/doc/2011-06-15/"),
    (
        "monitoring",
        "2010-08-01",
        "http://monitoring.amazonaws.com/doc/2010-08-01/",
    ),
    ("ec2", "2016-11-15", EC2_NAMESPACE),
];

/// `X-Amz-Target` prefixes with the signing name and JSON version.
const TARGETS: &[(&str, &str, &str)] = &[
    ("AmazonSSM", "ssm", "1.1"),
    ("secretsmanager", "secretsmanager", "1.1"),
    ("GraniteServiceVersion20100801", "monitoring", "1.0"),
];

const CBOR_PREFIX: &str = "/service/GraniteServiceVersion20100801/operation/";

/// The service of a request that names it otherwise than by its signature.
pub(crate) fn guess_service(raw: &Raw) -> Option<&'static str> {
    if let Some(target) = raw.header("x-amz-target") {
        let prefix = target.split('.').next()?;
        return TARGETS.iter().find(|t| t.0 == prefix).map(|t| t.1);
    }
    if raw.path.starts_with(CBOR_PREFIX) {
        return Some("monitoring");
    }
    raw.path.starts_with(efs::PREFIX).then_some("elasticfilesystem")
}

/// The protocol of a request to `service`; what it cannot tell is answered in the service's first protocol.
pub fn protocol(service: &str, raw: &Raw) -> Protocol {
    if raw.header("smithy-protocol") == Some("rpc-v2-cbor") {
        return Protocol::Cbor;
    }
    if service == "ec2" {
        return Protocol::Ec2;
    }
    if service == "elasticfilesystem" {
        return Protocol::Efs;
    }
    if raw.header("x-amz-target").is_some() || matches!(service, "ssm" | "secretsmanager") {
        let version = TARGETS.iter().find(|t| t.1 == service).map_or("1.1", |t| t.2);
        return Protocol::Json(version);
    }
    QUERY.iter().find(|q| q.0 == service).map_or(
        Protocol::Query("http://webservices.amazon.com/AWSFault/2005-15-09"),
        |q| Protocol::Query(q.2),
    )
}

/// Reads action and parameters.
///
/// # Errors
/// What AWS answers to a request that it cannot read: `MissingAction`, `InvalidAction`, `MalformedQueryString`,
/// `SerializationException`, `UnknownOperationException`.
pub fn read(service: &str, protocol: Protocol, raw: &Raw) -> Result<Request, ApiError> {
    if let Some(encoding) = raw.header("content-encoding")
        && encoding != "identity"
    {
        return Err(ApiError::new(
            "UnsupportedMediaType",
            format!("content encoding {encoding} is not supported"),
        )
        .status(415));
    }
    match protocol {
        Protocol::Query(_) | Protocol::Ec2 => read_query(service, raw),
        Protocol::Json(_) => {
            let target = raw.header("x-amz-target").unwrap_or_default();
            let (prefix, action) = target.rsplit_once('.').unwrap_or_default();
            if !TARGETS.iter().any(|t| t.0 == prefix && t.1 == service) {
                return Err(ApiError::new("UnknownOperationException", "no operation of that name"));
            }
            let body: &[u8] = if raw.body.is_empty() { b"{}" } else { &raw.body };
            match serde_json::from_slice(body) {
                Ok(params @ Value::Object(_)) => Ok(Request {
                    action: action.to_owned(),
                    params,
                }),
                _ => Err(ApiError::new("SerializationException", "the body is not a JSON object")),
            }
        }
        Protocol::Efs => {
            let (action, params) = efs::read(&raw.method, &raw.path, &raw.query_pairs(), &raw.body)?;
            Ok(Request {
                action: action.to_owned(),
                params: Value::Object(params),
            })
        }
        Protocol::Cbor => {
            let Some(action) = raw.path.strip_prefix(CBOR_PREFIX).filter(|_| service == "monitoring") else {
                return Err(ApiError::new("UnknownOperationException", "no operation at this path").status(404));
            };
            let params = if raw.body.is_empty() {
                Value::Object(Map::new())
            } else {
                cbor::read(&raw.body)?
            };
            if !params.is_object() {
                return Err(ApiError::new("SerializationException", "the body is not a map"));
            }
            Ok(Request {
                action: action.to_owned(),
                params,
            })
        }
    }
}

fn read_query(service: &str, raw: &Raw) -> Result<Request, ApiError> {
    let mut pairs = raw.query_pairs();
    pairs.extend(url::form_urlencoded::parse(&raw.body).into_owned());
    let mut params = query::read(pairs)?;
    let Some(Value::String(action)) = params.shift_remove("Action") else {
        return Err(ApiError::new("MissingAction", "The request is missing an action."));
    };
    let version = params.shift_remove("Version");
    let known = QUERY.iter().find(|q| q.0 == service).map_or("", |q| q.1);
    if version.as_ref().and_then(Value::as_str) != Some(known) {
        let asked = version.as_ref().and_then(Value::as_str).unwrap_or("none");
        return Err(ApiError::new(
            "InvalidAction",
            format!("Could not find operation {action} for version {asked}"),
        ));
    }
    Ok(Request {
        action,
        params: Value::Object(params),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn raw(path: &str, headers: &[(&str, &str)], body: &str) -> Raw {
        Raw {
            method: "POST".into(),
            path: path.into(),
            headers: headers.iter().map(|(n, v)| ((*n).into(), (*v).into())).collect(),
            body: body.into(),
            ..Raw::default()
        }
    }

    #[test]
    fn reads_every_protocol() {
        let granite = "/service/GraniteServiceVersion20100801/operation/ListMetrics";
        let cases = [
            (
                "sts",
                raw("/", &[], "Action=GetCallerIdentity&Version=2011-06-15"),
                "GetCallerIdentity",
                json!({}),
            ),
            (
                "ec2",
                raw("/", &[], "Action=DescribeVpcs&Version=2016-11-15&VpcId.1=v"),
                "DescribeVpcs",
                json!({"VpcId": ["v"]}),
            ),
            (
                "ssm",
                raw("/", &[("x-amz-target", "AmazonSSM.GetParameter")], r#"{"Name":"a"}"#),
                "GetParameter",
                json!({"Name": "a"}),
            ),
            (
                "monitoring",
                raw(
                    "/",
                    &[("x-amz-target", "GraniteServiceVersion20100801.ListMetrics")],
                    "{}",
                ),
                "ListMetrics",
                json!({}),
            ),
            (
                "monitoring",
                raw("/", &[], "Action=ListMetrics&Version=2010-08-01"),
                "ListMetrics",
                json!({}),
            ),
            (
                "monitoring",
                raw(granite, &[("smithy-protocol", "rpc-v2-cbor")], "\u{0}"),
                "",
                Value::Null,
            ),
        ];
        for (service, raw, action, params) in cases {
            let protocol = protocol(service, &raw);
            match read(service, protocol, &raw) {
                Ok(request) => assert_eq!((request.action.as_str(), request.params), (action, params), "{raw:?}"),
                Err(error) => assert_eq!((error.code.as_str(), action), ("SerializationException", ""), "{raw:?}"),
            }
        }
        let mut found = raw(granite, &[("smithy-protocol", "rpc-v2-cbor")], "");
        found.body = cbor::write(&json!({"Namespace": "mqaws"}));
        let request = read("monitoring", Protocol::Cbor, &found).unwrap();
        assert_eq!(
            (request.action.as_str(), request.params),
            ("ListMetrics", json!({"Namespace": "mqaws"}))
        );
        assert_eq!(guess_service(&found), Some("monitoring"));
    }

    #[test]
    fn refuses_as_aws_does() {
        let cases = [
            ("sts", raw("/", &[], "Version=2011-06-15"), "MissingAction"),
            (
                "elasticloadbalancing",
                raw("/", &[], "Action=DescribeLoadBalancers&Version=2012-06-01"),
                "InvalidAction",
            ),
            (
                "ssm",
                raw("/", &[("x-amz-target", "Other.GetParameter")], "{}"),
                "UnknownOperationException",
            ),
            (
                "ssm",
                raw("/", &[("x-amz-target", "AmazonSSM.GetParameter")], "["),
                "SerializationException",
            ),
            (
                "monitoring",
                raw("/", &[("content-encoding", "gzip")], "x"),
                "UnsupportedMediaType",
            ),
        ];
        for (service, raw, code) in cases {
            let protocol = protocol(service, &raw);
            assert_eq!(read(service, protocol, &raw).unwrap_err().code, code, "{raw:?}");
        }
    }
}
