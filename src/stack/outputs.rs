//! The one writer of a template's outputs: what [`Parts::read`](super::Parts::read) reads again.

use super::{HAS_CERTIFICATE, Output as Name, QUEUE_MANAGER_PARAMETER, Way};
use crate::model::Deployment;
use crate::render::{CERTIFICATE, CREDENTIALS};
use crate::template::{Function, Output, Template, Value, get_att, if_, list, reference, sub, sub_with};
use crate::topology::Member;

/// Where a template has the parts of its stack; what is not here is called alike in all.
pub(crate) struct References {
    /// Logical id of the load balancer.
    pub load_balancer: &'static str,
    /// The members, in the order of the topology.
    pub members: &'static [Member],
    /// The file system that the members share; absent where there is none.
    pub storage: Option<Value>,
}

/// Adds the outputs.
pub(crate) fn write_outputs(template: &mut Template, deployment: &Deployment, parts: &References) {
    let balancer = parts.load_balancer;
    let mut write = |name: &str, words: &str, value: Value, when: Option<&str>| {
        let mut output = Output::new(words, value);
        if let Some(condition) = when {
            output = output.when(condition);
        }
        template.outputs.insert(name.to_owned(), output);
    };
    let named = Name::name;
    let dns_name = get_att(balancer, "DNSName");
    write(named(Name::Endpoint), "DNS name of the load balancer", dns_name, None);
    for way in Way::all(deployment.engine) {
        let protocol = way.protocol();
        let (before, after) = protocol.notation.port;
        let words = format!("{} of {} clients", protocol.notation.name, protocol.name);
        let address = match way.tls_port() {
            None => sub(format!("${{{balancer}.DNSName}}{before}{}{after}", way.port())),
            Some(tls) => sub_with(
                format!("${{{balancer}.DNSName}}{before}${{Port}}{after}"),
                [(
                    "Port".to_owned(),
                    if_(HAS_CERTIFICATE, tls.to_string(), way.port().to_string()),
                )]
                .into(),
            ),
        };
        write(&way.address(), &words, address, way.condition());
    }
    if let Some(storage) = &parts.storage {
        write(
            named(Name::FileSystemId),
            "File system with the data",
            storage.clone(),
            None,
        );
    }
    let (words, groups) = match parts.members {
        [one] => ("Auto Scaling group", reference(one.group)),
        several => {
            let groups = several.iter().map(|member| reference(member.group)).collect();
            let joined = Value::call(Function::Join, list![",", Value::List(groups)]);
            ("Auto Scaling groups", joined)
        }
    };
    write(named(Name::GroupName), words, groups, None);
    write(named(Name::LoadBalancerArn), "Load balancer", reference(balancer), None);
    for way in Way::all(deployment.engine) {
        let words = match way.tls_port() {
            None => format!("Targets of port {}", way.port()),
            Some(tls) => format!("Targets of port {}, with TLS {tls}", way.port()),
        };
        write(&way.targets(), &words, reference(&way.group()), way.condition());
    }
    let user = "Secret with the application's user";
    write(named(Name::CredentialsSecret), user, reference(CREDENTIALS), None);
    let certificate = reference(CERTIFICATE);
    write(
        named(Name::CertificateSecret),
        "Secret with the certificate",
        certificate,
        Some(HAS_CERTIFICATE),
    );
    let name = reference(QUEUE_MANAGER_PARAMETER);
    write(named(Name::QueueManagerName), "Queue manager", name, None);
}
