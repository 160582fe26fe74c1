"""What anybody can spend: a day of requests without a credential, as many as the routes take."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from unittest import mock
from urllib.parse import urlsplit

from benchmarks import bill, prices
from benchmarks.figures import table
from benchmarks.limits import CALLBACK_ROUTE, CREATE_ROUTE
from show_console import ASSETS, VERSION
from tests.support.in_process.counting.waits import Bench, Wait
from tests.support.in_process.fakes.secret import FakeSecret
from tests.support.in_process.template import SIGN_IN, Template
from waitpoints.access.sessions import OWN_BEGIN, OWN_RETURN
from waitpoints.errors import SignInRefused
from waitpoints.oidc.issuer import Issuer
from waitpoints.oidc.redemptions import MOST_REFUSED
from waitpoints.token import MAX_WAITERS

DAY: Final = 86_400  # seconds
BROWSER: Final = {"accept": "text/html"}
TOGETHER: Final = "**all of the above**"


@dataclass(frozen=True, slots=True)
class Flood:
    """A request that is sent to a route as often as the route takes it, and what a million of it cost in dollars."""

    name: str
    route: str
    million: float
    is_open: bool = True
    """Whether it needs nothing but the API's address."""

    def limit(self, template: Template, limit: str = "ThrottlingRateLimit") -> int:
        api = template.body["Resources"]["Api"]["Properties"]
        settings: Any = api["RouteSettings"].get(self.route, api["DefaultRouteSettings"])
        return int(template.resolve(settings, {})[limit])

    def dollars(self, template: Template) -> float:
        """Of a day."""
        return self.million * self.limit(template) * DAY / 1e6

    def cells(self, template: Template) -> list[str]:
        burst = self.limit(template, "ThrottlingBurstLimit")
        return [self.name, f"{self.limit(template):,} ({burst:,})", f"{self.dollars(template):,.0f}"]


def count_floods(counted: Bench) -> list[Flood]:
    """Send each request once. A page or a file is answered with most bytes."""
    forged = counted.api.create()["url"][:-4] + "0000"
    largest = f"/console/{VERSION}/{max(ASSETS, key=lambda name: len(ASSETS[name]))}"
    views, deliveries = CALLBACK_ROUTE.replace("ANY", "GET"), "ANY /api/v1/endpoints/{name}/{hash}"
    callback, create = _price(counted, "accept_callback", "POST", forged), "/api/v1/waitpoints/tokens"
    key = {"authorization": "Bearer wrong"}
    return [
        Flood("forged callbacks: `CallbacksPerSecond`", CALLBACK_ROUTE, callback),
        Flood("views: `ViewsPerSecond`", views, _price(counted, "show_callback", "GET", forged)),
        Flood(
            "forged deliveries: `DeliveriesPerSecond`",
            deliveries,
            _price(counted, "accept_delivery", "POST", "/api/v1/endpoints/github/0"),
        ),
        Flood("forged clicks, with `Slack=on`", "POST /api/v1/slack", _of_slack(counted)),
        *_of_sign_in(counted),
        Flood("the console's page", "ANY /console", _price(counted, "show_console", "GET", "/console")),
        Flood("the console's files", "ANY /console/{version}/{file}", _price(counted, "show_console", "GET", largest)),
        Flood(
            "creates with a wrong API key", CREATE_ROUTE, _price(counted, "create_token", "POST", create, key), is_open=False
        ),
        Flood("posts to one settled token", CALLBACK_ROUTE, _of_known(counted), is_open=False),
        Flood(
            f"posts that a token's rules refuse, {MAX_WAITERS} waiters",
            CALLBACK_ROUTE,
            _of_known(counted, completeWhen="body.done"),
            is_open=False,
        ),
    ]


def _price(counted: Bench, function: str, method: str, url: str, headers: Mapping[str, str] = BROWSER) -> float:
    wait = Wait()
    counted.meter.take()
    counted.step(wait, "", function, lambda: counted.api.request(method, url, None, headers), over_http=True)
    larger = counted.memory(function) - bill.MEMORY
    return bill.total(wait) + larger * bill.MILLISECONDS / 1000 * prices.GB_SECOND


