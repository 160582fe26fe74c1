"""Create or update a stack as `sam deploy` does: upload what its template refers to, and call CloudFormation."""

import hashlib
import re
from collections.abc import Callable, Mapping
from typing import Any

from botocore.exceptions import ClientError, WaiterError

from waitpoints_local.stack import STACK_NAME, Endpoint, LocalError, overrides, verify_sender

BUCKET = "artifacts"
SOON = {"Delay": 0.1, "MaxAttempts": 1200}
ARTIFACT = re.compile(r"(?<=Uri: )(?!functions/)\S+$", re.MULTILINE)
"""The names of what a template refers to. The code in the folder functions/ is for each function something else."""


def deploy_here(endpoint: Endpoint, template: str, read: Callable[[str], bytes], parameters: Mapping[str, str]) -> None:
    """Deploy a stack as one on this machine, with these parameters besides. Its sender of mails is verified."""
    verify_sender(endpoint, parameters.get("MailFrom", ""))
    ours = dict(parameter.split("=", 1) for parameter in overrides(endpoint.url))
    deploy(endpoint, template, read, {**ours, **parameters})


def deploy(
    endpoint: Endpoint, template: str, read: Callable[[str], bytes], parameters: Mapping[str, str], name: str = STACK_NAME
) -> None:
    """Create the stack, or update it. `read` returns what the template names. Raises LocalError with the reason."""
    cloudformation = endpoint.client("cloudformation")
    change = "update" if name in {stack["StackName"] for stack in cloudformation.describe_stacks()["Stacks"]} else "create"
    try:
        getattr(cloudformation, f"{change}_stack")(
            StackName=name,
            TemplateURL=upload(endpoint, template, read),
            Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
            Parameters=[{"ParameterKey": parameter, "ParameterValue": value} for parameter, value in parameters.items()],
        )
        cloudformation.get_waiter(f"stack_{change}_complete").wait(StackName=name, WaiterConfig=SOON)
    except ClientError as refused:
        raise LocalError(f"The stack was not deployed: {refused.response['Error']['Message']}") from None
    except WaiterError:
        raise LocalError(f"The stack was not deployed: {'; '.join(_reasons(cloudformation, name))}") from None


def upload(endpoint: Endpoint, template: str, read: Callable[[str], bytes]) -> str:
    """Upload what the template refers to, and itself. Returns its URL."""
    s3 = endpoint.client("s3")
    s3.create_bucket(Bucket=BUCKET)  # or find it there
    keys: dict[str, str] = {}
    for name in set(ARTIFACT.findall(template)):
        content = read(name)
        if (key := hashlib.sha256(content).hexdigest()) not in keys.values():  # most functions have the same
            s3.put_object(Bucket=BUCKET, Key=key, Body=content)
        keys[name] = key
    packaged = ARTIFACT.sub(lambda name: f"s3://{BUCKET}/{keys[name[0]]}", template).encode()
    key = hashlib.sha256(packaged).hexdigest()
    s3.put_object(Bucket=BUCKET, Key=key, Body=packaged)
    return f"{endpoint.url}/{BUCKET}/{key}"


def _reasons(cloudformation: Any, name: str) -> list[str]:
    events = cloudformation.describe_stack_events(StackName=name)["StackEvents"]
    failed = [it for it in events if it["ResourceStatus"].endswith("_FAILED") and it.get("ResourceStatusReason")]
    return [f"{it['LogicalResourceId']}: {it['ResourceStatusReason']}" for it in failed] or ["CloudFormation gave no reason"]
