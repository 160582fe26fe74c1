"""The query string of the list of endpoints (contract N6). If a parameter is repeated, the last one counts."""

from urllib.parse import parse_qsl

from waitpoints.api.list_query import page_size
from waitpoints.endpoints import is_name
from waitpoints.errors import InvalidRequest
from waitpoints.known_names import refuse_unknown

PARAMETERS = ("page[size]", "page[after]")


def parse(raw_query: str) -> tuple[int, str | None]:
    """Return the size of the page and the name after which it begins. Raises InvalidRequest as `list_query.parse` does."""
    parameters = dict(parse_qsl(raw_query, keep_blank_values=True))
    refuse_unknown(parameters, PARAMETERS, "parameter")
    after = parameters.get("page[after]") or None
    if after is not None and not is_name(after):
        raise InvalidRequest("Query Error: page[after] must be a cursor from pagination.next, which is an endpoint's name")
    return page_size(parameters.get("page[size]")), after
