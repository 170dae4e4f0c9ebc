"""Puts objects into moto's S3 and makes a role that may read them; prints the role's credentials. From then on moto
checks every signature and every permission.
"""

import json
import sys
import urllib.request

import boto3

endpoint, region, bucket, key, length = sys.argv[1:]


def client(service):
    return boto3.client(
        service, endpoint_url=endpoint, region_name=region, aws_access_key_id="test", aws_secret_access_key="test"
    )


s3, iam, sts = client("s3"), client("iam"), client("sts")
for name in (bucket, "others"):
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": region})
s3.put_object(Bucket=bucket, Key=key, Body=bytes(n * n % 251 for n in range(int(length))))
s3.put_object(Bucket=bucket, Key="empty", Body=b"")
s3.put_object(Bucket="others", Key=key, Body=b"not yours")
trust = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"},
    ],
}
read = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{bucket}/*"}],
}
role = iam.create_role(RoleName="build", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
iam.put_role_policy(RoleName="build", PolicyName="read", PolicyDocument=json.dumps(read))
credentials = sts.assume_role(RoleArn=role, RoleSessionName="i-0123456789abcdef0")["Credentials"]
from_now_on = urllib.request.Request(f"{endpoint}/moto-api/reset-auth", data=b"0", headers={"Content-Type": "text/plain"})
urllib.request.urlopen(from_now_on).read()
credentials["Expiration"] = credentials["Expiration"].strftime("%Y-%m-%dT%H:%M:%SZ")
json.dump(credentials, sys.stdout)
