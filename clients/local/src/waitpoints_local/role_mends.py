"""What MiniStack 1.5.33 does otherwise than IAM with a stack's roles. `emulator.py` applies it."""

import re
from typing import Any


def keep_permissions_boundaries(provisioners: Any) -> None:
    """Give a role that a stack makes or changes its permissions boundary, and refuse a policy that does not exist.

    MiniStack authorizes with boundaries, but drops the property from templates:
    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-iam-role.html
    """
    handlers, iam = provisioners._RESOURCE_HANDLERS["AWS::IAM::Role"], provisioners._iam
    create, update = handlers["create"], handlers["update"]

    def check(properties: dict[str, Any]) -> None:
        boundary = properties.get("PermissionsBoundary")
        if refused := boundary and iam._boundary_policy_error(boundary):
            raise ValueError(re.findall(r"<Message>(.*?)</Message>", str(refused))[0])

    def keep(made: tuple[str, Any], properties: dict[str, Any]) -> tuple[str, Any]:
        iam._roles[made[0]]["PermissionsBoundary"] = properties.get("PermissionsBoundary")
        return made

    def create_within(name: str, properties: dict[str, Any], stack: str) -> Any:
        check(properties)
        return keep(create(name, properties, stack), properties)

    def update_within(physical_id: str, old: Any, new: dict[str, Any], *rest: Any) -> Any:
        check(new)
        return keep(update(physical_id, old, new, *rest), new)

    handlers["create"], handlers["update"] = create_within, update_within
