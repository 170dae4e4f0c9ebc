//! The service through the call interface, with a scripted EC2 and real sockets.

use super::Elb;
use crate::api::{ApiResult, Caller, Cloud, InstanceEvent};
use crate::edge::fake::FakeEc2;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

struct Bench {
    cloud: Arc<Cloud>,
    ec2: Arc<FakeEc2>,
    balancer: String,
    group: String,
    port: u16,
}

/// A target that echoes, on an address that no other test uses.
async fn host() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut read, mut write) = stream.split();
                let _ = tokio::io::copy(&mut read, &mut write).await;
            });
        }
    });
    port
}

fn arn(answer: &Value, list: &str, name: &str) -> String {
    answer[list][0][name].as_str().unwrap().to_owned()
}

impl Bench {
    /// A load balancer in both zones and a target group on the port of a running host; no listener yet.
    async fn new() -> Self {
        let (cloud, ec2) = FakeEc2::cloud();
        cloud.add("elasticloadbalancing", Elb::start(&cloud));
        ec2.set("i-1", "127.0.0.1", "a", "running");
        let port = host().await;
        let mut bench = Self {
            cloud,
            ec2,
            balancer: String::new(),
            group: String::new(),
            port,
        };
        let balancer = bench
            .call("CreateLoadBalancer", Self::balancer_params("lb"))
            .await
            .unwrap();
        bench.balancer = arn(&balancer, "LoadBalancers", "LoadBalancerArn");
        let group = bench.call("CreateTargetGroup", bench.group_params("tg")).await.unwrap();
        bench.group = arn(&group, "TargetGroups", "TargetGroupArn");
        bench
    }

    fn balancer_params(name: &str) -> Value {
        json!({ "Name": name, "Type": "network", "Scheme": "internal", "Subnets": ["subnet-a", "subnet-b"],
                "SecurityGroups": ["sg-1"] })
    }

    fn group_params(&self, name: &str) -> Value {
        json!({ "Name": name, "Protocol": "TCP", "Port": self.port.to_string(), "VpcId": "vpc-1",
                "HealthCheckIntervalSeconds": "5", "HealthCheckTimeoutSeconds": "2", "HealthyThresholdCount": "2" })
    }

    async fn call(&self, action: &str, params: Value) -> ApiResult {
        self.cloud
            .call("elasticloadbalancing", action, params, Caller::Admin)
            .await
    }

    async fn code(&self, action: &str, params: Value) -> String {
        self.call(action, params.clone())
            .await
            .expect_err(&format!("{action} {params}"))
            .code
    }

    /// A listener on a free port that forwards to the group.
    async fn listen(&self) -> (String, u16) {
        for _ in 0..50 {
            let port = TcpListener::bind("127.76.1.1:0")
                .await
                .unwrap()
                .local_addr()
                .unwrap()
                .port();
            let action = json!([{ "Type": "forward", "TargetGroupArn": self.group }]);
            let params =
                json!({ "LoadBalancerArn": self.balancer, "Protocol": "TCP", "Port": port, "DefaultActions": action });
            // another process may have taken the port in between
            if let Ok(made) = self.call("CreateListener", params).await {
                return (arn(&made, "Listeners", "ListenerArn"), port);
            }
        }
        panic!("no free port");
    }

    async fn register(&self) {
        let targets = json!({ "TargetGroupArn": self.group, "Targets": [{ "Id": "i-1" }] });
        self.call("RegisterTargets", targets).await.unwrap();
    }

    async fn health(&self) -> Vec<Value> {
        let answer = self
            .call("DescribeTargetHealth", json!({ "TargetGroupArn": self.group }))
            .await
            .unwrap();
        answer["TargetHealthDescriptions"].as_array().unwrap().clone()
    }

