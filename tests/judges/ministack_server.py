"""ministack with one planted failure: a group in a stack whose name begins with `fails` never gets its signal.

It knows no documents of Systems Manager, so a double of them has a name and nothing else: what a document holds is judged by boto3's
model and by the lab.
"""

from ministack.app import main
from ministack.services.cloudformation import provisioners

handler = provisioners._RESOURCE_HANDLERS["AWS::AutoScaling::AutoScalingGroup"]
create = handler["create"]


def create_or_fail(logical_id, props, stack_name, *rest):
    if stack_name.startswith("fails"):
        raise ValueError("Received 0 SUCCESS signal(s) out of 1.  Unable to satisfy 100% MinSuccessfulInstancesPercent requirement")
    return create(logical_id, props, stack_name, *rest)


handler["create"] = create_or_fail
provisioners._RESOURCE_HANDLERS["AWS::SSM::Document"] = {
    "create": lambda logical_id, props, stack_name, *rest: (f"{stack_name}-{logical_id}-0123456789AB", {}),
    "update": lambda physical_id, *rest, **more: (physical_id, {}),
    "delete": lambda *rest, **more: None,
}
main()
