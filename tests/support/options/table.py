"""Which route obeys which rule, and which options go together. `tests/unit/test_options.py` is made from these tables.

A route is a way to end a token. A rule is what an attempt to end it must keep. The cell of a route and a rule says:

    obeys 401 K7    an attempt that breaks the rule is answered 401, and the token waits (contract K7)
    ignores P5      an attempt that breaks the rule ends the token all the same (contract P5)
    -               no attempt by this route can break the rule

Whoever is `limited` has a named key that may complete the tokens with one tag, or any if the token has none. By key, it may
complete the names that begin with the tag.

A promise of the contract is named where there is one. A state gets an error, and the cell has the status that the error has
over HTTP.
"""

from collections.abc import Collection, Iterator, Mapping, Set
from dataclasses import dataclass
from functools import cache

RULES = """
route              | verify       | completeWhen | payloadSchema | page         | page.fields  | page.confirm
callback, JSON     | obeys 401 K7 | obeys 200 K8 | obeys 422 K9  | obeys 422 G5 | obeys 422 G5 | ignores G8
callback, form     | obeys 401 K7 | obeys 200 K8 | obeys 422 K9  | obeys 422 G5 | obeys 422 G5 | obeys 422 G8
browser            | obeys 401 K7 | obeys 200 K8 | obeys 422 K9  | obeys 422 G5 | obeys 422 G5 | obeys 200 G8
complete           | ignores P5   | ignores P5   | obeys 422 P5  | obeys 422 G6 | obeys 422 G6 | ignores G8
fail               | ignores P5   | ignores P5   | ignores P4    | ignores P4   | ignores P4   | ignores G8
public token       | ignores P5   | ignores P5   | obeys 422 P5  | obeys 422 G6 | obeys 422 G6 | ignores G8
public token, fail | ignores P5   | ignores P5   | ignores P4    | ignores P4   | ignores P4   | ignores G8
limited            | ignores P5   | ignores P5   | obeys 422 P5  | obeys 422 G6 | obeys 422 G6 | ignores G8
limited, key       | ignores B7   | ignores B7   | obeys 422 B7  | obeys 422 G6 | obeys 422 G6 | ignores G8
key                | ignores B7   | ignores B7   | obeys 422 B7  | obeys 422 G6 | obeys 422 G6 | ignores G8
key, fail          | ignores B7   | ignores B7   | ignores B1    | ignores B1   | ignores B1   | ignores G8
state              | ignores P6   | ignores P6   | obeys 422 P6  | obeys 422 G6 | obeys 422 G6 | ignores G8
state, fail        | ignores P6   | ignores P6   | ignores P6    | ignores P6   | ignores P6   | ignores G8
state, key         | ignores B8   | ignores B8   | obeys 422 B8  | obeys 422 G6 | obeys 422 G6 | ignores G8
state, key, fail   | ignores B8   | ignores B8   | ignores B8    | ignores B8   | ignores B8   | ignores G8
endpoint           | ignores N15  | ignores N15  | obeys 200 N15 | obeys 200 G6 | obeys 200 G6 | ignores G8
"""
"""The rules that a token has, by the options that it was created with."""

GUARDS = """
route              | function                | credential   | POST          | no handshake  | own site     | before its token
callback, JSON     | accept_callback         | obeys 401 K2 | obeys 405 K3  | obeys 200 K5  | obeys 422 G8 |
callback, form     | accept_callback         | obeys 401 K2 | obeys 405 K3  | obeys 200 K5  | obeys 422 G8 |
browser            | accept_callback         | obeys 401 K2 | obeys 200 G3  | obeys 200 K5  | obeys 200 G8 |
complete           | complete_token          | obeys 401 A1 | obeys 405     | -             | ignores P3   |
fail               | complete_token          | obeys 401 A1 | obeys 405     | -             | ignores P3   |
public token       | complete_token          | obeys 403 P2 | obeys 405     | -             | ignores P3   |
public token, fail | complete_token          | obeys 403 P2 | obeys 405     | -             | ignores P3   |
limited            | complete_token          | obeys 403 Q9 | obeys 405     | -             | ignores P3   |
limited, key       | complete_by_key            | obeys 403 Q9 | obeys 405     | -             | ignores      | kept B3
key                | complete_by_key            | obeys 401 B6 | obeys 405     | -             | ignores      | kept B3
key, fail          | complete_by_key            | obeys 401 B6 | obeys 405     | -             | ignores      | kept B3
state              | complete_token_in_state | -            | -             | -             | -            |
state, fail        | complete_token_in_state | -            | -             | -             | -            |
state, key         | complete_token_in_state | -            | -             | -             | -            | kept B8
state, key, fail   | complete_token_in_state | -            | -             | -             | -            | kept B8
endpoint           | accept_delivery         | obeys 401 N4 | obeys 405 N11 | obeys 200 N10 | ignores      | kept N13
"""
"""The rules that a route has for every token. `POST`: no other method. `no handshake`: it is not how a provider tests the URL.
`own site`: a form comes from a page of this API (`Sec-Fetch-Site`), which only a token with a page asks. `before its token`: a
completion is kept for its create.
"""

