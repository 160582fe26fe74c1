"""Every example payload that GitHub publishes, of github.com and of each version of the Enterprise Server."""

import json
from dataclasses import dataclass
from functools import cache
from typing import Any

from tests.support import node


@dataclass(frozen=True, order=True)
class Example:
    event: str
    text: str

    @property
    def body(self) -> Any:
        return json.loads(self.text)


def one_of_each_action() -> tuple[Example, ...]:
    """The first example of each event and action."""
    return tuple({(example.event, example.body.get("action")): example for example in reversed(examples())}.values())


def one_of_each_event() -> tuple[Example, ...]:
    return tuple({example.event: example for example in reversed(examples())}.values())


@cache
def examples() -> tuple[Example, ...]:
    node.node()
    files = node.FOLDER.glob("node_modules/@octokit/webhooks-examples/*/index.json")
    events = [event for file in files for event in json.loads(file.read_text())]
    found = {Example(event["name"], json.dumps(body, ensure_ascii=False)) for event in events for body in event["examples"]}
    assert len(found) > 400
    return tuple(sorted(found))
