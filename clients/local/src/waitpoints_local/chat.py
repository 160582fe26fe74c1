"""`waitpoints chat`: Slack and Teams on this machine, by hand."""

import sys
from contextlib import ExitStack, suppress

from waitpoints_client import local_stacks
from waitpoints_client.cli import show
from waitpoints_client.cli.problems import USAGE, CommandProblem

from waitpoints_local.slack_stand_in import connect, obey, serving
from waitpoints_local.stack import Stack, is_serving

START = "waitpoints up --parameters Slack=on --parameters Teams=on"


def chat(port: int, *, as_json: bool) -> None:
    """Serve a workspace until the end of standard input. Raises CommandProblem."""
    stack = _find()
    with suppress(KeyboardInterrupt), ExitStack() as ended:
        try:
            workspace = ended.enter_context(serving(port))
        except OSError as error:
            raise CommandProblem(f"Port {port} cannot be used: {error.strerror}. Choose another with --port", USAGE) from None
        workspace.heard = lambda line, content: show.record(content) if as_json else show.text(line)
        connect(stack, workspace)
        show.note(f"Slack and Teams at {workspace.url}, for tokens with a page and notify: slack '#deploys', or teams 'TEAMS'.")
        show.note(obey(workspace, "help", ""))
        for line in sys.stdin:
            (show.note if as_json else show.text)(obey(workspace, line, f"{stack.api_url}/api/v1/slack"))


def _find() -> Stack:
    """Return the local stack. Raises CommandProblem unless it has one of the channels."""
    file = local_stacks.find()
    stack = Stack.read(file) if file else None
    if stack is None or not is_serving(stack.endpoint_url):
        raise CommandProblem(f"No stack runs. First: {START}")
    described = stack.client("cloudformation").describe_stacks(StackName=stack.stack_name)["Stacks"][0]
    if "on" not in [it["ParameterValue"] for it in described["Parameters"] if it["ParameterKey"] in ("Slack", "Teams")]:
        raise CommandProblem(f"The local stack has neither Slack nor Teams. End it, then: {START}")
    return stack
