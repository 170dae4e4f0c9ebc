//! What the stack tells of itself.

use super::ids::{AMQP, FILE_SYSTEM, LOAD_BALANCER, MEMBER, MQ};
use crate::model::Deployment;
use crate::render::{CERTIFICATE, CREDENTIALS};
use crate::stack::{Output as Name, QUEUE_MANAGER_PARAMETER};
use crate::template::{Output, Template, get_att, reference, sub};

/// Adds the outputs.
pub(super) fn add(template: &mut Template, deployment: &Deployment) {
    let (port, amqp_port) = (MQ.port_of(deployment), AMQP.port_of(deployment));
    let dns_name = || get_att(LOAD_BALANCER, "DNSName");
    for (name, output) in [
        (Name::Endpoint, Output::new("DNS name of the load balancer", dns_name())),
        (
            Name::MqEndpoint,
            Output::new(
                "CONNAME of MQ clients",
                sub(format!("${{LoadBalancer.DNSName}}({port})")),
            ),
        ),
        (
            Name::AmqpEndpoint,
            Output::new(
                "Address of AMQP clients",
                sub(format!("${{LoadBalancer.DNSName}}:{amqp_port}")),
            )
            .when("HasAmqp"),
        ),
        (
            Name::FileSystemId,
            Output::new("File system with the data", reference(FILE_SYSTEM)),
        ),
        (
            Name::GroupName,
            Output::new("Auto Scaling group", reference(MEMBER.group)),
        ),
        (
            Name::LoadBalancerArn,
            Output::new("Load balancer", reference(LOAD_BALANCER)),
        ),
        (
            Name::TargetGroupArn,
            Output::new(&format!("Targets of port {port}"), reference(MQ.group)),
        ),
        (
            Name::AmqpTargetGroupArn,
            Output::new(&format!("Targets of port {amqp_port}"), reference(AMQP.group)).when("HasAmqp"),
        ),
        (
            Name::CredentialsSecret,
            Output::new("Secret with the application's user", reference(CREDENTIALS)),
        ),
        (
            Name::CertificateSecret,
            Output::new("Secret with the certificate", reference(CERTIFICATE)).when("HasCertificate"),
        ),
        (
            Name::QueueManagerName,
            Output::new("Queue manager", reference(QUEUE_MANAGER_PARAMETER)),
        ),
    ] {
        template.outputs.insert(name.name().to_owned(), output);
    }
}

#[cfg(test)]
mod tests {
    use crate::model::Deployment;
    use crate::render::template;

    #[test]
    fn outputs_are_those_of_the_contract_in_its_order() {
        let template = template(&Deployment::default()).unwrap();
        let outputs: Vec<&str> = template.outputs.keys().map(String::as_str).collect();
        let expected = "Endpoint MqEndpoint AmqpEndpoint FileSystemId GroupName LoadBalancerArn TargetGroupArn AmqpTargetGroupArn \
             CredentialsSecret CertificateSecret QueueManagerName";
        assert_eq!(outputs, expected.split_whitespace().collect::<Vec<_>>());
    }
}
