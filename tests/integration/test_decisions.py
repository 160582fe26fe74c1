"""Twenty people who answer at the same moment, and the largest decision that an item has to hold. On moto's DynamoDB."""

import json
from functools import partial
from itertools import cycle
from typing import Any

import pytest
from moto.dynamodb.exceptions import ItemSizeTooLarge
from moto.dynamodb.models.dynamo_type import DynamoType, LimitedSizeDict

from tests.support.decision import choose, crowd_page
from tests.support.in_process.api_gateway import TOKENS, Api
from tests.support.in_process.fakes.step_functions import FakeStepFunctions
from tests.support.in_process.moto_stack import MotoStack, client_of
from tests.support.races import race
from waitpoints import ids
from waitpoints.api.page.page_checks import parse
from waitpoints.approvers import MAX_ANSWER
from waitpoints.token import MAX_WAITERS, Document, DocumentKind, Rules, Token, Waiter
from waitpoints.waiter_result import Success
from waitpoints.wiring import services

PEOPLE = 20
LARGEST_ITEM = 400 * 1024  # bytes (Amazon DynamoDB Developer Guide, "Item size")
EXECUTION = f"arn:aws:states:ap-southeast-1:123456789012:execution:{'m' * 80}:{'e' * 80}"  # the longest names of Step Functions


@pytest.mark.slow
@pytest.mark.usefixtures("without_metrics")
class TestTwentyPeopleAtTheSameMoment:
    @pytest.mark.parametrize("rounds", [30])
    def test_decide_once_with_the_answers_that_were_recorded_before(
        self, api: Api, step_functions: FakeStepFunctions, rounds: int
    ) -> None:
        for _, needs in zip(range(rounds), cycle(range(1, 6)), strict=False):
            self.decide(api, step_functions, needs)

    def decide(self, api: Api, step_functions: FakeStepFunctions, needs: int) -> None:
        task_token = step_functions.start_task()
        token = api.create(page=crowd_page(PEOPLE, needs))
        services.tokens.wait(token["id"], Waiter(task_token, services.now()))

        answers = race([partial(choose, api, token, f"person {it}", ("yes", "no")[it % 2]) for it in range(PEOPLE)])
        assert {answer.status for answer in answers} == {200}
        shown = api.retrieve(token["id"])
        output = json.loads(shown["output"])
        assert output["answers"] == shown["answers"]
        people = [one["approver"] for one in shown["answers"]]
        assert len(set(people)) == len(people) == PEOPLE - shown.get("otherDeliveries", {"count": 0})["count"]
        assert output["approver"] == shown["completedBy"]["approver"] == people[-1]
        chosen = [one["action"] for one in shown["answers"]]
        assert (chosen.count(output["action"]), chosen[-1]) == (needs, output["action"])
        assert chosen.count("no" if chosen[-1] == "yes" else "yes") < needs
        assert step_functions.result(task_token) == Success(f'{{"ok":true,"output":{shown["output"]}}}')
        assert step_functions.calls[task_token] == 1


@pytest.mark.slow
@pytest.mark.usefixtures("without_metrics")
def test_of_two_who_enter_different_values_at_the_same_moment_one_is_recorded(api: Api) -> None:
    page = {**crowd_page(2, 2), "actions": [{"id": "yes", "label": "Yes", "needs": 2}], "sameFields": True}
    page["fields"] = {"properties": {"amount": {"type": "number"}}}
    for _ in range(50):
        token = api.create(page=page)
        both = race([partial(choose, api, token, f"person {number}", "yes", amount=number) for number in range(2)])
        shown = api.retrieve(token["id"])
        [recorded] = shown["answers"]
        assert sorted(one.status for one in both) == [200, 422]
        assert both[recorded["fields"]["amount"]].status == 200
        assert (shown["status"], shown["otherDeliveries"]["count"]) == ("WAITING", 1)


