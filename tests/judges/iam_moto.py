"""moto's reading of IAM policies: iam_moto.py reads cases from standard input and prints a verdict for each.

A case is {"document": …, "action": …, "resource": …}. moto knows neither NotResource nor conditions on requests, is
particular about case, and reads `?` as a regular expression does: the cases keep away from that.
"""

import json
import sys

from moto.iam.access_control import IAMPolicy, PermissionResult

cases = json.load(sys.stdin)
verdicts = [IAMPolicy(json.dumps(c["document"])).is_action_permitted(c["action"], c["resource"]) for c in cases]
json.dump([v == PermissionResult.PERMITTED for v in verdicts], sys.stdout)
