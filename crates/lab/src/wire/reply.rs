//! Answers and errors in the protocol of the request.

use super::protocol::{EC2_NAMESPACE, Protocol};
use super::query::Xml;
use super::{cbor, efs};
use crate::api::ApiError;
use serde_json::{Value, json};

/// An HTTP answer, free of any HTTP library.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    /// HTTP status.
    pub(crate) status: u16,
    /// Headers.
    pub(crate) headers: Vec<(&'static str, String)>,
    /// Body.
    pub(crate) body: Vec<u8>,
}

/// Writes the result of an action.
pub(crate) fn success(protocol: Protocol, action: &str, request_id: &str, result: &Value) -> Reply {
    let mut status = 200;
    let (kind, body) = match protocol {
        Protocol::Query(namespace) => {
            let mut xml = Xml::new("member");
            let (response, wrapper) = (format!("{action}Response"), format!("{action}Result"));
            xml.open(&response, Some(namespace));
            xml.open(&wrapper, None);
            xml.content(result);
            xml.close(&wrapper);
            xml.open("ResponseMetadata", None);
            xml.text("RequestId", request_id);
            xml.close("ResponseMetadata");
            xml.close(&response);
            ("text/xml", xml.finish())
        }
        Protocol::Ec2 => {
            let mut xml = Xml::new("item");
            let response = format!("{action}Response");
            xml.open(&response, Some(EC2_NAMESPACE));
            xml.text("requestId", request_id);
            match result {
                // Actions without a result answer whether they were done.
                Value::Null => xml.text("return", "true"),
                result => xml.content(result),
            }
            xml.close(&response);
            ("text/xml;charset=UTF-8", xml.finish())
        }
        Protocol::Json(version) => (json_type(version), json_body(result)),
        Protocol::Efs => {
            status = efs::success(action);
            let body = if status == 204 { Vec::new() } else { json_body(result) };
            ("application/json", body)
        }
        Protocol::Cbor => {
            let empty = json!({});
            (
                "application/cbor",
                cbor::write(if result.is_null() { &empty } else { result }),
            )
        }
    };
    reply(protocol, status, kind, request_id, body)
}

/// Writes an error.
pub(crate) fn failure(protocol: Protocol, request_id: &str, error: &ApiError) -> Reply {
    let code = match (protocol, error.code.as_str()) {
        (Protocol::Json(_) | Protocol::Cbor, "InvalidAction") => "UnknownOperationException",
        (_, code) => code,
    };
    let kind = if error.status >= 500 { "Receiver" } else { "Sender" };
    let mut extra = Vec::new();
    let (content, body) = match protocol {
        Protocol::Query(namespace) => {
            let mut xml = Xml::new("member");
            xml.open("ErrorResponse", Some(namespace));
            xml.open("Error", None);
            xml.text("Type", kind);
            xml.text("Code", code);
            xml.text("Message", &error.message);
            xml.close("Error");
            xml.text("RequestId", request_id);
            xml.close("ErrorResponse");
            ("text/xml", xml.finish())
        }
        Protocol::Ec2 => {
            let mut xml = Xml::new("item");
            for name in ["Response", "Errors", "Error"] {
                xml.open(name, None);
            }
            xml.text("Code", code);
            xml.text("Message", &error.message);
            xml.close("Error");
            xml.close("Errors");
            xml.text("RequestID", request_id);
            xml.close("Response");
            ("text/xml;charset=UTF-8", xml.finish())
        }
        Protocol::Json(version) => {
            extra.push(("x-amzn-errortype", code.to_owned()));
            if version == "1.0" {
                extra.push(("x-amzn-query-error", format!("{code};{kind}")));
            }
            let body = json!({"__type": code, "message": error.message, "Message": error.message});
            (json_type(version), json_body(&body))
        }
        Protocol::Efs => {
            extra.push(("x-amzn-errortype", code.to_owned()));
            let body = json!({"ErrorCode": code, "Message": error.message});
            ("application/json", json_body(&body))
        }
        Protocol::Cbor => {
            extra.push(("x-amzn-query-error", format!("{code};{kind}")));
            let body = json!({"__type": format!("com.amazonaws.cloudwatch#{code}"), "message": error.message});
            ("application/cbor", cbor::write(&body))
        }
    };
    let mut reply = reply(protocol, error.status, content, request_id, body);
    reply.headers.extend(extra);
    reply
}

