"""What a flood of forged callbacks costs, as docs/security.md and docs/costs.md say."""

import pytest

from benchmarks import bill, prices
from benchmarks.figures import DOCS
from in_process.counting.waits import Wait, bench
from in_process.moto_stack import MotoStack
from in_process.template import Template

ROUTES = 2  # ANY and GET, each with a limit of its own


def test_the_documents_have_the_price_of_a_flood_of_forged_callbacks(stack: MotoStack) -> None:
    """At the default limits, for a month. The HTTP API's price falls above so many requests."""
    rate = int(Template.load().parameters["CallbacksPerSecond"]) * ROUTES
    with bench(stack) as counted:
        url = counted.api.create()["url"]
        forged = url[:-4] + "0000"
        counted.meter.take()
        wait = Wait()
        answer = counted.step(wait, "forged", "accept_callback", lambda: counted.api.post(forged, "{}", {}), over_http=True)
    assert (answer.status, wait.steps[0].calls) == (401, [])
    requests = rate * bill.MONTH
    each = bill.total(wait) - prices.HTTP_REQUEST
    month = prices.http_requests(requests) + each * requests / 1e6
    assert month == pytest.approx(8_500, rel=0.1)
    assert "$8,500 a month" in " ".join((DOCS / "security.md").read_text().split())
    assert month * 24 / 730 == pytest.approx(280, rel=0.1)
    assert "about $280 a day" in (DOCS / "costs.md").read_text()