ENDPOINT = """
setting                   | broken        | counted as
endpoint.key              | obeys 200 N12 | noKey
endpoint.verify           | obeys 401 N10 | refused
endpoint.completeWhen     | obeys 200 N10 | notMatching
endpoint.output           | obeys 200 N10 | noOutput
endpoint.keyTTL           | -             |
endpoint.tag              | -             |
endpoint.recordDeliveries | -             |
"""
"""What an endpoint asks of its deliveries, by its settings. `keyTTL` is for a delivery that comes first (N13), `tag` for the
key (N10), `recordDeliveries` for what is kept of each that is verified (N24).
"""

KEPT = """
rule                  | what becomes of it
credential            | is refused A1
POST                  | is refused
no handshake          | is refused K5
endpoint.key          | is refused N12
endpoint.verify       | is refused N10
endpoint.completeWhen | is refused N10
endpoint.output       | is refused N10
verify                | is given to the create B4
completeWhen          | is given to the create B4
payloadSchema         | leaves the new token waiting B4
page                  | leaves the new token waiting B4
page.fields           | leaves the new token waiting B4
page.confirm          | is given to the create G8
own site              | is given to the create
"""
"""What becomes of a completion that comes before its token, and breaks a rule of the route, the endpoint or the create."""

CREATE = """
option            | needs one of          | or else | excludes                            | or else | is
idempotencyKey    |                       |         |                                     |         |
idempotencyKeyTTL | idempotencyKey        | 400 C4  |                                     |         |
timeout           |                       |         |                                     |         |
tags              |                       |         |                                     |         |
taskToken         |                       |         | callbackId                          | 400 W15 | a waiter
callbackId        |                       |         | taskToken                           | 400 W15 | a waiter
unwrap            | taskToken, callbackId | 400 C11 | context                             | 400 W11 |
context           | taskToken, callbackId | 400 C11 | unwrap                              | 400 W11 |
execution         | taskToken, callbackId | 400 W12 |                                     |         |
verify            |                       |         | page                                | 422 G1  | a rule
completeWhen      |                       |         | page                                | 422 G1  | a rule
payloadSchema     |                       |         | page                                | 422 G1  | a rule
page              |                       |         | verify, completeWhen, payloadSchema | 422 G1  | a rule
notify            | page                  | 422 M5  |                                     |         |
traceparent       |                       |         |                                     |         |
metadata          |                       |         |                                     |         |
page.title        | page                  |         |                                     |         | shown
page.text         | page                  |         |                                     |         | shown
page.links        | page                  |         |                                     |         | shown
page.actions      | page                  |         |                                     |         |
page.fields       | page                  |         |                                     |         | a rule
page.confirm      | page                  |         |                                     |         | a rule
page.language     | page                  |         |                                     |         | shown
page.facts        | page                  |         |                                     |         | shown
page.timeZone     | page                  |         |                                     |         | shown
"""
"""The options of a create, and the answer to one without what it needs, or beside what it excludes. An option that is only
`shown` to a person changes nothing else, and is in no pair.
"""

COMPLETE = """
option            | needs one of   | or else | excludes | or else
data              |                |         | error    | 400 P4
error             |                |         | data     | 400 P4
idempotencyKey    |                |         |          |
idempotencyKeyTTL | idempotencyKey | 400 B1  |          |
"""
"""The options of a request to complete. Every route but the callback URL and the endpoint takes `data`, and `error` where its
name says "fail". The TTL is for a completion that comes first (B3).
"""

WAIT = """
option      | needs one of          | or else | excludes   | or else
waitpointId | taskToken, callbackId | 400 W15 |            |
taskToken   | waitpointId           | 400     | callbackId | 400 W15
callbackId  | waitpointId           | 400     | taskToken  | 400 W15
unwrap      | taskToken, callbackId | 400 W15 | context    | 400 W11
context     | taskToken, callbackId | 400 W15 | unwrap     | 400 W11
execution   | taskToken, callbackId | 400 W15 |            |
"""
"""The options of what waits: a state, or a durable function."""

