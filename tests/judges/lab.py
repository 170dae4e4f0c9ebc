"""boto3 and the AWS CLI read every answer of the local cloud: lab.py LAB_JSON TEMPLATE.

A stack is made with the AWS CLI as a user would make it, every action is called once, every answer is compared with
botocore's model, and every other action of each service must be unknown: so nothing goes unjudged.
"""

import contextlib
import io
import json
import os
import re
import subprocess
import sys
import time

import boto3
import botocore.session
from awscli.clidriver import create_clidriver
from botocore.config import Config
from botocore.exceptions import ClientError

import cases_compute
import cases_stack
import cases_storage
import wire

UNKNOWN = {"InvalidAction", "UnknownOperation", "UnknownOperationException"}
# botocore itself needs the parameters of the first; the others are not signed, so the lab refuses them before it looks
BEYOND = {"CopySnapshot", "AssumeRoleWithSAML", "AssumeRoleWithWebIdentity"}
# where AWS, by its own examples, sends what its model does not list
AWS_SAYS = {
    "ec2: CreateVpcEndpoint.VpcEndpoint.State: 'available'",
    "ec2: DescribeVpcEndpoints.VpcEndpoints[].State: 'available'",
    "ec2: DescribeInternetGateways.InternetGateways[].Attachments[].State: 'available'",
}
SERVICES = (
    "autoscaling cloudformation cloudwatch ec2 efs elbv2 iam secretsmanager ssm sts".split()
)


class Lab:
    """The lab as the cases see it."""

    def __init__(self, lab, template):
        self.lab, self.template = lab, template
        self.judge = wire.Judge()
        self.clients, self.errors = {}, set()
        # read by the CLI too, which runs in this process
        os.environ.update(
            AWS_ACCESS_KEY_ID=lab["access_key_id"],
            AWS_SECRET_ACCESS_KEY=lab["secret_access_key"],
            AWS_DEFAULT_REGION=lab["region"],
            AWS_ENDPOINT_URL=lab["endpoint"],
        )
        self.cli_driver = create_clidriver()

    def client(self, service):
        if service not in self.clients:
            config = Config(retries={"max_attempts": 1, "mode": "standard"})
            self.clients[service] = self.judge.watch(boto3.client(service, config=config))
        return self.clients[service]

    def call(self, service, operation, **params):
        """Calls an action with boto3."""
        client = self.client(service)
        name = botocore.xform_name(operation)
        return getattr(client, name)(**params)

    def read(self, service, operation, **params):
        """Calls an action that only reads, with boto3 and with the AWS CLI: both must find the same members."""
        answer = self.call(service, operation, **params)
        answer.pop("ResponseMetadata")
        command = [service, botocore.xform_name(operation, "-"), "--output", "json", "--no-paginate"]
        if params:
            command += ["--cli-input-json", json.dumps(params)]
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = self.cli_driver.main(command)
        if code != 0:
            self.judge.wrong.append(f"aws {' '.join(command)}: {code} {err.getvalue()}")
        elif set(json.loads(out.getvalue() or "{}")) != set(answer):
            self.judge.wrong.append(f"aws {' '.join(command)}: {out.getvalue()} is not {answer}")
        return answer

    def refused(self, code, service, operation, **params):
        """Calls an action that must be refused with an error code."""
        try:
            self.call(service, operation, **params)
            self.judge.wrong.append(f"{service}: {operation} {params} was not refused")
        except ClientError as error:
            found = error.response["Error"]["Code"]
            if found != code:
                self.judge.wrong.append(f"{service}: {operation} was refused with {found}, not {code}: {error}")
            self.errors.add((service, operation))

    def wait(self, what, ready, seconds=90):
        """Polls until `ready` returns something true, which it returns."""
        end = time.monotonic() + seconds
        while True:
            found = ready()
            if found:
                return found
            assert time.monotonic() < end, f"{what}: not within {seconds} s"
            time.sleep(0.05)

    def process(self, *command):
        """Runs the AWS CLI as its own process, as a user does."""
        aws = os.path.join(os.path.dirname(sys.executable), "aws")
        done = subprocess.run([aws, *command], capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"aws {command}: {done.stdout} {done.stderr}"
        return json.loads(done.stdout) if done.stdout.strip() else None

    def nothing_else_is_known(self):
        """Every action that no case called must be unknown to the lab."""
        config = Config(parameter_validation=False, retries={"max_attempts": 1, "mode": "standard"})
        for service in SERVICES:
            client = boto3.client(service, config=config)
            judged = self.judge.judged.get(service, set()) | {o for s, o in self.errors if s == service}
            for name in client.meta.service_model.operation_names:
                shape = client.meta.service_model.operation_model(name).input_shape
                if name in judged | BEYOND:
                    continue
                params = {}
                for member, its in (shape.members.items() if shape else ()):
                    if its.serialization.get("location") == "uri":
                        params[member] = "x"
                try:
                    client._make_api_call(name, params)
                    self.judge.wrong.append(f"{service}: {name} exists and no case calls it")
                except ClientError as error:
                    code = error.response["Error"]["Code"]
                    if code not in UNKNOWN:
                        self.judge.wrong.append(f"{service}: {name} exists ({code}) and no case calls it")


def main(lab_json, template):
    with open(lab_json, encoding="utf-8") as file:
        lab = Lab(json.load(file), template)
    stack = cases_stack.create(lab)
    cases_storage.run(lab, stack)
    cases_compute.run(lab, stack)
    cases_stack.run(lab, stack)
    lab.nothing_else_is_known()
    wrong = sorted({re.sub(r"\[\d+\]", "[]", w) for w in lab.judge.wrong})
    wrong = [w for w in wrong if w.split(" is none of")[0] not in AWS_SAYS]
    count = sum(len(found) for found in lab.judge.judged.values())
    print(f"{count} actions of {len(lab.judge.judged)} services judged")
    if wrong:
        sys.exit("\n".join([f"{len(wrong)} findings:", *wrong]))


if __name__ == "__main__":
    main(*sys.argv[1:])
