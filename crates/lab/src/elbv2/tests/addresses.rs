//! Target groups of addresses: registered once, whatever instances come and go.

use super::*;

/// A listener on an address of the lab's instances that says the end of its address on every connection.
async fn host(address: &str, port: u16) -> u16 {
    let listener = TcpListener::bind((address, port)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let name = address.rsplit('.').next().unwrap_or_default().to_owned();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.write_all(name.as_bytes()).await;
        }
    });
    port
}

impl Bench {
    /// A listener to a group of these addresses; returns the group and the listener's port.
    async fn of_addresses(&self, port: u16, addresses: &[&str]) -> (String, u16) {
        let mut params = self.group_params("addresses");
        params["TargetType"] = json!("ip");
        params["Port"] = json!(port);
        let group = self.call("CreateTargetGroup", params).await.unwrap();
        let group = arn(&group, "TargetGroups", "TargetGroupArn");
        let targets: Vec<Value> = addresses.iter().map(|a| json!({"Id": a})).collect();
        let params = json!({"TargetGroupArn": group, "Targets": targets});
        self.call("RegisterTargets", params).await.unwrap();
        for _ in 0..20 {
            let listen = TcpListener::bind("127.0.0.1:0")
                .await
                .unwrap()
                .local_addr()
                .unwrap()
                .port();
            let params = json!({"LoadBalancerArn": self.balancer, "Protocol": "TCP", "Port": listen,
                "DefaultActions": [{"Type": "forward", "TargetGroupArn": group}]});
            if self.call("CreateListener", params).await.is_ok() {
                return (group, listen);
            }
        }
        panic!("no port to listen on");
    }

    async fn states(&self, group: &str) -> Vec<(String, String)> {
        let params = json!({"TargetGroupArn": group});
        let seen = self.call("DescribeTargetHealth", params).await.unwrap();
        let part = |one: &Value, path: &str| one.pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned();
        let all = seen["TargetHealthDescriptions"].as_array().cloned().unwrap_or_default();
        all.iter()
            .map(|one| (part(one, "/Target/Id"), part(one, "/TargetHealth/State")))
            .collect()
    }

    async fn until(&self, group: &str, wanted: &[(&str, &str)]) {
        let start = Instant::now();
        loop {
            let states = self.states(group).await;
            let same = |((id, state), want): (&(String, String), &(&str, &str))| (id.as_str(), state.as_str()) == *want;
            if states.len() == wanted.len() && states.iter().zip(wanted).all(same) {
                return;
            }
            assert!(start.elapsed() < Duration::from_secs(20), "{states:?}, not {wanted:?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_is_unhealthy_until_something_answers_there_and_is_registered_once() {
    let bench = Bench::new().await;
    let (a, b, c) = ("127.76.10.201", "127.76.11.201", "127.76.12.201");
    let port = host(b, 0).await;
    let (group, listen) = bench.of_addresses(port, &[a, b, c]).await;
    // The load balancer has no subnet in the third zone.
    bench
        .until(&group, &[(a, "unhealthy"), (b, "healthy"), (c, "unused")])
        .await;
    // The only healthy one serves clients of every zone.
    let cross_zone = json!({"Key": "load_balancing.cross_zone.enabled", "Value": "true"});
    let params = json!({"TargetGroupArn": group, "Attributes": [cross_zone]});
    bench.call("ModifyTargetGroupAttributes", params).await.unwrap();
    let address = {
        let seen = bench.call("DescribeLoadBalancers", json!({})).await.unwrap();
        seen["LoadBalancers"][0]["DNSName"].as_str().unwrap().to_owned()
    };
    for _ in 0..4 {
        let mut said = String::new();
        let mut stream = TcpStream::connect((address.as_str(), listen)).await.unwrap();
        stream.read_to_string(&mut said).await.unwrap();
        assert_eq!(said, "201");
    }
    // Instances end; an address stays, and is healthy again with the next one that has it.
    bench.cloud.announce(InstanceEvent {
        instance: "i-1".into(),
        state: "terminated".into(),
    });
    host(a, port).await;
    bench
        .until(&group, &[(a, "healthy"), (b, "healthy"), (c, "unused")])
        .await;
}
