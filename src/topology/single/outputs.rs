//! What the stack tells of itself.

use super::ids::MEMBER;
use crate::model::Deployment;
use crate::render::load_balancer::LOAD_BALANCER;
use crate::render::shared_storage::FILE_SYSTEM;
use crate::stack::{References, write_outputs};
use crate::template::{Template, reference};

/// Adds the outputs.
pub(super) fn add(template: &mut Template, deployment: &Deployment) {
    let parts = References {
        load_balancer: LOAD_BALANCER,
        members: &[MEMBER],
        storage: Some(reference(FILE_SYSTEM)),
    };
    write_outputs(template, deployment, &parts);
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
             CredentialsSecret CertificateSecret QueueManagerName ReadDocument TestDocument OperateDocument FenceDocument";
        assert_eq!(outputs, expected.split_whitespace().collect::<Vec<_>>());
    }
}
