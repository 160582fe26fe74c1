"""What needs a second stack, or something beside the stack: an event bus, a durable function, the construct for CDK."""

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from waitpoints_client.ops.caller import TOKENS, Caller, Unexpected, expect
from waitpoints_client.ops.deployed import Deployed

from tools.checkout import CODE
from tools.node import install, node
from tools.on_aws.made import TAG, figure
from tools.release import cdk_package
from tools.release.archive import LAYERS
from tools.stack import ROOT, sam

LARGE = "0123456789" * 30_000
PATIENCE, PAUSE = 240, 2
"""Seconds in which one token after the other ends, until the event of one comes: the stream may have its new filter late."""
EXAMPLES = ROOT / "examples"
_APP = """
const { App, DefaultStackSynthesizer, Stack } = require("aws-cdk-lib");
const { Waitpoints } = require("waitpoints-cdk");
const [name, bucket, props] = process.argv.slice(2);
const synthesizer = new DefaultStackSynthesizer({ fileAssetsBucketName: bucket, generateBootstrapVersionRule: false });
const app = new App({ outdir: "out" });
new Waitpoints(new Stack(app, name, { synthesizer }), "Waitpoints", JSON.parse(props));
app.synth();
"""


def deploy(name: str, template: Path, parameters: list[str]) -> None:
    """Deploy a stack of the run by the SAM CLI, with the run's tag, by its bucket. Raises Unexpected with what SAM says."""
    given = ["--parameter-overrides", *parameters] if parameters else []
    command = ["sam", "deploy", "--template-file", str(template), "--stack-name", name, "--tags", f"{TAG}={os.environ['RUN']}"]
    command += ["--no-resolve-s3", "--s3-bucket", os.environ["BUCKET"], "--s3-prefix", name, "--capabilities", "CAPABILITY_IAM"]
    command += ["--on-failure", "DELETE", "--no-fail-on-empty-changeset", *given]
    done = subprocess.run(command, cwd=template.parent, capture_output=True, text=True, check=False)
    expect(done.returncode == 0, f"{name} was not deployed:\n{(done.stdout + done.stderr)[-3000:]}")


def bus(stack: Deployed) -> Iterator[str]:
    """The event of a token reaches a queue, by the account's default bus and the rule of an example. Then no more events."""
    template = Path(os.environ["ARCHIVE"]) / "template.yaml"
    deploy(stack.name, template, ["EventBusName=default"])
    try:
        consumer = Deployed(f"{stack.name}queue", stack.session)
        named = f"EventBusName=/waitpoints/{stack.name}/EventBusName"
        deploy(consumer.name, EXAMPLES / "events_to_queue" / "template.yaml", [named])
        caller, sqs, failed = Caller.of(stack), stack.client("sqs"), dict[str, float]()
        asked = {"QueueUrl": consumer.outputs["QueueUrl"], "WaitTimeSeconds": 20, "MaxNumberOfMessages": 10}
        deployed = time.monotonic()
        while time.monotonic() < deployed + PATIENCE:
            token = caller.create()["id"]
            caller.call("POST", f"{TOKENS}/{token}/complete", {"error": {"message": "No"}})
            failed[token] = time.monotonic()
            received = sqs.receive_message(**asked).get("Messages", [])
            for event in (json.loads(it["Body"]) for it in received):
                if event["detail"]["id"] in failed:
                    yield json.dumps(event)
                    seconds = time.monotonic() - failed[event["detail"]["id"]]
                    yield figure("event", f"{seconds:.1f} s after its token ended, the token {len(failed)}")
                    expect(event["detail"]["error"]["message"] == "No", f"its error is {event['detail']['error']}")
                    return
            time.sleep(PAUSE)
        raise Unexpected(f"no event of {len(failed)} tokens came")
    finally:
        deploy(stack.name, template, ['EventBusName=""'])


def durable(stack: Deployed) -> Iterator[str]:
    """A durable function with the libraries and the role of the example gets 300,000 bytes whole."""
    name = f"{stack.name}durable"
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        sam("build", "--cache-dir", str(folder / "cache"), folder=folder, project=EXAMPLES / "durable_approval")
        code = Path(__file__).with_name("large_output.py")
        shutil.copy(code, folder / "build" / "Approval" / "approval.py")
        published = [f"{it}=/waitpoints/{stack.name}/{it}" for it in ("CreateFunctionName", "WaitFunctionName")]
        deploy(name, folder / "build" / "template.yaml", published)
    function, client, caller = Deployed(name, stack.session).outputs["Approval"], stack.client("lambda"), Caller.of(stack)
    token = caller.create()
    given = json.dumps({"token": token["id"]})
    execution = client.invoke(FunctionName=function, InvocationType="Event", Payload=given)["DurableExecutionArn"]
    caller.wait_until_registered(token)
    caller.post_callback(token, json.dumps(LARGE).encode())
    began = time.monotonic()

    def ended() -> dict[str, str] | None:
        found: dict[str, str] = client.get_durable_execution(DurableExecutionArn=execution)
        return found if found["Status"] != "RUNNING" else None

    found = caller.wait_until(ended, "the execution is still waiting", 120)
    yield figure(
        "durable function", f"{found['Status']}, {time.monotonic() - began:.1f} s after {len(LARGE):,} bytes were posted"
    )
    result = json.loads(found.get("Result") or "null")
    whole = {"characters": len(LARGE), "sha256": hashlib.sha256(LARGE.encode()).hexdigest()}
    expect(result == whole, f"it returned {result or found.get('Error')}, not {whole}")


def cdk(stack: Deployed) -> Iterator[str]:
    """What the construct synthesises deploys with its assets in the run's bucket, in an account that CDK knows nothing of."""
    name, bucket, archive = f"{stack.name}cdk", os.environ["BUCKET"], Path(os.environ["ARCHIVE"])
    props = {it[0].lower() + it[1:]: stack.parameters[it] for it in ("Architecture", "PublicBaseUrl")}
    code = {it: (archive / it).read_bytes() for it in CODE}
    layers = {f"{props['architecture']}/{it}.zip": (archive / f"{it}.zip").read_bytes() for it in LAYERS}
    install(cdk_package.FOLDER)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for path, content in cdk_package.content_of(cdk_package.template(), code, layers).items():
            file = folder / "node_modules" / "waitpoints-cdk" / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
        for library in ("aws-cdk-lib", "constructs"):
            (folder / "node_modules" / library).symlink_to(cdk_package.FOLDER / "node_modules" / library)
        subprocess.run([node(), "-e", _APP, "-", name, bucket, json.dumps(props)], cwd=folder, check=True)
        assets = json.loads((folder / "out" / f"{name}.assets.json").read_text())["files"].values()
        for asset, destination in ((it, to) for it in assets for to in it["destinations"].values()):
            source = folder / "out" / asset["source"]["path"]
            stack.client("s3").put_object(Bucket=bucket, Key=destination["objectKey"], Body=source.read_bytes())
        deploy(name, folder / "out" / f"{name}.template.json", [])
    yield figure("resources of the construct", len(Deployed(name, stack.session).list_physical_ids()))
