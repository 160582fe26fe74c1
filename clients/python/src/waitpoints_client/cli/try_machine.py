"""`waitpoints try`, which the package waitpoints-local runs."""

from typing import Annotated

import typer

from waitpoints_client.cli import stacks
from waitpoints_client.cli.operate import end_in_order
from waitpoints_client.cli.options import Json, add, argument, option

File = Annotated[str, argument("FILE", "The definition: JSON, YAML, or template.yaml#Name of SAM or CloudFormation.")]
Given = Annotated[str, option("--input", metavar="JSON", help="The input, or its file. Default: {}.")]
Values = Annotated[
    list[str] | None,
    option("--set", metavar="NAME=VALUE", help="A placeholder's value; a function's can be JSON that it returns."),
]
Answers = Annotated[
    list[str] | None,
    option("--answer", metavar="[STATE=]JSON", help="Answer the token of a state, or each token. Repeat it for several."),
]
TimeOuts = Annotated[list[str] | None, option("--time-out", metavar="STATE", help="The token of this state times out at once.")]
Scripts = Annotated[
    list[str] | None,
    option("--stand-in", metavar="NAME=JSON", help="What a function or a state's service answers; or fails ERROR. Repeatable."),
]
Name = Annotated[str, option("--name", metavar="NAME", help="The state machine's name. Default: the file's.")]
Timeout = Annotated[str, typer.Option("--timeout", metavar="TIME", help="When its token times out.")]
Page = Annotated[str, option("--page", metavar="JSON", help="A page for its token, or its file.")]
Limit = Annotated[str | None, option("--for", metavar="TIME", help="Stop it after so long: 30s, 10m.")]
Skips = Annotated[list[str] | None, option("--skip", metavar="TIME", help="Let so much time pass in moments. Several add up.")]
Local = Annotated[
    str | None, option("--local", metavar="PATH", help="The local stack's stack.json, or its folder. Default: the one here.")
]


def try_(
    file: File,
    given: Given = "{}",
    values: Values = None,
    answers: Answers = None,
    time_outs: TimeOuts = None,
    scripts: Scripts = None,
    name: Name = "",
    timeout: Timeout = "1h",
    page: Page = "",
    limit: Limit = None,
    skips: Skips = None,
    local: Local = None,
    as_json: Json = False,
) -> None:
    """Run your own state machine on a local stack.

    Replaces placeholders such as <WaitFunctionName> and ${WaitForToken}, creates a token, starts an execution with
    {"token": {"id", "url"}} added to its input, and prints the line that completes the token. Then it shows what the
    execution does until it ends. No token is created if the input has one, or if a state creates it. A function of yours
    that is written as ${Name}, and that --set does not name, gets a stand-in, which returns what it is given. The state
    machine and the stand-ins are deleted at the end. Nothing of this is done in AWS.

    --answer takes JSON or @FILE for each token. "Ask={…}" is for the token that the state Ask waits for, "Ask[2]={…}" for
    item 2 of its Map, counted from 0, "Ask as ann={…}" for one approver. Several for one state are given in turn: to the items
    of its Map, or each time that it waits; the last one stays. --time-out takes Ask or Ask[2], and comes first.

    --stand-in "Pay=fails Declined: no money" makes the function Pay fail. Several for one name are for its calls, in turn;
    the last one stays. Pay is a placeholder, a function's name, a resource of the template, or else a Task state: its service
    answers so, or its function returns so.

    --skip 4h lets up to four hours pass in moments, whenever the run only waits: Wait states, the intervals of Retry, timeouts,
    reminders, and answers that no --answer gives.

    Exit status: 0 if the execution succeeded, 1 if not, if an answer was refused or if one was not used, 2 if the execution
    timed out or still runs after the time of --for, and if it cannot be started, 130 after Ctrl-C.
    """
    options = locals()  # each of the above, by its name
    end_in_order()
    command = stacks.import_local("machine.command")
    command.try_machine(command.Options(**options))


def add_to(program: typer.Typer) -> None:
    add(program, (try_,), "Tokens")
