"""ministack with one planted failure: a group in a stack whose name begins with `fails` never gets its signal."""

from ministack.app import main
from ministack.services.cloudformation import provisioners

handler = provisioners._RESOURCE_HANDLERS["AWS::AutoScaling::AutoScalingGroup"]
create = handler["create"]


def create_or_fail(logical_id, props, stack_name, *rest):
    if stack_name.startswith("fails"):
        raise ValueError("Received 0 SUCCESS signal(s) out of 1.  Unable to satisfy 100% MinSuccessfulInstancesPercent requirement")
    return create(logical_id, props, stack_name, *rest)


handler["create"] = create_or_fail
main()
