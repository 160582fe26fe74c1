"""Functions of earlier versions, which know no notices, and a token of which people are told.

A rollout and going back have both. They leave alone what says who is told and who was, and pass over what the stream brings.
"""

import importlib
import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import boto3
import pytest

from tests.support import previous as earlier
from tests.support.approval_page import BROWSER, JSON
from tests.support.in_process.api_gateway import TOKENS, Api
from tests.support.in_process.event_sources import Stream, failures
from tests.support.in_process.fakes.clock import FakeClock
from tests.support.in_process.fakes.step_functions import FakeStepFunctions
from tests.support.in_process.moto_stack import MotoStack
from tests.support.in_process.template import CHANNELS, Template
from tests.support.previous_functions import PreviousFunctions
from tests.support.settling import complete
from waitpoints.api.notices.plan import next_step
from waitpoints.api.page import definition
from waitpoints.aws.items import NOTICES, primary_key, wire
from waitpoints.notices import Notice, Notify
from waitpoints.token import Document, DocumentKind, NewToken, Token, Waiter
from waitpoints.wiring import services

pytestmark = pytest.mark.slow

LAST_WITHOUT_NOTICES = "27f49488ee2a08d0ca97737f795579c90743108c"
NOTIFY = {"slack": "#deploys", "email": ["ann@example.com"]}
TOLD = {"slack": Notice(1, ref="C1/1.2", shows="0/0/0"), "email.0": Notice(1, ref="<1@example.com>")}


@pytest.fixture(scope="module", params=[earlier.PREVIOUS, LAST_WITHOUT_NOTICES])
def functions(
    request: pytest.FixtureRequest, stack: MotoStack, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[PreviousFunctions]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(earlier, "PREVIOUS", request.param)
        yield PreviousFunctions(stack, tmp_path_factory.mktemp("earlier"))


class Place:
    """A token for which an execution waits, of which two places were told, and the API of the earlier version."""

    def __init__(self, stack: MotoStack, functions: PreviousFunctions, waits: FakeStepFunctions) -> None:
        self.functions, self.waits, self._table = functions, waits, stack.resources["Table"]["Ref"]
        self.old = Api(functions.template, stack.secret("ApiKey"))
        self.handle = waits.start_task()
        document = Document(DocumentKind.PAGE, '{"title": "Deploy?"}', notify=json.dumps(NOTIFY))
        new = NewToken(document=document, waiter=Waiter(self.handle, services.now()))
        self.token_id = services.tokens.create(new, services.now()).token_id
        self.url = services.urls.url(self.token_id, "")
        places = {place: notice.members() for place, notice in TOLD.items()}
        told = {"tokenId": self.token_id, "createdAt": services.now(), "claimedUntil": 1, **places}
        item = {**primary_key(self.token_id, NOTICES), **wire(told)["M"]}
        boto3.client("dynamodb").put_item(TableName=self._table, Item=item)

    def token(self) -> Token:
        return services.tokens.find(self.token_id)

    def assert_as_told(self) -> None:
        token = self.token()
        assert (json.loads(token.notify or ""), token.notices) == (NOTIFY, TOLD)

    def items(self) -> set[str]:
        found = boto3.client("dynamodb").scan(TableName=self._table)["Items"]
        return {item["item"]["S"] for item in found if item["id"] == {"S": self.token_id}}


@pytest.fixture
def place(stack: MotoStack, functions: PreviousFunctions, clock: FakeClock, step_functions: FakeStepFunctions) -> Place:
    functions.use(clock, step_functions_client=step_functions)
    return Place(stack, functions, step_functions)


def test_show_it_and_its_page_and_change_nothing(place: Place) -> None:
    with place.functions.in_place():
        shown = place.old.retrieve(place.token_id)
        listed = place.old.get(TOKENS).json["data"]
        page = place.old.get(place.url, BROWSER)
    assert (shown["id"], shown["status"], len(shown["waiters"])) == (place.token_id, "WAITING", 1)
    assert [it["id"] for it in listed] == [place.token_id]
    assert "Deploy?" in page.text
    place.assert_as_told()


def test_settle_it_and_the_message_is_edited_by_the_new_version(place: Place) -> None:
    with place.functions.in_place():
        assert place.old.post(place.url, '{"action": "submit", "fields": {}}', JSON).status == 200
    assert place.waits.result(place.handle) is not None
    place.assert_as_told()
    token = place.token()
    step = next_step(token, definition.load(token.page or ""), Notify.of(NOTIFY))
    assert step is not None
    assert (str(step.kind), step.place.key, step.ref) == ("edit", "slack", "C1/1.2")


def test_pass_over_what_the_new_filters_bring_of_it(stack: MotoStack, functions: PreviousFunctions, place: Place) -> None:
    """In a gradual deployment the filters are new from its begin."""
    stream = Stream(MotoStack(Template.load(CHANNELS), stack.resources))
    services.tokens.wait(place.token_id, Waiter(place.waits.start_task(), services.now()))
    waiting = stream.records("schedule_timeouts")
    assert [record["eventName"] for record in waiting] == ["MODIFY"]
    assert failures(functions.call("schedule_timeouts", {"Records": waiting})) == []
    complete(services.tokens, place.token_id, "{}")
    ended = stream.records("resume_waiters")
    assert ended
    assert failures(functions.call("resume_waiters", {"Records": ended})) == []
    assert place.token().wake_at is None
    place.assert_as_told()


def test_remove_what_is_beside_it_once_it_is_gone(stack: MotoStack, clock: FakeClock, place: Place) -> None:
    retention = services.store.retention * 1000
    clock.advance(retention)
    place.functions.call("doctor", {"whole": True})
    place.assert_as_told()
    boto3.client("dynamodb").delete_item(TableName=stack.resources["Table"]["Ref"], Key=primary_key(place.token_id, "token"))
    with place.functions.in_place(), suppress(ModuleNotFoundError):
        audit: Any = importlib.import_module("waitpoints.audit")
        audit.LOOKED_AT = 1.1  # 0.2.0 looks at an item with this chance
    place.functions.call("doctor", {"whole": True})
    assert place.items() == set()