fn reply(protocol: Protocol, status: u16, content: &str, request_id: &str, body: Vec<u8>) -> Reply {
    let mut headers = vec![
        ("content-type", content.to_owned()),
        ("x-amzn-requestid", request_id.to_owned()),
        ("server", "mqaws-lab".to_owned()),
    ];
    if protocol == Protocol::Cbor {
        headers.push(("smithy-protocol", "rpc-v2-cbor".to_owned()));
    }
    Reply { status, headers, body }
}

fn json_type(version: &str) -> &'static str {
    if version == "1.0" {
        "application/x-amz-json-1.0"
    } else {
        "application/x-amz-json-1.1"
    }
}

fn json_body(value: &Value) -> Vec<u8> {
    let value = match value {
        Value::Null => json!({}),
        other => without_nulls(other),
    };
    value.to_string().into_bytes()
}

// Clients in typed languages take a null for a malformed member.
fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(members) => members
            .iter()
            .filter(|(_, v)| !v.is_null())
            .map(|(k, v)| (k.clone(), without_nulls(v)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        Value::Array(items) => items.iter().map(without_nulls).collect::<Vec<_>>().into(),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(reply: &Reply) -> String {
        String::from_utf8(reply.body.clone()).unwrap()
    }

    #[test]
    fn answers_in_each_protocol() {
        let result = json!({"A": [1], "B": null});
        let query = success(Protocol::Query("urn:x"), "Do", "r-1", &result);
        assert_eq!(
            body(&query),
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><DoResponse xmlns=\"urn:x\"><DoResult><A><member>1</member></A></DoResult>\
             <ResponseMetadata><RequestId>r-1</RequestId></ResponseMetadata></DoResponse>"
        );
        let ec2 = body(&success(Protocol::Ec2, "Do", "r-1", &Value::Null));
        assert!(
            ec2.contains("<requestId>r-1</requestId><return>true</return></DoResponse>"),
            "{ec2}"
        );
        let json = success(Protocol::Json("1.1"), "Do", "r-1", &result);
        assert_eq!(body(&json), r#"{"A":[1]}"#);
        assert!(
            json.headers
                .contains(&("content-type", "application/x-amz-json-1.1".to_owned()))
        );
        assert_eq!(
            success(Protocol::Efs, "DeleteMountTarget", "r", &Value::Null).status,
            204
        );
        assert!(query.headers.contains(&("x-amzn-requestid", "r-1".to_owned())));
    }

    #[test]
    fn errors_carry_code_message_and_id() {
        let error = ApiError::new("InvalidAction", "no <such> action");
        let query = failure(Protocol::Query("urn:x"), "r-1", &error);
        assert_eq!(query.status, 400);
        assert!(
            body(&query).contains("<Error><Type>Sender</Type><Code>InvalidAction</Code><Message>no &lt;such&gt; action</Message></Error><RequestId>r-1</RequestId>")
        );
        assert!(body(&failure(Protocol::Ec2, "r-1", &error)).contains("<RequestID>r-1</RequestID>"));
        let json = failure(Protocol::Json("1.1"), "r-1", &error);
        assert!(
            json.headers
                .contains(&("x-amzn-errortype", "UnknownOperationException".to_owned()))
        );
        let cbor = failure(
            Protocol::Cbor,
            "r-1",
            &ApiError::new("InternalServiceFault", "x").status(500),
        );
        assert!(
            cbor.headers
                .contains(&("x-amzn-query-error", "InternalServiceFault;Receiver".to_owned()))
        );
    }
}
