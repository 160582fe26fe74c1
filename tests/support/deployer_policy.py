"""The rights that docs/operation.md gives somebody who deploys, and an operator."""

import json
from typing import Any

from tests.support.in_process.template import ROOT

POLICY = (ROOT / "docs" / "deployer-policy.json").read_text()
OPERATOR = (ROOT / "docs" / "operator-policy.json").read_text()
OF_A_KEY = {"kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey", "secretsmanager:UpdateSecret"}
"""What an operator calls only on a stack with a KMS key."""


def deployer_policy(account: str, stack: str, text: str = POLICY) -> dict[str, Any]:
    """Return the page's policy for an account and a stack, or another one."""
    return json.loads(text.replace("123456789012", account).replace("waitpoints-prod", stack))


def without(policy: dict[str, Any], resource: str) -> dict[str, Any]:
    """Return a policy without the statements about a resource."""
    kept = [it for it in policy["Statement"] if resource not in str(it["Resource"])]
    assert len(kept) == len(policy["Statement"]) - 1
    return {**policy, "Statement": kept}
