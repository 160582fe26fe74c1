"""Count what it costs to tell people of a token: the same wait for a page, with `notify` and without."""

from collections.abc import Mapping
from typing import Any
from unittest import mock

from tests.support.in_process.counting.meter import Meter
from tests.support.in_process.counting.options import PAGE
from tests.support.in_process.counting.waits import Added, Bench, Wait
from tests.support.in_process.event_sources import Stream, queue_event, receive_all
from tests.support.in_process.fakes.secret import ExistingSecrets
from tests.support.in_process.moto_stack import client_of
from tests.support.in_process.template import CHANNELS
from waitpoints.api.notices.plan import Notice, NoticeKind
from waitpoints.timeouts import duration

TWO = {
    **PAGE,
    "approvers": ["ann@example.com", "bo@example.com"],
    "actions": [{"id": "submit", "label": "Continue", "needs": 2}],
}
REMINDED = "1h"
CHOICE = '{"action": "submit", "fields": {}}'
CASES: Mapping[str, tuple[Mapping[str, Any], Mapping[str, Any]]] = {
    "`notify`: a mail about a page": (PAGE, {"email": ["ann@example.com"]}),
    "the same, three mails to two approvers": (TWO, {"email": True}),
    "the same, and both get the outcome": (TWO, {"email": True, "outcome": True}),
    "`notify`: a message in Slack, edited at the end": (PAGE, {"slack": "#deploys"}),
}


def count_notices(bench: Bench) -> dict[str, Added]:
    with bench.with_channels() as told:
        client_of("sesv2").create_email_identity(EmailIdentity=CHANNELS["MailFrom"])
        return {name: Added(answered(told, page), answered(told, page, notify)) for name, (page, notify) in CASES.items()}


def count_people(bench: Bench, people: int, by_mail: bool) -> tuple[Added, Added]:
    """Count what telling so many approvers of a page by mail adds, or one person if it has none, and what a reminder adds."""
    page, notify = page_of(people), {"email": True if people else ["ann@example.com"]}
    with bench.with_channels() as told:
        client_of("sesv2").create_email_identity(EmailIdentity=CHANNELS["MailFrom"])
        plain = answered(told, page)
        asked = answered(told, page, notify) if by_mail else plain
        reminded = answered(told, {**page, "remind": [REMINDED]}, notify if by_mail else None, reminded=True)
    return Added(plain, asked), Added(asked, reminded)


def page_of(people: int) -> dict[str, Any]:
    """A page that all of so many approvers must agree to, or one for anybody."""
    if not people:
        return PAGE
    approvers = [f"person{number}@example.com" for number in range(people)]
    return {**PAGE, "approvers": approvers, "actions": [{"id": "submit", "label": "Continue", "needs": people}]}


def answered(bench: Bench, page: Mapping[str, Any], notify: Mapping[str, Any] | None = None, *, reminded: bool = False) -> Wait:
    """Return the wait for a page that everyone answers who is asked, once they have been reminded."""
    with mock.patch("waitpoints.api.notices.slack.SlackChannel", return_value=CountedSlack(bench.meter)):
        return _answered(bench, page, notify, reminded)


def _answered(bench: Bench, page: Mapping[str, Any], notify: Mapping[str, Any] | None, reminded: bool) -> Wait:
    from waitpoints.wiring import services

    vars(services)["existing_secrets"] = ExistingSecrets()
    bench.start_earlier_timers()
    bench.meter.take()
    wait, stream, before, created_at = Wait(), bench.stream(), bench.stored(), bench.clock()
    body = {"page": page, **({"notify": notify} if notify else {})}
    created = bench.step(wait, "create", "create_token", lambda: bench.api.create(**body), over_http=True)
    looks = Looks(bench, wait, stream)
    looks.pass_on()
    bench.register(wait, created["id"])
    looks.pass_on()
    if reminded:
        bench.run_timers(wait, created["id"], created_at + duration(REMINDED))
        looks.pass_on()
    for link in created.get("links", [created]):
        bench.deliver(wait, "answer", link["url"], CHOICE)
        looks.pass_on()
    bench.guarantee(wait, stream)
    looks.send()
    wait.add_stored(before, bench.stored())
    return wait


class Looks:
    """The looks at one token that the stream asks for, each record in an invocation of its own."""

    def __init__(self, bench: Bench, wait: Wait, stream: Stream) -> None:
        self._bench, self._wait, self._stream = bench, wait, stream
        self._asked = 0
        self._queue = bench.resources["NoticeQueue"]["Ref"]

    def pass_on(self) -> None:
        records = self._stream.records("schedule_timeouts")
        for record in records[self._asked :]:
            self._bench.invoke(self._wait, "ask for a look", "schedule_timeouts", {"Records": [record]})
        self._asked = len(records)
        self.send()

    def send(self) -> None:
        """Send what is missing, for each message on the queue."""
        for body in receive_all(self._queue):
            self._bench.invoke(self._wait, "send notices", "send_notices", queue_event([body]))
            self._wait.steps[-1].from_queue = True


class CountedSlack:
    """Slack's API, of which AWS bills nothing."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter

    def send(self, notice: Notice) -> str:
        self._meter.count("Slack:chat.update" if notice.kind is NoticeKind.EDIT else "Slack:chat.postMessage")
        return "C024BE7LH/1812345678.913000"
