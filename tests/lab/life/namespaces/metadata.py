# Prints what the metadata service of EC2 says of the instance.
import urllib.request

base = "http://169.254.169.254/latest/"
ask = {"X-aws-ec2-metadata-token-ttl-seconds": "60"}
request = urllib.request.Request(base + "api/token", method="PUT", headers=ask)
token = urllib.request.urlopen(request, timeout=60).read().decode()
request = urllib.request.Request(base + "meta-data/instance-id", headers={"X-aws-ec2-metadata-token": token})
print(urllib.request.urlopen(request, timeout=60).read().decode())
