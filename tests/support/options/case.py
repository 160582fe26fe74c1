"""One token with some options of the table, and what the table says of an attempt to end it through one route."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from tests.support.options.table import ENDPOINT, GUARDS, RULES, Cell, Options, cell, row_of, rows

GUARD_RULES = ("credential", "POST", "no handshake", "own site")
_SIGNATURES = ("unsigned", "signed with another secret")
WAYS: Mapping[str, tuple[str, ...]] = {"verify": _SIGNATURES, "endpoint.verify": _SIGNATURES}
"""The ways to break a rule that has more than one."""
FORGERIES: Mapping[str, tuple[str, ...]] = {
    "accept_callback": ("wrong hash",),
    "complete_token": ("wrong key", "wrong key, from the SDK"),
    "complete_by_key": ("wrong key", "wrong key, from the SDK"),
    "accept_delivery": ("wrong hash", "URL of a deleted endpoint"),
}
"""The ways to break the rule `credential`, by the function behind the route."""
PUBLIC_FORGERIES = ("write:waitpoints:{other}", "write:all:{other}, from the SDK")
LIMITED_FORGERIES = ("complete:z", "create, from the SDK")


@dataclass(frozen=True)
class Broken:
    """The rule that an attempt breaks, and in which way."""

    rule: str
    way: str = ""

    def __str__(self) -> str:
        return f"{self.rule}: {self.way}" if self.way else self.rule


@dataclass
class Case:
    """`number` sets it apart from every other case. `handles` are those of what waits for the token.

    `came_first`: the completion came before the token.
    """

    route: str
    options: Options
    number: int
    token: Mapping[str, Any] = field(default_factory=dict)
    handles: list[str] = field(default_factory=list)
    came_first: bool = False

    def __str__(self) -> str:
        return f"{self.route}: {' + '.join(sorted(self.options)) or 'no option'}"

    @property
    def endpoint(self) -> str:
        """The name of the endpoint with these options."""
        settings = sorted(name.removeprefix("endpoint.").lower() for name in self.options if name.startswith("endpoint."))
        return "-".join(["endpoint", *settings])

    @property
    def key(self) -> str:
        if self.route != "endpoint":
            return f"a:key-{self.number}"  # `a` is the first of the tags
        return ("team-a:" if "endpoint.tag" in self.options else "") + f"{self.endpoint}:{self.number}"

    @property
    def function(self) -> str:
        """The function behind the route."""
        return row_of(GUARDS, self.route)["function"]

    @property
    def has_page(self) -> bool:
        return "page" in self.options

    @property
    def waits(self) -> bool:
        """Whether an execution waits for the token."""
        return not self.options.isdisjoint(("taskToken", "callbackId"))

    @property
    def fails(self) -> bool:
        """Whether an attempt fails the token with an error."""
        return "fail" in self.route

    @cached_property
    def rules(self) -> Mapping[str, Cell]:
        """The rules that an attempt may break."""
        guards = row_of(GUARDS, self.route)
        texts = {name: text for name, text in row_of(RULES, self.route).items() if name in self.options}
        texts |= {name: guards[name] for name in GUARD_RULES}
        if not self.has_page:
            del texts["own site"]
        if self.route == "endpoint":
            asked = self.options | {"endpoint.key"}
            texts |= {row["setting"]: row["broken"] for row in rows(ENDPOINT) if row["setting"] in asked}
        cells = {name: cell(text) for name, text in texts.items()}
        return {name: found for name, found in cells.items() if found}

    def refused(self, guards: bool) -> Iterator[tuple[Broken, int]]:
        """Yield each way to break a rule that the route obeys, and the status of the answer.

        `guards`: also the rules that the route has for every token.
        """
        for rule, found in self.rules.items():
            if found.status is not None and (guards or rule not in GUARD_RULES):
                ways = self._forgeries() if rule == "credential" else WAYS.get(rule, ("",))
                yield from ((Broken(rule, way), found.status) for way in ways)

    def keeps(self, rule: str, broken: Broken | None) -> bool:
        """Whether an attempt keeps a rule. Every attempt breaks each rule that the route ignores."""
        found = self.rules.get(rule)
        return found is None or (found.status is not None and (broken is None or broken.rule != rule))

    def counts(self, broken: Broken, status: int) -> str | None:
        """As what a refused attempt is counted: among a token's other deliveries, or as the endpoint's kind of delivery."""
        if broken.rule in ("credential", "POST", "no handshake"):
            return None
        if self.route == "endpoint":
            kinds = {row["setting"]: row["counted as"] for row in rows(ENDPOINT)}
            return kinds.get(broken.rule, "notMatching")
        is_question = status == 200 and broken.rule != "completeWhen"  # a person is asked, and may still answer
        return "other" if self.function == "accept_callback" and not is_question else None

    def _forgeries(self) -> tuple[str, ...]:
        if self.route.startswith("public token"):
            return PUBLIC_FORGERIES
        if self.route.startswith("limited"):
            return LIMITED_FORGERIES
        return FORGERIES[self.function] + (("GET with a wrong hash",) if self.route == "browser" else ())
