"""The query string of the list of recorded deliveries (contract N30). If a parameter is repeated, the last one counts."""

from urllib.parse import parse_qsl

from waitpoints.api.list_query import SHOWN, cursor, instant, page_size, refuse, start
from waitpoints.endpoint import DeliveryKind
from waitpoints.listing import ListQuery
from waitpoints.recorded_delivery import PENDING, PREFIX, DeliveryFilter, cut
from waitpoints.unknown_names import refuse_unknown

CREATED = "filter[createdAt]"
PARAMETERS = (
    "page[size]",
    "page[after]",
    "filter[kind]",
    "filter[key]",
    "filter[deliveryId]",
    f"{CREATED}[period]",
    f"{CREATED}[from]",
    f"{CREATED}[to]",
)
KINDS = (*(kind for kind in DeliveryKind if kind is not DeliveryKind.REFUSED), PENDING)
"""What is refused is never recorded."""


def parse(raw_query: str, now: int) -> ListQuery[DeliveryFilter]:
    """Parse a query string. Raises InvalidRequest that names the parameter and what it accepts."""
    parameters = dict(parse_qsl(raw_query, keep_blank_values=True))
    refuse_unknown(parameters, PARAMETERS, "parameter")
    return ListQuery(
        filter=DeliveryFilter(
            kinds=_kinds(parameters.get("filter[kind]", "")),
            key=cut(parameters.get("filter[key]")),
            delivery_id=cut(parameters.get("filter[deliveryId]")),
        ),
        size=page_size(parameters.get("page[size]")),
        after=cursor(parameters, "page[after]", PREFIX),
        created_from=start(parameters, CREATED, now),
        created_to=instant(parameters, f"{CREATED}[to]"),
    )


def _kinds(value: str) -> frozenset[str]:
    names = value.split(",") if value else []
    if invalid := [name for name in names if name not in KINDS]:
        refuse("filter[kind]", f"Invalid kinds: {', '.join(invalid)[:SHOWN]}; expected {', '.join(KINDS)}")
    return frozenset(names)
