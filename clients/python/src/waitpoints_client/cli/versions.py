"""What `waitpoints --version` shows: the client's version, and that of the stack that a command would be for."""

import re

from waitpoints_client import local_stacks
from waitpoints_client.cli import show, stacks
from waitpoints_client.cli.problems import CommandProblem, sentence
from waitpoints_client.version import __version__

PATIENCE = 5  # seconds


def show_versions(name: str | None) -> None:
    """Print both, and on standard error what it means if they differ. A stack that was not named may be out of reach."""
    from waitpoints_client.ops.versions import difference

    show.text(f"waitpoints {__version__}")
    try:
        found = _find_stack(name)
    except Exception as error:
        if name is not None:
            raise
        show.note(sentence(error))
        return
    if found:
        where, version = found
        show.text(f"stack {version} ({where})")
        if said := difference(version):
            show.note(said)


def _find_stack(name: str | None) -> tuple[str, str] | None:
    """Return where the stack is and its version, or None if there is none. Raises an error that `sentence` can describe."""
    if name is None and stacks.read_environment():
        return _ask_console()
    if name is None and not local_stacks.find():
        return None
    stack = stacks.find_stack(name)
    return f"{stack.name} at {stack.outputs['ApiUrl']}", stack.outputs["Version"]


def _ask_console() -> tuple[str, str]:
    """Ask the stack of the environment, whose outputs its callers cannot read."""
    import httpx

    from waitpoints_client import settings

    url, _ = settings.resolve(None, None, None)
    try:
        page = httpx.get(f"{url}/console", timeout=PATIENCE).text
    except httpx.HTTPError as error:
        raise CommandProblem(f"The stack at {url} does not answer: {type(error).__name__}") from None
    found = re.search(r'<meta name="generator" content="Waitpoints ([^" ]+)">', page)
    if not found:
        raise CommandProblem(f"The stack at {url} does not say its version: its console is off")
    return url, found[1]