    async fn wait(&self, state: &str) {
        let start = Instant::now();
        loop {
            let health = self.health().await;
            let now = health
                .first()
                .map_or("gone", |h| h["TargetHealth"]["State"].as_str().unwrap());
            if now == state {
                return;
            }
            assert!(start.elapsed() < Duration::from_secs(20), "{now}, not {state}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn from_nothing_to_traffic_and_back() {
    let bench = Bench::new().await;
    bench.register().await;
    assert_eq!(bench.health().await[0]["TargetHealth"]["Reason"], "Target.NotInUse");
    let (listener, port) = bench.listen().await;
    bench.wait("initial").await;
    bench.wait("healthy").await;
    let described = bench
        .call("DescribeLoadBalancers", json!({ "Names": ["lb"] }))
        .await
        .unwrap();
    let balancer = &described["LoadBalancers"][0];
    assert_eq!(
        (&balancer["State"]["Code"], &balancer["DNSName"]),
        (&json!("active"), &json!("127.76.1.1"))
    );
    let mut stream = TcpStream::connect(("127.76.1.1", port)).await.unwrap();
    stream.write_all(b"hello").await.unwrap();
    let mut back = [0u8; 5];
    stream.read_exact(&mut back).await.unwrap();
    assert_eq!(&back, b"hello");

    let of = |arn: &str| json!({ "TargetGroupArn": arn });
    assert_eq!(bench.code("DeleteTargetGroup", of(&bench.group)).await, "ResourceInUse");
    let fast = json!([{ "Key": "deregistration_delay.timeout_seconds", "Value": "5" }]);
    let fast = json!({ "TargetGroupArn": bench.group, "Attributes": fast });
    bench.call("ModifyTargetGroupAttributes", fast).await.unwrap();
    let targets = json!({ "TargetGroupArn": bench.group, "Targets": [{ "Id": "i-1", "Port": bench.port }] });
    bench.call("DeregisterTargets", targets.clone()).await.unwrap();
    assert_eq!(
        bench.health().await[0]["TargetHealth"]["Reason"],
        "Target.DeregistrationInProgress"
    );
    bench.wait("gone").await;
    assert_eq!(bench.code("DeregisterTargets", targets).await, "InvalidTarget");
    bench
        .call("DeleteListener", json!({ "ListenerArn": listener }))
        .await
        .unwrap();
    let start = Instant::now();
    while TcpStream::connect(("127.76.1.1", port)).await.is_ok() {
        assert!(start.elapsed() < Duration::from_secs(20), "the port is still open");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    bench.call("DeleteTargetGroup", of(&bench.group)).await.unwrap();
    for _ in 0..2 {
        bench
            .call("DeleteLoadBalancer", json!({ "LoadBalancerArn": bench.balancer }))
            .await
            .unwrap();
    }
    let none = json!({ "LoadBalancerArns": [bench.balancer] });
    assert_eq!(bench.code("DescribeLoadBalancers", none).await, "LoadBalancerNotFound");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_aws_refuses_is_refused() {
    let bench = Bench::new().await;
    let (_, port) = bench.listen().await;
    let lb = |change: Value| {
        let mut params = Bench::balancer_params("new");
        params
            .as_object_mut()
            .unwrap()
            .extend(change.as_object().unwrap().clone());
        params
    };
    let tg = |change: Value| {
        let mut params = bench.group_params("new");
        params
            .as_object_mut()
            .unwrap()
            .extend(change.as_object().unwrap().clone());
        params
    };
    let action = json!([{ "Type": "forward", "TargetGroupArn": bench.group }]);
    let listener = |change: Value| {
        let mut params =
            json!({ "LoadBalancerArn": bench.balancer, "Protocol": "TCP", "Port": 1, "DefaultActions": action });
        params
            .as_object_mut()
            .unwrap()
            .extend(change.as_object().unwrap().clone());
        params
    };
    for (action, params, want) in [
        (
            "CreateLoadBalancer",
            lb(json!({ "Type": "application" })),
            "InvalidConfigurationRequest",
        ),
        ("CreateLoadBalancer", lb(json!({ "Type": "net" })), "ValidationError"),
        ("CreateLoadBalancer", lb(json!({ "Name": "-x" })), "ValidationError"),
        (
            "CreateLoadBalancer",
            lb(json!({ "Name": "internal-x" })),
            "ValidationError",
        ),
        (
            "CreateLoadBalancer",
            lb(json!({ "Scheme": "private" })),
            "ValidationError",
        ),
        ("CreateLoadBalancer", lb(json!({ "Subnets": [] })), "ValidationError"),
        (
            "CreateLoadBalancer",
            lb(json!({ "Subnets": ["subnet-x"] })),
            "SubnetNotFound",
        ),
        (
            "CreateLoadBalancer",
            lb(json!({ "Subnets": ["subnet-a", "subnet-a2"] })),
            "InvalidConfigurationRequest",
        ),
        (
            "CreateLoadBalancer",
            lb(json!({ "Subnets": ["subnet-a", "subnet-other"] })),
            "InvalidConfigurationRequest",
        ),
        (
            "CreateLoadBalancer",
            lb(json!({ "SecurityGroups": ["sg-9"] })),
            "InvalidSecurityGroup",
        ),
        (
            "CreateLoadBalancer",
            lb(json!({ "Name": "lb", "Subnets": ["subnet-a"] })),
            "DuplicateLoadBalancerName",
        ),
        ("CreateLoadBalancer", lb(json!({ "Typo": "x" })), "UnknownParameter"),
        (
            "CreateTargetGroup",
            tg(json!({ "Protocol": "UDP" })),
            "InvalidConfigurationRequest",
        ),
        (
            "CreateTargetGroup",
            tg(json!({ "Protocol": "TCPX" })),
            "ValidationError",
        ),
        ("CreateTargetGroup", tg(json!({ "Port": "0" })), "ValidationError"),
        ("CreateTargetGroup", tg(json!({ "VpcId": "vpc-9" })), "ValidationError"),
        (
            "CreateTargetGroup",
            tg(json!({ "Name": "tg", "Port": "1" })),
            "DuplicateTargetGroupName",
        ),
        ("CreateListener", listener(json!({ "Port": port })), "DuplicateListener"),
        (
            "CreateListener",
            listener(json!({ "Protocol": "TLS" })),
            "UnsupportedProtocol",
        ),
        (
            "CreateListener",
            listener(json!({ "DefaultActions": [{ "Type": "redirect" }] })),
            "InvalidLoadBalancerAction",
        ),
        (
            "CreateListener",
            listener(json!({ "LoadBalancerArn": "x" })),
            "LoadBalancerNotFound",
        ),
        (
            "CreateListener",
            listener(json!({ "DefaultActions": [{ "Type": "forward", "TargetGroupArn": "x" }] })),
            "TargetGroupNotFound",
        ),
        ("ModifyListener", json!({ "ListenerArn": "x" }), "ListenerNotFound"),
        (
            "RegisterTargets",
            json!({ "TargetGroupArn": bench.group, "Targets": [{ "Id": "i-9" }] }),
            "InvalidTarget",
        ),
        ("DescribeTags", json!({ "ResourceArns": ["x"] }), "LoadBalancerNotFound"),
        ("DescribeRules", json!({}), "InvalidAction"),
    ] {
        assert_eq!(bench.code(action, params.clone()).await, want, "{action} {params}");
    }
    bench.ec2.set("i-2", "127.0.0.1", "a", "stopped");
    let stopped = json!({ "TargetGroupArn": bench.group, "Targets": [{ "Id": "i-2" }] });
    assert_eq!(bench.code("RegisterTargets", stopped.clone()).await, "InvalidTarget");
    *bench.ec2.failing.lock().unwrap() = true;
    assert_eq!(
        bench.code("RegisterTargets", stopped).await,
        "InternalError",
        "an error is not a verdict"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_request_twice_makes_one_load_balancer() {
    let bench = Bench::new().await;
    let again = bench
        .call("CreateLoadBalancer", Bench::balancer_params("lb"))
        .await
        .unwrap();
    assert_eq!(arn(&again, "LoadBalancers", "LoadBalancerArn"), bench.balancer);
    let again = bench.call("CreateTargetGroup", bench.group_params("tg")).await.unwrap();
    assert_eq!(arn(&again, "TargetGroups", "TargetGroupArn"), bench.group);
    let other = bench
        .call("CreateLoadBalancer", Bench::balancer_params("lb2"))
        .await
        .unwrap();
    assert_eq!(other["LoadBalancers"][0]["DNSName"], "127.76.1.2");
    let page = bench
        .call("DescribeLoadBalancers", json!({ "PageSize": "1" }))
        .await
        .unwrap();
    let next = json!({ "PageSize": "1", "Marker": page["NextMarker"] });
    let last = bench.call("DescribeLoadBalancers", next).await.unwrap();
    assert_ne!(page["LoadBalancers"], last["LoadBalancers"]);
    assert!(last.get("NextMarker").is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attributes_and_tags_are_kept_and_protection_protects() {
    let bench = Bench::new().await;
    let (listener, _) = bench.listen().await;
    let protect = json!([{ "Key": "deletion_protection.enabled", "Value": "true" }]);
    let protect = json!({ "LoadBalancerArn": bench.balancer, "Attributes": protect });
    bench.call("ModifyLoadBalancerAttributes", protect).await.unwrap();
    let delete = json!({ "LoadBalancerArn": bench.balancer });
    assert_eq!(bench.code("DeleteLoadBalancer", delete).await, "OperationNotPermitted");
    let idle = json!([{ "Key": "tcp.idle_timeout.seconds", "Value": "59" }]);
    let idle = json!({ "ListenerArn": listener, "Attributes": idle });
    assert_eq!(
        bench.code("ModifyListenerAttributes", idle).await,
        "InvalidConfigurationRequest"
    );
    let got = bench
        .call("DescribeListenerAttributes", json!({ "ListenerArn": listener }))
        .await
        .unwrap();
    assert_eq!(
        got["Attributes"],
        json!([{ "Key": "tcp.idle_timeout.seconds", "Value": "350" }])
    );

    let arns = json!([bench.balancer, bench.group, listener]);
    let add = json!({ "ResourceArns": arns, "Tags": [{ "Key": "a", "Value": "1" }, { "Key": "b", "Value": "2" }] });
    bench.call("AddTags", add).await.unwrap();
    bench
        .call("RemoveTags", json!({ "ResourceArns": arns, "TagKeys": ["a"] }))
        .await
        .unwrap();
    let tags = bench
        .call("DescribeTags", json!({ "ResourceArns": arns }))
        .await
        .unwrap();
    for (i, arn) in arns.as_array().unwrap().iter().enumerate() {
        let want = json!({ "ResourceArn": arn, "Tags": [{ "Key": "b", "Value": "2" }] });
        assert_eq!(tags["TagDescriptions"][i], want);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn targets_follow_instances() {
    let bench = Bench::new().await;
    bench.listen().await;
    bench.register().await;
    bench.wait("healthy").await;
    let event = |state: &str| InstanceEvent {
        instance: "i-1".into(),
        state: state.into(),
    };
    for (state, want) in [
        ("shutting-down", "healthy"),
        ("stopped", "unused"),
        ("running", "healthy"),
        ("terminated", "gone"),
    ] {
        bench.cloud.announce(event(state));
        bench.wait(want).await;
    }
    let asked = json!({ "TargetGroupArn": bench.group, "Targets": [{ "Id": "i-1" }] });
    let asked = bench.call("DescribeTargetHealth", asked).await.unwrap();
    assert_eq!(
        asked["TargetHealthDescriptions"][0]["TargetHealth"]["Reason"],
        "Target.NotRegistered"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_zone_that_is_taken_from_the_load_balancer_gets_no_traffic() {
    let bench = Bench::new().await;
    bench.listen().await;
    bench.register().await;
    bench.wait("healthy").await;
    let subnets = |list: Value| json!({ "LoadBalancerArn": bench.balancer, "Subnets": list });
    bench.call("SetSubnets", subnets(json!(["subnet-b"]))).await.unwrap();
    assert_eq!(bench.health().await[0]["TargetHealth"]["Reason"], "Target.NotInUse");
    bench
        .call("SetSubnets", subnets(json!(["subnet-a", "subnet-b"])))
        .await
        .unwrap();
    bench.wait("healthy").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_subnet_of_a_zone_comes_only_when_the_first_has_left() {
    let bench = Bench::new().await;
    let subnets = |list: Value| json!({ "LoadBalancerArn": bench.balancer, "Subnets": list });
    for (list, words) in [
        (
            json!(["subnet-a2", "subnet-b"]),
            "already associated with the load balancer",
        ),
        (json!(["subnet-other"]), "not in VPC"),
    ] {
        let refused = bench.call("SetSubnets", subnets(list)).await.expect_err("refused");
        assert_eq!(refused.code, "InvalidConfigurationRequest");
        assert!(refused.message.contains(words), "{}", refused.message);
    }
    for list in [
        json!(["subnet-b"]),
        json!(["subnet-a2", "subnet-b"]),
        json!(["subnet-b", "subnet-a2"]),
    ] {
        bench.call("SetSubnets", subnets(list)).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn healthy_targets_are_counted_in_cloudwatch() {
    let bench = Bench::new().await;
    bench
        .cloud
        .add("monitoring", Arc::new(crate::cloudwatch::CloudWatch::new()));
    bench.listen().await;
    bench.register().await;
    let tail = |arn: &str, from: &str| {
        arn[arn.find(from).unwrap()..]
            .trim_start_matches("loadbalancer/")
            .to_owned()
    };
    let dimensions = json!([
        { "Name": "LoadBalancer", "Value": tail(&bench.balancer, "loadbalancer/") },
        { "Name": "TargetGroup", "Value": tail(&bench.group, "targetgroup/") },
    ]);
    let asked = json!({
        "Namespace": "AWS/NetworkELB", "MetricName": "HealthyHostCount", "Dimensions": dimensions, "Period": "60",
        "StartTime": "2020-01-01T00:00:00Z", "EndTime": "2100-01-01T00:00:00Z", "Statistics": ["Maximum"],
    });
    let start = Instant::now();
    loop {
        let got = bench
            .cloud
            .call("monitoring", "GetMetricStatistics", asked.clone(), Caller::Admin)
            .await
            .unwrap();
        if got["Datapoints"][0]["Maximum"].as_f64() == Some(1.0) {
            break;
        }
        assert!(start.elapsed() < Duration::from_secs(20), "{got}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

mod addresses;
