"""What a run on AWS does, in order. The estimate, the run and the page are made of this table."""

from dataclasses import dataclass

_PYTHON = ".local/local/bin/python"
_PROBE = f"{_PYTHON} -m tools.on_aws.probes"
_HOUR = "sh examples/first_hour.sh"
_SMOKE = 'waitpoints smoke --stack "$STACK"'
_STACK = ("archive",)
_ARCHIVE = f"""
[ -e "$ARCHIVE" ] || {_PYTHON} -m tools.release.archive "${{ARCHITECTURE:-arm64}}" "$ARCHIVE"
cd "$ARCHIVE"
sam deploy --stack-name "$STACK" --no-resolve-s3 --s3-bucket "$BUCKET" --s3-prefix archive \
    --tags "waitpoints-run=$RUN" ${{PARAMETERS:+--parameter-overrides $PARAMETERS}}
""".strip()


@dataclass(frozen=True)
class Step:
    name: str
    """A word. The step's output is in the file NN-name.txt, where NN is its place in the table."""
    line: str
    """For `sh -euc` in the clone's root. Status 77: it proves nothing here, for the reason in its last line."""
    proves: str
    minutes: float
    cents: float = 0
    needs: tuple[str, ...] = ()
    everything: bool = False
    """Runs only with --all."""
    questions: tuple[str, ...] = ()
    """The beginnings of the questions of docs/internals/aws.md that it answers."""


STEPS = (
    Step("account", f'{_PYTHON} -m tools.on_aws.account "$RUN"', "the account's plan, quotas and rights", 0.3),
    Step("bucket", f"{_PROBE} bucket", "the run has a bucket of its own", 0.1, 0.1),
    Step("archive", _ARCHIVE, "a release's archive deploys", 6, 6, ("bucket",), questions=("Does a first deployment work",)),
    Step("events", f"{_PROBE} events", "CloudFormation made each resource at the first try", 0.1),
    Step("template", f"{_PROBE} template", "AWS's SAM makes the same of the template as SAM here", 0.1, needs=_STACK),
    Step("routes", f"{_PROBE} routes", "API Gateway has the template's routes", 0.1, needs=_STACK),
    Step("stage", f"{_PROBE} stage", "the stage has its limits and its log", 0.1, needs=_STACK,
         questions=("Does `RouteSettings` accept parameters",)),
    Step("smoke", f'sleep "${{SPREAD-180}}"\n{_SMOKE}', "permissions, streams and queues, after a cold start", 6, 1, _STACK,
         questions=("How late is a timeout", "Does Lambda's boto3 know callbacks", "Do signed links work")),
    Step("smoke-again", _SMOKE, "times without cold starts", 3, 1, _STACK, questions=("How long does a resume take",)),
    Step("definitions", f"{_HOUR} definitions", "AWS's parser accepts the published state machines", 0.5),
    Step("named-key", f"{_HOUR} named_key", "a named key needs write access only to its partition", 2, 0.1, _STACK),
    Step("bodies", f"{_HOUR} bodies", "bodies, forms and HEAD arrive unchanged; how large ones are refused", 1, 0.1, _STACK,
         questions=("Do real providers' signatures survive",)),
    Step("refused-resume", f"{_HOUR} refused_resume", "the doctor finds a refused resume, redrive repeats it", 6, 0.2, _STACK),
    Step("durable", f"{_PROBE} durable", "a durable function is resumed with 300,000 bytes", 4, 0.2, _STACK,
         questions=("Does the runtime's own durable SDK work",)),
    Step("bus", f"{_PROBE} bus", "a token's event reaches a rule's queue", 3, 0.1, _STACK),
    Step("timeouts", f"{_PROBE} timeouts", "how late fifty timeouts are", 4, 0.3, _STACK),
    Step("load", f"{_PROBE} load", "a minute of load below every quota", 2, 3, _STACK),
    Step("restore", f"{_HOUR} restore", "a deleted token comes back from point in time", 15, 2, _STACK),
    Step("metrics", f"{_PROBE} metrics", "the metrics exist that alarms and the dashboard name", 0.3, 0.1, ("smoke",)),
    Step("reports", f"{_PROBE} reports", "cold starts and durations of each function", 0.5, 0.1, _STACK),
    Step("alarms", f"{_PROBE} alarms", "no alarm is on, twenty minutes after the deployment", 1, 1, _STACK),
    Step("logs", f"{_PROBE} logs", "what the stack wrote into its logs", 0.5, 0.1, _STACK,
         questions=("Which lines does Lambda write",)),
    Step("upgrade", f"{_HOUR} upgrade", "waits survive the upgrade from an older version, and the way back", 25, 4, _STACK),
    Step("gradual", f"{_HOUR} gradual", "CodeDeploy shifts two deployments", 30, 4, _STACK, everything=True),
    Step("broken", f"{_HOUR} broken", "CodeDeploy takes a broken deployment back", 20, 2, ("gradual",), everything=True,
         questions=("How do CodeDeploy's hook",)),
    Step("cdk", f"{_PROBE} cdk", "what the CDK construct synthesizes deploys", 8, 4, _STACK, everything=True),
    Step("boundary", f"{_HOUR} boundary", "a boundary and the deployer's policy suffice", 10, 4, _STACK, everything=True),
)  # fmt: skip


def chosen(only: str = "", *, everything: bool = False) -> list[tuple[int, Step]]:
    """Return the steps of a run with their numbers: all, or one with those that it needs. Raises KeyError."""
    known = {step.name: step for step in STEPS}
    names, wanted = set(), [only] if only else [step.name for step in STEPS if everything or not step.everything]
    while wanted:
        names.add(name := wanted.pop())
        wanted += known[name].needs
    return [(number, step) for number, step in enumerate(STEPS, 1) if step.name in names]
