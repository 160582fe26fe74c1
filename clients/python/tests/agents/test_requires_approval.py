"""A tool runs after a person's yes, and only then."""

import asyncio
import inspect
import io
import logging
import typing
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from typing import Annotated, Any

import pytest
from pydantic import AfterValidator, BaseModel, Field, SecretStr
from typing_extensions import assert_type

from waitpoints_client import Token
from waitpoints_client.agents import Decision, approval_page, requires_approval
from waitpoints_client.testing import FakeWaitpoints


@dataclass
class Bank:
    """Pays each order once."""

    calls: list[tuple[str, float]] = field(default_factory=list)
    paid: dict[str, float] = field(default_factory=dict)

    def pay(self, order: str, euros: float) -> str:
        self.calls.append((order, euros))
        self.paid.setdefault(order, euros)
        return f"paid {self.paid[order]} for {order}"


class Context:
    """What a framework passes, and no model gives."""

    run_id = "run-7"


@pytest.fixture
def bank() -> Bank:
    return Bank()


def answers(fake: FakeWaitpoints, action: str, **fields: Any) -> list[Token]:
    """Let Ann answer each request. Returns the requests, as they come."""
    asked: list[Token] = []

    def answer(token: Token) -> Any:
        asked.append(token)
        return fake.answer(token, "ann", action, fields)

    fake.on_create(answer)
    return asked


def tool(fake: FakeWaitpoints, bank: Bank, **options: Any) -> Callable[..., Any]:
    @requires_approval(fake.client(), **{"key": lambda order, _: f"refund-{order}", "approvers": ["ann"], **options})
    def refund(order: str, euros: float = 10) -> str:
        """Refund an order."""
        return bank.pay(order, euros)

    return refund


class TestADecision:
    def test_approve_calls_with_the_caller_s_own_arguments(self, fake: FakeWaitpoints) -> None:
        answers(fake, "approve", message="fine")
        given: dict[str, list[int]] = {"a": [1, 2]}

        @requires_approval(fake.client(), key="once", approvers=["ann"])
        def look(what: dict[str, list[int]], /, *, how: str = "well") -> Any:
            return what, how

        result: Any = look(given)
        assert (result[0] is given, result[1]) == (True, "well")

    def test_edit_calls_with_what_the_person_changed(self, fake: FakeWaitpoints, bank: Bank) -> None:
        answers(fake, "approve", order="4711", euros=5)

        assert tool(fake, bank)("4711", euros=50) == "paid 5.0 for 4711"

    def test_a_change_is_read_as_the_function_s_types(self, fake: FakeWaitpoints) -> None:
        answers(fake, "approve", day="2027-01-31", euros=7)

        @requires_approval(fake.client(), key="once", hidden=["context"], approvers=["ann"])
        def plan(context: Context, day: date, euros: Annotated[int, Field(gt=0)] = 1) -> Any:
            return context, day, euros

        context = Context()
        assert plan(context, date(2027, 1, 1)) == (context, date(2027, 1, 31), 7)

    def test_what_no_one_changed_stays_the_caller_s_own(self, fake: FakeWaitpoints) -> None:
        answers(fake, "approve", secret="*" * 10, euros=5)

        @requires_approval(fake.client(), key="once", approvers=["ann"])
        def pay(secret: SecretStr, euros: int, note: str = "none") -> Any:
            return secret, euros, note

        secret = SecretStr("of the bank")
        assert pay(secret, 50, "the person leaves it out") == (secret, 5, "none")

    def test_a_change_that_pydantic_refuses_does_not_run(self, fake: FakeWaitpoints) -> None:
        def even(value: int) -> int:
            if value % 2:
                raise ValueError("must be even")
            return value

        answers(fake, "approve", number=3)

        @requires_approval(fake.client(), key="once", approvers=["ann"])
        def look(number: Annotated[int, AfterValidator(even)]) -> int:
            raise AssertionError(number)

        assert look(2) == (
            "ann rejected this, so it did not run: "
            "approved with a change that does not fit the tool: number: Value error, must be even"
        )

    def test_arguments_that_change_while_people_decide_do_not_run(self, fake: FakeWaitpoints) -> None:
        payment = {"euros": 5}

        @requires_approval(fake.client(), key="once", approvers=["ann"])
        def pay(payment: dict[str, int]) -> None:
            raise AssertionError(payment)

        @fake.on_create
        def answer(token: Token) -> Any:
            payment["euros"] = 5_000
            return fake.answer(token, "ann", "approve")

        assert str(pay(payment)).endswith("did not run: the program changed the arguments while people decided")

    @pytest.mark.parametrize(
        ("settle", "said"),
        [
            (lambda fake, it: fake.answer(it, "ann", "reject"), "ann rejected this, so it did not run."),
            (
                lambda fake, it: fake.answer(it, "ann", "reject", {"message": "Ask Bo"}),
                "ann rejected this, so it did not run: Ask Bo",
            ),
            (lambda fake, it: fake.answer(it, "ann", "respond", {"message": "It was paid"}), "It was paid"),
            (lambda fake, _: fake.advance("1h"), "This did not run: nobody decided in time."),
            (lambda fake, it: fake.client().fail(it, "cancelled"), "The owner rejected this, so it did not run: cancelled"),
        ],
        ids=["reject", "reject with a word", "respond", "silence", "a failed request"],
    )
    def test_anything_but_a_yes_runs_nothing_and_tells_the_model_why(
        self, fake: FakeWaitpoints, bank: Bank, settle: Any, said: str
    ) -> None:
        fake.on_create(partial(settle, fake))
        assert tool(fake, bank, timeout="1h", page=partial(approval_page, respond=True))("4711") == said
        assert bank.calls == []

    def test_what_is_refused_can_be_an_exception(self, fake: FakeWaitpoints, bank: Bank) -> None:
        answers(fake, "reject", message="no")

        def refuse(decision: Decision) -> Any:
            raise PermissionError(f"{decision.by}: {decision.message}")

        with pytest.raises(PermissionError, match="ann: no"):
            tool(fake, bank, refused=refuse)("4711")


