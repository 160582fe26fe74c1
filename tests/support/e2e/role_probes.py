"""What MiniStack does with the roles of a template without the mend of role_mends.py, and with it, for `mends.py`."""

import json
from collections.abc import Callable
from typing import Any

from ministack.services import iam
from ministack.services.cloudformation import provisioners

OWN = "arn:aws:iam::000000000000:policy/Boundary"
OTHER = "arn:aws:iam::aws:policy/ReadOnlyAccess"
ALL = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
TRUST = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "x"}, "Action": "sts:AssumeRole"}]}


def handle(action: str, *arguments: Any) -> Any:
    return provisioners._RESOURCE_HANDLERS["AWS::IAM::Role"][action](*arguments)


def role(boundary: str = "") -> dict[str, Any]:
    given = {"PermissionsBoundary": boundary} if boundary else {}
    return {"RoleName": "within", "AssumeRolePolicyDocument": TRUST, **given}


def a_role_has_the_boundary_of_its_template() -> bool:
    iam._create_policy({"PolicyName": ["Boundary"], "PolicyDocument": [json.dumps(ALL)]})
    name, _ = handle("create", "Role", role(OWN), "stack")
    seen = [iam._roles[name].get("PermissionsBoundary")]
    for before, after in ((OWN, OTHER), (OTHER, "")):
        handle("update", name, role(before), role(after), "stack", "Role")
        seen.append(iam._roles[name].get("PermissionsBoundary"))
    return seen == [OWN, OTHER, None]


def a_boundary_that_does_not_exist_is_refused() -> bool:
    try:
        handle("create", "Role", role(f"{OWN}-2"), "stack")
    except ValueError as refused:
        return str(refused) == f"Scope ARN: {OWN}-2 does not exist or is not attachable."
    return False


PROBES: dict[str, list[Callable[[], bool]]] = {
    "keep_permissions_boundaries": [a_role_has_the_boundary_of_its_template, a_boundary_that_does_not_exist_is_refused],
}