@pytest.mark.slow
class TestTheLargestDecision:
    """100 waiters with the longest handles, which are not base64, a large hand-over, and 20 answers of the largest size."""

    @pytest.fixture(autouse=True)
    def exact_limit(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """moto counts a value that is replaced as well as the new one, up to 405,000 bytes."""

        def set_within_limit(item: LimitedSizeDict, name: str, value: Any) -> None:
            dict.__setitem__(item, name, value)
            if sum(len(one.encode()) + it.size() for one, it in item.items() if isinstance(it, DynamoType)) > LARGEST_ITEM:
                raise ItemSizeTooLarge

        monkeypatch.setattr(LimitedSizeDict, "__setitem__", set_within_limit)

    @pytest.fixture
    def token(self, api: Api, step_functions: FakeStepFunctions) -> dict[str, Any]:
        page = crowd_page(PEOPLE, needs=10)
        page["approvers"] = [f"{number:02}{'🎈' * 126}" for number in range(PEOPLE)]
        page["fields"] = {"properties": {"note": {"type": "string"}}}
        waiters = [
            Waiter(step_functions._start(f"-{number:03}{'x' * 2_044}"), services.now(), context=True, execution=EXECUTION)
            for number in range(MAX_WAITERS)
        ]
        token = Token(
            id=ids.new_id(services.now()),
            created_at=services.now(),
            timeout_at=services.now() + 86_400_000,
            due_at=services.now() + 86_400_000,
            tags=tuple(f"{number}{'🎈' * 63}" for number in range(10)),
            idempotency_key="語" * 2_048,
            waiters={waiter.key: waiter for waiter in waiters},
            rules=Rules(has_page=True, has_approvers=True),
            traceparent=f"00-{'a' * 32}-{'b' * 16}-01",
        )
        services.store.create(token, None, services.now(), document=Document(DocumentKind.PAGE, parse(page)[1]))
        people, body = page["approvers"], {"add": [f"{number}{'🎈' * 126}" for number in range(PEOPLE, PEOPLE + 5)]}
        change = json.dumps({"approvers": {**body, "remove": people[:5]}}, ensure_ascii=False)
        assert api.request("PATCH", f"{TOKENS}/{token.id}", change.encode()).status == 200
        return dict(api.retrieve(token.id))

    def answer(self, api: Api, token: dict[str, Any], people: int) -> None:
        note = {name: "x" * (MAX_ANSWER - len(f'{{"action":"{name}","fields":{{"note":""}}}}')) for name in ("yes", "no")}
        headers = {"user-agent": "🎈" * 400, "content-type": f"application/json; {'ü' * 400}"}
        for one in token["links"][:people]:
            action = ("no", "yes")[int(one["approver"][:2]) % 2]
            assert api.post(one["url"], json.dumps({"action": action, "fields": {"note": note[action]}}), headers).status == 200

    def size(self, stack: MotoStack, token: dict[str, Any]) -> int:
        key = {"id": {"S": token["id"]}, "item": {"S": "token"}}
        item = client_of("dynamodb").get_item(TableName=stack.table, Key=key)["Item"]
        return sum(len(name.encode()) + _size(value) for name, value in item.items())

    def test_fits_into_the_item(self, api: Api, stack: MotoStack, token: dict[str, Any]) -> None:
        self.answer(api, token, PEOPLE)
        shown = api.retrieve(token["id"])
        assert shown["status"] == "COMPLETED"
        assert len(shown["answers"]) == 19
        assert {waiter["status"] for waiter in shown["waiters"]} == {"RESUMED"}
        assert 370_000 < self.size(stack, token) < LARGEST_ITEM - 10_000

    def test_leaves_room_for_the_api_key_and_for_an_error(self, api: Api, stack: MotoStack, token: dict[str, Any]) -> None:
        self.answer(api, token, 18)
        assert self.size(stack, token) > 300_000
        error = {"message": "x" * 4_096, "code": "x" * 128}
        api.complete(token, error=error)
        assert self.size(stack, token) < LARGEST_ITEM - 10_000


def _size(value: dict[str, Any]) -> int:
    """The size of an attribute's value (Amazon DynamoDB Developer Guide, "DynamoDB item sizes and formats")."""
    [(kind, content)] = value.items()
    match kind:
        case "S":
            return len(content.encode())
        case "B":
            return len(content)
        case "N":
            return (len(content.strip("0")) + 1) // 2 + 1
        case "BOOL":
            return 1
        case "L":
            return 3 + sum(_size(member) + 1 for member in content)
        case "M":
            return 3 + sum(len(name.encode()) + _size(member) + 1 for name, member in content.items())
    raise TypeError(kind)