class TestTheSameCall:
    @pytest.mark.filterwarnings("error:.* asks the same")
    def test_is_one_request_and_one_effect(self, fake: FakeWaitpoints, bank: Bank) -> None:
        asked = answers(fake, "approve")
        refund = tool(fake, bank)

        assert refund("4711", 50) == refund(order="4711", euros=50.0) == "paid 50 for 4711"
        assert (len(asked), bank.paid) == (1, {"4711": 50})
        refund("4711", 51)
        refund("4712", 50)
        assert len(asked) == 3

    def test_runs_again_if_it_failed_after_the_yes(self, fake: FakeWaitpoints) -> None:
        asked, failures = answers(fake, "approve"), [RuntimeError("the bank is closed")]

        @requires_approval(fake.client(), key="once", approvers=["ann"])
        def pay(euros: int) -> int:
            if failures:
                raise failures.pop()
            return euros

        with pytest.raises(RuntimeError, match="the bank is closed"):
            pay(5)
        assert (pay(5), len(asked)) == (5, 1)

    def test_is_named_by_the_run_and_the_key(self, fake: FakeWaitpoints) -> None:
        asked = answers(fake, "approve")

        @requires_approval(
            fake.client(), run=lambda context, _: context.run_id, key="pay", hidden=["context"], approvers=["ann"]
        )
        def pay(context: Context, euros: int) -> int:
            return euros

        assert [pay(Context(), euros=5), pay(Context(), 5)] == [5, 5]
        [token] = asked
        assert (token.metadata or {}).items() >= {"tool": "pay", "run": "run-7", "call": "pay"}.items()

    def test_without_a_name_is_refused(self, fake: FakeWaitpoints, bank: Bank) -> None:
        with pytest.raises(ValueError, match="key must be a text that is not empty"):
            tool(fake, bank, key="")("4711")
        with pytest.raises(ValueError, match="call must be a text that is not empty"):
            tool(fake, bank, key=lambda *_: 7, run="r")("4711")


class TestAsync:
    def test_an_async_function_is_asked_about(self, fake: FakeWaitpoints, bank: Bank) -> None:
        async def main() -> list[Any]:
            async with fake.async_client() as waitpoints:

                @requires_approval(waitpoints, key="refund", approvers=["ann"])
                async def refund(order: str, euros: float) -> str:
                    await asyncio.sleep(0)
                    return bank.pay(order, euros)

                assert inspect.iscoroutinefunction(refund)
                assert assert_type(await refund("4711", 5), str) == "paid 5 for 4711"
                return [*await asyncio.gather(refund("1", 5), refund("2", 6), refund("1", 5))]

        asked = answers(fake, "approve")
        assert asyncio.run(main()) == ["paid 5 for 1", "paid 6 for 2", "paid 5 for 1"]
        assert len(asked) == 3

    def test_and_told_why_it_did_not_run(self, fake: FakeWaitpoints) -> None:
        answers(fake, "reject", message="no")

        async def main() -> Any:
            async with fake.async_client() as waitpoints:

                @requires_approval(waitpoints, key="refund", approvers=["ann"])
                async def refund() -> None:
                    raise AssertionError

                return await refund()

        assert asyncio.run(main()) == "ann rejected this, so it did not run: no"

    def test_a_client_of_the_other_kind_is_refused(self, fake: FakeWaitpoints) -> None:
        async def asynchronous() -> None: ...

        def synchronous() -> None: ...

        with pytest.raises(TypeError, match="asynchronous does not fit Waitpoints: an async function needs an AsyncWaitpoints"):
            requires_approval(fake.client(), key="k", approvers=["ann"])(asynchronous)
        with pytest.raises(TypeError, match="synchronous does not fit AsyncWaitpoints"):
            requires_approval(fake.async_client(), key="k", approvers=["ann"])(synchronous)  # type: ignore[arg-type]


