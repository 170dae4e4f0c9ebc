//! A cloud of made-up services for tests.

use super::service::CloudFormation;
use crate::api::{ApiError, ApiResult, Call, Caller, Cloud, Service};
use serde_json::Value;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

type Answers = dyn Fn(&str, &str, &Value) -> ApiResult + Send + Sync;

struct Fake {
    service: &'static str,
    answers: Arc<Answers>,
    calls: Calls,
}

/// The calls that a fake cloud saw: service, action, parameters.
pub(crate) type Calls = Arc<Mutex<Vec<(String, String, Value)>>>;

impl Service for Fake {
    fn call(self: Arc<Self>, _: Arc<Cloud>, call: Call) -> Pin<Box<dyn Future<Output = ApiResult> + Send>> {
        Box::pin(async move {
            self.calls
                .lock()
                .unwrap()
                .push((self.service.to_owned(), call.action.clone(), call.params.clone()));
            (self.answers)(self.service, &call.action, &call.params)
        })
    }
}

const SERVICES: &[&str] = &[
    "ec2",
    "ssm",
    "elasticfilesystem",
    "autoscaling",
    "elasticloadbalancing",
    "iam",
    "secretsmanager",
    "monitoring",
];

/// A cloud whose services answer by a function.
pub(crate) fn cloud_with(answers: impl Fn(&str, &str, &Value) -> ApiResult + Send + Sync + 'static) -> Arc<Cloud> {
    recording(answers).0
}

/// The same with a record of the calls.
pub(crate) fn recording(
    answers: impl Fn(&str, &str, &Value) -> ApiResult + Send + Sync + 'static,
) -> (Arc<Cloud>, Calls) {
    let cloud = Cloud::new("eu-west-1");
    let calls = Calls::default();
    let answers: Arc<Answers> = Arc::new(answers);
    for service in SERVICES {
        let (answers, calls) = (answers.clone(), calls.clone());
        cloud.add(
            service,
            Arc::new(Fake {
                service,
                answers,
                calls,
            }),
        );
    }
    cloud.add("cloudformation", Arc::new(CloudFormation::new()));
    (cloud, calls)
}

/// Reads a JSON answer.
pub(crate) fn answer(json: &str) -> Value {
    serde_json::from_str(json).unwrap()
}

/// Runs a future to its end.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}

/// One call to CloudFormation as the administrator.
pub(crate) async fn cfn(cloud: &Arc<Cloud>, action: &str, params: Value) -> Result<Value, ApiError> {
    cloud.call("cloudformation", action, params, Caller::Admin).await
}

/// Waits until a stack, by name or ARN, has a status that does not end in `_IN_PROGRESS`.
pub(crate) async fn settled(cloud: &Arc<Cloud>, stack: &str) -> String {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    loop {
        let answer = cfn(cloud, "DescribeStacks", serde_json::json!({"StackName": stack}))
            .await
            .unwrap();
        let status = answer["Stacks"][0]["StackStatus"].as_str().unwrap().to_owned();
        if !status.ends_with("_IN_PROGRESS") {
            return status;
        }
        assert!(std::time::Instant::now() < deadline, "{stack} stays {status}");
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}