SCOPES = """
scope                    | completes the token
admin                    | yes P2
write:waitpoints         | yes P2
write:waitpoints:{id}    | yes P2
write:waitpoints:{bare}  | yes P2
write:all                | yes P2
write:all:{id}           | yes P2
*:waitpoints             | yes P2
*:waitpoints:{id}        | yes P2
*:all                    | yes P2
*:all:{id}               | yes P2
write:waitpoints:{other} | no P2
write:all:{other}        | no P2
*:waitpoints:{other}     | no P2
*:all:{other}            | no P2
read:waitpoints:{id}     | no P2
read:all                 | no P2
read:all:{id}            | no P2
write:runs               | no P2
write:tasks:{id}         | no P2
write                    | no P2
admin:all                | no P2
"""
"""The scopes of a public access token: `{id}` is the token's id, `{bare}` the same without its prefix."""


@dataclass(frozen=True)
class Cell:
    """What a route makes of an attempt that breaks a rule: the answer if it obeys the rule, or None if it ignores it.

    `promise` is empty if the contract has none.
    """

    status: int | None
    promise: str


Row = Mapping[str, str]


@cache
def rows(table: str) -> list[Row]:
    """Return the rows of a table. A name that a column shares with another one gets the name of the column before it."""
    lines = [[cell.strip() for cell in line.split("|")] for line in table.strip().splitlines()]
    head = [f"{before}: {name}" if name == "or else" else name for before, name in zip(["", *lines[0]], lines[0], strict=False)]
    return [dict(zip(head, line, strict=True)) for line in lines[1:]]


@cache
def row_of(table: str, route: str) -> Row:
    """Return the row of a route."""
    return next(row for row in rows(table) if row["route"] == route)


def cell(text: str) -> Cell | None:
    """Read the cell of a route and a rule. None if the two never meet."""
    match text.split():
        case ["obeys", status, *promise]:
            return Cell(int(status), " ".join(promise))
        case ["ignores", *promise]:
            return Cell(None, " ".join(promise))
        case ["-"]:
            return None
    raise ValueError(text)


@dataclass(frozen=True)
class Option:
    """One option, and the status of a request that has it without what it needs, or with what it excludes."""

    name: str
    needs: tuple[str, ...]
    without: int | None
    excludes: tuple[str, ...]
    beside: int | None
    kind: str

    @classmethod
    def of(cls, row: Row) -> "Option":
        def names(text: str) -> tuple[str, ...]:
            return tuple(filter(None, text.split(", ")))

        def status(text: str) -> int | None:
            return int(text.partition(" ")[0]) if text else None

        return cls(
            row["option"],
            names(row["needs one of"]),
            status(row["needs one of: or else"]),
            names(row["excludes"]),
            status(row["excludes: or else"]),
            row.get("is", ""),
        )


Options = frozenset[str]
ALONE = "alone"


@cache
def kept(what: str) -> set[str]:
    """Return the rules of which KEPT says this."""
    return {row["rule"] for row in rows(KEPT) if row["what becomes of it"].startswith(what)}


@cache
def options(table: str = CREATE) -> Mapping[str, Option]:
    return {row["option"]: Option.of(row) for row in rows(table)}


def refusal(together: Collection[str], table: str = CREATE) -> int | None:
    """Return the status of a request that has these options and no other. None if it is accepted."""
    known = [options(table)[name] for name in together]
    missing = [one.without for one in known if one.needs and not set(one.needs) & set(together)]
    excluded = [one.beside for one in known if set(one.excludes) & set(together)]
    return min(filter(None, missing + excluded), default=None)  # the form of a request is looked at first: 400


def with_needs(together: Set[str], table: str = CREATE) -> Options:
    """Add what the options need: the first of what each accepts."""
    known = [one for name, one in options(table).items() if name in together]
    missing = {one.needs[0] for one in known if one.needs and together.isdisjoint(one.needs)}
    return with_needs(together | missing, table) if missing else frozenset(together)


def sets(route: str) -> Iterator[tuple[str, list[Options]]]:
    """Yield ALONE with the set that has no option and each set of one, then each option with its pairs with those after it.

    Each set has what its options need. None comes twice.
    """
    names = [ALONE, *(name for name, one in options().items() if one.kind != "shown")]
    names += [row["setting"] for row in rows(ENDPOINT)[1:]] if route == "endpoint" else []
    always = {"idempotencyKey"} if needs_key(route) else set()
    seen: set[Options] = set()
    for place, name in enumerate(names):
        wanted = [with_needs({name, other} - {ALONE} | always) for other in names[place:]]
        found = [one for one in dict.fromkeys(wanted) if one not in seen and refusal(one & options().keys()) is None]
        seen.update(found)
        if found:
            yield name, found


def needs_key(route: str) -> bool:
    """Whether a route finds its token by a key."""
    return "key" in route or route == "endpoint"