def with_context(context: Context) -> None: ...
def with_unknown(order: "Unknown") -> None: ...  # type: ignore[name-defined] # noqa: F821
def with_set(orders: set[str]) -> None: ...


class TestTheFunction:
    def test_looks_as_it_did_to_a_framework(self, fake: FakeWaitpoints, bank: Bank) -> None:
        refund = tool(fake, bank)

        assert (refund.__name__, refund.__doc__) == ("refund", "Refund an order.")
        assert list(inspect.signature(refund).parameters) == ["order", "euros"]
        assert typing.get_type_hints(refund) == {"order": str, "euros": float, "return": str}

    def test_keeps_its_types(self, fake: FakeWaitpoints) -> None:
        answers(fake, "approve")

        @requires_approval(fake.client(), key="k", approvers=["ann"])
        def double(number: int) -> int:
            return 2 * number

        assert assert_type(double(2), int | str) == 4
        with pytest.raises(TypeError, match="missing a required argument: 'number'"):
            double()  # type: ignore[call-arg]

    def test_shows_every_visible_argument_and_its_default(self, fake: FakeWaitpoints) -> None:
        pages: list[Any] = []

        def page(name: str, arguments: Any, schema: Any) -> Any:
            pages.append((name, arguments, schema["required"]))
            return approval_page(name, arguments, schema)

        class Tools:
            @requires_approval(fake.client(), key="k", hidden=("self", "context"), page=page, approvers=["ann"])
            def plan(self, context: Context, day: date, to: "Address", note: str = "-") -> str:
                return f"{type(self).__name__} {to.zip_code} {day:%A}"

        answers(fake, "approve")
        assert Tools().plan(Context(), date(2027, 1, 31), Address(zip="1010")) == "Tools 1010 Sunday"
        assert pages == [("plan", {"day": "2027-01-31", "to": {"zip": "1010"}, "note": "-"}, ["day", "to"])]

    @pytest.mark.parametrize(
        ("function", "hidden", "message"),
        [
            (lambda *arguments: arguments, [], r"has \*arguments or \*\*arguments"),
            (lambda **arguments: arguments, [], r"has \*arguments or \*\*arguments"),
            (lambda order: order, ["oder"], "has no parameter oder to hide"),
            (partial(lambda order: order, 1), [], "Expected a function, not partial"),
            (with_context, [], "with_context have no JSON Schema: hide what no model gives"),
            (with_unknown, [], "with_unknown have no JSON Schema: .*Unknown"),
            (with_set, [], "with_set accepts a set"),
        ],
    )
    def test_that_no_page_can_show_is_refused(self, fake: FakeWaitpoints, function: Any, hidden: Any, message: str) -> None:
        with pytest.raises(TypeError, match=message):
            requires_approval(fake.client(), key="k", hidden=hidden, approvers=["ann"])(function)

    def test_with_an_argument_that_is_no_json_is_refused(self, fake: FakeWaitpoints) -> None:
        @requires_approval(fake.client(), key="k", approvers=["ann"])
        def look(what: Any) -> None: ...

        for what, message in ((Context(), "argument what of look has no JSON"), (float("nan"), "(?i)JSON")):
            with pytest.raises(ValueError, match=message):
                look(what)


class Address(BaseModel):
    zip_code: str = Field(alias="zip")


def test_nothing_of_a_call_is_logged(fake: FakeWaitpoints, bank: Bank) -> None:
    logged, before = io.StringIO(), logging.root.level
    handler = logging.StreamHandler(logged)
    logging.root.addHandler(handler)
    logging.root.setLevel(logging.DEBUG)
    try:
        answers(fake, "reject", message="the reason")
        tool(fake, bank)("the order")
    finally:
        logging.root.setLevel(before)
        logging.root.removeHandler(handler)

    assert "POST https://waitpoints.test" in logged.getvalue()  # by httpx
    assert "the order" not in logged.getvalue()
    assert "the reason" not in logged.getvalue()


def test_an_unknown_option_is_refused_before_a_call(fake: FakeWaitpoints, bank: Bank) -> None:
    with pytest.raises(TypeError, match="Unknown option 'metadata'"):
        tool(fake, bank, metadata={"team": "a"})


def test_an_open_request_is_refused(fake: FakeWaitpoints, bank: Bank) -> None:
    with pytest.raises(ValueError, match="Who may answer"):
        tool(fake, bank, approvers=None)("4711")
    assert list(fake.client().list()) == []