def _of_slack(counted: Bench) -> float:
    from waitpoints.wiring import services  # noqa: PLC0415 - reads the stack's environment

    signed = {"x-slack-request-timestamp": str(counted.clock() // 1000), "x-slack-signature": "v0=00"}
    with counted.with_channels() as told:
        vars(services)["_secrets"] |= {services.channel_secret_name("SLACK_SIGNING_SECRET"): FakeSecret("secret")}
        return _price(told, "answer_slack", "POST", "/api/v1/slack", signed)


def _of_sign_in(counted: Bench) -> list[Flood]:
    """Of functions that know the issuer's document. The issuer refuses codes that it has not given."""
    issuer, form = SIGN_IN["OidcIssuer"], {"content-type": "application/x-www-form-urlencoded"}
    endpoints = ("authorization_endpoint", "token_endpoint", "jwks_uri")
    document = {"issuer": issuer, **{name: f"{issuer}/{name}" for name in endpoints}}
    with (
        counted.with_issuer() as signing,
        mock.patch.object(Issuer, "_get", return_value=document),
        mock.patch.object(Issuer, "redeem", side_effect=SignInRefused("token_invalid_grant")),
    ):
        begin, returns = f"/api/v1/sign-in?to={urlsplit(counted.api.create()['url']).path}", "/api/v1/sign-in/return"
        forged = _price(signing, "begin_sign_in", "GET", f"{begin[:-4]}0000")
        returned = _price(signing, "finish_sign_in", "GET", f"{returns}?state={'x' * 43}&code=x")
        signed_out = _price(signing, "sign_out", "POST", "/api/v1/sign-out", BROWSER | form)
        for _ in range(MOST_REFUSED + 1):
            led = signing.api.get(begin, BROWSER)
            back = f"{returns}?{urlsplit(led.headers['location']).query}&code=x&iss={issuer}"
            cookie = BROWSER | {"cookie": led.cookies[0].partition(";")[0]}
            refused = _price(signing, "finish_sign_in", "GET", back, cookie)
        begun = _price(signing, "begin_sign_in", "GET", begin)
        own = _price(signing, "begin_session", "GET", OWN_BEGIN)
        led = signing.api.get(OWN_BEGIN, BROWSER)
        back = f"{OWN_RETURN}?{urlsplit(led.headers['location']).query}&code=x&iss={issuer}"
        cookie = BROWSER | {"cookie": led.cookies[0].partition(";")[0]}
        junk = _price(signing, "begin_session", "GET", back, cookie)
    return [
        Flood("forged sign-ins, with `OidcIssuer`", "GET /api/v1/sign-in", forged),
        Flood("forged sign-in returns", f"GET {returns}", returned),
        Flood("forged sign-outs", "POST /api/v1/sign-out", signed_out),
        Flood("sign-ins without a page", f"GET {OWN_BEGIN}", own),
        Flood("their returns, with a junk code", f"GET {OWN_RETURN}", junk),
        Flood("sign-ins at one page", "GET /api/v1/sign-in", begun, is_open=False),
        Flood("refused sign-in returns", f"GET {returns}", refused, is_open=False),
    ]


def _of_known(counted: Bench, **rules: Any) -> float:
    """Post to a token that has ended, or with `rules` that the post does not satisfy waits, once it is known."""
    created = counted.api.create(**rules)
    if rules:
        for _ in range(MAX_WAITERS):
            counted.register(Wait(), created["id"])
    for _ in range(2):
        counted.api.post(created["url"], '"x"', {})
    return _price(counted, "accept_callback", "POST", created["url"], {})


def markdown(floods: list[Flood], template: Template) -> str:
    alone, others = ([flood for flood in floods if flood.is_open is is_open] for is_open in (True, False))
    rate, dollars = (sum(of(template) for of in found) for found in ([it.limit for it in alone], [it.dollars for it in alone]))
    rows = [it.cells(template) for it in alone]
    rows += [[TOGETHER, f"**{rate:,}**", f"**{dollars:,.0f}**"], *(it.cells(template) for it in others)]
    return table(["requests", "a second (burst)", "dollars a day"], rows)
